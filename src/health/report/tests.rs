use jiff::tz::TimeZone;

use super::*;
use crate::model::{Cause, Month, Reason, Stage};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn id(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

/// November 2026 in UTC, 30 days, long over.
fn november() -> Period {
    of_month("2026-11", "UTC", i64::MAX)
}

/// A month, looked at so many seconds after its begin.
fn of_month(month: &str, zone: &str, second: i64) -> Period {
    let (from, to) = Month::parse(month).unwrap().bounds(&TimeZone::get(zone).unwrap()).unwrap();
    let late = second.min(90 * DAY);
    Period { from, to, now: Timestamp::from_second(from.as_second() + late).unwrap() }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(november().from.as_second() + second).unwrap()
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap())
}

fn times(parts: &[(Health, i64)]) -> StateTimes {
    let mut times = StateTimes::default();
    for (health, seconds) in parts {
        times.add_ms(*health, u64::try_from(seconds * 1000).unwrap());
    }
    times
}

fn watched(name: &str, group: Option<&str>, parts: &[(Health, i64)]) -> Watched {
    let group = group.map(str::to_owned);
    Watched { id: id(name), name: name.to_uppercase(), group, times: times(parts) }
}

/// A stream's part: its last good heartbeat, its confirmation and its end.
fn member(name: &str, began: i64, joined: i64, left: Option<i64>) -> Member {
    Member {
        stream: id(name),
        reason: Reason::Unreachable,
        stage: Stage::Connect,
        began_at: at(began),
        joined_at: at(joined),
        left_at: left.map(at),
    }
}

fn incident(number: i64, health: Health, members: Vec<Member>) -> Incident {
    let is_open = members.iter().any(|member| member.left_at.is_none());
    Incident {
        id: number,
        health,
        cause: Cause::Stream,
        reason: Reason::Unreachable,
        stage: Stage::Connect,
        detail: String::new(),
        opened_at: members.iter().map(|member| member.joined_at).min().unwrap(),
        closed_at: members.iter().filter_map(|member| member.left_at).max().filter(|_| !is_open),
        merged_into: None,
        members,
        acknowledged: None,
        note: None,
        action: None,
    }
}

#[test]
fn a_month_by_hand() {
    let month = 30 * DAY;
    let streams = vec![
        watched(
            "gate",
            Some("East"),
            &[(Health::Up, month - 10 * HOUR), (Health::Down, 6 * HOUR), (Health::Unknown, 4 * HOUR)],
        ),
        watched(
            "yard",
            Some("East"),
            &[(Health::Up, month - 3 * HOUR), (Health::Degraded, HOUR), (Health::Down, 2 * HOUR)],
        ),
        watched("lab", None, &[(Health::Up, month)]),
    ];
    let incidents = vec![
        // Both of the group, for one cause: two hours together, and four more of one.
        incident(
            7,
            Health::Down,
            vec![
                member("gate", DAY - 30, DAY, Some(DAY + 6 * HOUR)),
                member("yard", DAY - 50, DAY + 20, Some(DAY + 2 * HOUR)),
            ],
        ),
        incident(5, Health::Degraded, vec![member("yard", 10 * HOUR, 11 * HOUR, Some(12 * HOUR))]),
        // Over before the month, and after it.
        incident(1, Health::Down, vec![member("lab", -30, -20, Some(-10))]),
        incident(9, Health::Down, vec![member("lab", 30 * DAY, 30 * DAY + 20, None)]),
    ];
    let report = report(november(), streams, incidents);
    assert_eq!(report.incidents.iter().map(|incident| incident.id).collect::<Vec<_>>(), [5, 7]);
    assert!(!report.period.is_so_far());

    let gate = &report.streams[0].figures;
    // 710 h of 716 h that were judged.
    assert_eq!(gate.availability(), Some(710.0 / 716.0));
    assert_eq!(
        (gate.covered(), gate.downtime(), gate.longest_outage),
        (1.0, seconds(6 * HOUR), Some(seconds(6 * HOUR)))
    );
    assert_eq!((gate.incidents_down, gate.incidents_degraded, gate.incidents_open), (1, 0, 0));
    assert_eq!(
        (gate.time_to_detect.value(), gate.time_to_repair.value()),
        (Some(seconds(30)), Some(seconds(6 * HOUR)))
    );

    let yard = &report.streams[1].figures;
    assert_eq!((yard.incidents_down, yard.incidents_degraded), (1, 1));
    assert_eq!(
        (yard.time_to_detect.value(), yard.time_to_repair.value()),
        (Some(seconds(70)), Some(seconds(2 * HOUR - 20)))
    );
    let lab = &report.streams[2].figures;
    assert_eq!((lab.availability(), lab.incidents_down, lab.longest_outage), (Some(1.0), 0, None));
    assert_eq!((lab.time_to_detect.value(), lab.time_to_repair.value()), (None, None));

    let east = &report.groups["East"];
    // 710 h + 718 h of 716 h + 720 h; one incident of two streams is one.
    assert_eq!((east.streams, east.availability()), (2, Some(1428.0 / 1436.0)));
    assert_eq!((east.incidents_down, east.incidents_degraded), (1, 1));
    assert_eq!((east.time_to_detect.value(), east.time_to_repair.count), (Some(seconds(50)), 2));
    assert_eq!(report.groups.len(), 1);
    assert_eq!((report.all.streams, report.all.availability()), (3, Some(2148.0 / 2156.0)));
    assert_eq!((report.all.incidents_down, report.all.incidents_degraded, report.all.incidents_open), (1, 1, 0));
    assert_eq!((report.all.outages, report.all.longest_outage), (2, Some(seconds(6 * HOUR))));
    assert_eq!(report.all.time_to_repair.value(), Some(seconds(4 * HOUR - 10)));
    // The least available first; who was never down is not among the worst.
    assert_eq!(report.worst, [0, 1]);
    assert_eq!(report.name(&id("gate")), "GATE");
    assert_eq!(report.name(&id("gone")), "gone");
}

