use std::sync::LazyLock;

use jiff::civil::{DateTime, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use proptest::prelude::*;

use super::*;
use crate::model::{CameraUrl, Expect, PictureChecks, Scope, StreamId, Transport, Trust, Weekdays};

const ZONES: [&str; 6] =
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca", "UTC"];

fn zone(name: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn stream(name: &str) -> Stream {
    Stream {
        id: StreamId::from_name(name),
        name: name.to_owned(),
        url: CameraUrl::parse("rtsp://192.0.2.1/").unwrap().0,
        credentials: None,
        enabled: true,
        heartbeat: std::time::Duration::from_secs(15),
        timeout: std::time::Duration::from_secs(10),
        transport: Transport::Auto,
        group: Some("outside".to_owned()),
        tags: vec!["night".to_owned()],
        trust: Trust::default(),
        parent: None,
        checks: PictureChecks::default(),
        expect: Expect::default(),
    }
}

fn of_all(when: When) -> Window {
    Window { name: None, scope: Scope::All, when }
}

fn recurring(zone_name: &str, days: Weekdays, from: &str, to: &str) -> Window {
    let [from, to] = [from, to].map(|text| text.parse::<Time>().unwrap());
    of_all(When::Recurring { days, from, to, zone: zone(zone_name) })
}

fn once(from: &str, to: &str) -> Window {
    of_all(When::Once { from: at(from), to: at(to) })
}

/// From the first instant to the last, each as `from` or `to` of the one run that must be there, and nothing beside.
#[track_caller]
fn expect_run(windows: &[Window], from: &str, to: &str) {
    let (stream, second) = (stream("a"), SignedDuration::from_secs(1));
    let streams = [Arc::new(stream.clone())];
    let (from, to) = (at(from), at(to));
    assert_eq!(until(windows, &stream, from - second), None, "before");
    assert_eq!(next_change(windows, &streams, from - second), Some(from), "the begin");
    for inside in [from, from + second, to - second] {
        assert_eq!(until(windows, &stream, inside), Some(to), "at {inside}");
    }
    assert_eq!(until(windows, &stream, to), None, "after");
    assert_eq!(next_change(windows, &streams, to - second), Some(to), "the end");
}

#[test]
fn windows_over_midnight_belong_to_the_day_they_begin_on() {
    let monday = recurring("Europe/Berlin", Weekdays::NONE.with(Weekday::Monday), "22:00", "02:00");
    // 2026-12-07 is a Monday.
    expect_run(std::slice::from_ref(&monday), "2026-12-07T21:00:00Z", "2026-12-08T01:00:00Z");
    let streams = [Arc::new(stream("a"))];
    let next = next_change(&[monday], &streams, at("2026-12-08T01:00:00Z"));
    assert_eq!(next, Some(at("2026-12-14T21:00:00Z")), "the next Monday");
    let whole = recurring("Asia/Kolkata", Weekdays::NONE.with(Weekday::Sunday), "03:00", "03:00");
    expect_run(&[whole], "2026-12-05T21:30:00Z", "2026-12-06T21:30:00Z");
}

#[test]
fn an_hour_that_is_missing() {
    let berlin = |from, to| [recurring("Europe/Berlin", Weekdays::NONE.with(Weekday::Sunday), from, to)];
    // On 2026-03-29, a Sunday, 02:00 to 03:00 is missing: 01:00Z is the change.
    expect_run(&berlin("01:30", "02:30"), "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z");
    expect_run(&berlin("02:30", "03:30"), "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z");
    expect_run(&berlin("01:00", "04:00"), "2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z");
    let streams = [Arc::new(stream("a"))];
    let inside = berlin("02:15", "02:45");
    assert_eq!(next_change(&inside, &streams, at("2026-03-22T12:00:00Z")), Some(at("2026-04-05T00:15:00Z")));
    for minute in 0..180 {
        let now = at("2026-03-29T00:00:00Z") + SignedDuration::from_mins(minute);
        assert_eq!(until(&inside, &streams[0], now), None, "{now}");
    }
}

#[test]
fn an_hour_that_is_there_twice() {
    let berlin = |from, to| [recurring("Europe/Berlin", Weekdays::NONE.with(Weekday::Sunday), from, to)];
    // On 2026-10-25 02:00 to 03:00 is there twice, from 00:00Z and from 01:00Z.
    expect_run(&berlin("02:15", "02:45"), "2026-10-25T00:15:00Z", "2026-10-25T01:45:00Z");
    expect_run(&berlin("01:30", "02:30"), "2026-10-24T23:30:00Z", "2026-10-25T01:30:00Z");
    expect_run(&berlin("02:30", "03:30"), "2026-10-25T00:30:00Z", "2026-10-25T02:30:00Z");
    // Half an hour only, and it is the early morning of a Sunday that is still Saturday in UTC.
    let lord_howe = recurring("Australia/Lord_Howe", Weekdays::NONE.with(Weekday::Sunday), "01:45", "01:50");
    expect_run(&[lord_howe], "2026-04-04T14:45:00Z", "2026-04-04T15:20:00Z");
}

#[test]
fn windows_that_overlap_or_touch_are_one() {
    let night = recurring("UTC", Weekdays::ALL, "23:00", "01:00");
    let windows = [
        once("2026-12-01T00:30:00Z", "2026-12-01T03:00:00Z"),
        once("2026-12-01T03:00:00Z", "2026-12-01T04:00:00Z"),
        night,
        once("2026-12-01T02:00:00Z", "2026-12-01T02:30:00Z"),
    ];
    let (a, now) = (stream("a"), at("2026-11-30T23:00:00Z"));
    assert_eq!(until(&windows, &a, now), Some(at("2026-12-01T04:00:00Z")));
    // Begins and ends of parts are changes, too.
    let streams = [Arc::new(a)];
    let mut changes = vec![now];
    while changes.len() < 8 {
        changes.push(next_change(&windows, &streams, changes[changes.len() - 1]).unwrap());
    }
    let times: Vec<String> = changes.iter().map(|change| change.strftime("%H:%M").to_string()).collect();
    assert_eq!(times, ["23:00", "00:30", "01:00", "02:00", "02:30", "03:00", "04:00", "23:00"]);
}

#[test]
fn maintenance_without_end_has_a_distant_one() {
    let now = at("2026-12-01T12:00:00Z");
    for (from, to) in [("00:00", "00:00"), ("13:37", "13:37")] {
        let windows = [recurring("America/New_York", Weekdays::ALL, from, to)];
        let end = until(&windows, &stream("a"), now).unwrap();
        assert!((now + HORIZON..now + HORIZON + SignedDuration::from_hours(25)).contains(&end), "{end}");
    }
    // What is announced is not cut.
    let long = [once("2026-01-01T00:00:00Z", "2030-01-01T00:00:00Z")];
    assert_eq!(until(&long, &stream("a"), now), Some(at("2030-01-01T00:00:00Z")));
}

#[test]
fn only_the_streams_that_are_meant() {
    let scoped = |scope| Window { scope, ..once("2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z") };
    let of = |streams: &[&str], groups: &[&str], tags: &[&str]| Scope::Of {
        streams: streams.iter().map(|id| StreamId::new(id).unwrap()).collect(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    };
    let (a, now) = (stream("a"), at("2026-12-01T12:00:00Z"));
    for (scope, meant) in [
        (Scope::All, true),
        (of(&["a"], &[], &[]), true),
        (of(&["b"], &[], &[]), false),
        (of(&["b"], &["outside"], &[]), true),
        (of(&[], &["inside"], &["night"]), true),
        (of(&[], &["inside"], &["day"]), false),
        (of(&[], &[], &[]), false),
    ] {
        let windows = [scoped(scope)];
        assert_eq!(until(&windows, &a, now).is_some(), meant, "{windows:?}");
        assert_eq!(next_change(&windows, &[Arc::new(a.clone())], now).is_some(), meant, "{windows:?}");
    }
    assert_eq!(next_change(&[scoped(Scope::All)], &[], now), None, "no stream, no timer");
    assert_eq!(next_change(&[scoped(Scope::All)], &[Arc::new(a)], at("2026-12-02T00:00:00Z")), None, "it is over");
}

#[test]
fn the_ends_of_time_are_no_panic() {
    let windows: Vec<Window> = ZONES.map(|name| recurring(name, Weekdays::ALL, "23:00", "22:59")).into();
    for now in [Timestamp::MIN, Timestamp::MAX] {
        let _ = until(&windows, &stream("a"), now);
        let _ = next_change(&windows, &[Arc::new(stream("a"))], now);
    }
}

/// Changes of the clock in each zone from 2024 to 2031; some day where there is none.
static CHANGES: LazyLock<Vec<(TimeZone, Vec<Timestamp>)>> = LazyLock::new(|| {
    let changes = |name: &&str| {
        let (zone, begin, end) = (zone(name), at("2024-01-01T00:00:00Z"), at("2031-01-01T00:00:00Z"));
        let mut changes: Vec<Timestamp> =
            zone.following(begin).map(|change| change.timestamp()).take_while(|change| *change < end).collect();
        if changes.is_empty() {
            changes.push(at("2028-02-29T12:00:00Z"));
        }
        (zone, changes)
    };
    ZONES.iter().map(changes).collect()
});

/// What a clock on the wall shows minute by minute: the other way round than the code under test, which goes from
/// local times to instants.
struct Wall {
    begin: Timestamp,
    shown: Vec<DateTime>,
}

impl Wall {
    const MINUTE: SignedDuration = SignedDuration::from_mins(1);

    fn around(zone: &TimeZone, middle: Timestamp, days: i32) -> Self {
        let begin = middle - SignedDuration::from_hours(24) * days;
        let minutes = 0..=2 * days * 24 * 60;
        Self { begin, shown: minutes.map(|minute| zone.to_datetime(begin + Self::MINUTE * minute)).collect() }
    }

    /// The minute in which it first shows this or something later.
    fn first(&self, local: DateTime) -> usize {
        self.shown.iter().position(|shown| *shown >= local).unwrap()
    }

    /// The last minute in which it shows this; where it never does, the one after the last that is earlier.
    fn last(&self, local: DateTime) -> usize {
        let last = self.shown.iter().rposition(|shown| *shown <= local).unwrap();
        last + usize::from(self.shown[last] < local)
    }
}

fn minute_of_day() -> impl Strategy<Value = i32> {
    // Where clocks are changed, and everywhere else.
    prop_oneof![0..300, 0..1440]
}

fn days() -> impl Strategy<Value = Weekdays> {
    let some = proptest::collection::vec(0..7_i8, 1..4);
    let some =
        some.prop_map(|days| days.into_iter().map(|day| Weekday::from_monday_zero_offset(day).unwrap()).collect());
    prop_oneof![Just(Weekdays::ALL), some]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Windows around a change of the clock against the wall clock, minute by minute.
    #[test]
    fn windows_are_what_the_clock_on_the_wall_shows(
        place in 0..ZONES.len(),
        change in any::<prop::sample::Index>(),
        drawn in proptest::collection::vec((days(), minute_of_day(), minute_of_day()), 1..3),
    ) {
        let (zone, changes) = &CHANGES[place];
        let change = changes[change.index(changes.len())];
        let wall = Wall::around(zone, change, 12);
        let time = |minute: i32| Time::new((minute / 60) as i8, (minute % 60) as i8, 0, 0).unwrap();
        let (mut windows, mut runs) = (Vec::new(), Vec::new());
        for (days, from, to) in drawn {
            let (from, to) = (time(from), time(to));
            windows.push(of_all(When::Recurring { days, from, to, zone: zone.clone() }));
            let mut day = wall.shown[0].date().tomorrow().unwrap();
            while day < wall.shown.last().unwrap().date().yesterday().unwrap() {
                let last = if to > from { day } else { day.tomorrow().unwrap() };
                let run = (wall.first(day.to_datetime(from)), wall.last(last.to_datetime(to)));
                if days.contains(day.weekday()) && run.0 < run.1 {
                    runs.push(run);
                }
                day = day.tomorrow().unwrap();
            }
        }
        let stream = stream("a");
        let streams = [Arc::new(stream.clone())];
        let mut active = vec![false; wall.shown.len()];
        let mut edges: Vec<usize> = Vec::new();
        for (begin, end) in runs {
            active[begin..end].fill(true);
            edges.extend([begin, end]);
        }
        edges.sort_unstable();
        let middle = wall.shown.len() / 2;
        let instant = |minute: usize| wall.begin + Wall::MINUTE * minute as i32;
        for minute in middle - 2 * 1440..middle + 2 * 1440 {
            let now = instant(minute);
            let is_edge = edges.binary_search(&minute).is_ok() || edges.binary_search(&(minute + 1)).is_ok();
            if minute % 13 != 0 && !is_edge {
                continue;
            }
            let end = until(&windows, &stream, now);
            prop_assert_eq!(end.is_some(), active[minute], "{} {:?}", now, &windows);
            if let Some(end) = end {
                prop_assert!(end > now);
                // Days at the rim of what was scanned are not all there.
                let run_ends = (minute..middle + 8 * 1440).find(|minute| !active[*minute]);
                if let Some(run_ends) = run_ends {
                    prop_assert_eq!(end, instant(run_ends), "{} {:?}", now, &windows);
                }
            }
            let next = edges.iter().find(|edge| **edge > minute).copied();
            if let Some(next) = next.filter(|next| *next < middle + 8 * 1440) {
                prop_assert_eq!(next_change(&windows, &streams, now), Some(instant(next)), "{} {:?}", now, &windows);
            }
        }
    }

    /// On every day of the year a daily window takes place, and lasts as long as its times say when no clock changes.
    #[test]
    fn every_day_has_its_window(place in 0..ZONES.len(), day in 0..730_i64, from in 0..1440, length in 1..1440) {
        let (zone, changes) = &CHANGES[place];
        let day = jiff::civil::date(2026, 1, 1) + Span::new().days(day);
        let time = |minute: i32| Time::new((minute / 60 % 24) as i8, (minute % 60) as i8, 0, 0).unwrap();
        let windows =
            [of_all(When::Recurring { days: Weekdays::ALL, from: time(from), to: time(from + length), zone: zone.clone() })];
        let begin = begin_at(zone, day.to_datetime(time(from))).unwrap();
        let around = begin - SignedDuration::from_hours(30)..begin + SignedDuration::from_hours(30);
        prop_assume!(!changes.iter().any(|change| around.contains(change)));
        let end = begin + Wall::MINUTE * length;
        let stream = stream("a");
        prop_assert_eq!(until(&windows, &stream, begin), Some(end));
        prop_assert_eq!(until(&windows, &stream, end - Wall::MINUTE), Some(end));
        prop_assert_eq!(until(&windows, &stream, end), None);
        prop_assert_eq!(until(&windows, &stream, begin - Wall::MINUTE), None);
        prop_assert_eq!(next_change(&windows, &[Arc::new(stream)], begin - Wall::MINUTE), Some(begin));
    }
}
