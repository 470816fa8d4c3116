use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::{PictureIssue, PictureStats, Stage};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_760_000_000 + second).unwrap()
}

fn failed(reason: Reason) -> ProbeReport {
    ProbeReport::failed(Stage::Connect, reason, "", Duration::from_millis(5))
}

fn picture(issues: &[PictureIssue]) -> ProbeReport {
    ProbeReport {
        outcome: crate::model::Outcome::Ok,
        picture: Some(PictureStats { issues: issues.to_vec(), ..PictureStats::default() }),
        ..failed(Reason::Ok)
    }
}

fn report(reason: Reason) -> ProbeReport {
    if reason == Reason::Ok { picture(&[]) } else { failed(reason) }
}

/// Runs the reasons from a new stream's state and gives `health/recheck` after each.
fn run(thresholds: Thresholds, reasons: &[Reason]) -> String {
    let mut state = HealthState::new(at(0));
    let mut line = Vec::new();
    for (index, &reason) in reasons.iter().enumerate() {
        let step = step(&state, &report(reason), at(index as i64), thresholds);
        assert_eq!(step.transition.is_some(), step.state.health != state.health);
        let mark = if step.recheck { "?" } else { "" };
        line.push(format!("{}{mark}", step.state.health.as_str()));
        state = step.state;
    }
    line.join(" ")
}

#[test]
fn verdicts_are_confirmed() {
    use Reason::{AuthFailed, Busy, ConnectTimeout as Gone, NotFound, Ok, Overloaded, WorkerCrashed as Ours};
    let two_one = Thresholds::default();
    let three_two = Thresholds { failures_to_down: 3, successes_to_up: 2 };
    let one_one = Thresholds { failures_to_down: 1, successes_to_up: 1 };
    for (thresholds, reasons, expected) in [
        (two_one, &[Ok, Ok][..], "up up"),
        (two_one, &[Ok, Gone, Ok], "up up? up"),
        (two_one, &[Ok, Gone, NotFound, Gone, Ok], "up up? down down up"),
        (two_one, &[Gone, Gone], "unknown? down"),
        (two_one, &[Gone, Ok], "unknown? up"),
        (one_one, &[Gone, Ok, Gone], "down up down"),
        (three_two, &[Ok, Ok, Gone, Gone, Gone, Ok, Gone, Ok, Ok], "unknown up up? up? down down down down up"),
        // A refused password is confirmed at the pace of the heartbeats.
        (two_one, &[Ok, AuthFailed, AuthFailed], "up up down"),
        (two_one, &[AuthFailed, AuthFailed], "unknown down"),
        // Busy and our own faults never make down.
        (two_one, &[Ok, Busy, Busy, Busy, Ok], "up up unknown unknown up"),
        (two_one, &[Ok, Ours, Ok, Ours, Ours, Ours], "up up? up up? unknown unknown"),
        (two_one, &[Ok, Overloaded, Overloaded], "up up unknown"),
        (two_one, &[Ours, Ours, Gone, Gone], "unknown? unknown unknown? down"),
        (two_one, &[Gone, Gone, Ours, Ours, Gone, Gone], "unknown? down down? unknown unknown? down"),
        // Our fault in between does not hide that the camera is gone, and does not count toward it.
        (two_one, &[Ok, Gone, Ours, Gone], "up up? up? down"),
        (two_one, &[Ok, Gone, Ours, Ok], "up up? up? up"),
        // What was seen before a blind time is forgotten.
        (two_one, &[Ok, Gone, Ours, Ours, Gone], "up up? up? unknown unknown?"),
    ] {
        assert_eq!(run(thresholds, reasons), expected, "{thresholds:?} {reasons:?}");
    }
}

#[test]
fn since_and_reason_belong_to_the_confirmed_state() {
    let thresholds = Thresholds::default();
    let up = step(&HealthState::new(at(0)), &picture(&[]), at(1), thresholds);
    assert_eq!((up.state.since, up.state.reason), (at(1), Reason::Ok));
    assert_eq!(up.transition, Some((Health::Unknown, Health::Up)));
    let first = step(&up.state, &failed(Reason::Unreachable), at(2), thresholds);
    assert_eq!((first.state.since, first.state.reason), (at(1), Reason::Ok));
    let down = step(&first.state, &failed(Reason::Unreachable), at(3), thresholds);
    assert_eq!((down.state.since, down.state.reason), (at(3), Reason::Unreachable));
    assert_eq!(down.transition, Some((Health::Up, Health::Down)));
    let still = step(&down.state, &failed(Reason::NotFound), at(4), thresholds);
    assert_eq!((still.state.since, still.state.reason), (at(3), Reason::NotFound));
    let blind = step(&still.state, &failed(Reason::WorkerTimeout), at(5), thresholds);
    assert_eq!((blind.state.health, blind.state.reason), (Health::Down, Reason::NotFound));
}

