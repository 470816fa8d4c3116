//! Time in each state, by hour, by day, and for any window.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::model::{Span, StateTimes};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Midnight before [`NOON_MS`].
const MIDNIGHT_MS: i64 = -12 * HOUR_MS;

fn span(health: Health, from_ms: i64, to_ms: i64) -> Span {
    Span { health, from: at_ms(from_ms), to: at_ms(to_ms) }
}

fn with_spans(stream: &str, ms: i64, spans: Vec<Span>) -> Record {
    Record { spans, ..record(stream, ms, Reason::Ok) }
}

/// What spans come to in a window.
fn expected(spans: &[Span], from_ms: i64, to_ms: i64) -> StateTimes {
    let mut times = StateTimes::default();
    for span in spans {
        let from = (span.from.as_millisecond() - NOON_MS).max(from_ms);
        let to = (span.to.as_millisecond() - NOON_MS).min(to_ms);
        times.add_ms(span.health, u64::try_from(to - from).unwrap_or(0));
    }
    times
}

#[tokio::test]
async fn spans_grow_and_fill_hours() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let spans = [
        span(Health::Up, 0, 15_000),
        span(Health::Up, 15_000, HOUR_MS + 5),
        span(Health::Down, HOUR_MS + 5, HOUR_MS + 1_000),
        // Nobody watched for a while.
        span(Health::Down, HOUR_MS + 60_000, HOUR_MS + 61_000),
    ];
    assert_eq!(store.oldest_hour().await.unwrap(), None);
    for (n, span) in spans.iter().enumerate() {
        store.record(with_spans("gate", n as i64, vec![*span])).await.unwrap();
    }
    assert_eq!(store.oldest_hour().await.unwrap(), Some(at_ms(0)));
    let whole = store.spans(&id("gate"), at_ms(-DAY_MS), at_ms(DAY_MS), 100).await.unwrap();
    assert_eq!(whole, [span(Health::Up, 0, HOUR_MS + 5), spans[2], spans[3]]);
    let cut = store.spans(&id("gate"), at_ms(10), at_ms(HOUR_MS + 500), 100).await.unwrap();
    assert_eq!(cut, [span(Health::Up, 10, HOUR_MS + 5), span(Health::Down, HOUR_MS + 5, HOUR_MS + 500)]);
    let hours: Vec<(i64, i64, i64)> = raw(&dir)
        .prepare("SELECT hour - ?1, up_ms, down_ms FROM rollups ORDER BY hour")
        .unwrap()
        .query_map([NOON_MS / HOUR_MS], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    assert_eq!(hours, [(0, HOUR_MS, 0), (1, 5, 995 + 1_000)]);
    // A window that ends within the span that still grows, and one that begins there.
    let times = store.state_times_of(&id("gate"), at_ms(0), at_ms(HOUR_MS + 60_500)).await.unwrap();
    assert_eq!((times.ms(Health::Up), times.ms(Health::Down)), (3_600_005, 1_495));
    let memory = store.load_memory().await.unwrap();
    assert_eq!(memory[&id("gate")].counted_until, Some(at_ms(HOUR_MS + 61_000)));
}

#[tokio::test]
async fn an_hour_never_holds_more_than_an_hour() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    // The clock was wrong by years and is set right: the same hour again.
    store.record(with_spans("gate", 0, vec![span(Health::Up, 0, 3_000_000)])).await.unwrap();
    store.record(with_spans("gate", 1, vec![span(Health::Up, 900 * DAY_MS, 900 * DAY_MS + 1)])).await.unwrap();
    store.record(with_spans("gate", 2, vec![span(Health::Down, 100, 3_000_100)])).await.unwrap();
    let (up, down): (i64, i64) = raw(&dir)
        .query_row("SELECT up_ms, down_ms FROM rollups ORDER BY hour LIMIT 1", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!((up, down), (3_000_000, 600_000));
}

#[tokio::test]
async fn days_that_are_over_are_summed_up_and_late_records_reach_them() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let mut spans = Vec::new();
    for day in 0..3 {
        let from = MIDNIGHT_MS + day * DAY_MS;
        spans.extend([
            span(Health::Up, from, from + 20 * HOUR_MS),
            span(Health::Down, from + 20 * HOUR_MS, from + DAY_MS),
        ]);
    }
    for (n, span) in spans.iter().enumerate() {
        store.record(with_spans("gate", n as i64 * HOUR_MS, vec![*span])).await.unwrap();
    }
    let window = (at_ms(MIDNIGHT_MS), at_ms(MIDNIGHT_MS + 3 * DAY_MS));
    let before = store.state_times(window.0, window.1).await.unwrap();
    store.roll_up(at_ms(MIDNIGHT_MS + 3 * DAY_MS)).await.unwrap();
    let days = |dir: &TempDir| -> Vec<(i64, i64)> {
        raw(dir)
            .prepare("SELECT up_ms, down_ms FROM days ORDER BY day")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap()
    };
    // The third has been over for no more than a moment.
    assert_eq!(days(&dir), vec![(20 * HOUR_MS, 4 * HOUR_MS); 2]);
    store.roll_up(at_ms(MIDNIGHT_MS + 3 * DAY_MS + HOUR_MS)).await.unwrap();
    assert_eq!(days(&dir).len(), 3);
    assert_eq!(store.state_times(window.0, window.1).await.unwrap(), before);
    assert_eq!(before[&id("gate")], expected(&spans, MIDNIGHT_MS, MIDNIGHT_MS + 3 * DAY_MS));
    // The clock is set back by a day.
    store.record(with_spans("yard", 7, vec![span(Health::Degraded, 0, 1_000)])).await.unwrap();
    let after = store.state_times(window.0, window.1).await.unwrap();
    assert_eq!(after[&id("yard")].ms(Health::Degraded), 1_000);
    let ok: i64 = raw(&dir).query_row("SELECT sum(ok) FROM days", [], |row| row.get(0)).unwrap();
    assert_eq!(ok, 7);
}

