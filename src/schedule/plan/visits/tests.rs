use proptest::prelude::*;

use super::*;
use crate::config::Device as ConfiguredDevice;
use crate::model::{Stream, StreamId};
use crate::schedule::guard::{PAUSE, Verdict};
use crate::schedule::plan::tests::{config, stream};

const MS: fn(u64) -> Duration = Duration::from_millis;
const AT: Timestamp = Timestamp::UNIX_EPOCH;
const OK: Found = Found { picture: true, busy: false, account: Verdict::Accepted, took: Duration::from_millis(100) };
const REFUSED: Found =
    Found { picture: false, busy: false, account: Verdict::Refused, took: Duration::from_millis(10) };

fn plan_of(streams: Vec<Stream>) -> Plan {
    let mut plan = Plan::new(64);
    plan.reconfigure(&config(streams), Duration::ZERO);
    plan
}

fn visitor(host: &str, purpose: Purpose) -> Visitor {
    Visitor { host: host.to_owned(), account: None, purpose }
}

fn account(fingerprint: u16) -> CameraAccount {
    CameraAccount { host: "cam".to_owned(), username: "admin".to_owned(), fingerprint }
}

/// What was decided, and the streams that start.
fn decided(plan: &mut Plan, now: Duration) -> (Vec<Answered>, Vec<String>) {
    let starts = plan.due(now).into_iter().map(|start| start.stream.id.to_string()).collect();
    (plan.answered(), starts)
}

fn nothing<T>() -> Vec<T> {
    Vec::new()
}

#[test]
fn a_device_that_is_not_configured_has_one_session() {
    let mut plan = plan_of(vec![]);
    let first = plan.visit(visitor("cam", Purpose::Probe), MS(0)).expect("queued");
    let second = plan.visit(visitor("cam", Purpose::Probe), MS(0)).expect("queued");
    assert_eq!(decided(&mut plan, MS(0)).0, [Answered::Granted(first)]);
    assert_eq!(decided(&mut plan, MS(1)).0, nothing());
    plan.left(first, MS(2), AT, OK);
    assert_eq!(decided(&mut plan, MS(2)).0, [Answered::Granted(second)]);
    plan.left(second, MS(3), AT, OK);
    assert!(plan.devices.is_empty(), "nothing is kept of it");

    let mut generous = config(vec![]);
    generous.devices = vec![ConfiguredDevice { host: "CAM".to_owned(), sessions: 2 }];
    plan.reconfigure(&generous, MS(4));
    let ids: Vec<_> = (0..3).map(|_| plan.visit(visitor("cam", Purpose::Probe), MS(4)).expect("queued")).collect();
    assert_eq!(decided(&mut plan, MS(4)).0, [Answered::Granted(ids[0]), Answered::Granted(ids[1])]);
}

#[test]
fn a_visit_and_the_streams_of_a_device_wait_for_one_another() {
    let mut plan = plan_of(vec![stream("a", "rtsp://cam/a"), stream("b", "rtsp://cam/b")]);
    let probe = plan.visit(visitor("cam", Purpose::Probe), MS(0)).expect("queued");
    let preview = plan.visit(visitor("cam", Purpose::Preview), MS(0)).expect("queued");
    let at = |n: &str| StreamId::from_name(n);
    assert_eq!(decided(&mut plan, MS(0)), (nothing(), vec!["a".to_owned()]));
    plan.finished(&at("a"), MS(10), AT, OK);
    assert_eq!(decided(&mut plan, MS(10)), (nothing(), vec!["b".to_owned()]));
    plan.finished(&at("b"), MS(20), AT, OK);
    assert_eq!(decided(&mut plan, MS(20)), (vec![Answered::Granted(probe)], nothing()));
    plan.left(probe, MS(30), AT, OK);
    assert_eq!(decided(&mut plan, MS(30)), (vec![Answered::Granted(preview)], nothing()));
}

