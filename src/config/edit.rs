//! Changes `config.yaml` and keeps everything else in it: comments, order, quotes, anchors, line ends.
//!
//! [`Document`] is the file as it was read. An edit splices the text where the value stands, and is refused when what the
//! text says afterwards would differ in anything else. Nothing is written that the service would not load.

mod apply;
mod cursor;
mod path;
mod render;
mod splice;
mod syntax;
mod tree;

pub use apply::{Change, Edit};
pub use path::Path;

#[cfg(test)]
mod tests;
