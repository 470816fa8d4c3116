//! Redirects that are followed, and those that are not, played against the real program.

mod common;

use common::certificates::self_signed;
use common::probe_json;
use streampulse::simulator::{Auth, Fault, SimulatedCamera, Simulator, SimulatorOptions, clips};

/// A place to redirect to. Faults are plain values; the few texts of a test may stay.
fn place(url: String) -> Fault {
    with_status(302, url)
}

fn with_status(status: u16, url: String) -> Fault {
    Fault::Redirects { status, location: Box::leak(url.into_boxed_str()) }
}

async fn probe(url: &str) -> serde_json::Value {
    probe_json(url, &["--timeout", "30s", "--insecure"]).await
}

const HERE: [u8; 4] = [127, 8, 0, 1];
const THERE: [u8; 4] = [127, 8, 0, 2];

/// The cameras that redirect, at one address, and those they lead to: at the same address, at another, inside TLS.
fn cameras() -> Vec<SimulatedCamera> {
    let own = self_signed(&["camera.example"]);
    let auth = || Auth::basic("admin", "hunter2");
    let rtsp = |name: &str| SimulatedCamera::rtsp(name, clips::gate()).address(HERE);
    let http = |name: &str| SimulatedCamera::mjpeg(name, clips::pool_mjpeg()).address(HERE);
    vec![
        rtsp("rtsp").auth(auth()),
        http("http").auth(auth()),
        rtsp("rtsps").auth(auth()).tls(&own.chain, &own.key),
        http("https").auth(auth()).tls(&own.chain, &own.key),
        rtsp("rtsp elsewhere").address(THERE),
        http("http elsewhere").address(THERE),
        rtsp("rtsp elsewhere with a password").address(THERE).auth(auth()),
        http("http elsewhere with a password").address(THERE).auth(auth()),
        rtsp("from rtsp").auth(auth()),
        http("from http").auth(auth()),
        rtsp("from rtsps").auth(auth()).tls(&own.chain, &own.key),
        http("from https").auth(auth()).tls(&own.chain, &own.key),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_redirect_leads_and_with_what() {
    let simulator = Simulator::start(SimulatorOptions::new(cameras())).await.expect("simulator");
    for (from, to, reason, with_credentials) in [
        ("from rtsp", "rtsp", "ok", true),
        ("from rtsp", "rtsps", "ok", true),
        ("from http", "http", "ok", true),
        ("from http", "https", "ok", true),
        ("from rtsps", "rtsps", "ok", true),
        ("from https", "https", "ok", true),
        ("from rtsp", "rtsp elsewhere", "ok", false),
        ("from http", "http elsewhere", "ok", false),
        ("from rtsp", "rtsp elsewhere with a password", "redirect_loop", false),
        ("from http", "http elsewhere with a password", "redirect_loop", false),
        ("from rtsps", "rtsp", "redirect_loop", false),
        ("from https", "http", "redirect_loop", false),
        ("from http", "rtsp", "redirect_loop", false),
        ("from https", "rtsps", "redirect_loop", false),
    ] {
        let before = simulator.counts(to);
        simulator.set_fault(from, Some(place(simulator.url(to)))).await.expect("a fault");
        let report = probe(&simulator.url_with_credentials(from)).await;
        let after = simulator.counts(to);
        assert_eq!(report["reason"], reason, "{from} to {to}: {report}");
        let asked = after.requests_with_credentials > before.requests_with_credentials;
        assert_eq!(asked, with_credentials, "{from} to {to}: {after:?}");
        assert_eq!(after.teardowns, after.sessions_opened, "{from} to {to}");
        let message = report["message"].as_str().expect("a message");
        if from.starts_with("from rtsp") != to.starts_with("rtsp") {
            assert_eq!(after.connections, before.connections, "{from} to {to}");
            assert!(message.contains(&simulator.url(to)) && message.contains("another protocol"), "{message}");
        } else if reason == "redirect_loop" {
            assert!(message.contains("asks for a password that is not sent there"), "{message}");
        }
    }
}

/// The configured camera is on loopback, the target is on the link: nobody connects there, whatever it answers.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_followed_says_where_it_would_have_led() {
    let simulator = Simulator::start(SimulatorOptions::new(cameras())).await.expect("simulator");
    for (from, to, shown) in [
        ("from http", "http://admin:hunter3@169.254.169.254/latest?token=hunter4", "http://169.254.169.254/latest,"),
        ("from rtsp", "rtsp://admin:hunter3@169.254.169.254/latest?token=hunter4", "rtsp://169.254.169.254/latest,"),
        ("from rtsps", "rtsps://[fe80::1]/x", "rtsps://[fe80::1]/x,"),
        ("from https", "file:///etc/passwd", "file:///etc/passwd,"),
    ] {
        simulator.set_fault(from, Some(place(to.to_owned()))).await.expect("a fault");
        let report = probe(&simulator.url_with_credentials(from)).await;
        assert_eq!(report["reason"], "redirect_loop", "{from} to {to}: {report}");
        let message = report["message"].as_str().expect("a message");
        assert!(message.contains(shown) && !report.to_string().contains("hunter"), "{from} to {to}: {report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_status_of_http_that_redirects() {
    let simulator = Simulator::start(SimulatorOptions::new(cameras())).await.expect("simulator");
    for status in [301, 302, 303, 307, 308] {
        for location in [simulator.url("http elsewhere"), "/elsewhere".to_owned()] {
            simulator.set_fault("from http", Some(with_status(status, location.clone()))).await.expect("a fault");
            let report = probe(&simulator.url_with_credentials("from http")).await;
            // The camera knows no other path than its own.
            let expected = if location.starts_with('/') { "not_found" } else { "ok" };
            assert_eq!(report["reason"], expected, "{status} to {location}: {report}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_cameras_that_redirect_to_each_other_are_asked_six_times() {
    let simulator = Simulator::start(SimulatorOptions::new(cameras())).await.expect("simulator");
    for (one, other) in [("from rtsp", "rtsp elsewhere"), ("from http", "http elsewhere")] {
        simulator.set_fault(one, Some(place(simulator.url(other)))).await.expect("a fault");
        simulator.set_fault(other, Some(place(simulator.url(one)))).await.expect("a fault");
        let report = probe(&simulator.url(one)).await;
        assert_eq!(report["reason"], "redirect_loop", "{report}");
        let message = report["message"].as_str().expect("a message");
        assert!(message.contains("more than 5 redirects"), "{message}");
        assert_eq!(simulator.counts(one).connections + simulator.counts(other).connections, 6, "{one}");
    }
}
