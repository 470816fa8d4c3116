use std::path::Path;

use super::*;
use crate::config::{Overrides, parse};

fn read(targets: &str) -> Result<Notify, Vec<String>> {
    let text = format!("streams: []\nnotify: {{targets: [{targets}]}}\n");
    match parse(Path::new("config.yaml"), text.as_bytes(), &Overrides::default()) {
        Ok(loaded) => {
            assert_eq!(loaded.warnings, []);
            Ok(loaded.config.notify)
        }
        Err(problems) => Err(problems.problems.iter().map(|p| format!("{}: {}", p.path, p.message)).collect()),
    }
}

#[test]
fn a_target_needs_little() {
    let notify = read(
        "{name: phone, url: \"https://ntfy.sh/hunter2\"}, {name: mail, smtp: {host: \"[2001:db8::7]\"}, from: a@b.example, to: c@d.example}",
    );
    let notify = notify.unwrap();
    let [phone, mail] = notify.targets.as_slice() else { panic!("{notify:?}") };
    assert!(phone.enabled && phone.incidents && !phone.transitions && !phone.tls_insecure);
    assert_eq!((phone.severities.as_slice(), phone.remind), ([Health::Down, Health::Degraded].as_slice(), None));
    assert_eq!(phone.wait, Duration::from_secs(15));
    assert_eq!(mail.to.to_string(), "smtp://[2001:db8::7]:587");
    assert!(!format!("{notify:?}").contains("hunter2"));
}

#[test]
fn what_is_wrong_is_told_and_no_secret() {
    let url = "url: \"https://h.example/hunter2\"";
    for (target, problem) in [
        (url.to_owned(), "notify.targets[0].name: missing; give every target a name"),
        (
            format!("name: A b, {url}"),
            "notify.targets[0].name: \"A b\" is no name; a name is 1 to 64 of a-z, 0-9, _ and -",
        ),
        (
            "name: a".to_owned(),
            "notify.targets[0].url: missing; write the webhook's address, or smtp with from and to for mail",
        ),
        (
            format!("name: a, {url}, smtp: {{host: h}}"),
            "notify.targets[0].smtp: is given beside url; a target has one of the two: make two targets",
        ),
        (format!("name: a, {url}, to: a@b.example"), "notify.targets[0].to: is for mail; take it out"),
        (
            "name: a, url: \"ftp://h/hunter2\"".to_owned(),
            "notify.targets[0].url: is no web address (it is not shown); write https://host/path",
        ),
        (
            format!("name: a, {url}, template: slak"),
            "notify.targets[0].template: \"slak\" is not one of json, ntfy, slack, discord, alertmanager; did you mean slack?",
        ),
        (
            format!("name: a, {url}, template: slack, body: x"),
            "notify.targets[0].body: is given beside template; a target has one of the two",
        ),
        (
            format!("name: a, {url}, content_type: text/plain"),
            "notify.targets[0].content_type: is for a body of your own; take it out",
        ),
        (
            format!("name: a, {url}, body: \"hunter2 {{% if %}}\""),
            "notify.targets[0].body: is no template: unexpected end of block on line 1; see docs/notifications.md",
        ),
        (
            format!("name: a, {url}, headers: {{Host: x}}"),
            "notify.targets[0].headers: \"Host\" is set by StreamPulse; take it out",
        ),
        (
            format!("name: a, {url}, headers: {{\"a b\": hunter2}}"),
            "notify.targets[0].headers: \"a b\" is no header with a value",
        ),
        (
            format!("name: a, {url}, headers: hunter2"),
            "notify.targets[0].headers: must hold names with their values, each on a line like `Name: value`",
        ),
        (
            format!("name: a, {url}, headers: {{X: [hunter2]}}"),
            "notify.targets[0].headers.X: must be text on one line; check the quotes",
        ),
        (
            format!("name: a, {url}, events: [incident]"),
            "notify.targets[0].events: \"incident\" is not one of incidents, transitions",
        ),
        (
            format!("name: a, {url}, template: alertmanager, events: [transitions]"),
            "notify.targets[0].events: has transitions, which are no alerts; give Alertmanager incidents only",
        ),
        (
            format!("name: a, {url}, remind_minutes: 0"),
            "notify.targets[0].remind_minutes: \"0\" is not a whole number from 1 to 43200",
        ),
        (
            "name: a, smtp: {host: h, tls: ssl}, from: a@b.c, to: [a@b.c]".to_owned(),
            "notify.targets[0].smtp.tls: \"ssl\" is not one of starttls, implicit, none",
        ),
        (
            "name: a, smtp: {host: h, username: u}, from: a@b.c, to: [a@b.c]".to_owned(),
            "notify.targets[0].smtp.password: missing; an account needs both username and password",
        ),
        (
            "name: a, smtp: {host: h}, from: a, to: [a@b.c]".to_owned(),
            "notify.targets[0].from: is no mail address; write it as name@example.org",
        ),
        (
            "name: a, smtp: {host: h}, from: a@b.c".to_owned(),
            "notify.targets[0].to: missing; write the mail addresses of whoever shall be told",
        ),
    ] {
        let problems = read(&format!("{{{target}}}")).unwrap_err();
        assert_eq!(problems, [problem], "{target}");
    }
    let twice = read(&format!("{{name: a, {url}}}, {{name: a, {url}}}")).unwrap_err();
    assert_eq!(twice, ["notify.targets[1].name: \"a\" is also the name of another target"]);
}
