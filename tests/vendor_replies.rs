//! Answers of real cameras, played to the program. The files of `tests/fixtures/replies` say where the facts are from.

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use common::{fixture, probe_json, stage_and_reason};
use futures_util::StreamExt as _;
use streampulse::simulator::{
    Auth, Fault, Method, ParameterSets, SimulatedCamera, Simulator, SimulatorOptions, Start, Transports, clips,
};

/// One file: `# key: value` lines, then the answer as it is on the wire, with LF for CR LF.
struct Recorded {
    name: String,
    keys: BTreeMap<String, String>,
    text: String,
}

impl Recorded {
    fn read(path: &std::path::Path) -> Self {
        const KEYS: [&str; 14] = [
            "camera",
            "origin",
            "facts",
            "expect",
            "path",
            "method",
            "clip",
            "payload-type",
            "track",
            "sets",
            "account",
            "transports",
            "status",
            "lines",
        ];
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).expect(&name);
        let mut keys = BTreeMap::new();
        let mut rest = text.as_str();
        while let Some((line, after)) = rest.split_once('\n').filter(|(line, _)| line.starts_with("# ")) {
            let (key, value) = line[2..].split_once(": ").expect(&name);
            assert!(KEYS.contains(&key), "{name}: {key}");
            keys.insert(key.to_owned(), value.to_owned());
            rest = after;
        }
        assert!(["camera", "origin", "facts", "expect", "path"].iter().all(|key| keys.contains_key(*key)), "{name}");
        let lines_end = if keys.get("lines").is_some_and(|lines| lines == "lf") { "\n" } else { "\r\n" };
        Self { name, text: rest.replace('\n', lines_end), keys }
    }

    fn key(&self, key: &str) -> Option<&str> {
        self.keys.get(key).map(String::as_str)
    }

    fn camera(&self) -> SimulatedCamera {
        let method = self.key("method").map_or(Method::Describe, |method| Method::parse(method).expect(&self.name));
        let camera = match (method, self.key("clip")) {
            (Method::Get, _) => SimulatedCamera::mjpeg(&self.name, clips::pool_mjpeg()),
            (_, Some("h265")) => SimulatedCamera::rtsp(&self.name, clips::pattern_h265()),
            (_, clip) => {
                assert_eq!(clip, None, "{}", self.name);
                SimulatedCamera::rtsp(&self.name, clips::gate())
            }
        };
        let mut camera =
            camera.start(Start::KeyframeFirst).path(self.key("path").expect("a path")).reply(method, &*self.text);
        if let Some(number) = self.key("payload-type") {
            camera = camera.payload_type(number.parse().expect(&self.name));
        }
        if let Some(track) = self.key("track") {
            camera = camera.video_track(track);
        }
        if let Some(status) = self.key("status") {
            camera = camera.fault(Fault::Status(status.parse().expect(&self.name)));
        }
        camera = match self.key("sets") {
            None => camera,
            Some("sdp") => camera.parameter_sets(ParameterSets::SdpOnly),
            Some("band") => camera.parameter_sets(ParameterSets::InBandOnly),
            Some(other) => panic!("{}: {other}", self.name),
        };
        camera = match self.key("transports") {
            None => camera,
            Some("udp") => camera.transports(Transports::UdpOnly),
            Some(other) => panic!("{}: {other}", self.name),
        };
        match self.key("account") {
            None => camera,
            Some("digest") => camera.auth(Auth::digest("admin", "swim")),
            Some("both") => camera.auth(Auth::both("admin", "swim")),
            Some("wrong") => camera.auth(Auth::digest("admin", "swim")).told("admin", "sink"),
            Some(other) => panic!("{}: {other}", self.name),
        }
    }
}

/// What the program says of a URL: `ok` with a picture, else `stage reason`; and all of it.
async fn verdict(url: &str) -> (String, String) {
    let report = probe_json(url, &["--timeout", "30s"]).await;
    let text = report.to_string();
    if report["outcome"] == "ok" {
        assert!(report["video"]["width"].as_u64().is_some(), "{text}");
        return ("ok".to_owned(), text);
    }
    (stage_and_reason(&report), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_of_real_cameras_get_the_right_verdict() {
    let mut files: Vec<_> =
        std::fs::read_dir(fixture("replies")).expect("replies").map(|entry| entry.expect("a file").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    let recorded: Vec<Recorded> = files.iter().map(|path| Recorded::read(path)).collect();
    assert!(recorded.len() >= 40, "only {} replies", recorded.len());
    let simulator =
        Simulator::start(SimulatorOptions::new(recorded.iter().map(Recorded::camera))).await.expect("simulator");
    let wrong: Vec<String> = futures_util::stream::iter(&recorded)
        .map(|recorded| async {
            let url = simulator.url_with_credentials(&recorded.name);
            let (said, report) = verdict(&url).await;
            let expected = recorded.key("expect").expect("an expectation");
            (said != expected).then(|| format!("{}: {said}, expected {expected}\n{report}", recorded.name))
        })
        .buffer_unordered(4)
        .filter_map(|wrong| async { wrong })
        .collect()
        .await;
    let mut report = String::new();
    for recorded in &recorded {
        let counts = simulator.counts(&recorded.name);
        let is_http = recorded.key("method") == Some("GET");
        if counts.teardowns != counts.sessions_opened {
            writeln!(report, "{}: no TEARDOWN", recorded.name).expect("a string");
        }
        // Audio and metadata are not set up: their SETUP would be a 404, and no picture would come of it.
        let refused = if recorded.key("account") == Some("wrong") { 1 } else { 0 };
        if counts.requests_refused > refused {
            writeln!(report, "{}: {} requests with a refused password", recorded.name, counts.requests_refused)
                .expect("a string");
        }
        if recorded.key("expect") == Some("ok") && !is_http && counts.plays != 1 {
            writeln!(report, "{}: {} times PLAY", recorded.name, counts.plays).expect("a string");
        }
    }
    assert!(wrong.is_empty() && report.is_empty(), "{} wrong:\n{}\n{report}", wrong.len(), wrong.join("\n"));
}

/// Other clients do not look at the number; the jitter buffer of GStreamer drops what comes before it, half of all numbers.
#[tokio::test(flavor = "multi_thread")]
async fn what_rtp_info_says_of_the_first_number_does_not_matter() {
    const AHEAD: [u16; 4] = [1, 300, 32_000, u16::MAX - 300];
    let name = |ahead: u16| format!("{ahead} ahead");
    let camera = |ahead| SimulatedCamera::rtsp(name(ahead), clips::gate()).announced_ahead(ahead);
    let simulator = Simulator::start(SimulatorOptions::new(AHEAD.map(camera))).await.expect("simulator");
    for ahead in AHEAD {
        for transport in ["tcp", "udp"] {
            let url = simulator.url(&name(ahead));
            let report = probe_json(&url, &["--timeout", "30s", "--transport", transport]).await;
            assert_eq!(report["outcome"], "ok", "{ahead} over {transport}: {report}");
        }
    }
}
