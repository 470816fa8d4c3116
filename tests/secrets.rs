//! No password of any stream is found in what the service says, in whatever form, also when cameras, operators and
//! clients do their worst.

mod common;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use common::service::{ADMIN_PASSWORD, Answer, Service, Site, wait_until};
use rustix::process::Signal;
use streampulse::model::url::percent_encode;
use streampulse::simulator::{Auth, SimulatedCamera, Simulator, SimulatorOptions, clips};

/// A secret: each has a core of letters and digits of its own, which every form but Base64 keeps as it is, and around
/// it what breaks careless code.
struct Planted {
    username: String,
    secret: String,
    core: String,
}

fn planted(username: &str, before: &str, core: &str, after: &str) -> Planted {
    Planted { username: username.to_owned(), secret: format!("{before}{core}{after}"), core: core.to_owned() }
}

impl Planted {
    /// Everything that must not be found, in lower case.
    fn forms(&self) -> Vec<String> {
        let pair = format!("{}:{}", self.username, self.secret);
        let mut forms =
            vec![self.core.clone(), self.secret.clone(), percent_encode(&self.secret), STANDARD.encode(&pair)];
        for text in [&self.secret, &self.core] {
            // The Base64 of a text inside another depends on where in three bytes it begins.
            for (padding, skip) in [("", 0), ("x", 2), ("xx", 3)] {
                for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                    let encoded = engine.encode(format!("{padding}{text}"));
                    // The last character may hold bits of what follows.
                    forms.push(encoded[skip..encoded.len() - 1].to_owned());
                }
            }
        }
        forms.push(self.secret.bytes().map(|byte| format!("{byte:02x}")).collect());
        forms.iter().map(|form| form.to_lowercase()).collect()
    }
}

/// What was collected, by where it comes from.
#[derive(Default)]
struct Collected(Vec<(String, String)>);

impl Collected {
    fn add(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.0.push((place.into(), text.into()));
    }

    fn answer(&mut self, place: &str, answer: &Answer) {
        self.add(format!("{place} (head)"), &answer.head);
        self.add(place, answer.text());
    }

    /// Every place where a secret is found.
    fn leaks(&self, secrets: &[Planted]) -> Vec<String> {
        let mut leaks = Vec::new();
        for (place, text) in &self.0 {
            let lower = text.to_lowercase();
            for secret in secrets {
                for form in secret.forms() {
                    if let Some(at) = lower.find(&form) {
                        let line = lower[..at].rfind('\n').map_or(0, |i| i + 1);
                        let shown: String =
                            lower[line..].lines().next().unwrap_or_default().chars().take(300).collect();
                        leaks.push(format!("{} as {form:?} in {place}: {shown}", secret.core));
                    }
                }
            }
        }
        leaks
    }
}

/// A hostile camera: asks for Basic credentials and then says them back in its status line, decoded and not.
fn echoing_camera(protocol: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut writer = stream.try_clone().expect("clone");
                let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
                loop {
                    let head: Vec<_> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
                    let Some(first) = head.first() else { return };
                    let field = |name: &str| {
                        head.iter().find_map(|line| line.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)))
                    };
                    let cseq = field("CSeq").map_or("0", |(_, value)| value);
                    let status = match field("Authorization").and_then(|(_, value)| value.strip_prefix("Basic ")) {
                        _ if first.starts_with("OPTIONS") => "200 OK".to_owned(),
                        None => "401 Unauthorized".to_owned(),
                        Some(encoded) => {
                            let decoded = STANDARD.decode(encoded).expect("Base64");
                            format!("500 {} {encoded} {first}", String::from_utf8_lossy(&decoded))
                        }
                    };
                    let answer = format!(
                        "{protocol} {status}\r\nCSeq: {cseq}\r\nPublic: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\
                         WWW-Authenticate: Basic realm=\"echo\"\r\nServer: {status}\r\nContent-Length: 0\r\n\r\n"
                    );
                    if writer.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// A YAML scalar in double quotes, as JSON writes it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Command line and environment of every process below one.
