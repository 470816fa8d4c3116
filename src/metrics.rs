//! The Prometheus view of the status table.
//!
//! Everything is made anew from the table at each scrape, so a stream that was removed leaves no series. The names
//! without `streampulse_` are those of StreamPulse 2; its dashboards go on working. No URL and no secret is in it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Registry, TextEncoder};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::model::{Health, Outcome, Reason};
use crate::monitor::{StatusTable, StreamStatus};
use crate::schedule::{Lag, SchedulerHandle};
use crate::store::{SampleTotals, Store};

/// How often the 30-day totals are read from the store.
const TOTALS_EVERY: Duration = Duration::from_secs(60);

/// Longest wait for them.
const TOTALS_DEADLINE: Duration = Duration::from_secs(30);

const TOTALS_WINDOW: Duration = Duration::from_secs(30 * 24 * 3600);

/// What `/metrics` answers. Cloning it is cheap and shares it.
#[derive(Clone)]
pub struct Metrics {
    status: StatusTable,
    scheduler: SchedulerHandle,
    clock: Arc<dyn Clock>,
    totals: Arc<Mutex<Option<SampleTotals>>>,
    reload_successful: Arc<AtomicBool>,
}

impl Metrics {
    /// A view of this table and scheduler. [`Self::follow`] keeps the 30-day totals fresh.
    pub fn new(status: StatusTable, scheduler: SchedulerHandle, clock: Arc<dyn Clock>) -> Self {
        let reload_successful = Arc::new(AtomicBool::new(true));
        Self { status, scheduler, clock, totals: Arc::default(), reload_successful }
    }

    /// The text format of Prometheus, version 0.0.4.
    pub fn render(&self) -> String {
        let registry = Registry::new();
        let encoded = registry
            .register(Box::new(self.clone()))
            .and_then(|()| TextEncoder::new().encode_to_string(&registry.gather()));
        encoded.unwrap_or_else(|error| {
            tracing::error!(%error, "metrics cannot be written");
            String::new()
        })
    }

    /// Says whether the configuration on disk is the one in use; true at the start.
    pub fn set_reload_successful(&self, successful: bool) {
        self.reload_successful.store(successful, Ordering::Relaxed);
    }

    /// Reads the totals of the last 30 days now and every minute, until it is cancelled; never at a scrape.
    pub async fn follow(&self, store: Store, cancel: CancellationToken) {
        let mut ticks = tokio::time::interval(TOTALS_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let since = self.clock.now().checked_sub(TOTALS_WINDOW).unwrap_or(Timestamp::UNIX_EPOCH);
            match tokio::time::timeout(TOTALS_DEADLINE, store.sample_totals(since)).await {
                Ok(Ok(totals)) => *self.totals.lock().unwrap_or_else(PoisonError::into_inner) = Some(totals),
                Ok(Err(error)) => tracing::warn!(%error, "the 30-day totals of /metrics stay as they were"),
                Err(_) => tracing::warn!("the 30-day totals of /metrics stay as they were: the database is slow"),
            }
        }
    }
}

/// Name, help, type and label names of every family.
struct Family(&'static str, &'static str, MetricType, &'static [&'static str]);

use MetricType::{COUNTER, GAUGE, HISTOGRAM};
const STREAM_UP: Family =
    Family("stream_up", "1 for a usable picture, 0 for none, absent without a verdict", GAUGE, &["stream"]);
const STREAM_LATENCY: Family =
    Family("stream_latency_ms", "Time of the last good probe in milliseconds", GAUGE, &["stream"]);
const STREAM_AGE: Family = Family("stream_last_seen_age_seconds", "Time since the last picture", GAUGE, &["stream"]);
const STREAM_STREAK: Family =
    Family("stream_uptime_streak_seconds", "Length of the unbroken run of good probes", GAUGE, &["stream"]);
