use std::net::SocketAddr;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::config::{self, Config};
use crate::model::{CameraUrl, Expect, PictureChecks, Transport, Trust};
use crate::schedule::guard::{PAUSE, Verdict};

const MS: fn(u64) -> Duration = Duration::from_millis;
const INTERVAL: Duration = Duration::from_secs(10);
const AT: Timestamp = Timestamp::UNIX_EPOCH;
const OK: Found = Found { picture: true, busy: false, account: Verdict::Accepted, took: Duration::from_millis(100) };

/// A configuration with nothing special in it.
pub(crate) fn config(streams: Vec<Stream>) -> Config {
    Config {
        heartbeat: INTERVAL,
        timezone: TimeZone::UTC,
        timezone_name: "UTC".to_owned(),
        streams: streams.into_iter().map(Arc::new).collect(),
        notify: config::Notify::default(),
        mqtt: config::Mqtt {
            enabled: false,
            host: String::new(),
            port: 1883,
            ws_port: 8000,
            tls_port: 8883,
            tls_ws_port: 8884,
            use_tls: false,
            use_websocket: false,
            tls_insecure: false,
            ca_file: None,
            cert_file: None,
            key_file: None,
            username: None,
            password: None,
            client_id: None,
            protocol: config::MqttProtocol::V3_1_1,
            topic: "stream_monitor/status".to_owned(),
            qos: 0,
            retain: false,
            interval: INTERVAL,
            commands: false,
            home_assistant: true,
            images: false,
            node: None,
        },
        web: config::Web {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            trusted_proxies: Vec::new(),
            public_status: false,
        },
        probe: config::Probe { timeout: INTERVAL, retry_after: MS(3000), ..config::Probe::default() },
        storage: config::Storage {
            path: "/nonexistent".into(),
            heartbeats_days: 7,
            rollup_days: 400,
            evidence_megabytes: 500,
        },
        devices: Vec::new(),
        maintenance: Vec::new(),
        metrics: config::Metrics::default(),
    }
}

/// A stream with this name at this address.
pub(crate) fn stream(name: &str, url: &str) -> Stream {
    let (url, credentials) = CameraUrl::parse(url).expect("url");
    Stream {
        id: StreamId::from_name(name),
        name: name.to_owned(),
        url,
        credentials,
        enabled: true,
        heartbeat: INTERVAL,
        timeout: MS(4000),
        transport: Transport::Auto,
        group: None,
        tags: Vec::new(),
        trust: Trust::default(),
        parent: None,
        checks: PictureChecks::default(),
        expect: Expect::default(),
    }
}

fn id(name: &str) -> StreamId {
    StreamId::from_name(name)
}

fn plan_of(streams: Vec<Stream>) -> Plan {
    let mut plan = Plan::new(64);
    plan.reconfigure(&config(streams), Duration::ZERO);
    plan
}

fn names(starts: &[Start]) -> Vec<(&str, Cause)> {
    starts.iter().map(|start| (start.stream.id.as_str(), start.cause)).collect()
}

/// One stream that has its verdict; its next heartbeat is returned too.
fn settled(name: &str) -> (Plan, Duration) {
    let mut plan = plan_of(vec![stream(name, "rtsp://127.0.0.1/a")]);
    assert_eq!(names(&plan.due(MS(0))), [(name, Cause::First)]);
    assert_eq!(plan.finished(&id(name), MS(100), AT, OK), Some(Cause::First));
    let next = plan.next_wake().expect("a heartbeat");
    (plan, next)
}

#[test]
fn a_new_stream_is_probed_at_once_and_falls_into_its_phase() {
    for name in ["a", "b", "c", "gate", "yard", "roof"] {
        let (mut plan, next) = settled(name);
        assert!(next >= INTERVAL / 2 && next <= INTERVAL * 3 / 2, "{next:?}");
        assert_eq!((next - phase(&id(name), INTERVAL)).as_nanos() % INTERVAL.as_nanos(), 0);
        assert!(plan.due(next - MS(1)).is_empty());
        for beat in 0..3 {
            let due = next + INTERVAL * beat;
            let starts = plan.due(due + MS(7));
            assert_eq!(names(&starts), [(name, Cause::Heartbeat)]);
            assert_eq!(starts[0].due, due);
            plan.finished(&id(name), due + MS(50), AT, OK);
        }
        assert!(plan.take_missed().is_empty());
    }
}

