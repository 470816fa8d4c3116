//! What a broker has of each stream: state, attributes, events that survive outages, commands. Against a real Mosquitto.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;

use common::broker::{Broker, Files, Received, Subscriber};
use common::service::{Service, Site, wait_until};
use serde_json::{Value, json};

const NODE: &str = "streampulse/n1";

/// Cameras at which nobody listens: they are down with the first heartbeat.
fn config(broker: &Broker, streams: &[&str], more: Value) -> String {
    let mut mqtt = json!({"enabled": true, "host": "127.0.0.1", "port": broker.port(0), "client_id": "sp", "node": "n1",
        "interval_seconds": 5, "home_assistant": false});
    let more = more.as_object().expect("an object").clone();
    mqtt.as_object_mut().expect("an object").extend(more);
    let streams: Vec<Value> = streams
        .iter()
        .map(|name| json!({"name": name, "url": "rtsp://admin:s3cret@127.9.9.9:1/live", "group": "yard"}))
        .collect();
    json!({"heartbeat_seconds": 3600, "probe": {"failures_to_down": 1}, "streams": streams, "mqtt": mqtt}).to_string()
}

fn is(topic: &str) -> impl Fn(&Received) -> bool {
    move |message| message.topic == format!("{NODE}/{topic}")
}

fn status(watcher: &Subscriber, word: &str) -> Received {
    watcher.wait_for(|message| message.topic == format!("{NODE}/status") && message.text == word)
}

/// What the broker keeps, by topic.
fn retained(broker: &Broker) -> BTreeMap<String, String> {
    let port = broker.port(0).to_string();
    let listed = Command::new("mosquitto_sub")
        .args(["-h", "127.0.0.1", "-p", &port, "-t", "#", "--retained-only", "-W", "2", "-F", "%t %p"])
        .output()
        .expect("mosquitto_sub");
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    text.lines().filter_map(|line| line.split_once(' ')).map(|(topic, text)| (topic.into(), text.into())).collect()
}

fn publish(broker: &Broker, topic: &str, more: &[&str]) {
    let port = broker.port(0).to_string();
    let status = Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-p", &port, "-q", "1", "-t", topic])
        .args(more)
        .status();

    assert!(status.expect("mosquitto_pub").success(), "{topic}");
}

fn health(service: &Service) -> Value {
    service.json("/api/health")["mqtt"].clone()
}

#[test]
fn each_stream_has_its_topics_and_they_go_with_it() {
    let broker = Broker::open();
    let watcher = broker.subscribe("#", None);
    let site = Site::new(&config(&broker, &["Gate", "Yard"], json!({})));
    let service = site.start();

    assert_eq!(status(&watcher, "online").qos, 1);
    let down = |message: &Received| is("streams/gate/state")(message) && message.json["state"] == "down";
    let state = watcher.wait_for(down);
    assert_eq!(state.qos, 1);
    let keys: Vec<_> = state.json.as_object().expect("an object").keys().map(String::as_str).collect();
    let expected = ["v", "state", "up", "reason", "issues", "since", "checked_at", "latency_ms", "availability_30d"];
    assert_eq!(keys.iter().copied().collect::<BTreeSet<_>>(), expected.into_iter().collect());
    assert_eq!((&state.json["v"], &state.json["up"]), (&json!(1), &json!(false)));
    assert_eq!((&state.json["reason"], &state.json["latency_ms"]), (&json!("connection_refused"), &Value::Null));
    let attributes = watcher.wait_for(|message| {
        is("streams/gate/attributes")(message) && message.json["what"].as_str().is_some_and(|what| what.len() > 10)
    });
    assert_eq!((&attributes.json["name"], &attributes.json["group"]), (&json!("Gate"), &json!("yard")));
    let event = watcher.wait_for(is("streams/gate/event"));
    assert_eq!((event.qos, event.retained), (1, false));
    assert_eq!((&event.json["from"], &event.json["to"]), (&json!("unknown"), &json!("down")));
    assert_eq!((&event.json["stream"], &event.json["name"]), (&json!("gate"), &json!("Gate")));
    assert!(event.json["id"].is_string() && event.json["announced"] == true, "{}", event.json);
    // At the interval it comes again, also when nothing changed.
    let times = || watcher.text().matches("/streams/gate/state ").count();
    let before = times();
    wait_until(|| times() > before);
    assert!(!watcher.text().contains("s3cret") && !watcher.text().contains("127.9.9.9"));

    // A stream that is removed takes its topics along; so does one that is removed while nobody runs, and another node.
    wait_until(|| {
        let kept = retained(&broker);
        let topics = ["status", "streams/gate/state", "streams/gate/attributes", "streams/yard/state"];
        topics.iter().all(|topic| kept.contains_key(&format!("{NODE}/{topic}")))
    });
    site.configure(&config(&broker, &["Yard", "Door"], json!({})));
    service.signal(rustix::process::Signal::HUP);
    watcher.wait_for(is("streams/door/state"));
    wait_until(|| {
        let kept = retained(&broker);
        kept.keys().any(|topic| topic.contains("/yard/")) && !kept.keys().any(|topic| topic.contains("/gate/"))
    });
    let (code, _) = service.stop();
    assert_eq!(code, 0);
    status(&watcher, "stopped");
    site.configure(&config(&broker, &["Door"], json!({"node": "n2"})));
    let service = site.start();
    wait_until(|| {
        let kept = retained(&broker);
        kept.keys().all(|topic| topic.starts_with("streampulse/n2/")) && kept.len() == 3
    });
    let status = || retained(&broker).remove("streampulse/n2/status");
    wait_until(|| status().as_deref() == Some("online"));
    service.kill();
    wait_until(|| status().as_deref() == Some("offline"));
}

