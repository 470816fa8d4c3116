//! What is shown of a file, and what comes back.

use serde_json::json;

use super::{FIXTURE, document, edit, set_of};
use crate::config::edit::{Change, Document, Edit, EditError, Path};
use crate::config::{keys, try_mqtt};

/// None of these may be in anything that is shown.
const SECRETS: [&str; 8] =
    ["hunter2", "s3cret", "p@ss/word#1", "block-secret", "shared-secret", "t0ken", "broker-secret", "old-secret"];

fn told(result: Result<impl std::fmt::Debug, EditError>) -> String {
    match result.expect_err("refused") {
        EditError::Refused(problems) => problems.iter().map(|p| format!("{}: {}\n", p.path, p.message)).collect(),
        other => other.to_string(),
    }
}

fn text(document: &Document, new: &str) -> Result<String, EditError> {
    document.with_text(new.as_bytes()).map(|draft| String::from_utf8(draft.bytes().to_vec()).unwrap())
}

#[test]
fn no_secret_is_shown_and_the_rest_is() {
    let document = document(FIXTURE);
    let shown = document.shown();
    for secret in SECRETS {
        assert!(FIXTURE.contains(secret), "{secret}");
        assert!(!shown.contains(secret), "{secret}:\n{shown}");
    }
    let written: Vec<_> = FIXTURE.lines().collect();
    assert!(shown.lines().all(|line| line.contains("***") || written.contains(&line)), "{shown}");
    // The block is one line then.
    assert_eq!(shown.lines().count(), written.len() - 1);
    assert!(shown.contains("url: \"rtsp://admin:***@192.0.2.10:554/s1\"   # with \"quotes\"\n"), "{shown}");
    assert!(shown.contains("password: '***'  # in a block\n"), "{shown}");
    assert!(
        shown.contains("# url: rtsp://old:***@192.0.2.99/x\r\n")
            || shown.contains("# url: rtsp://old:***@192.0.2.99/x\n")
    );
    let values = document.get(&Path::default()).unwrap().unwrap().to_string();
    for secret in SECRETS {
        assert!(!values.contains(secret), "{secret}:\n{values}");
    }
    assert_eq!(document.get(&Path::parse("streams[yard].password").unwrap()).unwrap(), Some(json!("***")));
    assert_eq!(document.get(&Path::parse("streams[yard].group").unwrap()).unwrap(), Some(json!("Outside")));
    assert_eq!(document.get(&Path::parse("streams[yard].parent").unwrap()).unwrap(), None);
}

#[test]
fn what_is_shown_comes_back_as_it_was() {
    for fixture in
        [FIXTURE.to_owned(), FIXTURE.replace('\n', "\r\n"), format!("\u{feff}{FIXTURE}"), FIXTURE.trim_end().to_owned()]
    {
        let document = document(&fixture);
        assert_eq!(text(&document, &document.shown()).unwrap(), fixture);
    }
}

#[test]
fn a_file_that_is_no_yaml_is_shown_without_its_secrets() {
    for broken in [
        format!("{FIXTURE}broken: [\n"),
        "url: rtsp://u:hunter2@h/x\nurl: {\npassword: |\n    hunter2\n  s3cret\nname: x\n".to_owned(),
        "- {name: x, url: rtsp://u:p,hunter2@h/x}\n".to_owned(),
    ] {
        let shown = document(&broken).shown();
        for secret in SECRETS {
            assert!(!shown.contains(secret), "{secret}:\n{shown}");
        }
        assert_eq!(shown.lines().count(), broken.lines().count());
    }
    // It can be repaired, with the passwords typed.
    let broken = document("streams: [\n");
    assert!(text(&broken, "streams:\n  - {name: a, url: 'rtsp://u:pw@h/x'}\n").is_ok());
    assert!(
        told(text(&broken, "streams:\n  - {name: a, url: 'rtsp://u:***@h/x'}\n"))
            .contains("streams[0].url: the file on disk")
    );
}

