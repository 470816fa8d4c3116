//! The only place that orders: health, then store, then status, then events.
//!
//! A probe's result is committed before anybody is told of it. Commits of many streams are awaited together; the
//! results of one stream keep their order. When the store fails, the table and the listeners still get the truth and
//! an alarm says that the history has a hole.

mod looks;
mod refusals;
pub mod status;

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::health::{self, Step, Thresholds};
use crate::model::{Heartbeat, Outcome, Reason, Snapshot, Stream, StreamId, Transition};
use crate::schedule::{Completed, SchedulerHandle};
use crate::store::{Record, Remembered, Store, StoreError};

use looks::Looks;
use refusals::Refusals;
pub use status::{Event, LastProbe, RECENT_HEARTBEATS, StatusTable, StreamStatus};

/// Results that may wait for their commit; more stay in the scheduler's channel, which then holds the probes back.
const MAX_UNCOMMITTED: usize = 256;

/// Longest wait for a commit or for the store's memory.
const STORE_DEADLINE: Duration = Duration::from_secs(10);

/// Longest wait at the end for what is being committed.
const SHUTDOWN: Duration = Duration::from_secs(3);

/// Takes what the scheduler completes and tells everybody, in order.
pub struct Monitor {
    status: StatusTable,
    store: Store,
    scheduler: SchedulerHandle,
    config: watch::Receiver<Arc<Config>>,
    clock: Arc<dyn Clock>,
    current: Arc<Config>,
    commits: FuturesUnordered<Commit>,
    /// What accounts were refused, on the way to the store.
    refusals: Refusals,
    /// Streams with a commit under way, and what came of them meanwhile, oldest first.
    busy: HashMap<StreamId, VecDeque<Completed>>,
    queued: usize,
    store_fails: bool,
    looks: Looks,
    /// Holds 16 streams; full: whoever asks is told that it did not work.
    references: (mpsc::Sender<StreamId>, mpsc::Receiver<StreamId>),
}

/// Asks the monitor. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct MonitorHandle(mpsc::Sender<StreamId>);

impl MonitorHandle {
    /// From now on what this stream shows is usual: scene, sharpness, codec and size are learned anew. False when the
    /// monitor is too busy or stopped.
    pub fn take_reference(&self, id: &StreamId) -> bool {
        self.0.try_send(id.clone()).is_ok()
    }
}

/// Gives nothing when there was only a list of refusals to store.
type Commit = Pin<Box<dyn Future<Output = Option<Committed>> + Send>>;

