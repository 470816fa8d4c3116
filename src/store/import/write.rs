//! Rows of the original into our tables: each batch, and up to which row it went, in one transaction.

use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, params};

use super::walk::{Sample, is_ok_no_more};
use crate::model::{Health, Heartbeat, Reason, Span, StreamId};
use crate::store::codes::{health_code, stage_code, time};
use crate::store::record::key;
use crate::store::rollups;
use crate::store::writer::Session;

/// Rows of one table.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) stream: StreamId,
    /// What the original called the stream, when that is one name.
    pub(super) name: Option<String>,
    pub(super) source: String,
    pub(super) log: String,
    /// The last row of the batch, whether it counts or not.
    pub(super) last_id: i64,
    pub(super) samples: Vec<Sample>,
}

/// What became of the rows of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// Kept one by one, and counted.
    pub(super) raw: u64,
    /// Counted.
    pub(super) counted: u64,
    /// This StreamPulse watched the stream itself then.
    pub(super) watched: u64,
    /// Of those that were taken: ok for the original and not for us.
    pub(super) ok_no_more: u64,
    /// Of these: the camera asked for a password.
    pub(super) auth_failed: u64,
}

/// Up to which row a table was taken; `None` when it never was.
pub(super) fn last_id(connection: &Connection, source: &str, log: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .query_row("SELECT last_id FROM imports WHERE source = ?1 AND log = ?2", [source, log], |row| row.get(0))
        .optional()
}

/// Writes a batch.
pub(super) fn write(session: &mut Session<'_>, batch: &Batch) -> rusqlite::Result<Written> {
    let stream = key(session, &batch.stream)?;
    let built_day = rollups::built_day(session)?;
    let connection = session.connection;
    if let Some(name) = &batch.name {
        connection.execute("UPDATE streams SET name = ?2 WHERE key = ?1 AND name IS NULL", params![stream, name])?;
    }
    let mut written = Written::default();
    let mut watched = Watched { stream, free: 0..0 };
    let mut placed = Placed::default();
    let mut growing: Option<Span> = None;
    for sample in &batch.samples {
        // The time before a row is its own question: it may begin before this StreamPulse watched, or end after it.
        if let Some(span) = sample.span {
            match &mut growing {
                Some(last) if last.health == span.health && last.to == span.from => last.to = span.to,
                last => {
                    if let Some(over) = last.replace(span) {
                        add_span(connection, stream, over, built_day)?;
                    }
                }
            }
        }
        let at_ms = sample.heartbeat.at.as_millisecond();
        if sample.forward && watched.at(connection, at_ms)? {
            written.watched += 1;
            continue;
        }
        let mut heartbeat = sample.heartbeat.clone();
        if sample.raw {
            heartbeat.at = time(placed.insert(connection, stream, &heartbeat)?)?;
            written.raw += 1;
        } else {
            written.counted += 1;
        }
        let blind = heartbeat.health == Health::Unknown;
        rollups::count(connection, stream, &heartbeat, blind, built_day)?;
        if is_ok_no_more(sample) {
            written.ok_no_more += 1;
            written.auth_failed += u64::from(heartbeat.reason == Reason::AuthFailed);
        }
    }
    if let Some(span) = growing {
        add_span(connection, stream, span, built_day)?;
    }
    connection.execute(
        "INSERT OR REPLACE INTO imports (source, log, last_id) VALUES (?1, ?2, ?3)",
        params![batch.source, batch.log, batch.last_id],
    )?;
    Ok(written)
}

/// When a stream is watched already, by this StreamPulse or by another old database. Times are asked in rising order, and
/// what this table itself brought ends before the time that is asked for.
struct Watched {
    stream: i64,
    /// Milliseconds that are known to be free.
    free: Range<i64>,
}

impl Watched {
    fn at(&mut self, connection: &Connection, at_ms: i64) -> rusqlite::Result<bool> {
        if self.free.contains(&at_ms) {
            return Ok(false);
        }
        let growing = growing(connection, self.stream)?;
        let before: Option<i64> = connection
            .prepare_cached(
                "SELECT to_ms FROM spans WHERE stream = ?1 AND from_ms <= ?2 ORDER BY from_ms DESC LIMIT 1",
            )?
            .query_row([self.stream, at_ms], |row| row.get(0))
            .optional()?;
        let is_watched =
            before.is_some_and(|to| to > at_ms) || growing.as_ref().is_some_and(|span| span.contains(&at_ms));
        if !is_watched {
            let next: Option<i64> = connection
                .prepare_cached("SELECT min(from_ms) FROM spans WHERE stream = ?1 AND from_ms > ?2")?
                .query_row([self.stream, at_ms], |row| row.get(0))?;
            let begins = growing.map(|span| span.start).filter(|from| *from > at_ms);
            self.free = at_ms..next.into_iter().chain(begins).min().unwrap_or(i64::MAX);
        }
        Ok(is_watched)
    }
}

