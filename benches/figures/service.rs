//! The real service as a process, for the figures that ask it.

#![allow(clippy::disallowed_methods, reason = "the end of a process is waited for")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The password of the user `admin`.
pub const PASSWORD: &str = "the figures sign in with this";

/// It drains, and then it ends.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service with the `config.yaml` and the `state` of a directory. Dropping it kills it.
pub struct Service {
    process: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// An access token of the administrator.
    pub token: String,
}

impl Service {
    /// Starts it and signs in.
    pub fn start(site: &Path) -> Self {
        let mut service = Self::start_until(site, "address=");
        service.sign_in();
        service
    }

    /// Starts it and waits until it listens and has logged this.
    pub fn start_until(site: &Path, said: &str) -> Self {
        std::fs::write(site.join("password"), PASSWORD).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_streampulse"))
            .arg("--config")
            .arg(site.join("config.yaml"))
            .env("STREAMPULSE_STATE_DIR", site.join("state"))
            .env("STREAMPULSE_LISTEN", "127.0.0.1:0")
            .env("STREAMPULSE_ADMIN_PASSWORD_FILE", site.join("password"))
            .env("CACHE_DIRECTORY", env!("CARGO_TARGET_TMPDIR"))
            // As in the unit.
            .env("MALLOC_MMAP_THRESHOLD_", "4194304")
            .env("MALLOC_ARENA_MAX", "2")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut is_said = false;
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map(Result::unwrap)
            .inspect(|line| is_said |= line.contains(said))
            .find_map(|line| line.split_once("address=")?.1.split_whitespace().next()?.parse().ok())
            .unwrap();
        if !is_said {
            lines.by_ref().map(Result::unwrap).find(|line| line.contains(said)).unwrap();
        }
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address, token: String::new() }
    }

    fn sign_in(&mut self) {
        let body = format!("{{\"username\":\"admin\",\"password\":\"{PASSWORD}\"}}");
        let answer = self.send(&format!(
            "POST /api/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        self.token = answer.split("\"access_token\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What a GET as the administrator sends.
    pub fn request(&self, path: &str) -> String {
        let token = &self.token;
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n")
    }

    /// The whole answer to a GET, which must be 200.
    pub fn ask(&self, path: &str) -> String {
        let answer = self.send(&self.request(path));
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {}", answer.lines().next().unwrap_or_default());
        answer
    }

    /// POST of JSON, or DELETE when there is none, as the administrator: the body of the answer.
    pub fn tell(&self, path: &str, body: Option<&str>) -> String {
        let (method, token) = (if body.is_some() { "POST" } else { "DELETE" }, &self.token);
        let body = body.unwrap_or_default();
        let answer = self.send(&format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        assert!(answer.starts_with("HTTP/1.1 2"), "{path}: {answer}");
        answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }

    /// Has it read its configuration.
    pub fn reload(&self) {
        let pid = rustix::process::Pid::from_raw(self.pid() as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    }

    /// SIGTERM, and its end, which must be in order.
    pub fn stop(mut self) {
        let pid = rustix::process::Pid::from_raw(self.pid() as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let asked = Instant::now();
        let status = loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status;
            }
            assert!(asked.elapsed() < PATIENCE, "the service does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(status.success(), "{status}");
    }

    fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The sum of all samples whose line begins so.
pub fn sum(metrics: &str, start: &str) -> f64 {
    let lines = metrics.lines().filter(|line| line.starts_with(start));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}
