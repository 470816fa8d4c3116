//! The only place that orders: health, then store, then status, then events.
//!
//! A probe's result is committed before anybody is told of it. Commits of many streams are awaited together; the
//! results of one stream keep their order. When the store fails, the table and the listeners still get the truth and
//! an alarm says that the history has a hole.

mod accounts;
pub mod availability;
mod cases;
mod handle;
mod looks;
mod maintenance;
mod notices;
mod recall;
mod refusals;
pub mod status;
pub mod status_json;
mod tally;
mod verdict;

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::model::{Health, Incident, Refusal, Stream, StreamId};
use crate::schedule::{Completed, SchedulerHandle};
use crate::store::{Announced, Evidence, Store, StoreError};

use accounts::Accounts;
use cases::Cases;
use handle::Command;
pub use handle::{MonitorError, MonitorHandle};
use looks::Looks;
use maintenance::Maintenance;
use notices::Untold;
use refusals::Refusals;
pub use status::{Event, Figures, LastProbe, RECENT_HEARTBEATS, StatusTable, StreamStatus};
pub use tally::Tally;
use verdict::Verdict;

/// Results that may wait for their commit; more stay in the scheduler's channel, which then holds the probes back.
const MAX_UNCOMMITTED: usize = 256;

/// Longest wait for a commit or for the store's memory.
const STORE_DEADLINE: Duration = Duration::from_secs(10);

/// Longest sleep before the windows of announced work are looked at again.
const WINDOWS_EVERY: Duration = Duration::from_secs(30);

/// How often that is asked again which could not be read at the start.
const RESTORE_EVERY: Duration = Duration::from_secs(10);

/// Longest wait for a commit once one has failed: a disk that hangs must not hold the probes up.
const FAILING_STORE_DEADLINE: Duration = Duration::from_millis(1_500);

/// Longest wait at the end for what is being committed.
const SHUTDOWN: Duration = Duration::from_secs(3);

/// Takes what the scheduler completes and tells everybody, in order.
pub struct Monitor {
    status: StatusTable,
    store: Store,
    scheduler: SchedulerHandle,
    config: watch::Receiver<Arc<Config>>,
    clock: Arc<dyn Clock>,
    /// Zero of the moments.
    origin: Instant,
    current: Arc<Config>,
    commits: FuturesUnordered<Commit>,
    /// What accounts were refused, on the way to the store.
    refusals: Refusals,
    /// Streams with a commit under way, and what came of them meanwhile, oldest first.
    busy: HashMap<StreamId, VecDeque<Work>>,
    queued: usize,
    store_fails: bool,
    looks: Looks,
    accounts: Accounts,
    cases: Cases,
    untold: HashMap<StreamId, Untold>,
    maintenance: Maintenance,
    commands: (MonitorHandle, mpsc::Receiver<Command>),
    restoring: Restoring,
    /// When to try again.
    restore_at: tokio::time::Instant,
}

/// Whether incidents and announced work of earlier runs are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Restoring {
    Not,
    Asked,
    Done,
}

/// What is to be done with a stream, one after the other.
#[derive(Debug)]
enum Work {
    /// A probe ended.
    Probe(Box<Completed>),
    /// Announced work begins or ends.
    Maintenance(Arc<Stream>),
}

impl Work {
    fn stream(&self) -> &Arc<Stream> {
        match self {
            Self::Probe(completed) => &completed.stream,
            Self::Maintenance(stream) => stream,
        }
    }
}

/// Gives nothing when it was nothing of a stream that was stored.
type Commit = Pin<Box<dyn Future<Output = Option<Done>> + Send>>;

/// What ended, one way or the other.
enum Done {
    Committed(Box<Committed>),
    Announced(Announced, oneshot::Sender<Result<i64, String>>, Result<i64, String>),
    EndedAnnounced(i64, oneshot::Sender<Result<bool, String>>, Result<bool, String>),
    /// What the store has of announced work, where it is not sure what became of a change.
    Known(Vec<Announced>),
    Restored(Restored),
}