#[test]
fn whatever_becomes_of_the_next_connection_the_last_word_is_true() {
    let broker = Broker::open();
    let watcher = broker.subscribe("#", None);
    let site = Site::new(&config(&broker, &["Gate"], json!({})));
    let service = site.start();
    status(&watcher, "online");
    // The next login fails: who stays behind says so.
    site.configure(&config(&broker, &["Gate"], json!({"port": no_broker(false)})));
    service.signal(rustix::process::Signal::HUP);
    status(&watcher, "stopped");
    site.configure(&config(&broker, &["Gate"], json!({"interval_seconds": 60})));
    service.signal(rustix::process::Signal::HUP);
    let kept = || retained(&broker).remove(&format!("{NODE}/status"));
    wait_until(|| kept().as_deref() == Some("online"));
    site.configure(&config(&broker, &["Gate"], json!({"enabled": false})));
    service.signal(rustix::process::Signal::HUP);
    wait_until(|| kept().as_deref() == Some("stopped"));
}

#[test]
fn a_message_that_the_broker_does_not_take_is_told_and_costs_nothing_else() {
    let files = Files::new();
    let list = files.path().join("acl");
    std::fs::write(&list, "topic write streampulse/#\ntopic write stream_monitor/#\ntopic read #\n").expect("written");
    let broker = Broker::start(files, &format!("allow_anonymous true\nacl_file {}\n", list.display()), &[""]);
    let watcher = broker.subscribe("#", None);
    let site = Site::new(&config(&broker, &["Gate"], json!({"protocol": 5, "home_assistant": true})));
    let service = site.start();
    assert_eq!(watcher.wait_for(is("streams/gate/event")).json["to"], "down");
    let told = |state: &Value| state["problem"].as_str().is_some_and(|text| text.contains("homeassistant/device/"));
    wait_until(|| told(&health(&service)));
    // The event leaves the queue when the broker's word for it has come, which may be after the watcher has it.
    wait_until(|| health(&service)["events_waiting"] == 0);
    wait_until(|| health(&service)["refused_total"].as_u64() >= Some(2));
    let state = health(&service);
    assert!(state["next_step"].as_str().is_some_and(|text| text.contains("access list")), "{state}");
    assert_eq!(state["state"], json!("connected"), "{state}");
    assert_eq!(service.log().matches("connected to the MQTT broker").count(), 1);
}

