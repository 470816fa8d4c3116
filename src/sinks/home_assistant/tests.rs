//! The payloads by Home Assistant's rules ([`rules`]), and what it shows of our messages ([`shown`]).

mod rules;
mod shown;

use std::collections::HashSet;

use serde_json::{Value, json};

use self::rules::complaints;
use self::shown::{Shown, available, shown};
use super::*;
use crate::model::{Health, PictureIssue, Reason};

const NODES: [&str; 9] = ["nvr", "NVR-2", "nvr.example.org", "nvr_1", "Küche", "日本", "a b/c", "{{ 7 }}", "-"];
const NAMES: [&str; 8] =
    ["Gate", "Hof / Süd – Tor 2", "カメラ", "\"},{\"x\":\"", "{{ states }} {% raw %}", "a\u{202e}b\0c\n", "Reason", ""];
const IDS: [&str; 6] = ["gate", "hof-sud-tor-2", "-", "_", "a--b__c", "0"];

fn service(node: &str) -> Service<'_> {
    Service { node, version: "3.1.0", configuration_url: Some("https://nvr.example:6969/"), has_commands: true }
}

fn id(text: &str) -> StreamId {
    StreamId::new(text).unwrap()
}

fn gate() -> Value {
    camera_device(&service("nvr"), &Camera { id: &id("gate"), name: "Gate", has_image: true }, &Topics::of("nvr"))
}

fn state(health: Health, up: Value, issues: &[PictureIssue]) -> String {
    let reason = if health == Health::Down { Reason::ConnectTimeout } else { Reason::Ok };
    json!({
        "v": 1, "state": health, "up": up, "reason": reason, "issues": issues, "since": "2026-01-02T03:04:05Z",
        "checked_at": "2026-01-02T03:04:05Z", "latency_ms": if up == true { json!(412.7) } else { Value::Null },
        "availability_30d": 0.9994,
    })
    .to_string()
}

fn shows(component: &str, message: &str, expected: &str) {
    let expected = match expected {
        "unknown" => Shown::Unknown,
        text => Shown::State(text.to_owned()),
    };
    assert_eq!(shown(&gate()["components"][component], message), expected, "{component}: {message}");
}

#[test]
fn home_assistant_takes_every_payload() {
    for node in NODES {
        let topics = Topics::of(node);
        for (url, is_taken) in [
            (Some("http://nvr.local:6969"), true),
            (Some("https://[2001:db8::1]:6969/x"), true),
            (Some("nvr.local"), false),
            (Some("ftp://nvr/"), false),
            (Some("http://"), false),
            (Some("http://a b/"), false),
            (Some(""), false),
            (None, false),
        ] {
            let service = Service { configuration_url: url, ..service(node) };
            let payload = service_device(&service, &topics);
            assert_eq!(complaints(&topic_of_service(node), &payload), [""; 0], "{payload:#}");
            assert_eq!(payload["device"].get("configuration_url").is_some(), is_taken, "{url:?}");
        }
        for (name, id, has_image, has_commands) in NAMES
            .iter()
            .flat_map(|name| IDS.iter().map(move |id| (name, id)))
            .flat_map(|(name, id)| [(true, false), (false, true)].map(|(image, commands)| (name, id, image, commands)))
        {
            let id = self::id(id);
            let service = Service { has_commands, ..service(node) };
            let payload = camera_device(&service, &Camera { id: &id, name, has_image }, &topics);
            assert_eq!(complaints(&topic_of_stream(node, &id), &payload), [""; 0], "{payload:#}");
            assert_eq!(payload["device"]["name"], **name);
            let sent: Value = serde_json::from_str(&payload.to_string()).unwrap();
            assert_eq!(sent, payload);
        }
    }
}

