//! Cameras that speak TLS, healthy and broken, played against the real program.

mod common;

use common::certificates::{Authority, Identity, self_signed};
use common::{probe_json, request, stage_and_reason};
use futures_util::StreamExt as _;
use streampulse::model::{Fingerprint, Reason, Trust};
use streampulse::probe::Prober as _;
use streampulse::simulator::{Auth, Fault, Method, SimulatedCamera, Simulator, SimulatorOptions, clips};

/// A simulated camera, how it is asked, and what must be said of it.
struct Row {
    what: String,
    camera: SimulatedCamera,
    /// In place of the camera's own scheme.
    scheme: Option<&'static str>,
    arguments: Vec<String>,
    expected: &'static str,
    /// Part of the message.
    detail: String,
}

const OK: &str = "picture ok";
const TLS_FAILED: &str = "tls tls_failed";

/// The loopback address of a row, for which its certificate is.
const ADDRESS: [u8; 4] = [127, 7, 0, 1];
const NAME: &str = "127.7.0.1";

fn cameras(what: &str, identity: Option<&Identity>) -> [SimulatedCamera; 2] {
    let both = [
        SimulatedCamera::rtsp(format!("rtsps {what}"), clips::gate()),
        SimulatedCamera::mjpeg(format!("https {what}"), clips::pool_mjpeg()),
    ];
    both.map(|camera| {
        let camera = camera.address(ADDRESS);
        match identity {
            Some(identity) => camera.tls(&identity.chain, &identity.key),
            None => camera,
        }
    })
}

fn rows(what: &str, identity: Option<&Identity>, arguments: &[&str], expected: &'static str, detail: &str) -> Vec<Row> {
    let row = |camera: SimulatedCamera| Row {
        what: camera.name().to_owned(),
        camera,
        scheme: None,
        arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        expected,
        detail: detail.to_owned(),
    };
    cameras(what, identity).into_iter().map(row).collect()
}

/// What the program says of a URL. Only those of which a timeout is expected have little time.
async fn probe(url: &str, arguments: &[String], expected: &str) -> serde_json::Value {
    let timeout = if expected.ends_with("timeout") { "3s" } else { "30s" };
    let arguments: Vec<_> = ["--timeout", timeout].into_iter().chain(arguments.iter().map(String::as_str)).collect();
    probe_json(url, &arguments).await
}

