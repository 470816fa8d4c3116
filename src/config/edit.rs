//! Changes `config.yaml` and keeps everything else in it: comments, order, quotes, anchors, line ends.
//!
//! [`Document`] is the file as it was read, [`Draft`] what shall become of it. An edit splices the text where the value
//! stands, and is refused when what the text says afterwards would differ in anything else. Secrets are shown as `***`
//! and put back when they come back so. Nothing is written that the service would not load.

mod apply;
mod comments;
mod cursor;
mod document;
mod mask;
mod path;
mod render;
mod same_target;
mod splice;
mod syntax;
mod targets;
mod tree;
mod unmask;
mod write;

pub use apply::{Change, Edit};
pub use document::{Document, Draft, tag_of};
pub use path::Path;

use super::problem::{Problem, Problems};

/// Why the file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The text cannot be changed so, or a hidden secret cannot be put back. Each has its path.
    #[error("{}", lines(.0))]
    Refused(Vec<Problem>),
    /// The service would not load it.
    #[error(transparent)]
    Invalid(#[from] Problems),
    /// Somebody else has changed the file meanwhile.
    #[error("the file was changed meanwhile; read it again and repeat the change")]
    Changed,
    /// The file cannot be read.
    #[error("{0}")]
    Unreadable(Problem),
    /// The file cannot be written: one clause with the next step.
    #[error("{0}")]
    NotWritten(String),
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
