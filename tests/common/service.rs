//! The whole service as a process, in a directory of its own.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::PROGRAM;

/// Every wait ends: this long is far more than anything here takes, and the test has failed then.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The password of the user `admin`.
pub const ADMIN_PASSWORD: &str = "the tests sign in with this";

/// Asks again and again.
#[track_caller]
#[allow(clippy::disallowed_methods, reason = "another process tells nobody of its changes")]
pub fn wait_until(mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "it did not come to that");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Variables that would change what the program does.
const NOT_INHERITED: [&str; 13] = [
    "STREAMPULSE_CONFIG",
    "STREAMPULSE_STATE_DIR",
    "STREAMPULSE_LISTEN",
    "STREAMPULSE_LOG",
    "STREAMPULSE_ADMIN_PASSWORD_FILE",
    "DB_PATH",
    "CFG_PATH",
    "RTSP_TIMEOUT",
    "MJPEG_TIMEOUT",
    "NOTIFY_SOCKET",
    "JOURNAL_STREAM",
    "CREDENTIALS_DIRECTORY",
    "WATCHDOG_USEC",
];

/// A directory with a configuration, a state directory and the administrator's password: what survives a restart.
pub struct Site {
    directory: tempfile::TempDir,
    environment: BTreeMap<String, String>,
}

impl Site {
    /// A site with this `config.yaml`. The service listens on a free port.
    pub fn new(config: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("admin-password"), ADMIN_PASSWORD).expect("password file");
        let site = Self { directory, environment: BTreeMap::new() };
        let state = site.state().display().to_string();
        let password = site.path().join("admin-password").display().to_string();
        site.configure(config);
        // The registry is that of every test: looking for all plugins takes seconds.
        site.with("CACHE_DIRECTORY", env!("CARGO_TARGET_TMPDIR"))
            .with("STREAMPULSE_STATE_DIR", &state)
            .with("STREAMPULSE_LISTEN", "127.0.0.1:0")
            .with("STREAMPULSE_ADMIN_PASSWORD_FILE", &password)
    }

    /// With this in the environment.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Without this in the environment.
    pub fn without(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// The directory of everything.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.path().join("config.yaml")
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.state().join("streampulse.db")
    }

    /// Replaces the configuration as an editor does: a new file, renamed over the old one.
    pub fn configure(&self, text: &str) {
        let new = self.path().join("config.yaml.new");
        std::fs::write(&new, text).expect("write config.yaml");
        std::fs::rename(&new, self.config()).expect("rename config.yaml");
    }

    /// The program with this site's configuration and environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(self.config()).args(arguments);
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        command.envs(&self.environment).stdin(Stdio::null());
        command
    }

    /// Runs a command that ends by itself.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("run")
    }

    /// Starts the service and waits until it runs.
    pub fn start(&self) -> Service {
        let process = Process::spawn(self.command(&["serve"]));
        match process.started() {
            Some(address) => Service { process: Some(process), address, token: Mutex::default() },
            None => panic!("the service did not start:\n{}", process.log.text()),
        }
    }

    /// Starts a service that cannot start: its exit code and what it says on standard error.
    pub fn fails_to_start(&self) -> (i32, String) {
        let mut process = Process::spawn(self.command(&["serve"]));
        assert_eq!(process.started(), None, "it runs:\n{}", process.log.text());
        let status = process.wait();
        (status.code().expect("an exit code"), process.log.text())
    }
}

/// Standard error of a process as it comes.
#[derive(Clone, Default)]
pub struct Log(Arc<(Mutex<Lines>, Condvar)>);

#[derive(Default)]
struct Lines {
    text: String,
    ended: bool,
}

impl Log {
    fn add(&self, line: &str) {
        self.0.0.lock().expect("log").text.push_str(line);
        self.0.1.notify_all();
    }

    fn end(&self) {
        self.0.0.lock().expect("log").ended = true;
        self.0.1.notify_all();
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        self.0.0.lock().expect("log").text.clone()
    }

