use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::Transport;

fn read(text: &str) -> Result<Loaded, Problems> {
    parse(Path::new("config.yaml"), text.as_bytes(), &Overrides::default())
}

fn good(text: &str) -> Config {
    read(text).unwrap_or_else(|problems| panic!("{problems}\n{text}")).config
}

fn warnings(text: &str) -> Vec<String> {
    let loaded = read(text).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    loaded.warnings.iter().map(ToString::to_string).collect()
}

fn problems(text: &str) -> Vec<String> {
    let problems = read(text).map(|_| ()).expect_err(text);
    problems.problems.iter().map(ToString::to_string).collect()
}

/// The sample in the original's README, as it is there.
const ORIGINAL: &str = "heartbeat_seconds: 15
timezone: Asia/Kolkata

streams:
  - name: GateCamera
    url: rtsp://user:secret@192.0.2.10:554/stream1

  - name: LabCam1
    url: http://192.168.1.1:9081
";

#[test]
fn the_originals_file_loads_unchanged() {
    assert_eq!(warnings(ORIGINAL), [""; 0]);
    let config = good(ORIGINAL);
    assert_eq!((config.heartbeat, config.timezone_name.as_str()), (Duration::from_secs(15), "Asia/Kolkata"));
    let gate = config.stream("gatecamera").unwrap();
    assert_eq!(gate.shown_url(), "rtsp://user:***@192.0.2.10:554/stream1");
    assert_eq!((gate.heartbeat, gate.timeout, gate.enabled), (Duration::from_secs(15), Duration::from_secs(10), true));
    assert_eq!(config.streams[1].url.to_string(), "http://192.168.1.1:9081/");
}

#[test]
fn the_originals_mqtt_block_and_old_zone_names_load() {
    let text = "mqtt:
  enabled: yes
  host: \"broker.example\"
  port: '1884'                     # TCP port
  ws_port: \"8000\"
  tls_port: 0
  tls_ws_port: port
  use_tls: Off
  username: null
  password: 0123
  client_id: ~
  topic: \"stream_monitor/status\"
  qos: 7
  interval_seconds: 1
  api_status_url: \"http://localhost:7000/api/status\"
heartbeat_seconds: 1
timezone: Asia/Calcutta
streams:
- name: Testing streams
  url: http://158.58.130.148/mjpg/video.mjpg
";
    let config = good(text);
    let mqtt = &config.mqtt;
    assert_eq!((mqtt.enabled, mqtt.port, mqtt.tls_port, mqtt.tls_ws_port, mqtt.qos), (true, 1884, 8883, 8884, 2));
    assert_eq!((mqtt.interval, mqtt.use_tls), (Duration::from_secs(5), false));
    assert_eq!((&mqtt.username, &mqtt.client_id), (&None, &None));
    assert_eq!(mqtt.password.as_ref().unwrap().expose(), "0123");
    assert_eq!(
        warnings(text),
        [
            "line 6: mqtt.tls_port: \"0\" is not a whole number from 1 to 65535; 8883 is used",
            "line 7: mqtt.tls_ws_port: \"port\" is not a whole number from 1 to 65535; 8884 is used",
            "line 13: mqtt.qos: \"7\" is outside 0 to 2; 2 is used",
            "line 14: mqtt.interval_seconds: \"1\" is outside 5 to 86400; 5 is used",
            "line 16: heartbeat_seconds: \"1\" is outside 2 to 3600; 2 is used",
        ]
    );
}

#[test]
fn the_default_file_says_the_defaults() {
    assert_eq!(warnings(DEFAULT_FILE), [""; 0]);
    assert_eq!(good(DEFAULT_FILE), Config::default());
}