#[test]
fn a_hidden_secret_stays_with_its_camera() {
    let document = document(FIXTURE);
    let shown = document.shown();
    // The path may change, and the place in the list.
    let new = shown.replace("@192.0.2.10:554/s1", "@192.0.2.10/s2");
    assert_eq!(text(&document, &new).unwrap(), FIXTURE.replace("@192.0.2.10:554/s1", "@192.0.2.10/s2"));
    for (from, to, path) in [
        ("@192.0.2.10:554/s1", "@192.0.2.66:554/s1", "streams[0].url: the hidden password was for another"),
        ("@192.0.2.10:554/s1", "@192.0.2.10:555/s1", "streams[0].url: the hidden password was for another"),
        ("\"rtsp://admin:", "\"rtsps://admin:", "streams[0].url: the hidden password was for another"),
        ("\"rtsp://admin:", "\"rtsp://root:", "streams[0].url: the hidden password was for another"),
        ("name: Gate\n", "name: Gatehouse\n", "streams[0].url: the hidden password is not known"),
        ("rtsp://192.0.2.11/s1", "rtsp://192.0.2.66/s1", "streams[1].password: the hidden password was for another"),
        ("username: 'literal'", "username: 'other'", "streams[1].password: the hidden password was for another"),
        ("http://192.0.2.12/snap.cgi?user=u&", "http://192.0.2.66/snap.cgi?user=u&", "streams[2].url: the hidden"),
        ("http://192.0.2.12/snap.cgi?user=u&", "http://192.0.2.12/snap.cgi?user=w&", "streams[2].url: the hidden"),
        // Taken from an anchor.
        ("rtsp://192.0.2.13/s1", "rtsp://192.0.2.66/s1", "streams[3].password: the hidden password was for another"),
        ("host: broker.lan", "host: broker.example", "mqtt.password: the hidden password was for another"),
        ("use_tls: true", "use_tls: false", "mqtt.password: the hidden password was for another"),
        // To a place where it would be shown.
        ("group: Outside", "group: *shared", "streams[1].group: the hidden password is not known"),
        ("topic: a/b", "? *shared\n    : x", "mqtt: the hidden password is not known"),
        ("topic: a/b", "topic: *shared", "mqtt.topic: the hidden password is not known"),
    ] {
        assert!(shown.contains(from), "{from}:\n{shown}");
        let refused = told(text(&document, &shown.replace(from, to)));
        assert!(refused.contains(path), "{from} → {to}: {refused}");
        assert!(SECRETS.iter().all(|secret| !refused.contains(secret)), "{refused}");
    }
    // A new secret is taken, and a mark that stands for nothing is not.
    let new = shown.replace("rtsp://admin:***@192.0.2.10:554/s1", "rtsp://admin:new@192.0.2.66:554/s1");
    assert!(text(&document, &new).unwrap().contains("rtsp://admin:new@192.0.2.66:554/s1"));
    let refused =
        told(text(&document, &shown.replace("streams:\n", "streams:\n  - {name: New, url: 'rtsp://u:***@h/x'}\n")));
    assert!(refused.starts_with("streams[0].url: the hidden password is not known"), "{refused}");
}

#[test]
fn comments_keep_what_was_hidden_in_them() {
    let document = document(FIXTURE);
    let shown = document.shown();
    let new =
        text(&document, &shown.replace("# url: rtsp://old:***@192.0.2.99/x", "# url: rtsp://old:***@192.0.2.66/x"))
            .unwrap();
    assert!(new.contains("# url: rtsp://old:***@192.0.2.66/x") && !new.contains("old-secret@192.0.2.66"));
    assert!(new.contains("hunter2"), "the others came back");
}

#[test]
fn a_value_with_a_mark_keeps_the_secret() {
    let document = document(FIXTURE);
    let gate = Path::parse("streams[gate]").unwrap();
    let entry = document.get(&gate).unwrap().unwrap();
    assert_eq!(entry["url"], "rtsp://admin:***@192.0.2.10:554/s1");
    assert_eq!(set_of(&document, "streams[gate]", entry.clone()).unwrap(), FIXTURE);
    let mut renamed = entry.clone();
    renamed["name"] = json!("Front door");
    let new = set_of(&document, "streams[gate]", renamed).unwrap();
    let expected = FIXTURE.replace("name: Gate\n", "name: Front door\n");
    assert!(new.contains("hunter2") && new.contains("\n    id: gate\n"), "{new}");
    assert_eq!(new.replace("    id: gate\n", ""), expected);
    let mut moved = entry;
    moved["url"] = json!("rtsp://admin:***@192.0.2.66:554/s1");
    let change = Change::Set(moved);
    let refused = told(document.with_edits(&[Edit { path: gate, change }]));
    assert!(refused.contains("the hidden password was for another address or user; type it anew"), "{refused}");
    // Set and shown again.
    let new = set_of(&document, "mqtt.password", json!("***")).unwrap();
    assert_eq!(new, FIXTURE);
    let new = set_of(&document, "metrics.token", json!("yes")).unwrap();
    assert_eq!(new, FIXTURE.replace("token: t0ken", "token: 'yes'"));
}