#[test]
fn each_rule_finds_its_violation() {
    let cases: [(&str, Value, &str); 24] = [
        ("/device/identifiers", json!([]), "device has no identifiers"),
        ("/device/name", json!(7), "name is no text"),
        ("/device/area", json!("x"), "unknown key area"),
        ("/device/configuration_url", json!("nvr"), "configuration_url \"nvr\""),
        ("/origin", json!({}), "origin has no name"),
        ("/origin", Value::Null, "origin is required"),
        ("/retain", json!(true), "unknown key retain"),
        ("/availability_topic", json!("a"), "both forms of availability"),
        ("/availability/0/topic", json!("a/#"), "topic \"a/#\""),
        ("/availability_mode", json!("some"), "availability_mode \"some\""),
        ("/components/tamper/platform", json!("tamper"), "tamper: platform"),
        ("/components/tamper/unique_id", json!(""), "tamper: no unique_id"),
        ("/components/tamper/unique_id", json!("streampulse_nvr_gate_connectivity"), "tamper: unique_id twice"),
        ("/components/tamper/device_class", json!("camera"), "tamper: device_class \"camera\""),
        ("/components/tamper/entity_category", json!("config"), "tamper: entity_category \"config\""),
        ("/components/tamper/object_id", json!("gate"), "tamper: unknown key object_id"),
        ("/components/tamper/default_entity_id", json!("gate_tamper"), "tamper: default_entity_id"),
        ("/components/tamper/value_template", json!("{{ x"), "tamper: value_template"),
        ("/components/tamper/qos", json!(0), "tamper: qos is not 1"),
        ("/components/reason/state_class", json!("measurement"), "reason: options with state_class"),
        ("/components/reason/options", json!([]), "reason: options are empty"),
        ("/components/time_to_first_picture/unit_of_measurement", json!("ns"), "unit_of_measurement"),
        ("/components/event/event_types", json!([]), "event: event_types"),
        ("/components/probe_now/command_topic", json!("a/+"), "probe_now: topic \"a/+\""),
    ];
    for (path, value, expected) in cases {
        let mut payload = gate();
        let (holder, key) = path.rsplit_once('/').unwrap();
        payload.pointer_mut(holder).unwrap()[key] = value;
        let found = complaints("homeassistant/device/streampulse_nvr_gate/config", &payload);
        assert!(found.iter().any(|complaint| complaint.contains(expected)), "{path}: {expected}: {found:?}");
    }
    let found = complaints("homeassistant/device/a b/config", &gate());
    assert_eq!(found, ["topic \"homeassistant/device/a b/config\""]);
}

#[test]
fn names_stay_and_no_two_things_share_one() {
    let payload = gate();
    assert_eq!(payload["device"]["identifiers"], json!(["streampulse_nvr_gate"]));
    assert_eq!(
        payload["device"]["via_device"],
        service_device(&service("nvr"), &Topics::of("nvr"))["device"]["identifiers"][0]
    );
    assert_eq!(payload["components"]["tamper"]["unique_id"], "streampulse_nvr_gate_tamper");
    assert_eq!(payload["components"]["tamper"]["default_entity_id"], "binary_sensor.streampulse_gate_tamper");

    // A new name changes nothing but the name.
    let (gate_id, topics) = (id("gate"), Topics::of("nvr"));
    let mut renamed = camera_device(&service("nvr"), &Camera { id: &gate_id, name: "Süd", has_image: true }, &topics);
    renamed["device"]["name"] = json!("Gate");
    assert_eq!(renamed, payload);

    // Nodes and ids that run into each other, and keys that could end an id.
    let keys: Vec<String> = payload["components"].as_object().unwrap().keys().cloned().collect();
    let mut ids: Vec<String> = IDS.iter().map(|&id| id.to_owned()).collect();
    ids.extend(keys.iter().flat_map(|key| [format!("a_{key}"), key.clone(), format!("b_{key}")]));
    ids.extend(["a".to_owned(), "b".to_owned(), "a_b".to_owned(), "1_gate".to_owned()]);
    let ids: HashSet<String> = ids.into_iter().collect();
    let nodes = [&NODES[..], &["nvr_1_gate", "a", "a_b", "b", "1"]].concat();
    let (mut topics_seen, mut uniques) = (HashSet::new(), HashSet::new());
    let mut unique = |payload: &Value| {
        for component in payload["components"].as_object().unwrap().values() {
            assert!(uniques.insert(component["unique_id"].to_string()), "{}", component["unique_id"]);
        }
    };
    for node in nodes {
        assert!(topics_seen.insert(topic_of_service(node)));
        unique(&service_device(&service(node), &Topics::of(node)));
        for stream in &ids {
            let id = id(stream);
            assert!(topics_seen.insert(topic_of_stream(node, &id)), "{node} {id}");
            let camera = Camera { id: &id, name: "x", has_image: true };
            unique(&camera_device(&service(node), &camera, &Topics::of(node)));
        }
    }
}

