//! Incidents and announced work through the real service: cause, evidence, what people say, and no false alarm.

mod common;

use std::io::Read as _;

use common::service::{PATIENCE, Service, Site, wait_until};
use serde_json::{Value, json};
use streampulse::simulator::{Auth, Fault, SimulatedCamera, Simulator, SimulatorOptions, clips};

async fn simulator() -> Simulator {
    let cameras = [
        SimulatedCamera::rtsp("gate", clips::gate()).auth(Auth::digest("admin", "s3cret-p4ss")),
        SimulatedCamera::rtsp("yard", clips::street()),
    ];
    Simulator::start(SimulatorOptions::new(cameras)).await.expect("simulator")
}

/// The yard's camera hangs on the gate's.
fn site(simulator: &Simulator) -> Site {
    Site::new(&format!(
        "heartbeat_seconds: 2\nprobe: {{retry_after_seconds: 1}}\nstreams:\n\
         \x20 - {{name: Gate, url: \"{}\", username: admin, password: s3cret-p4ss}}\n  - {{name: Yard, url: \"{}\", parent: gate}}\n",
        simulator.url("gate"),
        simulator.url("yard")
    ))
}

fn incidents(service: &Service) -> Vec<Value> {
    service.json("/api/incidents")["incidents"].as_array().cloned().expect("incidents")
}

fn are(service: &Service, state: &str) {
    service.streams_when(|streams| streams.len() == 2 && streams.values().all(|stream| stream["state"] == state));
}

