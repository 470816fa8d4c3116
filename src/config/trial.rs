//! A camera, a broker or a target that is to be tried before it is written into the file: the same keys, the same words for what
//! is wrong.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::notify::{self, Target};
use super::problem::Problem;
use super::reader::{Findings, Section};
use super::recipient::Recipient;
use super::settings::{Config, Mqtt};
use super::streams::{self, Defaults};
use super::{keys, sections, yaml};
use crate::model::secret::REDACTED;
use crate::model::{Credentials, Secret, Stream};

/// Reads the keys of a stream that decide how it is probed ([`keys::TRIAL`]); an unknown one is a problem here. `stream` may name a
/// configured stream, whose stored password then stands in for `***`, to the device and user for which it is stored.
///
/// # Errors
/// Every problem at once, with paths that begin at the object: `url`, `password`.
pub fn try_stream(mut given: Map<String, Value>, config: &Config) -> Result<Stream, Vec<Problem>> {
    let stands_in = given.remove("stream");
    let problem = |path: &str, message: &str| Problem::at(1, path, message);
    let mut found = Vec::new();
    // Every JSON text is YAML 1.2, and so the same reader judges both.
    let text = Value::Object(given).to_string();
    let tree = yaml::parse(&text, &mut found).map_err(|problem| vec![problem])?;
    let findings = Findings::default();
    let defaults = Defaults {
        heartbeat: config.heartbeat,
        rtsp_timeout: config.probe.timeout,
        http_timeout: config.probe.timeout,
    };
    let tried =
        tree.and_then(|tree| streams::tried(Section::new(&tree, String::new(), keys::TRIAL, &findings), &defaults));
    found.append(&mut findings.problems.into_inner());
    found.append(&mut findings.warnings.into_inner());
    let stored = match &stands_in {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) if config.stream(id).is_some() => config.stream(id),
        Some(_) => {
            found.push(problem("stream", "no stream has this id; leave it out and write the password"));
            None
        }
    };
    let mut tried = tried;
    if let Some(tried) = &mut tried
        && let Err(message) = fill_in_password(tried, stored.map(AsRef::as_ref))
    {
        found.push(problem("password", message));
    }
    match tried {
        Some(tried) if found.is_empty() => Ok(tried),
        _ => Err(found),
    }
}

/// Puts the stored password where `***` stands.
fn fill_in_password(tried: &mut Stream, stored: Option<&Stream>) -> Result<(), &'static str> {
    let inner = tried.url.account().is_some_and(|account| account.password.expose() == REDACTED);
    let own = tried.credentials.as_ref().is_some_and(|credentials| credentials.password.expose() == REDACTED);
    if !inner && !own {
        return Ok(());
    }
    let Some(stored) = stored else {
        return Err("*** is no password; write the password, or name the stream that has it as stream");
    };
    let username = |credentials: Option<&Credentials>| credentials.map(|known| known.username.clone());
    let place = |stream: &Stream| (stream.url.scheme(), stream.device().to_ascii_lowercase(), stream.url.port());
    let same_user = !own || username(tried.credentials.as_ref()) == username(stored.credentials.as_ref());
    let same_address = !inner || tried.url.redacted(None) == stored.url.redacted(None);
    // Whom TLS would take for the camera decides who gets the password.
    let same_trust = !tried.url.scheme().is_tls() || tried.trust == stored.trust;
    if place(tried) != place(stored) || !same_user || !same_address || !same_trust {
        return Err(
            "*** stands for the stored password only while scheme, host, port, user and trusted certificates are those of the stream; \
                    write the password",
        );
    }
    if inner {
        tried.url = stored.url.clone();
    }
    if own {
        tried.credentials = stored.credentials.clone();
    }
    Ok(())
}

