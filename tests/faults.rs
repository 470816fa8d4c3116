//! Every way for a camera to be broken, played against the real program: stage and reason are the right ones.

mod common;

use std::time::Duration;

use common::PROGRAM;
use futures_util::StreamExt as _;
use streampulse::simulator::{
    Auth, Fault, Method, SimulatedCamera, Simulator, SimulatorOptions, Start, Transports, clips,
};
use tokio::net::{TcpSocket, TcpStream};

/// One row of the table.
struct Row {
    what: &'static str,
    url: String,
    stage: &'static str,
    reason: &'static str,
}

/// A fault, and what must be said of it.
type Fate = (&'static str, SimulatedCamera, &'static str, &'static str);

fn rtsp(what: &'static str, fault: Fault, stage: &'static str, reason: &'static str) -> Fate {
    (what, SimulatedCamera::rtsp(what, clips::gate()).fault(fault), stage, reason)
}

fn http(what: &'static str, fault: Fault, stage: &'static str, reason: &'static str) -> Fate {
    (what, SimulatedCamera::mjpeg(what, clips::pool_mjpeg()).fault(fault), stage, reason)
}

fn rtsp_fates() -> Vec<Fate> {
    let refused = |what, auth: Auth| {
        (what, SimulatedCamera::rtsp(what, clips::gate()).auth(auth).told("admin", "wrong"), "describe", "auth_failed")
    };
    vec![
        rtsp("refused", Fault::ConnectionRefused, "connect", "connection_refused"),
        rtsp("silent", Fault::SilentAfterAccept, "options", "response_timeout"),
        rtsp("closes", Fault::ClosesAfterRequest, "options", "protocol_error"),
        rtsp("drips", Fault::Drips, "options", "response_timeout"),
        rtsp("garbage", Fault::Garbage, "options", "protocol_error"),
        rtsp("a web page", Fault::Html, "options", "protocol_error"),
        rtsp("endless header", Fault::EndlessHeader, "options", "protocol_error"),
        rtsp("endless SDP", Fault::EndlessBody, "describe", "protocol_error"),
        rtsp("redirects to itself", Fault::RedirectsToItself, "describe", "redirect_loop"),
        rtsp("401 for ever", Fault::Status(401), "describe", "auth_failed"),
        refused("wrong Basic password", Auth::basic("admin", "right")),
        refused("wrong Digest password", Auth::digest("admin", "right")),
        rtsp("400", Fault::Status(400), "describe", "request_refused"),
        rtsp("403", Fault::Status(403), "describe", "forbidden"),
        rtsp("404", Fault::Status(404), "describe", "not_found"),
        rtsp("500", Fault::Status(500), "describe", "server_error"),
        rtsp("503", Fault::Status(503), "describe", "busy"),
        rtsp("453 to SETUP", Fault::StatusTo(Method::Setup, 453), "setup", "busy"),
        rtsp("454 to PLAY", Fault::StatusTo(Method::Play, 454), "play", "session_not_found"),
        rtsp("461 to SETUP", Fault::StatusTo(Method::Setup, 461), "setup", "unsupported_transport"),
        rtsp("500 to PLAY", Fault::StatusTo(Method::Play, 500), "play", "server_error"),
        rtsp("silent to OPTIONS", Fault::SilentTo(Method::Options), "options", "response_timeout"),
        rtsp("silent to DESCRIBE", Fault::SilentTo(Method::Describe), "describe", "response_timeout"),
        rtsp("silent to SETUP", Fault::SilentTo(Method::Setup), "setup", "response_timeout"),
        rtsp("silent to PLAY", Fault::SilentTo(Method::Play), "play", "response_timeout"),
        rtsp("audio only", Fault::AudioOnly, "describe", "no_video"),
        rtsp("unknown codec", Fault::UnknownCodec, "describe", "unsupported_codec"),
        rtsp("no media", Fault::NoMedia, "first_packet", "no_data"),
        rtsp("no keyframe", Fault::NoKeyframe, "keyframe", "no_keyframe"),
        rtsp("scrambled slices", Fault::DamagedPictures, "decode", "corrupt"),
        (
            "no media over UDP",
            SimulatedCamera::rtsp("no media over UDP", clips::gate())
                .transports(Transports::UdpOnly)
                .fault(Fault::NoMedia),
            "first_packet",
            "no_data",
        ),
        (
            "stops before its second keyframe",
            // Delta frames only, and then not even these.
            SimulatedCamera::rtsp("stops before its second keyframe", clips::gate())
                .start(Start::Live)
                .gop_loops(50)
                .fault(Fault::StallsAfter(Duration::from_millis(300))),
            "keyframe",
            "stalled",
        ),
    ]
}

fn http_fates() -> Vec<Fate> {
    let refused = |what, auth: Auth| {
        let camera = SimulatedCamera::mjpeg(what, clips::pool_mjpeg()).auth(auth).told("admin", "wrong");
        (what, camera, "request", "auth_failed")
    };
    vec![
        http("MJPEG: refused", Fault::ConnectionRefused, "connect", "connection_refused"),
        http("MJPEG: silent", Fault::SilentAfterAccept, "request", "response_timeout"),
        http("MJPEG: closes", Fault::ClosesAfterRequest, "request", "protocol_error"),
        http("MJPEG: drips", Fault::Drips, "request", "response_timeout"),
        http("MJPEG: garbage", Fault::Garbage, "request", "protocol_error"),
        http("MJPEG: a login page", Fault::Html, "first_packet", "no_video"),
        http("MJPEG: endless header", Fault::EndlessHeader, "request", "protocol_error"),
        http("MJPEG: redirects to itself", Fault::RedirectsToItself, "request", "redirect_loop"),
        refused("MJPEG: wrong Basic password", Auth::basic("admin", "right")),
        refused("MJPEG: wrong Digest password", Auth::digest("admin", "right")),
        http("MJPEG: 403", Fault::Status(403), "request", "forbidden"),
        http("MJPEG: 404", Fault::Status(404), "request", "not_found"),
        http("MJPEG: 500", Fault::Status(500), "request", "server_error"),
        http("MJPEG: 503", Fault::Status(503), "request", "busy"),
        http("MJPEG: sound", Fault::AudioOnly, "first_packet", "no_video"),
        http("MJPEG: unknown codec", Fault::UnknownCodec, "first_packet", "unsupported_codec"),
        http("MJPEG: no media", Fault::NoMedia, "first_packet", "no_data"),
        http("MJPEG: cut in the middle", Fault::DamagedPictures, "decode", "corrupt"),
    ]
}

/// What the program says of a URL: `stage reason`.
async fn verdict(url: &str) -> String {
    let output = tokio::process::Command::new(PROGRAM)
        .args(["probe", url, "--json", "--timeout", "3s"])
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .output()
        .await
        .expect("streampulse probe");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let said = |field: &str| report[field].as_str().unwrap_or_default().to_owned();
    format!("{} {}", said("stage"), said("reason"))
}

/// Plays the rows, a few at a time, and compares them all before it complains.
async fn expect(rows: Vec<Row>) {
    let wrong: Vec<String> = futures_util::stream::iter(rows)
        .map(|row| async move {
            let (expected, said) = (format!("{} {}", row.stage, row.reason), verdict(&row.url).await);
            (said != expected).then(|| format!("{}: {said}, expected {expected}", row.what))
        })
        .buffer_unordered(6)
        .filter_map(|wrong| async { wrong })
        .collect()
        .await;
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

async fn expect_fates(fates: Vec<Fate>) {
    let cameras = fates.iter().map(|(_, camera, ..)| camera.clone());
    let simulator = Simulator::start(SimulatorOptions::new(cameras)).await.expect("simulator");
    let row = |(what, _, stage, reason): Fate| Row { what, url: simulator.url_with_credentials(what), stage, reason };
    expect(fates.into_iter().map(row).collect()).await;
    let hung_up = |name: &&String| {
        let counts = simulator.counts(name);
        counts.teardowns == counts.sessions_opened
    };
    let left: Vec<_> = simulator.names().iter().filter(|name| !hung_up(name)).collect();
    assert!(left.is_empty(), "no TEARDOWN: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_rtsp() {
    expect_fates(rtsp_fates()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_mjpeg_over_http() {
    expect_fates(http_fates()).await;
}

/// A port whose queue of connections is full: the next one is not answered. The sockets hold it so.
async fn full_port() -> (String, Vec<TcpStream>, tokio::net::TcpListener) {
    let socket = TcpSocket::new_v4().expect("socket");
    socket.bind("127.0.0.1:0".parse().expect("address")).expect("bind");
    let listener = socket.listen(1).expect("listen");
    let address = listener.local_addr().expect("address");
    let mut waiting = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(500), TcpStream::connect(address)).await {
        waiting.push(stream.expect("connects"));
    }
    (address.to_string(), waiting, listener)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_before_there_is_a_connection() {
    let (full, _waiting, _listener) = full_port().await;
    // A label of 64 characters cannot be a name (RFC 1035 section 2.3.4), so nobody is asked; a broadcast address cannot
    // be connected to, so nothing is sent.
    let unknown = format!("{}.example", "x".repeat(64));
    let mut rows = Vec::new();
    for (scheme, path) in [("rtsp", "stream1"), ("http", "video.mjpg")] {
        for (what, host, stage, reason) in [
            ("a name that does not resolve", unknown.as_str(), "resolve", "dns_failed"),
            ("no route", "255.255.255.255", "connect", "unreachable"),
            ("a port that does not answer", full.as_str(), "connect", "connect_timeout"),
        ] {
            rows.push(Row { what, url: format!("{scheme}://{host}/{path}"), stage, reason });
        }
    }
    expect(rows).await;
}