/// Every transition that the service has recorded, by stream, in order.
fn recorded(site: &Site) -> BTreeMap<String, Vec<(String, String)>> {
    const NAMES: [&str; 5] = ["up", "degraded", "down", "unknown", "maintenance"];
    let connection = rusqlite::Connection::open(site.database()).expect("the database");
    let mut query = connection
        .prepare(
            "SELECT streams.id, from_health, to_health FROM transitions JOIN streams ON key = stream ORDER BY transitions.id",
        )
        .expect("a query");
    let rows = query.query_map([], |row| {
        let name = |i| Ok::<_, rusqlite::Error>(NAMES[row.get::<_, u8>(i)? as usize].to_owned());
        Ok((row.get::<_, String>(0)?, (name(1)?, name(2)?)))
    });
    let mut recorded = BTreeMap::<String, Vec<(String, String)>>::new();
    for (stream, change) in rows.expect("rows").map(|row| row.expect("a row")) {
        recorded.entry(stream).or_default().push(change);
    }
    recorded
}

/// The events that came, by stream, in the order in which each came first; and how many came once more.
fn arrived(watcher: &Subscriber) -> (BTreeMap<String, Vec<(String, String)>>, usize) {
    let mut seen = BTreeMap::<String, String>::new();
    let (mut arrived, mut repeats) = (BTreeMap::<String, Vec<(String, String)>>::new(), 0);
    for message in watcher.all().into_iter().filter(|message| message.topic.ends_with("/event")) {
        let text = |key: &str| message.json[key].as_str().expect("a text").to_owned();
        match seen.insert(text("id"), message.text.clone()) {
            // The same in every letter.
            Some(before) => {
                assert_eq!(before, message.text);
                repeats += 1;
            }
            None => arrived.entry(text("stream")).or_default().push((text("from"), text("to"))),
        }
    }
    (arrived, repeats)
}

/// Work on every stream begins and ends: maintenance, unknown, and down again.
fn work_on_everything(service: &Service, site: &Site, streams: usize) {
    let before = recorded(site).values().map(Vec::len).sum::<usize>();
    let until = |count: usize| wait_until(|| recorded(site).values().map(Vec::len).sum::<usize>() >= before + count);
    let made = service.post("/api/maintenance", &json!({"minutes": 60}));
    assert_eq!(made.status, 201, "{}", made.text());
    until(streams);
    let id = made.json()["id"].as_i64().expect("a number");
    let ended = service.delete(&format!("/api/maintenance/{id}"));
    assert!(ended.status < 300, "{}", ended.text());
    until(3 * streams);
}

