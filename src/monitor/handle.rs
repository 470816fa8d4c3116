//! How others ask the monitor.

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::model::{Incident, StreamId};
use crate::store::Announced;

/// What the monitor is asked.
#[derive(Debug)]
pub(super) enum Command {
    /// What this stream shows is usual.
    TakeReference(StreamId),
    /// Work is announced; answers with its number.
    Announce(Announced, oneshot::Sender<Result<i64, String>>),
    /// A person said something of this incident; it is stored.
    Remarked(Incident),
    /// Announced work ends now; answers whether there was any.
    EndAnnounced(i64, oneshot::Sender<Result<bool, String>>),
}

/// Why the monitor does not do what it is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MonitorError {
    /// It has too much to do, or it is stopped.
    #[error("the monitor is busy; try again in a moment")]
    Busy,
    /// The store did not take it.
    #[error("it could not be stored: {0}")]
    NotStored(String),
}

/// Asks the monitor. Cloning it is cheap.
///
/// The channel holds 16 commands; full: whoever asks is told that it did not work.
#[derive(Clone, Debug)]
pub struct MonitorHandle(mpsc::Sender<Command>);

impl MonitorHandle {
    pub(super) fn new() -> (Self, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(16);
        (Self(commands), receiver)
    }

    /// From now on what this stream shows is usual: scene, sharpness, codec and size are learned anew. False when the
    /// monitor is too busy or stopped.
    pub fn take_reference(&self, id: &StreamId) -> bool {
        self.0.try_send(Command::TakeReference(id.clone())).is_ok()
    }

    /// Somebody acknowledged an incident or wrote a note, and this is how it is stored: whoever listens is told. When the monitor
    /// is too busy, they hear of it with its next change after a restart.
    pub fn remarked(&self, incident: Incident) {
        let _ = self.0.try_send(Command::Remarked(incident));
    }

    /// Announces work on streams; gives its number. They are in `maintenance` from `from` to `until`.
    ///
    /// # Errors
    /// [`MonitorError`]; nothing was announced then.
    pub async fn announce(&self, work: Announced) -> Result<i64, MonitorError> {
        self.ask(|answer| Command::Announce(work, answer)).await
    }

    /// Ends announced work now. False when there is none of this number.
    ///
    /// # Errors
    /// [`MonitorError`].
    pub async fn end_announced(&self, id: i64) -> Result<bool, MonitorError> {
        self.ask(|answer| Command::EndAnnounced(id, answer)).await
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, String>>) -> Command,
    ) -> Result<T, MonitorError> {
        let (answer, done) = oneshot::channel();
        self.0.try_send(command(answer)).map_err(|_| MonitorError::Busy)?;
        done.await.map_err(|_| MonitorError::Busy)?.map_err(MonitorError::NotStored)
    }
}

/// Announced work that is over at this time is none any more.
pub(super) fn goes_on(work: &Announced, now: Timestamp) -> bool {
    work.until > now
}
