//! MQTT against a real Mosquitto, and against what is none.

mod common;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Mutex;

use common::broker::{Broker, Files, PASSWORD, USER, write_pair};
use common::certificates::{Authority, self_signed_authority};
use common::service::{Service, Site, wait_until};
use serde_json::{Value, json};

/// Nobody listens there.
const STREAMS: &str =
    "heartbeat_seconds: 3600\nstreams:\n  - {name: Gate, url: \"rtsp://admin:s3cret@127.9.9.9:1/live\"}\n";

fn config(mqtt: &Value) -> String {
    format!("{STREAMS}mqtt: {mqtt}\n")
}

fn mqtt(port: u16) -> Value {
    json!({"enabled": true, "host": "127.0.0.1", "port": port, "client_id": "sp", "interval_seconds": 5})
}

fn with(mut base: Value, more: Value) -> Value {
    let more = more.as_object().expect("an object").clone();
    base.as_object_mut().expect("an object").extend(more);
    base
}

/// Waits until `/api/health` says so of MQTT.
fn state_when(service: &Service, done: impl Fn(&Value) -> bool) -> Value {
    let mut state = Value::Null;
    wait_until(|| {
        state = service.json("/api/health")["mqtt"].clone();
        done(&state)
    });
    state
}

fn connected(service: &Service, broker: &str) -> Value {
    state_when(service, |state| state["state"] == "connected" && state["broker"] == broker)
}

fn test(service: &Service, settings: &Value) -> Value {
    let answer = service.post("/api/mqtt/test", &json!({"settings": settings}));
    assert_eq!(answer.status, 200, "{settings}: {}", answer.text());
    answer.json()
}

fn metric(service: &Service, name: &str) -> Option<String> {
    let text = service.get_as(None, "/metrics").text();
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
}

/// A broker with an account, one authority, and a listener for each transport: TCP, TLS with client certificates,
/// WebSocket, the same over TLS.
fn every_transport(authority: &Authority) -> Broker {
    let files = Files::new();
    let server = files.certificate("server", &authority.sign(&["127.0.0.1"]));
    let trusted = format!("cafile {}\n", authority.file().display());
    let mutual = format!("{server}{trusted}require_certificate true\n");
    let tls_websocket = format!("protocol websockets\n{server}{trusted}");
    let account = files.account();
    Broker::start(files, &account, &["", &mutual, "protocol websockets\n", &tls_websocket])
}

fn settings_of(broker: &Broker, authority: &Authority) -> Value {
    let (port, tls_port, ws_port, tls_ws_port) = (broker.port(0), broker.port(1), broker.port(2), broker.port(3));
    with(
        mqtt(port),
        json!({"tls_port": tls_port, "ws_port": ws_port, "tls_ws_port": tls_ws_port, "username": USER,
            "password": PASSWORD, "ca_file": authority.file()}),
    )
}