#[test]
fn a_preview_is_asked_once_to_make_room_and_heartbeats_come_before_it() {
    let mut plan = plan_of(vec![stream("a", "rtsp://cam/a")]);
    assert_eq!(plan.due(MS(0)).len(), 1);
    plan.finished(&StreamId::from_name("a"), MS(1), AT, OK);
    let next = plan.next_wake().expect("a heartbeat");
    let preview = plan.visit(visitor("cam", Purpose::Preview), MS(2)).expect("queued");
    assert_eq!(decided(&mut plan, MS(2)).0, [Answered::Granted(preview)]);
    assert_eq!(decided(&mut plan, next), (vec![Answered::Wanted(preview)], nothing()));
    assert_eq!(decided(&mut plan, next + MS(1)), (nothing(), nothing()));
    plan.left(preview, next + MS(50), AT, OK);
    let again = plan.visit(visitor("cam", Purpose::Preview), next + MS(50)).expect("queued");
    assert_eq!(decided(&mut plan, next + MS(50)), (nothing(), vec!["a".to_owned()]));
    plan.finished(&StreamId::from_name("a"), next + MS(90), AT, OK);
    assert_eq!(decided(&mut plan, next + MS(90)).0, [Answered::Granted(again)]);
    assert_eq!(plan.take_missed(), nothing());
    // A probe that somebody asked for is let through as well.
    plan.visit(visitor("cam", Purpose::Probe), next + MS(95)).expect("queued");
    assert_eq!(decided(&mut plan, next + MS(95)).0, [Answered::Wanted(again)]);
}

#[test]
fn a_probe_makes_no_room_and_a_second_preview_is_refused() {
    let mut plan = plan_of(vec![stream("a", "rtsp://cam/a")]);
    plan.due(MS(0));
    plan.finished(&StreamId::from_name("a"), MS(1), AT, OK);
    let probe = plan.visit(visitor("cam", Purpose::Probe), MS(2)).expect("queued");
    assert_eq!(decided(&mut plan, MS(2)).0, [Answered::Granted(probe)]);
    plan.visit(visitor("cam", Purpose::Probe), MS(3)).expect("queued");
    assert_eq!(decided(&mut plan, MS(3)).0, nothing());
    plan.visit(visitor("cam", Purpose::Preview), MS(4)).expect("the first preview");
    assert_eq!(plan.visit(visitor("cam", Purpose::Preview), MS(4)), Err(NotAdmitted::Occupied));
    assert!(plan.visit(visitor("other", Purpose::Preview), MS(4)).is_ok());
}

#[test]
fn a_preview_keeps_its_session_where_there_is_another() {
    let mut streams: Vec<_> = (0..6).map(|n| stream(&format!("s{n}"), "rtsp://cam/s")).collect();
    let mut plan = plan_of(streams.split_off(0));
    let preview = plan.visit(visitor("cam", Purpose::Preview), MS(0)).expect("queued");
    // Six streams: two sessions. Their first probes go before it.
    let mut now = MS(0);
    let mut probed = 0;
    while probed < 6 {
        now += MS(10);
        for start in plan.due(now) {
            probed += 1;
            plan.finished(&start.stream.id, now, AT, OK);
        }
    }
    assert_eq!(decided(&mut plan, now).0, [Answered::Granted(preview)]);
    plan.probe_now(&StreamId::from_name("s1"), now).expect("known");
    assert_eq!(decided(&mut plan, now), (nothing(), vec!["s1".to_owned()]), "there is a second session");
    plan.probe_now(&StreamId::from_name("s2"), now).expect("known");
    assert_eq!(decided(&mut plan, now), (vec![Answered::Wanted(preview)], nothing()));
}

