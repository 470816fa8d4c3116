//! Confirmation of probe results into health: pure functions of reports and time.
//!
//! A probe gives one of three verdicts: a picture, no picture, or nothing that can be said of the camera (the fault is
//! ours, or all its sessions are taken). Each has its own count in a row; a state changes when a count reaches its
//! threshold, so a single bad probe never changes what a person sees.

pub mod account;
pub mod flap;
pub mod incidents;
pub mod looks;
pub mod maintenance;
pub mod report;
mod scene;
mod still;

use jiff::Timestamp;

use crate::model::{Health, HealthState, ProbeReport, Reason, Verdict};

/// How many probes in a row change the state. Zero counts as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Failures that make `down`; probes without a verdict that make `unknown`.
    pub failures_to_down: u32,
    /// Pictures that make `up` or `degraded`.
    pub successes_to_up: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { failures_to_down: 2, successes_to_up: 1 }
    }
}

/// What one report changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The state after the report.
    pub state: HealthState,
    /// From which state to which, when it changed.
    pub transition: Option<(Health, Health)>,
    /// From which state to which, for those who are told. `None` while the stream is flapping, and later than the
    /// transition when that ends.
    pub announce: Option<(Health, Health)>,
    /// True: probe again within seconds (`probe.retry_after_seconds`), so that a failure is confirmed or forgotten soon.
    pub recheck: bool,
}

/// Takes one report into the state. `now` is the wall time of the verdict; it becomes `since` when the state changes.
///
/// A probe without a verdict counts neither for nor against the camera: failures before and after it are in a row. In
/// `maintenance` the counts go on and the state stays, until whoever announced the work ends it.
pub fn step(state: &HealthState, report: &ProbeReport, now: Timestamp, thresholds: Thresholds) -> Step {
    let failures_to_down = thresholds.failures_to_down.max(1);
    let successes_to_up = thresholds.successes_to_up.max(1);
    let reason = report.reason();
    let mut next = state.clone();
    let verdict = verdict(report);
    let target = match verdict {
        Some(Verdict::Good | Verdict::Poor) => {
            next.failures_in_row = 0;
            next.blind_in_row = 0;
            next.successes_in_row = state.successes_in_row.saturating_add(1);
            let shown = if verdict == Some(Verdict::Poor) { Health::Degraded } else { Health::Up };
            (next.successes_in_row >= successes_to_up || has_picture(state.health)).then_some(shown)
        }
        Some(Verdict::None) => {
            next.successes_in_row = 0;
            next.blind_in_row = 0;
            next.failures_in_row = state.failures_in_row.saturating_add(1);
            (next.failures_in_row >= failures_to_down || state.health == Health::Down).then_some(Health::Down)
        }
        None => {
            next.blind_in_row = state.blind_in_row.saturating_add(1);
            (next.blind_in_row >= failures_to_down || state.health == Health::Unknown).then_some(Health::Unknown)
        }
    };
    let target = target.filter(|_| state.health != Health::Maintenance);
    if let Some(health) = target {
        next.health = health;
        next.reason = reason;
    }
    if next.health != state.health && next.health == Health::Unknown {
        // What was seen before the blind time says nothing about the time after it.
        next.failures_in_row = 0;
        next.successes_in_row = 0;
    }
    flap::count(&mut next.flap, verdict);
    let recheck = asks_for_recheck(&next, reason, failures_to_down);
    Step { recheck, ..finish(state, next, now) }
}

/// Announced work begins: until [`end_maintenance`] no verdict changes the state.
pub fn begin_maintenance(state: &HealthState, now: Timestamp) -> Step {
    finish(state, HealthState { health: Health::Maintenance, ..state.clone() }, now)
}

/// Announced work ends. What was counted meanwhile holds, so the next verdict is the state.
pub fn end_maintenance(state: &HealthState, now: Timestamp) -> Step {
    finish(state, HealthState { health: Health::Unknown, ..state.clone() }, now)
}

/// What a change of the state means to others.
fn finish(before: &HealthState, mut next: HealthState, now: Timestamp) -> Step {
    let transition = (next.health != before.health).then_some((before.health, next.health));
    if transition.is_some() {
        next.since = now;
    }
    let announce = flap::announce(&mut next);
    Step { state: next, transition, announce, recheck: false }
}

/// What a report says of the camera; `None` when it says nothing: the fault is ours, or all its sessions are taken.
fn verdict(report: &ProbeReport) -> Option<Verdict> {
    match report.reason() {
        Reason::Ok if report.issues().is_empty() => Some(Verdict::Good),
        Reason::Ok => Some(Verdict::Poor),
        Reason::Busy => None,
        reason if reason.is_ours() => None,
        _ => Some(Verdict::None),
    }
}

fn has_picture(health: Health) -> bool {
    matches!(health, Health::Up | Health::Degraded)
}

/// Only what is not yet confirmed is worth a second look. A refused password must not be tried again at once (some
/// cameras lock the account), a busy camera has no session for us, and an overloaded machine needs less work.
fn asks_for_recheck(next: &HealthState, reason: Reason, failures_to_down: u32) -> bool {
    if matches!(reason, Reason::Ok | Reason::AuthFailed | Reason::Busy | Reason::Overloaded) {
        return false;
    }
    if reason.is_ours() {
        return next.blind_in_row < failures_to_down && next.health != Health::Maintenance;
    }
    next.failures_in_row < failures_to_down && !matches!(next.health, Health::Down | Health::Maintenance)
}

#[cfg(test)]
mod tests;