#[test]
fn every_event_arrives_in_order_after_the_broker_was_away_and_the_service_killed() {
    const STREAMS: usize = 60;
    let names: Vec<String> = (0..STREAMS).map(|i| format!("Camera {i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let files = Files::new();
    let kept = format!("persistence true\npersistence_location {}/\nmax_queued_messages 0\n", files.path().display());
    let mut broker = Broker::start(files, &format!("allow_anonymous true\n{kept}"), &[""]);
    let watcher = broker.subscribe_for_good("streampulse/#");
    let site = Site::new(&config(&broker, &names, json!({})));
    let mut service = site.start();
    let count = |watcher: &Subscriber| arrived(watcher).0.values().map(Vec::len).sum::<usize>();
    wait_until(|| count(&watcher) >= STREAMS);

    broker.stop();
    work_on_everything(&service, &site, STREAMS);
    wait_until(|| health(&service)["events_waiting"].as_u64() >= Some(3 * STREAMS as u64));
    // In the middle of it.
    let id = service.post("/api/maintenance", &json!({"minutes": 60})).json()["id"].as_i64().expect("a number");
    service.kill();
    service = site.start();
    let ended = service.delete(&format!("/api/maintenance/{id}"));
    assert!(ended.status < 300, "{}", ended.text());
    work_on_everything(&service, &site, STREAMS);
    broker.begin_again();
    work_on_everything(&service, &site, STREAMS);

    let total = recorded(&site).values().map(Vec::len).sum::<usize>();
    assert!(total >= 500, "{total}");
    wait_until(|| count(&watcher) >= total);
    wait_until(|| health(&service)["events_waiting"] == 0);
    // Nothing is left that could come once more after a restart.
    service.stop();
    let service = site.start();
    work_on_everything(&service, &site, STREAMS);
    let expected = recorded(&site);
    let total = expected.values().map(Vec::len).sum::<usize>();
    wait_until(|| count(&watcher) >= total);
    let (arrived, repeats) = arrived(&watcher);
    assert_eq!(arrived, expected);
    println!("{total} events, {repeats} of them more than once");
    assert_eq!(health(&service)["events_dropped_total"], 0);
}

#[test]
fn a_probe_and_work_can_be_asked_for_and_nothing_else() {
    let broker = Broker::open();
    let watcher = broker.subscribe("#", None);
    let site = Site::new(&config(&broker, &["Gate", "Yard"], json!({})));
    let service = site.start();
    status(&watcher, "online");
    let probe = format!("{NODE}/streams/gate/probe");
    let work = format!("{NODE}/streams/gate/maintenance");
    let beats = |stream: &str| {
        let page = service.json(&format!("/api/streams/{stream}/history?limit=100"));
        page["heartbeats"].as_array().expect("a list").len()
    };
    wait_until(|| beats("gate") == 1 && beats("yard") == 1);
    // Off by default.
    publish(&broker, &probe, &["-m", ""]);
    // One that is retained waits for whoever comes.
    publish(&broker, &probe, &["-m", "PRESS", "-r"]);
    site.configure(&config(&broker, &["Gate", "Yard"], json!({"commands": true})));
    service.signal(rustix::process::Signal::HUP);
    service.wait_for_log("an MQTT command is not obeyed: a command is retained", 1);
    assert_eq!(beats("gate"), 1);

    // Again at once is too soon; ten megabytes are no command; nor is one to a stream that is not there.
    publish(&broker, &probe, &["-m", "PRESS"]);
    publish(&broker, &probe, &["-m", "PRESS"]);
    wait_until(|| beats("gate") == 2);
    let large = site.path().join("large");
    std::fs::write(&large, vec![b'x'; 10_000_000]).expect("written");
    for topic in [&probe, &work] {
        publish(&broker, topic, &["-f", large.to_str().expect("a path")]);
    }
    publish(&broker, &format!("{NODE}/streams/none/probe"), &["-m", "PRESS"]);
    publish(&broker, &format!("{NODE}/streams/yard/maintenance"), &["-m", r#"{"minutes": 5, "note": "new lens"}"#]);
    watcher.wait_for(|message| is("streams/yard/state")(message) && message.json["state"] == "maintenance");
    let announced = service.json("/api/maintenance");
    assert!(announced.to_string().contains("new lens") && announced.to_string().contains("mqtt"), "{announced}");
    assert_eq!(beats("gate"), 2);
    wait_until(|| {
        publish(&broker, &format!("{NODE}/streams/yard/maintenance"), &["-m", "off"]);
        service.json("/api/streams/yard")["state"] != "maintenance"
    });
    // All of it over one connection.
    assert_eq!(broker.log().matches("Received DISCONNECT from sp").count(), 1, "that of the change of the settings");
    assert!(!broker.log().contains("Client sp closed its connection"), "{}", broker.log());
    assert_eq!(health(&service)["state"], "connected");
}

#[test]
fn mqtt_watch_shows_what_arrives_or_why_nothing_does() {
    let mut broker = Broker::open();
    let site = Site::new(&config(&broker, &["Gate"], json!({})));
    let service = site.start();
    wait_until(|| retained(&broker).contains_key(&format!("{NODE}/streams/gate/attributes")));
    let seen = site.run(&["mqtt-watch", "--json", "--count", "3"]);
    assert!(seen.status.success());
    let told = String::from_utf8_lossy(&seen.stderr).into_owned();
    assert!(told.contains("connected to mqtt://127.0.0.1:") && told.contains("listening to stream_monitor/status"));
    let text = String::from_utf8_lossy(&seen.stdout).into_owned();
    let messages: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let topics: BTreeSet<_> = messages.iter().map(|message| message["topic"].as_str().expect("a topic")).collect();
    let expected = ["status", "streams/gate/attributes", "streams/gate/state"].map(|topic| format!("{NODE}/{topic}"));
    assert_eq!(topics, expected.iter().map(String::as_str).collect());
    assert!(messages.iter().all(|message| message["retained"] == true), "{text}");
    let line = site.run(&["mqtt-watch", &format!("{NODE}/status"), "--count", "1"]);
    assert!(String::from_utf8_lossy(&line.stdout).ends_with("/status (retained) online\n"));
    service.stop();
    broker.kill();
    let refused = site.run(&["mqtt-watch"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(69), "{told}");
    assert!(told.contains("refuses connections") && told.contains("Start the broker"), "{told}");
}

#[test]
fn home_assistant_is_told_of_every_device_and_again_when_it_starts() {
    let broker = Broker::open();
    let watcher = broker.subscribe("#", None);
    let on = |streams: &[&str]| config(&broker, streams, json!({"home_assistant": true}));
    let site = Site::new(&on(&["Gate", "Yard"]));
    let service = site.start();
    let device = |name: &str| format!("homeassistant/device/streampulse_n1{name}/config");
    let told = |name: &str| {
        let topic = device(name);
        watcher.wait_for(move |message| message.topic == topic)
    };
    assert_eq!((told("").qos, told("").json["device"]["identifiers"][0].as_str()), (1, Some("streampulse_n1")));
    let gate = told("_gate").json;
    assert_eq!(gate["device"]["via_device"], "streampulse_n1");
    assert_eq!(gate["availability"][0]["topic"], format!("{NODE}/status"));
    assert_eq!(gate["state_topic"], format!("{NODE}/streams/gate/state"));
    wait_until(|| {
        let kept = retained(&broker);
        ["", "_gate", "_yard"].iter().all(|name| kept.contains_key(&device(name)))
    });

    let times = || watcher.all().iter().filter(|message| message.topic == device("_gate")).count();
    assert_eq!(times(), 1);
    publish(&broker, "homeassistant/status", &["-m", "offline"]);
    publish(&broker, "homeassistant/status", &["-m", "online"]);
    wait_until(|| times() == 2);

    // A device goes before its topics.
    site.configure(&on(&["Yard"]));
    service.signal(rustix::process::Signal::HUP);
    let cleared = |topic: String| move |message: &Received| message.topic == topic && message.text.is_empty();
    watcher.wait_for(cleared(format!("{NODE}/streams/gate/state")));
    let place = |topic: String| watcher.all().iter().position(cleared(topic)).expect("it was cleared");
    assert!(place(device("_gate")) < place(format!("{NODE}/streams/gate/state")));
    site.configure(&config(&broker, &["Yard"], json!({})));
    service.signal(rustix::process::Signal::HUP);
    wait_until(|| retained(&broker).keys().all(|topic| topic.starts_with("streampulse/")));
}

/// A broker that is none: it lets everybody in and then sends noise without end, or nothing.
fn no_broker(noise: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let _ = stream.write_all(&[0x20, 2, 0, 0]);
                while noise && stream.write_all(&[0xff; 4096]).is_ok() {}
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest);
            });
        }
    });
    port
}