#[test]
fn what_a_visit_finds_counts_for_the_guard_and_the_limit() {
    let mut plan = plan_of(vec![]);
    let with = |fingerprint| Visitor { account: Some(account(fingerprint)), ..visitor("cam", Purpose::Probe) };
    for n in 0..2 {
        let id = plan.visit(with(1), MS(n)).expect("not paused yet");
        assert_eq!(decided(&mut plan, MS(n)).0, [Answered::Granted(id)]);
        plan.left(id, MS(n), AT, REFUSED);
        assert!(plan.take_refusals().is_some_and(|refusals| refusals.len() == 1));
    }
    assert_eq!(plan.visit(with(1), MS(2)), Err(NotAdmitted::Paused(PAUSE - MS(1))));
    let other = plan.visit(with(2), MS(2)).expect("a third refusal is risked on another password");
    assert_eq!(decided(&mut plan, MS(2)).0, [Answered::Granted(other)]);
    plan.left(other, MS(3), AT, Found { busy: true, ..Found::default() });
    assert_eq!(plan.take_refusals(), None);

    let streams = (0..8).map(|n| stream(&format!("s{n}"), "rtsp://cam/s")).collect();
    let mut plan = plan_of(streams);
    let visit = plan.visit(visitor("cam", Purpose::Probe), MS(0)).expect("queued");
    for _ in 0..5 {
        for start in plan.due(MS(0)) {
            plan.finished(&start.stream.id, MS(1), AT, OK);
        }
    }
    assert_eq!(plan.answered(), [Answered::Granted(visit)]);
    plan.left(visit, MS(2), AT, Found { busy: true, ..Found::default() });
    plan.visit(visitor("cam", Purpose::Preview), MS(3)).expect("queued");
    assert_eq!(plan.visit(visitor("cam", Purpose::Preview), MS(3)), Err(NotAdmitted::Occupied), "half of two is one");
}

#[test]
fn an_account_that_was_refused_meanwhile_is_not_asked() {
    let mut plan = plan_of(vec![]);
    let with = |purpose| Visitor { account: Some(account(1)), ..visitor("cam", purpose) };
    let first = plan.visit(with(Purpose::Probe), MS(0)).expect("queued");
    let second = plan.visit(with(Purpose::Probe), MS(0)).expect("queued");
    let third = plan.visit(with(Purpose::Preview), MS(0)).expect("queued");
    plan.due(MS(0));
    plan.left(first, MS(1), AT, REFUSED);
    plan.due(MS(1));
    plan.left(second, MS(2), AT, REFUSED);
    plan.due(MS(2));
    let granted = [Answered::Granted(first), Answered::Granted(second), Answered::Paused(third, PAUSE)];
    assert_eq!(plan.answered(), granted);
    assert!(plan.devices.is_empty() && plan.visits.all.is_empty());
}

#[test]
fn an_untried_account_is_used_by_as_many_as_may_be_refused() {
    let mut streams: Vec<_> = (0..12).map(|n| stream(&format!("s{n}"), "rtsp://cam/s")).collect();
    streams[0] = stream("s0", "rtsp://admin:new@cam/s");
    let account = CameraAccount::of(&streams[0]);
    let mut plan = plan_of(streams);
    let visits: Vec<_> = (0..3)
        .map(|_| plan.visit(Visitor { account: account.clone(), ..visitor("cam", Purpose::Probe) }, MS(0)))
        .collect();
    for round in 0..6 {
        for start in plan.due(MS(round)) {
            plan.finished(&start.stream.id, MS(round), AT, Found { account: Verdict::Unknown, ..OK });
        }
    }
    let granted = |n: usize| Answered::Granted(*visits[n].as_ref().expect("queued"));
    assert_eq!(plan.answered(), [granted(0), granted(1)], "there is a third session, and no third risk");
    plan.left(*visits[0].as_ref().expect("queued"), MS(9), AT, OK);
    assert_eq!(decided(&mut plan, MS(9)).0, [granted(2)]);
}

#[test]
fn who_gives_up_leaves_no_trace_and_the_queue_is_bounded() {
    let mut plan = plan_of(vec![]);
    let ids: Vec<_> = (0..MOST_WAITING as u16)
        .map(|n| {
            let purpose = if n == 0 { Purpose::Preview } else { Purpose::Probe };
            plan.visit(visitor("cam", purpose), MS(0)).expect("room")
        })
        .collect();
    assert_eq!(plan.visit(visitor("other", Purpose::Probe), MS(0)), Err(NotAdmitted::TooMany));
    for id in ids {
        plan.left(id, MS(1), AT, Found::default());
    }
    assert!(plan.devices.is_empty() && plan.visits.all.is_empty());
    assert_eq!(decided(&mut plan, MS(1)), (nothing(), nothing()));
}

