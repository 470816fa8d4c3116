//! How a stream looks to a caller: one place that decides who sees what.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::stage::to_ms;
use crate::model::{
    Health, Heartbeat, Phases, PictureIssue, PictureStats, ProbeReport, Reason, Role, Stage, StreamId, Transport,
    VideoFacts,
};
use crate::monitor::StreamStatus;
pub(super) use crate::monitor::status_json::message;

/// Heartbeats in a row of the list; the stream's own page has all that the table keeps.
pub(super) const LISTED_HEARTBEATS: usize = 40;

/// What the list and the events say of a stream.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    id: StreamId,
    name: String,
    /// `rtsp`, `rtsps`, `http`, `https`.
    kind: &'static str,
    enabled: bool,
    group: Option<String>,
    tags: Vec<String>,
    heartbeat_seconds: u64,
    state: Health,
    since: Timestamp,
    /// True while it comes and goes so often that its changes are not announced.
    flapping: bool,
    /// Until when it is worked on, while it is in `maintenance`.
    maintenance_until: Option<Timestamp>,
    reason: Reason,
    message: String,
    next_step: Option<&'static str>,
    /// The device refused the password and is not asked before then.
    paused_until: Option<Timestamp>,
    issues: Vec<PictureIssue>,
    latency_ms: Option<f64>,
    checked_at: Option<Timestamp>,
    last_ok_at: Option<Timestamp>,
    picture_at: Option<Timestamp>,
    /// Never for a viewer; the password is masked for everyone.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// Oldest first.
    recent: Vec<Heartbeat>,
    /// The last [`LISTED_HEARTBEATS`] as letters, where only the newest one is in `recent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    strip: Option<String>,
}

/// What a stream's own page says beside that.
#[derive(Debug, Serialize)]
pub(super) struct Detail {
    #[serde(flatten)]
    summary: Summary,
    ok_since: Option<Timestamp>,
    timeout_seconds: u64,
    last: Option<Report>,
}

/// A report for a caller.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    at: Option<Timestamp>,
    outcome: &'static str,
    stage: Stage,
    reason: Reason,
    message: String,
    next_step: Option<&'static str>,
    latency_ms: f64,
    phases_ms: Phases,
    video: Option<VideoFacts>,
    picture: Option<PictureStats>,
    transport: Option<Transport>,
}

/// The summary of a row with its newest `heartbeats`.
pub(super) fn summary(row: &StreamStatus, role: Role, heartbeats: usize, paused_until: Option<Timestamp>) -> Summary {
    let stream = &row.stream;
    let report = row.last.as_ref().map(|last| &last.report);
    // One failure is not yet a state: what is shown beside a state must explain that state.
    let (message, issues) = match report {
        None => ("Not probed yet.".to_owned(), Vec::new()),
        Some(report) => (message(row, report, role), report.issues().to_vec()),
    };
    Summary {
        id: stream.id.clone(),
        name: stream.name.clone(),
        kind: stream.url.scheme().as_str(),
        enabled: stream.enabled,
        group: stream.group.clone(),
        tags: stream.tags.clone(),
        heartbeat_seconds: stream.heartbeat.as_secs(),
        state: row.state.health,
        since: row.state.since,
        flapping: row.state.flap.active,
        maintenance_until: row.maintenance_until,
        reason: row.state.reason,
        message,
        next_step: next_step(row),
        paused_until,
        issues,
        // While the camera is left alone there is none.
        latency_ms: report.filter(|_| paused_until.is_none()).map(|report| to_ms(report.latency)),
        checked_at: row.last.as_ref().map(|last| last.at),
        last_ok_at: row.last_ok_at,
        picture_at: row.snapshot.as_ref().map(|snapshot| snapshot.taken_at),
        url: (role >= Role::Operator).then(|| stream.shown_url()),
        recent: newest(row, heartbeats).cloned().collect(),
        strip: None,
    }
}

/// The same with the heartbeats as a strip: a thousand streams are a twentieth of it, and a wall shows no more.
pub(super) fn with_strip(row: &StreamStatus, role: Role, paused_until: Option<Timestamp>) -> Summary {
    Summary { strip: Some(newest(row, LISTED_HEARTBEATS).map(letter).collect()), ..summary(row, role, 1, paused_until) }
}

fn newest(row: &StreamStatus, heartbeats: usize) -> impl Iterator<Item = &Heartbeat> {
    row.recent.iter().skip(row.recent.len().saturating_sub(heartbeats))
}

/// `u` a usable picture, `d` one with something wrong, `f` none, `q` no verdict: our own fault, or the camera was busy.
fn letter(heartbeat: &Heartbeat) -> char {
    match heartbeat.reason {
        Reason::Ok if heartbeat.health == Health::Degraded => 'd',
        Reason::Ok => 'u',
        reason if reason.is_ours() || reason == Reason::Busy => 'q',
        _ => 'f',
    }
}

/// What to do about the state that is shown.
fn next_step(row: &StreamStatus) -> Option<&'static str> {
    let issues = || row.last.as_ref().and_then(|last| last.report.issues().first());
    match row.state.health {
        Health::Up => None,
        Health::Degraded => issues().map(|issue| issue.next_step()),
        _ => row.state.reason.next_step(),
    }
}

/// Everything of a row.
pub(super) fn detail(row: &StreamStatus, role: Role, paused_until: Option<Timestamp>) -> Detail {
    Detail {
        summary: summary(row, role, usize::MAX, paused_until),
        ok_since: row.ok_since,
        timeout_seconds: row.stream.timeout.as_secs(),
        last: row.last.as_ref().map(|last| report(row, &last.report, Some(last.at), role)),
    }
}

/// A report as the caller may see it.
pub(super) fn report(row: &StreamStatus, report: &ProbeReport, at: Option<Timestamp>, role: Role) -> Report {
    Report {
        at,
        outcome: if report.reason() == Reason::Ok { "ok" } else { "failed" },
        stage: report.stage(),
        reason: report.reason(),
        message: message(row, report, role),
        next_step: report.next_step(),
        latency_ms: to_ms(report.latency),
        phases_ms: report.phases,
        video: report.video.clone(),
        picture: report.picture.clone(),
        transport: report.transport,
    }
}