#[test]
fn a_picture_with_issues_is_degraded() {
    let thresholds = Thresholds::default();
    let dark = picture(&[PictureIssue::Black]);
    let first = step(&HealthState::new(at(0)), &dark, at(1), thresholds);
    assert_eq!(first.state.health, Health::Degraded);
    let up = step(&first.state, &picture(&[]), at(2), thresholds);
    assert_eq!(up.transition, Some((Health::Degraded, Health::Up)));
    assert_eq!(step(&up.state, &dark, at(3), thresholds).transition, Some((Health::Up, Health::Degraded)));
    assert!(step(&first.state, &failed(Reason::NoData), at(2), thresholds).recheck);
}

#[test]
fn maintenance_stays_until_it_is_ended() {
    let mut state = begin_maintenance(&HealthState::new(at(0)), at(0)).state;
    for reason in [Reason::Ok, Reason::NoData, Reason::NoData, Reason::NoData, Reason::WorkerCrashed] {
        let step = step(&state, &report(reason), at(1), Thresholds::default());
        assert_eq!((step.state.health, step.transition, step.recheck), (Health::Maintenance, None, false));
        state = step.state;
    }
    assert_eq!(state.failures_in_row, 3);
    let ended = end_maintenance(&state, at(2));
    assert_eq!(ended.announce, Some((Health::Maintenance, Health::Unknown)));
    // Two failures in a row were seen meanwhile: the next one is no first one.
    let next = step(&ended.state, &report(Reason::NoData), at(3), Thresholds::default());
    assert_eq!((next.state.health, next.recheck), (Health::Down, false));
    let next = step(&ended.state, &report(Reason::Ok), at(3), Thresholds::default());
    assert_eq!(next.transition, Some((Health::Unknown, Health::Up)));
}

fn any_reason() -> impl Strategy<Value = Reason> {
    prop_oneof![
        3 => Just(Reason::Ok),
        3 => proptest::sample::select(Reason::ALL),
        1 => proptest::sample::select(vec![Reason::Busy, Reason::AuthFailed, Reason::WorkerCrashed]),
    ]
}

proptest! {
    #[test]
    fn health_follows_only_what_was_confirmed(
        reasons in prop::collection::vec(any_reason(), 1..80),
        failures_to_down in 1u32..5,
        successes_to_up in 1u32..4,
    ) {
        let thresholds = Thresholds { failures_to_down, successes_to_up };
        let mut state = HealthState::new(at(0));
        for (index, &reason) in reasons.iter().enumerate() {
            let now = at(index as i64);
            let before = state.clone();
            let step = step(&state, &report(reason), now, thresholds);
            state = step.state;
            let blind = |r: &Reason| r.is_ours() || *r == Reason::Busy;
            match step.transition {
                Some((from, to)) => {
                    prop_assert_eq!((from, to), (before.health, state.health));
                    prop_assert_ne!(from, to);
                    prop_assert_eq!(state.since, now);
                }
                None => prop_assert_eq!((before.health, before.since), (state.health, state.since)),
            }
            // The newest verdicts about the camera, probes without a verdict left out.
            let verdicts = reasons[..=index].iter().rev().filter(|r| !blind(r));
            let run = |good: bool| verdicts.clone().take_while(|r| (**r == Reason::Ok) == good).count() as u32;
            if state.health == Health::Down && before.health != Health::Down {
                prop_assert!(!blind(&reason) && reason != Reason::Ok);
                prop_assert!(run(false) >= failures_to_down);
            }
            if state.health == Health::Up && before.health != Health::Up {
                prop_assert!(run(true) >= successes_to_up);
            }
            if blind(&reason) {
                prop_assert!(state.health == before.health || state.health == Health::Unknown);
            }
            if state.health == Health::Unknown && before.health != Health::Unknown {
                let in_row = reasons[..=index].iter().rev().take_while(|r| blind(r)).count() as u32;
                prop_assert!(in_row >= failures_to_down);
            }
            if matches!(reason, Reason::Ok | Reason::AuthFailed | Reason::Busy) {
                prop_assert!(!step.recheck);
            }
            // Rechecks come to an end: once confirmed, the heartbeat is enough.
            if step.recheck {
                prop_assert!(state.failures_in_row < failures_to_down || state.blind_in_row < failures_to_down);
                prop_assert_eq!(step.transition, None);
            }
        }
    }
}
