//! The debounced state of a stream.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::report::Reason;
use super::stream::StreamId;

/// What a person is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// A usable picture.
    Up,
    /// A picture, but something is wrong with it.
    Degraded,
    /// No usable picture, confirmed.
    Down,
    /// No verdict: not probed yet, or the fault is ours.
    #[default]
    Unknown,
    /// Announced work on the camera.
    Maintenance,
}

impl Health {
    /// Every state, in the order of their numbers in the database.
    pub const ALL: [Self; 5] = [Self::Up, Self::Degraded, Self::Down, Self::Unknown, Self::Maintenance];

    /// The text of database, API, metrics and MQTT.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Unknown => "unknown",
            Self::Maintenance => "maintenance",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|h| h.as_str() == text)
    }
}

/// The state of a stream and what confirmation needs to remember. Kept across restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthState {
    /// The confirmed state.
    pub health: Health,
    /// Since when.
    pub since: Timestamp,
    /// Why (`ok` while up).
    pub reason: Reason,
    /// Failed probes in a row.
    pub failures_in_row: u32,
    /// Good probes in a row.
    pub successes_in_row: u32,
    /// Probes in a row that gave no verdict: our own fault, or the camera was busy.
    pub blind_in_row: u32,
    /// How restless the stream is.
    pub flap: Flap,
}

/// What a probe says of the camera, for counting changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A usable picture.
    Good,
    /// A picture with something wrong with it.
    Poor,
    /// No picture.
    None,
}

/// How often the verdict changed of late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flap {
    /// One bit for each of the newest heartbeats with a verdict, the newest lowest: 1 when it differs from the one before.
    pub changes: u32,
    /// The newest verdict.
    pub last: Option<Verdict>,
    /// True: transitions are recorded and not announced.
    pub active: bool,
    /// The health that was announced last.
    pub announced: Health,
}

impl HealthState {
    /// Before the first verdict.
    pub fn new(now: Timestamp) -> Self {
        Self {
            health: Health::Unknown,
            since: now,
            reason: Reason::Ok,
            failures_in_row: 0,
            successes_in_row: 0,
            blind_in_row: 0,
            flap: Flap::default(),
        }
    }
}

/// A change of health.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Transition {
    /// Whose.
    pub stream: StreamId,
    /// When it was confirmed.
    pub at: Timestamp,
    /// Before.
    pub from: Health,
    /// After.
    pub to: Health,
    /// Why.
    pub reason: Reason,
}
