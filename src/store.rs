//! SQLite: the only place that names `rusqlite`.
//!
//! One thread owns the only connection that writes ([`writer`]). It gathers what arrives for half a second and commits
//! it in one transaction; a transition or an account is committed at once and reaches the disk before the caller goes
//! on. Everything else reads through a few read-only connections ([`reader`]).

mod accounts;
mod api_tokens;
mod aside;
mod audit;
mod availability;
mod codes;
mod copy;
mod error;
mod evidence;
mod heartbeats;
mod import;
mod incidents;
mod latency;
mod lock;
mod looks;
mod maintenance;
mod migrations;
mod outbox;
mod owner;
mod reader;
mod record;
mod refusals;
mod retained_topics;
mod retention;
mod rollups;
mod schema;
mod writer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use crate::model::{HealthState, Heartbeat, Incident, Notice, Span, StreamId, Transition};

pub use accounts::{TakenToken, UserChange, UserChanged};
pub use audit::{AuditEntry, AuditQuery};
pub use copy::{Held, SCHEMA, copy_database, examine, fold, hold, is_held, scratch};
pub use error::StoreError;
pub use evidence::{Evidence, EvidenceKind, KeptEvidence};
pub use heartbeats::{HeartbeatPage, PagePosition};
pub use import::{Counts, ImportError, ImportOptions, Imported, ImportedLog, Original, Progress, Target};
pub use incidents::{IncidentQuery, Remark};
pub use latency::LatencyHour;
pub use maintenance::Announced;
pub use outbox::{Backlog, MAX_WAITING, Queued};
pub use owner::give_to_owner;
pub use refusals::look_for_refusals;
pub use retention::{Pruned, Retention};

/// Name of the database in the state directory.
pub const FILE_NAME: &str = "streampulse.db";

/// How many heartbeats of each stream [`Store::load_memory`] gives at most.
pub const REMEMBERED_HEARTBEATS: usize = 60;

/// Longest page of [`Store::history`].
pub const LONGEST_PAGE: usize = 10_000;

/// Longest wait for the writer's answer. A disk that takes longer does not answer at all.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);

/// Longest wait for a query; it is interrupted then.
const READ_DEADLINE: Duration = Duration::from_secs(10);

/// Longest wait for the writer at the end.
const CLOSE_DEADLINE: Duration = Duration::from_secs(4);

/// What one probe, or the beginning or end of announced work, leaves behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Whose.
    pub stream: StreamId,
    /// What was found. Its time is kept to the millisecond.
    pub heartbeat: Option<Heartbeat>,
    /// The state after it.
    pub state: HealthState,
    /// The changes of the state, oldest first.
    pub transitions: Vec<Transition>,
    /// So many of them, from the first on, may be there already: the record that they came with was given up.
    pub late_transitions: usize,
    /// Where the time since the record before went.
    pub spans: Vec<Span>,
    /// Incidents that are different now, whole.
    pub incidents: Vec<Incident>,
    /// What is told of it, oldest first. Of incidents it is told of itself.
    pub notices: Vec<Notice>,
}

impl Record {
    /// A heartbeat and the state after it, nothing else.
    pub fn of_heartbeat(stream: StreamId, heartbeat: Heartbeat, state: HealthState) -> Self {
        let heartbeat = Some(heartbeat);
        Self {
            stream,
            heartbeat,
            state,
            transitions: Vec::new(),
            late_transitions: 0,
            spans: Vec::new(),
            incidents: Vec::new(),
            notices: Vec::new(),
        }
    }
}

/// What is known of a stream from before the start.
#[derive(Clone, Debug, PartialEq)]
pub struct Remembered {
    /// Its state, so that a restart is no transition.
    pub state: HealthState,
    /// When a probe last gave a picture.
    pub last_ok_at: Option<Timestamp>,
    /// Up to when its time is counted.
    pub counted_until: Option<Timestamp>,
    /// Its newest heartbeats, oldest first, at most [`REMEMBERED_HEARTBEATS`].
    pub recent: Vec<Heartbeat>,
}

/// Which heartbeats of a stream are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// From then on.
    pub from: Option<Timestamp>,
    /// Before then.
    pub to: Option<Timestamp>,
    /// At most so many, held between 1 and [`LONGEST_PAGE`].
    pub limit: usize,
    /// The `next_cursor` of the page before.
    pub cursor: Option<Timestamp>,
}

/// One page of heartbeats.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HistoryPage {
    /// Newest first.
    pub heartbeats: Vec<Heartbeat>,
    /// There may be older ones: ask again with this as the cursor (an RFC 3339 time). A page may be short or even empty
    /// and have one, when much had to be passed over.
    pub next_cursor: Option<String>,
}

/// Heartbeats of all streams counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleTotals {
    /// With a usable picture.
    pub ok: u64,
    /// Those and the ones without; what failed through our own fault is left out.
    pub total: u64,
}

/// The database. Cloning it is cheap and shares it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    /// Holds 1,024 writes. Full: the caller waits, at most [`WRITE_DEADLINE`], and then gets [`StoreError::Slow`].
    queue: mpsc::Sender<writer::Message>,
    readers: reader::Readers,
    alarm: writer::Alarm,
    outbox: watch::Sender<u64>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.inner.path).finish()
    }
}

impl Store {
    /// Opens `<state_dir>/streampulse.db`, makes directory and database when they are missing, and brings an older
    /// database to today's schema. One that is not sound is set aside and a new one begun.
    ///
    /// # Errors
    /// [`StoreError::CannotWrite`], [`StoreError::InUse`] when another service holds the directory,
    /// [`StoreError::Foreign`], [`StoreError::Newer`].
    pub async fn open(state_dir: &Path) -> Result<Self, StoreError> {
        let lock = lock::take(state_dir).await?;
        let dir = state_dir.to_owned();
        Self::with(move || schema::open(&dir, lock)).await
    }

