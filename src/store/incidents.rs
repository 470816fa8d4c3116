//! The incident register.

use rusqlite::{Connection, Row, params};

use super::codes::{health, reason, time};
use super::record::find_key;
use super::{LONGEST_PAGE, StoreError};
use crate::model::{Incident, StreamId};

/// Incidents of one stream or of all, newest first.
pub(super) fn newest(
    connection: &Connection,
    stream: Option<&StreamId>,
    limit: usize,
) -> rusqlite::Result<Vec<Incident>> {
    const COLUMNS: &str = "SELECT incidents.id, streams.id, health, reason, opened_ms, closed_ms
        FROM incidents JOIN streams ON streams.key = incidents.stream";
    let limit = i64::try_from(limit.clamp(1, LONGEST_PAGE)).unwrap_or(i64::MAX);
    match stream {
        None => connection
            .prepare_cached(&format!("{COLUMNS} ORDER BY incidents.id DESC LIMIT ?1"))?
            .query_map([limit], incident)?
            .collect(),
        Some(id) => match find_key(connection, id)? {
            None => Ok(Vec::new()),
            Some(key) => connection
                .prepare_cached(&format!("{COLUMNS} WHERE incidents.stream = ?1 ORDER BY incidents.id DESC LIMIT ?2"))?
                .query_map(params![key, limit], incident)?
                .collect(),
        },
    }
}

fn incident(row: &Row<'_>) -> rusqlite::Result<Incident> {
    Ok(Incident {
        id: row.get(0)?,
        stream: stream_id(row, 1)?,
        health: health(row.get(2)?)?,
        reason: reason(row.get(3)?)?,
        opened_at: time(row.get(4)?)?,
        closed_at: row.get::<_, Option<i64>>(5)?.map(time).transpose()?,
    })
}

/// A stream's id as it is stored.
pub(super) fn stream_id(row: &Row<'_>, column: usize) -> rusqlite::Result<StreamId> {
    let text: String = row.get(column)?;
    StreamId::new(&text).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            Box::new(StoreError::Conflict { detail: format!("{text:?} is no id of a stream") }),
        )
    })
}
