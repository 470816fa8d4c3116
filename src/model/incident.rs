//! From confirmed down or degraded to recovery.

use jiff::Timestamp;
use serde::Serialize;

use super::health::Health;
use super::report::Reason;
use super::stream::StreamId;

/// One incident of one stream. Open while `closed_at` is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Incident {
    /// Row number, unique for good.
    pub id: i64,
    /// Whose.
    pub stream: StreamId,
    /// `down` or `degraded`.
    pub health: Health,
    /// The cause when it was opened.
    pub reason: Reason,
    /// When it was confirmed.
    pub opened_at: Timestamp,
    /// When the stream was known to have left the state; `unknown` does not end an incident.
    pub closed_at: Option<Timestamp>,
}
