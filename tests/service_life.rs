//! The life of the service as systemd and a person see it: ready, alive, stopping; and the demo.

mod common;

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::PROGRAM;
use common::service::{ADMIN_PASSWORD, Site};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

/// Long enough for any event that a test waits for, on any machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn terminate(child: &Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid")).expect("a pid");
    kill_process(pid, Signal::TERM).expect("SIGTERM");
}

/// The next message to systemd that has this line.
fn wait_for(socket: &UnixDatagram, line: &str) {
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("waiting for {line}: {error}"));
        if String::from_utf8_lossy(&buffer[..length]).lines().any(|got| got == line) {
            return;
        }
    }
}

#[test]
fn systemd_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = UnixDatagram::bind(directory.path().join("notify")).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    let config = directory.path().join("config.yaml");
    std::fs::write(&config, "streams: []\n").expect("written");
    let mut service = Command::new(PROGRAM)
        .arg("--config")
        .arg(&config)
        .env("STREAMPULSE_STATE_DIR", directory.path().join("state"))
        .env("STREAMPULSE_LISTEN", "127.0.0.1:0")
        .env("NOTIFY_SOCKET", directory.path().join("notify"))
        .env("WATCHDOG_USEC", "300000")
        .stderr(Stdio::null())
        .spawn()
        .expect("the service");
    wait_for(&socket, "READY=1");
    wait_for(&socket, "WATCHDOG=1");
    wait_for(&socket, "WATCHDOG=1");
    terminate(&service);
    wait_for(&socket, "STOPPING=1");
    assert_eq!(service.wait().expect("an end").code(), Some(0));
}

#[test]
fn the_journal_is_told_how_much_a_line_weighs() {
    let site = Site::new("streams: []\nunknown_key: 1\n").with("JOURNAL_STREAM", "8:12345");
    let service = site.start();
    let (code, log) = service.stop();
    assert_eq!(code, 0);
    let line =
        |text: &str| log.lines().find(|line| line.contains(text)).unwrap_or_else(|| panic!("no {text:?}: {log}"));
    assert!(line("is running").starts_with("<6>"), "{log}");
    assert!(line("unknown_key").starts_with("<4>"), "{log}");
}

#[test]
fn the_first_password_may_be_a_credential_of_systemd() {
    let site = Site::new("streams: []\n").without("STREAMPULSE_ADMIN_PASSWORD_FILE");
    let directory = site.path().join("credentials");
    std::fs::create_dir(&directory).expect("a directory");
    std::fs::write(directory.join("streampulse.admin-password"), format!("{ADMIN_PASSWORD}\n")).expect("written");
    let site = site.with("CREDENTIALS_DIRECTORY", directory.to_str().expect("a name"));
    let service = site.start();
    // Signs in.
    service.token();
    assert!(!site.state().join("initial-password").exists());
}

#[test]
fn the_demo_plays_its_cameras_alone() {
    let site = Site::new("streams: []\n");
    let mut demo = site.command(&["demo", "--cameras-only"]).stdout(Stdio::piped()).spawn().expect("the demo");
    let mut text = String::new();
    let mut lines = std::io::BufReader::new(demo.stdout.take().expect("stdout"));
    while !text.contains("name: \"Lift\"") || !text.ends_with("group: \"Entrance\"\n") {
        assert!(std::io::BufRead::read_line(&mut lines, &mut text).expect("text") > 0, "it ended: {text}");
    }
    site.configure(&text);
    assert_eq!(site.run(&["check-config"]).status.code(), Some(0), "{text}");
    terminate(&demo);
    assert_eq!(demo.wait().expect("an end").code(), Some(0));
}

async fn ask(address: &str, request: String) -> String {
    let mut socket = tokio::net::TcpStream::connect(address).await.expect("connected");
    socket.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("an answer");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_says_where_it_is_and_lets_in_with_the_password_it_prints() {
    let mut demo = tokio::process::Command::new(PROGRAM)
        .args(["demo", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the demo");
    let mut lines = BufReader::new(demo.stdout.take().expect("stdout")).lines();
    let (mut address, mut password, mut config) = (None, None, None);
    while config.is_none() {
        let line =
            tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("in time").expect("text").expect("a line");
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["dashboard", url] => address = Some(url.trim_start_matches("http://").trim_end_matches('/').to_owned()),
            ["password", word, ..] => password = Some((*word).to_owned()),
            ["The", "configuration", "is", file, ..] => config = Some(file.trim_end_matches(':').to_owned()),
            _ => {}
        }
    }
    let (address, password, config) =
        (address.expect("an address"), password.expect("a password"), config.expect("a file"));
    let page = ask(&address, format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")).await;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("<title>StreamPulse"), "{page}");
    let body = format!(r#"{{"username":"admin","password":"{password}"}}"#);
    let login = format!(
        "POST /api/login HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let answer = ask(&address, login).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""must_change_password":true"#), "{answer}");

    let pid = Pid::from_raw(i32::try_from(demo.id().expect("a pid")).expect("a pid")).expect("a pid");
    kill_process(pid, Signal::INT).expect("SIGINT");
    let status = demo.wait().await.expect("an end");
    assert_eq!(status.code(), Some(0));
    assert!(!std::path::Path::new(&config).exists(), "the demo's directory is gone");
}
