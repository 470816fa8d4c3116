//! Live previews of simulated cameras, through the program: pictures, and what they cost the camera.

mod common;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;

use common::service::{Answer, PATIENCE, Service, Site, wait_until};
use common::{Rgb, decode_jpeg, psnr, reference};
use serde_json::json;
use streampulse::preview::MAX_VIEWERS;
use streampulse::simulator::demo::config_text;
use streampulse::simulator::{Auth, Counts, SimulatedCamera, Simulator, SimulatorOptions, Start, clips};

/// Heartbeats that are not in the way.
const SELDOM: &str = "heartbeat_seconds: 3600";

async fn simulate(cameras: impl IntoIterator<Item = SimulatedCamera>) -> Simulator {
    Simulator::start(SimulatorOptions::new(cameras)).await.expect("simulator")
}

/// The service with these cameras, once every stream had its first probe.
fn service(site: &Site) -> Service {
    let service = site.start();
    service.streams_when(|streams| streams.values().all(|stream| stream["checked_at"].is_string()));
    service
}

fn site(simulator: &Simulator, heartbeat: &str) -> Site {
    Site::new(&format!("{heartbeat}\n{}", config_text(simulator)))
}

/// A preview that is watched.
struct Watching {
    answer: BufReader<TcpStream>,
    head: String,
    body: Vec<u8>,
}

impl Watching {
    /// Watches, and reads the head of the answer.
    fn open(service: &Service, path: &str) -> Self {
        let mut answer = BufReader::new(service.open(path));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(answer.read_line(&mut head).expect("a head") > 0, "{head}");
        }
        Self { answer, head, body: Vec::new() }
    }

    fn of(service: &Service, stream: &str) -> Self {
        let mut watching = Self::open(service, &format!("/api/streams/{stream}/preview?seconds=300"));
        if !watching.head.starts_with("HTTP/1.1 200") {
            let mut body = String::new();
            let _ = watching.answer.read_to_string(&mut body);
            panic!("{}{body}", watching.head);
        }
        let kind = "content-type: multipart/x-mixed-replace; boundary=streampulse-picture";
        assert!(watching.head.to_ascii_lowercase().contains(kind), "{}", watching.head);
        watching
    }

    /// One chunk more (RFC 9112 section 7.1); false at the end.
    fn read_chunk(&mut self) -> bool {
        let mut line = String::new();
        self.answer.read_line(&mut line).expect("the size of a chunk");
        let size = usize::from_str_radix(line.trim(), 16).expect("a size");
        let at = self.body.len();
        self.body.resize(at + size + 2, 0);
        self.answer.read_exact(&mut self.body[at..]).expect("a chunk");
        self.body.truncate(at + size);
        size > 0
    }

    /// The next part: when it was taken (seconds since 1970), and its JPEG. `None` at the end.
    fn next(&mut self) -> Option<(f64, Vec<u8>)> {
        const HEAD_END: &[u8] = b"\r\n\r\n";
        loop {
            let end = self.body.windows(4).position(|four| four == HEAD_END);
            if let Some(end) = end {
                let head = String::from_utf8(self.body[..end].to_vec()).expect("the head of a part");
                let value = |name: &str| {
                    let line = head.lines().find_map(|line| line.strip_prefix(name)).expect("a header");
                    line.trim().to_owned()
                };
                let length: usize = value("Content-Length:").parse().expect("a length");
                if self.body.len() >= end + 4 + length {
                    assert_eq!(value("Content-Type:"), "image/jpeg");
                    assert!(
                        head.starts_with("--streampulse-picture\r\n")
                            || head.starts_with("\r\n--streampulse-picture\r\n")
                    );
                    let at = value("X-Timestamp:").parse().expect("a time");
                    let jpeg = self.body[end + 4..end + 4 + length].to_vec();
                    self.body.drain(..end + 4 + length);
                    return Some((at, jpeg));
                }
            }
            if !self.read_chunk() {
                return None;
            }
        }
    }

    fn picture(&mut self) -> Rgb {
        decode_jpeg(&self.next().expect("a picture").1)
    }
}

/// The picture at half of its size, as the preview scales it down.
fn halved(picture: &Rgb) -> Rgb {
    let (width, height) = (picture.width / 2, picture.height / 2);
    let at = |x: usize, y: usize, c: usize| u32::from(picture.pixels[(y * picture.width + x) * 3 + c]);
    let mut pixels = Vec::new();
    for (y, x, c) in (0..height).flat_map(|y| (0..width).flat_map(move |x| (0..3).map(move |c| (y, x, c)))) {
        let sum = at(2 * x, 2 * y, c) + at(2 * x + 1, 2 * y, c) + at(2 * x, 2 * y + 1, c) + at(2 * x + 1, 2 * y + 1, c);
        pixels.push((sum / 4) as u8);
    }
    Rgb { width, height, pixels }
}