#[test]
fn the_status_goes_by_each_transport_and_settings_change_while_it_runs() {
    let authority = Authority::new();
    let broker = every_transport(&authority);
    let watcher = broker.subscribe("#", Some((USER, PASSWORD)));
    let settings = settings_of(&broker, &authority);
    let site = Site::new(&config(&with(settings.clone(), json!({"enabled": false, "topic": "t/off"}))));
    let (cert_file, key_file) = write_pair(site.path(), "client", &authority.sign(&["sp"]));
    let service = site.start();
    let off = state_when(&service, |state| state["state"] == "off");
    assert_eq!((&off["enabled"], &off["since"], &off["published_total"]), (&json!(false), &Value::Null, &json!(0)));
    assert_eq!(metric(&service, "streampulse_mqtt_connected"), None);

    for (n, (scheme, listener, topic, more)) in [
        ("mqtt", 0, "t/tcp", json!({"qos": 0, "protocol": 5})),
        ("mqtts", 1, "t/tls", json!({"use_tls": true, "cert_file": cert_file, "key_file": key_file, "qos": 1})),
        ("ws", 2, "t/ws", json!({"use_websocket": true, "qos": 2})),
        ("wss", 3, "t/wss", json!({"use_websocket": true, "use_tls": true, "qos": 1, "retain": true, "protocol": "5"})),
    ]
    .into_iter()
    .enumerate()
    {
        let settings = with(settings.clone(), with(more, json!({"topic": topic})));
        site.configure(&config(&settings));
        service.signal(rustix::process::Signal::HUP);
        let address = format!("{scheme}://127.0.0.1:{}", broker.port(listener));
        let state = connected(&service, &address);
        assert_eq!(
            (&state["enabled"], &state["problem"], &state["next_step"]),
            (&json!(true), &Value::Null, &Value::Null)
        );
        let message = watcher.wait_for(|message| message.topic == topic);
        assert_eq!(u64::from(message.qos), settings["qos"].as_u64().expect("a number"), "{topic}");
        assert_eq!(message.json["Gate"].as_object().map(serde_json::Map::len), Some(7), "{}", message.json);
        // Counted once the broker has it, whatever the quality of service.
        let before = state["published_total"].as_u64().expect("a number");
        let state = state_when(&service, |state| state["published_total"].as_u64() > Some(before.max(n as u64)));
        assert!(state["last_published_at"].as_str() >= state["since"].as_str(), "{state}");
        // The one before said goodbye.
        broker.wait_for_log("Received DISCONNECT from sp", n);
    }
    // The same as the API gives an administrator, without an account of a camera.
    let message = watcher.wait_for(|message| message.topic == "t/wss" && message.json["Gate"]["state"] == "down");
    assert_eq!(message.json, service.json("/api/status"));
    assert!(!watcher.text().contains("s3cret"));
    let late = broker.subscribe("t/wss", Some((USER, PASSWORD)));
    assert!(late.wait_for(|_| true).retained);

    assert_eq!(metric(&service, "streampulse_mqtt_connected").as_deref(), Some("1"));
    assert!(
        metric(&service, "streampulse_mqtt_published_total")
            .is_some_and(|total| total.parse::<u64>().is_ok_and(|total| total >= 4))
    );
    let (code, log) = service.stop();
    assert_eq!(code, 0);
    broker.wait_for_log("Received DISCONNECT from sp", 4);
    assert!(!broker.log().contains("Client sp closed its connection"), "{}", broker.log());
    assert!(!log.contains(PASSWORD) && !log.contains("mqtt.tls_insecure"), "{log}");
}

#[test]
fn another_broker_is_taken_at_once_and_one_that_went_away_is_found_again() {
    let (first, mut second) = (Broker::open(), Broker::open());
    let site = Site::new(&config(&mqtt(first.port(0))));
    let service = site.start();
    connected(&service, &format!("mqtt://127.0.0.1:{}", first.port(0)));
    let watcher = second.subscribe("stream_monitor/status", None);
    site.configure(&config(&mqtt(second.port(0))));
    service.signal(rustix::process::Signal::HUP);
    let address = format!("mqtt://127.0.0.1:{}", second.port(0));
    connected(&service, &address);
    watcher.wait_for(|message| message.json["Gate"].is_object());
    first.wait_for_log("Received DISCONNECT from sp", 1);

    second.kill();
    let state = state_when(&service, |state| state["state"] == "failed");
    assert!(state["problem"].is_string() && state["next_step"].is_string() && state["broker"] == address, "{state}");
    let refused = state_when(&service, |state| state["problem"].as_str().is_some_and(|text| text.contains("refuses")));
    assert_eq!(refused["since"], state["since"], "since it failed, not since it was tried again");
    assert_eq!(metric(&service, "streampulse_mqtt_connected").as_deref(), Some("0"));
    second.restart();
    connected(&service, &address);
    let watcher = second.subscribe("stream_monitor/status", None);
    watcher.wait_for(|message| message.json["Gate"].is_object());
    service.wait_for_log("connected to the MQTT broker", 3);

    // Where the address and the problem may be seen.
    let made = service.post("/api/tokens", &json!({"name": "wall", "role": "viewer"})).json();
    let viewer = service.get_as(made["token"].as_str(), "/api/health").json()["mqtt"].clone();
    assert_eq!(viewer["state"], "connected");
    for key in ["broker", "problem", "next_step"] {
        assert_eq!(viewer.get(key), None, "{viewer}");
    }
    site.configure(STREAMS);
    service.signal(rustix::process::Signal::HUP);
    state_when(&service, |state| state["state"] == "off");
    second.wait_for_log("Received DISCONNECT from sp", 1);
}

