//! From confirmed down or degraded to recovery: what happened, to whom, why, and what was done about it.

use jiff::Timestamp;
use serde::Serialize;

use super::health::Health;
use super::report::Reason;
use super::stage::Stage;
use super::stream::StreamId;

/// One incident, of one stream or of several that failed for one cause. Open while `closed_at` is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Unique for good, greater than those of earlier incidents.
    pub id: i64,
    /// `down` or `degraded`.
    pub health: Health,
    /// What its streams have in common.
    pub cause: Cause,
    /// Why the first stream failed.
    pub reason: Reason,
    /// Where the first stream's probe ended.
    pub stage: Stage,
    /// What was seen, one clause; it may name the device's address.
    pub detail: String,
    /// When it was confirmed.
    pub opened_at: Timestamp,
    /// When the last stream was known to have left the state; `unknown` does not end an incident.
    pub closed_at: Option<Timestamp>,
    /// The incident that took this one's streams over, when their common cause was found later.
    pub merged_into: Option<i64>,
    /// The streams, in the order in which they joined.
    pub members: Vec<Member>,
    /// Who has seen it.
    pub acknowledged: Option<Acknowledgement>,
    /// An operator's note.
    pub note: Option<String>,
    /// What was done about it.
    pub action: Option<String>,
}

/// What the streams of an incident have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// It is one stream.
    Stream,
    /// The host of all of them.
    Device(String),
    /// The network of their hosts: `192.0.2.0/24`, `2001:db8::/64`.
    Subnet(String),
    /// The stream whose failure explains the others' (`parent:`).
    Parent(StreamId),
}

impl Cause {
    /// `stream`, `device`, `subnet`, `parent`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Device(_) => "device",
            Self::Subnet(_) => "subnet",
            Self::Parent(_) => "parent",
        }
    }

    /// Which device, network or stream; `None` for one stream.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Stream => None,
            Self::Device(name) | Self::Subnet(name) => Some(name),
            Self::Parent(id) => Some(id.as_str()),
        }
    }

    /// Reads [`Self::kind`] and [`Self::name`].
    pub fn parse(kind: &str, name: Option<&str>) -> Option<Self> {
        match (kind, name) {
            ("stream", _) => Some(Self::Stream),
            ("device", Some(name)) => Some(Self::Device(name.to_owned())),
            ("subnet", Some(name)) => Some(Self::Subnet(name.to_owned())),
            ("parent", Some(name)) => StreamId::new(name).map(Self::Parent),
            _ => None,
        }
    }
}

/// A stream in an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Which.
    pub stream: StreamId,
    /// Why it failed.
    pub reason: Reason,
    /// Where its probe ended.
    pub stage: Stage,
    /// When its last good heartbeat was, or its first bad one where nobody looked shortly before that.
    pub began_at: Timestamp,
    /// When its state was confirmed.
    pub joined_at: Timestamp,
    /// When it was known to have left the state.
    pub left_at: Option<Timestamp>,
}

/// Somebody has seen an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Acknowledgement {
    /// The user.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Incident {
    /// True while a stream is in its state.
    pub fn is_open(&self) -> bool {
        self.closed_at.is_none()
    }

    /// The stream's part in it, when it is still in the state.
    pub fn member_mut(&mut self, stream: &StreamId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.stream == *stream && member.left_at.is_none())
    }
}