proptest! {
    #[test]
    fn limits_hold_with_visits_among_the_streams(
        slots in 1_usize..8,
        steps in proptest::collection::vec((0_u8..9, any::<u8>(), 1_u16..4000), 1..150),
    ) {
        let streams: Vec<_> =
            (0..7).map(|n| stream(&format!("s{n}"), if n < 5 { "rtsp://many/s" } else { "rtsp://few/s" })).collect();
        let all = config(streams);
        let mut plan = Plan::new(slots);
        let mut now = Duration::ZERO;
        plan.reconfigure(&all, now);
        let mut running: Vec<(StreamId, String)> = Vec::new();
        let mut waiting: HashMap<VisitId, (&str, Purpose)> = HashMap::new();
        let mut granted: Vec<(VisitId, &str, Purpose)> = Vec::new();
        for (what, pick, wait) in steps {
            let pick = usize::from(pick);
            let host = ["many", "few", "stranger"][pick % 3];
            match what {
                0 | 1 => {
                    let purpose = if what == 0 { Purpose::Probe } else { Purpose::Preview };
                    if let Ok(id) = plan.visit(visitor(host, purpose), now) {
                        waiting.insert(id, (host, purpose));
                    }
                }
                2..=4 => now += MS(wait.into()),
                5 | 6 if !running.is_empty() => {
                    let (id, _) = running.swap_remove(pick % running.len());
                    plan.finished(&id, now, AT, OK);
                }
                7 if !granted.is_empty() => {
                    let (id, ..) = granted.swap_remove(pick % granted.len());
                    plan.left(id, now, AT, OK);
                }
                8 if !waiting.is_empty() => {
                    let id = *waiting.keys().min().expect("one");
                    waiting.remove(&id);
                    plan.left(id, now, AT, Found::default());
                }
                _ => {}
            }
            for start in plan.due(now) {
                running.push((start.stream.id.clone(), start.stream.device().to_owned()));
            }
            for answered in plan.answered() {
                match answered {
                    Answered::Granted(id) => {
                        let (host, purpose) = waiting.remove(&id).expect("it waited");
                        granted.push((id, host, purpose));
                        let queue = plan.devices.get(host).map_or(0, |device| device.queue.len());
                        prop_assert!(purpose == Purpose::Probe || queue == 0, "a preview before {} others", queue);
                    }
                    Answered::Wanted(id) => {
                        let (_, host, purpose) = granted.iter().find(|(other, ..)| *other == id).expect("it has one");
                        prop_assert_eq!(*purpose, Purpose::Preview);
                        prop_assert!(!plan.devices[*host].queue.is_empty());
                    }
                    Answered::Paused(..) => prop_assert!(false, "nobody has an account"),
                }
            }
            prop_assert!(running.len() + granted.len() <= slots);
            prop_assert_eq!(plan.visits.granted, granted.len());
            prop_assert_eq!(plan.visits.all.len(), granted.len() + waiting.len());
            for host in ["many", "few", "stranger"] {
                let used = running.iter().filter(|(_, other)| other == host).count()
                    + granted.iter().filter(|(_, other, _)| *other == host).count();
                prop_assert!(used <= all.device_sessions(host), "{} on {}", used, host);
            }
            // Nobody is left waiting while there is room, and every preview in the way was told.
            let is_full = running.len() + granted.len() == slots;
            for (host, device) in &plan.devices {
                prop_assert!(is_full || device.next().is_none() || !device.has_room(now), "{} has room", host);
                let asked = |visit: &&Visit| visit.host == *host && visit.granted.is_some() && visit.purpose == Purpose::Preview;
                let quiet = plan.visits.all.values().filter(asked).filter(|visit| !visit.wanted).count();
                let told = plan.visits.all.values().filter(asked).filter(|visit| visit.wanted).count();
                prop_assert!(quiet == 0 || told >= device.queue.len(), "{} waits at {}", device.queue.len(), host);
            }
        }
    }
}