/// Reads the keys of `mqtt:` ([`keys::MQTT`]); an unknown one is a problem here. `***` stands for the stored password, to
/// the broker and user for which it is stored. `enabled` does not matter.
///
/// # Errors
/// Every problem at once, with paths as in the file: `mqtt.host`.
pub fn try_mqtt(mut given: Map<String, Value>, config: &Config) -> Result<Mqtt, Vec<Problem>> {
    given.remove("enabled");
    let mut found = Vec::new();
    let text = json!({"mqtt": given}).to_string();
    let tree = yaml::parse(&text, &mut found).map_err(|problem| vec![problem])?;
    let findings = Findings::default();
    let tried = tree.map(|tree| sections::mqtt(&Section::new(&tree, String::new(), keys::ROOT, &findings)));
    found.append(&mut findings.problems.into_inner());
    found.append(&mut findings.warnings.into_inner());
    let mut tried = tried.unwrap_or_default();
    if tried.password.as_ref().is_some_and(|password| password.expose() == REDACTED) {
        let stored = &config.mqtt;
        let problem = match &stored.password {
            None => Some("*** is no password, and none is stored; write the password"),
            Some(_) if !same_broker(&tried, stored) => Some(
                "*** stands for the stored password only while host, ports, user and encryption are those of the file; \
                 write the password",
            ),
            Some(_) => None,
        };
        found.extend(problem.map(|message| Problem::at(1, "mqtt.password", message)));
        tried.password = stored.password.clone();
    }
    if found.is_empty() { Ok(tried) } else { Err(found) }
}

/// True when the password goes to whom it went before, as unreadable on the way.
fn same_broker(tried: &Mqtt, stored: &Mqtt) -> bool {
    fn of(mqtt: &Mqtt) -> impl PartialEq {
        let ports = (mqtt.port, mqtt.ws_port, mqtt.tls_port, mqtt.tls_ws_port);
        let files = (mqtt.ca_file.clone(), mqtt.cert_file.clone(), mqtt.key_file.clone());
        let encryption = (mqtt.use_tls, mqtt.use_websocket, mqtt.tls_insecure);
        (mqtt.host.clone(), ports, encryption, files, mqtt.username.clone())
    }
    of(tried) == of(stored)
}

/// Reads the keys of one of `notify.targets:` ([`keys::NOTIFY_TARGET`]); an unknown one is a problem here. `***` stands for
/// what is stored for the target of that name, as long as it goes to the same host. `enabled` does not matter.
///
/// # Errors
/// Every problem at once, with paths that begin at the object: `url`, `smtp.host`.
pub fn try_target(mut given: Map<String, Value>, config: &Config) -> Result<Target, Vec<Problem>> {
    given.remove("enabled");
    given.entry("name").or_insert_with(|| json!("test"));
    let name = given["name"].as_str().unwrap_or_default().to_owned();
    let stored = config.notify.targets.iter().find(|target| target.name == name);
    let hides_url = given.get("url").and_then(Value::as_str) == Some(REDACTED);
    if hides_url {
        // Read as some address, and replaced below.
        given.insert("url".to_owned(), json!("http://hidden.invalid/"));
    }
    let mut found = Vec::new();
    let text = Value::Object(given).to_string();
    let tree = yaml::parse(&text, &mut found).map_err(|problem| vec![problem])?;
    let findings = Findings::default();
    let tried = tree.and_then(|tree| {
        let section = Section::new(&tree, String::new(), keys::NOTIFY_TARGET, &findings);
        notify::target(&section, &mut HashSet::new())
    });
    found.append(&mut findings.problems.into_inner());
    // That a password goes unencrypted is no reason not to try it.
    found.extend(findings.warnings.into_inner().into_iter().filter(|warning| warning.path != "smtp.tls"));
    let Some(mut tried) = tried.filter(|_| found.is_empty()) else { return Err(found) };
    match fill_in_secrets(&mut tried, stored.map(AsRef::as_ref), hides_url) {
        Ok(()) => Ok(tried),
        Err((path, message)) => Err(vec![Problem::at(1, path, message)]),
    }
}

