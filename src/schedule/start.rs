//! What the plan and the loop say to each other.

use std::sync::Arc;
use std::time::Duration;

use super::guard::Verdict;
use crate::model::{Outcome, ProbeReport, Reason, Stage, Stream};

/// Why a stream is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It has no verdict yet, or its address or account changed.
    First,
    /// Its place in the interval.
    Heartbeat,
    /// A quick re-probe.
    Retry,
    /// Somebody asked.
    Asked,
}

impl Cause {
    /// True when the probe counts as the stream's heartbeat.
    pub fn is_scheduled(self) -> bool {
        matches!(self, Self::First | Self::Heartbeat)
    }
}

/// A probe to start now.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// What to probe.
    pub stream: Arc<Stream>,
    /// Why.
    pub cause: Cause,
    /// When it should have started; not later than now.
    pub due: Duration,
}

/// What the plan learns from a probe that ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The probe gave a picture.
    pub picture: bool,
    /// The camera answered that it has no session left.
    pub busy: bool,
    /// What it says of the account.
    pub account: Verdict,
    /// How long it took.
    pub took: Duration,
}

impl Found {
    /// What a report says to the plan.
    pub fn of(report: &ProbeReport) -> Self {
        Self {
            picture: report.outcome == Outcome::Ok,
            busy: report.reason() == Reason::Busy,
            account: account_verdict(report),
            took: report.latency,
        }
    }
}

/// A camera that lets a session be set up has taken the password, if it wanted one. Of a stream without credentials it
/// says nothing; the plan knows of no account there.
fn account_verdict(report: &ProbeReport) -> Verdict {
    match report.reason() {
        Reason::AuthFailed => Verdict::Refused,
        Reason::Ok => Verdict::Accepted,
        reason if reason.is_ours() || reason == Reason::Busy => Verdict::Unknown,
        _ if report.stage() >= Stage::FirstPacket => Verdict::Accepted,
        _ => Verdict::Unknown,
    }
}

/// Why a stream cannot be probed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Not configured.
    Unknown,
    /// Switched off.
    Disabled,
    /// The camera refused its password; it is asked again after this time.
    Paused(Duration),
}
