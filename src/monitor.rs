//! The only place that orders: health, then store, then status, then events.

pub mod status;

pub use status::{Event, LastProbe, StatusTable, StreamStatus};