/// Answers each connection with these bytes, once something was asked, and then holds it.
fn answering(bytes: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("address").port();
    let held = Mutex::new(Vec::<TcpStream>::new());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(bytes);
            held.lock().expect("held").push(stream);
        }
    });
    port
}

/// What is wrong, how far it comes, and words of the message and of the next step.
type Wrong = (Value, &'static str, &'static str, &'static str);

fn wrong_ways(site: &Path, authority: &Authority, broker: &Broker, untrusted: &Broker) -> Vec<Wrong> {
    let good = settings_of(broker, authority);
    let change = |more: Value| with(good.clone(), more);
    let other = Authority::new();
    let (cert_file, key_file) = write_pair(site, "stranger", &other.sign(&["sp"]));
    let (own, other_key) =
        (write_pair(site, "one", &authority.sign(&["sp"])), write_pair(site, "two", &other.sign(&["sp"])));
    // Without its own account, and with the first listener's port for TLS: one of `untrusted`.
    let tls = |listener: usize, more: Value| {
        with(
            json!({"host": "127.0.0.1", "tls_port": untrusted.port(listener), "use_tls": true,
            "ca_file": authority.file()}),
            more,
        )
    };
    let plain = |port: u16| json!({"host": "127.0.0.1", "port": port});
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    vec![
        (json!({"host": "broker.invalid"}), "resolve", "", "mqtt.host"),
        (plain(free), "connect", "127.0.0.1 refuses connections on port", "mqtt.port"),
        (change(json!({"password": "another"})), "login", "refuses user or password", "mqtt.password"),
        (change(json!({"username": null, "password": null})), "login", "without user", "mqtt.username"),
        (tls(0, json!({})), "tls", "has expired", "Renew it"),
        (tls(1, json!({})), "tls", "another name than 127.0.0.1", "subjectAltName"),
        (tls(2, json!({})), "tls", "not signed by the authority in mqtt.ca_file", "mqtt.ca_file"),
        (tls(1, json!({"host": "localhost", "ca_file": null})), "tls", "does not trust", "mqtt.ca_file"),
        (change(json!({"use_tls": true})), "tls", "wants a client certificate", "mqtt.cert_file"),
        (
            change(json!({"use_tls": true, "cert_file": cert_file, "key_file": key_file})),
            "tls",
            "refuses the client certificate",
            "mqtt.cert_file",
        ),
        (
            change(json!({"use_tls": true, "cert_file": own.0, "key_file": other_key.1})),
            "tls",
            "two.key is not the key of the certificate",
            "Name the two",
        ),
        (tls(0, json!({"ca_file": site.join("absent.pem")})), "tls", "there is no file", "Write where it is"),
        (tls(0, json!({"ca_file": own.1})), "tls", "holds no PEM certificate", "Convert DER"),
        (
            change(json!({"use_tls": true, "tls_port": broker.port(0)})),
            "tls",
            "does not speak TLS",
            "mqtt.use_tls: false",
        ),
        (change(json!({"port": broker.port(1)})), "login", "", "TLS"),
        (change(json!({"port": broker.port(2)})), "login", "", "WebSocket"),
        (change(json!({"use_websocket": true, "ws_port": broker.port(0)})), "connect", "a WebSocket", "mqtt.ws_port"),
        (plain(answering(b"SSH-2.0-OpenSSH\r\n")), "login", "is no MQTT broker", "mqtt.port"),
        (plain(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")), "login", "is a web server", "mqtt.use_websocket"),
        (plain(answering(&[0x20, 2, 0, 1])), "login", "does not speak the MQTT version", "mqtt.protocol"),
        (plain(answering(&[0x20, 2, 0, 2])), "login", "refuses the client id", "mqtt.client_id"),
        (plain(answering(&[0x20, 2, 0, 3])), "login", "not available", "log"),
        (plain(answering(&[0x20, 2, 0, 0])), "publish", "does not acknowledge", "log"),
        (plain(answering(&[0x20, 2, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff])), "publish", "is no MQTT", "log"),
        (plain(answering(b"")), "login", "says nothing", "mqtt.port"),
        (
            json!({"host": "127.0.0.1", "tls_port": answering(b""), "use_tls": true, "ca_file": authority.file()}),
            "tls",
            "does not answer the TLS handshake",
            "mqtt.tls_port",
        ),
        (
            json!({"host": "127.0.0.1", "ws_port": answering(b"HTTP/1.1 404 Not Found\r\n\r\n"), "use_websocket": true}),
            "connect",
            "answers with 404",
            "mqtt.ws_port",
        ),
    ]
}

/// Listeners for TLS only, each wrong in its way: expired, for another name, signed by a stranger.
fn wrong_certificates(authority: &Authority) -> Broker {
    let files = Files::new();
    let expired = files.certificate("expired", &authority.sign_expired(&["127.0.0.1"]));
    let elsewhere = files.certificate("elsewhere", &authority.sign(&["broker.example", "localhost"]));
    let stranger = files.certificate("stranger", &Authority::new().sign(&["127.0.0.1"]));
    Broker::start(files, "allow_anonymous true\n", &[&expired, &elsewhere, &stranger])
}

#[test]
fn every_way_to_fail_is_told_apart() {
    let authority = Authority::new();
    let (broker, untrusted) = (every_transport(&authority), wrong_certificates(&authority));
    let site = Site::new(STREAMS);
    let ways = wrong_ways(site.path(), &authority, &broker, &untrusted);
    let service = site.start();
    let check = |(settings, stage, message, next_step): &Wrong| {
        let told = test(&service, settings);
        assert_eq!((&told["ok"], told["stage"].as_str()), (&json!(false), Some(*stage)), "{settings}: {told}");
        let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
        assert!(text("message").contains(message) && text("message").ends_with('.'), "{settings}: {told}");
        assert!(text("next_step").contains(next_step) && text("next_step").ends_with('.'), "{settings}: {told}");
        assert!(!told.to_string().contains(PASSWORD), "{told}");
    };
    // Two at a time, as the service takes them: some wait for ten seconds.
    std::thread::scope(|scope| {
        for begin in [0, 1] {
            let ways = &ways;
            scope.spawn(move || ways.iter().skip(begin).step_by(2).for_each(check));
        }
    });
    // The same as a state.
    for (settings, _, message, _) in &ways {
        if !["refuses connections", "user or password", "expired", "authority in mqtt"]
            .iter()
            .any(|m| message.contains(m))
        {
            continue;
        }
        site.configure(&config(&with(settings.clone(), json!({"enabled": true}))));
        service.signal(rustix::process::Signal::HUP);
        let told = |state: &Value| state["problem"].as_str().is_some_and(|problem| problem.contains(message));
        let state = state_when(&service, told);
        assert_eq!((&state["state"], state["next_step"].is_string()), (&json!("failed"), true), "{state}");
        service.wait_for_log(message, 1);
    }
    let (code, log) = service.stop();
    assert_eq!(code, 0);
    assert!(!log.contains(PASSWORD), "{log}");
}

#[test]
fn a_test_message_goes_where_the_settings_say_and_disturbs_nobody() {
    let authority = Authority::new();
    let broker = every_transport(&authority);
    let watcher = broker.subscribe("#", Some((USER, PASSWORD)));
    let settings = with(settings_of(&broker, &authority), json!({"topic": "home/cameras"}));
    let site = Site::new(&config(&settings));
    let service = site.start();
    let address = format!("mqtt://127.0.0.1:{}", broker.port(0));
    let state = connected(&service, &address);

    // The stored settings, and the same with the password as it is shown, switched off or not.
    let told = service.post("/api/mqtt/test", &json!({})).json();
    assert_eq!(
        (&told["ok"], &told["broker"], &told["topic"]),
        (&json!(true), &json!(address), &json!("home/cameras/test"))
    );
    assert!(told["milliseconds"].as_f64() > Some(0.0), "{told}");
    let message = watcher.wait_for(|message| message.topic == "home/cameras/test");
    assert_eq!((&message.json["test"], message.qos, message.retained), (&json!(true), 1, false));
    let other = with(settings.clone(), json!({"password": "***", "topic": "other", "enabled": false}));
    assert_eq!(test(&service, &other)["ok"], true);
    watcher.wait_for(|message| message.topic == "other/test");
    for more in [json!({"use_websocket": true}), json!({"use_websocket": true, "use_tls": true})] {
        assert_eq!(test(&service, &with(settings.clone(), more.clone()))["ok"], true, "{more}");
    }
    broker.wait_for_log("Received DISCONNECT from sp-test-", 4);
    let now = service.json("/api/health")["mqtt"].clone();
    assert_eq!((&now["state"], &now["since"]), (&json!("connected"), &state["since"]), "the connection is the same");

    // To another broker the stored password does not go.
    for (settings, path) in [
        (with(other.clone(), json!({"host": "localhost"})), "mqtt.password"),
        (json!({"hots": "x"}), "mqtt"),
        (json!({"port": "many"}), "mqtt.port"),
        (json!({"topic": "a/#"}), "mqtt.topic"),
    ] {
        let answer = service.post("/api/mqtt/test", &json!({"settings": settings}));
        assert_eq!(
            (answer.status, answer.json()["error"]["code"].as_str()),
            (422, Some("invalid")),
            "{}",
            answer.text()
        );
        assert_eq!(answer.json()["error"]["details"][0]["path"], path, "{}", answer.text());
    }
    assert_eq!(service.post("/api/mqtt/test", &json!({"setings": {}})).status, 400);
    let entries = service.json("/api/audit")["entries"].clone();
    let tests = entries.as_array().expect("entries").iter().filter(|entry| entry["action"] == "mqtt.test");
    assert_eq!(tests.clone().count(), 4);
    assert!(tests.clone().all(|entry| entry["target"] == "127.0.0.1" && !entry.to_string().contains(PASSWORD)));
}

#[test]
fn a_certificate_may_be_named_itself_or_not_be_looked_at() {
    let own = self_signed_authority(&["127.0.0.1"]);
    let files = Files::new();
    let certificate = files.certificate("own", &own);
    let expired = files.certificate("expired", &Authority::new().sign_expired(&["elsewhere.example"]));
    let broker = Broker::start(files, "allow_anonymous true\n", &[&certificate, &expired]);
    let site = Site::new(STREAMS);
    let (ca_file, _) = write_pair(site.path(), "own", &own);
    let service = site.start();
    let tls = |listener: usize| json!({"host": "127.0.0.1", "tls_port": broker.port(listener), "use_tls": true});
    assert_eq!(test(&service, &with(tls(0), json!({"ca_file": ca_file})))["ok"], true);
    let elsewhere = with(tls(0), json!({"ca_file": ca_file, "host": "localhost"}));
    assert!(test(&service, &elsewhere)["message"].as_str().is_some_and(|text| text.contains("another name")));
    assert_eq!(test(&service, &with(tls(1), json!({"ca_file": ca_file})))["ok"], false);
    assert_eq!(test(&service, &with(tls(1), json!({"tls_insecure": true})))["ok"], true);
    site.configure(&config(&with(tls(1), json!({"tls_insecure": true, "enabled": true}))));
    service.signal(rustix::process::Signal::HUP);
    connected(&service, &format!("mqtts://127.0.0.1:{}", broker.port(1)));
    service.wait_for_log("mqtt.tls_insecure is true: ", 1);
}
