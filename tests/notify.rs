//! Messages to real receivers: a web server and a mail server.

mod common;

use common::certificates::{Authority, self_signed_authority};
use common::receivers::{BROKEN, MailReceiver, MailTls, OK, Request, SILENCE, WebReceiver};
use common::service::{Service, Site, wait_until};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use streampulse::simulator::{Fault, SimulatedCamera, Simulator, SimulatorOptions, clips};

const SECRET: &str = "whsec-hunter2";

/// Nobody listens there.
const STREAMS: &str = "heartbeat_seconds: 3600\nstreams:\n  - {name: Gate, url: \"rtsp://127.9.9.9:1/live\"}\n";

async fn simulator(cameras: &[&str]) -> Simulator {
    let cameras = cameras.iter().map(|name| SimulatedCamera::rtsp(*name, clips::gate()));
    Simulator::start(SimulatorOptions::new(cameras)).await.expect("simulator")
}

fn config(simulator: &Simulator, cameras: &[&str], notify: &Value) -> String {
    let mut text = format!("heartbeat_seconds: 2\nprobe: {{retry_after_seconds: 1}}\nnotify: {notify}\nstreams:\n");
    for name in cameras {
        text.push_str(&format!("  - {{name: {name}, group: {name}s, url: \"{}\"}}\n", simulator.url(name)));
    }
    text
}

fn target(name: &str, port: u16, more: Value) -> Value {
    let mut target = json!({"name": name, "url": format!("http://127.0.0.1:{port}/hook/hunter2"), "wait_seconds": 0});
    target.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    target
}

fn state_when(service: &Service, name: &str, done: impl Fn(&Value) -> bool) -> Value {
    let mut state = Value::Null;
    wait_until(|| {
        let targets = service.json("/api/health")["notify"]["targets"].clone();
        let found = targets.as_array().and_then(|targets| targets.iter().find(|target| target["name"] == name));
        state = found.cloned().unwrap_or_default();
        done(&state)
    });
    state
}

fn are(service: &Service, state: &str) {
    service.streams_when(|streams| streams.values().all(|stream| stream["state"] == state));
}

fn metric(service: &Service, series: &str) -> Option<String> {
    let text = service.get_as(None, "/metrics").text();
    text.lines().find_map(|line| Some(line.strip_prefix(series)?.trim().to_owned()))
}

#[track_caller]
fn is_signed(request: &Request) {
    let (time, sum) = request.header("x-streampulse-signature").split_once(',').expect("a signature");
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
    mac.update(time.strip_prefix("t=").expect("a time").as_bytes());
    mac.update(b".");
    mac.update(&request.body);
    let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sum, format!("v1={expected}"));
}

