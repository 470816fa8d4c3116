//! How available streams, groups and the whole fleet were, looked up now and then so that nobody who asks waits for it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{StatusTable, StreamStatus};
use crate::clock::Clock;
use crate::model::{StateTimes, StreamId};
use crate::store::{Store, StoreError};

/// The windows that are looked up: name and length.
pub const WINDOWS: [(&str, Duration); 3] = [
    ("24h", Duration::from_secs(24 * 3600)),
    ("7d", Duration::from_secs(7 * 24 * 3600)),
    ("30d", Duration::from_secs(30 * 24 * 3600)),
];

/// A look-up may take this share of the time, one hundredth of one core.
const SHARE: u32 = 100;

/// The shortest and the longest time between two look-ups.
const EVERY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// Every window, as it was last looked up; empty before that.
#[derive(Clone, Debug, Default)]
pub struct Availability {
    /// In the order of [`WINDOWS`].
    pub windows: Vec<Window>,
}

/// One window up to a moment.
#[derive(Clone, Debug)]
pub struct Window {
    /// Its name, when it has one.
    pub name: Option<String>,
    /// Its begin.
    pub from: Timestamp,
    /// Its end: when it was looked up.
    pub to: Timestamp,
    /// Of each stream that was watched in it. Shared, so that a window is cheap to clone.
    by_stream: Arc<HashMap<StreamId, StateTimes>>,
}

impl Availability {
    /// The window of this name.
    pub fn window(&self, name: &str) -> Option<&Window> {
        self.windows.iter().find(|window| window.name.as_deref() == Some(name))
    }
}

impl Window {
    /// A window with what was looked up for it.
    pub fn new(name: Option<String>, from: Timestamp, to: Timestamp, by_stream: HashMap<StreamId, StateTimes>) -> Self {
        Self { name, from, to, by_stream: Arc::new(by_stream) }
    }

    /// How long it is.
    pub fn length(&self) -> Duration {
        self.to.duration_since(self.from).unsigned_abs()
    }

    /// Time in each state of a stream.
    pub fn of(&self, stream: &StreamId) -> StateTimes {
        self.by_stream.get(stream).copied().unwrap_or_default()
    }

    /// Of these streams together.
    pub fn of_all<'a>(&self, streams: impl IntoIterator<Item = &'a StreamId>) -> StateTimes {
        streams.into_iter().map(|stream| self.of(stream)).sum()
    }
}

/// The streams of every group that are switched on, by its name.
pub fn groups(rows: &[Arc<StreamStatus>]) -> BTreeMap<String, Vec<StreamId>> {
    let mut groups: BTreeMap<String, Vec<StreamId>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.stream.enabled) {
        if let Some(group) = &row.stream.group {
            groups.entry(group.clone()).or_default().push(row.stream.id.clone());
        }
    }
    groups
}

/// Looks the windows up now and again and again, until it is cancelled: the less a look-up costs, the more often.
pub async fn follow(status: StatusTable, store: Store, clock: Arc<dyn Clock>, cancel: CancellationToken) {
    let mut is_told = false;
    loop {
        let begun = Instant::now();
        match look_up(&store, clock.now()).await {
            Ok(availability) => {
                status.set_availability(availability);
                is_told = false;
            }
            Err(error) if !is_told => {
                tracing::warn!(%error, "the availability that is shown stays as it was");
                is_told = true;
            }
            Err(_) => {}
        }
        let pause = (begun.elapsed() * SHARE).clamp(EVERY.0, EVERY.1);
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn look_up(store: &Store, now: Timestamp) -> Result<Availability, StoreError> {
    let mut windows = Vec::with_capacity(WINDOWS.len());
    for (name, length) in WINDOWS {
        let from = now.checked_sub(length).unwrap_or(Timestamp::UNIX_EPOCH);
        let by_stream = store.state_times(from, now).await?;
        windows.push(Window::new(Some(name.to_owned()), from, now, by_stream));
    }
    Ok(Availability { windows })
}
