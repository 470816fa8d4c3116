//! The samples of one stream.

use jiff::Timestamp;

use super::families as f;
use super::samples::{Samples, float};
use crate::model::{Health, LATENCY_BOUNDS, Outcome, Reason};
use crate::monitor::StreamStatus;
use crate::monitor::availability::Availability;
use crate::schedule::StreamMeasures;

/// Everything of a stream that is switched on.
pub(super) fn put(samples: &mut Samples, row: &StreamStatus, now: Timestamp, availability: &Availability) {
    put_original(samples, row, now);
    let id = row.stream.id.as_str();
    for health in Health::ALL {
        samples.put(&f::STATE, &[id, health.as_str()], f64::from(health == row.state.health));
        let ms = row.tally.times.ms(health);
        samples.put(&f::STATE_SECONDS, &[id, health.as_str()], std::time::Duration::from_millis(ms).as_secs_f64());
    }
    samples.put(&f::STATE_SINCE, &[id], seconds(row.state.since));
    samples.put(&f::FLAPPING, &[id], f64::from(row.state.flap.active));
    put_info(samples, row);
    let issues = row.last.iter().filter(|_| row.state.health == Health::Degraded).flat_map(|last| last.report.issues());
    for issue in issues {
        samples.put(&f::ISSUE, &[id, issue.as_str()], 1.0);
    }
    // Before the first probe since the start: what was recorded.
    let last_at = row.last.as_ref().map(|last| last.at).or_else(|| row.recent.back().map(|beat| beat.at));
    if let Some(at) = last_at {
        samples.put(&f::LAST_PROBE, &[id], seconds(at));
    }
    if let Some(at) = row.last_ok_at {
        samples.put(&f::LAST_PICTURE, &[id], seconds(at));
    }
    for (reason, count) in row.tally.failures() {
        samples.put(&f::FAILURES, &[id, reason.as_str()], float(count));
    }
    let mut below = 0;
    let buckets = LATENCY_BOUNDS.iter().zip(row.tally.latencies).map(|(bound, count)| {
        below += count;
        (*bound, below)
    });
    let count = row.tally.latencies.iter().sum();
    samples.put_histogram(&f::DURATION, &[id], buckets, count, row.tally.latency_sum);
    for (stage, took) in row.last_good.iter().flat_map(|report| report.phases.iter()) {
        samples.put(&f::PHASE, &[id, stage.as_str()], took.as_secs_f64());
    }
    for window in &availability.windows {
        let times = window.of(&row.stream.id);
        if let Some(ratio) = times.availability() {
            samples.put(&f::AVAILABILITY, &[id, window.name.as_deref().unwrap_or_default()], ratio);
        }
        samples.put(
            &f::COVERED,
            &[id, window.name.as_deref().unwrap_or_default()],
            times.covered_share(window.length()),
        );
    }
}

/// What the scheduler counted.
pub(super) fn put_measures(samples: &mut Samples, row: &StreamStatus, measures: StreamMeasures) {
    let id = row.stream.id.as_str();
    samples.put(&f::PROBES, &[id], float(measures.probes));
    samples.put(&f::MISSED, &[id], float(measures.missed));
}

/// The names of StreamPulse 2.
fn put_original(samples: &mut Samples, row: &StreamStatus, now: Timestamp) {
    let name = row.stream.name.as_str();
    match row.state.health {
        Health::Up | Health::Degraded => samples.put(&f::STREAM_UP, &[name], 1.0),
        Health::Down => samples.put(&f::STREAM_UP, &[name], 0.0),
        Health::Unknown | Health::Maintenance => {}
    }
    if let Some(last) = &row.last {
        if last.report.outcome == Outcome::Ok {
            samples.put(&f::STREAM_LATENCY, &[name], last.report.latency.as_secs_f64() * 1000.0);
        }
    } else if let Some(beat) = row.recent.back().filter(|beat| beat.reason == Reason::Ok) {
        samples.put(&f::STREAM_LATENCY, &[name], f64::from(beat.latency_ms));
    }
    if let Some(at) = row.last_ok_at {
        samples.put(&f::STREAM_AGE, &[name], (seconds(now) - seconds(at)).max(0.0));
    }
    let streak = row.ok_since.map_or(0.0, |since| (seconds(now) - seconds(since)).max(0.0));
    samples.put(&f::STREAM_STREAK, &[name], streak);
}

fn put_info(samples: &mut Samples, row: &StreamStatus) {
    let stream = &row.stream;
    let video = row.last_good.as_ref().and_then(|report| report.video.as_ref());
    let px = |size: Option<u32>| size.map(|px| px.to_string()).unwrap_or_default();
    let (width, height) = (px(video.and_then(|v| v.width)), px(video.and_then(|v| v.height)));
    let group = stream.group.as_deref().unwrap_or_default();
    let codec = video.map_or("", |video| video.codec.as_str());
    samples.put(&f::INFO, &[stream.id.as_str(), &stream.name, group, codec, &width, &height], 1.0);
}

pub(super) fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}
