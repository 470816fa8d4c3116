//! Work on cameras that somebody announced by hand.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::codes::time;
use super::{Store, StoreError};
use crate::model::StreamId;

/// Announced work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Unique for good.
    pub id: i64,
    /// On these streams; empty: on every stream.
    pub streams: Vec<StreamId>,
    /// Its first moment.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
    /// Who announced it.
    pub by: String,
    /// What for.
    pub note: Option<String>,
}

impl Store {
    /// What was announced and is not over at `now`, in the order of its beginning.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn announced(&self, now: Timestamp) -> Result<Vec<Announced>, StoreError> {
        let now_ms = now.as_millisecond();
        let query = move |connection: &Connection| {
            connection
                .prepare_cached(
                    "SELECT id, streams, from_ms, until_ms, username, note FROM maintenance WHERE until_ms > ?1
                     ORDER BY from_ms, id",
                )?
                .query_map([now_ms], announced)?
                .collect()
        };
        self.inner.readers.read(query).await
    }

    /// Keeps an announcement; gives its number (that in `work` counts nothing).
    ///
    /// # Errors
    /// [`StoreError`] when it is not on the disk.
    pub async fn announce(&self, work: Announced) -> Result<i64, StoreError> {
        self.write(true, move |session| {
            let streams: Vec<&str> = work.streams.iter().map(StreamId::as_str).collect();
            session.connection.execute(
                "INSERT INTO maintenance (streams, from_ms, until_ms, username, note) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    streams.join("\n"),
                    work.from.as_millisecond(),
                    work.until.as_millisecond(),
                    work.by,
                    work.note
                ],
            )?;
            Ok(session.connection.last_insert_rowid())
        })
        .await
    }

    /// Ends announced work now, also when it has not begun. False when there is none of this number that goes on.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on the disk.
    pub async fn end_announced(&self, id: i64, now: Timestamp) -> Result<bool, StoreError> {
        self.write(true, move |session| {
            let sql = "UPDATE maintenance SET until_ms = ?2 WHERE id = ?1 AND until_ms > ?2";
            Ok(session.connection.execute(sql, params![id, now.as_millisecond()])? > 0)
        })
        .await
    }
}

fn announced(row: &Row<'_>) -> rusqlite::Result<Announced> {
    let streams: String = row.get(1)?;
    Ok(Announced {
        id: row.get(0)?,
        streams: streams.lines().filter_map(StreamId::new).collect(),
        from: time(row.get(2)?)?,
        until: time(row.get(3)?)?,
        by: row.get(4)?,
        note: row.get(5)?,
    })
}
