//! The camera is not harmed: sessions are few, and each ends with a TEARDOWN.

mod common;

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use common::{pool, request};
use streampulse::clock::SystemClock;
use streampulse::config::{self, Overrides};
use streampulse::model::{Outcome, Reason, Stage};
use streampulse::probe::Prober;
use streampulse::schedule;
use streampulse::simulator::{Auth, Fault, SimulatedCamera, Simulator, SimulatorOptions, clips};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Probes to watch.
const PROBES: usize = 200;

/// Devices with this many streams, and how many sessions the `auto` rule allows each at once.
const DEVICES: [(usize, usize); 5] = [(1, 1), (2, 1), (5, 2), (9, 3), (20, 5)];

fn fleet() -> Vec<SimulatedCamera> {
    let mut cameras = Vec::new();
    for (device, (streams, _)) in DEVICES.into_iter().enumerate() {
        for stream in 0..streams {
            let camera = SimulatedCamera::rtsp(format!("d{device}s{stream}"), clips::lobby())
                .device(format!("device {device}"))
                .address(Ipv4Addr::new(127, 9, 0, 1 + device as u8))
                .path(format!("/ch{stream}"));
            // One in seven fails after its session was set up, in three ways.
            cameras.push(match cameras.len() % 21 {
                6 => camera.fault(Fault::NoKeyframe),
                13 => camera.fault(Fault::NoMedia),
                20 => camera.auth(Auth::digest("admin", "right")).told("admin", "wrong"),
                _ => camera,
            });
        }
    }
    cameras
}

#[tokio::test(flavor = "multi_thread")]
async fn every_session_ends_with_a_teardown_and_devices_are_not_crowded() {
    let simulator = Simulator::start(SimulatorOptions::new(fleet())).await.expect("simulator");
    let mut text = String::from("heartbeat_seconds: 2\nprobe: {timeout_seconds: 5}\nstreams:\n");
    for name in simulator.names() {
        text.push_str(&format!("  - {{name: {name}, url: \"{}\"}}\n", simulator.url_with_credentials(name)));
    }
    let loaded = config::parse("config.yaml".as_ref(), text.as_bytes(), &Overrides::default()).expect("configuration");
    let config = Arc::new(loaded.config);
    let nothing =
        config::parse("config.yaml".as_ref(), b"streams: []\n", &Overrides::default()).expect("configuration").config;
    let (sender, receiver) = watch::channel(config.clone());
    let pool = pool().await;
    let prober: Arc<dyn Prober> = Arc::new(pool.clone());
    // Holds 16 results: the test takes them at once.
    let (completed, mut results) = mpsc::channel(16);
    let in_flight = schedule::in_flight_limit(&config);
    let (handle, scheduler) = schedule::scheduler(receiver, prober, Arc::new(SystemClock), completed, in_flight);
    let cancel = CancellationToken::new();
    let running = tokio::spawn(scheduler.run(cancel.clone()));
    let mut reasons: HashMap<Reason, usize> = HashMap::new();
    for _ in 0..PROBES {
        let completed = results.recv().await.expect("a result");
        *reasons.entry(completed.probed.report.reason()).or_default() += 1;
    }
    // A probe that is called off in the middle of its SETUP has no session yet that it could end.
    sender.send(Arc::new(nothing)).expect("a scheduler");
    while handle.measures().in_flight > 0 {
        tokio::select! {
            _ = results.recv() => {}
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
    }
    cancel.cancel();
    drop(results);
    running.await.expect("scheduler");
    pool.close().await;

    let total = simulator.total();
    assert!(reasons[&Reason::Ok] > PROBES / 2 && reasons.len() >= 4, "{reasons:?}");
    assert!(total.sessions_opened >= reasons[&Reason::Ok], "{total:?}");
    assert_eq!(total.teardowns, total.sessions_opened, "{total:?}");
    // It would only be interrupted by TEARDOWN.
    assert_eq!(total.pauses, 0, "{total:?}");
    for (device, (streams, allowed)) in DEVICES.into_iter().enumerate() {
        let most = simulator.device_counts(&format!("d{device}s0")).most_open;
        assert!(most >= 1 && most <= allowed, "{streams} streams: {most} sessions at once, {allowed} allowed");
    }
}

/// One probe offers a refused password once, whatever the scheme.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_password_is_offered_once() {
    let schemes = [
        ("basic", Auth::basic("admin", "right")),
        ("digest", Auth::digest("admin", "right")),
        ("both", Auth::both("admin", "right")),
    ];
    let pool = pool().await;
    for (name, auth) in schemes {
        let cameras = [
            SimulatedCamera::rtsp("rtsp", clips::gate()).auth(auth.clone()).told("admin", "wrong"),
            SimulatedCamera::mjpeg("http", clips::pool_mjpeg()).auth(auth).told("admin", "wrong"),
        ];
        let simulator = Simulator::start(SimulatorOptions::new(cameras)).await.expect("simulator");
        for camera in ["rtsp", "http"] {
            let probed = pool.probe(request(camera, &simulator.url_with_credentials(camera))).await;
            assert_eq!(probed.report.reason(), Reason::AuthFailed, "{name} {camera}: {:?}", probed.report);
            let counts = simulator.counts(camera);
            assert_eq!(counts.requests_with_credentials, 1, "{name} {camera}: {counts:?}");
        }
    }
    pool.close().await;
}

