use std::path::Path;

use jiff::Timestamp;

use super::super::message::Context;
use super::*;
use crate::config::{Config, Overrides, Recipient, Target, parse};
use crate::model::{Cause, Health, Incident, Member, Reason, Stage, StreamId};

/// A name that breaks out of every form that is not careful.
const HOSTILE: &str = "Ga\"te\r\nX-Evil: 1{{ 7 * 7 }}{% x %}<!channel>@everyone äöü\\";

fn config(target: &str) -> Config {
    let name = serde_json::to_string(HOSTILE).unwrap();
    let text = format!(
        "notify:\n  targets:\n    - {{name: t, {target}}}\nstreams:\n  - {{name: {name}, id: gate, url: \"rtsp://192.0.2.1/x\"}}\n"
    );
    parse(Path::new("config.yaml"), text.as_bytes(), &Overrides::default()).unwrap().config
}

fn incident(closed_at: Option<Timestamp>) -> Incident {
    let opened_at = Timestamp::from_second(1_764_244_800).unwrap();
    let stream = StreamId::new("gate").unwrap();
    let (reason, stage) = (Reason::AuthFailed, Stage::Describe);
    let member = Member { stream, reason, stage, began_at: opened_at, joined_at: opened_at, left_at: closed_at };
    Incident {
        id: 17,
        health: Health::Down,
        cause: Cause::Stream,
        reason,
        stage,
        detail: "it said \"no\"\n".to_owned(),
        opened_at,
        closed_at,
        merged_into: None,
        members: vec![member],
        acknowledged: None,
        note: None,
        action: None,
    }
}

fn message_of(config: &Config, closed_at: Option<Timestamp>) -> Message {
    let now = Timestamp::from_second(1_764_244_860).unwrap();
    let context = Context { config, groups: &[], host: "pi", now };
    context.of_incident("6b1f03c2-1042".to_owned(), Kind::Incident, &incident(closed_at))
}

fn target(config: &Config) -> &Target {
    &config.notify.targets[0]
}

fn formed(settings: &str) -> Result<Form, String> {
    let config = config(&format!("url: \"https://h.example/x\", {settings}"));
    let Recipient::Web(webhook) = &target(&config).to else { panic!("a webhook") };
    form(webhook, &message_of(&config, None))
}

fn json_of(settings: &str) -> Value {
    let form = formed(settings).unwrap();
    serde_json::from_str(&form.body).unwrap_or_else(|error| panic!("{settings}: {error}: {}", form.body))
}

#[test]
fn every_form_of_json_is_one_whatever_a_camera_is_called() {
    let json = json_of("template: json");
    assert_eq!(
        (&json["kind"], &json["status"], &json["severity"]),
        (&json!("incident"), &json!("firing"), &json!("down"))
    );
    assert_eq!(json["incident"]["streams"][0]["name"], HOSTILE.trim());
    assert_eq!((&json["incident"]["reason"], &json["id"]), (&json!("auth_failed"), &json!("6b1f03c2-1042")));

    let slack = json_of("template: slack").to_string();
    assert!(slack.contains("&lt;!channel&gt;") && !slack.contains("<!channel>"), "{slack}");
    let discord = json_of("template: discord");
    assert_eq!(discord["allowed_mentions"], json!({"parse": []}));
    assert_eq!(discord["embeds"][0]["color"], 0x00c6_2828);

    let own = json_of(
        "body: '{\"a\": {{ title }}, \"b\": [{% for s in incident.streams %}{{ s.name }}{% endfor %}], \"c\": {{ incident }}}'",
    );
    assert_eq!(own["b"][0], HOSTILE.trim());
    assert!(own["a"].as_str().unwrap().contains("{{ 7 * 7 }}"), "what is filled in is not a template: {own}");
    assert_eq!(own["c"]["id"], 17);
}

#[test]
fn headers_of_ntfy_hold_one_line_of_ascii() {
    let form = formed("template: ntfy").unwrap();
    assert_eq!(form.content_type, "text/plain; charset=utf-8");
    for (name, value) in &form.headers {
        assert!(value.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{name}: {value:?}");
    }
    let title = form.headers.iter().find(|(name, _)| *name == "X-Title").map(|(_, value)| value.as_str()).unwrap();
    let encoded = title.strip_prefix("=?utf-8?b?").and_then(|rest| rest.strip_suffix("?=")).unwrap();
    let title = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
    assert!(title.ends_with("is down") && !title.contains('\n'), "{title}");
    assert!(form.headers.contains(&("X-Priority", "high".to_owned())));
}

#[test]
fn the_end_of_an_incident_finds_its_alert() {
    let config = config("url: \"https://h.example/x\", template: alertmanager");
    let Recipient::Web(webhook) = &target(&config).to else { panic!("a webhook") };
    let alert = |closed_at| {
        let form = form(webhook, &message_of(&config, closed_at)).unwrap();
        serde_json::from_str::<Value>(&form.body).unwrap()[0].clone()
    };
    let closed_at = Timestamp::from_second(1_764_244_830).unwrap();
    let (open, over) = (alert(None), alert(Some(closed_at)));
    assert_eq!(open["labels"], over["labels"]);
    assert_eq!(open["labels"]["alertname"], "StreamPulseDown");
    assert_eq!(open["startsAt"], over["startsAt"]);
    assert_eq!(
        (over["endsAt"].as_str(), open["endsAt"].as_str()),
        (Some("2025-11-27T12:00:30Z"), Some("2025-12-04T12:00:00Z"))
    );
}

#[test]
fn text_is_not_escaped_and_a_template_that_fails_says_why() {
    let form = formed("body: 'Hi {{ incident.streams[0].id }} {{ severity }}', content_type: text/plain").unwrap();
    assert_eq!((form.body.as_str(), form.content_type.as_str()), ("Hi gate down", "text/plain"));
    let failed = formed("body: '{{ incident.id + title }}', content_type: text/plain").unwrap_err();
    assert!(failed.ends_with("on line 1"), "{failed}");
    let endless = "body: '{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}'";
    assert!(formed(endless).unwrap_err().contains("fuel"));
}

#[test]
fn a_mail_has_one_line_of_subject() {
    let settings = "smtp: {host: mail.example}, from: a@example.org, to: b@example.org";
    let mail_of = |more: &str| {
        let config = config(&format!("{settings}{more}"));
        let Recipient::Mail(mail) = &target(&config).to else { panic!("mail") };
        letter(mail, &message_of(&config, None)).unwrap()
    };
    let letter = mail_of("");
    assert!(letter.subject.ends_with("is down") && !letter.subject.contains(['\r', '\n']), "{}", letter.subject);
    assert!(letter.body.contains("it said \"no\"") && letter.body.ends_with("StreamPulse on pi\n"), "{}", letter.body);
    let letter = mail_of(", subject: '[{{ service.host }}] {{ kind }}', body: '{{ incident.reason }}'");
    assert_eq!((letter.subject.as_str(), letter.body.as_str()), ("[pi] incident", "auth_failed"));
}
