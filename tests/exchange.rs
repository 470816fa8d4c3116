//! A probe that failed brings along what was asked and what the camera answered, in order, and no credential in it.

mod common;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{PROGRAM, certificates, pool, request};
use streampulse::model::url::percent_encode;
use streampulse::model::{Outcome, Reason, Trust};
use streampulse::probe::exchange::MAX_BYTES;
use streampulse::probe::pool::Pool;
use streampulse::probe::{ProbeRequest, Prober as _};
use streampulse::simulator::{Auth, Fault, Method, SimulatedCamera, Simulator, SimulatorOptions, Start, clips};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

/// A password that breaks careless code.
const PASSWORD: &str = "p@s/ Kernel91:é%41";

/// Its core, which every form but Base64 keeps as it is.
const CORE: &str = "Kernel91";

fn camera(name: &str) -> SimulatedCamera {
    // Two seconds, which a probe has here, are not enough to wait for the next keyframe.
    SimulatedCamera::rtsp(name, clips::gate()).start(Start::KeyframeFirst)
}

fn web_camera(name: &str) -> SimulatedCamera {
    SimulatedCamera::mjpeg(name, clips::pool_mjpeg())
}

async fn probe(pool: &Pool, request: ProbeRequest) -> (Reason, Option<String>) {
    let report = pool.probe(ProbeRequest { timeout: Duration::from_secs(2), ..request }).await.report;
    assert_eq!(report.outcome == Outcome::Ok, report.reason() == Reason::Ok);
    (report.reason(), report.exchange.map(String::from))
}

/// The lines stand in this order, others between them: `> ` and the like at the beginning of a message, after its time.
#[track_caller]
fn assert_order(what: &str, text: &str, expected: &[&str]) {
    let mut lines = text.lines();
    for wanted in expected {
        let found = lines.any(|line| match line.split_once(" ms ") {
            Some((time, message)) if line.starts_with('+') => {
                assert!(time[1..].parse::<f64>().is_ok(), "{what}: {line}");
                message.contains(wanted)
            }
            _ => line.starts_with("  ") && line.contains(wanted),
        });
        assert!(found, "{what}: {wanted:?} is missing or in another place:\n{text}");
    }
}

