//! The outbox: notices on their way to whoever waits for them, in the transaction of what they tell of.
//!
//! Each sink has a cursor: the newest notice that it has delivered. A notice stays until every sink has, so an outage of a
//! broker or of this service loses none; what a sink has delivered and could not note before the power failed comes once
//! more, with the same id. A sink that is away too long loses the oldest, and that is counted.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::watch;

use super::codes::time;
use super::writer::Session;
use super::{Store, StoreError};
use crate::model::Notice;

/// Notices that wait for a sink; of one that is away longer the oldest are dropped. 300 bytes each, so 30 MB.
pub const MAX_WAITING: i64 = 100_000;

/// A notice in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Its place: greater than that of every earlier one.
    pub seq: i64,
    /// Unique among the notices of all databases and the same whenever it is told again, for whoever drops repeats:
    /// `6b1f03c2-gate-down-1764147615000`.
    pub id: String,
    /// What it tells.
    pub notice: Notice,
}

/// What waits for a sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// The newest notice that it has delivered.
    pub delivered: i64,
    /// Notices that it has not delivered.
    pub waiting: u64,
    /// Changes of streams among them.
    pub transitions: u64,
    /// Notices that it never will, since it was opened.
    pub dropped_total: u64,
    /// When the oldest that waits happened.
    pub oldest: Option<Timestamp>,
}

impl Store {
    /// From now on notices wait for this sink, from the first call on.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on the disk.
    pub async fn open_sink(&self, sink: &str) -> Result<(), StoreError> {
        let sink = sink.to_owned();
        self.write(true, move |session| {
            session
                .connection
                .prepare_cached(
                    "INSERT OR IGNORE INTO sinks (name, delivered, dropped)
                     VALUES (?1, (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'outbox'), 0)",
                )?
                .execute([&sink])
                .map(drop)
        })
        .await
    }

    /// Nothing waits any more for sinks whose name begins like this, except for those that are named.
    ///
    /// # Errors
    /// [`StoreError`] when it is not committed.
    pub async fn close_sinks(&self, prefix: &str, except: Vec<String>) -> Result<(), StoreError> {
        let prefix = prefix.to_owned();
        self.write(false, move |session| {
            let names: Vec<String> = session
                .connection
                .prepare_cached("SELECT name FROM sinks")?
                .query_map([], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            for name in names.iter().filter(|name| name.starts_with(&prefix) && !except.contains(name)) {
                session.connection.prepare_cached("DELETE FROM sinks WHERE name = ?1")?.execute([name])?;
            }
            sweep(session.connection)
        })
        .await
    }

    /// The oldest notices behind this place, at most so many.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn outbox_after(&self, seq: i64, limit: usize) -> Result<Vec<Queued>, StoreError> {
        self.inner.readers.read(move |connection| after(connection, seq, limit)).await
    }

    /// What waits for this sink; `None` when it is not open.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn backlog(&self, sink: &str) -> Result<Option<Backlog>, StoreError> {
        let sink = sink.to_owned();
        self.inner.readers.read(move |connection| backlog(connection, &sink)).await
    }

    /// The sink has delivered everything up to this notice. What no sink waits for is deleted.
    ///
    /// # Errors
    /// [`StoreError`] when it is not committed.
    pub async fn delivered(&self, sink: &str, seq: i64) -> Result<(), StoreError> {
        let sink = sink.to_owned();
        self.write(false, move |session| {
            session
                .connection
                .prepare_cached("UPDATE sinks SET delivered = ?2 WHERE name = ?1 AND delivered < ?2")?
                .execute(params![sink, seq])?;
            sweep(session.connection)
        })
        .await
    }

    /// Changes whenever there are new notices.
    pub fn outbox_changes(&self) -> watch::Receiver<u64> {
        self.inner.outbox.subscribe()
    }
}

/// Puts a notice behind the others, once. Nothing, while there is no sink.
pub(super) fn put(session: &mut Session<'_>, notice: &Notice) -> rusqlite::Result<()> {
    // Texts, numbers and times: nothing of it can fail.
    let Ok(text) = serde_json::to_string(notice) else { return Ok(()) };
    let is_new = session
        .connection
        .prepare_cached(
            "INSERT OR IGNORE INTO outbox (at_ms, kind, key, notice)
             SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM sinks)",
        )?
        .execute(params![notice.at().as_millisecond(), notice.kind(), notice.key(), text])?
        > 0;
    if is_new {
        *session.has_notices = true;
        let newest = session.connection.last_insert_rowid();
        let dropped = session
            .connection
            .prepare_cached("UPDATE sinks SET dropped = dropped + ?1 - delivered, delivered = ?1 WHERE delivered < ?1")?
            .execute([newest - MAX_WAITING])?;
        if dropped > 0 {
            sweep(session.connection)?;
        }
    }
    Ok(())
}

/// Deletes what every sink has delivered.
fn sweep(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM outbox WHERE seq <= (SELECT coalesce(min(delivered), 9223372036854775807) FROM sinks)",
        )?
        .execute([])
        .map(drop)
}

fn after(connection: &Connection, seq: i64, limit: usize) -> rusqlite::Result<Vec<Queued>> {
    let origin: i64 =
        connection.prepare_cached("SELECT value FROM meta WHERE key = 'origin'")?.query_row([], |row| row.get(0))?;
    let rows: Vec<(i64, i64, String, String)> = connection
        .prepare_cached("SELECT seq, at_ms, key, notice FROM outbox WHERE seq > ?1 ORDER BY seq LIMIT ?2")?
        .query_map(params![seq, limit as i64], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<_, _>>()?;
    rows.into_iter()
        .map(|(seq, at_ms, key, text)| {
            let notice = match serde_json::from_str(&text) {
                Ok(notice) => notice,
                Err(_) => Notice::Unreadable { at: time(at_ms)? },
            };
            Ok(Queued { seq, id: format!("{origin:08x}-{}", key.replace(' ', "-")), notice })
        })
        .collect()
}

fn backlog(connection: &Connection, sink: &str) -> rusqlite::Result<Option<Backlog>> {
    let count = |count: i64| u64::try_from(count).unwrap_or_default();
    let found: Option<(i64, i64)> = connection
        .prepare_cached("SELECT delivered, dropped FROM sinks WHERE name = ?1")?
        .query_row([sink], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((delivered, dropped)) = found else { return Ok(None) };
    let (waiting, transitions, oldest): (i64, i64, Option<i64>) = connection
        .prepare_cached(
            "SELECT count(*), count(*) FILTER (WHERE kind = 'transition'), min(at_ms) FROM outbox WHERE seq > ?1",
        )?
        .query_row([delivered], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let oldest = oldest.map(time).transpose()?;
    Ok(Some(Backlog {
        delivered,
        waiting: count(waiting),
        transitions: count(transitions),
        dropped_total: count(dropped),
        oldest,
    }))
}