async fn set(simulator: &Simulator, fault: Option<Fault>) {
    for name in ["gate", "yard"] {
        simulator.set_fault(name, fault).await.expect("a camera");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_has_a_cause_evidence_and_an_end() {
    let simulator = simulator().await;
    let site = site(&simulator);
    let service = site.start();
    are(&service, "up");
    assert_eq!(incidents(&service), Vec::<Value>::new());

    set(&simulator, Some(Fault::Status(404))).await;
    are(&service, "down");
    // Whichever was confirmed first: in the end it is one, with the parent as its cause.
    let open =
        || -> Vec<Value> { incidents(&service).into_iter().filter(|incident| incident["open"] == true).collect() };
    wait_until(|| open().len() == 1 && open()[0]["streams"].as_array().is_some_and(|streams| streams.len() == 2));
    let incident = open().remove(0);
    assert_eq!(incident["cause"], json!({"kind": "parent", "name": "gate"}));
    assert_eq!(
        (&incident["state"], &incident["reason"], &incident["stage"]),
        (&json!("down"), &json!("not_found"), &json!("describe"))
    );
    let number = incident["id"].as_i64().expect("a number");

    // What it looked like, and what was said.
    let mut evidence = Vec::new();
    wait_until(|| {
        let all = service.json(&format!("/api/incidents/{number}"))["evidence"].as_array().cloned();
        evidence = all.expect("evidence");
        evidence.iter().any(|piece| piece["kind"] == "exchange")
    });
    let picture = evidence.iter().find(|piece| piece["kind"] == "last_good").expect("the last good picture");
    let jpeg = service.get(picture["picture"].as_str().expect("an address"));
    assert_eq!(jpeg.status, 200);
    assert_eq!(common::decode_jpeg(&jpeg.body).width, 640);
    assert!(jpeg.head.to_ascii_lowercase().contains("last-modified: "), "{}", jpeg.head);
    let exchange = evidence.iter().find_map(|piece| piece["text"].as_str()).expect("the exchange");
    assert!(exchange.contains("> DESCRIBE rtsp://") && exchange.contains("< RTSP/1.0 404"), "{exchange}");
    assert!(!exchange.contains("s3cret-p4ss") && !exchange.contains("czNjcmV0"), "{exchange}");
    assert_eq!(service.get(&format!("/api/incidents/{number}/evidence/99.jpg")).status, 404);
    assert_eq!(service.get(&format!("/api/incidents/{number}/evidence/../../initial-password")).status, 404);

    // What people say.
    let token = service.token();
    let path = format!("/api/incidents/{number}");
    let mut events = service.open("/api/events");
    read_until(&mut events, "event:hello");
    let said = service.post_as(Some(&token), &format!("{path}/acknowledge"), r#"{"note":"the path?"}"#);
    read_until(&mut events, "\"note\":\"the path?\"");
    assert_eq!((said.status, said.json()["acknowledged"]["by"].as_str()), (200, Some("admin")), "{}", said.text());
    let bare = service.post_as(Some(&token), &format!("{path}/acknowledge"), "");
    assert_eq!(bare.json()["note"], "the path?");
    assert_eq!(service.post_as(Some(&token), "/api/incidents/999/acknowledge", "").status, 404);
    assert_eq!(service.post_as(None, &format!("{path}/acknowledge"), "").status, 401);
    assert_eq!(service.post_as(Some(&token), &format!("{path}/acknowledge"), r#"{"nte":"x"}"#).status, 400);

    // It is over when the last stream is back, also when the service was restarted meanwhile.
    assert_eq!(service.stop().0, 0);
    let service = site.start();
    let mut events = service.open("/api/events");
    read_until(&mut events, "event:hello");
    set(&simulator, None).await;
    let events = read_until(&mut events, "\"open\":false");
    assert!(events.lines().any(|line| line.starts_with("event:") && line.contains("incident")), "{events}");
    are(&service, "up");
    wait_until(|| service.json(&path)["open"] == false);
    let closed = service.json(&path);
    assert!(closed["duration_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{closed}");
    assert_eq!((&closed["note"], &closed["acknowledged"]["by"]), (&json!("the path?"), &json!("admin")));
    assert!(
        closed["streams"].as_array().expect("streams").iter().all(|stream| stream["left_at"].is_string()),
        "{closed}"
    );
    assert!(incidents(&service).iter().all(|incident| incident["open"] == false));

    let times = service.json("/api/streams/gate/availability?window=1h");
    let (up, down) = (times["seconds"]["up"].as_f64(), times["seconds"]["down"].as_f64());
    let (up, down) = (up.expect("up"), down.expect("down"));
    assert!(up > 0.0 && down > 0.0);
    assert!((times["availability"].as_f64().expect("a share") - up / (up + down)).abs() < 1e-9, "{times}");
    let all = service.json("/api/availability?window=1h");
    assert!(all["streams"]["yard"]["availability"].is_number() && all["availability"].is_number(), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn announced_work_is_no_incident() {
    let simulator = simulator().await;
    let site = site(&simulator);
    let service = site.start();
    are(&service, "up");
    let token = service.token();
    for (body, status) in [
        ("{}", 422),
        (r#"{"minutes":0}"#, 422),
        (r#"{"minutes":999999}"#, 422),
        (r#"{"until":"2001-01-01T00:00:00Z"}"#, 422),
        (r#"{"minutes":5,"until":"2101-01-01T00:00:00Z"}"#, 422),
        (r#"{"streams":["nobody"],"minutes":5}"#, 404),
    ] {
        let answer = service.post_as(Some(&token), "/api/maintenance", body);
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
    }
    let announced = service.post_as(Some(&token), "/api/maintenance", r#"{"minutes":60,"note":"new lens"}"#);
    assert_eq!(announced.status, 201, "{}", announced.text());
    let number = announced.json()["id"].as_i64().expect("a number");
    are(&service, "maintenance");
    set(&simulator, Some(Fault::ConnectionRefused)).await;
    service.streams_when(|streams| {
        let failed = |stream: &Value| {
            let beats = stream["recent"].as_array().expect("heartbeats");
            beats.iter().filter(|beat| beat["reason"] == "connection_refused").count() > 2
        };
        streams.values().all(failed)
    });
    // A restart is no end.
    assert_eq!(service.stop().0, 0);
    let service = site.start();
    are(&service, "maintenance");
    assert_eq!(incidents(&service), Vec::<Value>::new());
    let known = service.json("/api/maintenance");
    assert_eq!((&known["announced"][0]["note"], &known["announced"][0]["by"]), (&json!("new lens"), &json!("admin")));
    assert!(known["streams_in_maintenance_until"]["gate"].is_string(), "{known}");

    let ended = service.delete(&format!("/api/maintenance/{number}"));
    assert_eq!(ended.status, 200, "{}", ended.text());
    assert_eq!(service.delete(&format!("/api/maintenance/{number}")).status, 404);
    are(&service, "down");
    wait_until(|| !incidents(&service).is_empty());
    let times = service.json("/api/streams/gate/availability?window=1h");
    assert!(times["seconds"]["maintenance"].as_f64().is_some_and(|seconds| seconds > 0.0), "{times}");
}

/// Reads events until this text was among them.
fn read_until(events: &mut std::net::TcpStream, text: &str) -> String {
    let begun = std::time::Instant::now();
    let (mut seen, mut buffer) = (String::new(), [0; 65_536]);
    while !seen.contains(text) {
        let count = events.read(&mut buffer).expect("an event");
        assert!(count > 0, "the events ended: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        assert!(begun.elapsed() < PATIENCE, "not {text}: {seen}");
    }
    seen
}
