//! The task of one target: reads its part of the outbox, collects, sends, and tries again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::delivery::{deliver, words};
use super::failure::{Again, Failure};
use super::handle::{NotifyHandle, State};
use super::message::{Context, Message};
use super::plan::{Planned, Reminded, Situation, due, plan, reminders};
use super::told::{Told, incident_of, keeps_state, told};
use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::config::{Config, Target};
use crate::model::Incident;
use crate::store::{Backlog, Queued, Store, StoreError};

const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(300);
/// How often the store is asked again while it does not answer.
const STORE_RETRY: Duration = Duration::from_secs(10);
/// Notices that are read at a time.
const PAGE: usize = 500;
/// Notices of which one digest is made at most: so much is in memory at once.
const MAX_AT_ONCE: usize = 20_000;
/// How often it is looked for incidents that are to be told again.
const REMINDERS_EVERY: Duration = Duration::from_secs(60);

/// What it works with.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) config: watch::Receiver<Arc<Config>>,
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) handle: NotifyHandle,
    pub(super) host: Arc<str>,
}

/// The name of a target's cursor in the outbox.
pub(in crate::sinks) fn sink(target: &str) -> String {
    format!("notify:{target}")
}

/// Serves one target until it is dropped.
pub(super) struct Courier {
    parts: Parts,
    target: Arc<Target>,
    sink: String,
    /// What was delivered, also when the store could not note it.
    delivered: i64,
    /// Something waited when this began, or the last try failed.
    is_behind: bool,
    /// The last try failed: what was collected is not collected for again.
    is_retry: bool,
    /// Drops that were told of.
    told_dropped: u64,
    /// The incident that is collected for, by its first notice, and until when.
    window: Option<(i64, Instant)>,
    /// How often each open incident was told again.
    reminded: HashMap<i64, u64>,
    begun_at: Timestamp,
    backoff: Backoff,
}

/// What there is to tell.
struct Batch {
    told: Vec<Told>,
    /// The place of the last notice that was looked at.
    end: i64,
}

impl Courier {
    /// What waits from before `begun_at` has waited for too long.
    pub(super) fn new(parts: Parts, target: Arc<Target>, begun_at: Timestamp) -> Self {
        let sink = sink(&target.name);
        Self {
            parts,
            target,
            sink,
            delivered: 0,
            is_behind: false,
            is_retry: false,
            told_dropped: 0,
            window: None,
            reminded: HashMap::new(),
            begun_at,
            backoff: Backoff::new(FIRST_RETRY, LONGEST_RETRY),
        }
    }

    /// For ever.
    pub(super) async fn run(mut self) {
        if self.target.tls_insecure && self.target.to.is_encrypted() {
            tracing::warn!(
                "tls_insecure of the target {} is true: whoever gets between this machine and {} can read and change the \
                 messages; name the server's authority as ca_file instead",
                self.target.name,
                self.target.to
            );
        }
        let mut changes = self.parts.store.outbox_changes();
        let mut is_first = true;
        loop {
            changes.mark_unchanged();
            match self.turn(is_first).await {
                Ok(wake) => {
                    is_first = false;
                    let wake = wake.unwrap_or_else(|| Instant::now() + REMINDERS_EVERY);
                    tokio::select! {
                        // The store is there for as long as this is.
                        _ = changes.changed() => {}
                        () = sleep_until(wake) => {}
                    }
                }
                Err(error) => {
                    tracing::error!("the outbox cannot be read for the target {}: {error}", self.target.name);
                    sleep(STORE_RETRY).await;
                }
            }
        }
    }

    /// Tells what there is to tell; when to look again at the latest.
    async fn turn(&mut self, is_first: bool) -> Result<Option<Instant>, StoreError> {
        let backlog = self.backlog().await?;
        if is_first {
            // The database counts in milliseconds.
            let begun_ms = self.begun_at.as_millisecond();
            self.is_behind = backlog.oldest.is_some_and(|oldest| oldest.as_millisecond() < begun_ms);
            self.told_dropped = if self.is_behind { 0 } else { backlog.dropped_total };
        }
        let batch = self.batch().await?;
        let Some(first) = batch.told.first() else {
            self.note(batch.end).await;
            self.is_behind = false;
            self.parts.handle.set(&self.target.name, State::Idle, self.parts.clock.now());
            self.count().await?;
            return self.remind().await;
        };
        self.parts.handle.set_unless_failing(&self.target.name, self.parts.clock.now());
        if !first.is_incident() && !self.is_behind {
            // Nothing is collected of changes: those before the first incident go at once.
            let leading: Vec<Told> = batch.told.iter().take_while(|told| !told.is_incident()).cloned().collect();
            let end = batch.told[leading.len()..].iter().map(|told| told.first_seq - 1).min().unwrap_or(batch.end);
            return self.send(Batch { told: leading, end }, &backlog).await;
        }
        if first.is_incident() && !self.is_retry {
            let until = match self.window {
                Some((seq, until)) if seq == first.first_seq => until,
                _ => Instant::now() + self.target.wait,
            };
            if until > Instant::now() {
                self.window = Some((first.first_seq, until));
                return Ok(Some(until));
            }
        }
        self.window = None;
        self.send(batch, &backlog).await
    }

