//! The server as a client sees it: real listener, real database, real scheduler; only the cameras are made up.

mod accounts;
mod groups;
mod listeners;
mod reports;
mod roles;
mod sessions;
mod tables;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

mod config;

use reports::record_last_month;

use super::*;
use crate::clock::SystemClock;
use crate::model::{
    Cause, Health, HealthState, Incident, Member, Month, Outcome, ProbeReport, Reason, Role, Secret, Snapshot, Span,
    Stage, User,
};
use crate::monitor::{LastProbe, Monitor, StreamStatus};
use crate::preview::Previews;
use crate::probe::pool::PoolOptions;
use crate::probe::pool::live::LiveWorkers;
use crate::probe::{ProbeRequest, Probed, Prober};
use crate::schedule::{Completed, scheduler};
use crate::store::Record;

const CONFIG: &str = "heartbeat_seconds: 3600
streams:
  - {name: Gate, group: Front, url: 'rtsp://admin:s3cret-p4ss@192.0.2.10:554/stream1'}
  - {name: Yard, group: Back, url: 'http://192.0.2.11/mjpeg?password=s3cret-p4ss'}
metrics: {token: metrics-t0ken}
";
const PICTURE: &[u8] = b"\xff\xd8 a picture \xff\xd9";

/// Gate gives pictures, everything else refuses the password.
struct Cameras;

impl Prober for Cameras {
    fn probe(&self, request: ProbeRequest) -> Pin<Box<dyn Future<Output = Probed> + Send + '_>> {
        let good = request.key == "gate";
        Box::pin(async move {
            let latency = Duration::from_millis(12);
            let detail = format!("401 from {}", request.url.host());
            let mut report = ProbeReport::failed(Stage::Describe, Reason::AuthFailed, detail, latency);
            if good {
                report.outcome = Outcome::Ok;
            }
            Probed { report, jpeg: good.then(|| Bytes::from_static(PICTURE)) }
        })
    }
}

struct Server {
    addr: SocketAddr,
    store: Store,
    status: StatusTable,
    dir: tempfile::TempDir,
    cancel: CancellationToken,
    served: tokio::task::JoinHandle<Result<(), WebError>>,
    _stop: DropGuard,
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let name = format!("{name}: ");
        self.head.lines().find_map(|line| {
            line.get(..name.len()).filter(|n| n.eq_ignore_ascii_case(&name)).map(|_| &line[name.len()..])
        })
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    fn everything(&self) -> String {
        format!("{}{}", self.head, String::from_utf8_lossy(&self.body))
    }
}

/// What the monitor does, without health and store: row, then answer.
async fn record(status: StatusTable, mut completed: mpsc::Receiver<Completed>) {
    while let Some(Completed { stream, started_at, probed, reply, .. }) = completed.recv().await {
        let report = Arc::new(probed.report);
        let mut row = (*status.get(stream.id.as_str()).unwrap()).clone();
        row.state.reason = report.reason();
        row.state.health = if report.reason() == Reason::Ok { Health::Up } else { Health::Down };
        row.last = Some(LastProbe { at: started_at, report: report.clone() });
        if let Some(jpeg) = probed.jpeg {
            // Real ones take longer than the millisecond that the clock has.
            let previous = row.snapshot.map(|snapshot| snapshot.taken_at + jiff::SignedDuration::from_millis(1));
            let taken_at = previous.map_or(SystemClock.now(), |next| next.max(SystemClock.now()));
            let snapshot = Snapshot { jpeg, taken_at };
            row.usual = Some(snapshot.clone());
            row.snapshot = Some(snapshot);
        }
        status.replace(row);
        if let Some(reply) = reply {
            let _ = reply.send(report);
        }
    }
}

/// The monitor's other duty: the table follows the configuration.
async fn follow(status: StatusTable, mut config: watch::Receiver<Arc<Config>>) {
    while config.changed().await.is_ok() {
        let config = config.borrow_and_update().clone();
        status.configure(&config, |stream| StreamStatus::new(stream.clone(), SystemClock.now()));
    }
}

impl Server {
    async fn start() -> Self {
        Self::start_with(CONFIG).await
    }

