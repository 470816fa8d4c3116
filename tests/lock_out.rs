//! A refused password is not tried again and again: some cameras lock the account for half an hour.

mod common;

use common::certificates::{Identity, self_signed};
use common::service::{PATIENCE, Service, Site, wait_until};
use streampulse::simulator::demo::config_text;
use streampulse::simulator::{Auth, SimulatedCamera, Simulator, SimulatorOptions, clips};

/// One device with an account that three streams use, each over a path of its own.
async fn device(tls: Option<&Identity>) -> Simulator {
    let cameras = ["door", "yard", "roof"].map(|name| {
        let camera = SimulatedCamera::rtsp(name, clips::gate())
            .device("recorder")
            .path(format!("/{name}"))
            .auth(Auth::digest("admin", "the new one"))
            .told("admin", "the old one");
        match tls {
            Some(identity) => camera.tls(&identity.chain, &identity.key),
            None => camera,
        }
    });
    Simulator::start(SimulatorOptions::new(cameras)).await.expect("simulator")
}

fn all_down(service: &Service) {
    let streams = service.streams_when(|streams| streams.values().all(|stream| stream["state"] == "down"));
    for (id, stream) in &streams {
        assert_eq!(stream["reason"], "auth_failed", "{id}");
        assert!(stream["paused_until"].is_string(), "{id}: {stream}");
        assert!(stream["message"].as_str().is_some_and(|text| text.contains("not asked again before")), "{stream}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_refusals_pause_the_account_of_the_device_until_the_password_changes() {
    let simulator = device(None).await;
    let text = format!("heartbeat_seconds: 2\n{}", config_text(&simulator));
    let site = Site::new(&text);
    let service = site.start();
    all_down(&service);
    assert_eq!(simulator.total().requests_refused, 2);
    let asked = service.post_as(Some(&service.token()), "/api/streams/door/probe", "");
    assert_eq!(asked.status, 409, "{}", asked.text());
    assert_eq!(asked.json()["error"]["code"], "password_refused");

    service.kill();
    let service = site.start();
    let before = service.streams()["roof"]["checked_at"].clone();
    wait_until(|| service.streams()["roof"]["checked_at"] != before);
    all_down(&service);
    assert_eq!(simulator.total().requests_refused, 2, "the restarted service leaves it alone, too");

    site.configure(&text.replace("the%20old%20one", "the%20new%20one"));
    service.streams_when(|streams| {
        streams.values().all(|stream| stream["state"] == "up" && stream["paused_until"].is_null())
    });
    assert_eq!(simulator.total().requests_refused, 2);
    let (code, log) = service.stop();
    assert!(code == 0 && !log.contains("the old one") && !log.contains("the%20old"), "{log}");
    let counts = simulator.counts_when("door", PATIENCE, |counts| counts.sessions_open == 0).await.expect("an end");
    assert_eq!(counts.teardowns, counts.sessions_opened);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_over_tls() {
    let own = self_signed(&["camera.example"]);
    let simulator = device(Some(&own)).await;
    let pinned = format!("\n    tls_fingerprint: {}\n    url: \"rtsps:", own.fingerprint);
    let text = config_text(&simulator).replace("\n    url: \"rtsps:", &pinned);
    let site = Site::new(&format!("heartbeat_seconds: 2\n{text}"));
    let service = site.start();
    all_down(&service);
    let before = service.streams()["roof"]["checked_at"].clone();
    wait_until(|| service.streams()["roof"]["checked_at"] != before);
    assert_eq!(simulator.total().requests_refused, 2);
    site.configure(&text.replace("the%20old%20one", "the%20new%20one"));
    service.streams_when(|streams| streams.values().all(|stream| stream["state"] == "up"));
    assert_eq!(simulator.total().requests_refused, 2);
    assert_eq!(service.stop().0, 0);
}
