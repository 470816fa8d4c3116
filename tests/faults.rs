//! Every way for a camera to be broken, played against the real program: stage and reason are the right ones.

mod common;

use common::fates::{Fate, full_port, http_fates, rtsp_fates};
use common::service::PATIENCE;
use common::{PROGRAM, probe_json, probe_json_of, stage_and_reason};
use futures_util::StreamExt as _;
use streampulse::simulator::{Simulator, SimulatorOptions};

/// One row of the table.
struct Row {
    what: &'static str,
    url: String,
    stage: &'static str,
    reason: &'static str,
}

const TIMEOUT: [&str; 2] = ["--timeout", "3s"];

/// What the program says of a URL: `stage reason`.
async fn verdict(url: &str) -> String {
    stage_and_reason(&probe_json(url, &TIMEOUT).await)
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
    let mut left = Vec::new();
    for name in simulator.names() {
        // The last of them may still lie in its socket.
        let counts = simulator.counts_when(name, PATIENCE, |counts| counts.sessions_open == 0).await;
        if !counts.is_ok_and(|counts| counts.teardowns == counts.sessions_opened) {
            left.push(name);
        }
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_before_there_is_a_connection() {
    let (full, _waiting, _listener) = full_port().await;
    // A label of 64 characters cannot be a name (RFC 1035 section 2.3.4), so nobody is asked. To a broadcast address
    // there is no route for TCP on any machine (ENETUNREACH), so nothing is sent.
    let unknown = format!("{}.example", "x".repeat(64));
    let mut rows = Vec::new();
    for (scheme, path) in [("rtsp", "stream1"), ("http", "video.mjpg")] {
        for (what, host, stage, reason) in [
            ("a name that does not resolve", unknown.as_str(), "resolve", "dns_failed"),
            ("no route", "255.255.255.255", "connect", "monitor_offline"),
            ("a port that does not answer", full.as_str(), "connect", "connect_timeout"),
        ] {
            rows.push(Row { what, url: format!("{scheme}://{host}/{path}"), stage, reason });
        }
    }
    expect(rows).await;
}

/// A network namespace of its own, in which there is nothing but loopback and what this says.
async fn isolated(network: &str) -> tokio::process::Command {
    for options in [&["--net"][..], &["--map-root-user", "--net"]] {
        let mut tried = tokio::process::Command::new("unshare");
        if tried.args(options).arg("true").output().await.is_ok_and(|output| output.status.success()) {
            let mut command = tokio::process::Command::new("unshare");
            let script = format!("set -e; ip link set lo up; {network} exec \"$0\" \"$@\"");
            command.args(options).args(["sh", "-c", &script, PROGRAM]);
            return command;
        }
    }
    panic!("no network namespace can be made here: run this test as root, or allow user namespaces");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_this_machine_lacks_is_not_the_cameras_fault() {
    let link_local = "ip addr add fe80::1/64 dev lo nodad;";
    let behind_a_gateway = "ip route add unreachable 198.51.100.0/24;";
    let mut wrong = Vec::new();
    for (what, network, host, expected) in [
        ("no route", "", "192.0.2.1", "connect monitor_offline"),
        ("no IPv6 route", "", "[2001:db8::1]", "connect monitor_offline"),
        ("no name server", "", "camera.example", "resolve monitor_offline"),
        (
            "forbidden by this machine",
            "ip route add prohibit 198.51.100.0/24;",
            "198.51.100.7",
            "connect monitor_offline",
        ),
        ("no such interface", "", "[fe80::1%25nosuch]", "connect monitor_offline"),
        // The router knows the network and says that the device is not there.
        ("no host", behind_a_gateway, "198.51.100.7", "connect unreachable"),
        ("link-local without its interface", link_local, "[fe80::1]", "connect unreachable"),
        ("link-local", link_local, "[fe80::1%25lo]", "connect connection_refused"),
    ] {
        for (scheme, path) in [("rtsp", "stream1"), ("http", "video.mjpg"), ("https", "video.mjpg")] {
            let url = format!("{scheme}://{host}:8899/{path}");
            let said = stage_and_reason(&probe_json_of(isolated(network).await, &url, &TIMEOUT).await);
            if said != expected {
                wrong.push(format!("{what}, {scheme}: {said}, expected {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