#[test]
fn a_heartbeat_that_comes_due_while_one_runs_is_missed() {
    let (mut plan, next) = settled("a");
    assert_eq!(plan.due(next).len(), 1);
    assert!(plan.due(next + INTERVAL).is_empty());
    assert_eq!(plan.take_missed(), [id("a")]);
    assert_eq!(plan.finished(&id("a"), next + INTERVAL + MS(1), AT, OK), Some(Cause::Heartbeat));
    assert!(plan.due(next + INTERVAL + MS(2)).is_empty(), "a missed one is not made up for");
    assert_eq!(names(&plan.due(next + INTERVAL * 2)), [("a", Cause::Heartbeat)]);
    assert!(plan.take_missed().is_empty());
}

#[test]
fn a_loop_that_was_held_up_counts_what_it_slept_through() {
    let (mut plan, next) = settled("a");
    let late = next + INTERVAL * 3 + MS(20);
    let starts = plan.due(late);
    assert_eq!((starts.len(), starts[0].due), (1, next + INTERVAL * 3));
    assert_eq!(plan.take_missed().len(), 3);
}

#[test]
fn a_re_probe_keeps_the_phase() {
    let (mut plan, next) = settled("a");
    plan.due(next);
    plan.finished(&id("a"), next + MS(100), AT, Found::default());
    plan.probe_soon(&id("a"), MS(3000), next + MS(100));
    assert_eq!(plan.next_wake(), Some(next + MS(3100)));
    assert_eq!(names(&plan.due(next + MS(3100))), [("a", Cause::Retry)]);
    assert_eq!(plan.finished(&id("a"), next + MS(3200), AT, OK), Some(Cause::Retry));
    assert_eq!(plan.next_wake(), Some(next + INTERVAL));
}

#[test]
fn a_re_probe_is_left_to_a_heartbeat_that_comes_sooner() {
    let (mut plan, next) = settled("a");
    plan.probe_soon(&id("a"), MS(3000), next - MS(2000));
    assert_eq!(plan.next_wake(), Some(next));
    assert_eq!(names(&plan.due(next)), [("a", Cause::Heartbeat)]);
    plan.probe_soon(&id("a"), MS(3000), next);
    plan.finished(&id("a"), next + MS(100), AT, OK);
    assert_eq!(plan.next_wake(), Some(next + INTERVAL), "a running probe gives its own verdict");
}

#[test]
fn a_re_probe_that_runs_when_the_heartbeat_is_due_stands_for_it() {
    let (mut plan, next) = settled("a");
    plan.probe_now(&id("a"), next - MS(500)).expect("known");
    assert_eq!(names(&plan.due(next - MS(500))), [("a", Cause::Asked)]);
    assert!(plan.due(next).is_empty());
    assert!(plan.take_missed().is_empty());
    assert_eq!(plan.finished(&id("a"), next + MS(10), AT, OK), Some(Cause::Heartbeat));
    // It stands for one heartbeat, not for two.
    plan.probe_now(&id("a"), next + MS(20)).expect("known");
    assert_eq!(plan.due(next + MS(20)).len(), 1);
    assert!(plan.due(next + INTERVAL * 2).is_empty());
    assert_eq!(plan.take_missed().len(), 1);
}

#[test]
fn asking_for_a_stream_in_flight_starts_nothing() {
    let (mut plan, next) = settled("a");
    plan.due(next);
    assert_eq!(plan.probe_now(&id("a"), next), Ok(()));
    assert!(plan.due(next + MS(1)).is_empty());
    assert_eq!(plan.probe_now(&id("nobody"), next), Err(Refused::Unknown));
}