    async fn backlog(&mut self) -> Result<Backlog, StoreError> {
        let backlog = match self.parts.store.backlog(&self.sink).await? {
            Some(backlog) => backlog,
            None => {
                self.parts.store.open_sink(&self.sink).await?;
                self.parts.store.backlog(&self.sink).await?.unwrap_or_default()
            }
        };
        self.delivered = self.delivered.max(backlog.delivered);
        self.parts.handle.count(&self.target.name, backlog.waiting, backlog.dropped_total);
        Ok(backlog)
    }

    async fn count(&mut self) -> Result<(), StoreError> {
        self.backlog().await.map(drop)
    }

    /// Everything that waits, as far as the target is told of it.
    async fn batch(&self) -> Result<Batch, StoreError> {
        let mut queued: Vec<Queued> = Vec::new();
        let mut incidents: HashMap<i64, Incident> = HashMap::new();
        let mut end = self.delivered;
        while queued.len() < MAX_AT_ONCE {
            let page = self.parts.store.outbox_after(end, PAGE).await?;
            let Some(last) = page.last() else { break };
            end = last.seq;
            if self.target.incidents {
                for number in page.iter().filter_map(|queued| incident_of(&queued.notice)) {
                    if !incidents.contains_key(&number)
                        && let Some(incident) = self.parts.store.incident(number).await?
                    {
                        incidents.insert(number, incident);
                    }
                }
            }
            queued.extend(page);
        }
        let config = self.parts.config.borrow().clone();
        let told = told(&queued, &incidents, &self.target, &self.context(&config));
        Ok(Batch { told, end })
    }

    fn context<'a>(&'a self, config: &'a Config) -> Context<'a> {
        let now = self.parts.clock.now();
        Context { config, groups: &self.target.groups, host: &self.parts.host, now }
    }

    /// Sends a batch, in order; when to look again when it failed.
    async fn send(&mut self, batch: Batch, backlog: &Backlog) -> Result<Option<Instant>, StoreError> {
        let config = self.parts.config.borrow().clone();
        let situation = Situation {
            after_outage: self.is_behind,
            keeps_state: keeps_state(&self.target),
            dropped: backlog.dropped_total.saturating_sub(self.told_dropped),
            end: batch.end,
        };
        let planned = plan(&batch.told, situation, &self.context(&config));
        for Planned { message, then } in planned {
            if let Some(wake) = self.try_once(&message).await {
                return Ok(Some(wake));
            }
            self.told_dropped = backlog.dropped_total;
            self.note(then).await;
        }
        self.count().await?;
        // What came meanwhile.
        Ok(Some(Instant::now()))
    }

    /// `None` once it is delivered; else when to try again.
    async fn try_once(&mut self, message: &Message) -> Option<Instant> {
        let now = self.parts.clock.now();
        let (handle, name) = (&self.parts.handle, &self.target.name);
        let failure = match deliver(&self.target, message, now).await {
            Ok(()) => {
                handle.delivered(name, self.parts.clock.now());
                handle.set(name, State::Waiting, self.parts.clock.now());
                self.backoff.reset();
                self.is_retry = false;
                return None;
            }
            Err(failure) => failure,
        };
        (self.is_behind, self.is_retry) = (true, true);
        let (problem, next_step) = words(&self.target, &failure);
        if handle.fail(name, (problem.clone(), next_step.clone()), self.parts.clock.now()) {
            tracing::warn!("target {name}: {problem} {next_step}");
        }
        let delay = self.delay(&failure);
        self.rest(delay).await;
        Some(Instant::now())
    }

    /// New notices are counted and do not make the next try come sooner: a receiver that is overloaded gets its rest.
    async fn rest(&mut self, delay: Duration) {
        let until = Instant::now() + delay;
        let mut changes = self.parts.store.outbox_changes();
        loop {
            tokio::select! {
                () = sleep_until(until) => return,
                _ = changes.changed() => {
                    // Told of when it is read for the next try.
                    let _ = self.count().await;
                }
            }
        }
    }

    fn delay(&mut self, failure: &Failure) -> Duration {
        match failure.again() {
            Again::Soon => self.backoff.delay(),
            Again::After(least) => self.backoff.delay().max(least),
            Again::Slowly => LONGEST_RETRY,
        }
    }

    /// The cursor goes on. What cannot be noted is known here until it can.
    async fn note(&mut self, seq: i64) {
        if seq <= self.delivered {
            return;
        }
        self.delivered = seq;
        if let Err(error) = self.parts.store.delivered(&self.sink, seq).await {
            tracing::error!("cannot note what the target {} was told: {error}", self.target.name);
        }
    }

    /// Tells again of incidents that nobody has acknowledged; when to look again when it failed.
    async fn remind(&mut self) -> Result<Option<Instant>, StoreError> {
        let Some(every) = self.target.remind else { return Ok(None) };
        let open = self.parts.store.open_incidents().await?;
        self.reminded.retain(|id, _| open.iter().any(|incident| incident.id == *id));
        let config = self.parts.config.borrow().clone();
        let told = Reminded { every, since: self.begun_at, rounds: &self.reminded };
        let due = due(&open, &told, &self.target, &self.context(&config));
        let messages = reminders(&due, keeps_state(&self.target), &self.context(&config));
        let rounds: Vec<(i64, u64)> = due.iter().map(|(round, incident)| (incident.id, *round)).collect();
        for message in messages {
            if let Some(wake) = self.try_once(&message).await {
                return Ok(Some(wake));
            }
        }
        self.reminded.extend(rounds);
        self.parts.handle.set(&self.target.name, State::Idle, self.parts.clock.now());
        Ok(None)
    }
}
