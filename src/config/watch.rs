//! Follows the file while the service runs and keeps the last good configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::edit::{Document, tag_of};
use super::environment::Overrides;
use super::load::{Loaded, parse, read};
use super::problem::{Problem, Problems};
use super::settings::Config;
use crate::clock::Clock;

/// How often the file's content is looked at. The content, because an inode's events miss files that are bind-mounted
/// or replaced by a rename.
const POLL: Duration = Duration::from_secs(1);
/// A changed file must still be the same after this time, or it is taken for half-written.
const SETTLE: Duration = Duration::from_millis(250);
/// A file on a dead network mount must not hold the watcher for ever.
const READ_DEADLINE: Duration = Duration::from_secs(10);

/// Problems of one reading that go to the log; the status has all of them.
const MAX_LOGGED: usize = 100;

/// How the last reading of the file ended; for metrics, API and log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReloadStatus {
    /// False while the file is bad and an earlier configuration is in use.
    pub ok: bool,
    /// When the file was last taken or refused.
    pub at: Timestamp,
    /// When the configuration in use was taken from the file.
    pub good_at: Timestamp,
    /// How often a changed file was looked at.
    pub reloads: u64,
    /// Why the file is refused.
    pub problems: Vec<Problem>,
    /// What is odd in the file.
    pub warnings: Vec<Problem>,
    /// Names the content that was last taken or refused ([`tag_of`]); `None` while that is the one of the start.
    #[serde(skip)]
    pub tag: Option<String>,
}

/// Asks for a reload and tells how the last one went. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct WatchHandle {
    /// Holds one request; another one meanwhile would ask for the same and is dropped.
    requests: mpsc::Sender<()>,
    status: watch::Receiver<ReloadStatus>,
    path: PathBuf,
    overrides: Overrides,
}

impl WatchHandle {
    /// Asks for the file to be read now (SIGHUP, or after a change by the API), without waiting for it.
    pub fn reload(&self) {
        // Full: the same is asked for already. Closed: the service is ending.
        let _ = self.requests.try_send(());
    }

    /// How the last reading ended.
    pub fn status(&self) -> ReloadStatus {
        self.status.borrow().clone()
    }

    /// Asks for a reload and waits until the content with this tag is in use. The caller sets the deadline.
    pub async fn taken(&self, tag: &str) {
        self.reload();
        let mut status = self.status.clone();
        // An error means that the service is ending: nobody will read the file any more.
        let _ = status.wait_for(|status| status.tag.as_deref() == Some(tag)).await;
    }

    /// The file as it is now, to show and change it. Blocks.
    ///
    /// # Errors
    /// When it cannot be read, or is no text.
    pub fn document(&self) -> Result<Document, Problem> {
        Document::read(&self.path, &self.overrides)
    }

    /// To await a change of the status.
    pub fn subscribe(&self) -> watch::Receiver<ReloadStatus> {
        self.status.clone()
    }
}

/// The task that follows the file; made by [`watch()`].
pub struct Watcher {
    path: PathBuf,
    overrides: Overrides,
    clock: Arc<dyn Clock>,
    config: watch::Sender<Arc<Config>>,
    status: watch::Sender<ReloadStatus>,
    requests: mpsc::Receiver<()>,
    /// What was last taken or refused. `None` only at first: then the file is judged when it is first read, so that
    /// a change between the first loading and the start of the task is not missed.
    seen: Option<Content>,
}

/// The file at one moment.
type Content = Result<Vec<u8>, Problem>;

/// Prepares to follow `path`, whose first configuration was loaded with the same `overrides`. The caller runs
/// [`Watcher::run`] as a task.
pub fn watch(
    path: PathBuf,
    initial: Loaded,
    overrides: Overrides,
    clock: Arc<dyn Clock>,
) -> (watch::Receiver<Arc<Config>>, WatchHandle, Watcher) {
    let now = clock.now();
    let status = ReloadStatus {
        ok: true,
        at: now,
        good_at: now,
        reloads: 0,
        problems: Vec::new(),
        warnings: initial.warnings,
        tag: None,
    };
    let (config, config_receiver) = watch::channel(Arc::new(initial.config));
    let (status, status_receiver) = watch::channel(status);
    let (request_sender, requests) = mpsc::channel(1);
    let handle = WatchHandle {
        requests: request_sender,
        status: status_receiver,
        path: path.clone(),
        overrides: overrides.clone(),
    };
    (config_receiver, handle, Watcher { path, overrides, clock, config, status, requests, seen: None })
}

