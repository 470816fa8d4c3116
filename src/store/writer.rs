//! The one thread that writes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::StoreError;
use super::schema::Opened;
use crate::model::StreamId;

/// How long a commit waits for more. What is lost when the power fails is this and what the disk had not yet written.
const GATHER: Duration = Duration::from_millis(500);

/// Most writes of one transaction.
const LARGEST_BATCH: usize = 1024;

/// Statements that are kept prepared: more than there are.
const STATEMENTS: usize = 64;

/// Writes that may wait in the queue.
const QUEUE: usize = 1024;

/// What a write may use.
pub(super) struct Session<'a> {
    /// Inside the transaction.
    pub(super) connection: &'a Connection,
    /// Row keys of streams, so that a heartbeat needs no look-up.
    pub(super) keys: &'a mut HashMap<StreamId, i64>,
    /// The newest day that is summed up, once it was looked up.
    pub(super) built_day: &'a mut Option<i64>,
    /// Set when there is something new in the outbox.
    pub(super) has_notices: &'a mut bool,
}

/// What the writer is told.
pub(super) enum Message {
    Write {
        urgent: bool,
        job: Box<dyn Job>,
    },
    /// Commit what is queued and end.
    Close,
}

/// A write and who waits for it.
pub(super) trait Job: Send {
    fn run(&mut self, session: &mut Session<'_>) -> rusqlite::Result<()>;
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Call<T, F> {
    work: F,
    value: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send, F: FnMut(&mut Session<'_>) -> rusqlite::Result<T> + Send> Job for Call<T, F> {
    fn run(&mut self, session: &mut Session<'_>) -> rusqlite::Result<()> {
        self.value = Some((self.work)(session)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { value, reply, .. } = *self;
        // Fails when the caller no longer waits; the write is done all the same.
        let _ = reply.send(outcome.and_then(|()| value.ok_or(StoreError::Closed)));
    }
}

impl Message {
    /// A write and where its answer arrives.
    pub(super) fn write<T, F>(urgent: bool, work: F) -> (Self, oneshot::Receiver<Result<T, StoreError>>)
    where
        T: Send + 'static,
        F: FnMut(&mut Session<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        (Self::Write { urgent, job: Box::new(Call { work, value: None, reply }) }, answer)
    }
}

/// The last write failure, shared with whoever shows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Alarm(Arc<Mutex<Option<String>>>);

impl Alarm {
    pub(super) fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, text: Option<String>) -> Option<String> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), text)
    }
}

/// Starts the thread. It ends at [`Message::Close`] or when nobody can send any more, and lets go of the lock then.
pub(super) fn spawn(
    opened: Opened,
    alarm: Alarm,
    outbox: watch::Sender<u64>,
) -> Result<(mpsc::Sender<Message>, JoinHandle<()>), StoreError> {
    let path = opened.path.clone();
    let failed = |error: std::io::Error| StoreError::Failed { path: path.clone(), detail: error.to_string() };
    let (sender, queue) = mpsc::channel(QUEUE);
    // Its own clock, so that it depends on nobody's runtime and also commits while that one shuts down.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(failed)?;
    let thread = std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || {
            let Opened { path, connection, lock } = opened;
            connection.set_prepared_statement_cache_capacity(STATEMENTS);
            let mut writer =
                Writer { path, connection, queue, keys: HashMap::new(), built_day: None, alarm, outbox, full: false };
            while let Some(batch) = runtime.block_on(writer.gather()) {
                writer.commit(batch);
            }
            writer.end();
            drop(lock);
        })
        .map_err(failed)?;
    Ok((sender, thread))
}

struct Writer {
    path: PathBuf,
    connection: Connection,
    queue: mpsc::Receiver<Message>,
    keys: HashMap<StreamId, i64>,
    built_day: Option<i64>,
    alarm: Alarm,
    /// Counts the commits with something new in the outbox.
    outbox: watch::Sender<u64>,
    /// The connection is at `synchronous=FULL`.
    full: bool,
}

#[derive(Default)]
struct Batch {
    jobs: Vec<Box<dyn Job>>,
    urgent: bool,
}

impl Writer {
    /// What to commit next; `None` at the end. Waits for [`GATHER`] after the first write, not after an urgent one.
    async fn gather(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        let first = self.queue.recv().await?;
        self.take(&mut batch, first);
        let deadline = Instant::now() + GATHER;
        while !batch.urgent && batch.jobs.len() < LARGEST_BATCH {
            match timeout_at(deadline, self.queue.recv()).await {
                Ok(Some(message)) => self.take(&mut batch, message),
                Ok(None) | Err(_) => break,
            }
        }
        while batch.jobs.len() < LARGEST_BATCH
            && let Ok(message) = self.queue.try_recv()
        {
            self.take(&mut batch, message);
        }
        Some(batch)
    }

    fn take(&mut self, batch: &mut Batch, message: Message) {
        match message {
            Message::Write { urgent, job } => {
                batch.urgent |= urgent;
                batch.jobs.push(job);
            }
            Message::Close => {
                // What is in the queue still comes out; nothing new goes in.
                self.queue.close();
                batch.urgent = true;
            }
        }
    }

    fn commit(&mut self, mut batch: Batch) {
        if batch.jobs.is_empty() {
            return;
        }
        match self.transact(&mut batch) {
            Ok(outcomes) => {
                if self.alarm.set(None).is_some() {
                    tracing::info!(path = %self.path.display(), "recording again");
                }
                for (job, outcome) in batch.jobs.into_iter().zip(outcomes) {
                    job.answer(outcome.map_err(|error| StoreError::at_run(&self.path, &error)));
                }
            }
            Err(error) => {
                self.forget();
                let error = StoreError::at_run(&self.path, &error);
                let text = error.to_string();
                if self.alarm.set(Some(text.clone())).as_ref() != Some(&text) {
                    tracing::error!("{text}");
                }
                for job in batch.jobs {
                    job.answer(Err(error.clone()));
                }
            }
        }
    }

    /// One transaction. A write that violates a constraint is undone alone and is the inner error; any other failure
    /// undoes the whole.
    fn transact(&mut self, batch: &mut Batch) -> rusqlite::Result<Vec<rusqlite::Result<()>>> {
        if self.full != batch.urgent {
            // SQLite refuses this inside a transaction.
            let level = if batch.urgent { "FULL" } else { "NORMAL" };
            self.connection.execute_batch(&format!("PRAGMA synchronous = {level}"))?;
            self.full = batch.urgent;
        }
        let mut transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut outcomes = Vec::with_capacity(batch.jobs.len());
        let mut has_notices = false;
        for job in &mut batch.jobs {
            let savepoint = transaction.savepoint()?;
            let (keys, built_day) = (&mut self.keys, &mut self.built_day);
            let has_notices = &mut has_notices;
            let outcome = job.run(&mut Session { connection: &savepoint, keys, built_day, has_notices });
            match &outcome {
                Ok(()) => savepoint.commit()?,
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                    savepoint.finish()?;
                    self.keys.clear();
                    self.built_day = None;
                }
                Err(_) => {
                    outcome?;
                    continue;
                }
            }
            outcomes.push(outcome);
        }
        transaction.commit()?;
        if has_notices {
            self.outbox.send_modify(|count| *count += 1);
        }
        Ok(outcomes)
    }

    /// What was looked up inside a transaction that is undone.
    fn forget(&mut self) {
        self.keys.clear();
        self.built_day = None;
    }

    fn end(self) {
        // The last connection empties the log when it closes; where a reader is still open, this has done most of it.
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(PASSIVE)");
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(path = %self.path.display(), %error, "the database did not close cleanly");
        }
    }
}