#[test]
fn the_default_files_examples_are_good() {
    let mut text: String = DEFAULT_FILE.replace("streams: []", "streams:").replace("tls: null ", "tls: ");
    for list in ["targets", "devices", "maintenance"] {
        text = text.replace(&format!("{list}: [] "), &format!("{list}: "));
    }
    let lines: Vec<String> = text
        .lines()
        .map(|line| match line.trim_start().strip_prefix('#') {
            Some(rest) if rest.starts_with("  ") => rest.to_owned(),
            _ => line.to_owned(),
        })
        .map(|line| {
            let of_web = ["cert_file: /", "key_file: /", "hsts_seconds: "];
            if of_web.iter().any(|key| line.trim_start().starts_with(key)) { format!("  {line}") } else { line }
        })
        .collect();
    let authority = authority_file();
    let text = lines.join("\n").replace("/etc/streampulse/camera-ca.pem", &authority.path().display().to_string());
    let devices = text.lines().position(|line| line.starts_with("devices:")).unwrap();
    let host = devices + 1 + text.lines().skip(devices).position(|line| line.contains("host:")).unwrap();
    assert_eq!(warnings(&text), [format!("line {host}: devices[0].host: no stream is on this host")]);
    let config = good(&text);
    let yard = config.stream("yard").unwrap();
    assert_eq!(yard.credentials.as_ref().unwrap().password.expose(), "p@ss/word#1");
    assert_eq!(yard.parent.as_ref().unwrap().as_str(), "gatecamera");
    assert_eq!((yard.tags.len(), yard.expect.width_px, config.devices[0].sessions), (2, Some(1920), 8));
    assert!(config.web.tls.is_some() && yard.trust.authorities.is_some());
    let targets: Vec<_> =
        config.notify.targets.iter().map(|target| (target.name.as_str(), target.to.to_string())).collect();
    let [phone, duty, mail] = targets.as_slice() else { panic!("{targets:?}") };
    assert_eq!(*phone, ("phone", "https://ntfy.example.org".to_owned()));
    assert_eq!(*duty, ("duty", "https://chat.example.org".to_owned()));
    assert_eq!(*mail, ("mail", "smtp://mail.example.org:587".to_owned()));
    let names: Vec<_> = config.maintenance.iter().filter_map(|window| window.name.as_deref()).collect();
    assert_eq!(names, ["Nightly restart", "New switch"]);
}

/// A file that looks like one with a certificate; nobody checks more of it here.
fn authority_file() -> tempfile::NamedTempFile {
    use base64::Engine as _;
    let der = base64::engine::general_purpose::STANDARD.encode([0x30; 300]);
    let file = tempfile::NamedTempFile::new().unwrap();
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----";
    let certificate = format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----");
    std::fs::write(file.path(), format!("{key}\n{certificate}\n")).unwrap();
    file
}

#[test]
fn what_is_said_of_certificates_is_checked_when_it_is_read() {
    let stream = |rest: &str| format!("streams:\n  - name: A\n    url: rtsps://a/1\n    {rest}\n");
    let authority = authority_file();
    let trust = |rest: &str| good(&stream(rest)).streams[0].trust.clone();
    let read = trust(&format!("ca_file: {}", authority.path().display())).authorities.unwrap();
    assert!(read.starts_with("-----BEGIN CERTIFICATE-----") && !read.contains("PRIVATE"), "{read}");
    let digits = "0A:1b".repeat(16).replace("b0", "b:0");
    for text in [digits.clone(), digits.replace(':', ""), format!("sha256:{digits}")] {
        let pinned = trust(&format!("tls_fingerprint: {text}")).pinned.unwrap();
        assert_eq!(pinned.to_string(), format!("sha256:{}", "0a1b".repeat(16)));
    }
    assert_eq!(trust("enabled: true"), crate::model::Trust::default());
    assert!(!trust("tls_verify: false").verify);

    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let (der, big) = (file("der", &[0x30, 0x82, 0xff]), file("big", &[b'x'; 70_000]));
    let folder = directory.path().display().to_string();
    for (rest, message) in [
        (
            "tls_fingerprint: 12ab".to_owned(),
            "line 4: streams[0].tls_fingerprint: \"12ab\" is no fingerprint; write the SHA-256 of the certificate in 64 \
             hexadecimal digits, as `streampulse probe` tells it"
                .to_owned(),
        ),
        (
            format!("ca_file: {folder}/none"),
            format!(
                "line 4: streams[0].ca_file: {folder}/none cannot be read: No such file or directory (os error 2); name \
                 a file of PEM certificates"
            ),
        ),
        (
            format!("ca_file: {folder}"),
            format!("line 4: streams[0].ca_file: {folder} is not a regular file; name a file of PEM certificates"),
        ),
        (
            format!("ca_file: {der}"),
            format!(
                "line 4: streams[0].ca_file: {der} holds no PEM certificate; convert DER with openssl x509 -inform der"
            ),
        ),
        (
            format!("ca_file: {big}"),
            format!(
                "line 4: streams[0].ca_file: {big} is larger than 64 KiB; name a file with the camera's authority only"
            ),
        ),
    ] {
        assert_eq!(problems(&stream(&rest)), [message], "{rest}");
    }
}

