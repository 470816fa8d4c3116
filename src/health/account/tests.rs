use proptest::prelude::*;

use super::*;

const PATIENCE: Duration = Duration::from_secs(40);
const START_MS: i64 = 1_760_000_000_000;

fn moment(wall_ms: i64, elapsed_ms: i64) -> Moment {
    let wall = Timestamp::from_millisecond(START_MS + wall_ms).unwrap();
    Moment { wall, elapsed: Duration::from_millis(u64::try_from(elapsed_ms).unwrap()) }
}

fn shown(spans: &[Span]) -> Vec<(Health, i64, i64)> {
    let ms = |at: Timestamp| at.as_millisecond() - START_MS;
    spans.iter().map(|span| (span.health, ms(span.from), ms(span.to))).collect()
}

#[test]
fn time_is_counted_from_the_first_verdict_on() {
    let mut account = Account::default();
    assert_eq!(account.advance(moment(0, 5), Health::Unknown, PATIENCE), []);
    let spans = account.advance(moment(15_000, 15_005), Health::Up, PATIENCE);
    assert_eq!(shown(&spans), [(Health::Up, 0, 15_000)]);
    // Nobody probed for a while: what is beyond the patience is our own fault.
    let spans = account.advance(moment(115_000, 115_005), Health::Up, PATIENCE);
    assert_eq!(shown(&spans), [(Health::Up, 15_000, 55_000), (Health::Unknown, 55_000, 115_000)]);
    // A restart: the time between is nobody's.
    let mut account = Account::from_memory(account.until());
    assert_eq!(account.advance(moment(500_000, 90), Health::Up, PATIENCE), []);
    assert_eq!(shown(&account.advance(moment(501_000, 1_090), Health::Up, PATIENCE)), [(Health::Up, 500_000, 501_000)]);
}

#[test]
fn a_clock_that_is_set_back_counts_nothing_twice() {
    let mut account = Account::default();
    account.advance(moment(0, 0), Health::Up, PATIENCE);
    account.advance(moment(10_000, 10_000), Health::Up, PATIENCE);
    // Ten minutes back, and through them again.
    for second in 1..=59 {
        let spans =
            account.advance(moment(-590_000 + second * 10_000, 10_000 + second * 10_000), Health::Down, PATIENCE);
        assert_eq!(spans, [], "{second}");
    }
    let spans = account.advance(moment(15_000, 615_000), Health::Down, PATIENCE);
    assert_eq!(shown(&spans), [(Health::Down, 10_000, 15_000)]);
    // An hour ahead: the hour was not watched.
    let spans = account.advance(moment(3_625_000, 625_000), Health::Down, PATIENCE);
    assert_eq!(shown(&spans), [(Health::Down, 3_615_000, 3_625_000)]);
    // A small step is no gap and no overlap.
    let spans = account.advance(moment(3_635_700, 635_000), Health::Up, PATIENCE);
    assert_eq!(shown(&spans), [(Health::Up, 3_625_000, 3_635_700)]);
    let spans = account.advance(moment(3_645_000, 645_000), Health::Up, PATIENCE);
    assert_eq!(shown(&spans), [(Health::Up, 3_635_700, 3_645_000)]);
}

#[test]
fn a_clock_that_was_wrong_by_years_does_not_stop_the_counting() {
    let mut account = Account::default();
    let years = 5 * 365 * 24 * 3_600_000;
    account.advance(moment(years, 0), Health::Up, PATIENCE);
    account.advance(moment(years + 10_000, 10_000), Health::Up, PATIENCE);
    let spans = account.advance(moment(0, 20_000), Health::Up, PATIENCE);
    assert_eq!(shown(&spans), [(Health::Up, -10_000, 0)]);
}

/// What happens between two verdicts.
#[derive(Clone, Copy, Debug)]
enum Event {
    Passes(i64),
    ClockIsSet(i64),
    Restart(i64),
    Paused,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => (1i64..120_000).prop_map(Event::Passes),
        1 => (-7_200_000i64..7_200_000).prop_map(Event::ClockIsSet),
        1 => (0i64..7_200_000).prop_map(Event::Restart),
        1 => Just(Event::Paused),
    ]
}

proptest! {
    /// Whatever the clocks do, the seconds of all states are the wall time that was watched: each moment of it once, the
    /// first time that the clock shows it.
    #[test]
    fn the_states_add_up_to_the_time_covered(
        events in prop::collection::vec((event(), 0usize..5), 1..120),
    ) {
        let (mut wall, mut elapsed) = (0i64, 0i64);
        let mut account = Account::default();
        let (mut is_watched, mut latest) = (false, i64::MIN / 4);
        let (mut covered, mut by_state) = (0i64, [0i64; 5]);
        let mut last_end = i64::MIN;
        for (event, health) in events {
            let passed = match event {
                Event::Passes(ms) => ms,
                // Never so far back that it is the earlier time that was wrong.
                Event::ClockIsSet(ms) if wall + ms > latest - 24 * 3_600_000 => { wall += ms; 1_000 }
                Event::ClockIsSet(_) => 1_000,
                Event::Restart(ms) => {
                    (wall, elapsed) = (wall + ms, 0);
                    account = Account::from_memory(account.until());
                    is_watched = false;
                    10
                }
                Event::Paused => {
                    account.pause();
                    is_watched = false;
                    5_000
                }
            };
            wall += passed;
            elapsed += passed;
            let spans = account.advance(moment(wall, elapsed), Health::ALL[health], PATIENCE);
            if is_watched {
                let begun = wall - passed;
                let is_step = (begun - latest).abs() <= STEP_MS;
                covered += (wall - if is_step { latest } else { begun.max(latest) }).max(0);
            }
            for (health, from, to) in shown(&spans) {
                prop_assert!(is_watched && from < to && to == wall.min(to) && from >= last_end, "{:?}", spans);
                by_state[health as usize] += to - from;
                last_end = to;
            }
            is_watched = true;
            latest = latest.max(wall);
        }
        prop_assert_eq!(by_state.iter().sum::<i64>(), covered);
    }
}