fn processes(pid: u32, found: &mut Collected) -> usize {
    let read = |pid: u32, file: &str| {
        let bytes = std::fs::read(Path::new("/proc").join(pid.to_string()).join(file)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    for file in ["cmdline", "environ"] {
        let text = read(pid, file);
        // Only root can look into the environment of a process that hides its memory.
        let is_hidden = file == "environ" && !rustix::process::geteuid().is_root();
        assert!(!text.is_empty() || is_hidden, "/proc/{pid}/{file} says nothing");
        found.add(format!("/proc/{pid}/{file}"), text);
    }
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("threads");
    let mut count = 1;
    for task in tasks.flatten() {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        count += children.split_whitespace().map(|child| processes(child.parse().expect("pid"), found)).sum::<usize>();
    }
    count
}

/// Paths of a documented address: for `{id}` of a stream each of them, for other numbers the first ones.
fn paths_of(template: &str, ids: &[String]) -> Vec<String> {
    let Some((before, rest)) = template.split_once('{') else { return vec![template.to_owned()] };
    let (_, after) = rest.split_once('}').expect("a closing brace");
    let values: Vec<String> = match before {
        "/api/streams/" | "/history/" | "/preview/" => ids.to_vec(),
        "/api/incidents/" => (1..4).map(|number: i32| number.to_string()).collect(),
        "/api/reports/" => {
            vec!["current.json".to_owned(), "current-incidents.csv".to_owned(), "current.html".to_owned()]
        }
        "/api/users/" => vec!["admin".to_owned()],
        _ if before.ends_with("/evidence/") => vec!["1.jpg".to_owned(), "2.jpg".to_owned()],
        other => panic!("what is asked at {other}?"),
    };
    values.iter().flat_map(|value| paths_of(&format!("{before}{value}{after}"), ids)).collect()
}

/// Everything that can be read, by the service's own description.
fn read_everything(service: &Service, token: &str, ids: &[String], found: &mut Collected) -> usize {
    let document = service.json("/api/openapi.json");
    let mut count = 0;
    for (template, operations) in document["paths"].as_object().expect("paths") {
        // What never ends is listened to beside this.
        if operations.get("get").is_none() || template == "/api/events" || template.contains("preview") {
            continue;
        }
        for path in paths_of(template, ids) {
            let path = if path == "/probe" { format!("/probe?target={}", ids[0]) } else { path };
            let mut answer = service.get_as(Some(token), &path);
            if let Some((_, rest)) = answer.head.split_once("location: ").filter(|_| answer.status == 303) {
                let to = rest.lines().next().expect("an address").to_owned();
                answer = service.get_as(Some(token), &to);
            }
            assert!(answer.status < 500 || answer.status == 502, "{path}: {}", answer.text());
            found.answer(&path, &answer);
            count += 1;
        }
    }
    count
}

/// What is taken for a broker, and says back whatever it hears: user and password of MQTT are in its first packet.
fn echoing_broker() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut writer = stream.try_clone().expect("clone");
                let _ = std::io::copy(&mut &stream, &mut writer);
            });
        }
    });
    address
}