#[tokio::test]
async fn reasons_and_latencies_are_counted() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let reasons = [Reason::Ok, Reason::Ok, Reason::NoData, Reason::NoData, Reason::WorkerCrashed];
    record_all(&store, reasons.iter().enumerate().map(|(n, reason)| record("gate", n as i64, *reason))).await;
    let counted: Vec<(u8, i64)> = raw(&dir)
        .prepare("SELECT reason, count FROM reasons ORDER BY reason")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    assert_eq!(counted, [(Reason::NoData.code(), 2), (Reason::WorkerCrashed.code(), 1)]);
    let row: (i64, i64, i64, i64, i64) = raw(&dir)
        .query_row("SELECT ok, failed, blind, latency_2, latency_sum_ms FROM rollups", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })
        .unwrap();
    assert_eq!(row, (2, 2, 1, 2, 824));
}

fn health() -> impl Strategy<Value = Health> {
    proptest::sample::select(Health::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever the window and however much of it is summed up already, it is what the spans say.
    #[test]
    fn a_window_is_what_its_spans_say(
        lengths in prop::collection::vec((health(), 1i64..7_000_000, prop::bool::weighted(0.2)), 1..60),
        windows in prop::collection::vec((-200_000_000i64..400_000_000, 1i64..300_000_000), 1..12),
        rolled_up_hours in 0i64..120,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = TempDir::new().unwrap();
            let store = Store::open(dir.path()).await.unwrap();
            let (mut spans, mut records, mut at) = (Vec::new(), Vec::new(), -50_000_000);
            for (n, (health, length, is_gap)) in lengths.into_iter().enumerate() {
                if !is_gap {
                    spans.push(span(health, at, at + length));
                    records.push(with_spans("gate", n as i64, vec![spans[spans.len() - 1]]));
                }
                at += length;
            }
            let write_all = move |session: &mut writer::Session<'_>| {
                records.iter().try_for_each(|record| record::write(session, record))
            };
            store.write(true, write_all).await.unwrap();
            store.roll_up(at_ms(-50_000_000) + SignedDuration::from_hours(rolled_up_hours)).await.unwrap();
            for (from, length) in windows {
                let times = store.state_times_of(&id("gate"), at_ms(from), at_ms(from + length)).await.unwrap();
                assert_eq!(times, expected(&spans, from, from + length), "{from} + {length}");
                let all = store.state_times(at_ms(from), at_ms(from + length)).await.unwrap();
                assert_eq!(all.get(&id("gate")).copied().unwrap_or_default(), times);
            }
            store.close().await;
        });
    }
}

#[tokio::test]
async fn time_that_comes_again_is_counted_once() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.record(with_spans("gate", 0, vec![span(Health::Up, 0, 15_000)])).await.unwrap();
    // The monitor gave the first record up too early: its time comes again with the next one.
    store
        .record(with_spans("gate", 1, vec![span(Health::Up, 0, 15_000), span(Health::Down, 15_000, 30_000)]))
        .await
        .unwrap();
    store.record(with_spans("gate", 2, vec![span(Health::Down, 20_000, 31_000)])).await.unwrap();
    let times = store.state_times_of(&id("gate"), at_ms(0), at_ms(HOUR_MS)).await.unwrap();
    assert_eq!((times.ms(Health::Up), times.ms(Health::Down)), (15_000, 16_000));
    let (up, down): (i64, i64) =
        raw(&dir).query_row("SELECT up_ms, down_ms FROM rollups", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!((up, down), (15_000, 16_000));
    // A clock that was wrong by years does not stop the counting.
    store.record(with_spans("yard", 3, vec![span(Health::Up, 900 * DAY_MS, 900 * DAY_MS + 5)])).await.unwrap();
    store.record(with_spans("yard", 4, vec![span(Health::Up, 0, 7)])).await.unwrap();
    let times = store.state_times_of(&id("yard"), at_ms(0), at_ms(HOUR_MS)).await.unwrap();
    assert_eq!(times.ms(Health::Up), 7);
}

/// A day of 25 hours holds 25 hours, and the days of a fortnight add up to it.
#[tokio::test]
async fn days_add_up_across_a_change_of_the_clock() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    let midnight = |day: i8| jiff::civil::date(2025, 10, day).to_zoned(zone.clone()).unwrap().timestamp();
    let (begin, end) = (midnight(18), midnight(31));
    let (mut at, mut n) = (begin, 0);
    let mut records = Vec::new();
    while at < end {
        let to = (at + SignedDuration::from_mins(337)).min(end);
        let health = Health::ALL[n as usize % Health::ALL.len()];
        records.push(with_spans("gate", n, vec![Span { health, from: at, to }]));
        (at, n) = (to, n + 1);
    }
    let write_all =
        move |session: &mut writer::Session<'_>| records.iter().try_for_each(|record| record::write(session, record));
    store.write(true, write_all).await.unwrap();
    store.roll_up(end).await.unwrap();
    let mut sum = StateTimes::default();
    for day in 18..31 {
        let times = store.state_times_of(&id("gate"), midnight(day), midnight(day + 1)).await.unwrap();
        let hours = if day == 26 { 25 } else { 24 };
        assert_eq!(times.covered_ms(), hours * 3_600_000, "{day}");
        sum += times;
    }
    assert_eq!(store.state_times_of(&id("gate"), begin, end).await.unwrap(), sum);
}
