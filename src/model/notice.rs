//! What whoever waits for news is told, once each and in the order in which it happened.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::health::Health;
use super::picture::PictureIssue;
use super::report::Reason;
use super::stream::StreamId;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Notice {
    /// The health of a stream changed.
    Transition {
        /// Whose.
        stream: StreamId,
        /// When it was confirmed.
        at: Timestamp,
        /// Before.
        from: Health,
        /// After.
        to: Health,
        /// Why.
        reason: Reason,
        /// What is wrong with the picture, while it is degraded.
        issues: Vec<PictureIssue>,
        /// What was seen, one clause without addresses.
        message: String,
        /// False while the stream is flapping.
        announced: bool,
    },
    /// A stream began to flap, or is calm again.
    Flapping {
        /// Which.
        stream: StreamId,
        /// When that was seen.
        at: Timestamp,
        /// True when it began.
        active: bool,
        /// The health that was announced last, and the one of now; they are the same when it came back to where it was.
        from: Health,
        /// See there.
        to: Health,
    },
    /// An incident was opened.
    IncidentOpened {
        /// Its number.
        incident: i64,
        /// When.
        at: Timestamp,
    },
    /// A later version wrote it, and this one cannot read it.
    #[serde(skip)]
    Unreadable {
        /// When it happened.
        at: Timestamp,
    },
    /// An incident is over.
    IncidentClosed {
        /// Its number.
        incident: i64,
        /// When.
        at: Timestamp,
    },
}

impl Notice {
    /// When it happened.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Transition { at, .. }
            | Self::Flapping { at, .. }
            | Self::IncidentOpened { at, .. }
            | Self::Unreadable { at }
            | Self::IncidentClosed { at, .. } => *at,
        }
    }

    /// The word of its JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Transition { .. } => "transition",
            Self::Flapping { .. } => "flapping",
            Self::IncidentOpened { .. } => "incident_opened",
            Self::IncidentClosed { .. } => "incident_closed",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    /// What it is, in a few words: two notices with the same key are the same.
    pub fn key(&self) -> String {
        match self {
            Self::Transition { stream, at, to, .. } => {
                format!("{stream} {} {}", to.as_str(), at.as_millisecond())
            }
            Self::Flapping { stream, at, active, .. } => {
                let word = if *active { "flapping" } else { "calm" };
                format!("{stream} {word} {}", at.as_millisecond())
            }
            Self::Unreadable { at } => format!("unreadable {}", at.as_millisecond()),
            Self::IncidentOpened { incident, .. } => format!("incident {incident} opened"),
            Self::IncidentClosed { incident, .. } => format!("incident {incident} closed"),
        }
    }
}