#[test]
fn a_month_with_a_change_of_the_clock_is_an_hour_shorter() {
    let period = of_month("2026-03", "Europe/Berlin", i64::MAX);
    assert_eq!(period.passed(), seconds(743 * HOUR));
    let whole = watched("gate", None, &[(Health::Up, 743 * HOUR)]);
    let half = watched("yard", None, &[(Health::Up, 743 * HOUR / 2)]);
    let report = report(period, vec![whole, half], Vec::new());
    assert_eq!((report.streams[0].figures.covered(), report.streams[1].figures.covered()), (1.0, 0.5));
    assert_eq!(report.all.covered(), 0.75);
}

#[test]
fn what_goes_on_is_counted_so_far() {
    // Ten days of the month have passed. The stream was added after eight of them.
    let period = Period { now: at(10 * DAY), ..november() };
    assert!(period.is_so_far());
    let late = watched("late", None, &[(Health::Up, DAY), (Health::Down, DAY)]);
    let incidents = vec![incident(
        3,
        Health::Down,
        vec![member("late", 9 * DAY - 15, 9 * DAY, None), member("gate", 9 * DAY - 5, 9 * DAY, Some(9 * DAY + HOUR))],
    )];
    let report = report(period, vec![late], incidents);
    let late = &report.streams[0].figures;
    assert_eq!((late.availability(), late.covered()), (Some(0.5), 0.2));
    assert_eq!((late.incidents_down, late.incidents_open), (1, 1));
    assert_eq!((late.longest_outage, late.time_to_detect.value()), (Some(seconds(DAY)), Some(seconds(15))));
    assert_eq!(late.time_to_repair.value(), None, "it is not over");
    // The other stream is not in the report any more; what happened to it is in the sum.
    assert_eq!((report.all.time_to_detect.count, report.all.time_to_repair.value()), (2, Some(seconds(HOUR))));
    assert_eq!(report.duration(&report.incidents[0]), seconds(DAY));
}