#[test]
fn every_key_is_in_the_reference_and_in_the_default_file() {
    let reference = include_str!("../../docs/configuration.md");
    for (path, keys) in keys::KNOWN_KEYS {
        for key in *keys {
            assert!(reference.contains(&format!("`{path}{key}`")), "docs/configuration.md lacks `{path}{key}`");
            let named = DEFAULT_FILE.contains(&format!("{key}:")) || DEFAULT_FILE.contains(&format!("# {key} "));
            assert!(named, "config.yaml lacks {key}");
        }
    }
}

#[test]
fn every_problem_is_told_at_once_with_its_line() {
    let text = "heartbeat_seconds: fast
timezone: Asia/Kolkatta
heatbeat_seconds: 3
streams:
  - name: A
    url: rtps://192.0.2.1/x
    transport: tpc
  - name: A
    url: rtsp://192.0.2.2/x
    id: Not An Id
    timeout_seconds: 90
  - url: rtsp://192.0.2.3/x
  - name: D
  - rtsp://user:hunter2@192.0.2.4/x
web:
  listen: everywhere
  tls: {cert_file: a.pem}
";
    let problems = read(text).map(|_| ()).unwrap_err();
    let lines: Vec<String> = problems.to_string().lines().map(str::to_owned).collect();
    assert_eq!(
        lines,
        [
            "config.yaml:2: timezone: unknown time zone \"Asia/Kolkatta\"; did you mean Asia/Kolkata?",
            "config.yaml:6: streams[0].url: unknown scheme \"rtps\"; did you mean rtsp?",
            "config.yaml:7: streams[0].transport: \"tpc\" is not one of auto, tcp, udp; did you mean tcp?",
            "config.yaml:8: streams[1].name: \"A\" is also the name of the stream on line 5",
            "config.yaml:10: streams[1].id: \"Not An Id\" is no id; an id is 1 to 64 of a-z, 0-9, _ and -, for \
             example not-an-id",
            "config.yaml:11: streams[1].timeout_seconds: \"90\" is not a number from 1 to 60",
            "config.yaml:12: streams[2].name: missing; give every stream a name",
            "config.yaml:13: streams[3].url: missing; write the camera's address, for example \
             rtsp://192.0.2.10/stream1",
            "config.yaml:14: streams[4]: must hold keys and values like `name: …`",
            "config.yaml:16: web.listen: \"everywhere\" is not an address with a port; write 0.0.0.0:6969 for every \
             interface or 127.0.0.1:6969 for this machine only",
            "config.yaml:17: web.tls.key_file: missing; TLS needs both cert_file and key_file",
        ]
    );
    let warnings: Vec<String> = problems.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "line 1: heartbeat_seconds: \"fast\" is not a number from 2 to 3600; 15 is used",
            "line 3: unknown key \"heatbeat_seconds\"; did you mean heartbeat_seconds?",
        ]
    );

    // The reference shows some of these lines.
    let reference = include_str!("../../docs/configuration.md");
    let examples: Vec<&str> = reference.lines().filter(|line| line.starts_with("config.yaml:")).collect();
    let (last, examples) = examples.split_last().unwrap();
    assert!(examples.len() > 5 && last.starts_with("config.yaml: not usable"));
    for example in examples {
        let plain = example.replace(": warning: ", ": ");
        let told = lines.contains(&plain)
            || problems.warnings.iter().any(|w| w.labelled(Path::new("config.yaml"), "warning: ") == *example);
        assert!(told, "docs/configuration.md shows {example}");
    }
}