    async fn start_with(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.yaml");
        std::fs::write(&file, config).unwrap();
        let overrides = crate::config::Overrides::default();
        let loaded = crate::config::load_with(&file, &overrides).unwrap();
        let status = StatusTable::default();
        status.configure(&loaded.config, |stream| StreamStatus::new(stream.clone(), SystemClock.now()));
        let (config, config_file, watcher) = crate::config::watch(file, loaded, overrides, Arc::new(SystemClock));
        let cancel = CancellationToken::new();
        let (completed, results) = mpsc::channel(16);
        let (handle, running) = scheduler(config.clone(), Arc::new(Cameras), Arc::new(SystemClock), completed, 8);
        tokio::spawn(record(status.clone(), results));
        tokio::spawn(follow(status.clone(), config.clone()));
        tokio::spawn(running.run(cancel.clone()));
        tokio::spawn(watcher.run(cancel.clone()));
        let store = Store::open(dir.path()).await.unwrap();
        let monitor =
            Monitor::new(status.clone(), store.clone(), handle.clone(), config.clone(), Arc::new(SystemClock));
        let monitor = monitor.handle();
        // Starts a worker only when somebody watches.
        let workers = LiveWorkers::new(&PoolOptions::new(dir.path().join("registry")));
        let previews = Previews::new(workers, handle.clone(), config.clone(), Arc::new(SystemClock));
        let parts = WebParts {
            status: status.clone(),
            store: store.clone(),
            monitor,
            scheduler: handle,
            prober: Arc::new(Cameras),
            previews,
            clock: Arc::new(SystemClock),
            config,
            config_file,
            metrics: Arc::new(|| "stream_up{stream=\"Gate\"} 1\n".to_owned()),
            readiness: Arc::new(|| Ok(())),
            facts: Arc::new(Map::new),
            mqtt_test: Arc::new(|mqtt| Box::pin(async move { json!({"ok": true, "topic": mqtt.topic}) })),
            notify_test: Arc::new(|target| Box::pin(async move { json!({"ok": true, "to": target.to.to_string()}) })),
            state_dir: dir.path().to_owned(),
            tls: None,
        };
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let served = tokio::spawn(serve(listener, parts, cancel.clone()));
        Self { addr, store, status, dir, served, _stop: cancel.clone().drop_guard(), cancel }
    }

    async fn account(&self, username: &str, password: &str, role: Role) {
        self.account_of(username, password, role, None).await;
    }

    async fn account_of(&self, username: &str, password: &str, role: Role, groups: Option<&[&str]>) {
        let password_hash = Passwords::default().hash(Secret::new(password)).await.unwrap();
        let user = User {
            username: username.to_owned(),
            password_hash,
            role,
            groups: groups.map(|groups| groups.iter().map(ToString::to_string).collect()),
            must_change_password: false,
            token_generation: 0,
        };
        assert!(self.store.add_user(user).await.unwrap());
    }

    async fn send(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        let split = all.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(all[..split].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: all[split + 4..].to_vec() }
    }

    async fn call(&self, method: &str, path: &str, headers: &str, body: Option<Value>) -> Answer {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let length = body.len();
        self.send(&format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{kind}Content-Length: {length}\r\n{headers}\r\n{body}"
        ))
        .await
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        self.call("GET", path, &format!("Authorization: Bearer {token}\r\n"), None).await
    }

    /// As the monitor tells its listeners.
    fn tell(&self, event: crate::monitor::Event) {
        self.status.tell(event);
    }

    /// With a bearer token and, perhaps, a body of JSON.
    async fn ask(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> Answer {
        self.call(method, path, &format!("Authorization: Bearer {token}\r\n"), body).await
    }

    async fn login(&self, username: &str, password: &str) -> Answer {
        self.call("POST", "/api/login", "", Some(json!({"username": username, "password": password}))).await
    }

    async fn token(&self, username: &str, role: Role) -> String {
        self.token_of(username, role, None).await
    }

    /// An access token of a new account that sees these groups.
    async fn token_of(&self, username: &str, role: Role, groups: Option<&[&str]>) -> String {
        self.account_of(username, "a long password", role, groups).await;
        let answer = self.login(username, "a long password").await;
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }
}

async fn until(stream: &mut TcpStream, heard: &mut Vec<u8>, text: &str) {
    while !String::from_utf8_lossy(heard).contains(text) {
        assert_ne!(stream.read_buf(heard).await.unwrap(), 0, "{}", String::from_utf8_lossy(heard));
    }
}

#[tokio::test]
async fn a_snapshot_is_new_or_says_so() {
    let server = Server::start().await;
    let token = server.token("olga", Role::Operator).await;
    let fresh = server.get("/api/streams/gate/snapshot.jpg?fresh=1", &token).await;
    assert_eq!((fresh.status, fresh.body.as_slice()), (200, PICTURE), "{}", fresh.everything());
    assert_eq!(fresh.header("content-type"), Some("image/jpeg"));
    assert!(fresh.header("last-modified").unwrap().ends_with(" GMT"));
    let last = server.get("/api/streams/gate/snapshot.jpg", &token).await;
    let tag = last.header("etag").unwrap();
    let headers = format!("Authorization: Bearer {token}\r\nIf-None-Match: \"x\", {tag}\r\n");
    let known = server.call("GET", "/api/streams/gate/snapshot.jpg", &headers, None).await;
    assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, Some(tag)));
    let failed = server.get("/api/streams/yard/snapshot.jpg?fresh=1", &token).await;
    assert_eq!((failed.status, failed.code().as_str()), (502, "probe_failed"));
    assert_eq!(failed.json()["error"]["details"][0]["reason"], "auth_failed");
    let none = server.get("/api/streams/yard/snapshot.jpg", &token).await;
    assert_eq!((none.status, none.code().as_str()), (404, "no_picture"));
    assert_eq!(server.get("/api/streams/nope/snapshot.jpg", &token).await.code(), "no_such_stream");
}

