//! How long a stream was in which state.

use std::ops::{Add, AddAssign};
use std::time::Duration;

use jiff::Timestamp;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::health::Health;

/// When the wall clock is so far behind what was counted, what was counted came of a clock that was wrong; milliseconds.
pub const WRONG_CLOCK_MS: i64 = 25 * 3_600_000;

/// A stretch of wall time that was watched, in one state. Times are in whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The state.
    pub health: Health,
    /// Its first moment.
    pub from: Timestamp,
    /// Its end, not before `from`; that moment itself belongs to what follows.
    pub to: Timestamp,
}

impl Span {
    /// How long it is, in milliseconds.
    pub fn length_ms(&self) -> u64 {
        u64::try_from(self.to.as_millisecond() - self.from.as_millisecond()).unwrap_or(0)
    }
}

/// Time in each state, together the time that was watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateTimes([u64; Health::ALL.len()]);

impl StateTimes {
    /// Adds time in a state.
    pub fn add_ms(&mut self, health: Health, ms: u64) {
        self.0[health as usize] += ms;
    }

    /// Milliseconds in a state.
    pub fn ms(&self, health: Health) -> u64 {
        self.0[health as usize]
    }

    /// Milliseconds that were watched.
    pub fn covered_ms(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Time-weighted availability, 0 to 1: `up` and `degraded` over those and `down`. `None` when the stream was in none
    /// of them.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds below 2^52")]
    pub fn availability(&self) -> Option<f64> {
        let available = self.ms(Health::Up) + self.ms(Health::Degraded);
        let judged = available + self.ms(Health::Down);
        (judged > 0).then(|| available as f64 / judged as f64)
    }

    /// The share of a window that was watched, 0 to 1.
    pub fn covered_share(&self, window: Duration) -> f64 {
        if window.is_zero() {
            return 0.0;
        }
        (Duration::from_millis(self.covered_ms()).as_secs_f64() / window.as_secs_f64()).min(1.0)
    }
}

impl Add for StateTimes {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl AddAssign for StateTimes {
    fn add_assign(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, others)| *mine += others);
    }
}

impl std::iter::Sum for StateTimes {
    fn sum<I: Iterator<Item = Self>>(times: I) -> Self {
        times.fold(Self::default(), Add::add)
    }
}

/// `{"up": seconds, …}`, every state.
impl Serialize for StateTimes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Health::ALL.len()))?;
        for health in Health::ALL {
            map.serialize_entry(health.as_str(), &Duration::from_millis(self.ms(health)).as_secs_f64())?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_judged_is_outside_availability() {
        let mut times = StateTimes::default();
        assert_eq!(times.availability(), None);
        times.add_ms(Health::Unknown, 500);
        times.add_ms(Health::Maintenance, 500);
        assert_eq!(times.availability(), None);
        times.add_ms(Health::Up, 200);
        times.add_ms(Health::Degraded, 100);
        times.add_ms(Health::Down, 100);
        assert_eq!(times.availability(), Some(0.75));
        assert_eq!(times.covered_ms(), 1400);
        assert_eq!(times.covered_share(Duration::from_millis(2800)), 0.5);
        assert_eq!(serde_json::to_value(times).unwrap()["unknown"], 0.5);
    }
}
