//! `config.yaml` changed by the API and by the command line while the service runs: only what was asked for differs.

mod common;

use std::io::Write as _;
use std::process::Stdio;

use common::service::{Service, Site};
use serde_json::{Value, json};

const FILE: &str = "# Cameras of the yard, \u{fc}\u{2603}\r
heartbeat_seconds:   60   # every minute\r
x-base: &base {username: admin, password: &pw hunter2, timeout_seconds: 5}  # for all\r
streams:\r
  # the gate\r
- name: \"Gate\"\r
  url: 'rtsp://127.0.0.1:9/s1'   # 'quoted'\r
  enabled: no\r
  <<: *base\r
  # password: old-hunter2\r
- {name: Yard, enabled: false, url: \"rtsp://root:hunter2@127.0.0.1:9/a#b\" }\r
\r
probe: {workers: 1, timeout_seconds: 10 ,}   # flow\r
# no line break at the end";

fn patch(service: &Service, tag: &str, changes: Value) -> common::service::Answer {
    let headers = format!("If-Match: {tag}\r\n");
    let answer = service.send_with("PATCH", "/api/config", &headers, Some(&changes.to_string()));
    assert!(!answer.head.contains("hunter2") && !answer.text().contains("hunter2"), "{}", answer.text());
    answer
}

fn read(site: &Site) -> String {
    std::fs::read_to_string(site.config()).expect("config.yaml")
}

#[test]
fn an_edit_keeps_the_file_to_the_byte() {
    let site = Site::new(FILE);
    let service = site.start();
    let shown = service.get("/api/config");
    assert!(shown.status == 200 && !shown.text().contains("hunter2"), "{}", shown.text());
    let tag = shown.header("etag").expect("a tag").to_owned();
    let changed = patch(
        &service,
        &tag,
        json!([{"path": "heartbeat_seconds", "value": 90}, {"path": "streams[gate].url", "value": "rtsp://127.0.0.1:9/it's"},
               {"path": "probe.retry_after_seconds", "value": 4}]),
    );
    assert_eq!(changed.status, 200, "{}", changed.text());
    let mut expected = FILE
        .replace(":   60", ":   90")
        .replace("'rtsp://127.0.0.1:9/s1'", "'rtsp://127.0.0.1:9/it''s'")
        .replace("10 ,}", "10, retry_after_seconds: 4 ,}");
    assert_eq!(read(&site), expected);
    assert_eq!(service.json("/api/streams/gate")["heartbeat_seconds"], 90, "in use when it is answered");
    assert_eq!(std::fs::read_to_string(site.path().join("config.yaml.bak")).expect("a copy"), FILE);

    assert_eq!(patch(&service, &tag, json!([])).status, 412);
    let tag = changed.header("etag").expect("a tag").to_owned();
    let bad = patch(
        &service,
        &tag,
        json!([{"path": "heartbeat_seconds", "value": 90}, {"path": "probe.workers", "value": 99}]),
    );
    assert_eq!((bad.status, &bad.json()["error"]["details"][0]["path"]), (422, &json!("probe.workers")));
    let moved = patch(&service, &tag, json!([{"path": "streams[yard].url", "value": "rtsp://root:***@127.0.0.2:9/a"}]));
    assert!(moved.status == 422 && moved.text().contains("type it anew"), "{}", moved.text());
    assert_eq!(read(&site), expected);

    // The command line, while the service runs.
    let run = |arguments: &[&str]| {
        let output = site.run(arguments);
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        );
        assert!(!out.contains("hunter2") && !err.contains("hunter2"), "{out}{err}");
        (output.status.code(), out, err)
    };
    let (code, out, err) = run(&["config", "set", "streams[yard].group", "on"]);
    assert!(code == Some(0) && out.is_empty() && err.lines().all(|line| line.contains("warning: ")), "{out}{err}");
    expected = expected.replace("a#b\" }", "a#b\", group: 'on' }");
    assert_eq!(read(&site), expected);
    service.streams_when(|streams| streams["yard"]["group"] == "on");
    assert_eq!(run(&["config", "get", "streams[yard].url"]).1, "rtsp://root:***@127.0.0.1:9/a#b\n");
    assert_eq!(run(&["config", "get", "streams[gate].password"]).1, "***\n");
    assert_eq!(run(&["config", "get", "mqtt.host"]).0, Some(1));
    assert_eq!(run(&["config", "get"]).1.lines().count(), FILE.lines().count());
    assert_eq!(run(&["config", "unset", "streams[yard].group"]).0, Some(0));
    expected = expected.replace(", group: 'on' }", " }");
    assert_eq!(read(&site), expected);
    for (arguments, code, told) in [
        (&["config", "set", "probe.workers", "99"][..], 78, "probe.workers"),
        (&["config", "set", "x-base.password", "new"], 78, "x-base.password"),
        (&["config", "set", "probe..workers", "9"], 64, "is not a path"),
        (&["config", "set", "streams[]", "{"], 64, "JSON"),
        (&["config", "unset", "mqtt.host"], 78, "is not there"),
    ] {
        let (was, _, err) = run(arguments);
        assert!(was == Some(code) && err.contains(told), "{arguments:?}: {was:?} {err}");
    }
    assert_eq!(read(&site), expected);

    // A password comes from standard input.
    let mut child =
        site.command(&["config", "set", "mqtt.password", "-"]).stdin(Stdio::piped()).spawn().expect("start");
    child.stdin.take().expect("standard input").write_all(b"it's: new\n").expect("write");
    assert!(child.wait().expect("wait").success());
    assert_eq!(read(&site), expected.replace("# flow\r\n", "# flow\r\nmqtt:\r\n  password: 'it''s: new'\r\n"));
    let (code, log) = service.stop();
    assert!(code == 0 && !log.contains("hunter2"), "{log}");
}