#[test]
fn an_id_that_would_be_lost_is_written_down() {
    let base = "streams:\n  - {name: Gate, url: 'rtsp://h/1'}\n  - {name: gate!, url: 'rtsp://h/2'}\n";
    let document = document(base);
    assert_eq!((document.stream("gate"), document.stream("gate-2")), (Some(0), Some(1)));
    let remove = Edit { path: Path::stream(0), change: Change::Remove };
    let draft = document.with_edits(&[remove]).unwrap();
    assert_eq!(draft.loaded().config.streams[0].id.as_str(), "gate-2", "{}", String::from_utf8_lossy(draft.bytes()));
    let new = set_of(&document, "streams[gate-2].name", json!("Back")).unwrap();
    assert_eq!(new, base.replace("{name: gate!, url: 'rtsp://h/2'}", "{name: Back, url: 'rtsp://h/2', id: gate-2}"));
}

/// A password with a `/` in it, written as it is, moves what is read as the host.
#[test]
fn a_hidden_password_does_not_go_to_a_host_that_only_appears_with_it() {
    let stored = "streams:\n  - name: gate\n    url: rtsp://admin:pa/ss@10.0.0.9/x\n";
    let document = document(stored);
    let shown = document.shown();
    assert!(shown.contains("rtsp://admin:***@10.0.0.9/x"), "{shown}");
    for path in ["/x@evil.example/y", "/x://@evil.example/"] {
        let text = shown.replace("10.0.0.9/x", &format!("10.0.0.9{path}"));
        let refused = document.with_text(text.as_bytes());
        assert!(refused.is_err(), "{path}: {:?}", refused.map(|draft| String::from_utf8(draft.bytes().to_vec())));
    }
    // A path that changes nothing of that is taken.
    let draft = document.with_text(shown.replace("/x", "/live").as_bytes()).unwrap();
    assert_eq!(std::str::from_utf8(draft.bytes()).unwrap(), stored.replace("/x", "/live"));
}

#[test]
fn whoever_answers_under_tls_is_a_part_of_the_address() {
    let stored = "streams:\n  - name: gate\n    url: rtsps://h/x\n    username: u\n    password: hunter2\n";
    let document = document(stored);
    let text = document.shown() + "    tls_verify: false\n";
    assert!(document.with_text(text.as_bytes()).is_err());
}

#[test]
fn values_hide_what_the_text_hides() {
    let document = document(
        "camera_pw: &p hunter2\nstreams:\n  - name: a\n    url: rtsp://h/x\n    username: u\n    password: *p\n",
    );
    let whole = document.get(&Path::default()).unwrap().unwrap().to_string();
    assert!(!whole.contains("hunter2") && whole.matches("***").count() == 2, "{whole}");
    assert_eq!(document.get(&Path::parse("camera_pw").unwrap()).unwrap(), Some("***".into()));
}

