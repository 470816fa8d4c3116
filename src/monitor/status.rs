//! The status table: what is known of every stream now, in memory. Web, metrics and sinks read only this.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::broadcast;

use super::availability::Availability;
use super::tally::Tally;
use crate::config::Config;
use crate::model::{Health, HealthState, Heartbeat, Incident, ProbeReport, Snapshot, Stream, StreamId, Transition};

/// How many heartbeats the table keeps for each stream's strip.
pub const RECENT_HEARTBEATS: usize = 60;

/// Everything known of one stream now. Rows are replaced, never changed, so a reader holds a consistent one.
#[derive(Clone, Debug)]
pub struct StreamStatus {
    /// Its configuration.
    pub stream: Arc<Stream>,
    /// Confirmed health.
    pub state: HealthState,
    /// Until when it is worked on, while it is in `maintenance`.
    pub maintenance_until: Option<Timestamp>,
    /// The newest probe, `None` before the first.
    pub last: Option<LastProbe>,
    /// The newest probe since the start that gave a picture.
    pub last_good: Option<Arc<ProbeReport>>,
    /// When a probe last gave a picture, kept across restarts.
    pub last_ok_at: Option<Timestamp>,
    /// Start of the unbroken run of good probes up to now, `None` when the last one failed.
    pub ok_since: Option<Timestamp>,
    /// The newest [`RECENT_HEARTBEATS`], oldest first.
    pub recent: VecDeque<Heartbeat>,
    /// The last verified picture.
    pub snapshot: Option<Snapshot>,
    /// The last one with nothing wrong: what a picture with issues is shown beside. The same bytes while all is well.
    pub usual: Option<Snapshot>,
    /// What its probes came to since the start.
    pub tally: Tally,
}

/// The newest probe of a stream.
#[derive(Clone, Debug)]
pub struct LastProbe {
    /// When it started.
    pub at: Timestamp,
    /// What it found.
    pub report: Arc<ProbeReport>,
}

impl LastProbe {
    /// Since it ended: what it found is as old as its picture or its failure, not as its beginning. After a clock that
    /// was set back, it is as old as far back that was.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Duration {
        now.duration_since(self.at).unsigned_abs().saturating_sub(self.report.latency)
    }
}

/// What changed, for whoever listens.
#[derive(Clone, Debug)]
pub enum Event {
    /// A probe was recorded.
    Heartbeat(Arc<StreamStatus>),
    /// A stream's health changed; its row came as a heartbeat before it. Not while it is flapping.
    Transition(Transition),
    /// A stream began to flap, or is calm again.
    Flapping {
        /// Which.
        stream: StreamId,
        /// True when it began.
        active: bool,
    },
    /// An incident was opened, has changed, or is over.
    Incident(Arc<Incident>),
    /// The list of streams changed.
    StreamsChanged,
}

/// The table. Cloning it is cheap and shares it.
#[derive(Clone, Debug)]
pub struct StatusTable {
    inner: Arc<RwLock<Rows>>,
    /// Holds 1,024 events; a listener that falls behind loses the oldest and is told how many.
    events: broadcast::Sender<Event>,
    figures: Arc<RwLock<Figures>>,
    availability: Arc<RwLock<Arc<Availability>>>,
}

/// What the monitor says of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Open incidents of streams that are down.
    pub open_down: usize,
    /// Open incidents of streams that are degraded.
    pub open_degraded: usize,
    /// Incidents that were opened since the start.
    pub opened_total: u64,
    /// False while the store does not take heartbeats.
    pub is_recording: bool,
}

impl Default for Figures {
    fn default() -> Self {
        Self { open_down: 0, open_degraded: 0, opened_total: 0, is_recording: true }
    }
}

#[derive(Debug, Default)]
struct Rows {
    order: Vec<StreamId>,
    by_id: HashMap<StreamId, Arc<StreamStatus>>,
    /// Counts the changes.
    version: u64,
}

impl Default for StatusTable {
    fn default() -> Self {
        let events = broadcast::channel(1024).0;
        Self { inner: Arc::default(), events, figures: Arc::default(), availability: Arc::default() }
    }
}

