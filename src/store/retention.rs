//! Deleting what is older than its time, in steps small enough not to hold up the heartbeats.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::rollups::{HOURS_PER_DAY, MS_PER_HOUR};
use super::{Store, StoreError};

/// Rows that one step deletes at most.
const STEP: i64 = 5_000;

const MS_PER_DAY: i64 = 24 * MS_PER_HOUR;

/// How long things are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Raw heartbeats (`storage.heartbeats_days`).
    pub heartbeats_days: u32,
    /// Hourly and daily figures, spans, transitions, closed incidents and the audit log (`storage.rollup_days`).
    pub rollup_days: u32,
}

/// How many rows were deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Raw heartbeats.
    pub heartbeats: usize,
    /// Hourly and daily figures, spans, transitions, incidents, entries of the audit log.
    pub rollups: usize,
    /// Expired refresh tokens.
    pub tokens: usize,
}

/// Each deletes at most [`STEP`] of the oldest rows before `?1`. Freed pages are used again, so the file stops growing.
const HEARTBEATS: &str = "DELETE FROM heartbeats WHERE (at_ms, stream) IN
    (SELECT at_ms, stream FROM heartbeats WHERE at_ms < ?1 ORDER BY at_ms LIMIT ?2)";
const ROLLUPS: &str = "DELETE FROM rollups WHERE (hour, stream) IN
    (SELECT hour, stream FROM rollups WHERE hour < ?1 ORDER BY hour LIMIT ?2)";
const REASONS: &str = "DELETE FROM reasons WHERE (hour, stream, reason) IN
    (SELECT hour, stream, reason FROM reasons WHERE hour < ?1 ORDER BY hour LIMIT ?2)";
const DAYS: &str = "DELETE FROM days WHERE (day, stream) IN
    (SELECT day, stream FROM days WHERE day < ?1 ORDER BY day LIMIT ?2)";
const SPANS: &str = "DELETE FROM spans WHERE (stream, from_ms) IN
    (SELECT stream, from_ms FROM spans WHERE to_ms < ?1 ORDER BY to_ms LIMIT ?2)";
const MAINTENANCE: &str =
    "DELETE FROM maintenance WHERE id IN (SELECT id FROM maintenance WHERE until_ms < ?1 LIMIT ?2)";
const TOTALS: &str =
    "DELETE FROM totals WHERE hour IN (SELECT hour FROM totals WHERE hour < ?1 ORDER BY hour LIMIT ?2)";
const TRANSITIONS: &str =
    "DELETE FROM transitions WHERE id IN (SELECT id FROM transitions WHERE at_ms < ?1 ORDER BY at_ms LIMIT ?2)";
const INCIDENTS: &str = "DELETE FROM incidents WHERE id IN (SELECT id FROM incidents WHERE closed_ms < ?1 LIMIT ?2)";
const AUDIT: &str = "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at_ms < ?1 ORDER BY at_ms LIMIT ?2)";
const TOKENS: &str =
    "DELETE FROM refresh_tokens WHERE hash IN (SELECT hash FROM refresh_tokens WHERE expires_ms < ?1 LIMIT ?2)";

pub(super) async fn prune(store: &Store, now: Timestamp, keep: Retention) -> Result<Pruned, StoreError> {
    let now_ms = now.as_millisecond();
    let heartbeats_ms = now_ms - i64::from(keep.heartbeats_days) * MS_PER_DAY;
    let rollups_ms = now_ms - i64::from(keep.rollup_days) * MS_PER_DAY;
    let rollups_hour = rollups_ms.div_euclid(MS_PER_HOUR);
    let mut pruned = Pruned { heartbeats: delete(store, HEARTBEATS, heartbeats_ms).await?, ..Pruned::default() };
    for (sql, before) in [
        (ROLLUPS, rollups_hour),
        (REASONS, rollups_hour),
        (DAYS, rollups_hour.div_euclid(HOURS_PER_DAY)),
        (SPANS, rollups_ms),
        (TOTALS, rollups_hour),
        (TRANSITIONS, rollups_ms),
        (INCIDENTS, rollups_ms),
        (MAINTENANCE, rollups_ms),
        (AUDIT, rollups_ms),
    ] {
        pruned.rollups += delete(store, sql, before).await?;
    }
    pruned.tokens = delete(store, TOKENS, now_ms).await?;
    Ok(pruned)
}

/// Step by step; each is a part of the writer's next commit.
async fn delete(store: &Store, sql: &'static str, before: i64) -> Result<usize, StoreError> {
    let mut deleted = 0;
    loop {
        let step = store.write(false, move |session| delete_step(session.connection, sql, before)).await?;
        deleted += step;
        if (step as i64) < STEP {
            return Ok(deleted);
        }
    }
}

fn delete_step(connection: &Connection, sql: &str, before: i64) -> rusqlite::Result<usize> {
    connection.prepare_cached(sql)?.execute(params![before, STEP])
}
