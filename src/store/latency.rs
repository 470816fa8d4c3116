//! How long pictures took, hour by hour: the rollups of one stream.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::Serialize;

use super::codes::{MS_PER_HOUR, time};
use super::record::find_key;
use super::{Store, StoreError};
use crate::model::StreamId;

/// Hours of one answer: more than the longest retention by default has.
const MOST_HOURS: i64 = 10_000;

/// What the probes of one hour came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LatencyHour {
    /// When the hour began.
    pub at: Timestamp,
    /// Probes with a usable picture.
    pub ok: u32,
    /// Probes without one.
    pub failed: u32,
    /// Probes without a verdict.
    pub blind: u32,
    /// Mean time to the picture, milliseconds; `None` without one.
    pub mean_ms: Option<f64>,
}

impl Store {
    /// The hours of one stream that overlap the window, oldest first; of too many the newest.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn latency_hours(
        &self,
        stream: &StreamId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<LatencyHour>, StoreError> {
        let stream = stream.clone();
        let (from, to) = (from.as_millisecond().div_euclid(MS_PER_HOUR), to.as_millisecond().div_euclid(MS_PER_HOUR));
        self.inner.readers.read(move |connection| hours(connection, &stream, from.max(to - MOST_HOURS), to)).await
    }
}

fn hours(connection: &Connection, id: &StreamId, from: i64, to: i64) -> rusqlite::Result<Vec<LatencyHour>> {
    let Some(stream) = find_key(connection, id)? else { return Ok(Vec::new()) };
    // The hours are those of all streams: rollups lie in the order of time.
    connection
        .prepare_cached(
            "SELECT t.hour, r.ok, r.failed, r.blind, r.latency_sum_ms
             FROM totals t CROSS JOIN rollups r ON r.hour = t.hour AND r.stream = ?1
             WHERE t.hour BETWEEN ?2 AND ?3 ORDER BY t.hour",
        )?
        .query_map(params![stream, from, to], hour)?
        .collect()
}

fn hour(row: &Row<'_>) -> rusqlite::Result<LatencyHour> {
    let (ok, sum_ms): (u32, f64) = (row.get(1)?, row.get::<_, i64>(4)? as f64);
    Ok(LatencyHour {
        at: time(row.get::<_, i64>(0)? * MS_PER_HOUR)?,
        ok,
        failed: row.get(2)?,
        blind: row.get(3)?,
        mean_ms: (ok > 0).then(|| sum_ms / f64::from(ok)),
    })
}
