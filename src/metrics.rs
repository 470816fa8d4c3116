//! The Prometheus view of the status table.
//!
//! Everything is made anew from the table at each scrape, so a stream that was removed leaves no series. The names
//! without `streampulse_` are those of StreamPulse 2; its dashboards go on working. No URL and no secret is in it.

mod families;
mod samples;
mod streams;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::model::Health;
use crate::monitor::availability::{Availability, groups};
use crate::monitor::{StatusTable, StreamStatus};
use crate::schedule::{Lag, SchedulerHandle};
use crate::store::{SampleTotals, Store};

use families as f;
use samples::{Samples, float};

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
    workers: Option<Arc<dyn Fn() -> Workers + Send + Sync>>,
    mqtt: Option<Arc<dyn Fn() -> Mqtt + Send + Sync>>,
    notify: Option<Arc<dyn Fn() -> Vec<Notified> + Send + Sync>>,
}

/// The probe workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Workers {
    /// How many run.
    pub running: usize,
    /// How many had to be replaced.
    pub restarts_total: u64,
}

/// The connection to the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mqtt {
    /// `None` while MQTT is switched off.
    pub connected: Option<bool>,
    /// Messages that a broker has got.
    pub published_total: u64,
    /// Events that wait for the broker.
    pub queued: u64,
    /// Events that it will never get, because it was away for too long.
    pub dropped_total: u64,
}

/// A target of messages that is switched on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notified {
    /// Its name.
    pub target: String,
    /// Messages that it has taken.
    pub delivered_total: u64,
    /// Notices that wait for it.
    pub waiting: u64,
    /// Notices that were dropped.
    pub dropped_total: u64,
    /// True while the last try failed.
    pub is_failing: bool,
}

impl Metrics {
    /// A view of this table and scheduler. [`Self::follow`] keeps the 30-day totals fresh.
    pub fn new(status: StatusTable, scheduler: SchedulerHandle, clock: Arc<dyn Clock>) -> Self {
        let reload_successful = Arc::new(AtomicBool::new(true));
        let totals = Arc::default();
        Self { status, scheduler, clock, totals, reload_successful, workers: None, mqtt: None, notify: None }
    }

    /// The text format of Prometheus, version 0.0.4.
    pub fn render(&self) -> String {
        let rows = self.status.all();
        let now = self.clock.now();
        let availability = self.status.availability();
        let measures = self.scheduler.measures();
        let mut samples = Samples::new();
        for row in &rows {
            if row.stream.enabled {
                streams::put(&mut samples, row, now, &availability);
                let of_stream = measures.by_stream.get(&row.stream.id).copied().unwrap_or_default();
                streams::put_measures(&mut samples, row, of_stream);
            }
        }
        self.put_system(&mut samples);
        put_availability(&mut samples, &rows, &availability);
        let figures = self.status.figures();
        for (health, open) in [(Health::Down, figures.open_down), (Health::Degraded, figures.open_degraded)] {
            samples.put(&f::INCIDENTS, &[health.as_str()], float(open as u64));
        }
        samples.put(&f::INCIDENTS_OPENED, &[], float(figures.opened_total));
        samples.put(&f::RECORDING, &[], f64::from(figures.is_recording));
        let Lag { buckets, count, sum, .. } = measures.lag;
        samples.put_histogram(&f::LAG, &[], buckets.into_iter(), count, sum);
        if let Some(workers) = &self.workers {
            let Workers { running, restarts_total } = workers();
            samples.put(&f::WORKERS, &[], float(running as u64));
            samples.put(&f::WORKER_RESTARTS, &[], float(restarts_total));
        }
        if let Some(mqtt) = &self.mqtt {
            let Mqtt { connected, published_total, queued, dropped_total } = mqtt();
            if let Some(connected) = connected {
                samples.put(&f::MQTT_CONNECTED, &[], f64::from(connected));
            }
            samples.put(&f::MQTT_PUBLISHED, &[], float(published_total));
            if connected.is_some() {
                samples.put(&f::MQTT_QUEUED, &[], float(queued));
                samples.put(&f::MQTT_DROPPED, &[], float(dropped_total));
            }
        }
        for notified in self.notify.iter().flat_map(|notify| notify()) {
            let labels = [notified.target.as_str()];
            samples.put(&f::NOTIFY_DELIVERED, &labels, float(notified.delivered_total));
            samples.put(&f::NOTIFY_WAITING, &labels, float(notified.waiting));
            samples.put(&f::NOTIFY_DROPPED, &labels, float(notified.dropped_total));
            samples.put(&f::NOTIFY_FAILING, &labels, f64::from(notified.is_failing));
        }
        samples.put(&f::BUILD, &[env!("CARGO_PKG_VERSION")], 1.0);
        samples.put(&f::RELOAD, &[], f64::from(self.reload_successful.load(Ordering::Relaxed)));
        samples.finish()
    }

    /// With what there is to say of the probe workers.
    #[must_use]
    pub fn with_workers(mut self, workers: impl Fn() -> Workers + Send + Sync + 'static) -> Self {
        self.workers = Some(Arc::new(workers));
        self
    }

    /// With what there is to say of MQTT.
    #[must_use]
    pub fn with_mqtt(mut self, mqtt: impl Fn() -> Mqtt + Send + Sync + 'static) -> Self {
        self.mqtt = Some(Arc::new(mqtt));
        self
    }

    /// With what there is to say of the targets of messages.
    #[must_use]
    pub fn with_notify(mut self, notify: impl Fn() -> Vec<Notified> + Send + Sync + 'static) -> Self {
        self.notify = Some(Arc::new(notify));
        self
    }

    fn put_system(&self, samples: &mut Samples) {
        let counts = self.status.counts();
        let count = |healths: &[Health]| float(healths.iter().filter_map(|h| counts.get(h)).sum::<usize>() as u64);
        samples.put(&f::TOTAL_STREAMS, &[], count(&Health::ALL));
        samples.put(&f::OK_STREAMS, &[], count(&[Health::Up, Health::Degraded]));
        samples.put(&f::FAIL_STREAMS, &[], count(&[Health::Down]));
        samples.put(&f::SYSTEM_UP, &[], 1.0);
        if let Some(SampleTotals { ok, total }) = *self.totals.lock().unwrap_or_else(PoisonError::into_inner) {
            samples.put(&f::OK_SAMPLES, &[], float(ok));
            samples.put(&f::TOTAL_SAMPLES, &[], float(total));
            if total > 0 {
                samples.put(&f::SLA_RATIO, &[], float(ok) / float(total));
            }
        }
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

/// Of groups and of all streams together.
fn put_availability(samples: &mut Samples, rows: &[Arc<StreamStatus>], availability: &Availability) {
    let groups = groups(rows);
    for window in &availability.windows {
        let enabled = rows.iter().filter(|row| row.stream.enabled);
        if let Some(ratio) = window.of_all(enabled.map(|row| &row.stream.id)).availability() {
            samples.put(&f::FLEET_AVAILABILITY, &[window.name.as_deref().unwrap_or_default()], ratio);
        }
        for (group, streams) in &groups {
            if let Some(ratio) = window.of_all(streams).availability() {
                samples.put(&f::GROUP_AVAILABILITY, &[group, window.name.as_deref().unwrap_or_default()], ratio);
            }
        }
    }
}

#[cfg(test)]
mod tests;
