//! When each stream is probed.
//!
//! [`plan`] is pure: which stream is due, which must wait for its device. [`run`] is the one task that asks the plan
//! what to start, runs the probes and passes on what they found. [`SchedulerHandle`] is how others ask for a probe out
//! of turn, for a session of their own (a *visit*), and read how well the schedule is kept.

pub mod device;
pub mod guard;
pub mod handle;
pub mod measures;
pub mod phase;
pub mod plan;
pub mod run;
pub mod start;
pub mod visit;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::config::Config;
use crate::model::{ProbeReport, Refusal, Stream};
use crate::probe::{Probed, Prober};

pub use handle::{ProbeNowError, SchedulerHandle};
pub use measures::{Lag, Measures, StreamMeasures};
pub use plan::{Purpose, Visitor};
pub use run::Scheduler;
pub use start::Found;
pub use visit::{VisitError, VisitLease};

/// A probe that ended, for the monitor.
#[derive(Debug)]
pub struct Completed {
    /// What was probed, as it was configured when the probe started.
    pub stream: Arc<Stream>,
    /// Wall time of the start.
    pub started_at: Timestamp,
    /// True for a heartbeat (a stream's first probe included), false for a quick re-probe or one that was asked for.
    pub scheduled: bool,
    /// Start after due; zero for a first probe, a re-probe or one that was asked for.
    pub lag: Duration,
    /// What was found.
    pub probed: Probed,
    /// What is to be remembered of refused accounts, when that has changed.
    pub refusals: Option<Vec<Refusal>>,
    /// Somebody waits for the report: the monitor answers when it is recorded.
    pub reply: Option<oneshot::Sender<Arc<ProbeReport>>>,
}

/// How many probes may be in flight at once: `probe.in_flight`, or 64 for each worker of `probe.workers`, or for each core.
///
/// Receiving is almost all waiting, so the number bounds memory and sockets rather than the processor.
pub fn in_flight_limit(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    config.probe.in_flight.unwrap_or_else(|| config.probe.workers.unwrap_or_else(cores) * 64)
}

/// Makes the scheduler of these streams. Nothing is probed before [`Scheduler::run`].
///
/// `in_flight` is the number of probes at once, usually [`in_flight_limit`]. While `completed` is full, probes that
/// ended keep their stream and device occupied, so a monitor that falls behind shows as missed heartbeats.
pub fn scheduler(
    config: watch::Receiver<Arc<Config>>,
    prober: Arc<dyn Prober>,
    clock: Arc<dyn Clock>,
    completed: mpsc::Sender<Completed>,
    in_flight: usize,
) -> (SchedulerHandle, Scheduler) {
    let (handle, commands) = SchedulerHandle::new();
    let scheduler = Scheduler::new(config, prober, clock, completed, in_flight, commands, handle.shared().clone());
    (handle, scheduler)
}
