//! The processes: chromedriver, and the browser it starts.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// chromedriver with one browser and its profile. Dropping it ends both.
pub struct Driver {
    process: Child,
    browser: Option<Pid>,
    profile: tempfile::TempDir,
}

impl Driver {
    /// Starts both.
    pub async fn start() -> (Self, Client) {
        let profile = tempfile::Builder::new().prefix("streampulse-browser-").tempdir().expect("a directory");
        let (process, port) = loop {
            if let Some(started) = listening(profile.path()) {
                break started;
            }
        };
        let mut driver = Self { process, browser: None, profile };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(driver.capabilities())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("chromium; scripts/install test installs it");
        let process = client.capabilities().and_then(|told| told.get("goog:processID")?.as_i64());
        driver.browser = process.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        assert!(driver.browser.is_some(), "chromedriver says which process the browser is");
        (driver, client)
    }

    /// Where files that were downloaded are.
    pub fn downloads(&self) -> PathBuf {
        self.profile.path().join("downloads")
    }

    fn capabilities(&self) -> fantoccini::wd::Capabilities {
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-quic".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--disable-breakpad".to_owned(),
            "--hide-scrollbars".to_owned(),
            "--window-size=1440,900".to_owned(),
            format!("--user-data-dir={}", self.profile.path().join("profile").display()),
        ];
        // Its own sandbox refuses to work for root; what is shown is ours.
        if rustix::process::geteuid().is_root() {
            arguments.push("--no-sandbox".to_owned());
        }
        let wanted = json!({
            "browserName": "chrome",
            // A live preview is a picture that never ends loading.
            "pageLoadStrategy": "eager",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {
                "args": arguments,
                "prefs": {
                    "intl.accept_languages": "en-GB,en",
                    "download.default_directory": self.downloads(),
                    "download.prompt_for_download": false,
                    "credentials_enable_service": false,
                },
            },
        });
        let Value::Object(wanted) = wanted else { unreachable!("it is an object") };
        wanted
    }
}

/// chromedriver, and the port it listens on. None where it gave up because the port that the system gave it for `::1`
/// is somebody else's on 127.0.0.1, where it wants the same: it does not look for another.
fn listening(profile: &Path) -> Option<(Child, u16)> {
    let mut process = std::process::Command::new("chromedriver")
        .arg("--port=0")
        // Whatever it keeps beside its profile, and the time zone and language that it finds.
        .env("HOME", profile)
        .env("XDG_CONFIG_HOME", profile)
        .env("XDG_CACHE_HOME", profile)
        .env("TZ", "UTC")
        .env("LANGUAGE", "en_GB")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver; scripts/install test installs it");
    let mut lines = BufReader::new(process.stdout.take().expect("standard output")).lines().map_while(Result::ok);
    let mut said = Vec::new();
    for line in lines.by_ref() {
        let port = line.split_once("started successfully on port ").map(|(_, port)| port.trim_end_matches('.'));
        if let Some(port) = port.and_then(|port| port.parse().ok()) {
            // It may go on talking.
            std::thread::spawn(move || lines.for_each(drop));
            return Some((process, port));
        }
        said.push(line);
    }
    let status = process.wait().expect("its status");
    assert!(
        said.last().is_some_and(|last| last.contains("port not available")),
        "chromedriver, before it listened: {status}, {said:?}"
    );
    None
}

impl Drop for Driver {
    fn drop(&mut self) {
        // By their ids: chromedriver that is ended so leaves its browser behind, whose other processes follow it.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(browser) = self.browser {
            let _ = kill_process(browser, Signal::KILL);
        }
    }
}

/// A command of chromedriver's own, in the session.
#[derive(Debug)]
pub struct Command {
    /// Behind `/session/{id}/`.
    pub path: &'static str,
    /// What is posted.
    pub body: Value,
}

impl WebDriverCompatibleCommand for Command {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}