/// Bad files and the exact messages.
#[test]
fn bad_files() {
    let stream = |rest: &str| format!("streams:\n  - name: A\n    url: rtsp://a/1\n{rest}");
    let table: Vec<(String, &[&str])> = vec![
        (String::new(), &["the file is empty; write at least `streams: []`, or take the commented default file"]),
        (
            "# all commented\n".into(),
            &["the file is empty; write at least `streams: []`, or take the commented default file"],
        ),
        ("hello".into(), &["line 1: this is no configuration; write keys like `streams:` with their values"]),
        ("streams: 3".into(), &["line 1: streams: must be a list, each item on a line that begins with -"]),
        ("a: 1\nstreams: []\nstreams: []".into(), &["line 3: the key \"streams\" is here twice, first on line 2"]),
        (
            "streams: []\n---\nstreams: []".into(),
            &["line 2: a second document begins here; remove the line of --- before it"],
        ),
        ("web: {listen: [1]}".into(), &["line 1: web.listen: must be text, not a list"]),
        ("web: {public_status: maybe}".into(), &["line 1: web.public_status: \"maybe\" is neither true nor false"]),
        (
            "web: {trusted_proxies: [10.0.0.0/8, 10.0.0.0/33, lan]}".into(),
            &[
                "line 1: web.trusted_proxies: \"10.0.0.0/33\" is no address and no network such as 10.0.0.0/8",
                "line 1: web.trusted_proxies: \"lan\" is no address and no network such as 10.0.0.0/8",
            ],
        ),
        (
            "probe: {hardware: on, workers: 2}".into(),
            &["line 1: probe.hardware: \"on\" is not one of auto, off, required"],
        ),
        (
            "probe: {workers: 17, in_flight: 0, decode_slots: -1, worker_megabytes: 100, failures_to_down: 0}".into(),
            &[
                "line 1: probe.workers: \"17\" is neither auto nor a number from 1 to 16",
                "line 1: probe.in_flight: \"0\" is neither auto nor a number from 1 to 1024",
                "line 1: probe.decode_slots: \"-1\" is neither auto nor a number from 1 to 16",
                "line 1: probe.worker_megabytes: \"100\" is neither auto nor a number from 128 to 8192",
                "line 1: probe.failures_to_down: \"0\" is not a whole number from 1 to 100",
            ],
        ),
        (
            "probe: {sentinel: 'http://192.0.2.1/'}".into(),
            &["line 1: probe.sentinel: a text that is not shown here is not a host with or without a port; write \
             192.0.2.1, router.lan:443 or [2001:db8::1]:443"],
        ),
        (
            "probe: {timeout_seconds: .inf}".into(),
            &["line 1: probe.timeout_seconds: \".inf\" is not a number from 1 to 60"],
        ),
        (
            "devices:\n  - {host: cam}\n  - {sessions: 0, host: cam}\n  - {host: 'rtsp://u:p@x', sessions: 1}".into(),
            &[
                "line 2: devices[0].sessions: missing; write how many sessions this device may have at once, at least 1",
                "line 3: devices[1].sessions: \"0\" is not a whole number from 1 to 1000",
                "line 3: devices[1].host: \"cam\" is in the list twice",
                "line 4: devices[2].host: is not a host alone; write it as in the streams' URLs, without scheme and port",
            ],
        ),
        (
            "mqtt: {topic: a/#, cert_file: c.pem, node: a/b}".into(),
            &[
                "line 1: mqtt.topic: holds + or #, which are for subscribing only; name one topic",
                "line 1: mqtt.node: holds +, #, / or a control character, which no part of an MQTT topic may; use letters, digits, - and _",
                "line 1: mqtt.key_file: missing; a client certificate needs both cert_file and key_file",
            ],
        ),
        ("timezone: kolkata".into(), &["line 1: timezone: unknown time zone \"kolkata\"; did you mean Asia/Kolkata?"]),
        (
            "timezone: Mars/Olympus".into(),
            &["line 1: timezone: unknown time zone \"Mars/Olympus\"; write an IANA name such as Europe/Berlin or \
             Asia/Kolkata"],
        ),
        (
            stream("    checks: {frozen: always, black: 300}\n    expect: {codec: h246, width: 0}"),
            &[
                "line 4: streams[0].checks.black: \"300\" is not a whole number from 2 to 255",
                "line 4: streams[0].checks.frozen: \"always\" is neither true nor false",
                "line 5: streams[0].expect.codec: \"h246\" is not one of h264, h265, mjpeg; did you mean h264?",
                "line 5: streams[0].expect.width: \"0\" is not a whole number from 1 to 16384",
            ],
        ),
        (stream("    parent: B"), &["line 4: streams[0].parent: no stream has the id or name \"B\""]),
        (stream("    parent: A"), &["line 4: streams[0].parent: a stream cannot be its own parent"]),
        (
            stream("    parent: b\n  - {name: B, url: rtsp://b, parent: c}\n  - {name: C, url: rtsp://c, parent: b}"),
            &["line 4: streams[0].parent: the parents form a circle: b → c → b"],
        ),
        (
            stream("    id: x\n  - {name: B, url: rtsp://b, id: x}"),
            &["line 5: streams[1].id: \"x\" is also the id of the stream on line 4"],
        ),
        (
            stream("    heartbeat_seconds: 1"),
            &["line 4: streams[0].heartbeat_seconds: \"1\" is not a number from 2 to 3600"],
        ),
        (
            "a: *b".into(),
            &["line 1: not valid YAML at column 4: while parsing node, found unknown anchor; check the indentation \
             (spaces, no tabs), the colons and the quotes around this place, and that the file was written to its end"],
        ),
        (
            "streams: !ENV x".into(),
            &[
                "line 1: YAML tags (a word that begins with !) are not supported; put a text that begins so in quotes",
                "line 1: streams: must be a list, each item on a line that begins with -",
            ],
        ),
        (
            "mqtt:\n  <<: 3".into(),
            &["line 2: << must name a mapping (or a list of mappings) by its anchor, as in <<: *base"],
        ),
    ];
    for (text, expected) in table {
        assert_eq!(problems(&text), expected, "{text}");
    }
}

