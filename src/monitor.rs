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
mod refusals;
pub mod status;
mod tally;
mod verdict;

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::model::{Health, Reason, Stream, StreamId};
use crate::schedule::{Completed, SchedulerHandle};
use crate::store::{Announced, IncidentQuery, LONGEST_PAGE, Remembered, Store, StoreError};

use accounts::Accounts;
use cases::Cases;
use handle::Command;
pub use handle::{MonitorError, MonitorHandle};
use looks::Looks;
use maintenance::Maintenance;
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
    maintenance: Maintenance,
    commands: (MonitorHandle, mpsc::Receiver<Command>),
    /// Incidents and announced work of earlier runs are known.
    is_restored: bool,
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
}

/// A result whose commit ended, one way or the other.
struct Committed {
    completed: Option<Completed>,
    verdict: Verdict,
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
            maintenance: Maintenance::default(),
            commands: MonitorHandle::new(),
            is_restored: false,
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
                () = tokio::time::sleep(next_window.unwrap_or_default()), if next_window.is_some() => self.look_at_windows(),
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

    /// Takes over the list of streams; new ones start from what the store remembers of them.
    async fn configure(&mut self) {
        self.restore().await;
        let is_new = |stream: &Arc<Stream>| self.status.get(stream.id.as_str()).is_none();
        let mut memory = if self.current.streams.iter().any(is_new) { self.remember().await } else { HashMap::new() };
        self.looks.configure(&self.current);
        let now = self.clock.now();
        let accounts = &mut self.accounts;
        self.status.configure(&self.current, |stream| match memory.remove(&stream.id) {
            Some(remembered) => {
                accounts.remember(&stream.id, remembered.counted_until);
                from_memory(stream.clone(), remembered)
            }
            None => StreamStatus::new(stream.clone(), now),
        });
        self.accounts.retain(|id| self.current.contains(id));
        for stream in self.current.streams.iter().filter(|stream| !stream.enabled) {
            self.accounts.pause(&stream.id);
        }
        let left = self.cases.configure(&self.current, now);
        if !left.is_empty() {
            let store = self.store.clone();
            self.commits.push(Box::pin(async move {
                // What fails here goes with the next record.
                let _ = store.put_incidents(left).await;
                None
            }));
        }
        self.maintenance.configure(&self.current, now);
        self.look_at_windows();
        self.show_figures();
    }

    /// Takes over what goes on from an earlier run, once.
    async fn restore(&mut self) {
        if self.is_restored {
            return;
        }
        let now = self.clock.now();
        let restored = within_deadline(async {
            let open = IncidentQuery { open: Some(true), limit: LONGEST_PAGE, ..IncidentQuery::default() };
            let open = self.store.incidents(open).await?;
            Ok((open, self.store.next_incident().await?, self.store.announced(now).await?))
        });
        match restored.await {
            Ok((open, next_id, announced)) => {
                self.is_restored = true;
                self.cases.restore(open, next_id, &self.current);
                self.maintenance.remember(announced);
            }
            Err(error) => {
                tracing::error!(%error, "open incidents and announced work of the last run cannot be read; check the disk");
                // A number that no incident has.
                self.cases.restore(Vec::new(), now.as_millisecond(), &self.current);
            }
        }
    }

    async fn remember(&mut self) -> HashMap<StreamId, Remembered> {
        match within_deadline(self.store.looks()).await {
            Ok(stored) => self.looks.remember(stored),
            Err(error) => tracing::error!(%error, "what is usual of the pictures cannot be read and is learned again"),
        }
        let loaded = within_deadline(self.store.load_memory()).await;
        loaded.unwrap_or_else(|error| {
            tracing::error!(%error, "the history cannot be read, streams start without it; check the state directory and the disk");
            HashMap::new()
        })
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

    /// A result came: at once, or behind the one of its stream that is being committed.
    fn accept(&mut self, mut completed: Completed) {
        if let Some(refusals) = completed.refusals.take() {
            // Not with the result, which may have to wait, or be dropped because its stream is gone.
            self.refusals.put(refusals);
            let (refusals, store) = (self.refusals.clone(), self.store.clone());
            self.commits.push(Box::pin(async move {
                refusals.store(&store).await;
                None
            }));
        }
        self.enqueue(Work::Probe(Box::new(completed)));
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
                if let Ok(id) = stored {
                    self.maintenance.announce(Announced { id, ..work }, &self.current, self.clock.now());
                    self.look_at_windows();
                }
                let _ = answer.send(stored);
            }
            Some(Done::EndedAnnounced(id, answer, stored)) => {
                self.maintenance.end(id, &self.current, self.clock.now());
                self.look_at_windows();
                let _ = answer.send(stored);
            }
        }
    }
}

async fn within_deadline<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, String> {
    match tokio::time::timeout(STORE_DEADLINE, work).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer from the database within {} s", STORE_DEADLINE.as_secs())),
    }
}

fn from_memory(stream: Arc<Stream>, remembered: Remembered) -> StreamStatus {
    let Remembered { state, last_ok_at, recent, counted_until: _ } = remembered;
    let run = recent.iter().rev().filter(|beat| !beat.reason.is_ours()).take_while(|beat| beat.reason == Reason::Ok);
    let ok_since = run.last().map(|beat| beat.at);
    let skip = recent.len().saturating_sub(RECENT_HEARTBEATS);
    StreamStatus {
        state,
        last_ok_at,
        ok_since,
        recent: recent.into_iter().skip(skip).collect(),
        ..StreamStatus::new(stream, Timestamp::UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests;