/// Everything that the API says to an administrator, and all that can be read to a viewer.
fn ask_everything(service: &Service, ids: &[String], found: &mut Collected) {
    found.answer("/", &service.get("/"));
    for id in ids {
        let probed = service.post_as(Some(&service.token()), &format!("/api/streams/{id}/probe"), "");
        // A camera that refused the password twice is left alone.
        let paused = id.contains("wrong") && probed.status == 409;
        assert!(probed.status == 200 || paused, "{id}: {}", probed.text());
        found.answer(&format!("probe of {id}"), &probed);
        let path = format!("/api/streams/{id}/snapshot.jpg?fresh=1");
        found.answer(&path, &service.get(&path));
    }
    assert!(read_everything(service, &service.token(), ids, found) > 5 * ids.len());
    let body = "{\"name\":\"reader\",\"role\":\"viewer\"}";
    let made = service.post_as(Some(&service.token()), "/api/tokens", body);
    let reader = made.json()["token"].as_str().expect("a token").to_owned();
    read_everything(service, &reader, ids, found);
    found.answer("/metrics without its token", &service.get_as(None, "/metrics"));
    for path in ["/api/nothing", "/api/streams/nothing", "/api/streams/nothing/history", "/nothing"] {
        let answer = service.get(path);
        assert_eq!(answer.status, 404, "{path}");
        found.answer(path, &answer);
    }
    let history = format!("/api/streams/{}/history?limit=many", ids[0]);
    found.answer(&history, &service.get(&history));
    let events = service.events(|text| text.matches("event:").count() > ids.len());
    found.add("/api/events", events);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_found_anywhere() {
    let right_digest = planted("admin", "p@s/", "DigestKernel71", ":?#[%41]ü \"'\\");
    let right_basic = planted("view er", "%2f", "BasicKernel72", "@&=+$;,");
    let wrong = planted("admin", "!", "WrongKernel73", "@/x:y");
    let mjpeg = planted("admin", "m/", "MjpegKernel74", "@:é");
    let mjpeg_wrong = planted("admin", "n%", "MjpegWrongKernel75", "^`{|}~");
    let in_query = planted("viewer", "q", "QueryKernel76", "%20w");
    let in_path = planted("admin", "x_", "PathKernel85", "/é_y");
    let in_old_path = planted("admin", "o_", "OldPathKernel86", "/ü");
    let nested = planted("root", "n@", "NestedKernel87", "/&:x");
    let in_keys = planted("key user", "k:@/%", "KeysKernel77", "'\"é#");
    let echoed = planted("admin", "e@", "EchoKernel78", "/%f");
    let echoed_http = planted("admin", "h:", "EchoHttpKernel79", "@?");
    let in_broken_urls = planted("admin", "b@/", "BrokenKernel80", ":99999");
    let mqtt = planted("mq", "t#", "MqttKernel81", "\\");
    let metrics = planted("", "", "MetricsKernel82", "-._~");
    let typed = planted("admin", "", "TypedKernel83", "\"x");
    let nowhere = planted("admin", "c/", "NowhereKernel84", "@");

    let h264 = clips::pattern_h264;
    let user = |p: &Planted| (p.username.clone(), p.secret.clone());
    let digest = |p: &Planted| Auth::digest(&user(p).0, &user(p).1);
    let basic = |p: &Planted| Auth::basic(&user(p).0, &user(p).1);
    let query_path = format!("/snap.mjpg?user=viewer&password={}", percent_encode(&in_query.secret));
    // As Xiongmai's cameras take it, new and old, and as go2rtc does.
    let encoded = |p: &Planted| percent_encode(&p.secret);
    let path = format!("/user=admin&password={}&channel=1&stream=0.sdp", encoded(&in_path));
    let old_path = format!("/user=admin_password={}_channel=1_stream=0.sdp", encoded(&in_old_path));
    let nested_path = format!("/frame.mjpg?src=rtsp://root:{}@192.0.2.1/x", nested.secret);
    let encoded_path =
        format!("/frame.mjpg?src={}", percent_encode(&format!("rtsp://root:{}@192.0.2.1/x", encoded(&nested))));
    let simulator = Simulator::start(SimulatorOptions::new([
        SimulatedCamera::rtsp("path", h264()).path(path.as_str()),
        SimulatedCamera::rtsp("old-path", h264()).path(old_path.as_str()),
        SimulatedCamera::mjpeg("nested", clips::pool_mjpeg()).path(nested_path.as_str()),
        SimulatedCamera::mjpeg("nested-encoded", clips::pool_mjpeg()).path(encoded_path.as_str()),
        SimulatedCamera::rtsp("digest", h264()).auth(digest(&right_digest)),
        SimulatedCamera::rtsp("basic", h264()).auth(basic(&right_basic)),
        SimulatedCamera::rtsp("wrong", h264()).auth(Auth::digest("admin", "another")).told("admin", &wrong.secret),
        SimulatedCamera::rtsp("wrong-basic", h264()).auth(Auth::basic("admin", "another")).told("admin", &wrong.secret),
        SimulatedCamera::mjpeg("mjpeg", clips::pool_mjpeg()).auth(basic(&mjpeg)),
        SimulatedCamera::mjpeg("mjpeg-wrong", clips::pool_mjpeg())
            .auth(Auth::basic("admin", "another"))
            .told("admin", &mjpeg_wrong.secret),
        SimulatedCamera::mjpeg("query", clips::pool_mjpeg()).path(query_path),
        SimulatedCamera::rtsp("keys", h264()).auth(digest(&in_keys)),
    ]))
    .await
    .expect("simulator");

    let mut urls: Vec<(String, String)> = simulator
        .names()
        .iter()
        .filter(|name| *name != "keys")
        .map(|name| (name.clone(), simulator.url_with_credentials(name)))
        .collect();
    let with = |scheme: &str, p: &Planted, address: &str| {
        format!("{scheme}://{}:{}@{address}/live", percent_encode(&p.username), percent_encode(&p.secret))
    };
    let rtsp_echo = echoing_camera("RTSP/1.0").to_string();
    urls.push(("echo".to_owned(), with("rtsp", &echoed, &rtsp_echo)));
    // As people paste them: not percent-encoded.
    urls.push(("echo-raw".to_owned(), format!("rtsp://admin:{}@{rtsp_echo}/live", echoed.secret)));
    urls.push(("echo-http".to_owned(), with("http", &echoed_http, &echoing_camera("HTTP/1.1").to_string())));
    // It says back the path, too.
    for (name, path) in [("echo-path", &path), ("echo-old-path", &old_path), ("echo-nested", &nested_path)] {
        urls.push((name.to_owned(), format!("rtsp://viewer:x@{rtsp_echo}{path}?real_stream")));
    }
    urls.push(("refused-path".to_owned(), format!("rtsp://127.9.9.9:1{path}?real_stream")));
    urls.push(("refused-nested".to_owned(), format!("http://127.9.9.9:1{nested_path}")));
    urls.push(("refused".to_owned(), with("rtsp", &nowhere, "127.9.9.9:1")));
    urls.push(("no-name".to_owned(), with("rtsp", &nowhere, "camera.invalid")));

    let mut config = format!(
        "heartbeat_seconds: 2\nprobe: {{timeout_seconds: 5}}\nmetrics: {{token: {}}}\n\
         mqtt: {{enabled: true, host: 127.0.0.1, port: {}, username: mq, password: {}}}\nstreams:\n",
        quoted(&metrics.secret),
        echoing_broker().port(),
        quoted(&mqtt.secret)
    );
    for (name, url) in &urls {
        config.push_str(&format!("  - {{name: {name}, url: {}}}\n", quoted(url)));
    }
    config.push_str(&format!(
        "  - {{name: keys, url: {}, username: {}, password: {}}}\n",
        quoted(&simulator.url("keys")),
        quoted(&in_keys.username),
        quoted(&in_keys.secret)
    ));

    let site = Site::new(&config).with("STREAMPULSE_LOG", "debug,streampulse=trace");
    let mut found = Collected::default();
    let service = site.start();

    // Every stream has a verdict, and the right one: at once, or after one that a slow machine had no time for.
    let expected = [
        ("digest", "ok"),
        ("basic", "ok"),
        ("wrong", "auth_failed"),
        ("wrong-basic", "auth_failed"),
        ("mjpeg", "ok"),
        ("mjpeg-wrong", "auth_failed"),
        ("query", "ok"),
        ("keys", "ok"),
        ("echo", "server_error"),
        ("echo-raw", "server_error"),
        ("echo-http", "server_error"),
        ("path", "ok"),
        ("old-path", "ok"),
        // GStreamer writes some characters of the path in another way than the simulator expects.
        ("nested", "not_found"),
        ("nested-encoded", "ok"),
        ("echo-path", "server_error"),
        ("echo-old-path", "server_error"),
        ("echo-nested", "server_error"),
        ("refused-path", "connection_refused"),
        ("refused-nested", "connection_refused"),
        ("refused", "connection_refused"),
        ("no-name", "dns_failed"),
    ];
    let streams = service.streams_when(|all| expected.iter().all(|(id, reason)| all[*id]["reason"] == *reason));
    wait_until(|| service.json("/api/health")["mqtt"]["state"] == "failed");
    let problem = service.json("/api/health")["mqtt"]["problem"].clone();
    assert!(problem.as_str().is_some_and(|problem| problem.ends_with("is no MQTT broker.")), "{problem}");
    let ids: Vec<String> = streams.into_keys().collect();
    ask_everything(&service, &ids, &mut found);
    let scraped = service.get_as(Some(&metrics.secret), "/metrics");
    assert_eq!(scraped.status, 200);
    found.answer("/metrics", &scraped);

    // Settings of MQTT that are tried, good and bad.
    for (settings, status) in [
        ("{}".to_owned(), 200),
        ("{\"settings\":{\"password\":\"***\"}}".to_owned(), 422),
        (format!("{{\"settings\":{{\"host\":\"mqtt://admin:{}@127.0.0.1/\"}}}}", typed.core), 422),
        (format!("{{\"settings\":{{\"password\":{},\"port\":1,\"username\":\"x\"}}}}", quoted(&typed.secret)), 200),
    ] {
        let answer = service.post_as(Some(&service.token()), "/api/mqtt/test", &settings);
        assert_eq!(answer.status, status, "{settings}: {}", answer.text());
        found.answer("a test of MQTT", &answer);
    }

    // Sign-ins that make no sense; what the client sent is not told to the log or to anybody.
    for body in [
        format!("{{\"username\":\"admin\",\"password\":{}}}", quoted(&typed.secret)),
        format!("{{\"username\":\"admin\",\"password\":{}", quoted(&typed.secret)),
        format!("{{\"username\":\"admin\",\"password\":[{}]}}", quoted(&typed.secret)),
        format!("{{\"username\":\"admin\",\"pasword\":{}}}", quoted(&typed.secret)),
        format!("{{\"username\":{},\"password\":\"x\"}}", quoted(&typed.secret)),
        format!("{{{}:1}}", quoted(&typed.secret)),
        quoted(&typed.secret),
        typed.secret.clone(),
    ] {
        let answer = service.post_as(None, "/api/login", &body);
        assert!((400..500).contains(&answer.status), "{body}: {}", answer.status);
        found.answer("a wrong login", &answer);
        found.answer("a wrong password", &service.post_as(Some(&service.token()), "/api/password", &body));
    }

    let worker_count = processes(service.pid(), &mut found);
    assert!(worker_count > 1, "the service has workers");

    // Bad configurations with a password in them.
    let url = |url: &str| format!("streams:\n  - {{name: a, url: {}}}\n", quoted(url));
    let secret = &in_broken_urls.secret;
    let broken = [
        url(&format!("rtps://admin:{secret}@cam/live")),
        url(&format!("rtsp://admin:{secret}@cam:x/live")),
        url(&format!("rtsp://admin:{secret}")),
        url(&format!("admin:{secret}@cam/live")),
        url(&format!("rtsp://admin:{secret}@/live")),
        url(&format!("rtsp://admin:{secret}@cam/li ve")),
        format!("streams:\n  - {{name: a, url: \"rtsp://cam/\", password: [{}]}}\n", quoted(secret)),
        format!("streams:\n  - {{name: a, url: \"rtsp://cam/\", passwort: {}, transport: x}}\n", quoted(secret)),
        format!("streams:\n  - {{name: a, name: {}}}\n", quoted(secret)),
        format!("streams:\n  - name: a\n    url: rtsp://admin:\"{secret}: - @cam\n  password: {secret}\n"),
        format!("streams: []\nmqtt: {{password: {{x: {}}}}}\n", quoted(secret)),
        format!("streams: []\nmetrics: {{token: [{}]}}\n", quoted(secret)),
        format!("streams: []\nmetrics: {}\n", quoted(secret)),
        format!("streams: {}\n", quoted(&format!("rtsp://admin:{secret}@cam/"))),
        format!("rtsp://admin:{secret}@cam/\n"),
    ];
    for (number, text) in broken.iter().enumerate() {
        site.configure(text);
        service.signal(Signal::HUP);
        service.wait_for_log("the last good configuration stays in use", number + 1);
        found.answer("/api/health after a bad reload", &service.get("/api/health"));
        let checked = site.run(&["check-config"]);
        assert_eq!(checked.status.code(), Some(78), "{text}");
        found.add("check-config", String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()));
        let probed = site.run(&["probe", "a"]);
        found.add("probe with a bad configuration", String::from_utf8_lossy(&[probed.stdout, probed.stderr].concat()));
    }
    site.configure(&config);
    service.signal(Signal::HUP);
    wait_until(|| service.json("/api/health")["configuration"]["ok"] == true);
    let checked = site.run(&["check-config"]);
    assert_eq!(checked.status.code(), Some(0));
    found.add("check-config", String::from_utf8_lossy(&checked.stdout));

    // Probes for a person, by URL and by name.
    for (name, url) in &urls {
        for arguments in [&["probe", url.as_str(), "-v"][..], &["probe", url, "--json"], &["probe", name]] {
            let output = site.run(arguments);
            assert!(matches!(output.status.code(), Some(0 | 1)), "{arguments:?}: {output:?}");
            found.add(format!("probe of {name}"), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
        }
    }
    for text in
        [format!("rtps://admin:{secret}@cam/"), format!("rtsp://admin:{secret}"), format!("http://a:{secret}@/")]
    {
        let output = site.run(&["probe", &text, "--timeout", "1s"]);
        assert!(!output.status.success());
        found.add("probe of a broken URL", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    }

    let (code, log) = service.stop();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains(" DEBUG ") || log.contains(" TRACE "), "the log tells much");
    found.add("the log", log);
    for entry in std::fs::read_dir(site.state()).expect("state") {
        let path = entry.expect("entry").path();
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("read");
            found.add(path.display().to_string(), String::from_utf8_lossy(&bytes));
        }
    }

    let secrets = [
        right_digest,
        right_basic,
        wrong,
        mjpeg,
        mjpeg_wrong,
        in_query,
        in_path,
        in_old_path,
        nested,
        in_keys,
        echoed,
        echoed_http,
        in_broken_urls,
        mqtt,
        metrics,
        typed,
        nowhere,
        planted("admin", "", ADMIN_PASSWORD, ""),
    ];
    let leaks = found.leaks(&secrets);
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
}

#[test]
fn the_search_finds_every_form() {
    let secret = planted("admin", "p@/", "Kernel", "é");
    for text in [
        "x p@/Kernelé y".to_owned(),
        percent_encode("p@/Kernelé"),
        percent_encode("p@/Kernelé").to_lowercase(),
        STANDARD.encode("admin:p@/Kernelé"),
        STANDARD.encode("ab:p@/Kernelé and more"),
        STANDARD.encode("abc:p@/Kernelé"),
        STANDARD.encode("abcd:p@/Kernelé."),
        "only the kernel".to_owned(),
    ] {
        let mut found = Collected::default();
        found.add("here", format!("before\n{text}\nafter"));
        assert!(!found.leaks(std::slice::from_ref(&secret)).is_empty(), "{text}");
    }
    let mut found = Collected::default();
    found.add("here", "nothing of the kind");
    assert!(found.leaks(&[secret]).is_empty());
}