impl Watcher {
    /// Follows the file until `cancel`.
    pub async fn run(mut self, cancel: CancellationToken) {
        let mut ticks = time::interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // False when every handle is gone, so that nobody can ask any more.
        let mut open = true;
        loop {
            let asked = tokio::select! {
                () = cancel.cancelled() => return,
                _ = ticks.tick() => false,
                request = self.requests.recv(), if open => {
                    open = request.is_some();
                    open
                }
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                () = self.look(asked) => {}
            }
        }
    }

    async fn look(&mut self, asked: bool) {
        let content = read_in_time(&self.path).await;
        if !asked {
            if self.seen.as_ref() == Some(&content) {
                return;
            }
            time::sleep(SETTLE).await;
            if read_in_time(&self.path).await != content {
                // Still being written: the next poll looks again.
                return;
            }
        }
        let first = self.seen.is_none();
        let loaded = match &content {
            Ok(bytes) => parse(&self.path, bytes, &self.overrides),
            Err(problem) => {
                Err(Problems { file: self.path.clone(), problems: vec![problem.clone()], warnings: Vec::new() })
            }
        };
        let tag = content.as_ref().ok().map(|bytes| tag_of(bytes));
        self.seen = Some(content);
        match loaded {
            Ok(loaded) => self.take(loaded, tag, first, asked),
            Err(problems) => self.refuse(problems, tag),
        }
    }

    fn take(&mut self, loaded: Loaded, tag: Option<String>, first: bool, asked: bool) {
        let Loaded { mut config, warnings } = loaded;
        let old = Arc::clone(&self.config.borrow());
        let changed = config != *old;
        let news = !self.status.borrow().ok || self.status.borrow().warnings != warnings;
        if first && !changed && !news && !asked {
            return;
        }
        for warning in warnings.iter().filter(|w| !self.status.borrow().warnings.contains(w)) {
            tracing::warn!("{}", warning.in_file(&self.path));
        }
        let streams = config.streams.len();
        if changed {
            config.share_streams(&old);
            self.config.send_replace(Arc::new(config));
        }
        let now = self.clock.now();
        self.status.send_modify(|status| {
            let reloads = status.reloads + 1;
            *status = ReloadStatus { ok: true, at: now, good_at: now, reloads, problems: Vec::new(), warnings, tag };
        });
        // Said last, so that whoever reads the line finds it true.
        if changed {
            tracing::info!(streams, "configuration reloaded from {}", self.path.display());
        } else {
            tracing::info!("configuration read again from {}: no setting changed", self.path.display());
        }
    }

    fn refuse(&mut self, problems: Problems, tag: Option<String>) {
        let now = self.clock.now();
        self.status.send_modify(|status| {
            status.ok = false;
            status.at = now;
            status.reloads += 1;
            status.problems.clone_from(&problems.problems);
            status.warnings = problems.warnings;
            status.tag = tag;
        });
        for problem in problems.problems.iter().take(MAX_LOGGED) {
            tracing::error!("{}", problem.in_file(&self.path));
        }
        tracing::error!(
            "{} is refused with {} problem(s); the last good configuration stays in use",
            self.path.display(),
            problems.problems.len()
        );
    }
}

async fn read_in_time(path: &Path) -> Content {
    let path = path.to_owned();
    let reading = tokio::task::spawn_blocking(move || read(&path));
    match time::timeout(READ_DEADLINE, reading).await {
        Ok(Ok(content)) => content,
        Ok(Err(_)) => Err(Problem::of_file("reading was broken off; this is a fault of StreamPulse")),
        Err(_) => Err(Problem::of_file("cannot be read within 10 s; check the disk and the mount")),
    }
}

#[cfg(test)]
mod tests;