/// What goes on from an earlier run: open incidents, the number of the next one, announced work.
type Restored = Result<(Vec<Incident>, i64, Vec<Announced>), String>;

/// A result whose commit ended, one way or the other.
struct Committed {
    completed: Option<Completed>,
    verdict: Verdict,
    /// Of an incident that the stream joined.
    evidence: Option<(i64, Vec<Evidence>)>,
    stored: Result<(), String>,
}

impl Monitor {
    /// A monitor that fills this table. Nothing happens before [`Self::recall`] or [`Self::run`].
    pub fn new(
        status: StatusTable,
        store: Store,
        scheduler: SchedulerHandle,
        mut config: watch::Receiver<Arc<Config>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let current = config.borrow_and_update().clone();
        Self {
            status,
            store,
            scheduler,
            config,
            origin: clock.monotonic(),
            clock,
            current,
            commits: FuturesUnordered::new(),
            refusals: Refusals::default(),
            busy: HashMap::new(),
            queued: 0,
            store_fails: false,
            looks: Looks::default(),
            accounts: Accounts::default(),
            cases: Cases::default(),
            untold: HashMap::new(),
            maintenance: Maintenance::default(),
            commands: MonitorHandle::new(),
            restoring: Restoring::Not,
            restore_at: tokio::time::Instant::now(),
        }
    }

    /// How others ask it.
    pub fn handle(&self) -> MonitorHandle {
        self.commands.0.clone()
    }

    /// Fills the table from what the store remembers, so that nobody who asks then finds it empty.
    pub async fn recall(mut self) -> Self {
        self.configure().await;
        self
    }

    /// Fills the table from what the store remembers, then works until the scheduler is gone or it is cancelled; what
    /// is being committed then is awaited for a moment, and what is usual of the pictures is stored.
    pub async fn run(mut self, mut completed: mpsc::Receiver<Completed>, cancel: CancellationToken) {
        self.configure().await;
        let mut config_lives = true;
        let mut visits = self.scheduler.refusals();
        let mut visits_live = true;
        loop {
            let has_room = self.commits.len() + self.queued < MAX_UNCOMMITTED;
            let next_window = self.until_next_window();
            tokio::select! {
                // In this order: the scheduler may complete a stream only after the table was told of it.
                biased;
                () = cancel.cancelled() => break,
                changed = self.config.changed(), if config_lives => match changed {
                    Ok(()) => {
                        self.current = self.config.borrow_and_update().clone();
                        self.configure().await;
                    }
                    Err(_) => config_lives = false,
                },
                Some(done) = self.commits.next() => self.done(done),
                Some(command) = self.commands.1.recv() => self.obey(command),
                changed = visits.changed(), if visits_live => match changed {
                    Ok(()) => {
                        let refusals = visits.borrow_and_update().clone();
                        self.store_refusals(refusals);
                    }
                    Err(_) => visits_live = false,
                },
                () = tokio::time::sleep(next_window.unwrap_or_default()), if next_window.is_some() => self.look_at_windows(),
                () = tokio::time::sleep_until(self.restore_at), if self.restoring == Restoring::Not => self.restore_later(),
                next = completed.recv(), if has_room => match next {
                    Some(completed) => self.accept(completed),
                    None => break,
                },
            }
        }
        let rest = async {
            while let Some(done) = self.commits.next().await {
                self.done(done);
            }
            let pasts = self.looks.unwritten();
            if !pasts.is_empty()
                && let Err(error) = self.store.put_last_looks(pasts).await
            {
                tracing::error!(%error, "what is usual of the pictures is not remembered across a restart; check the disk");
            }
        };
        if tokio::time::timeout(SHUTDOWN, rest).await.is_err() {
            tracing::error!("the database did not take the last results in time; they are lost");
        }
    }

    /// How long until announced work begins or ends. Looked at again before: the wall clock may be set meanwhile.
    fn until_next_window(&self) -> Option<Duration> {
        let left = self.maintenance.next()?.duration_since(self.clock.now());
        Some(Duration::try_from(left).unwrap_or_default().min(WINDOWS_EVERY))
    }