#[tokio::test]
async fn a_viewer_sees_no_address_and_nobody_a_secret() {
    let server = Server::start().await;
    let viewer = server.token("anna", Role::Viewer).await;
    let admin = server.token("root", Role::Admin).await;
    for id in ["gate", "yard"] {
        let bearer = format!("Authorization: Bearer {admin}\r\n");
        assert_eq!(server.call("POST", &format!("/api/streams/{id}/probe"), &bearer, None).await.status, 200);
    }
    let metrics = server.get("/metrics", "metrics-t0ken").await;
    assert_eq!(metrics.status, 200);
    let mut answers = vec![metrics];
    for path in [
        "/api/streams",
        "/api/streams/gate",
        "/api/streams/yard",
        "/api/status",
        "/api/health",
        "/api/streams/gate/history",
        "/api/streams/yard/snapshot.jpg",
        "/metrics",
        "/healthz",
        "/readyz",
        "/nothing",
    ] {
        let seen = server.get(path, &viewer).await;
        assert!(!seen.everything().contains("192.0.2.1"), "{path}: {}", seen.everything());
        answers.push(seen);
        answers.push(server.get(path, &admin).await);
    }
    assert!(answers.iter().any(|a| a.everything().contains("rtsp://admin:***@192.0.2.10:554/stream1")));
    for answer in &answers {
        for secret in ["s3cret-p4ss", "czNjcmV0LXA0c3M", "metrics-t0ken", "argon2id"] {
            assert!(!answer.everything().contains(secret), "{}", answer.everything());
        }
    }
    let refused =
        server.call("POST", "/api/streams/gate/probe", &format!("Authorization: Bearer {viewer}\r\n"), None).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden"));
    assert_eq!(server.get("/api/streams/gate/snapshot.jpg?fresh=1", &viewer).await.status, 403);
    let status = server.get("/api/status", &viewer).await.json();
    assert_eq!((&status["Gate"]["status"], &status["Yard"]["status"]), (&json!("ok"), &json!("fail")));
    assert_eq!((&status["Gate"]["latency"], &status["Yard"]["reason"]), (&json!(12), &json!("auth_failed")));
}

#[tokio::test]
async fn answers_have_one_shape_and_the_security_headers() {
    let server =
        Server::start_with(&CONFIG.replace("metrics: {token: metrics-t0ken}", "web: {public_status: true}")).await;
    let token = server.token("anna", Role::Viewer).await;
    let long = "x".repeat(20_000);
    let login = |kind: &str, body: &str| {
        let length = body.len();
        format!(
            "POST /api/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{kind}Content-Length: {length}\r\n\r\n{body}"
        )
    };
    let json_kind = "Content-Type: application/json\r\n";
    let cases = [
        (server.send(&login("", "{}")).await, 415, "not_json"),
        (server.send(&login(json_kind, "{")).await, 400, "bad_json"),
        (server.send(&login(json_kind, &long)).await, 413, "body_too_large"),
        (server.call("DELETE", "/api/login", "", None).await, 405, "method_not_allowed"),
        (server.call("POST", "/", "", None).await, 405, "method_not_allowed"),
        (server.get("/api/nothing", &token).await, 404, "not_found"),
        (server.get("/../../etc/passwd", &token).await, 404, "not_found"),
        (server.get("/api/streams/gate/history?limit=0", &token).await, 400, "bad_parameter"),
        (server.get("/api/streams/gate/history?from=yesterday", &token).await, 400, "bad_parameter"),
    ];
    for (answer, status, code) in &cases {
        assert_eq!((answer.status, answer.code().as_str()), (*status, *code), "{}", answer.everything());
        assert!(answer.json()["error"]["message"].as_str().unwrap().ends_with('.'));
        assert!(
            answer.header("content-security-policy").unwrap().starts_with("default-src 'none'; script-src 'self';")
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    assert_eq!(cases[3].0.header("allow"), Some("POST"));
    assert_eq!(server.call("GET", "/api/status", "", None).await.status, 200);
    assert_eq!(server.call("GET", "/metrics", "", None).await.status, 200);
    let page = server.call("GET", "/", "", None).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let head = server.call("HEAD", "/", "", None).await;
    assert_eq!((head.status, head.body.len(), head.header("content-length")), (200, 0, page.header("content-length")));
    let known = format!("If-None-Match: {}\r\n", page.header("etag").unwrap());
    assert_eq!(server.call("GET", "/", &known, None).await.status, 304);
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let server = Server::start().await;
    let error = bind(server.addr).await.unwrap_err();
    assert_eq!(error.exit_code(), 69);
    let message = error.to_string();
    assert!(message.contains(&server.addr.port().to_string()) && message.contains("web.listen"), "{message}");
}
