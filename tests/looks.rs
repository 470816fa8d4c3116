//! What the service says of pictures that came through and are wrong all the same.

mod common;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::service::{Service, Site};
use serde_json::Value;
use streampulse::simulator::{Clip, Fault, SimulatedCamera, Simulator, SimulatorOptions, Start, clips};
use tokio::runtime::Runtime;

fn simulate(runtime: &Runtime, cameras: impl IntoIterator<Item = SimulatedCamera>) -> Simulator {
    runtime.block_on(Simulator::start(SimulatorOptions::new(cameras))).expect("simulator")
}

/// Posts to a stream's address and gives the answer, which must be a report.
fn ask(service: &Service, token: &str, what: &str) -> Value {
    let answer = service.post_as(Some(token), &format!("/api/streams/{what}"), "");
    assert_eq!(answer.status, 200, "{what}: {}", answer.text());
    answer.json()
}

fn issues(report: &Value) -> Vec<&str> {
    report["picture"]["issues"].as_array().expect("issues").iter().filter_map(Value::as_str).collect()
}

/// Long enough for any event that a test waits for, on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Probes until the report has these issues; how many probes that took.
fn probes_until(service: &Service, token: &str, id: &str, wanted: &[&str]) -> usize {
    let started = Instant::now();
    let mut probes = (1..).take_while(|_| started.elapsed() < PATIENCE);
    let found = probes.find(|_| issues(&ask(service, token, &format!("{id}/probe"))) == wanted);
    found.unwrap_or_else(|| panic!("never {wanted:?}"))
}

#[test]
fn a_frozen_camera_is_degraded_and_one_with_sensor_noise_is_not() {
    let runtime = Runtime::new().expect("runtime");
    let simulator = simulate(
        &runtime,
        [
            SimulatedCamera::rtsp("gate", clips::gate()).fault(Fault::Frozen),
            SimulatedCamera::rtsp("yard", clips::gate()),
            SimulatedCamera::mjpeg("pool", clips::pool_mjpeg()).fault(Fault::Frozen),
        ],
    );
    let stream =
        |name: &str| format!("  - {{name: {name}, url: \"{}\", checks: {{frozen: 4}}}}\n", simulator.url(name));
    let site =
        Site::new(&format!("heartbeat_seconds: 600\nstreams:\n{}{}{}", stream("gate"), stream("yard"), stream("pool")));
    let service = site.start();
    let token = service.token();
    for id in ["gate", "pool"] {
        probes_until(&service, &token, id, &["frozen"]);
        let seen = service.json(&format!("/api/streams/{id}"));
        assert_eq!((&seen["state"], &seen["issues"][0]), (&"degraded".into(), &"frozen".into()), "{seen}");
        assert_eq!(seen["message"], "The picture stands still while the stream's clock runs on.");
        assert!(seen["next_step"].as_str().is_some_and(|text| text.contains("Restart the camera")), "{seen}");
    }
    for _ in 0..6 {
        assert_eq!(issues(&ask(&service, &token, "yard/probe")), [""; 0]);
    }
    assert_eq!(service.json("/api/streams/yard")["state"], "up");
    for id in ["gate", "pool"] {
        runtime.block_on(simulator.set_fault(id, None)).expect("healed");
        probes_until(&service, &token, id, &[]);
        assert_eq!(service.json(&format!("/api/streams/{id}"))["state"], "up");
    }
}

#[test]
fn a_camera_that_was_moved_until_an_operator_says_that_it_was_meant() {
    let runtime = Runtime::new().expect("runtime");
    let camera = |clip: Arc<Clip>, port| {
        SimulatedCamera::rtsp("gate", clip).start(Start::KeyframeFirst).address(Ipv4Addr::new(127, 8, 3, 1)).port(port)
    };
    let simulator = simulate(&runtime, [camera(clips::gate(), 0)]);
    let (url, port) = (simulator.url("gate"), simulator.address("gate").port());
    let site = Site::new(&format!(
        "heartbeat_seconds: 600\nstreams: [{{name: gate, url: \"{url}\", checks: {{frozen: false}}}}]\n"
    ));
    let service = site.start();
    let token = service.token();
    for _ in 0..12 {
        assert_eq!(issues(&ask(&service, &token, "gate/probe")), [""; 0]);
    }
    let move_to = |old: Simulator, clip| {
        drop(old);
        // Its sockets close when their tasks have ended.
        loop {
            let camera = camera(Arc::clone(&clip), port);
            match runtime.block_on(Simulator::start(SimulatorOptions::new([camera]))) {
                Ok(simulator) => return simulator,
                Err(_) => std::thread::yield_now(),
            }
        }
    };
    let simulator = move_to(simulator, clips::warehouse());
    assert_eq!(probes_until(&service, &token, "gate", &["scene_changed"]), 3);
    assert_eq!(service.json("/api/streams/gate")["state"], "degraded");
    // It is remembered across a restart, with the issue and with the scene.
    let (code, _) = service.stop();
    assert_eq!(code, 0);
    let service = site.start();
    let token = service.token();
    assert_eq!(issues(&ask(&service, &token, "gate/probe")), ["scene_changed"]);
    let history = service.json("/api/streams/gate/history?limit=2");
    let healths: Vec<&Value> =
        history["heartbeats"].as_array().expect("beats").iter().map(|beat| &beat["health"]).collect();
    assert!(healths.iter().all(|health| *health == "degraded"), "{history}");
    let answer = service.post_as(None, "/api/streams/gate/reference", "");
    assert_eq!(answer.status, 401);
    assert_eq!(issues(&ask(&service, &token, "gate/reference")), [""; 0]);
    for _ in 0..12 {
        assert_eq!(issues(&ask(&service, &token, "gate/probe")), [""; 0]);
    }
    let _simulator = move_to(simulator, clips::gate());
    assert_eq!(probes_until(&service, &token, "gate", &["scene_changed"]), 3, "the new scene is the usual one now");
}