    /// Lets streams into `maintenance` and out of it.
    fn look_at_windows(&mut self) {
        let now = self.clock.now();
        self.maintenance.rebuild(&self.current, now);
        let rows = self.status.all();
        let streams = rows
            .iter()
            .filter(|row| row.stream.enabled)
            .map(|row| (row.stream.clone(), row.state.health == Health::Maintenance));
        let differing: Vec<Arc<Stream>> = self.maintenance.differing(streams, now).collect();
        for stream in differing {
            // One that waits already is decided by what is true then.
            let is_queued = |queue: &VecDeque<Work>| queue.iter().any(|work| matches!(work, Work::Maintenance(_)));
            if !self.busy.get(&stream.id).is_some_and(is_queued) {
                self.enqueue(Work::Maintenance(stream));
            }
        }
    }

    fn obey(&mut self, command: Command) {
        let (store, now) = (self.store.clone(), self.clock.now());
        match command {
            Command::TakeReference(id) => self.looks.forget(&id),
            Command::Remarked(incident) => {
                let told = self.cases.remark(incident);
                told.into_iter().for_each(|incident| self.status.tell(Event::Incident(Arc::new(incident))));
            }
            Command::Announce(work, answer) => self.commits.push(Box::pin(async move {
                let stored = within_deadline(store.announce(work.clone())).await;
                Some(Done::Announced(work, answer, stored))
            })),
            Command::EndAnnounced(id, answer) => self.commits.push(Box::pin(async move {
                let stored = within_deadline(store.end_announced(id, now)).await;
                Some(Done::EndedAnnounced(id, answer, stored))
            })),
        }
    }

    /// A change that was given up in the store may be made there all the same.
    fn ask_what_is_announced(&mut self) {
        let (store, now) = (self.store.clone(), self.clock.now());
        self.commits.push(Box::pin(async move { within_deadline(store.announced(now)).await.ok().map(Done::Known) }));
    }

    /// A result came: at once, or behind the one of its stream that is being committed.
    fn accept(&mut self, mut completed: Completed) {
        if let Some(refusals) = completed.refusals.take() {
            // Not with the result, which may have to wait, or be dropped because its stream is gone.
            self.store_refusals(refusals);
        }
        self.enqueue(Work::Probe(Box::new(completed)));
    }

    fn store_refusals(&mut self, refusals: Vec<Refusal>) {
        self.refusals.put(refusals);
        let (refusals, store) = (self.refusals.clone(), self.store.clone());
        self.commits.push(Box::pin(async move {
            refusals.store(&store).await;
            None
        }));
    }

    fn enqueue(&mut self, work: Work) {
        if let Some(queue) = self.busy.get_mut(&work.stream().id) {
            self.queued += 1;
            queue.push_back(work);
        } else {
            self.begin(work);
        }
    }

    fn done(&mut self, done: Option<Done>) {
        match done {
            None => {}
            Some(Done::Committed(committed)) => self.committed(*committed),
            Some(Done::Announced(work, answer, stored)) => {
                match stored {
                    Ok(id) => self.maintenance.announce(Announced { id, ..work }, &self.current, self.clock.now()),
                    Err(_) => self.ask_what_is_announced(),
                }
                self.look_at_windows();
                let _ = answer.send(stored);
            }
            Some(Done::EndedAnnounced(id, answer, stored)) => {
                match stored {
                    Ok(_) => self.maintenance.end(id, &self.current, self.clock.now()),
                    Err(_) => self.ask_what_is_announced(),
                }
                self.look_at_windows();
                let _ = answer.send(stored);
            }
            Some(Done::Known(announced)) => {
                self.maintenance.remember(announced);
                self.look_at_windows();
            }
            Some(Done::Restored(restored)) => {
                self.restored(restored);
                let left = self.cases.configure(&self.current, self.clock.now());
                self.cases.remember_unsaved(&left);
                self.look_at_windows();
            }
        }
    }
}

async fn within_deadline<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, String> {
    within(STORE_DEADLINE, work).await
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, String> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer from the database within {} s", limit.as_secs())),
    }
}

#[cfg(test)]
mod tests;