    /// Waits for what `find` finds; `None` when the log ends without it.
    pub fn find<T>(&self, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        let begun = Instant::now();
        let mut lines = self.0.0.lock().expect("log");
        loop {
            if let Some(found) = find(&lines.text) {
                return Some(found);
            }
            if lines.ended {
                return None;
            }
            let left = PATIENCE.checked_sub(begun.elapsed());
            let left = left.unwrap_or_else(|| panic!("it is not in the log, which does not end:\n{}", lines.text));
            lines = self.0.1.wait_timeout(lines, left).expect("log").0;
        }
    }
}

/// A program that runs. Dropping it kills it.
pub struct Process {
    pub child: Child,
    pub log: Log,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("start the program");
        let stderr = child.stderr.take().expect("standard error");
        let log = Log::default();
        let writer = log.clone();
        let reader = std::thread::spawn(move || {
            let mut stderr = BufReader::new(stderr);
            let mut line = Vec::new();
            while stderr.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
                writer.add(&String::from_utf8_lossy(&line));
                line.clear();
            }
            writer.end();
        });
        Self { child, log, reader: Some(reader) }
    }

    /// SIGTERM, and its end.
    pub fn end(mut self) {
        let pid = rustix::process::Pid::from_raw(self.child.id() as i32).expect("a process id");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("signal");
        self.wait();
    }

    /// The address of a service that runs, or `None` when it has ended.
    fn started(&self) -> Option<SocketAddr> {
        self.log.find(|text| {
            let line = text.lines().find(|line| line.contains("is running"))?;
            let (_, after) = line.split_once("address=")?;
            after.split_whitespace().next()?.parse().ok()
        })
    }

    /// Waits until the process has ended by itself.
    fn wait(&mut self) -> std::process::ExitStatus {
        // The end of its standard error is the event; its workers do not share it.
        self.log.find(|_| None::<()>);
        let status = self.child.wait().expect("wait");
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the log's reader");
        }
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A service that runs. Dropping it kills it.
pub struct Service {
    process: Option<Process>,
    address: SocketAddr,
    token: Mutex<Option<String>>,
}

impl Service {
    fn process(&self) -> &Process {
        self.process.as_ref().expect("it runs")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process().child.id()
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        self.process().log.text()
    }

