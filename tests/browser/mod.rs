//! A headless Chromium that is used as a person uses it: by what is written on the page.
#![allow(dead_code, unused_imports, reason = "tests and figures use a part of it each")]

mod audit;
mod driver;
mod look;
mod shown;

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use fantoccini::Client;
use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::error::CmdError;
use fantoccini::key::Key;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

use driver::{Command, Driver};
pub use look::{DESK, PHONE, Size, Theme, WALL};
pub use shown::Finds;

/// Every wait ends: this long is far more than anything here takes, and the test has failed then.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at what tells nobody of its changes.
const AGAIN: Duration = Duration::from_millis(20);

/// Browsers at once: each is a handful of processes.
static BROWSERS: Semaphore = Semaphore::const_new(3);

/// A browser with a profile of its own. What its console says at the end decides, too: see [`Browser::done`].
pub struct Browser {
    client: Client,
    driver: Driver,
    site: String,
    theme: Theme,
    size: Size,
    excused: Mutex<Vec<String>>,
    /// Complaints of the console, in the order they came.
    console: Mutex<Vec<String>>,
    is_done: bool,
    _permit: SemaphorePermit<'static>,
}

impl Browser {
    /// Starts one, for the site at this address (`127.0.0.1:6969`). It lives in UTC, speaks English, and shows nothing yet.
    pub async fn start(site: impl std::fmt::Display) -> Self {
        let permit = BROWSERS.acquire().await.expect("it is never closed");
        let (driver, client) = Driver::start().await;
        let (theme, size) = (Theme::Light, DESK);
        let site = format!("http://{site}");
        let (excused, console) = (Mutex::default(), Mutex::default());
        let mut browser = Self { client, driver, site, theme, size, excused, console, is_done: false, _permit: permit };
        let person = include_str!("person.js");
        browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({"source": person})).await;
        browser.theme(theme).await;
        browser.size(size).await;
        browser
    }

    /// Opens a place of the site, `/` or `/#/incidents`.
    pub async fn open(&self, path: &str) {
        // A change of the fragment alone is no load; nobody who types an address knows.
        self.client.goto(&format!("{}{path}", self.site)).await.expect(path);
    }

    /// Loads the page again.
    pub async fn reload(&self) {
        self.client.refresh().await.expect("reload");
    }

    /// Fills in the form for signing in, wherever that is shown, and waits for what is behind it.
    pub async fn sign_in(&self, username: &str, password: &str) {
        self.field("User").fill(username).await;
        self.field("Password").fill(password).await;
        self.button("Sign in").click().await;
        self.button("Account").seen().await;
    }

    /// The part of the address behind `#`.
    pub async fn place(&self) -> String {
        self.client.current_url().await.expect("an address").fragment().unwrap_or_default().to_owned()
    }

    /// What a script returns, or what its promise gives.
    pub async fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.client.execute(script, arguments.to_vec()).await.unwrap_or_else(|error| panic!("{error}: {script}"))
    }

    /// Runs a script again and again until it returns something other than `null`, `false`, 0 or an empty text.
    pub async fn until(&self, what: &str, script: &str, arguments: &[Value]) -> Value {
        let begun = Instant::now();
        loop {
            let last = match self.client.execute(script, arguments.to_vec()).await {
                Ok(value) if is_something(&value) => return value,
                Ok(value) => value.to_string(),
                Err(error) => passing(error),
            };
            if begun.elapsed() > PATIENCE {
                panic!("{what}: it did not come to that, the last was {last}\n{}", self.describe().await);
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Presses keys, one after the other: each is a character or one of [`Key`].
    pub async fn press(&self, keys: impl IntoIterator<Item = impl Into<char>>) {
        let actions = keys.into_iter().map(Into::into).fold(KeyActions::new("keys".into()), |actions, value| {
            actions.then(KeyAction::Down { value }).then(KeyAction::Up { value })
        });
        self.client.perform_actions(actions).await.expect("keys");
    }

    /// Types a text into what has the focus.
    pub async fn write(&self, text: &str) {
        self.press(text.chars()).await;
    }

    /// Goes on with the tabulator until what has the focus has this name; fails when that takes too many steps, or when one
    /// of them does not show where the focus is.
    pub async fn tab_to(&self, name: &str) {
        let script = "return window.__person.focus()";
        let mut passed = Vec::new();
        for _ in 0..100 {
            self.press([Key::Tab]).await;
            let at = self.run(script, &[]).await;
            let here = at["name"].as_str().unwrap_or_default().to_owned();
            assert!(at["is_seen"] == true, "nobody sees that the focus is on {at}");
            if here == name {
                return;
            }
            passed.push(here);
        }
        panic!("the tabulator does not come to {name:?}: {passed:?}");
    }

    /// Everything that can be read now.
    pub async fn words(&self) -> String {
        let text = self.run("return document.body.innerText", &[]).await;
        text.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// A command of the Chrome DevTools Protocol (<https://chromedevtools.github.io/devtools-protocol/>).
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.client.issue_cmd(Command { path: "goog/cdp/execute", body }).await.expect(command)
    }

    /// Where files that were downloaded are.
    pub fn downloads(&self) -> PathBuf {
        self.driver.downloads()
    }

    /// Waits for a file that was downloaded, whose name ends so, and gives its content.
    pub async fn downloaded(&self, ending: &str) -> String {
        let begun = Instant::now();
        loop {
            let files = std::fs::read_dir(self.downloads()).into_iter().flatten().flatten();
            let files: Vec<PathBuf> = files.map(|entry| entry.path()).collect();
            // It has another name until all of it is there.
            if let Some(file) = files.iter().find(|file| file.to_string_lossy().ends_with(ending)) {
                return std::fs::read_to_string(file).expect("a text");
            }
            assert!(begun.elapsed() < PATIENCE, "nothing ending in {ending} was downloaded, only {files:?}");
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// What is on the page, for the message of a failed test; with a screenshot in `target/screenshots`.
    async fn describe(&self) -> String {
        let name = std::thread::current().name().unwrap_or("somebody").replace("::", "-");
        let file = self.screenshot(&format!("failed-{name}")).await;
        let text = self.run("return document.body.innerText.slice(0, 4000)", &[]).await;
        let complaints = self.complaints().await;
        let place = self.client.current_url().await.map(String::from).unwrap_or_default();
        format!("at {place}, see {}\nconsole: {complaints:#?}\n{}", file.display(), text.as_str().unwrap_or_default())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        assert!(self.is_done || std::thread::panicking(), "a test must end with done(), which reads the console");
    }
}

fn is_something(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false)) && value != 0 && value != ""
}

/// The text of an error that may be over with the next look: an element that is gone, a page that is just being left.
///
/// # Panics
/// When the browser itself is gone.
fn passing(error: CmdError) -> String {
    match error {
        CmdError::Standard(error) => error.to_string(),
        other => panic!("the browser is gone: {other}"),
    }
}
