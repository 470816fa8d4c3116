//! The status table: what is known of every stream now, in memory. Web, metrics and sinks read only this.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use tokio::sync::broadcast;

use crate::config::Config;
use crate::model::{Health, HealthState, Heartbeat, ProbeReport, Snapshot, Stream, StreamId, Transition};

/// How many heartbeats the table keeps for each stream's strip.
pub const RECENT_HEARTBEATS: usize = 60;

/// Everything known of one stream now. Rows are replaced, never changed, so a reader holds a consistent one.
#[derive(Clone, Debug)]
pub struct StreamStatus {
    /// Its configuration.
    pub stream: Arc<Stream>,
    /// Confirmed health.
    pub state: HealthState,
    /// The newest probe, `None` before the first.
    pub last: Option<LastProbe>,
    /// When a probe last gave a picture, kept across restarts.
    pub last_ok_at: Option<Timestamp>,
    /// Start of the unbroken run of good probes up to now, `None` when the last one failed.
    pub ok_since: Option<Timestamp>,
    /// The newest [`RECENT_HEARTBEATS`], oldest first.
    pub recent: VecDeque<Heartbeat>,
    /// The last verified picture.
    pub snapshot: Option<Snapshot>,
}

/// The newest probe of a stream.
#[derive(Clone, Debug)]
pub struct LastProbe {
    /// When it started.
    pub at: Timestamp,
    /// What it found.
    pub report: Arc<ProbeReport>,
}

/// What changed, for whoever listens.
#[derive(Clone, Debug)]
pub enum Event {
    /// A probe was recorded.
    Heartbeat(Arc<StreamStatus>),
    /// A stream's health changed; its row came as a heartbeat before it.
    Transition(Transition),
    /// The list of streams changed.
    StreamsChanged,
}

/// The table. Cloning it is cheap and shares it.
#[derive(Clone, Debug)]
pub struct StatusTable {
    inner: Arc<RwLock<Rows>>,
    /// Holds 1,024 events; a listener that falls behind loses the oldest and is told how many.
    events: broadcast::Sender<Event>,
}

#[derive(Debug, Default)]
struct Rows {
    order: Vec<StreamId>,
    by_id: HashMap<StreamId, Arc<StreamStatus>>,
}

impl Default for StatusTable {
    fn default() -> Self {
        Self { inner: Arc::default(), events: broadcast::channel(1024).0 }
    }
}

impl StatusTable {
    /// Every row, in the order of the configuration.
    pub fn all(&self) -> Vec<Arc<StreamStatus>> {
        let rows = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        rows.order.iter().filter_map(|id| rows.by_id.get(id).cloned()).collect()
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
        }
        self.tell(Event::Heartbeat(row));
    }

    /// Tells the listeners of a transition.
    pub fn tell_transition(&self, transition: Transition) {
        self.tell(Event::Transition(transition));
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

    fn tell(&self, event: Event) {
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
            last: None,
            last_ok_at: None,
            ok_since: None,
            recent: VecDeque::new(),
            snapshot: None,
        }
    }
}