const TOTAL_STREAMS: Family = Family("system_total_streams", "Streams that are switched on", GAUGE, &[]);
const OK_STREAMS: Family = Family("system_ok_streams", "Streams with a usable picture", GAUGE, &[]);
const FAIL_STREAMS: Family = Family("system_fail_streams", "Streams without a usable picture", GAUGE, &[]);
const SYSTEM_UP: Family = Family("system_up", "1 while the monitor runs", GAUGE, &[]);
const OK_SAMPLES: Family = Family("system_ok_samples_30d", "Good probes of the last 30 days", GAUGE, &[]);
const TOTAL_SAMPLES: Family = Family("system_total_samples_30d", "Probes of the last 30 days", GAUGE, &[]);
const SLA_RATIO: Family = Family("system_sla_ratio_30d", "Good probes over all probes of the last 30 days", GAUGE, &[]);
const STATE: Family = Family(
    "streampulse_state",
    "1 for the state that the stream is in, 0 for the others",
    GAUGE,
    &["state", "stream_id"],
);
const LAST_PROBE: Family =
    Family("streampulse_last_probe_timestamp_seconds", "Start of the newest probe", GAUGE, &["stream_id"]);
const LAST_PICTURE: Family =
    Family("streampulse_last_picture_timestamp_seconds", "When a probe last gave a picture", GAUGE, &["stream_id"]);
const PROBES: Family = Family("streampulse_probes_total", "Probes that ended", COUNTER, &["stream_id"]);
const MISSED: Family = Family(
    "streampulse_heartbeats_missed_total",
    "Heartbeats that could not start before the next one was due",
    COUNTER,
    &["stream_id"],
);
const LAG: Family =
    Family("streampulse_scheduler_lag_seconds", "Start of heartbeats after they were due", HISTOGRAM, &[]);
const BUILD: Family = Family("streampulse_build_info", "Always 1; the version is a label", GAUGE, &["version"]);
const RELOAD: Family = Family(
    "streampulse_config_last_reload_successful",
    "1 when the configuration on disk is the one in use",
    GAUGE,
    &[],
);

const ALL: [&Family; 19] = [
    &STREAM_UP,
    &STREAM_LATENCY,
    &STREAM_AGE,
    &STREAM_STREAK,
    &TOTAL_STREAMS,
    &OK_STREAMS,
    &FAIL_STREAMS,
    &SYSTEM_UP,
    &OK_SAMPLES,
    &TOTAL_SAMPLES,
    &SLA_RATIO,
    &STATE,
    &LAST_PROBE,
    &LAST_PICTURE,
    &PROBES,
    &MISSED,
    &LAG,
    &BUILD,
    &RELOAD,
];