#[test]
fn a_camera_shows_each_state() {
    use Health::{Degraded, Down, Maintenance, Unknown, Up};
    let black = [PictureIssue::Black];
    let fog = [PictureIssue::LowContrast];
    for (health, up, issues, connectivity, problem, tamper) in [
        (Up, json!(true), &[][..], "on", "off", "off"),
        (Degraded, json!(true), &black[..], "on", "on", "on"),
        (Degraded, json!(true), &fog[..], "on", "on", "off"),
        (Down, json!(false), &[][..], "off", "unknown", "unknown"),
        (Down, json!(false), &black[..], "off", "unknown", "unknown"),
        (Unknown, Value::Null, &[][..], "unknown", "unknown", "unknown"),
        (Maintenance, Value::Null, &black[..], "unknown", "unknown", "unknown"),
    ] {
        let message = state(health, up.clone(), issues);
        shows("connectivity", &message, connectivity);
        shows("picture_problem", &message, problem);
        shows("tamper", &message, tamper);
        shows("reason", &message, if health == Down { "connect_timeout" } else { "ok" });
        shows("time_to_first_picture", &message, if up == true { "412.7" } else { "unknown" });
        shows("availability_30d", &message, "99.94");
    }
    for issue in PictureIssue::ALL {
        let is_tamper = matches!(issue, PictureIssue::Black | PictureIssue::SceneChanged | PictureIssue::Blurred);
        let message = state(Degraded, json!(true), &[PictureIssue::Frozen, *issue]);
        shows("tamper", &message, if is_tamper { "on" } else { "off" });
        shows("picture_problem", &message, "on");
    }
    for reason in Reason::ALL {
        shows("reason", &json!({"reason": reason}).to_string(), reason.as_str());
    }
}

