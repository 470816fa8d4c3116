//! The one task that keeps the schedule.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::Completed;
use super::handle::{Command, Shared};
use crate::clock::Clock;
use crate::config::Config;
use crate::probe::Prober;

/// The scheduler before it runs.
pub struct Scheduler {
    _config: watch::Receiver<Arc<Config>>,
    _prober: Arc<dyn Prober>,
    _clock: Arc<dyn Clock>,
    _completed: mpsc::Sender<Completed>,
    _in_flight: usize,
    _commands: mpsc::Receiver<Command>,
    _shared: Arc<Shared>,
}

impl Scheduler {
    pub(super) fn new(
        config: watch::Receiver<Arc<Config>>,
        prober: Arc<dyn Prober>,
        clock: Arc<dyn Clock>,
        completed: mpsc::Sender<Completed>,
        in_flight: usize,
        commands: mpsc::Receiver<Command>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            _config: config,
            _prober: prober,
            _clock: clock,
            _completed: completed,
            _in_flight: in_flight,
            _commands: commands,
            _shared: shared,
        }
    }

    /// Probes until it is cancelled.
    pub async fn run(self, cancel: CancellationToken) {
        cancel.cancelled().await;
    }
}