/// The messages of this kind: what is `key` of each.
fn of_kind(requests: &[Request], kind: &str, key: &str) -> Vec<String> {
    let messages = requests.iter().map(Request::json).filter(|message| message["kind"] == kind);
    messages.map(|message| message.pointer(key).and_then(Value::as_str).unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_in_order_signed_and_past_one_that_hangs() {
    let cameras = ["gate"];
    let simulator = simulator(&cameras).await;
    let (phone, stuck, watchdog) = (WebReceiver::start(), WebReceiver::start(), WebReceiver::start());
    stuck.answer(SILENCE);
    let notify = json!({
        "dashboard_url": "https://cameras.example",
        "watchdog_url": format!("http://127.0.0.1:{}/ping/hunter2", watchdog.port()),
        "watchdog_interval_seconds": 10,
        "targets": [
            target("stuck", stuck.port(), json!({"events": ["incidents", "transitions"]})),
            target("phone", phone.port(), json!({"events": ["incidents", "transitions"], "secret": SECRET})),
            target("others", phone.port(), json!({"groups": ["nobody"]})),
            target("off", phone.port(), json!({"enabled": false})),
        ],
    });
    let site = Site::new(&config(&simulator, &cameras, &notify));
    let service = site.start();
    are(&service, "up");
    let called = watchdog.wait_for(|called| !called.is_empty());
    assert_eq!((called[0].method.as_str(), called[0].path.as_str()), ("GET", "/ping/hunter2"));

    simulator.set_fault("gate", Some(Fault::Status(404))).await.expect("a camera");
    are(&service, "down");
    phone.wait_for(|got| of_kind(got, "incident", "/status") == ["firing"]);
    simulator.set_fault("gate", None).await.expect("a camera");
    are(&service, "up");
    let both = |got: &[Request]| {
        of_kind(got, "incident", "/status").len() == 2 && of_kind(got, "transition", "/status").len() == 2
    };
    let got = phone.wait_for(both);
    assert_eq!(of_kind(&got, "incident", "/status"), ["firing", "resolved"]);
    assert_eq!(of_kind(&got, "transition", "/title"), ["gate: up → down", "gate: down → up"]);
    assert_eq!(got.len(), 4, "nothing else, and nothing twice");
    let mut ids: Vec<_> = got.iter().map(|request| request.header("x-streampulse-id").to_owned()).collect();
    assert_eq!(
        ids,
        got.iter().map(|request| request.json()["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    );
    ids.dedup();
    assert_eq!(ids.len(), 4);
    for request in &got {
        is_signed(request);
        assert_eq!((request.path.as_str(), request.header("content-type")), ("/hook/hunter2", "application/json"));
        assert!(!request.text().contains("rtsp://"), "{}", request.text());
    }
    let incident =
        got.iter().map(Request::json).find(|message| message["status"] == "firing" && message["kind"] == "incident");
    let incident = incident.expect("the incident");
    assert_eq!(
        (&incident["incident"]["reason"], &incident["incident"]["streams"][0]["id"]),
        (&json!("not_found"), &json!("gate"))
    );
    assert_eq!(incident["url"], format!("https://cameras.example/#/incidents/{}", incident["incident"]["id"]));

    let state = state_when(&service, "phone", |state| state["state"] == "idle" && state["waiting"] == 0);
    assert_eq!((&state["delivered_total"], &state["problem"]), (&json!(4), &Value::Null));
    assert_eq!(state["to"], format!("http://127.0.0.1:{}", phone.port()));
    assert_eq!(state_when(&service, "others", |state| state["state"] == "idle")["delivered_total"], 0);
    assert_eq!(state_when(&service, "off", |_| true)["state"], "off");
    let state = state_when(&service, "stuck", |state| state["state"] == "failing");
    assert!(state["problem"].as_str().is_some_and(|text| text.contains("does not answer in time")), "{state}");
    assert!(state["waiting"].as_u64() > Some(0), "{state}");
    assert_eq!(metric(&service, "streampulse_notify_delivered_total{target=\"phone\"}").as_deref(), Some("4"));
    assert_eq!(metric(&service, "streampulse_notify_failing{target=\"stuck\"}").as_deref(), Some("1"));
    assert_eq!(metric(&service, "streampulse_notify_failing{target=\"off\"}"), None);

    // A viewer sees that it fails, and neither where nor why.
    let made = service.post("/api/tokens", &json!({"name": "wall", "role": "viewer"})).json();
    let viewer = service.get_as(made["token"].as_str(), "/api/health").json()["notify"].clone();
    for value in [&viewer["targets"][0], &viewer["watchdog"]] {
        assert!(
            value.get("to").is_none() && value.get("problem").is_none() && value.get("next_step").is_none(),
            "{viewer}"
        );
    }
    // One that gets a good address is told what waited.
    let moved = WebReceiver::start();
    let mut notify = notify;
    notify["targets"][0]["url"] = json!(format!("http://127.0.0.1:{}/new", moved.port()));
    site.configure(&config(&simulator, &cameras, &notify));
    service.signal(rustix::process::Signal::HUP);
    moved.wait_for(|got| !got.is_empty());
    state_when(&service, "stuck", |state| state["waiting"] == 0 && state["problem"].is_null());
    assert_eq!(phone.all().len(), 4);
    let (code, log) = service.stop();
    assert_eq!(code, 0);
    assert!(!log.contains("hunter2"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_a_receiver_or_the_service_is_away() {
    let cameras = ["gate", "c1", "c2", "c3", "c4", "c5"];
    let simulator = simulator(&cameras).await;
    let (one, all) = (WebReceiver::start(), WebReceiver::start());
    one.answer(BROKEN);
    all.answer(BROKEN);
    let notify = json!({"targets": [
        target("one", one.port(), json!({"groups": ["gates"]})),
        target("all", all.port(), json!({"events": ["incidents", "transitions"]})),
    ]});
    let site = Site::new(&config(&simulator, &cameras, &notify));
    let service = site.start();
    are(&service, "up");
    for name in cameras {
        simulator.set_fault(name, Some(Fault::Status(404))).await.expect("a camera");
    }
    are(&service, "down");
    let refused = one.wait_for(|got| !got.is_empty());
    let id = refused[0].header("x-streampulse-id").to_owned();
    let state = state_when(&service, "one", |state| state["state"] == "failing");
    assert!(state["problem"].as_str().is_some_and(|text| text.contains("answers with 500: oops")), "{state}");
    state_when(&service, "all", |state| state["waiting"].as_u64() >= Some(12));
    service.kill();

    let before = one.all().len();
    one.answer(OK);
    let service = site.start();
    let got = one.wait_for(|got| got.iter().any(|request| request.status == 200));
    let taken: Vec<_> = got[before..].iter().filter(|request| request.status == 200).collect();
    assert_eq!(taken[0].header("x-streampulse-id"), id, "the same message has the same id");
    assert_eq!(taken[0].json()["incident"]["streams"][0]["id"], "gate");

    all.answer(OK);
    let got = all.wait_for(|got| got.iter().any(|request| request.status == 200));
    let digest = got.iter().find(|request| request.status == 200).expect("a message").json();
    assert_eq!(digest["kind"], "digest", "{digest}");
    assert_eq!((&digest["digest"]["incidents"], &digest["digest"]["open"]), (&json!(6), &json!(6)), "{digest}");
    assert_eq!(digest["digest"]["transitions"], 6);
    assert_eq!(digest["digest"]["lines"].as_array().map(Vec::len), Some(12));
    state_when(&service, "all", |state| state["state"] == "idle" && state["waiting"] == 0);
    for name in cameras {
        simulator.set_fault(name, None).await.expect("a camera");
    }
    one.wait_for(|got| got.iter().any(|request| request.json()["status"] == "resolved"));
}

fn test(service: &Service, target: &Value) -> Value {
    let answer = service.post("/api/notify/test", &json!({"target": target}));
    assert_eq!(answer.status, 200, "{target}: {}", answer.text());
    answer.json()
}

#[test]
fn a_test_message_says_what_is_wrong() {
    let authority = Authority::new();
    let (good, own) = (authority.sign(&["127.0.0.1"]), self_signed_authority(&["127.0.0.1"]));
    let (plain, tls, by_own) = (WebReceiver::start(), WebReceiver::with_tls(&good), WebReceiver::with_tls(&own));
    let stored = json!({"targets": [target("phone", plain.port(), json!({"template": "ntfy", "secret": SECRET,
        "headers": {"Authorization": "Bearer hunter2"}}))]});
    let site = Site::new(&format!("{STREAMS}notify: {stored}\n"));
    let own_file = site.path().join("own.pem");
    std::fs::write(&own_file, &own.chain).expect("written");
    let service = site.start();
    let https = |receiver: &WebReceiver, more: Value| {
        let mut settings = target("x", receiver.port(), more);
        settings["url"] = json!(format!("https://127.0.0.1:{}/hunter2", receiver.port()));
        settings
    };
    let refusing = |text: &str| {
        let receiver = WebReceiver::start();
        receiver.answer(text);
        target("x", receiver.port(), json!({}))
    };
    let moved =
        "HTTP/1.1 301 Moved Permanently\r\nLocation: https://elsewhere.example/hunter2\r\nContent-Length: 0\r\n\r\n";
    let echo = "HTTP/1.1 404 Not Found\r\nContent-Length: 24\r\n\r\nno hook named hunter2 :(";
    let ca_file = authority.file();
    for (settings, stage, message, next_step) in [
        (https(&tls, json!({})), "tls", "authority that this machine does not trust", "ca_file"),
        (https(&tls, json!({"ca_file": own_file})), "tls", "not signed by the authority in ca_file", "ca_file"),
        (https(&tls, json!({"ca_file": "/nowhere.pem"})), "tls", "there is no file /nowhere.pem", "Write where it is"),
        (https(&plain, json!({"ca_file": ca_file})), "tls", "does not speak TLS", "url"),
        (refusing(moved), "send", "301 and sends us to https://elsewhere.example,", "Write the address"),
        (refusing(echo), "send", "404: no hook named *** :(", "anew"),
        (refusing("SSH-2.0-OpenSSH\r\n"), "send", "no web server", "url"),
        (target("x", 1, json!({})), "connect", "refuses connections", "url"),
        (target("x", 1, json!({"url": "http://nobody.invalid/"})), "resolve", "", "name"),
        (target("x", plain.port(), json!({"body": "{{ id + 1 }}"})), "template", "cannot be filled", "body"),
    ] {
        let told = test(&service, &settings);
        assert_eq!((&told["ok"], told["stage"].as_str()), (&json!(false), Some(stage)), "{settings}: {told}");
        let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
        assert!(text("message").contains(message) && text("message").ends_with('.'), "{settings}: {told}");
        assert!(text("next_step").contains(next_step) && text("next_step").ends_with('.'), "{settings}: {told}");
        assert!(!told.to_string().contains("hunter2"), "{told}");
    }
    assert_eq!(test(&service, &https(&tls, json!({"ca_file": ca_file})))["ok"], true);
    assert_eq!(test(&service, &https(&by_own, json!({"ca_file": own_file})))["ok"], true);
    assert_eq!(test(&service, &https(&by_own, json!({"tls_insecure": true})))["ok"], true);

    // The stored target, by its name and as it is shown.
    let told = service.post("/api/notify/test", &json!({"name": "phone"})).json();
    assert_eq!((&told["ok"], &told["to"]), (&json!(true), &json!(format!("http://127.0.0.1:{}", plain.port()))));
    let shown = service.json("/api/config?format=json")["values"]["notify"]["targets"][0].clone();
    assert_eq!(
        (&shown["url"], &shown["secret"], &shown["headers"]["Authorization"]),
        (&json!("***"), &json!("***"), &json!("***"))
    );
    assert_eq!(test(&service, &shown)["ok"], true);
    for request in plain.all().iter().filter(|request| request.path == "/hook/hunter2").skip(1) {
        is_signed(request);
        assert_eq!(
            (request.header("authorization"), request.header("x-tags")),
            ("Bearer hunter2", "information_source")
        );
    }
    let with = |key: &str, value: Value| {
        let mut settings = shown.clone();
        settings[key] = value;
        settings
    };
    for (settings, path) in [
        (with("url", json!("http://127.0.0.1:1/")), "secret"),
        (with("tls_insecure", json!(true)), "url"),
        (with("name", json!("other")), "url"),
        (json!({"name": "x", "urls": "y"}), ""),
    ] {
        let answer = service.post("/api/notify/test", &json!({"target": settings}));
        assert_eq!(answer.status, 422, "{}", answer.text());
        let details = answer.json()["error"]["details"].clone();
        assert!(details.as_array().expect("details").iter().any(|detail| detail["path"] == path), "{path}: {details}");
    }
    assert_eq!(service.post("/api/notify/test", &json!({"name": "nobody"})).status, 404);
    assert_eq!(service.post("/api/notify/test", &json!({})).status, 400);
    let entries = service.json("/api/audit")["entries"].to_string();
    assert!(entries.contains("notify.test") && !entries.contains("hunter2"), "{entries}");

    // What goes elsewhere takes no secret along; what stays keeps it.
    let etag = service.json("/api/config?format=json")["etag"].as_str().expect("an etag").to_owned();
    let patch = |change: Value| {
        let headers = format!("If-Match: {etag}\r\n");
        service.send_with("PATCH", "/api/config", &headers, Some(&json!([change]).to_string()))
    };
    let refused = patch(json!({"path": "notify.targets[0].url", "value": "http://127.0.0.1:1/"}));
    assert_eq!(refused.status, 422, "{}", refused.text());
    let refused = patch(json!({"path": "notify.targets[0].tls_insecure", "value": true}));
    assert_eq!(refused.status, 422, "{}", refused.text());
    let whole = service.get("/api/config").text();
    assert!(!whole.contains("hunter2") && !whole.contains(SECRET), "{whole}");
    let changed = patch(json!({"path": "notify.targets[0].template", "value": "json"}));
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert!(std::fs::read_to_string(site.config()).expect("the file").contains("/hook/hunter2"));
    let (code, log) = service.stop();
    assert_eq!(code, 0);
    assert!(!log.contains("hunter2"), "{log}");
}

#[test]
fn mail_goes_by_each_kind_of_encryption() {
    let authority = Authority::new();
    let identity = authority.sign(&["127.0.0.1"]);
    let site = Site::new(STREAMS);
    let service = site.start();
    let ca_file = authority.file();
    let settings = |port: u16, tls: &str, more: Value| {
        let smtp = json!({"host": "127.0.0.1", "port": port, "tls": tls, "username": "cams", "password": "m4il"});
        let mut target = json!({"name": "mail", "smtp": smtp, "from": "cams@example.org", "to": ["anna@example.org"], "ca_file": ca_file});
        target.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        target
    };
    let start = |tls| MailReceiver::start(tls, &identity);
    let (plain, start_tls, implicit) = (start(MailTls::None), start(MailTls::StartTls), start(MailTls::Implicit));
    for (receiver, tls) in [(&start_tls, "starttls"), (&implicit, "implicit")] {
        let told = test(&service, &settings(receiver.port(), tls, json!({"subject": "Grüße: {{ title }}"})));
        assert_eq!(told["ok"], true, "{told}");
        let mail = receiver.wait_for(|mails| !mails.is_empty()).remove(0);
        assert_eq!((mail.encrypted, mail.signed_in.as_deref()), (true, Some("cams")));
        assert!(mail.commands.iter().any(|command| command.contains("<anna@example.org>")), "{:?}", mail.commands);
        assert!(
            mail.text.contains("X-StreamPulse-Id: test-") && mail.text.contains("Subject: =?utf-8?"),
            "{}",
            mail.text
        );
    }
    let no_account = json!({"smtp": {"host": "127.0.0.1", "port": plain.port(), "tls": "none"}});
    assert_eq!(test(&service, &settings(plain.port(), "none", no_account))["ok"], true);
    assert!(!plain.wait_for(|mails| !mails.is_empty())[0].encrypted);

    let wrong = json!({"smtp": {"host": "127.0.0.1", "port": implicit.port(), "tls": "implicit", "username": "cams", "password": "hunter2"}});
    for (settings, stage, message, next_step) in [
        (settings(implicit.port(), "implicit", wrong), "login", "refuses user or password (535", "smtp.password"),
        (settings(implicit.port(), "implicit", json!({"ca_file": null})), "tls", "does not trust", "ca_file"),
        (settings(start_tls.port(), "starttls", json!({"ca_file": null})), "tls", "does not trust", "ca_file"),
        (
            settings(implicit.port(), "implicit", json!({"to": "nobody@example.org"})),
            "send",
            "550: 5.1.1 no such mailbox",
            "from and to",
        ),
        (settings(plain.port(), "starttls", json!({})), "tls", "does not offer STARTTLS", "smtp.tls"),
        (settings(plain.port(), "implicit", json!({})), "tls", "does not speak TLS", "smtp.port"),
    ] {
        let told = test(&service, &settings);
        assert_eq!((&told["ok"], told["stage"].as_str()), (&json!(false), Some(stage)), "{settings}: {told}");
        let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
        assert!(text("message").contains(message), "{settings}: {told}");
        assert!(text("next_step").contains(next_step), "{settings}: {told}");
        assert!(!told.to_string().contains("hunter2"), "{told}");
    }
    // An incident goes the same way.
    let target = settings(start_tls.port(), "starttls", json!({"wait_seconds": 0}));
    site.configure(&format!("{}notify: {}\n", STREAMS.replace("Gate", "Yard"), json!({"targets": [target]})));
    service.signal(rustix::process::Signal::HUP);
    let mails = start_tls.wait_for(|mails| mails.len() > 1);
    assert!(
        mails[1].text.contains("Subject: Yard is down") && mails[1].text.contains("StreamPulse on "),
        "{}",
        mails[1].text
    );
    let state = state_when(&service, "mail", |state| state["state"] == "idle");
    assert_eq!((&state["kind"], &state["delivered_total"]), (&json!("mail"), &json!(1)));
    assert_eq!(state["to"], format!("smtp://127.0.0.1:{}", start_tls.port()));
}