#[test]
fn a_device_serves_its_queue_in_order() {
    let streams = ["a", "b", "c", "d", "e", "f"].map(|name| stream(name, "rtsp://127.0.0.9/s")).to_vec();
    let mut plan = plan_of(streams);
    // Six streams: two sessions.
    assert_eq!(names(&plan.due(MS(0))), [("a", Cause::First), ("b", Cause::First)]);
    assert_eq!((plan.in_flight(), plan.waiting()), (2, 4));
    plan.finished(&id("b"), MS(10), AT, OK);
    assert_eq!(names(&plan.due(MS(10))), [("c", Cause::First)]);
    plan.finished(&id("a"), MS(20), AT, OK);
    plan.finished(&id("c"), MS(20), AT, OK);
    assert_eq!(names(&plan.due(MS(20))), [("d", Cause::First), ("e", Cause::First)]);
}

#[test]
fn a_busy_device_is_asked_less() {
    let streams = (0..8).map(|n| stream(&format!("s{n}"), "rtsp://127.0.0.9/s")).collect();
    let mut plan = plan_of(streams);
    assert_eq!(plan.due(MS(0)).len(), 2);
    plan.finished(&id("s0"), MS(10), AT, Found { busy: true, ..Found::default() });
    assert!(plan.due(MS(10)).is_empty(), "one session now, and it is taken");
    plan.finished(&id("s1"), MS(20), AT, OK);
    assert_eq!(plan.due(MS(20)).len(), 1);
}

const REFUSED: Found =
    Found { picture: false, busy: false, account: Verdict::Refused, took: Duration::from_millis(10) };

#[test]
fn an_account_is_refused_twice_and_then_left_alone_for_all_its_streams() {
    let mut streams: Vec<_> = (0..12).map(|n| stream(&format!("s{n}"), "rtsp://admin:old@127.0.0.9/s")).collect();
    streams.push(stream("other", "rtsp://viewer:right@127.0.0.9/s"));
    let mut plan = plan_of(streams.clone());
    // Thirteen streams: four sessions, but no more than two passwords may be refused.
    let first = plan.due(MS(0));
    assert_eq!(first.iter().filter(|start| start.stream.id.as_str() != "other").count(), 2);
    for start in &first {
        plan.finished(&start.stream.id, MS(10), AT, if start.stream.id.as_str() == "other" { OK } else { REFUSED });
    }
    let (mut refused, mut now) = (2, MS(10));
    while now < PAUSE * 3 / 2 {
        for start in plan.due(now) {
            let other = start.stream.id.as_str() == "other";
            let asked = plan.paused_until(&start.stream, now).is_none();
            refused += usize::from(asked && !other);
            let found = if other { OK } else { Found { account: Verdict::Unknown, ..REFUSED } };
            plan.finished(&start.stream.id, now, AT, if asked && !other { REFUSED } else { found });
        }
        now = plan.next_wake().expect("a heartbeat").max(now + MS(1));
    }
    assert_eq!(refused, 3, "one more after the pause");
    assert_eq!(plan.take_missed(), [], "a pause is not a missed heartbeat");
    assert!(plan.take_refusals().is_some_and(|refusals| refusals.len() == 1));
    assert_eq!(plan.paused(now).count(), 12);
    let asked = plan.probe_now(&id("s5"), now);
    assert!(matches!(asked, Err(Refused::Paused(left)) if left <= PAUSE), "{asked:?}");

    for stream in &mut streams[..12] {
        *stream = self::stream(&stream.name, "rtsp://admin:new@127.0.0.9/s");
    }
    plan.reconfigure(&config(streams), now);
    assert_eq!(plan.paused(now).count(), 0);
    let starts = plan.due(now);
    assert_eq!(starts.len(), 1, "the new password is tried at once, by one of them");
    plan.finished(&starts[0].stream.id, now, AT, OK);
    assert!(!plan.due(now).is_empty(), "it is right, and so the others follow");
}

