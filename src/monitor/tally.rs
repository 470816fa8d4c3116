//! What a stream's probes came to since the service started: the counters of `/metrics`.

use std::time::Duration;

use crate::model::{LATENCY_BUCKETS, ProbeReport, Reason, Span, StateTimes, latency_bucket};

/// Counters of one stream.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Time in each state.
    pub times: StateTimes,
    /// Probes that ended with each reason, by its number.
    reasons: Box<[u64]>,
    /// Good probes by latency, as [`crate::model::LATENCY_BOUNDS`].
    pub latencies: [u64; LATENCY_BUCKETS],
    /// The latencies of all good probes together.
    pub latency_sum: Duration,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            times: StateTimes::default(),
            reasons: vec![0; Reason::ALL.len()].into(),
            latencies: [0; LATENCY_BUCKETS],
            latency_sum: Duration::ZERO,
        }
    }
}

impl Tally {
    /// Counts a probe.
    pub(super) fn probe(&mut self, report: &ProbeReport) {
        if let Some(count) = self.reasons.get_mut(usize::from(report.reason().code())) {
            *count += 1;
        }
        if report.reason() == Reason::Ok {
            let ms = u32::try_from(report.latency.as_millis()).unwrap_or(u32::MAX);
            self.latencies[latency_bucket(ms)] += 1;
            self.latency_sum += report.latency;
        }
    }

    /// Counts time.
    pub(super) fn time(&mut self, spans: &[Span]) {
        spans.iter().for_each(|span| self.times.add_ms(span.health, span.length_ms()));
    }

    /// Every reason but `ok` that occurred, with how often.
    pub fn failures(&self) -> impl Iterator<Item = (Reason, u64)> {
        let counted = Reason::ALL.iter().zip(&self.reasons).map(|(reason, count)| (*reason, *count));
        counted.filter(|(reason, count)| *reason != Reason::Ok && *count > 0)
    }
}
