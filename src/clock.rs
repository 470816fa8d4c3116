//! One of the two test seams: what time it is.

use std::time::Instant;

use jiff::Timestamp;

/// Wall time for what is stored and shown. Intervals are never taken from it: a Raspberry Pi has no clock battery.
pub trait Clock: Send + Sync + 'static {
    /// Wall time, UTC. The machine's is in whole milliseconds, as the database keeps times, so that what is shown
    /// before a restart and after it is the same.
    fn now(&self) -> Timestamp;

    /// Monotonic time, for intervals and deadlines.
    fn monotonic(&self) -> Instant;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}