/// Plays the rows, a few at a time, and compares them all before it complains.
async fn expect(rows: Vec<Row>) {
    let simulator = SimulatorOptions::new(rows.iter().map(|row| row.camera.clone()));
    let simulator = Simulator::start(simulator).await.expect("simulator");
    let wrong: Vec<String> = futures_util::stream::iter(rows)
        .map(|row| {
            let url = simulator.url_with_credentials(&row.what);
            async move {
                let url = match row.scheme {
                    Some(scheme) => format!("{scheme}{}", &url[url.find("://").expect("a scheme")..]),
                    None => url,
                };
                let report = probe(&url, &row.arguments, row.expected).await;
                let message = report["message"].as_str().unwrap_or_default();
                let right = stage_and_reason(&report) == row.expected && message.contains(&row.detail);
                (!right).then(|| format!("{}: {report}\n    expected {} {}", row.what, row.expected, row.detail))
            }
        })
        .buffer_unordered(6)
        .filter_map(|wrong| async { wrong })
        .collect()
        .await;
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn which_certificates_are_taken() {
    let authority = Authority::new();
    let file = authority.file().display().to_string();
    let by_file = ["--ca-file", file.as_str()];
    let good = authority.sign(&[NAME]);
    let own = self_signed(&[NAME]);
    let elsewhere = self_signed(&["camera.example"]);
    let pinned = ["--tls-fingerprint", own.fingerprint.as_str()];
    let colons: Vec<&str> = (0..32).map(|at| &elsewhere.fingerprint[at * 2..at * 2 + 2]).collect();
    let colons = colons.join(":").to_uppercase();
    let expired = authority.sign_expired(&[NAME]);
    let seen = |identity: &Identity, what: &str| format!("{what}; its fingerprint is sha256:{}", identity.fingerprint);
    let other_name = authority.sign(&["camera.example"]);
    let everything = [
        rows("of a known authority", Some(&good), &by_file, OK, ""),
        rows("self-signed, taken as its own authority", Some(&own), &["--ca-file", &write(&own)], OK, ""),
        rows("self-signed and not looked at", Some(&own), &["--insecure"], OK, ""),
        rows("self-signed and pinned", Some(&own), &pinned, OK, ""),
        rows("for another name and pinned", Some(&elsewhere), &["--tls-fingerprint", &colons], OK, ""),
        rows("of an unknown authority", Some(&good), &[], TLS_FAILED, &seen(&good, "is from an unknown authority")),
        rows("self-signed", Some(&own), &[], TLS_FAILED, &seen(&own, "is self-signed")),
        rows("self-signed beside an authority", Some(&own), &by_file, TLS_FAILED, "is self-signed"),
        rows("expired", Some(&expired), &by_file, TLS_FAILED, &seen(&expired, "certificate has expired")),
        rows(
            "another name",
            Some(&other_name),
            &by_file,
            TLS_FAILED,
            &seen(&other_name, "certificate is for another name"),
        ),
        rows("another pin", Some(&good), &pinned, TLS_FAILED, &seen(&good, "is not the pinned one")),
        rows("known and another pin", Some(&good), &[pinned, by_file].concat(), TLS_FAILED, "is not the pinned one"),
    ];
    expect(everything.into_iter().flatten().collect()).await;
}

/// The certificate as a file, for as long as the test's process lives.
fn write(identity: &Identity) -> String {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.pem", identity.fingerprint));
    std::fs::write(&path, &identity.chain).expect("written");
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_in_the_handshake_and_after_it() {
    let own = self_signed(&[NAME]);
    let pinned = ["--tls-fingerprint", own.fingerprint.as_str()];
    let mut everything = Vec::new();
    let mut play = |what: &str, identity, fault, expected: [&'static str; 2], scheme: [Option<&'static str>; 2]| {
        for (at, mut row) in rows(what, identity, &pinned, OK, "").into_iter().enumerate() {
            if let Some(fault) = fault {
                row.camera = row.camera.fault(fault);
            }
            (row.expected, row.scheme) = (expected[at], scheme[at]);
            everything.push(row);
        }
    };
    let (tls, as_it_is) = (Some(&own), [None, None]);
    play("without TLS", None, None, [TLS_FAILED; 2], [Some("rtsps"), Some("https")]);
    let spoken_plainly = ["options protocol_error", "request protocol_error"];
    play("spoken to without TLS", tls, None, spoken_plainly, [Some("rtsp"), Some("http")]);
    play("silent", tls, Some(Fault::SilentAfterAccept), ["tls response_timeout"; 2], as_it_is);
    let refused = ["connect connection_refused"; 2];
    play("refused", tls, Some(Fault::ConnectionRefused), refused, as_it_is);
    let silent = ["describe response_timeout", "request response_timeout"];
    play("silent to DESCRIBE", tls, Some(Fault::SilentTo(Method::Describe)), [silent[0], OK], as_it_is);
    play("silent to GET", tls, Some(Fault::SilentTo(Method::Get)), [OK, silent[1]], as_it_is);
    let garbage = ["options protocol_error", "request protocol_error"];
    play("garbage", tls, Some(Fault::Garbage), garbage, as_it_is);
    play("endless header", tls, Some(Fault::EndlessHeader), garbage, as_it_is);
    let closes = ["options protocol_error", "request protocol_error"];
    play("closes", tls, Some(Fault::ClosesAfterRequest), closes, as_it_is);
    play("404", tls, Some(Fault::Status(404)), ["describe not_found", "request not_found"], as_it_is);
    expect(everything).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_sessions_and_times_are_as_without_tls() {
    let own = self_signed(&[NAME]);
    let pinned = ["--tls-fingerprint".to_owned(), own.fingerprint.clone()];
    let mut all = Vec::new();
    for (account, auth) in [("Basic", Auth::basic("admin", "späce ü")), ("Digest", Auth::digest("admin", "späce ü"))]
    {
        for camera in cameras(account, Some(&own)) {
            all.push(camera.auth(auth.clone()));
        }
        for camera in cameras(&format!("{account} refused"), Some(&own)) {
            all.push(camera.auth(auth.clone()).told("admin", "wrong"));
        }
    }
    let simulator = Simulator::start(SimulatorOptions::new(all)).await.expect("simulator");
    for name in simulator.names() {
        let report = probe(&simulator.url_with_credentials(name), &pinned, "ok").await;
        let counts = simulator.counts(name);
        let refused = name.ends_with("refused");
        assert_eq!(report["reason"], if refused { "auth_failed" } else { "ok" }, "{name}: {report}");
        assert_eq!(counts.requests_refused, usize::from(refused), "{name}: {counts:?}");
        assert_eq!(counts.teardowns, counts.sessions_opened, "{name}: {counts:?}");
        if name.starts_with("https") {
            assert!(report["phases_ms"]["tls"].is_number(), "{name}: {report}");
        }
    }
}

/// In one worker, where TLS sessions are resumed: what one stream takes is not thereby taken for another.
#[tokio::test(flavor = "multi_thread")]
async fn each_stream_has_its_own_terms() {
    let own = self_signed(&[NAME]);
    let cameras = cameras("shared", Some(&own));
    let simulator = Simulator::start(SimulatorOptions::new(cameras)).await.expect("simulator");
    let pinned = |fingerprint: &str| Trust { pinned: Fingerprint::parse(fingerprint), ..Trust::default() };
    let terms = [
        ("any", Trust { verify: false, ..Trust::default() }, Reason::Ok),
        ("any, again", Trust { verify: false, ..Trust::default() }, Reason::Ok),
        ("the system's authorities", Trust::default(), Reason::TlsFailed),
        ("the pinned one", pinned(&own.fingerprint), Reason::Ok),
        ("another pinned one", pinned(&"00".repeat(32)), Reason::TlsFailed),
        ("its own authority", Trust { authorities: Some(own.chain.as_str().into()), ..Trust::default() }, Reason::Ok),
    ];
    let options = common::pool_options().with_workers(1);
    let pool = streampulse::probe::pool::Pool::start(options).await.expect("pool");
    for name in simulator.names() {
        let mut taken = 0;
        for (what, trust, reason) in terms.clone() {
            let mut request = request(&format!("{name} {what}"), &simulator.url(name));
            request.trust = trust;
            let probed = pool.probe(request).await;
            assert_eq!(probed.report.reason(), reason, "{name}: {what}: {:?}", probed.report);
            taken += usize::from(reason == Reason::Ok);
            let counts = simulator.counts(name);
            let opened = counts.sessions_opened + counts.http_sessions_opened;
            assert_eq!(opened, taken, "{name}: {what}: nothing is asked of a camera that is not trusted");
        }
    }
    pool.close().await;
}