/// A result whose commit ended, one way or the other.
struct Committed {
    completed: Completed,
    heartbeat: Heartbeat,
    step: Step,
    transition: Option<Transition>,
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
            clock,
            current,
            commits: FuturesUnordered::new(),
            refusals: Refusals::default(),
            busy: HashMap::new(),
            queued: 0,
            store_fails: false,
            looks: Looks::default(),
            references: mpsc::channel(16),
        }
    }

    /// How others ask it.
    pub fn handle(&self) -> MonitorHandle {
        MonitorHandle(self.references.0.clone())
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
                Some(done) = self.commits.next() => done.into_iter().for_each(|committed| self.committed(committed)),
                Some(id) = self.references.1.recv() => self.looks.forget(&id),
                next = completed.recv(), if has_room => match next {
                    Some(completed) => self.accept(completed),
                    None => break,
                },
            }
        }
        let rest = async {
            while let Some(done) = self.commits.next().await {
                done.into_iter().for_each(|committed| self.committed(committed));
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
        let is_new = |stream: &Arc<Stream>| self.status.get(stream.id.as_str()).is_none();
        let mut memory = if self.current.streams.iter().any(is_new) { self.remember().await } else { HashMap::new() };
        self.looks.configure(&self.current);
        let now = self.clock.now();
        self.status.configure(&self.current, |stream| match memory.remove(&stream.id) {
            Some(remembered) => from_memory(stream.clone(), remembered),
            None => StreamStatus::new(stream.clone(), now),
        });
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
        let id = &completed.stream.id;
        if let Some(queue) = self.busy.get_mut(id) {
            self.queued += 1;
            queue.push_back(completed);
        } else {
            self.begin(completed);
        }
    }

    /// The picture, then health, then on to the store.
    fn begin(&mut self, mut completed: Completed) {
        let id = completed.stream.id.clone();
        // Removed meanwhile: whoever asked for the probe is told by the dropped reply.
        let Some(row) = self.status.get(id.as_str()) else { return };
        let now = self.clock.now();
        let past = self.looks.judge(&completed.stream, &mut completed.probed.report, now);
        let report = &completed.probed.report;
        let thresholds = Thresholds {
            failures_to_down: self.current.probe.failures_to_down,
            successes_to_up: self.current.probe.successes_to_up,
        };
        let step = health::step(&row.state, report, now, thresholds);
        let transition = step.transition.map(|(from, to)| Transition {
            stream: id.clone(),
            at: now,
            from,
            to,
            reason: step.state.reason,
        });
        let heartbeat = Heartbeat {
            at: completed.started_at,
            reason: report.reason(),
            stage: report.stage(),
            latency_ms: u32::try_from(report.latency.as_millis()).unwrap_or(u32::MAX),
            health: step.state.health,
        };
        let record = Record {
            stream: id.clone(),
            heartbeat: heartbeat.clone(),
            state: step.state.clone(),
            transition: transition.clone(),
        };
        let store = self.store.clone();
        // First: a pause that is not remembered costs the camera a refused password more after a restart.
        let refusals = self.refusals.clone();
        self.busy.entry(id).or_default();
        self.commits.push(Box::pin(async move {
            refusals.store(&store).await;
            if let Some(past) = past
                && let Err(error) = within_deadline(store.put_look(record.stream.clone(), past)).await
            {
                tracing::error!(%error, "what is usual of the pictures is not remembered across a restart; check the disk");
            }
            let stored = within_deadline(store.record(record)).await;
            Some(Committed { completed, heartbeat, step, transition, stored })
        }));
    }

    /// The commit is done: status, events, re-probe, reply, and the next result of this stream.
    fn committed(&mut self, committed: Committed) {
        let Committed { completed, heartbeat, step, transition, stored } = committed;
        self.watch_store(stored);
        let Completed { stream, started_at, probed, reply, .. } = completed;
        let id = stream.id.clone();
        let report = Arc::new(probed.report);
        if let Some(row) = self.status.get(id.as_str()) {
            let mut row = StreamStatus { state: step.state, ..(*row).clone() };
            match report.reason() {
                Reason::Ok => {
                    row.last_ok_at = Some(started_at);
                    row.ok_since = row.ok_since.or(Some(started_at));
                }
                // Our own fault says nothing of the camera.
                reason if reason.is_ours() => {}
                _ => row.ok_since = None,
            }
            if let Some(jpeg) = probed.jpeg.filter(|_| report.outcome == Outcome::Ok) {
                row.snapshot = Some(Snapshot { jpeg, taken_at: after(started_at, report.latency) });
            }
            row.last = Some(LastProbe { at: started_at, report: report.clone() });
            if row.recent.len() >= RECENT_HEARTBEATS {
                row.recent.pop_front();
            }
            row.recent.push_back(heartbeat);
            self.status.replace(row);
            if let Some(transition) = transition {
                tracing::info!(stream = %id, from = transition.from.as_str(), to = transition.to.as_str(),
                    reason = transition.reason.as_str(), "{}", report.message());
                self.status.tell_transition(transition);
            }
            if step.recheck {
                self.scheduler.probe_soon(&id, self.current.probe.retry_after);
            }
            if let Some(reply) = reply {
                // Fails only when whoever asked went away.
                let _ = reply.send(report);
            }
        }
        let next = self.busy.get_mut(&id).and_then(VecDeque::pop_front);
        match next {
            Some(next) => {
                self.queued -= 1;
                self.begin_or_release(next);
            }
            None => _ = self.busy.remove(&id),
        }
    }

    /// As [`Self::begin`]; a stream that was removed meanwhile is not busy any more.
    fn begin_or_release(&mut self, completed: Completed) {
        let id = completed.stream.id.clone();
        if self.status.get(id.as_str()).is_some() {
            self.begin(completed);
        } else if let Some(rest) = self.busy.remove(&id) {
            self.queued -= rest.len();
        }
    }

    /// One line when the store begins to fail and one when it is well again, not one a heartbeat.
    fn watch_store(&mut self, stored: Result<(), String>) {
        match stored {
            Ok(()) if self.store_fails => {
                self.store_fails = false;
                tracing::info!("heartbeats are recorded again");
            }
            Err(error) if !self.store_fails => {
                self.store_fails = true;
                tracing::error!(%error, "heartbeats are not recorded; probing and the dashboard go on; check the disk");
            }
            _ => {}
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
    let Remembered { state, last_ok_at, recent } = remembered;
    let run = recent.iter().rev().filter(|beat| !beat.reason.is_ours()).take_while(|beat| beat.reason == Reason::Ok);
    let ok_since = run.last().map(|beat| beat.at);
    let skip = recent.len().saturating_sub(RECENT_HEARTBEATS);
    StreamStatus {
        stream,
        state,
        last: None,
        last_ok_at,
        ok_since,
        recent: recent.into_iter().skip(skip).collect(),
        snapshot: None,
    }
}

fn after(at: Timestamp, duration: Duration) -> Timestamp {
    at.checked_add(duration).unwrap_or(at)
}

#[cfg(test)]
mod tests;