#[test]
fn a_restart_goes_on_with_the_pause() {
    let streams = vec![stream("a", "rtsp://admin:old@127.0.0.9/s")];
    let mut before = plan_of(streams.clone());
    for at in [MS(0), INTERVAL] {
        assert_eq!(before.due(at).len(), 1);
        before.finished(&id("a"), at, AT, REFUSED);
        before.take_missed();
        if at < INTERVAL {
            assert_eq!(before.probe_now(&id("a"), INTERVAL), Ok(()));
        }
    }
    let mut after = Plan::new(4);
    after.restore(before.take_refusals().expect("refusals"), MS(0), AT);
    after.reconfigure(&config(streams), MS(0));
    let start = after.due(MS(0)).remove(0);
    assert_eq!(after.paused_until(&start.stream, MS(0)), Some(PAUSE));
    assert_eq!(after.paused_until(&start.stream, PAUSE), None);
}

#[test]
fn slots_pace_the_start_and_devices_take_turns() {
    let streams = (0..6).map(|n| stream(&format!("s{n}"), &format!("rtsp://127.0.0.{}/s", n / 3 + 1))).collect();
    let mut config = config(streams);
    config.devices =
        ["127.0.0.1", "127.0.0.2"].map(|host| config::Device { host: host.to_owned(), sessions: 9 }).to_vec();
    let mut plan = Plan::new(2);
    plan.reconfigure(&config, MS(0));
    assert_eq!(names(&plan.due(MS(0))), [("s0", Cause::First), ("s3", Cause::First)]);
    assert!(plan.due(MS(1)).is_empty());
    plan.finished(&id("s0"), MS(2), AT, OK);
    assert_eq!(names(&plan.due(MS(2))), [("s1", Cause::First)]);
    plan.finished(&id("s1"), MS(3), AT, OK);
    assert_eq!(names(&plan.due(MS(3))), [("s4", Cause::First)]);
}

#[test]
fn an_unchanged_stream_is_not_disturbed() {
    let (mut plan, next) = settled("a");
    let a = stream("a", "rtsp://127.0.0.1/a");
    let renamed = Stream { name: "Other name".to_owned(), tags: vec!["x".to_owned()], ..a.clone() };
    plan.reconfigure(&config(vec![renamed, stream("b", "rtsp://127.0.0.2/b")]), MS(1000));
    assert_eq!(names(&plan.due(MS(1000))), [("b", Cause::First)]);
    plan.finished(&id("b"), MS(1001), AT, OK);
    let starts = plan.due(next);
    let beat = starts.iter().find(|start| start.stream.id == id("a")).expect("its heartbeat");
    assert_eq!(beat.stream.name, "Other name");
    // Nor while it is in flight.
    plan.reconfigure(&config(vec![a]), next + MS(1));
    assert_eq!(plan.finished(&id("a"), next + MS(2), AT, OK), Some(Cause::Heartbeat));
    assert_eq!(plan.next_wake(), Some(next + INTERVAL));
}

#[test]
fn another_password_is_tried_at_once_but_never_beside_the_old_one() {
    let mut plan = plan_of(vec![stream("a", "rtsp://u:old@127.0.0.1/a")]);
    assert_eq!(plan.due(MS(0)).len(), 1);
    plan.reconfigure(&config(vec![stream("a", "rtsp://u:new@127.0.0.1/a")]), MS(10));
    assert!(plan.due(MS(10)).is_empty());
    assert_eq!(plan.finished(&id("a"), MS(20), AT, OK), None, "the old result is dropped");
    let starts = plan.due(MS(20));
    assert_eq!(names(&starts), [("a", Cause::First)]);
    assert_eq!(starts[0].stream.credentials.as_ref().expect("account").password.expose(), "new");
    assert_eq!(plan.finished(&id("a"), MS(30), AT, OK), Some(Cause::First));
    // Idle: at once.
    plan.reconfigure(&config(vec![stream("a", "rtsp://u:newer@127.0.0.1/a")]), MS(40));
    assert_eq!(names(&plan.due(MS(40))), [("a", Cause::First)]);
}