/// No form of the password, and no more than allowed.
#[track_caller]
fn assert_clean(what: &str, text: &str) {
    assert!(text.len() <= MAX_BYTES, "{what}: {} bytes", text.len());
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{what}: {text}");
    let pair = STANDARD.encode(format!("admin:{PASSWORD}"));
    let lower = text.to_lowercase();
    for form in [CORE, PASSWORD, &percent_encode(PASSWORD), &pair, &pair[12..], &STANDARD.encode(PASSWORD)] {
        assert!(!lower.contains(&form.to_lowercase()), "{what}: {form}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_is_told_in_order() {
    let identity = certificates::self_signed(&["127.1.0.1"]);
    let wrong = |camera: SimulatedCamera, auth: fn(&str, &str) -> Auth| {
        camera.auth(auth("admin", "another")).told("admin", PASSWORD)
    };
    let simulator = Simulator::start(SimulatorOptions::new([
        web_camera("https 404").tls(&identity.chain, &identity.key).fault(Fault::Status(404)),
        wrong(camera("wrong digest"), Auth::digest),
        wrong(camera("wrong basic"), Auth::basic),
        camera("404").fault(Fault::Status(404)),
        camera("silent").fault(Fault::SilentTo(Method::Describe)),
        camera("audio").fault(Fault::AudioOnly),
        camera("461").fault(Fault::StatusTo(Method::Setup, 461)),
        camera("moved").fault(Fault::Redirects { status: 302, location: "rtsp://root:hunter2@cam:99999/x" }),
        camera("damaged").fault(Fault::DamagedPictures),
        camera("refused").fault(Fault::ConnectionRefused),
        web_camera("http 404").fault(Fault::Status(404)),
        wrong(web_camera("http wrong digest"), Auth::digest),
        wrong(web_camera("http wrong basic"), Auth::basic),
        web_camera("http silent").fault(Fault::SilentAfterAccept),
    ]))
    .await
    .expect("simulator");
    let pool = pool().await;
    let asked = |wanted: &'static [&'static str]| wanted;
    let digest = asked(&[
        "= connecting to 127.",
        "= connected",
        "> OPTIONS rtsp://127.",
        "User-Agent: StreamPulse/",
        "< RTSP/1.0 200 OK",
        "Public: OPTIONS, DESCRIBE, ",
        "> DESCRIBE rtsp://127.",
        "< RTSP/1.0 401 ",
        "WWW-Authenticate: Digest realm=\"Simulated camera\", nonce=***",
        "> DESCRIBE rtsp://127.",
        "Authorization: ***",
        "< RTSP/1.0 401 ",
        "= failed at describe: auth_failed",
    ]);
    let http_refused = asked(&[
        "= connecting to 127.",
        "> GET /",
        "Host: 127.",
        "< HTTP/1.1 401 ",
        "WWW-Authenticate: ",
        "> GET /",
        "Authorization: ***",
        "< HTTP/1.1 401 ",
        "= failed at request: auth_failed",
    ]);
    for (name, reason, expected) in [
        ("wrong digest", Reason::AuthFailed, digest),
        ("wrong basic", Reason::AuthFailed, asked(&["< RTSP/1.0 401 ", "Basic realm=", "Authorization: ***"])),
        (
            "404",
            Reason::NotFound,
            asked(&["> DESCRIBE", "< RTSP/1.0 404 ", "CSeq: ", "= failed at describe: not_found"]),
        ),
        (
            "silent",
            Reason::ResponseTimeout,
            asked(&[
                "> DESCRIBE",
                "= no answer; ",
                "> DESCRIBE",
                "= 0 bytes",
                "= failed at describe: response_timeout",
            ]),
        ),
        (
            "audio",
            Reason::NoVideo,
            asked(&[
                "> DESCRIBE",
                "< RTSP/1.0 200 ",
                "application/sdp",
                "v=0",
                "m=audio",
                "= failed at describe: no_video",
            ]),
        ),
        (
            "461",
            Reason::UnsupportedTransport,
            asked(&[
                "media over TCP",
                "> SETUP",
                "Transport: RTP/AVP/TCP;",
                "< RTSP/1.0 461 ",
                "media over UDP",
                "> SETUP",
                "Transport: RTP/AVP;unicast;client_port=",
                "< RTSP/1.0 461 ",
            ]),
        ),
        ("moved", Reason::RedirectLoop, asked(&["< RTSP/1.0 302 ", "Location: rtsp://root:***@cam:99999/x"])),
        (
            "damaged",
            Reason::Corrupt,
            asked(&["> PLAY", "< RTSP/1.0 200 ", "Session: ***", "= media arrive", "= failed at decode: corrupt"]),
        ),
        (
            "refused",
            Reason::ConnectionRefused,
            asked(&["= connecting to 127.", "= failed at connect: connection_refused"]),
        ),
        (
            "http 404",
            Reason::NotFound,
            asked(&["= connecting to 127.", "> GET /", "< HTTP 404", "= failed at request: not_found"]),
        ),
        ("http wrong digest", Reason::AuthFailed, http_refused),
        // It is not ASCII, so the camera is asked first what it wants.
        ("http wrong basic", Reason::AuthFailed, http_refused),
        ("http silent", Reason::ResponseTimeout, asked(&["> GET /", "= failed at request: response_timeout"])),
        ("https 404", Reason::NotFound, asked(&["> GET /", "= connected, with TLS", "< HTTP 404"])),
    ] {
        let mut request = request(name, &simulator.url_with_credentials(name));
        request.trust = Trust { verify: false, ..Trust::default() };
        let (said, exchange) = probe(&pool, request).await;
        let exchange = exchange.unwrap_or_else(|| panic!("{name}: {said}, and nothing was said"));
        assert_eq!(said, reason, "{name}: {exchange}");
        assert_order(name, &exchange, expected);
        assert_clean(name, &exchange);
        assert!(!exchange.contains("hunter2") && !exchange.contains("Soup-"), "{name}: {exchange}");
    }
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_needs_no_evidence() {
    let simulator = Simulator::start(SimulatorOptions::new([
        camera("gate").auth(Auth::digest("admin", PASSWORD)),
        web_camera("pool").auth(Auth::basic("admin", "swim")),
    ]))
    .await
    .expect("simulator");
    let pool = pool().await;
    for name in ["gate", "pool"] {
        let said = probe(&pool, request(name, &simulator.url_with_credentials(name))).await;
        assert_eq!(said, (Reason::Ok, None));
    }
    // Nobody was asked.
    let nowhere = format!("rtsp://{}.example/", "x".repeat(64));
    assert_eq!(probe(&pool, request("nowhere", &nowhere)).await, (Reason::DnsFailed, None));
    pool.close().await;
}

/// What a hostile camera says to DESCRIBE, or to GET, with the credentials it was told.
fn hostile(form: usize, protocol: &str, first: &str, authorization: &str) -> Vec<u8> {
    let encoded = authorization.strip_prefix("Basic ").unwrap_or("nothing");
    let decoded = STANDARD.decode(encoded).unwrap_or_default();
    let told = String::from_utf8_lossy(&decoded).into_owned();
    let escaped: String = PASSWORD.chars().map(|c| if c == 'K' { "%4b".to_owned() } else { c.to_string() }).collect();
    let head = format!("{protocol} 500 {told} {encoded}\r\nCSeq: 2\r\n");
    let body =
        format!("{told}\n{}\n{}\n{escaped}\nrtsp://{told}@cam/x", told.replace(' ', "\n"), percent_encode(PASSWORD));
    match form {
        // Everywhere.
        0 => format!(
            "{head}Server: {told} {first}\r\nX: {escaped}\r\naUTHORIZATION: {told}\r\nSet-Cookie: a={encoded}\r\n\
             Location: rtsp://{told}@cam/?password={PASSWORD}\r\nContent-Type: application/sdp\r\n\
             WWW-Authenticate: Digest realm=\"{PASSWORD}\", nonce=\"{encoded}\"\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
        // Where lines are folded, and where they are cut.
        1 => format!(
            "{head}Server: a\r\n {told}\r\n\t{told}\r\nY: {}{PASSWORD}\r\nZ: {}{encoded}{encoded}\r\n{}\r\nContent-Length: 0\r\n\r\n",
            "y".repeat(500),
            "z".repeat(490),
            format!("W: {PASSWORD}\r\n").repeat(100).trim_end()
        )
        .into_bytes(),
        // Control characters and no text at all.
        _ => {
            let mut bytes = format!("{head}Server: \u{1b}[31m\u{202e}{told}\r\nJ: ").into_bytes();
            bytes.extend((1..=255_u8).filter(|byte| !b"\r\n".contains(byte)));
            bytes.extend(format!("\r\n{PASSWORD}: {PASSWORD}\r\nContent-Length: 0\r\n\r\n").into_bytes());
            bytes
        }
    }
}

/// Serves one such camera; gives its address.
async fn serve_hostile(form: usize, protocol: &'static str) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (reader, mut writer) = stream.into_split();
                let mut lines = BufReader::new(reader).lines();
                loop {
                    let mut head = Vec::new();
                    while let Ok(Some(line)) = lines.next_line().await {
                        if line.is_empty() {
                            break;
                        }
                        head.push(line);
                    }
                    let Some(first) = head.first() else { return };
                    let field = |name: &str| head.iter().find_map(|line| line.strip_prefix(name));
                    let cseq = field("CSeq: ").unwrap_or("0");
                    let answer = match field("Authorization: ") {
                        _ if first.starts_with("OPTIONS") => {
                            format!("{protocol} 200 OK\r\nCSeq: {cseq}\r\nPublic: DESCRIBE, SETUP, PLAY\r\n\r\n").into_bytes()
                        }
                        None => format!(
                            "{protocol} 401 No\r\nCSeq: {cseq}\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"
                        )
                        .into_bytes(),
                        Some(authorization) => hostile(form, protocol, first, authorization),
                    };
                    if writer.write_all(&answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_that_says_back_what_it_was_told() {
    let pool = pool().await;
    for (scheme, protocol) in [("rtsp", "RTSP/1.0"), ("http", "HTTP/1.1")] {
        for form in 0..3 {
            let what = format!("{scheme} {form}");
            let address = serve_hostile(form, protocol).await;
            let url = format!("{scheme}://admin:{}@{address}/live?token={CORE}", percent_encode(PASSWORD));
            let (_, exchange) = probe(&pool, request(&what, &url)).await;
            let exchange = exchange.expect(&what);
            let version = format!("< {} 500", protocol.replace("HTTP/1.1", "HTTP"));
            assert_order(&what, &exchange, &["Authorization: ***", &version, "= failed at "]);
            assert_clean(&what, &exchange);
        }
    }
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_told_who_asks_for_it() {
    let simulator = Simulator::start(SimulatorOptions::new([camera("404").fault(Fault::Status(404)), camera("gate")]))
        .await
        .expect("simulator");
    let said = |name: &'static str, argument: &'static str| {
        let url = simulator.url(name);
        async move {
            let mut program = tokio::process::Command::new(PROGRAM);
            program.args(["probe", &url, argument]).env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"));
            String::from_utf8(program.output().await.expect("streampulse probe").stdout).expect("text")
        }
    };
    let verbose = said("404", "-v").await;
    let (_, exchange) = verbose.split_once("\nwhat was said:\n").expect("a heading");
    assert_order("-v", exchange, &["> DESCRIBE rtsp://", "< RTSP/1.0 404 "]);
    assert!(!said("gate", "-v").await.contains("what was said"));
    let json: serde_json::Value = serde_json::from_str(&said("404", "--json").await).expect("JSON");
    let mut fields: Vec<_> = json.as_object().expect("an object").keys().map(String::as_str).collect();
    fields.sort_unstable();
    let documented =
        ["latency_ms", "message", "next_step", "outcome", "phases_ms", "picture", "reason", "stage", "url", "video"];
    assert_eq!(fields, documented);
}