/// The span of the running service, or of one that will go on from it.
fn growing(connection: &Connection, stream: i64) -> rusqlite::Result<Option<Range<i64>>> {
    connection
        .prepare_cached(
            "SELECT span_from_ms, span_to_ms FROM stream_state WHERE stream = ?1 AND span_from_ms IS NOT NULL",
        )?
        .query_row([stream], |row| Ok(row.get(0)?..row.get(1)?))
        .optional()
}

/// Where the row before was put.
#[derive(Default)]
struct Placed(Option<(i64, i64)>);

impl Placed {
    /// Inserts a heartbeat, moved on by milliseconds until there is room; gives where it is.
    fn insert(&mut self, connection: &Connection, stream: i64, heartbeat: &Heartbeat) -> rusqlite::Result<i64> {
        let wanted_ms = heartbeat.at.as_millisecond();
        let mut statement = connection.prepare_cached(
            "INSERT OR IGNORE INTO heartbeats (at_ms, stream, reason, stage, latency_ms, health)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        // Thousands of rows of one second must not each begin at its first millisecond.
        let mut at_ms = self.0.filter(|(wanted, _)| *wanted == wanted_ms).map_or(wanted_ms, |(_, placed)| placed + 1);
        loop {
            let values = params![
                at_ms,
                stream,
                heartbeat.reason.code(),
                stage_code(heartbeat.stage),
                heartbeat.latency_ms,
                health_code(heartbeat.health)
            ];
            if statement.execute(values)? == 1 {
                self.0 = Some((wanted_ms, at_ms));
                return Ok(at_ms);
            }
            at_ms += 1;
        }
    }
}

/// Adds what of a span is not counted yet.
fn add_span(connection: &Connection, stream: i64, span: Span, built_day: i64) -> rusqlite::Result<()> {
    let (from_ms, to_ms) = (span.from.as_millisecond(), span.to.as_millisecond());
    for free in free_parts(from_ms..to_ms, counted(connection, stream, from_ms, to_ms)?) {
        let health = health_code(span.health);
        // The batch before may have ended in the middle of it.
        let grown = connection
            .prepare_cached(
                "UPDATE spans SET to_ms = ?3 WHERE stream = ?1 AND to_ms = ?2 AND health = ?4
                 AND from_ms = (SELECT max(from_ms) FROM spans WHERE stream = ?1 AND from_ms < ?2)",
            )?
            .execute(params![stream, free.start, free.end, health])?;
        if grown == 0 {
            connection
                .prepare_cached("INSERT INTO spans (stream, from_ms, to_ms, health) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![stream, free.start, free.end, health])?;
        }
        let part = Span { health: span.health, from: time(free.start)?, to: time(free.end)? };
        rollups::add_time(connection, stream, &part, built_day)?;
    }
    Ok(())
}

/// The spans there are that overlap `from_ms..to_ms`, in no order.
fn counted(connection: &Connection, stream: i64, from_ms: i64, to_ms: i64) -> rusqlite::Result<Vec<Range<i64>>> {
    let mut counted: Vec<Range<i64>> = growing(connection, stream)?.into_iter().collect();
    let mut statement = connection
        .prepare_cached("SELECT from_ms, to_ms FROM spans WHERE stream = ?1 AND from_ms < ?2 ORDER BY from_ms DESC")?;
    let mut rows = statement.query([stream, to_ms])?;
    while let Some(row) = rows.next()? {
        let span: Range<i64> = row.get(0)?..row.get(1)?;
        // Spans do not overlap, so all further ones end even earlier.
        if span.end <= from_ms {
            break;
        }
        counted.push(span);
    }
    Ok(counted)
}

/// What is left of a stretch of time without those that are counted.
fn free_parts(whole: Range<i64>, mut counted: Vec<Range<i64>>) -> Vec<Range<i64>> {
    counted.sort_by_key(|span| span.start);
    let mut parts = Vec::new();
    let mut from = whole.start;
    for span in counted {
        if from < span.start.min(whole.end) {
            parts.push(from..span.start.min(whole.end));
        }
        from = from.max(span.end);
    }
    if from < whole.end {
        parts.push(from..whole.end);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "one stretch of time")]
    fn time_that_is_counted_is_cut_out() {
        assert_eq!(free_parts(0..10, vec![]), [0..10]);
        assert_eq!(free_parts(0..10, vec![6..8, 2..3]), [0..2, 3..6, 8..10]);
        assert_eq!(free_parts(0..10, vec![-5..4, 9..20]), [4..9]);
        assert_eq!(free_parts(0..10, vec![-9..-5, 30..40]), [0..10]);
        assert_eq!(free_parts(0..10, vec![0..10]), []);
        assert_eq!(free_parts(0..10, vec![12..13]), [0..10]);
    }
}