#[test]
fn a_half_written_file_names_line_and_column() {
    let found = problems("streams:\n  - name: A\n    url: \"rtsp://user:hunter2@cam");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("line ") && found[0].contains("not valid YAML at column "), "{}", found[0]);
    assert!(!found[0].contains("hunter2"));
}

#[test]
fn files_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let told = |path: &Path| load(path).map(|_| ()).unwrap_err().problems[0].to_string();
    assert_eq!(told(dir.path()), "is a directory; name the file in it with --config");
    let file = dir.path().join("config.yaml");
    assert_eq!(
        told(&file),
        "no such file; create it (the commented default file is a start) or name another with --config"
    );
    std::fs::write(&file, b"# ok\nname: \xff\n").unwrap();
    assert_eq!(told(&file), "line 2: not UTF-8 text; save the file with the encoding UTF-8");
    std::fs::write(&file, b"streams: []\n\0\0\0").unwrap();
    assert_eq!(told(&file), "line 2: a zero byte; the file is damaged, perhaps by a power cut: restore it");
    std::fs::write(&file, vec![b'#'; 4 * 1024 * 1024 + 1]).unwrap();
    assert_eq!(told(&file), "larger than 4 MB; this is hardly a configuration, check which file is named");
    std::fs::write(&file, "\u{feff}streams: []\r\ntimezone: UTC\r\n").unwrap();
    assert_eq!(load(&file).unwrap().warnings, []);
}