/// Samples by family name, in the making.
#[derive(Default)]
struct Samples(HashMap<&'static str, Vec<Metric>>);

impl Samples {
    fn put(&mut self, family: &Family, labels: &[&str], value: f64) {
        let pairs = family.3.iter().zip(labels).map(|(name, value)| pair(name, value)).collect();
        let mut metric = Metric::from_label(pairs);
        if family.2 == COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.0.entry(family.0).or_default().push(metric);
    }

    fn put_lag(&mut self, lag: &Lag) {
        let bucket = |(bound, count): &(Duration, u64)| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound.as_secs_f64());
            bucket.set_cumulative_count(*count);
            bucket
        };
        let mut histogram = Histogram::default();
        histogram.set_bucket(lag.buckets.iter().map(bucket).collect());
        histogram.set_sample_count(lag.count);
        histogram.set_sample_sum(lag.sum.as_secs_f64());
        let mut metric = Metric::default();
        metric.set_histogram(histogram);
        self.0.entry(LAG.0).or_default().push(metric);
    }

    fn put_stream(&mut self, row: &StreamStatus, now: Timestamp) {
        let name = row.stream.name.as_str();
        let id = row.stream.id.as_str();
        match row.state.health {
            Health::Up | Health::Degraded => self.put(&STREAM_UP, &[name], 1.0),
            Health::Down => self.put(&STREAM_UP, &[name], 0.0),
            Health::Unknown | Health::Maintenance => {}
        }
        for health in Health::ALL {
            self.put(&STATE, &[health.as_str(), id], f64::from(health == row.state.health));
        }
        if let Some(last) = &row.last {
            self.put(&LAST_PROBE, &[id], seconds(last.at));
            if last.report.outcome == Outcome::Ok {
                self.put(&STREAM_LATENCY, &[name], last.report.latency.as_secs_f64() * 1000.0);
            }
        } else if let Some(beat) = row.recent.back() {
            // Before the first probe since the start: what was recorded.
            self.put(&LAST_PROBE, &[id], seconds(beat.at));
            if beat.reason == Reason::Ok {
                self.put(&STREAM_LATENCY, &[name], f64::from(beat.latency_ms));
            }
        }
        if let Some(at) = row.last_ok_at {
            self.put(&LAST_PICTURE, &[id], seconds(at));
            self.put(&STREAM_AGE, &[name], (seconds(now) - seconds(at)).max(0.0));
        }
        let streak = row.ok_since.map_or(0.0, |since| (seconds(now) - seconds(since)).max(0.0));
        self.put(&STREAM_STREAK, &[name], streak);
    }
}

impl Collector for Metrics {
    fn desc(&self) -> Vec<&Desc> {
        // The registry only wants to know that the names are its own; it is made for one scrape and holds nothing else.
        Vec::new()
    }

    #[expect(clippy::cast_precision_loss, reason = "counts below 2^52")]
    fn collect(&self) -> Vec<MetricFamily> {
        let rows = self.status.all();
        let now = self.clock.now();
        let mut samples = Samples::default();
        for row in rows.iter().filter(|row| row.stream.enabled) {
            samples.put_stream(row, now);
        }
        let counts = self.status.counts();
        let count = |healths: &[Health]| healths.iter().filter_map(|h| counts.get(h)).sum::<usize>() as f64;
        samples.put(&TOTAL_STREAMS, &[], count(&Health::ALL));
        samples.put(&OK_STREAMS, &[], count(&[Health::Up, Health::Degraded]));
        samples.put(&FAIL_STREAMS, &[], count(&[Health::Down]));
        samples.put(&SYSTEM_UP, &[], 1.0);
        if let Some(totals) = *self.totals.lock().unwrap_or_else(PoisonError::into_inner) {
            samples.put(&OK_SAMPLES, &[], totals.ok as f64);
            samples.put(&TOTAL_SAMPLES, &[], totals.total as f64);
            if totals.total > 0 {
                samples.put(&SLA_RATIO, &[], totals.ok as f64 / totals.total as f64);
            }
        }
        let measures = self.scheduler.measures();
        for row in &rows {
            let id = &row.stream.id;
            let of_stream = measures.by_stream.get(id).copied().unwrap_or_default();
            samples.put(&PROBES, &[id.as_str()], of_stream.probes as f64);
            samples.put(&MISSED, &[id.as_str()], of_stream.missed as f64);
        }
        samples.put_lag(&measures.lag);
        samples.put(&BUILD, &[env!("CARGO_PKG_VERSION")], 1.0);
        samples.put(&RELOAD, &[], f64::from(self.reload_successful.load(Ordering::Relaxed)));
        ALL.iter().filter_map(|family| Some(finish(family, samples.0.remove(family.0)?))).collect()
    }
}

fn finish(family: &Family, metrics: Vec<Metric>) -> MetricFamily {
    let mut finished = MetricFamily::default();
    finished.set_name(family.0.to_owned());
    finished.set_help(family.1.to_owned());
    finished.set_field_type(family.2);
    finished.set_metric(metrics);
    finished
}

fn pair(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

#[cfg(test)]
mod tests;
