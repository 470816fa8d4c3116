//! Where a stream's time went: from the moments of its verdicts to spans of wall time in one state.
//!
//! How long a state lasted is told by the monotonic clock, where it lies by the wall clock. A moment of wall time is
//! counted once: when the wall clock is set back, what it goes through again counts nothing. Nothing is counted while
//! nobody watches: before the first verdict of a run of the service, and where the wall clock jumps ahead.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::span::WRONG_CLOCK_MS;
use crate::model::{Health, Span};

/// A step of the wall clock that is not worth a gap or an overlap, milliseconds: time servers make such steps.
const STEP_MS: i64 = 1_000;

/// One moment by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Wall time.
    pub wall: Timestamp,
    /// Monotonic time, from any zero.
    pub elapsed: Duration,
}

/// The account of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Wall time, milliseconds, up to which time is counted; it outlives a restart.
    until_ms: Option<i64>,
    /// Monotonic milliseconds up to which time is counted; `None` while nobody watches.
    watched_to_ms: Option<i64>,
}

impl Account {
    /// An account that goes on from an earlier run.
    pub fn from_memory(counted_until: Option<Timestamp>) -> Self {
        Self { until_ms: counted_until.map(|at| at.as_millisecond()), watched_to_ms: None }
    }

    /// Up to when time is counted.
    pub fn until(&self) -> Option<Timestamp> {
        self.until_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok())
    }

    /// Nobody watches from now on: the stream is switched off.
    pub fn pause(&mut self) {
        self.watched_to_ms = None;
    }

    /// Counts up to `now`: `health` is the state since the last call. What is beyond `patience` since then was not
    /// watched by anybody, which is our own fault: `unknown`.
    pub fn advance(&mut self, now: Moment, health: Health, patience: Duration) -> Vec<Span> {
        let elapsed_ms = i64::try_from(now.elapsed.as_millis()).unwrap_or(i64::MAX);
        let wall_ms = now.wall.as_millisecond();
        let mut mark = self.until_ms.filter(|mark| *mark <= wall_ms + WRONG_CLOCK_MS);
        let Some(watched_to_ms) = self.watched_to_ms.replace(elapsed_ms) else {
            // The first verdict of this run: from here on it is watched.
            self.until_ms = Some(mark.map_or(wall_ms, |mark| mark.max(wall_ms)));
            return Vec::new();
        };
        let passed_ms = (elapsed_ms - watched_to_ms).max(0);
        let mut from_ms = wall_ms - passed_ms;
        if let Some(mark) = mark.take_if(|mark| (from_ms - STEP_MS..=from_ms + STEP_MS).contains(mark)) {
            from_ms = mark;
        }
        let patience_ms = i64::try_from(patience.as_millis()).unwrap_or(i64::MAX);
        let turns_ms = wall_ms.min(from_ms.saturating_add(patience_ms));
        let counted_ms = mark.unwrap_or(i64::MIN);
        let spans = [(health, from_ms, turns_ms), (Health::Unknown, turns_ms, wall_ms)];
        let span = |(health, from_ms, to_ms): (Health, i64, i64)| {
            let from_ms = from_ms.max(counted_ms);
            let (from, to) = (Timestamp::from_millisecond(from_ms).ok()?, Timestamp::from_millisecond(to_ms).ok()?);
            (from_ms < to_ms).then_some(Span { health, from, to })
        };
        let spans: Vec<Span> = spans.into_iter().filter_map(span).collect();
        self.until_ms = Some(counted_ms.max(from_ms).max(wall_ms));
        spans
    }
}

#[cfg(test)]
mod tests;