#[test]
fn ids_stay_and_given_ones_win() {
    let text = "streams:
  - {name: Gate, url: rtsp://a}
  - {name: gate!, url: rtsp://b}
  - {name: Yard, url: rtsp://c, id: gate}
";
    let config = good(text);
    let ids: Vec<&str> = config.streams.iter().map(|stream| stream.id.as_str()).collect();
    assert_eq!(ids, ["gate-2", "gate-3", "gate"]);
}

#[test]
fn anchors_aliases_and_merge_keys() {
    let text = "base: &base
  heartbeat_seconds: 60
  transport: udp
streams:
  - {<<: *base, name: A, url: &u rtsp://a/1}
  - {name: B, url: *u, <<: [{group: G}, *base], transport: tcp}
";
    let config = good(text);
    let [a, b] = &config.streams[..] else { panic!("{config:?}") };
    assert_eq!((a.transport, a.heartbeat), (Transport::Udp, Duration::from_secs(60)));
    assert_eq!((b.transport, b.heartbeat, b.group.as_deref()), (Transport::Tcp, Duration::from_secs(60), Some("G")));
    assert_eq!(a.url, b.url);
}

#[test]
fn bombs_are_refused() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in b'b'..=b'i' {
        let (this, before) = (char::from(level), char::from(level - 1));
        let aliases = vec![format!("*{before}"); 10].join(", ");
        bomb.push_str(&format!("{this}: &{this} [{aliases}]\n"));
    }
    assert_eq!(problems(&bomb), ["line 6: more than 500000 values, aliases written out"]);
    assert_eq!(problems(&"[".repeat(100)), ["line 1: more than 32 levels inside each other"]);
    assert!(problems(&"[".repeat(100_000))[0].starts_with("line 1: not valid YAML"));
    assert_eq!(problems("a: &a [*a]"), ["line 1: an alias (*) to something that holds the alias itself"]);
    assert_eq!(problems("{---").len(), 1);
}

#[test]
fn scalars_mean_what_their_field_wants() {
    let text = "heartbeat_seconds: '20'
streams:
  - name: 007
    url: rtsp://user:fromurl@a/1
    username: 0x1F
    password: 0123
    enabled: No
    timeout_seconds: 2.5
  - {name: 'null', url: 'rtsp://user:fromurl@a/2', password: null, group: ~, tags: one}
  - {name: C, url: rtsp://user:fromurl@a/3, password: 'p%40@/#: x'}
";
    let config = good(text);
    let [a, b, c] = &config.streams[..] else { panic!("{config:?}") };
    let password = |stream: &Arc<crate::model::Stream>| stream.credentials.clone().unwrap().password;
    assert_eq!((a.name.as_str(), a.credentials.as_ref().unwrap().username.as_str()), ("007", "0x1F"));
    assert_eq!((password(a).expose(), a.enabled, a.timeout), ("0123", false, Duration::from_millis(2500)));
    assert_eq!((b.name.as_str(), password(b).expose(), &b.group), ("null", "fromurl", &None));
    assert_eq!((b.tags.as_slice(), password(c).expose()), (&["one".to_owned()][..], "p%40@/#: x"));
}

#[test]
fn no_message_holds_a_password() {
    const PASSWORD: &str = "hunter2";
    let parts = [
        "streams:\n  - name: A\n    url: rtsp://admin:hunter2@bad host/x",
        "streams:\n  - name: A\n    url: rtsp://admin:hunter2",
        "streams:\n  - name: A\n    url: rtps://admin:hunter2@10.0.0.9/x",
        "streams:\n  - name: A\n    url: rtsp://admin:hunter2@10.0.0.9:99999/x",
        "streams:\n  - name: A\n    url: admin:hunter2@10.0.0.9/x",
        "streams:\n  - name: A\n    url: [rtsp://admin:hunter2@10.0.0.9/x]",
        "streams:\n  - rtsp://admin:hunter2@10.0.0.9/x",
        "streams: rtsp://admin:hunter2@10.0.0.9/x",
        "streams:\n  - name: A\n    url: rtsp://a\n    password: [hunter2]",
        "streams:\n  - name: A\n    url: rtsp://a\n    password: \"hunter2\\n\"",
        "streams:\n  - name: A\n    url: rtsp://a\n    password:hunter2",
        "streams:\n  - {name: A, url: rtsp://a, password:hunter2}",
        "streams:\n  - name: A\n    url: rtsp://a\n    transport: rtsp://admin:hunter2@a",
        "timezone: \"Asia/Kolkata\nstreams:\n - password: hunter2\n   name: \"x\"",
        "mqtt: {password: {a: hunter2}, enabled: 'password: hunter2'}",
        "metrics: {token: [hunter2]}\nweb: {listen: 'u:hunter2@x'}",
        "metrics: {token: \"hunter2\\0\"}",
        "mqtt:\n  password: @hunter2",
        "mqtt:\n  password: %hunter2",
        "mqtt:\n  password: *hunter2",
        "mqtt:\n  password: !hunter2 x",
        "mqtt:\n  password: 'hunter2'2",
        "rtsp://admin:hunter2@10.0.0.9/x: 1",
    ];
    for text in parts {
        let (shown, logged) = match read(text) {
            Ok(loaded) => (format!("{:?}", loaded.warnings), format!("{loaded:?}")),
            Err(problems) => (format!("{problems} {:?}", problems.warnings), format!("{problems:?}")),
        };
        assert!(!shown.contains(PASSWORD) && !logged.contains(PASSWORD), "{text}\n{shown}\n{logged}");
    }
}

#[test]
fn the_environment_overrides() {
    let environment = |pairs: &[(&str, &str)]| {
        let map: HashMap<String, String> = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        Overrides::from_lookup(|name| map.get(name).cloned())
    };
    assert_eq!(environment(&[("STREAMPULSE_LISTEN", " ")]), Overrides::default());
    let overrides = environment(&[
        ("STREAMPULSE_STATE_DIR", "/tmp/state"),
        ("STREAMPULSE_LISTEN", "127.0.0.1:0"),
        ("CFG_PATH", "/host/config.yaml"),
        ("DB_PATH", "/host/streams.db"),
        ("RTSP_TIMEOUT", "3.5"),
        ("MJPEG_TIMEOUT", "0.2"),
    ]);
    assert_eq!(overrides.config_path.as_deref(), Some(Path::new("/host/config.yaml")));
    let loaded = parse(Path::new("config.yaml"), ORIGINAL.as_bytes(), &overrides).unwrap();
    assert_eq!(loaded.config.storage.path, Path::new("/tmp/state"));
    assert_eq!(loaded.config.web.listen.to_string(), "127.0.0.1:0");
    let timeouts: Vec<Duration> = loaded.config.streams.iter().map(|stream| stream.timeout).collect();
    assert_eq!(timeouts, [Duration::from_millis(3500), Duration::from_secs(1)]);
    assert_eq!(loaded.warnings.len(), 4, "{:?}", loaded.warnings);

    let said = format!("probe: {{timeout_seconds: 20}}\n{ORIGINAL}");
    let loaded = parse(Path::new("config.yaml"), said.as_bytes(), &overrides).unwrap();
    assert!(loaded.config.streams.iter().all(|stream| stream.timeout == Duration::from_secs(20)));

    let bad = environment(&[("STREAMPULSE_LISTEN", "here"), ("RTSP_TIMEOUT", "soon")]);
    let problems = parse(Path::new("config.yaml"), ORIGINAL.as_bytes(), &bad).map(|_| ()).unwrap_err();
    assert!(problems.to_string().starts_with("config.yaml: STREAMPULSE_LISTEN: \"here\" is not an address"));
}

#[test]
fn the_report_of_check_config() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.yaml");
    std::fs::write(&path, format!("zone: UTC\n{ORIGINAL}")).unwrap();
    let shown = |(text, ok): (String, bool)| (text.replace(dir.path().to_str().unwrap(), ""), ok);
    assert_eq!(
        shown(check(&path, &Overrides::default(), |_| Ok(()))),
        (
            "/config.yaml:1: warning: unknown key \"zone\"; it is ignored\n\
             /config.yaml: good, 2 streams on 2 devices, 1 warning\n"
                .to_owned(),
            true
        )
    );
    std::fs::write(&path, "streams: x\n").unwrap();
    assert_eq!(
        shown(check(&path, &Overrides::default(), |_| Ok(()))),
        (
            "/config.yaml:1: streams: must be a list, each item on a line that begins with -\n\
             /config.yaml: not usable, 1 problem\n"
                .to_owned(),
            false
        )
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(Path::new("c"), &bytes, &Overrides::default());
    }

    #[test]
    fn yaml_like_text_never_panics(text in "([-:?&*!|>'\"%@\\[\\]{},#\n ~<a0]|streams:|  - |url: |name: x|rtsp://|---|<<: ){0,60}") {
        let _ = read(&text);
    }

    #[test]
    fn every_value_in_every_place_is_told_or_taken(
        value in "[ -~äé]{0,20}|-?[0-9]{1,25}|[0-9.eE+-]{1,12}",
        place in 0..keys::KNOWN_KEYS.len(),
        key in any::<prop::sample::Index>(),
    ) {
        let (path, keys) = keys::KNOWN_KEYS[place];
        let key = keys[key.index(keys.len())];
        let quoted = format!("'{}'", value.replace('\'', "''"));
        let mut text = format!("{{{key}: {quoted}}}");
        for part in path.trim_end_matches('.').rsplit('.').filter(|part| !part.is_empty()) {
            text = match part.strip_suffix("[]") {
                Some(list) => format!("{{{list}: [{text}]}}"),
                None => format!("{{{part}: {text}}}"),
            };
        }
        let _ = read(&text);
    }
}

/// YAML ends a value between braces at a comma: the parts of such a password are keys, and none of them is shown.
#[test]
fn a_comma_in_the_password_of_an_address_between_braces() {
    for rest in ["Zq7,Zq7,Zq7@10.0.0.9/s", "x,Zq7: 1,Zq7: Zq7@10.0.0.9/s", "x,Zq7,y@z,Zq7"] {
        let text = format!("streams: [{{name: a, url: rtsp://u:p,{rest}}}]\n");
        let shown = match parse(Path::new("config.yaml"), text.as_bytes(), &Overrides::default()) {
            Ok(loaded) => format!("{:?}", loaded.warnings),
            Err(problems) => format!("{problems} {problems:?}"),
        };
        assert!(!shown.contains("Zq7") && shown.contains("put the address in quotes"), "{shown}");
    }
}