#[test]
fn a_broker_that_is_none_slows_nothing() {
    let broker = Broker::open();
    for noise in [false, true] {
        let site = Site::new(
            &config(&broker, &["Gate"], json!({"port": no_broker(noise)}))
                .replace("\"heartbeat_seconds\":3600", "\"heartbeat_seconds\":2"),
        );
        let service = site.start();
        let metric = |name: &str| {
            let text = service.get_as(None, "/metrics").text();
            let line = text.lines().find(|line| line.starts_with(name)).expect(name).to_owned();
            line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok()).expect("a number")
        };
        wait_until(|| metric("streampulse_probes_total") >= 5.0);
        assert_eq!(metric("streampulse_heartbeats_missed_total"), 0.0);
        if noise {
            wait_until(|| health(&service)["problem"].as_str().is_some_and(|what| what.contains("no MQTT")));
        }
        // What happened waits for a broker that is one.
        assert_eq!(health(&service)["events_dropped_total"], 0);
        wait_until(|| health(&service)["events_waiting"] == 1);
        let watcher = broker.subscribe("#", None);
        site.configure(&config(&broker, &["Gate"], json!({})));
        service.signal(rustix::process::Signal::HUP);
        assert_eq!(watcher.wait_for(is("streams/gate/event")).json["to"], "down");
    }
}