#[test]
fn a_stored_password_goes_elsewhere_only_with_who_knows_it() {
    let stored = "streams:\n  - {name: Gate, url: 'rtsp://10.0.0.9/x', username: ann, password: s3cret}\n\
                  \x20 - {name: Roof, url: 'rtsps://ann:r00f@10.0.0.9/x'}\n\
                  mqtt: {host: 10.0.0.2, username: ann, password: br0ker}\n";
    let document = document(stored);
    let url = || edit("streams[gate].url", Change::Set(json!("rtsp://10.0.0.66/x")));
    let host = || edit("mqtt.host", Change::Set(json!("10.0.0.66")));
    for refused in [
        vec![url()],
        vec![edit("streams[gate].tls_verify", Change::Set(json!(false)))],
        vec![edit("streams[gate].username", Change::Set(json!("bob")))],
        vec![edit("streams[gate].name", Change::Set(json!("Other"))), url()],
        vec![
            edit("streams[0].id", Change::Set(json!("zzz"))),
            edit("streams[0].name", Change::Set(json!("Zzz"))),
            edit("streams[0].url", Change::Set(json!("rtsp://10.0.0.66/x"))),
        ],
        vec![edit("streams[roof].tls_verify", Change::Set(json!(false)))],
        vec![host()],
        vec![edit("mqtt", Change::Set(json!({"host": "10.0.0.66", "username": "ann", "password": "***"})))],
    ] {
        let told = told(document.with_edits(&refused));
        assert!(told.contains("password was for another address or user"), "{refused:?}: {told}");
    }
    for (edits, wanted) in [
        (vec![edit("streams[gate].url", Change::Set(json!("rtsp://10.0.0.9/y")))], "10.0.0.9/y"),
        (vec![url(), edit("streams[gate].password", Change::Set(json!("s3cret")))], "10.0.0.66"),
        (vec![url(), edit("streams[gate].password", Change::Set(json!("another")))], "another"),
        (vec![edit("streams[gate].password", Change::Remove), url()], "10.0.0.66"),
        (
            vec![
                edit("streams[roof].url", Change::Set(json!("rtsps://ann:r00f@10.0.0.9/x"))),
                edit("streams[roof].tls_verify", Change::Set(json!(false))),
            ],
            "false",
        ),
        (vec![host(), edit("mqtt.password", Change::Set(json!("br0ker")))], "10.0.0.66"),
    ] {
        let draft = document.with_edits(&edits).unwrap();
        assert!(String::from_utf8_lossy(draft.bytes()).contains(wanted), "{edits:?}");
    }
    // Whoever may read the file may move it.
    document.with_edits_of_its_owner(&[url()]).unwrap();
}

/// Two places decide it, on what is written and on what is meant: each key must be in both, or in none.
#[test]
fn a_test_message_and_an_edit_agree_on_what_is_another_broker() {
    let base = json!({
        "enabled": true, "host": "10.0.0.2", "port": 1, "ws_port": 2, "tls_port": 3, "tls_ws_port": 4, "use_tls": true,
        "use_websocket": false, "tls_insecure": false, "ca_file": "/ca", "cert_file": "/cert", "key_file": "/key",
        "username": "ann", "password": "br0ker", "client_id": "me", "topic": "a", "qos": 0, "retain": false,
        "interval_seconds": 10, "api_status_url": "http://a/", "commands": false, "home_assistant": false, "images": false,
        "node": "a", "protocol": "3.1.1",
    });
    let other = json!({
        "enabled": false, "host": "10.0.0.66", "port": 11, "ws_port": 12, "tls_port": 13, "tls_ws_port": 14, "use_tls": false,
        "use_websocket": true, "tls_insecure": true, "ca_file": "/ca2", "cert_file": "/cert2", "key_file": "/key2",
        "username": "bob", "password": "***", "client_id": "you", "topic": "b", "qos": 1, "retain": true,
        "interval_seconds": 20, "api_status_url": "http://b/", "commands": true, "home_assistant": true, "images": true,
        "node": "b", "protocol": "5",
    });
    let text = json!({"mqtt": base}).to_string();
    let document = document(&text);
    let unchanged = document.with_text(text.as_bytes()).unwrap();
    let mut moving = Vec::new();
    for key in keys::MQTT {
        let mut given = base.as_object().unwrap().clone();
        given.insert("password".to_owned(), json!("***"));
        given.insert((*key).to_owned(), other[*key].clone());
        let with_stars = document.with_text(json!({"mqtt": given}).to_string().as_bytes());
        let edited = document.with_edits(&[edit(&format!("mqtt.{key}"), Change::Set(other[*key].clone()))]);
        let tried = try_mqtt(given, &unchanged.loaded().config);
        let is_refused = tried.is_err();
        assert_eq!(with_stars.is_err(), is_refused, "{key}: {tried:?}");
        if *key != "password" {
            assert_eq!(edited.is_err(), is_refused, "{key}: {tried:?}");
        }
        if is_refused {
            moving.push(*key);
        }
    }
    assert_eq!(moving.first(), Some(&"host"), "{moving:?}");
    assert_eq!(moving.len(), 12, "{moving:?}");
}
