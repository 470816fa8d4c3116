//! How others ask for a probe out of turn and read how well the schedule is kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use super::measures::{Measures, Meter};
use super::plan::Visitor;
use super::visit::{Returned, VisitError, VisitLease};
use crate::model::{ProbeReport, Refusal, StreamId};

/// Longest wait for the answer of a probe that was asked for: a queue at the device, the probe, the commit.
pub const PROBE_NOW_DEADLINE: Duration = Duration::from_secs(90);

/// Why there is no report of a probe that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeNowError {
    /// No such stream, or it was removed meanwhile.
    #[error("no stream {0}")]
    Unknown(StreamId),
    /// It is switched off.
    #[error("stream {0} is switched off; set enabled: true to probe it")]
    Disabled(StreamId),
    /// The camera refused the password; asking more often could lock the account.
    #[error(
        "the camera refuses the password of {id}, so it is asked again only in {minutes} min; correct the password and it is asked at once"
    )]
    Paused {
        /// The stream.
        id: StreamId,
        /// Rounded up.
        minutes: u64,
    },
    /// Too many requests wait.
    #[error("too many probes were asked for at once; try again in a moment")]
    Busy,
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopped,
    /// No report within [`PROBE_NOW_DEADLINE`].
    #[error("no report within {} s; the device has too many streams waiting", PROBE_NOW_DEADLINE.as_secs())]
    Late,
}

pub(super) type Answer = Result<Arc<ProbeReport>, ProbeNowError>;

/// What the handle asks of the loop.
#[derive(Debug)]
pub(super) enum Command {
    ProbeNow {
        id: StreamId,
        answer: oneshot::Sender<Answer>,
    },
    ProbeSoon {
        id: StreamId,
        after: Duration,
    },
    Visit {
        visitor: Visitor,
        answer: oneshot::Sender<Result<VisitLease, VisitError>>,
    },
    /// Whether the loop turns.
    Ping {
        answer: oneshot::Sender<()>,
    },
}

/// What the loop lets others read.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) meter: Mutex<Meter>,
    pub(super) warnings: Mutex<Vec<String>>,
    /// Streams whose account is left alone, and until when.
    pub(super) paused: Mutex<HashMap<StreamId, Timestamp>>,
    /// The sessions that visits gave back.
    pub(super) returned: Arc<Returned>,
    /// What is to be remembered of refused accounts. Holds the newest list, which is complete; whoever listens is told
    /// when a visit changed it. What a stream's own probe changed goes with its result.
    pub(super) refusals: watch::Sender<Vec<Refusal>>,
}

/// Asks the scheduler. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct SchedulerHandle {
    /// Holds 1,024 commands. Full: a probe now and a visit are refused as busy, a re-probe is left to the next heartbeat.
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
}

impl SchedulerHandle {
    pub(super) fn new() -> (Self, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(1024);
        (Self { commands, shared: Arc::default() }, receiver)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Probes a stream as soon as its device has a session free and waits until the result is recorded. A probe that
    /// is in flight already is waited for instead.
    ///
    /// # Errors
    /// [`ProbeNowError`]; a camera that is down is a report, not an error.
    pub async fn probe_now(&self, id: &StreamId) -> Result<Arc<ProbeReport>, ProbeNowError> {
        let (answer, report) = oneshot::channel();
        self.commands.try_send(Command::ProbeNow { id: id.clone(), answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ProbeNowError::Busy,
            mpsc::error::TrySendError::Closed(_) => ProbeNowError::Stopped,
        })?;
        match tokio::time::timeout(PROBE_NOW_DEADLINE, report).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(ProbeNowError::Stopped),
            Err(_) => Err(ProbeNowError::Late),
        }
    }

    /// Probes a stream again after this time, unless its next heartbeat comes sooner or a probe of it is in flight.
    /// The heartbeats keep their times.
    pub fn probe_soon(&self, id: &StreamId, after: Duration) {
        if self.commands.try_send(Command::ProbeSoon { id: id.clone(), after }).is_err() {
            tracing::debug!(stream = %id, "no quick re-probe: the scheduler is busy or stopped");
        }
    }

    /// Asks for a session of a device that is no stream's heartbeat, and waits for it at most for `patience`. It counts
    /// like any other until the lease is given back.
    ///
    /// # Errors
    /// [`VisitError`].
    pub async fn visit(&self, visitor: Visitor, patience: Duration) -> Result<VisitLease, VisitError> {
        let (answer, lease) = oneshot::channel();
        self.commands.try_send(Command::Visit { visitor, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => VisitError::Busy,
            mpsc::error::TrySendError::Closed(_) => VisitError::Stopped,
        })?;
        match tokio::time::timeout(patience, lease).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(VisitError::Stopped),
            Err(_) => Err(VisitError::Late),
        }
    }

    /// Whether the loop turns: it answers within `patience`.
    pub async fn is_alive(&self, patience: Duration) -> bool {
        let (answer, answered) = oneshot::channel();
        let asked = self.commands.try_send(Command::Ping { answer }).is_ok();
        asked && matches!(tokio::time::timeout(patience, answered).await, Ok(Ok(())))
    }

    /// What is to be remembered of refused accounts, whenever a visit has changed that.
    pub fn refusals(&self) -> watch::Receiver<Vec<Refusal>> {
        self.shared.refusals.subscribe()
    }

    /// How well the schedule is kept.
    pub fn measures(&self) -> Measures {
        self.shared.meter.lock().unwrap_or_else(PoisonError::into_inner).measures()
    }

    /// One sentence for each device whose streams cannot be probed in time, as it looks now.
    pub fn warnings(&self) -> Vec<String> {
        self.shared.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Until when a stream is not asked, because its device refused the password; `None` when it is.
    pub fn paused_until(&self, id: &StreamId, now: Timestamp) -> Option<Timestamp> {
        let paused = self.shared.paused.lock().unwrap_or_else(PoisonError::into_inner);
        paused.get(id).copied().filter(|until| *until > now)
    }
}