    /// [`Self::open`] for a command that changes a row or two, also while a service holds the directory: then beside it,
    /// in transactions of its own.
    ///
    /// # Errors
    /// As [`Self::open`], and [`StoreError::OtherVersion`]; never [`StoreError::InUse`].
    pub async fn open_beside(state_dir: &Path) -> Result<Self, StoreError> {
        let lock = match lock::take(state_dir).await {
            Ok(lock) => Some(lock),
            Err(StoreError::InUse { .. }) => None,
            Err(error) => return Err(error),
        };
        let dir = state_dir.to_owned();
        Self::with(move || match lock {
            Some(lock) => schema::open(&dir, lock),
            None => schema::open_beside(&dir),
        })
        .await
    }

    /// For a look while a service holds the directory; the lock is never taken.
    ///
    /// # Errors
    /// [`StoreError`] when there is no database of this version.
    pub async fn open_of_running(state_dir: &Path) -> Result<Self, StoreError> {
        let dir = state_dir.to_owned();
        Self::with(move || schema::open_beside(&dir)).await
    }

    async fn with(
        open: impl FnOnce() -> Result<schema::Opened, StoreError> + Send + 'static,
    ) -> Result<Self, StoreError> {
        let opened = tokio::task::spawn_blocking(open).await.map_err(|_| StoreError::Closed)??;
        let path = opened.path.clone();
        let readers = reader::Readers::new(path.clone());
        let alarm = writer::Alarm::default();
        let outbox = watch::Sender::new(0);
        let (queue, thread) = writer::spawn(opened, alarm.clone(), outbox.clone())?;
        Ok(Self { inner: Arc::new(Inner { path, queue, readers, alarm, outbox, thread: Mutex::new(Some(thread)) }) })
    }

    /// Keeps what a probe found. Resolves when it is committed: with a transition at once and on the disk, otherwise
    /// within a second together with others, so do not wait for one record before handing over the next stream's.
    ///
    /// # Errors
    /// [`StoreError::Failed`] (full disk, I/O): nothing of the record is kept, what was there before is.
    pub async fn record(&self, record: Record) -> Result<(), StoreError> {
        let urgent = !record.transitions.is_empty() || !record.incidents.is_empty() || !record.notices.is_empty();
        self.write(urgent, move |session| record::write(session, &record)).await
    }

    /// What is known of every stream ever recorded, for the start.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn load_memory(&self) -> Result<HashMap<StreamId, Remembered>, StoreError> {
        self.inner.readers.read(heartbeats::load_memory).await
    }

    /// Heartbeats of one stream, newest first. An unknown stream has none.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn history(&self, stream: &StreamId, query: HistoryQuery) -> Result<HistoryPage, StoreError> {
        let stream = stream.clone();
        self.inner.readers.read(move |conn| heartbeats::history(conn, &stream, &query)).await
    }

    /// Heartbeats of all streams in the order of time, from `from` on and before `to`: at most `limit`, after those of an
    /// earlier page. Each page is a short read of its own, so that a long export keeps nothing back.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn heartbeat_page(
        &self,
        from: Option<Timestamp>,
        to: Timestamp,
        after: Option<PagePosition>,
        limit: usize,
    ) -> Result<HeartbeatPage, StoreError> {
        let limit = limit.clamp(1, LONGEST_PAGE);
        self.inner.readers.read(move |conn| heartbeats::page(conn, from, to, after, limit)).await
    }

    /// Counts of all streams, in whole hours beginning with the one that `since` falls into. Costs one row an hour.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn sample_totals(&self, since: Timestamp) -> Result<SampleTotals, StoreError> {
        self.inner.readers.read(move |conn| heartbeats::sample_totals(conn, since)).await
    }

    /// Deletes what is older than its time, in small steps between the other writes. Call it hourly; when the call is
    /// dropped the next one goes on.
    ///
    /// # Errors
    /// [`StoreError`] of the step that failed; the steps before it stay done.
    pub async fn prune(&self, now: Timestamp, keep: Retention) -> Result<Pruned, StoreError> {
        retention::prune(self, now, keep).await
    }

    /// The last write failure in words, until a write succeeds again.
    pub fn alarm(&self) -> Option<String> {
        self.inner.alarm.get()
    }

    /// Commits what is queued and lets go of the directory. Calls on clones fail with [`StoreError::Closed`] afterwards.
    pub async fn close(self) {
        let thread = self.inner.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        self.inner.readers.close();
        let ended = async {
            // Fails only when the writer has ended already.
            let _ = self.inner.queue.send(writer::Message::Close).await;
            tokio::task::spawn_blocking(move || thread.join()).await
        };
        if tokio::time::timeout(CLOSE_DEADLINE, ended).await.is_err() {
            tracing::error!(path = %self.inner.path.display(), "the disk does not answer; the last heartbeats may be lost");
        }
    }

    /// Runs `work` in the writer's next transaction and gives what it gave once that is committed. `urgent`: at once,
    /// and the disk has it before this resolves. A violated constraint undoes only `work`, any other failure the batch.
    async fn write<T, F>(&self, urgent: bool, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut writer::Session<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let (message, answer) = writer::Message::write(urgent, work);
        let done = async {
            self.inner.queue.send(message).await.map_err(|_| StoreError::Closed)?;
            answer.await.map_err(|_| StoreError::Closed)?
        };
        tokio::time::timeout(WRITE_DEADLINE, done).await.unwrap_or(Err(StoreError::Slow))
    }
}

#[cfg(test)]
mod tests;
