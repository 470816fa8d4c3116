//! `streampulse user` and `streampulse token`, before the first start and while the service runs.

mod common;

use std::io::Write as _;
use std::process::{Output, Stdio};

use common::service::{ADMIN_PASSWORD, Service, Site, wait_until};
use serde_json::{Value, json};

const CONFIG: &str = "streams:
  - {name: Gate, group: Front, enabled: false, url: 'rtsp://192.0.2.10/live'}
  - {name: Yard, group: Back, enabled: false, url: 'rtsp://192.0.2.11/live'}
";

/// Runs a command with this on its standard input.
fn run_with(site: &Site, arguments: &[&str], input: &str) -> Output {
    let mut command = site.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("run");
    child.stdin.take().expect("standard input").write_all(input.as_bytes()).expect("write");
    child.wait_with_output().expect("its end")
}

#[track_caller]
fn told(output: &Output, code: i32) -> String {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

fn login(service: &Service, username: &str, password: &str) -> (u16, Value) {
    let body = json!({"username": username, "password": password}).to_string();
    let answer = service.post_as(None, "/api/login", &body);
    (answer.status, answer.json())
}

fn stream_ids(service: &Service, token: &str) -> Vec<String> {
    let list = service.get_as(Some(token), "/api/streams").json();
    let streams = list["streams"].as_array().expect("streams").clone();
    streams.iter().map(|stream| stream["id"].as_str().expect("id").to_owned()).collect()
}

#[test]
fn accounts_are_made_and_changed_before_the_first_start_and_while_the_service_runs() {
    let site = Site::new(CONFIG);
    // There is no database yet.
    let added = run_with(&site, &["user", "add", "anna", "--group", "Front"], "anna's password\n");
    assert!(told(&added, 0).contains("anna (viewer) may sign in"));
    assert!(told(&run_with(&site, &["user", "add", "anna"], "another password\n"), 64).contains("already"));

    // Nobody could administrate, so the first administrator is made all the same.
    let service = site.start();
    assert_eq!(login(&service, "admin", ADMIN_PASSWORD).0, 200);
    let (status, session) = login(&service, "anna", "anna's password");
    assert_eq!(status, 200, "{session}");
    let token = session["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(stream_ids(&service, &token), ["gate"]);

    // While it runs: other groups within seconds, a new password at once.
    let set = site.run(&["user", "set", "anna", "--role", "operator", "--group", "Back"]);
    assert!(told(&set, 0).contains("anna is operator and sees Back"));
    wait_until(|| stream_ids(&service, &token) == ["yard"]);
    let list = told(&site.run(&["user", "list"]), 0);
    let lines: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        lines,
        [vec!["NAME", "ROLE", "SEES"], vec!["admin", "admin", "every", "stream"], vec!["anna", "operator", "Back"]]
    );
    told(&run_with(&site, &["user", "passwd", "anna"], "a new password\r\n"), 0);
    assert_eq!(login(&service, "anna", "anna's password").0, 401);
    assert_eq!(login(&service, "anna", "a new password").0, 200);
    wait_until(|| service.get_as(Some(&token), "/api/me").status == 401);

    // What makes no sense changes nothing.
    for (arguments, input, part) in [
        (&["user", "add", "bert"][..], "short\n", "at least 10 characters"),
        (&["user", "add", "bert"], "", "no password was given"),
        (&["user", "add", "a b"], "a long password\n", "letters a to z"),
        (&["user", "add", "bert", "--role", "root"], "a long password\n", "not one of viewer, operator, admin"),
        (&["user", "add", "bert", "--role", "admin", "--group", "Front"], "a long password\n", "sees every stream"),
        (&["user", "set", "anna"], "", "say what to change"),
        (&["user", "set", "admin", "--group", "Front"], "", "sees every stream"),
        (&["user", "set", "admin", "--role", "viewer"], "", "last administrator"),
        (&["user", "remove", "admin"], "", "last administrator"),
        (&["user", "remove", "nobody"], "", "streampulse user list"),
        (&["token", "revoke", "nothing"], "", "streampulse token list"),
    ] {
        let text = told(&run_with(&site, arguments, input), 64);
        assert!(text.contains(part), "{arguments:?}: {text}");
    }
    told(&site.run(&["user", "remove", "anna"]), 0);
    assert_eq!(login(&service, "anna", "a new password").0, 401);

    // All of it is in the log, and by whom.
    let log = service.json("/api/audit");
    let actions: Vec<&str> =
        log["entries"].as_array().expect("entries").iter().map(|e| e["action"].as_str().expect("action")).collect();
    assert_eq!(actions, ["user.remove", "password.change", "user.change", "user.create"]);
    let by = log["entries"][0]["by"].as_str().expect("by");
    assert!(by.starts_with("command line ("), "{by}");
    assert_eq!(log["entries"][0]["address"], Value::Null);
}

#[test]
fn a_token_is_the_only_thing_on_standard_output() {
    let site = Site::new(CONFIG);
    let service = site.start();
    let made = site.run(&["token", "create", "grafana", "--group", "Back", "--expires-in-days", "7"]);
    assert_eq!(made.status.code(), Some(0));
    let text = String::from_utf8(made.stdout).expect("text");
    let token = text.strip_suffix('\n').expect("one line");
    assert!(token.starts_with("sp_") && !token.contains('\n') && made.stderr.is_empty(), "{text}");
    assert_eq!(stream_ids(&service, token), ["yard"]);
    assert_eq!(service.get_as(Some(token), "/api/users").status, 403);
    let list = told(&site.run(&["token", "list"]), 0);
    assert!(list.contains("grafana") && list.contains("Back") && !list.contains(&token[3..]), "{list}");
    assert!(told(&site.run(&["token", "create", "grafana"]), 64).contains("already"));
    told(&site.run(&["token", "revoke", "grafana"]), 0);
    wait_until(|| service.get_as(Some(token), "/api/me").status == 401);

    // A new signing key ends access tokens and keeps sessions.
    let (_, session) = login(&service, "admin", ADMIN_PASSWORD);
    let access = session["access_token"].as_str().expect("a token");
    assert_eq!(service.get_as(Some(access), "/api/me").status, 200);
    told(&site.run(&["token", "rotate-secret"]), 0);
    wait_until(|| service.get_as(Some(access), "/api/me").status == 401);
    let body = json!({"refresh_token": session["refresh_token"]}).to_string();
    let refreshed = service.post_as(None, "/api/refresh", &body);
    assert_eq!(refreshed.status, 200, "{}", refreshed.text());
    let access = refreshed.json()["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(service.get_as(Some(&access), "/api/me").status, 200);
}

#[test]
fn the_commands_work_without_a_service_too() {
    let site = Site::new(CONFIG);
    let token = told(&site.run(&["token", "create", "script", "--role", "operator"]), 0);
    told(&run_with(&site, &["user", "add", "root", "--role", "admin"], "a long password\n"), 0);
    let service = site.start();
    assert_eq!(stream_ids(&service, token.trim()), ["gate", "yard"]);
    assert_eq!(login(&service, "root", "a long password").0, 200);
    // There is an administrator already.
    assert_eq!(login(&service, "admin", ADMIN_PASSWORD).0, 401);
    assert!(!site.state().join("initial-password").exists());
    let bad = Site::new("streams: 5\n");
    assert!(told(&bad.run(&["user", "list"]), 78).contains("streams"));
}