impl StatusTable {
    /// Every row, in the order of the configuration.
    pub fn all(&self) -> Vec<Arc<StreamStatus>> {
        self.all_with_version().1
    }

    /// Every row, in the order of the configuration, and the [`Self::version`] that they are.
    pub fn all_with_version(&self) -> (u64, Vec<Arc<StreamStatus>>) {
        let rows = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        (rows.version, rows.order.iter().filter_map(|id| rows.by_id.get(id).cloned()).collect())
    }

    /// Another number after every change of a row or of their list.
    pub fn version(&self) -> u64 {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).version
    }

    /// The row of one stream.
    pub fn get(&self, id: &str) -> Option<Arc<StreamStatus>> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).by_id.get(id).cloned()
    }

    /// From now on, every event.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Puts a row in the place of the old one and tells the listeners. A stream that was removed meanwhile stays away.
    pub fn replace(&self, row: StreamStatus) {
        let row = Arc::new(row);
        {
            let mut rows = self.inner.write().unwrap_or_else(PoisonError::into_inner);
            match rows.by_id.get_mut(&row.stream.id) {
                Some(slot) => *slot = row.clone(),
                None => return,
            }
            rows.version += 1;
        }
        self.tell(Event::Heartbeat(row));
    }

    /// What the monitor says of the whole.
    pub fn figures(&self) -> Figures {
        *self.figures.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_figures(&self, figures: Figures) {
        *self.figures.write().unwrap_or_else(PoisonError::into_inner) = figures;
    }

    /// How available the streams were, as it was last looked up.
    pub fn availability(&self) -> Arc<Availability> {
        self.availability.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_availability(&self, availability: Availability) {
        *self.availability.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(availability);
    }

    /// Takes over the list of streams: new ones start from `seed`, removed ones vanish, the rest keep what is known.
    pub fn configure(&self, config: &Config, mut seed: impl FnMut(&Arc<Stream>) -> StreamStatus) {
        {
            let mut rows = self.inner.write().unwrap_or_else(PoisonError::into_inner);
            let mut by_id = HashMap::with_capacity(config.streams.len());
            for stream in &config.streams {
                let row = match rows.by_id.remove(&stream.id) {
                    Some(old) if old.stream == *stream => old,
                    Some(old) => Arc::new(StreamStatus { stream: stream.clone(), ..(*old).clone() }),
                    None => Arc::new(seed(stream)),
                };
                by_id.insert(stream.id.clone(), row);
            }
            rows.order = config.streams.iter().map(|s| s.id.clone()).collect();
            rows.by_id = by_id;
            rows.version += 1;
        }
        self.tell(Event::StreamsChanged);
    }

    /// How many streams are in each state; streams that are switched off are not counted.
    pub fn counts(&self) -> HashMap<Health, usize> {
        let mut counts = HashMap::new();
        for row in self.all().iter().filter(|row| row.stream.enabled) {
            *counts.entry(row.state.health).or_default() += 1;
        }
        counts
    }

    /// Tells the listeners.
    pub(crate) fn tell(&self, event: Event) {
        // Fails only when nobody listens.
        let _ = self.events.send(event);
    }
}

impl StreamStatus {
    /// A stream of which nothing is known yet.
    pub fn new(stream: Arc<Stream>, now: Timestamp) -> Self {
        Self {
            stream,
            state: HealthState::new(now),
            maintenance_until: None,
            last: None,
            last_good: None,
            last_ok_at: None,
            ok_since: None,
            recent: VecDeque::new(),
            snapshot: None,
            usual: None,
            tally: Tally::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::model::{Reason, Stage};

    #[test]
    fn a_report_is_as_old_as_its_end() {
        let began: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
        let report = ProbeReport::failed(Stage::Describe, Reason::NotFound, "404", Duration::from_secs(2));
        let last = LastProbe { at: began, report: Arc::new(report) };
        let age = |seconds: i64| last.age(began + SignedDuration::from_secs(seconds)).as_secs();
        assert_eq!([age(2), age(12), age(1)], [0, 10, 0]);
        assert_eq!(age(-3_600), 3_598, "the clock was set back: not a new one for an hour");
    }
}