#[test]
fn what_is_not_known_is_unknown() {
    let nothing = json!({
        "v": 1, "state": "unknown", "up": null, "reason": null, "issues": null, "since": null, "checked_at": null,
        "latency_ms": null, "availability_30d": null,
    });
    for message in [nothing.to_string(), "{}".to_owned()] {
        for (key, component) in gate()["components"].as_object().unwrap() {
            if matches!(component["platform"].as_str(), Some("binary_sensor" | "sensor")) {
                shows(key, &message, "unknown");
            }
        }
    }
    shows("time_to_first_picture", r#"{"latency_ms":0}"#, "0");
    shows("availability_30d", r#"{"availability_30d":1.0}"#, "100.0");
    shows("availability_30d", r#"{"availability_30d":0}"#, "0");
    shows("tamper", r#"{"up":true,"issues":null}"#, "off");
}

#[test]
fn only_a_dead_service_makes_a_camera_unavailable() {
    let payload = gate();
    for (status, expected) in [("online", true), ("stopped", false), ("offline", false), ("", false)] {
        assert_eq!(available(&payload, status), Some(expected), "{status}");
    }
    let topics: Vec<&Value> = payload["availability"].as_array().unwrap().iter().map(|entry| &entry["topic"]).collect();
    assert_eq!(topics, [&json!("streampulse/nvr/status")]);
    for component in payload["components"].as_object().unwrap().values() {
        assert!(component.get("availability").is_none() && component.get("expire_after").is_none(), "{component}");
    }

    let service = service_device(&service("nvr"), &Topics::of("nvr"));
    assert!(service.get("availability").is_none(), "it would hide what it is there to show");
    assert_eq!(service["state_topic"], "streampulse/nvr/status");
    for (status, running) in [("online", "on"), ("stopped", "off"), ("offline", "off")] {
        assert_eq!(shown(&service["components"]["running"], status), Shown::State(running.to_owned()));
        assert_eq!(shown(&service["components"]["status"], status), Shown::State(status.to_owned()));
    }
}

#[test]
fn a_transition_becomes_an_event() {
    let payload = gate();
    let component = &payload["components"]["event"];
    assert_eq!(component["state_topic"], "streampulse/nvr/streams/gate/event");
    for health in Health::ALL {
        let message = json!({
            "v": 1, "id": 7, "at": "2026-01-02T03:04:05Z", "stream": "gate", "name": "Tür \"1\" <&'>", "from": "up",
            "to": health, "reason": "stalled", "issues": [], "message": "Video began\nand {{ stopped }}.",
            "announced": true,
        });
        assert_eq!(shown(component, &message.to_string()), Shown::State(health.as_str().to_owned()));
        let text = shown::render(component["value_template"].as_str().unwrap(), &message.to_string());
        let mut event: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(event.as_object_mut().unwrap().remove("event_type"), Some(json!(health)));
        assert_eq!(event, message);
    }
}

#[test]
fn issues_are_attributes_of_the_problem() {
    let payload = gate();
    let template = payload["components"]["picture_problem"]["json_attributes_template"].as_str().unwrap();
    for (message, expected) in [
        (state(Health::Degraded, json!(true), &[PictureIssue::Black]), json!({"issues": ["black"]})),
        (state(Health::Up, json!(true), &[]), json!({"issues": []})),
        ("{}".to_owned(), json!({"issues": []})),
    ] {
        assert_eq!(serde_json::from_str::<Value>(&shown::render(template, &message)).unwrap(), expected);
    }
}

#[test]
fn what_is_not_wanted_is_removed() {
    let (gate_id, topics) = (id("gate"), Topics::of("nvr"));
    let service = Service { has_commands: false, ..service("nvr") };
    let plain = camera_device(&service, &Camera { id: &gate_id, name: "Gate", has_image: false }, &topics);
    // By the platform alone, each under the key that it had.
    assert_eq!(plain["components"]["last_picture"], json!({"platform": "image"}));
    assert_eq!(plain["components"]["probe_now"], json!({"platform": "button"}));
    let full = gate();
    let keys = |payload: &Value| payload["components"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&plain), keys(&full));
    assert_eq!(full["components"]["last_picture"]["image_topic"], "streampulse/nvr/streams/gate/image");
    assert_eq!(full["components"]["probe_now"]["command_topic"], "streampulse/nvr/streams/gate/probe");
    // `discovery.py`, `_parse_device_payload`: `if payload == ""`.
}

#[test]
fn home_assistants_own_topics() {
    // `const.py`: `DEFAULT_PREFIX`, `DEFAULT_BIRTH_WILL_TOPIC`, `DEFAULT_PAYLOAD_AVAILABLE`.
    assert_eq!((DISCOVERY_PREFIX, BIRTH_TOPIC, BIRTH_PAYLOAD), ("homeassistant", "homeassistant/status", "online"));
    assert!(BIRTH_TOPIC.starts_with(DISCOVERY_PREFIX) && !RESEND_WITHIN.is_zero());
    assert_eq!(topic_of_service("nvr"), "homeassistant/device/streampulse_nvr/config");
    assert_eq!(topic_of_stream("nvr", &id("gate-2")), "homeassistant/device/streampulse_nvr_gate-2/config");
}