async fn when(simulator: &Simulator, camera: &str, condition: impl Fn(&Counts) -> bool) -> Counts {
    simulator.counts_when(camera, PATIENCE, condition).await.expect("it came to that")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_is_what_the_camera_sees() {
    let simulator = simulate([
        SimulatedCamera::rtsp("gate", clips::gate()).auth(Auth::digest("admin", "open/se:sam@me")),
        SimulatedCamera::rtsp("hevc", clips::pattern_h265()),
        SimulatedCamera::mjpeg("pool", clips::pool_mjpeg()).auth(Auth::basic("admin", "swim")),
    ])
    .await;
    let site = site(&simulator, SELDOM);
    let service = service(&site);
    let references = [
        ("gate", reference("gate.png")),
        ("hevc", halved(&reference("pattern-720p-h265.png"))),
        ("pool", reference("pool.png")),
    ];
    for (camera, expected) in &references {
        let mut watching = Watching::of(&service, camera);
        let (mut last, mut shown) = (0.0, Vec::new());
        for _ in 0..4 {
            let (at, jpeg) = watching.next().expect("a picture");
            assert!(at > last, "{camera}: {at} after {last}");
            last = at;
            let picture = decode_jpeg(&jpeg);
            // Whatever moves in it: it is this scene, and no other.
            let likeness = psnr(&picture, expected);
            for (other, reference) in references.iter().filter(|(other, _)| other != camera) {
                if (reference.width, reference.height) == (picture.width, picture.height) {
                    assert!(likeness > psnr(&picture, reference) + 3.0, "{camera} and not {other}: {likeness} dB");
                }
            }
            assert!(likeness > 15.0, "{camera}: {likeness} dB");
            shown.push(jpeg);
        }
        shown.dedup();
        assert!(shown.len() > 1, "{camera} moves");
        // There are only so many previews at once, and it is one until it has hung up.
        drop(watching);
        wait_until(|| service.json("/api/health")["previews"] == json!({"viewers": 0, "streams": 0}));
    }
    let (code, log) = service.stop();
    assert!(code == 0 && !log.contains("swim") && !log.contains("se:sam"), "{log}");
    for camera in ["gate", "hevc"] {
        let counts = when(&simulator, camera, |counts| counts.sessions_open == 0).await;
        assert_eq!((counts.sessions_opened, counts.teardowns), (2, 2), "{camera}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_of_a_stream_share_a_session_that_ends_with_the_last_of_them() {
    let simulator = simulate([SimulatedCamera::rtsp("gate", clips::gate())]).await;
    let site = site(&simulator, SELDOM);
    let service = service(&site);
    let (mut first, mut second) = (Watching::of(&service, "gate"), Watching::of(&service, "gate"));
    for _ in 0..3 {
        assert_eq!((first.picture().width, second.picture().width), (640, 640));
    }
    assert_eq!(service.json("/api/health")["previews"], json!({"viewers": 2, "streams": 1}));
    assert_eq!(when(&simulator, "gate", |counts| counts.sessions_open == 1).await.sessions_opened, 2);
    drop(first);
    wait_until(|| service.json("/api/health")["previews"]["viewers"] == 1);
    second.picture();
    drop(second);
    let counts = when(&simulator, "gate", |counts| counts.sessions_open == 0).await;
    assert_eq!((counts.sessions_opened, counts.teardowns, counts.most_sessions_open), (2, 2, 1));
    wait_until(|| service.json("/api/health")["previews"] == json!({"viewers": 0, "streams": 0}));
    // Who asked for a second gets no more of it.
    let mut short = Watching::open(&service, "/api/streams/gate/preview?seconds=1");
    while short.next().is_some() {}
    when(&simulator, "gate", |counts| counts.sessions_open == 0 && counts.teardowns == 3).await;
    for (path, status) in [("gate/preview?seconds=301", 400), ("gate/preview?seconds=x", 400), ("nobody/preview", 404)]
    {
        assert_eq!(service.get(&format!("/api/streams/{path}")).status, status, "{path}");
    }
    assert_eq!(service.get_as(None, "/api/streams/gate/preview").status, 401);
    assert_eq!(service.stop().0, 0);
}

/// The one session of the device is the heartbeat's whenever it needs it.
#[tokio::test(flavor = "multi_thread")]
async fn a_camera_with_one_session_keeps_its_heartbeats_while_it_is_watched() {
    let cameras = [
        // Keyframes as rare as its heartbeats would leave no time for anything else.
        SimulatedCamera::rtsp("gate", clips::gate()).start(Start::KeyframeFirst).session_limit(1),
        SimulatedCamera::mjpeg("pool", clips::pool_mjpeg()).session_limit(1),
    ];
    let simulator = simulate(cameras).await;
    let site = site(&simulator, "heartbeat_seconds: 4");
    let service = service(&site);
    for camera in ["gate", "pool"] {
        let mut watching = Watching::of(&service, camera);
        let before = simulator.counts(camera);
        let mut checked = vec![service.streams()[camera]["checked_at"].clone()];
        while checked.len() < 4 {
            watching.picture();
            let stream = service.streams()[camera].clone();
            assert_eq!((&stream["state"], &stream["reason"]), (&json!("up"), &json!("ok")), "{stream}");
            if checked.last() != Some(&stream["checked_at"]) {
                checked.push(stream["checked_at"].clone());
            }
        }
        // Tried by hand, too.
        let url = simulator.url_with_credentials(camera);
        let tried = service.post("/api/probe", &json!({"url": url}));
        assert_eq!((tried.status, &tried.json()["outcome"]), (200, &json!("ok")), "{}", tried.text());
        let opened = |counts: &Counts| counts.sessions_opened + counts.http_sessions_opened;
        // Three heartbeats at least, each between two sessions of the preview, and the trial.
        when(&simulator, camera, |counts| opened(counts) >= opened(&before) + 8).await;
        watching.picture();
        drop(watching);
        let counts = when(&simulator, camera, |counts| counts.sessions_open + counts.http_sessions_open == 0).await;
        assert_eq!((counts.refused_busy, counts.most_sessions_open), (0, 1), "{camera}: {counts:?}");
        assert_eq!(counts.teardowns, counts.sessions_opened);
    }
    assert_eq!(service.json("/api/health")["scheduler"]["heartbeats_missed"], 0);
    assert_eq!(service.stop().0, 0);
}

fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (status, &json!(code)), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_password_counts_and_is_then_left_alone() {
    let simulator = simulate([SimulatedCamera::rtsp("gate", clips::gate())
        .auth(Auth::digest("admin", "right"))
        .told("admin", "wrong")])
    .await;
    let site = site(&simulator, SELDOM);
    let service = service(&site);
    assert_eq!(simulator.counts("gate").requests_refused, 1);
    let answer = service.get("/api/streams/gate/preview");
    refused(&answer, 502, "preview_failed");
    let detail = &answer.json()["error"]["details"][0];
    assert_eq!((&detail["stage"], &detail["reason"]), (&json!("describe"), &json!("auth_failed")), "{detail}");
    assert!(detail["next_step"].is_string());
    refused(&service.get("/api/streams/gate/preview"), 409, "password_refused");
    assert_eq!(simulator.counts("gate").requests_refused, 2);
    assert!(service.streams()["gate"]["paused_until"].is_string());
    // Across a restart, too, once it is written down.
    let written = rusqlite::Connection::open(site.database()).expect("the database");
    let count = |row: &rusqlite::Row<'_>| row.get::<_, f64>(0);
    wait_until(|| written.query_row("SELECT total(count) FROM refusals", [], count) == Ok(2.0));
    drop(written);
    service.kill();
    let service = site.start();
    refused(&service.get("/api/streams/gate/preview"), 409, "password_refused");
    assert_eq!(simulator.counts("gate").requests_refused, 2);
    assert_eq!(service.stop().0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_only_so_many_viewers_and_one_preview_a_session() {
    let channel = |name: &str| {
        let camera = SimulatedCamera::rtsp(name, clips::gate()).device("recorder").path(format!("/{name}"));
        camera.session_limit(1)
    };
    let simulator = simulate([channel("one"), channel("two")]).await;
    let site = site(&simulator, SELDOM);
    let service = service(&site);
    let mut viewers: Vec<_> = (0..MAX_VIEWERS - 1).map(|_| Watching::of(&service, "one")).collect();
    refused(&service.get("/api/streams/two/preview"), 503, "device_busy");
    viewers.push(Watching::of(&service, "one"));
    refused(&service.get("/api/streams/one/preview"), 503, "too_many_viewers");
    for viewer in &mut viewers {
        viewer.picture();
    }
    assert_eq!(simulator.device_counts("one").most_open, 1);
    drop(viewers);
    wait_until(|| service.json("/api/health")["previews"]["viewers"] == 0);
    // The session that was left may not be hung up yet.
    let mut other = Watching::of(&service, "two");
    other.picture();
    assert_eq!(simulator.device_counts("one").most_open, 1);
    assert_eq!(service.stop().0, 0);
}