    /// Waits until the log holds this text `times` times.
    pub fn wait_for_log(&self, text: &str, times: usize) {
        let found = self.process().log.find(|log| (log.matches(text).count() >= times).then_some(()));
        assert!(found.is_some(), "the service ended without saying {text:?}:\n{}", self.log());
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid() as i32).expect("a process id");
        rustix::process::kill_process(pid, signal).expect("signal");
    }

    /// SIGTERM; its exit code and whole log once it has ended.
    pub fn stop(mut self) -> (i32, String) {
        self.signal(rustix::process::Signal::TERM);
        let mut process = self.process.take().expect("it runs");
        let status = process.wait();
        let log = process.log.text();
        assert_eq!(status.signal(), None, "{log}");
        (status.code().expect("an exit code"), log)
    }

    /// SIGKILL; its log once it is gone.
    pub fn kill(mut self) -> String {
        let mut process = self.process.take().expect("it runs");
        process.child.kill().expect("kill");
        process.wait();
        process.log.text()
    }

    /// An access token of the administrator.
    pub fn token(&self) -> String {
        let mut token = self.token.lock().expect("token");
        token
            .get_or_insert_with(|| {
                let body = json!({"username": "admin", "password": ADMIN_PASSWORD}).to_string();
                let answer = self.post_as(None, "/api/login", &body);
                assert_eq!(answer.status, 200, "{}", answer.text());
                answer.json()["access_token"].as_str().expect("a token").to_owned()
            })
            .clone()
    }

    /// GET as the administrator.
    pub fn get(&self, path: &str) -> Answer {
        self.get_as(Some(&self.token()), path)
    }

    /// GET with a bearer token or none.
    pub fn get_as(&self, token: Option<&str>, path: &str) -> Answer {
        self.send("GET", path, token, None)
    }

    /// The JSON of a GET that must succeed.
    pub fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// POST of JSON with a bearer token or none.
    pub fn post_as(&self, token: Option<&str>, path: &str, body: &str) -> Answer {
        self.send("POST", path, token, Some(body))
    }

    /// DELETE as the administrator.
    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, Some(&self.token()), None)
    }

    /// Any method as the administrator, with further headers, each ended by a line break.
    pub fn send_with(&self, method: &str, path: &str, headers: &str, body: Option<&str>) -> Answer {
        let headers = format!("{headers}Authorization: Bearer {}\r\n", self.token());
        let mut stream = self.request_with(method, path, &headers, body);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect(path);
        Answer::parse(&bytes)
    }

    fn send(&self, method: &str, path: &str, token: Option<&str>, body: Option<&str>) -> Answer {
        let mut stream = self.request(method, path, token, body);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect(path);
        Answer::parse(&bytes)
    }

    fn request(&self, method: &str, path: &str, token: Option<&str>, body: Option<&str>) -> TcpStream {
        let headers = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        self.request_with(method, path, &headers, body)
    }

    fn request_with(&self, method: &str, path: &str, headers: &str, body: Option<&str>) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}", self.address);
        if let Some(body) = body {
            head.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        stream.write_all(format!("{head}\r\n{}", body.unwrap_or_default()).as_bytes()).expect("write");
        stream
    }

    /// Listens to `/api/events` until `enough` says so of all that came.
    pub fn events(&self, enough: impl Fn(&str) -> bool) -> String {
        let mut stream = self.request("GET", "/api/events", Some(&self.token()), None);
        let (mut text, mut buffer, begun) = (String::new(), [0; 65_536], Instant::now());
        while !enough(&text) {
            let count = stream.read(&mut buffer).expect("an event");
            assert!(count > 0 && begun.elapsed() < PATIENCE, "what came until it ended, or for too long: {text}");
            text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        text
    }

    /// GET as the administrator, whose answer is read by the caller as it comes.
    pub fn open(&self, path: &str) -> TcpStream {
        self.request("GET", path, Some(&self.token()), None)
    }

    /// POST of JSON as the administrator.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_as(Some(&self.token()), path, &body.to_string())
    }

    /// Waits until `done` of the streams by id; gives them.
    pub fn streams_when(&self, done: impl Fn(&BTreeMap<String, Value>) -> bool) -> BTreeMap<String, Value> {
        let mut streams = self.streams();
        wait_until(|| {
            streams = self.streams();
            done(&streams)
        });
        streams
    }

    /// `/api/streams` by id.
    pub fn streams(&self) -> BTreeMap<String, Value> {
        let answer = self.json("/api/streams");
        let streams = answer["streams"].as_array().expect("streams");
        streams.iter().map(|s| (s["id"].as_str().expect("id").to_owned(), s.clone())).collect()
    }
}

/// An answer over HTTP.
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

/// GET of another server.
pub fn http_get(address: SocketAddr, path: &str) -> Answer {
    let mut stream = TcpStream::connect(address).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("write");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect(path);
    Answer::parse(&bytes)
}

impl Answer {
    /// Takes one apart.
    pub fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("the end of the headers");
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        let raw = &bytes[end + 4..];
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        Self { status, head, body: if chunked { unchunk(raw) } else { raw.to_vec() } }
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// RFC 9112 section 7.1.
fn unchunk(mut raw: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = raw.windows(2).position(|two| two == b"\r\n").expect("the size of a chunk");
        let size = std::str::from_utf8(&raw[..line]).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
        let size = size.expect("a size");
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&raw[line + 2..line + 2 + size]);
        raw = &raw[line + 4 + size..];
    }
}