/// Puts what is stored where `***` stands.
fn fill_in_secrets(
    tried: &mut Target,
    stored: Option<&Target>,
    hides_url: bool,
) -> Result<(), (&'static str, &'static str)> {
    const NONE: &str = "*** is nothing that could be sent, and none is stored for a target of this name; write it";
    const MOVED: &str = "*** stands for what is stored only while host, port, user and trusted certificates are those of the file; \
                         write it anew";
    let same_trust =
        stored.is_some_and(|stored| (&stored.ca_file, stored.tls_insecure) == (&tried.ca_file, tried.tls_insecure));
    let hidden = |secret: &Secret| secret.expose() == REDACTED;
    match (&mut tried.to, stored.map(|stored| &stored.to)) {
        (Recipient::Web(web), stored) => {
            let stored = match stored {
                Some(Recipient::Web(stored)) => Some(stored),
                _ => None,
            };
            let is_hidden = hides_url || web.secret.as_ref().is_some_and(hidden);
            if !is_hidden && !web.headers.iter().any(|(_, value)| hidden(value)) {
                return Ok(());
            }
            let path = if hides_url { "url" } else { "secret" };
            let stored = stored.ok_or((path, NONE))?;
            if hides_url {
                web.url = stored.url.clone();
            }
            if !same_trust || web.url.to_string() != stored.url.to_string() {
                return Err((path, MOVED));
            }
            if web.secret.as_ref().is_some_and(hidden) {
                web.secret = Some(stored.secret.clone().ok_or(("secret", NONE))?);
            }
            for (name, value) in web.headers.iter_mut().filter(|(_, value)| hidden(value)) {
                let known = stored.headers.iter().find(|(known, _)| known == name);
                *value = known.ok_or(("headers", NONE))?.1.clone();
            }
        }
        (Recipient::Mail(mail), stored) => {
            let Some(account) = mail.account.as_mut().filter(|account| hidden(&account.password)) else {
                return Ok(());
            };
            let Some(Recipient::Mail(stored)) = stored else { return Err(("smtp.password", NONE)) };
            let known = stored.account.as_ref().ok_or(("smtp.password", NONE))?;
            let place = (&stored.host, stored.port, stored.tls, &known.username);
            if !same_trust || place != (&mail.host, mail.port, mail.tls, &account.username) {
                return Err(("smtp.password", MOVED));
            }
            account.password = known.password.clone();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Overrides, parse};

    const FILE: &str = "probe: {timeout_seconds: 7}\n\
        mqtt: {host: broker.example, use_tls: true, username: mq, password: \"br0ker\"}\nstreams:\n  \
        - {name: Gate, url: \"rtsp://admin:s3cret@cam.example:554/s1\"}\n  \
        - {name: Yard, url: \"http://cam2.example/snap.cgi?user=admin&password=s3cret\"}\n";

    fn tried(given: Value) -> Result<Stream, Vec<(String, String)>> {
        let Value::Object(given) = given else { panic!("an object") };
        let config = parse(Path::new("config.yaml"), FILE.as_bytes(), &Overrides::default()).expect("a file").config;
        try_stream(given, &config)
            .map_err(|found| found.into_iter().map(|problem| (problem.path, problem.message)).collect())
    }

    #[test]
    fn the_keys_are_those_of_the_file() {
        let stream = tried(json!({
            "url": "rtsps://cam.example/s1", "username": "a", "password": "p@:\"\u{fc}\\x", "transport": "udp",
            "timeout_seconds": 2.5, "tls_verify": false,
        }))
        .expect("a stream");
        let credentials = stream.credentials.expect("an account");
        assert_eq!((credentials.username.as_str(), credentials.password.expose()), ("a", "p@:\"\u{fc}\\x"));
        assert_eq!((stream.timeout.as_secs_f64(), stream.trust.verify), (2.5, false));
        assert_eq!(tried(json!({"url": "http://cam.example/"})).expect("a stream").timeout.as_secs(), 7);
    }

    #[test]
    fn what_is_wrong_is_told_in_the_words_of_the_file_and_at_once() {
        let problems = tried(json!({"url": "rtps://cam/", "transport": "tpc", "timeout_seconds": 100, "nmae": "x"}));
        let problems = problems.expect_err("four problems");
        let paths: Vec<_> = problems.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["url", "timeout_seconds", "transport", ""], "{problems:?}");
        assert!(problems[0].1.contains("did you mean rtsp?") && problems[1].1.contains("1 to 60"), "{problems:?}");
        assert_eq!(tried(json!({})).expect_err("no address")[0].0, "url");
        assert_eq!(tried(json!({"url": ["x"]})).expect_err("a list")[0].0, "url");
    }

    #[test]
    fn the_stored_password_goes_only_where_it_belongs() {
        let stars = |url: &str, stream: &str| tried(json!({"url": url, "stream": stream}));
        let stream = stars("rtsp://admin:***@CAM.example/other", "gate").expect("the stored one");
        assert_eq!(stream.credentials.expect("an account").password.expose(), "s3cret");
        let stream =
            tried(json!({"url": "rtsp://cam.example/", "username": "admin", "password": "***", "stream": "gate"}));
        assert_eq!(stream.expect("the stored one").credentials.expect("an account").password.expose(), "s3cret");
        let stream = stars("http://cam2.example/snap.cgi?user=admin&password=***", "yard").expect("the stored one");
        assert_eq!(stream.url.account().expect("an account").password.expose(), "s3cret");
        for (url, stream) in [
            ("rtsp://admin:***@evil.example/s1", "gate"),
            ("rtsp://admin:***@cam.example:8554/s1", "gate"),
            ("rtsps://admin:***@cam.example:554/s1", "gate"),
            ("rtsp://root:***@cam.example/s1", "gate"),
            ("rtsp://admin:***@cam.example/s1", "yard"),
            ("http://cam2.example/other.cgi?user=admin&password=***", "yard"),
        ] {
            let problems = stars(url, stream).expect_err(url);
            assert_eq!(problems.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["password"], "{url}");
        }
        assert_eq!(tried(json!({"url": "rtsp://a:***@cam.example/"})).expect_err("whose?")[0].0, "password");
        assert_eq!(stars("rtsp://a:b@cam.example/", "nobody").expect_err("nobody")[0].0, "stream");
    }

    fn tried_mqtt(given: Value) -> Result<Mqtt, Vec<(String, String)>> {
        let Value::Object(given) = given else { panic!("an object") };
        let config = parse(Path::new("config.yaml"), FILE.as_bytes(), &Overrides::default()).expect("a file").config;
        try_mqtt(given, &config)
            .map_err(|found| found.into_iter().map(|problem| (problem.path, problem.message)).collect())
    }

    #[test]
    fn a_broker_has_the_keys_and_the_words_of_the_file() {
        let mqtt = tried_mqtt(json!({"host": "[2001:db8::7]", "ws_port": "8001", "use_websocket": true, "enabled": 7}));
        let mqtt = mqtt.expect("good");
        assert_eq!((mqtt.host.as_str(), mqtt.ws_port, mqtt.use_websocket), ("2001:db8::7", 8001, true));
        assert_eq!(tried_mqtt(json!({})).expect("the defaults"), Mqtt::default());
        let given = json!({"host": "mqtt://mq:s3cret@broker/", "port": 70_000, "topic": "a/#", "hots": "x", "qos": []});
        let problems = tried_mqtt(given).expect_err("five problems");
        let paths: Vec<_> = problems.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["mqtt.qos", "mqtt.host", "mqtt.topic", "mqtt", "mqtt.port"], "{problems:?}");
        assert!(!format!("{problems:?}").contains("s3cret"), "{problems:?}");
        assert!(problems[3].1.contains("did you mean host?"), "{problems:?}");
        for (key, value) in
            [("host", "broker:1883"), ("host", "a b"), ("cert_file", "/x"), ("topic", &"x".repeat(66_000))]
        {
            assert!(tried_mqtt(json!({key: value})).is_err(), "{key}");
        }
    }

    #[test]
    fn the_brokers_password_goes_only_to_the_broker() {
        let stars = |more: Value| {
            let mut given = json!({"host": "broker.example", "use_tls": true, "username": "mq", "password": "***"});
            given.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            tried_mqtt(given)
        };
        let mqtt = stars(json!({"topic": "another", "qos": 1})).expect("the same broker");
        assert_eq!(mqtt.password.expect("a password").expose(), "br0ker");
        for other in [
            json!({"host": "evil.example"}),
            json!({"tls_port": 8884}),
            json!({"use_tls": false}),
            json!({"use_websocket": true}),
            json!({"tls_insecure": true}),
            json!({"ca_file": "/tmp/mine.pem"}),
            json!({"username": "other"}),
        ] {
            let problems = stars(other.clone()).expect_err("another broker");
            assert_eq!(
                problems.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(),
                ["mqtt.password"],
                "{other}"
            );
        }
    }
}