/// Credentials with any character in them reach the camera as they are.
#[tokio::test(flavor = "multi_thread")]
async fn any_password_is_understood() {
    let pool = pool().await;
    for password in ["p@ss:w/rd?#", "100%", "späce ü", "\"quo'tes\\", "a&b=c;d", "%41"] {
        let cameras = [
            SimulatedCamera::rtsp("digest", clips::gate()).auth(Auth::digest("us er", password)),
            SimulatedCamera::rtsp("basic", clips::gate()).auth(Auth::basic("us er", password)),
            SimulatedCamera::mjpeg("http basic", clips::pool_mjpeg()).auth(Auth::basic("us er", password)),
            SimulatedCamera::mjpeg("http digest", clips::pool_mjpeg()).auth(Auth::digest("us er", password)),
        ];
        let simulator = Simulator::start(SimulatorOptions::new(cameras)).await.expect("simulator");
        for name in simulator.names() {
            let probed = pool.probe(request(name, &simulator.url_with_credentials(name))).await;
            assert_eq!(probed.report.outcome, Outcome::Ok, "{name} {password:?}: {:?}", probed.report);
        }
    }
    pool.close().await;
}

/// A camera that closes the connection behind each challenge. `rtspsrc` forgets the challenge with the connection and cannot
/// play that; but a request that met the end of a connection is no second offer of a refused password, and a password that
/// was taken is not called refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_hangs_up_when_it_has_asked_for_a_password() {
    let pool = pool().await;
    for (told, stage, reason, refused) in
        [("right", Stage::Play, Reason::ProtocolError, 0), ("wrong", Stage::Describe, Reason::AuthFailed, 1)]
    {
        let camera = SimulatedCamera::rtsp("gate", clips::gate()).auth(Auth::digest("admin", "right"));
        let camera = camera.told("admin", told).fault(Fault::ClosesAfterChallenge);
        let simulator = Simulator::start(SimulatorOptions::new([camera])).await.expect("simulator");
        let report = pool.probe(request(told, &simulator.url_with_credentials("gate"))).await.report;
        assert_eq!((report.stage(), report.reason()), (stage, reason), "{report:?}");
        assert_eq!(simulator.counts("gate").requests_refused, refused, "{told}");
    }
    pool.close().await;
}

/// Nobody refused a password that was never sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_asks_for_a_password_where_none_is_configured() {
    let camera = SimulatedCamera::rtsp("gate", clips::gate()).auth(Auth::digest("admin", "right"));
    let simulator = Simulator::start(SimulatorOptions::new([camera])).await.expect("simulator");
    let pool = pool().await;
    for (query, told) in [("", "none is configured"), ("?user=admin&password=wrong", "status 401")] {
        let report = pool.probe(request("gate", &format!("{}{query}", simulator.url("gate")))).await.report;
        let Outcome::Failed { reason: Reason::AuthFailed, detail, .. } = &report.outcome else { panic!("{report:?}") };
        assert!(detail.contains(told), "{detail}");
    }
    pool.close().await;
}