#[test]
fn an_outage_over_the_end_of_a_month_is_in_both() {
    let outage = incident(2, Health::Down, vec![member("gate", -HOUR - 30, -HOUR, Some(2 * HOUR))]);
    let gate = || watched("gate", None, &[(Health::Up, DAY), (Health::Down, HOUR)]);
    let after = report(november(), vec![gate()], vec![outage.clone()]);
    let figures = &after.streams[0].figures;
    assert_eq!((figures.incidents_down, figures.longest_outage), (1, Some(seconds(2 * HOUR))));
    assert_eq!((figures.time_to_detect.count, figures.time_to_repair.count), (0, 0), "those are the other month's");
    assert_eq!(after.duration(&outage), seconds(3 * HOUR));
    let october = of_month("2026-10", "UTC", i64::MAX);
    let before = report(october, vec![gate()], vec![outage]);
    let figures = &before.streams[0].figures;
    assert_eq!((figures.incidents_down, figures.longest_outage), (1, Some(seconds(HOUR))));
    assert_eq!(figures.time_to_repair.value(), Some(seconds(3 * HOUR)));
}

#[test]
fn a_merged_incident_is_not_counted_twice() {
    let child = Incident { merged_into: Some(2), ..incident(1, Health::Down, vec![member("gate", -5, 0, Some(10))]) };
    let parent = incident(2, Health::Down, vec![member("mast", 0, 10, Some(HOUR)), member("gate", -5, 0, Some(HOUR))]);
    let gate = watched("gate", None, &[(Health::Up, DAY), (Health::Down, HOUR)]);
    let report = report(november(), vec![gate], vec![child, parent]);
    assert_eq!((report.all.incidents_down, report.streams[0].figures.incidents_down), (1, 1));
    assert_eq!(report.streams[0].figures.time_to_repair.value(), Some(seconds(HOUR)));
    assert_eq!(report.incidents.len(), 1);
}

#[test]
fn a_stream_that_failed_twice_in_one_incident_counts_it_once() {
    let twice =
        vec![member("gate", 0, 10, Some(20)), member("gate", 30, 50, Some(90)), member("yard", 0, 10, Some(100))];
    let gate = watched("gate", Some("East"), &[(Health::Up, DAY), (Health::Down, 50)]);
    let report = report(november(), vec![gate], vec![incident(1, Health::Down, twice)]);
    let figures = &report.streams[0].figures;
    assert_eq!((figures.incidents_down, figures.outages, figures.longest_outage), (1, 2, Some(seconds(40))));
    assert_eq!(
        (figures.time_to_detect.value(), figures.time_to_repair.value()),
        (Some(seconds(15)), Some(seconds(25)))
    );
    assert_eq!(report.groups["East"].incidents_down, 1);
}

#[test]
fn the_worst_are_ten_and_in_order() {
    let stream = |n: i64| {
        let down = match n {
            0 => 5,
            1 => 0,
            n => n,
        };
        watched(&format!("s{n:02}"), None, &[(Health::Up, 1000 - down), (Health::Down, down)])
    };
    let mut streams: Vec<Watched> = (0..14).map(stream).collect();
    // Neither was ever up; the second was down for longer.
    streams.push(watched("short", None, &[(Health::Down, 5)]));
    streams.push(watched("long", None, &[(Health::Down, 9)]));
    let report = report(november(), streams, Vec::new());
    let names: Vec<&str> = report.worst.iter().map(|index| report.streams[*index].name.as_str()).collect();
    assert_eq!(names, ["LONG", "SHORT", "S13", "S12", "S11", "S10", "S09", "S08", "S07", "S06"]);
}

#[test]
fn nothing_is_no_figure() {
    let report = report(november(), Vec::new(), Vec::new());
    assert_eq!((report.all.availability(), report.all.covered(), report.all.longest_outage), (None, 0.0, None));
    let unjudged = watched("gate", None, &[(Health::Unknown, DAY), (Health::Maintenance, DAY)]);
    let report = super::report(november(), vec![unjudged, watched("yard", None, &[])], Vec::new());
    assert_eq!((report.streams[0].figures.availability(), report.streams[1].figures.availability()), (None, None));
    assert!((report.streams[0].figures.covered() - 2.0 / 30.0).abs() < 1e-12);
    assert_eq!(report.worst, [] as [usize; 0]);
    // Asked for in its first moment, and before it.
    for second in [0, -5] {
        let period = Period { now: at(second), ..november() };
        assert_eq!(super::report(period, Vec::new(), Vec::new()).period.passed(), Duration::ZERO);
    }
}
