//! Who changed what.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use serde_json::Value;

use super::codes::time;
use super::{Store, StoreError};

/// One change by a person or a program.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditEntry {
    /// Grows with time.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// From which address; `None`: on the machine itself.
    pub address: Option<String>,
    /// What was done: `stream.create`.
    pub action: String,
    /// To what: an id or a name.
    pub target: String,
    /// How, as an object; never with a secret.
    pub details: Value,
}

/// Which entries are wanted.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// From then on.
    pub from: Option<Timestamp>,
    /// Before then.
    pub to: Option<Timestamp>,
    /// Only those with a smaller number: the last one of the page before.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: usize,
}

impl Store {
    /// Takes down a change (the number in `entry` counts nothing).
    ///
    /// # Errors
    /// [`StoreError`] when it is not on the disk.
    pub async fn audit(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.write(true, move |session| {
            session.connection.execute(
                "INSERT INTO audit (at_ms, username, address, action, target, details) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    entry.at.as_millisecond(),
                    entry.by,
                    entry.address,
                    entry.action,
                    entry.target,
                    entry.details.to_string()
                ],
            )?;
            Ok(())
        })
        .await
    }

    /// The newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn audit_log(&self, query: AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        let read = move |connection: &Connection| {
            let AuditQuery { from, to, before, limit } = query;
            let values = params![
                from.map_or(i64::MIN, Timestamp::as_millisecond),
                to.map_or(i64::MAX, Timestamp::as_millisecond),
                before.unwrap_or(i64::MAX),
                i64::try_from(limit).unwrap_or(i64::MAX)
            ];
            connection
                .prepare_cached(
                    "SELECT id, at_ms, username, address, action, target, details FROM audit
                     WHERE at_ms >= ?1 AND at_ms < ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4",
                )?
                .query_map(values, entry)?
                .collect()
        };
        self.inner.readers.read(read).await
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let details: String = row.get(6)?;
    Ok(AuditEntry {
        id: row.get(0)?,
        at: time(row.get(1)?)?,
        by: row.get(2)?,
        address: row.get(3)?,
        action: row.get(4)?,
        target: row.get(5)?,
        details: serde_json::from_str(&details).unwrap_or(Value::Null),
    })
}
