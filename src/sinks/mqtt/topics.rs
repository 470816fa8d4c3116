//! Where what is published: the names of topics.

use std::fmt;

use crate::model::StreamId;

/// The topics below `streampulse/<node>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sinks) struct Topics {
    base: String,
}

/// What there is of each stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::sinks) enum Leaf {
    /// Retained: how it is.
    State,
    /// Retained: what changes seldom.
    Attributes,
    /// Retained: the last picture, JPEG.
    Image,
    /// Each transition, once.
    Event,
    /// Command: probe now.
    Probe,
    /// Command: work begins or ends.
    Maintenance,
}

impl Leaf {
    fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Attributes => "attributes",
            Self::Image => "image",
            Self::Event => "event",
            Self::Probe => "probe",
            Self::Maintenance => "maintenance",
        }
    }
}

impl Topics {
    /// Of the service of this name.
    pub(in crate::sinks) fn of(node: &str) -> Self {
        Self { base: format!("streampulse/{node}") }
    }

    /// Retained: `online`, `stopped` or `offline`.
    pub(in crate::sinks) fn status(&self) -> String {
        format!("{}/status", self.base)
    }

    /// A topic of a stream.
    pub(in crate::sinks) fn stream(&self, id: &StreamId, leaf: Leaf) -> String {
        format!("{}/streams/{id}/{leaf}", self.base)
    }

    /// What to subscribe to for a command to any stream.
    pub(in crate::sinks) fn commands(&self, leaf: Leaf) -> String {
        format!("{}/streams/+/{leaf}", self.base)
    }

    /// Whose topic this is, and which.
    pub(in crate::sinks) fn command(&self, topic: &str) -> Option<(StreamId, Leaf)> {
        let rest = topic.strip_prefix(&self.base)?.strip_prefix("/streams/")?;
        let (id, leaf) = rest.split_once('/')?;
        let leaf = [Leaf::Probe, Leaf::Maintenance].into_iter().find(|known| known.as_str() == leaf)?;
        Some((StreamId::new(id)?, leaf))
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