#[test]
fn a_removed_stream_is_dropped_and_may_come_back() {
    let a = || stream("a", "rtsp://127.0.0.1/a");
    let mut plan = plan_of(vec![a()]);
    plan.due(MS(0));
    plan.reconfigure(&config(vec![]), MS(5));
    assert_eq!(plan.probe_now(&id("a"), MS(5)), Err(Refused::Unknown));
    plan.reconfigure(&config(vec![a()]), MS(6));
    assert!(plan.due(MS(6)).is_empty(), "the old probe still holds the camera");
    assert_eq!(plan.finished(&id("a"), MS(7), AT, OK), None);
    assert_eq!(names(&plan.due(MS(7))), [("a", Cause::First)]);
    plan.reconfigure(&config(vec![]), MS(8));
    assert_eq!(plan.finished(&id("a"), MS(9), AT, OK), None);
    assert_eq!((plan.next_wake(), plan.in_flight(), plan.waiting()), (None, 0, 0));
    assert!(plan.devices.is_empty());
}

#[test]
fn a_stream_that_waits_leaves_the_queue_when_it_is_removed() {
    let s = |name: &str| stream(name, "rtsp://127.0.0.1/s");
    let mut plan = plan_of(vec![s("a"), s("b")]);
    assert_eq!(names(&plan.due(MS(0))), [("a", Cause::First)]);
    plan.reconfigure(&config(vec![s("a")]), MS(1));
    assert_eq!(plan.waiting(), 0);
    plan.finished(&id("a"), MS(2), AT, OK);
    assert!(plan.due(MS(2)).is_empty());
}

#[test]
fn a_disabled_stream_is_not_probed() {
    let off = Stream { enabled: false, ..stream("a", "rtsp://127.0.0.1/a") };
    let mut plan = plan_of(vec![off.clone()]);
    assert!(plan.due(INTERVAL * 9).is_empty());
    assert_eq!(plan.next_wake(), None);
    assert_eq!(plan.probe_now(&id("a"), INTERVAL * 9), Err(Refused::Disabled));
    plan.reconfigure(&config(vec![Stream { enabled: true, ..off }]), INTERVAL * 9);
    assert_eq!(names(&plan.due(INTERVAL * 9)), [("a", Cause::First)]);
}

#[test]
fn another_interval_moves_the_heartbeat_without_an_extra_probe() {
    let (mut plan, _) = settled("a");
    let slow = Stream { heartbeat: INTERVAL * 6, ..stream("a", "rtsp://127.0.0.1/a") };
    plan.reconfigure(&config(vec![slow]), MS(500));
    assert!(plan.due(MS(500)).is_empty());
    let next = plan.next_wake().expect("armed");
    assert_eq!(next, next_point(phase(&id("a"), INTERVAL * 6), INTERVAL * 6, MS(500)));
}

#[test]
fn warnings_follow_the_measured_time() {
    let streams: Vec<_> = (0..16).map(|n| stream(&format!("s{n}"), "rtsp://127.0.0.9/s")).collect();
    let mut one_session = config(streams.clone());
    one_session.devices = vec![config::Device { host: "127.0.0.9".to_owned(), sessions: 1 }];
    let mut plan = Plan::new(64);
    plan.reconfigure(&one_session, MS(0));
    assert!(plan.warnings()["127.0.0.9"].contains("16 streams every 10 s"), "{:?}", plan.warnings());
    assert_eq!(plan.due(MS(0)).len(), 1);
    plan.finished(&id("s0"), MS(100), AT, OK);
    assert!(plan.warnings().is_empty());
    plan.reconfigure(&config(streams[..2].to_vec()), MS(200));
    assert!(plan.warnings().is_empty());
}

