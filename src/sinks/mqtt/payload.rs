//! What the messages of a stream hold.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::{Health, Notice, PictureIssue, Reason, StreamId, Transport};
use crate::monitor::StreamStatus;
use crate::store::Queued;

/// Of every message; another number when a key gets another meaning.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct State<'a> {
    v: u32,
    state: Health,
    up: Option<bool>,
    reason: Reason,
    issues: &'a [PictureIssue],
    since: Timestamp,
    checked_at: Option<Timestamp>,
    latency_ms: Option<u64>,
    availability_30d: Option<f64>,
}

#[derive(Serialize)]
struct Attributes<'a> {
    v: u32,
    name: &'a str,
    group: Option<&'a str>,
    tags: &'a [String],
    enabled: bool,
    heartbeat_seconds: f64,
    codec: Option<&'static str>,
    profile: Option<&'a str>,
    width_px: Option<u32>,
    height_px: Option<u32>,
    fps: Option<f64>,
    transport: Option<&'static str>,
    what: &'static str,
    next_step: Option<&'static str>,
    flapping: bool,
    maintenance_until: Option<Timestamp>,
}

#[derive(Serialize)]
struct Event<'a> {
    v: u32,
    id: &'a str,
    at: Timestamp,
    stream: &'a StreamId,
    name: &'a str,
    from: Health,
    to: Health,
    reason: Reason,
    issues: &'a [PictureIssue],
    message: &'a str,
    announced: bool,
}

/// What of a state is a change of it; its other figures come with every heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Essence {
    is_watched: bool,
    health: Health,
    reason: Reason,
    issues: Vec<PictureIssue>,
    since: Timestamp,
}

impl Essence {
    pub(super) fn of(row: &StreamStatus) -> Self {
        let state = &row.state;
        Self {
            is_watched: row.stream.enabled,
            health: state.health,
            reason: state.reason,
            issues: issues(row).to_vec(),
            since: state.since,
        }
    }
}

/// What is wrong with the picture; of a camera that gives none, nothing can be said of it.
fn issues(row: &StreamStatus) -> &[PictureIssue] {
    let degraded = row.state.health == Health::Degraded;
    row.last.as_ref().filter(|_| degraded).map_or(&[], |last| last.report.issues())
}

/// `…/state`. `availability_30d`: 0 to 1.
pub(super) fn state(row: &StreamStatus, availability_30d: Option<f64>) -> String {
    let last = row.last.as_ref();
    // Of one that is switched off nothing is known, whatever was known once.
    let health = if row.stream.enabled { row.state.health } else { Health::Unknown };
    text(&State {
        v: VERSION,
        state: health,
        up: match health {
            Health::Up | Health::Degraded => Some(true),
            Health::Down => Some(false),
            Health::Unknown | Health::Maintenance => None,
        },
        reason: row.state.reason,
        issues: issues(row),
        since: row.state.since,
        checked_at: last.map(|last| last.at),
        // Of a probe that failed it is the time to the failure, which nobody wants in a diagram.
        latency_ms: last
            .filter(|last| last.report.reason() == Reason::Ok)
            .and_then(|last| u64::try_from(last.report.latency.as_millis()).ok()),
        availability_30d: availability_30d.map(|ratio| (ratio * 1e6).round() / 1e6),
    })
}

/// `…/attributes`: what seldom changes. Addresses are not in it: whoever reads a broker is not signed in to us.
pub(super) fn attributes(row: &StreamStatus) -> String {
    let stream = &row.stream;
    let report = row.last.as_ref().map(|last| &last.report);
    let good = row.last_good.as_ref();
    let video = good.and_then(|report| report.video.as_ref());
    text(&Attributes {
        v: VERSION,
        name: &stream.name,
        group: stream.group.as_deref(),
        tags: &stream.tags,
        enabled: stream.enabled,
        heartbeat_seconds: stream.heartbeat.as_secs_f64(),
        codec: video.map(|video| video.codec.as_str()),
        profile: video.and_then(|video| video.profile.as_deref()),
        width_px: video.and_then(|video| video.width),
        height_px: video.and_then(|video| video.height),
        fps: video.and_then(|video| video.fps),
        transport: good.and_then(|report| report.transport).map(Transport::as_str),
        what: row.state.reason.sentence(),
        next_step: report.and_then(|report| report.next_step()),
        flapping: row.state.flap.active,
        maintenance_until: row.maintenance_until,
    })
}

/// `…/event`: whose, and what; `None` for what is no change of a stream. `named`: what a stream is called now.
pub(super) fn event(queued: &Queued, named: impl FnOnce(&StreamId) -> Option<String>) -> Option<(&StreamId, String)> {
    let Notice::Transition { stream, at, from, to, reason, issues, message, announced } = &queued.notice else {
        return None;
    };
    let name = named(stream).unwrap_or_else(|| stream.to_string());
    let event = Event {
        v: VERSION,
        id: &queued.id,
        at: *at,
        stream,
        name: &name,
        from: *from,
        to: *to,
        reason: *reason,
        issues,
        message,
        announced: *announced,
    };
    Some((stream, text(&event)))
}

/// Texts, numbers and times: nothing of it can fail.
fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
