//! What templates are filled with, beside the words: an incident, a change, a digest.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::{Acknowledgement, Reason, StreamId};

/// An incident, as messages have it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct IncidentFacts {
    pub(super) id: i64,
    pub(super) state: &'static str,
    pub(super) open: bool,
    pub(super) opened_at: Timestamp,
    pub(super) closed_at: Option<Timestamp>,
    pub(super) duration_seconds: u64,
    pub(super) reason: Reason,
    pub(super) message: String,
    pub(super) next_step: Option<&'static str>,
    pub(super) cause: CauseFacts,
    pub(super) acknowledged: Option<Acknowledgement>,
    pub(super) streams: Vec<StreamFacts>,
    pub(super) streams_total: usize,
    #[serde(skip)]
    pub(super) title: String,
    #[serde(skip)]
    pub(super) text: String,
}

/// What the streams of an incident have in common.
#[derive(Clone, Debug, Serialize)]
pub(super) struct CauseFacts {
    pub(super) kind: &'static str,
    pub(super) name: Option<String>,
}

/// A stream of an incident.
#[derive(Clone, Debug, Serialize)]
pub(super) struct StreamFacts {
    pub(super) id: StreamId,
    pub(super) name: String,
    pub(super) group: Option<String>,
    pub(super) reason: Reason,
    pub(super) began_at: Timestamp,
    pub(super) left_at: Option<Timestamp>,
}

/// A change of a stream's health, or that it began to flap or is calm again.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TransitionFacts {
    pub(super) id: StreamId,
    pub(super) name: String,
    pub(super) group: Option<String>,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    pub(super) flapping: bool,
    pub(super) reason: Option<Reason>,
    pub(super) message: Option<String>,
}

/// What a digest is about.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct DigestFacts {
    pub(super) first_at: Option<Timestamp>,
    pub(super) last_at: Option<Timestamp>,
    pub(super) incidents: usize,
    pub(super) open: usize,
    pub(super) over: usize,
    pub(super) transitions: usize,
    pub(super) lines: Vec<String>,
    pub(super) more: usize,
    pub(super) dropped: u64,
}
