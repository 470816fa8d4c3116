//! A refused password is not tried again and again: some cameras lock the account for half an hour.

mod common;

use common::certificates::{Identity, self_signed};
use common::service::{PATIENCE, Service, Site, wait_until};
use streampulse::simulator::demo::config_text;
use streampulse::simulator::{Auth, Fault, SimulatedCamera, Simulator, SimulatorOptions, clips};

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

/// Every one of them has been looked at once more.
fn anew(service: &Service) {
    let before = service.streams();
    service.streams_when(|now| now.iter().all(|(id, stream)| stream["checked_at"] != before[id]["checked_at"]));
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
    anew(&service);
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
    anew(&service);
    assert_eq!(simulator.total().requests_refused, 2);
    site.configure(&text.replace("the%20old%20one", "the%20new%20one"));
    service.streams_when(|streams| streams.values().all(|stream| stream["state"] == "up"));
    assert_eq!(simulator.total().requests_refused, 2);
    assert_eq!(service.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn four_passwords_of_one_account_are_refused_three_times_and_the_right_one_is_seen_at_once() {
    let cameras = (1..=4).map(|channel| {
        SimulatedCamera::rtsp(format!("ch{channel}"), clips::gate())
            .device("recorder")
            .path(format!("/{channel}"))
            .auth(Auth::digest("admin", "right"))
            .told("admin", &format!("wrong{channel}"))
    });
    let simulator = Simulator::start(SimulatorOptions::new(cameras)).await.expect("simulator");
    let text = format!("heartbeat_seconds: 2\n{}", config_text(&simulator));
    let site = Site::new(&text);
    let service = site.start();
    all_down(&service);
    let before = service.streams()["ch4"]["checked_at"].clone();
    wait_until(|| service.streams()["ch4"]["checked_at"] != before);
    assert_eq!(simulator.total().requests_refused, 3);
    let corrected = (1..=4).fold(text, |text, channel| text.replace(&format!("wrong{channel}"), "right"));
    site.configure(&corrected);
    service.streams_when(|streams| streams.values().all(|stream| stream["state"] == "up"));
    assert_eq!(simulator.total().requests_refused, 3);
    assert_eq!(service.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_in_the_query_is_left_alone_and_no_account_is_not() {
    let refuses =
        |name: &str, path: &str| SimulatedCamera::mjpeg(name, clips::pool_mjpeg()).path(path).fault(Fault::Status(401));
    let cameras = [refuses("query", "/snap.cgi?user=admin&password=wrong"), refuses("open", "/snap.cgi")];
    let simulator = Simulator::start(SimulatorOptions::new(cameras)).await.expect("simulator");
    let site = Site::new(&format!("heartbeat_seconds: 2\n{}", config_text(&simulator)));
    let service = site.start();
    service.streams_when(|streams| streams["query"]["paused_until"].is_string() && streams["open"]["state"] == "down");
    let asked = |name: &str| simulator.counts(name).connections;
    let (query, open) = (asked("query"), asked("open"));
    assert_eq!(query, 2);
    wait_until(|| asked("open") > open + 2);
    assert_eq!(asked("query"), query);
    assert!(service.streams()["open"]["paused_until"].is_null());
    assert_eq!(service.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_keeps_the_pause() {
    let simulator = device(None).await;
    let site = Site::new(&format!("heartbeat_seconds: 2\n{}", config_text(&simulator)));
    let service = site.start();
    all_down(&service);
    let refused = || simulator.total().requests_refused;
    let says = |arguments: &[&str]| {
        let output = site.run(arguments);
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let keeps_the_pause = || {
        let (code, printed, complaint) = says(&["probe", "door"]);
        assert!(
            code == Some(1) && printed.is_empty() && complaint.contains("--force"),
            "{code:?} {printed}{complaint}"
        );
        let (code, printed, _) = says(&["probe", "door", "--json"]);
        let report: serde_json::Value = serde_json::from_str(&printed).expect("one object");
        assert_eq!((code, &report["outcome"], &report["reason"]), (Some(1), &"failed".into(), &"auth_failed".into()));
        assert_eq!(refused(), 2);
    };
    keeps_the_pause();
    assert_eq!(service.stop().0, 0);
    let files = || {
        let mut names: Vec<_> =
            std::fs::read_dir(site.state()).expect("state").flatten().map(|f| f.file_name()).collect();
        names.sort();
        names
    };
    let before = files();
    keeps_the_pause();
    assert_eq!(files(), before, "it leaves no trace in the state directory");
    assert_eq!(says(&["probe", "door", "--force"]).0, Some(1));
    assert_eq!(refused(), 3);
    // A URL has no state, and what cannot be read holds nobody up.
    assert_eq!(says(&["probe", &simulator.url_with_credentials("door")]).0, Some(1));
    assert_eq!(refused(), 4);
    std::fs::write(site.database(), "no database").expect("write");
    assert_eq!(says(&["probe", "door"]).0, Some(1));
    assert_eq!(refused(), 5);
}
