//! How well the schedule is kept: start lag, probes, missed heartbeats.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::model::StreamId;

/// Upper bounds of the lag histogram.
pub const LAG_BUCKETS: [Duration; 11] = [
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// How many heartbeats the newest lags, [`Lag::max`] and [`Lag::p99`], look back.
pub const LAG_WINDOW: usize = 4096;

/// A copy of the scheduler's figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measures {
    /// Start lag of heartbeats.
    pub lag: Lag,
    /// Heartbeats that could not start before the next one was due, all streams since the start of the service.
    pub missed_total: u64,
    /// Probes that ended, all streams since the start of the service.
    pub probes_total: u64,
    /// Probes that run now.
    pub in_flight: usize,
    /// Streams that are due and wait for their device or for a slot.
    pub waiting: usize,
    /// Of the streams that are configured now.
    pub by_stream: HashMap<StreamId, StreamMeasures>,
}

/// Of one stream, since it was configured or the service started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamMeasures {
    /// Probes that ended.
    pub probes: u64,
    /// Heartbeats missed.
    pub missed: u64,
}

/// Start after due, of heartbeats only: first probes are paced on purpose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lag {
    /// For each of [`LAG_BUCKETS`], how many were not above it (cumulative).
    pub buckets: Vec<(Duration, u64)>,
    /// How many there were.
    pub count: u64,
    /// All of them together.
    pub sum: Duration,
    /// The newest.
    pub last: Duration,
    /// The longest of the last [`LAG_WINDOW`].
    pub max: Duration,
    /// 99 of 100 of the last [`LAG_WINDOW`] were not longer.
    pub p99: Duration,
}

/// Where the loop counts.
#[derive(Debug, Default)]
pub(super) struct Meter {
    counts: [u64; LAG_BUCKETS.len()],
    count: u64,
    sum: Duration,
    window: VecDeque<Duration>,
    missed_total: u64,
    probes_total: u64,
    in_flight: usize,
    waiting: usize,
    by_stream: HashMap<StreamId, StreamMeasures>,
}

impl Meter {
    pub(super) fn lag(&mut self, lag: Duration) {
        if let Some(bucket) = LAG_BUCKETS.iter().position(|bound| lag <= *bound) {
            self.counts[bucket] += 1;
        }
        self.count += 1;
        self.sum += lag;
        if self.window.len() == LAG_WINDOW {
            self.window.pop_front();
        }
        self.window.push_back(lag);
    }

    pub(super) fn probed(&mut self, id: &StreamId) {
        self.probes_total += 1;
        if let Some(stream) = self.by_stream.get_mut(id) {
            stream.probes += 1;
        }
    }

    pub(super) fn missed(&mut self, id: &StreamId) {
        self.missed_total += 1;
        if let Some(stream) = self.by_stream.get_mut(id) {
            stream.missed += 1;
        }
    }

    pub(super) fn load(&mut self, in_flight: usize, waiting: usize) {
        self.in_flight = in_flight;
        self.waiting = waiting;
    }

    /// Streams that are not configured any more are forgotten, new ones start at zero.
    pub(super) fn configure<'a>(&mut self, ids: impl Iterator<Item = &'a StreamId>) {
        let mut old = std::mem::take(&mut self.by_stream);
        self.by_stream = ids.map(|id| (id.clone(), old.remove(id).unwrap_or_default())).collect();
    }

    pub(super) fn measures(&self) -> Measures {
        let mut sorted: Vec<Duration> = self.window.iter().copied().collect();
        sorted.sort_unstable();
        let p99 = sorted.get((sorted.len() * 99).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default();
        let mut below = 0;
        let buckets = LAG_BUCKETS
            .iter()
            .zip(self.counts)
            .map(|(bound, count)| {
                below += count;
                (*bound, below)
            })
            .collect();
        Measures {
            lag: Lag {
                buckets,
                count: self.count,
                sum: self.sum,
                last: self.window.back().copied().unwrap_or_default(),
                max: sorted.last().copied().unwrap_or_default(),
                p99,
            },
            missed_total: self.missed_total,
            probes_total: self.probes_total,
            in_flight: self.in_flight,
            waiting: self.waiting,
            by_stream: self.by_stream.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_histogram_is_cumulative_and_the_percentile_is_of_the_window() {
        let mut meter = Meter::default();
        for ms in 1..=100 {
            meter.lag(Duration::from_millis(ms));
        }
        meter.lag(Duration::from_secs(20));
        let lag = meter.measures().lag;
        let expected = [5, 10, 25, 50, 100, 100, 100, 100, 100, 100, 100];
        assert_eq!(lag.buckets.iter().map(|(_, count)| *count).collect::<Vec<_>>(), expected);
        assert_eq!((lag.count, lag.max, lag.last), (101, Duration::from_secs(20), Duration::from_secs(20)));
        assert_eq!(lag.p99, Duration::from_millis(100));
        for _ in 0..LAG_WINDOW {
            meter.lag(Duration::ZERO);
        }
        let lag = meter.measures().lag;
        assert_eq!((lag.p99, lag.max, lag.count), (Duration::ZERO, Duration::ZERO, 101 + LAG_WINDOW as u64));
    }

    #[test]
    fn a_removed_stream_is_forgotten_the_totals_are_not() {
        let (a, b) = (StreamId::from_name("a"), StreamId::from_name("b"));
        let mut meter = Meter::default();
        meter.configure([&a, &b].into_iter());
        meter.probed(&a);
        meter.missed(&b);
        meter.configure([&a].into_iter());
        meter.missed(&b);
        let measures = meter.measures();
        assert_eq!(measures.by_stream, HashMap::from([(a, StreamMeasures { probes: 1, missed: 0 })]));
        assert_eq!((measures.probes_total, measures.missed_total), (1, 2));
    }
}