/// Streams on devices, then a random order of waiting, finishing, asking, re-probing and removing.
fn steps() -> impl Strategy<Value = (Vec<u8>, Vec<(u8, u8, u16)>, usize)> {
    (
        proptest::collection::vec(1_u8..5, 1..24),
        proptest::collection::vec((0_u8..12, any::<u8>(), 0_u16..4000), 1..200),
        1_usize..12,
    )
}

proptest! {
    #[test]
    fn limits_hold_in_any_order((devices, steps, slots) in steps()) {
        let streams: Vec<_> = devices
            .iter()
            .enumerate()
            .map(|(n, device)| stream(&format!("s{n}"), &format!("rtsp://127.0.0.{device}/s")))
            .collect();
        let all = config(streams.clone());
        let few = config(streams[..streams.len().div_ceil(2)].to_vec());
        let mut plan = Plan::new(slots);
        let mut limits = &all;
        let mut now = Duration::ZERO;
        plan.reconfigure(&all, now);
        let mut running: Vec<(StreamId, String)> = Vec::new();
        for (what, pick, wait) in steps {
            let pick = usize::from(pick);
            let target = &streams[pick % streams.len()].id;
            match what {
                0 => { plan.reconfigure(&few, now); limits = &few; }
                1 => { plan.reconfigure(&all, now); limits = &all; }
                2 => { let _ = plan.probe_now(target, now); }
                3 => plan.probe_soon(target, MS(500), now),
                4..=6 => now += MS(wait.into()),
                _ if !running.is_empty() => {
                    let (id, _) = running.swap_remove(pick % running.len());
                    plan.finished(&id, now, AT, OK);
                }
                _ => {}
            }
            let before = running.len();
            for start in plan.due(now) {
                prop_assert!(start.due <= now);
                prop_assert!(running.iter().all(|(id, _)| *id != start.stream.id), "two of one stream");
                prop_assert!(limits.contains(&start.stream.id));
                running.push((start.stream.id.clone(), start.stream.device().to_owned()));
            }
            prop_assert!(running.len() <= slots);
            prop_assert_eq!(plan.in_flight(), running.len());
            prop_assert_eq!(plan.waiting(), plan.devices.values().map(|d| d.queue.len()).sum::<usize>());
            for (_, host) in &running[before..] {
                // A smaller limit ends nothing that runs, so only new starts are judged.
                let used = running.iter().filter(|(_, other)| other == host).count();
                prop_assert!(used <= limits.device_sessions(host).max(1), "{} on {}", used, host);
            }
            // Work is never left lying while there is room for it.
            if running.len() < slots {
                prop_assert!(plan.devices.values().all(|d| d.queue.is_empty() || !d.has_room(now)));
            }
        }
    }

    #[test]
    fn nobody_starves_at_a_device(count in 2_usize..12, order in proptest::collection::vec(any::<u8>(), 64)) {
        let streams = (0..count).map(|n| stream(&format!("s{n}"), "rtsp://127.0.0.9/s")).collect();
        let mut plan = plan_of(streams);
        let mut probes: HashMap<StreamId, usize> = HashMap::new();
        let mut running: Vec<StreamId> = Vec::new();
        let mut now = Duration::ZERO;
        // Every probe takes so long that the device is always short of sessions. A probe has a deadline: no other overtakes
        // the one that began first more than three times.
        let mut overtaken = 0;
        for pick in order.iter().cycle().take(count * 20) {
            now += MS(9000);
            if !running.is_empty() {
                let index = if overtaken == 3 { 0 } else { usize::from(*pick) % running.len() };
                overtaken = if index == 0 { 0 } else { overtaken + 1 };
                let id = running.remove(index);
                plan.finished(&id, now, AT, OK);
                *probes.entry(id).or_default() += 1;
            }
            running.extend(plan.due(now).into_iter().map(|start| start.stream.id.clone()));
        }
        let most = probes.values().max().copied().unwrap_or_default();
        prop_assert_eq!(probes.len() + running.iter().filter(|id| !probes.contains_key(*id)).count(), count);
        prop_assert!(probes.values().all(|n| n + 3 + most / 3 >= most), "{:?}", probes);
    }
}
