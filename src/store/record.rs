//! Writing what a probe found: heartbeat, state, counts, incidents.

use rusqlite::{Connection, OptionalExtension, params};

use super::Record;
use super::codes::{MS_PER_HOUR, health_code, stage_code};
use super::writer::Session;
use crate::model::{Health, Heartbeat, Reason, StreamId, Transition};

/// Writes one record.
pub(super) fn write(session: &mut Session<'_>, record: &Record) -> rusqlite::Result<()> {
    let stream = key(session, &record.stream)?;
    let connection = session.connection;
    if insert_heartbeat(connection, stream, &record.heartbeat)? {
        count(connection, stream, &record.heartbeat)?;
    }
    remember(connection, stream, record)?;
    match &record.transition {
        Some(transition) => change(connection, stream, transition),
        None => Ok(()),
    }
}

/// The key of a stream, given one when it is new.
fn key(session: &mut Session<'_>, id: &StreamId) -> rusqlite::Result<i64> {
    if let Some(key) = session.keys.get(id) {
        return Ok(*key);
    }
    let key = match find_key(session.connection, id)? {
        Some(key) => key,
        None => {
            session.connection.execute("INSERT INTO streams (id) VALUES (?1)", [id.as_str()])?;
            session.connection.last_insert_rowid()
        }
    };
    session.keys.insert(id.clone(), key);
    Ok(key)
}

/// The key of a stream that was recorded before.
pub(super) fn find_key(connection: &Connection, id: &StreamId) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT key FROM streams WHERE id = ?1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()
}

/// False when the stream has a heartbeat of this millisecond already; the new one takes its place.
fn insert_heartbeat(connection: &Connection, stream: i64, heartbeat: &Heartbeat) -> rusqlite::Result<bool> {
    const COLUMNS: &str =
        "INTO heartbeats (at_ms, stream, reason, stage, latency_ms, health) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let values = params![
        heartbeat.at.as_millisecond(),
        stream,
        heartbeat.reason.code(),
        stage_code(heartbeat.stage),
        heartbeat.latency_ms,
        health_code(heartbeat.health),
    ];
    let new = connection.prepare_cached(&format!("INSERT OR IGNORE {COLUMNS}"))?.execute(values)? == 1;
    if !new {
        connection.prepare_cached(&format!("REPLACE {COLUMNS}"))?.execute(values)?;
    }
    Ok(new)
}

fn count(connection: &Connection, stream: i64, heartbeat: &Heartbeat) -> rusqlite::Result<()> {
    let hour = heartbeat.at.as_millisecond().div_euclid(MS_PER_HOUR);
    let ok = heartbeat.reason == Reason::Ok;
    let blind = heartbeat.reason.is_ours();
    let failed = !ok && !blind;
    connection
        .prepare_cached(
            "INSERT INTO rollups (hour, stream, ok, failed, blind) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE
             SET ok = ok + excluded.ok, failed = failed + excluded.failed, blind = blind + excluded.blind",
        )?
        .execute(params![hour, stream, ok, failed, blind])?;
    connection
        .prepare_cached(
            "INSERT INTO totals (hour, ok, failed, blind) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE
             SET ok = ok + excluded.ok, failed = failed + excluded.failed, blind = blind + excluded.blind",
        )?
        .execute(params![hour, ok, failed, blind])?;
    Ok(())
}

fn remember(connection: &Connection, stream: i64, record: &Record) -> rusqlite::Result<()> {
    let state = &record.state;
    let last_ok_ms = (record.heartbeat.reason == Reason::Ok).then(|| record.heartbeat.at.as_millisecond());
    connection
        .prepare_cached(
            "INSERT INTO stream_state (stream, health, since_ms, reason, failures_in_row, successes_in_row,
                 blind_in_row, last_ok_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT DO UPDATE SET health = excluded.health, since_ms = excluded.since_ms, reason = excluded.reason,
                 failures_in_row = excluded.failures_in_row, successes_in_row = excluded.successes_in_row,
                 blind_in_row = excluded.blind_in_row, last_ok_ms = coalesce(excluded.last_ok_ms, last_ok_ms)",
        )?
        .execute(params![
            stream,
            health_code(state.health),
            state.since.as_millisecond(),
            state.reason.code(),
            state.failures_in_row,
            state.successes_in_row,
            state.blind_in_row,
            last_ok_ms,
        ])?;
    Ok(())
}

/// Keeps the transition; opens an incident at `down` and `degraded` and closes the open one when the stream is known to
/// have left its state. In `unknown` nothing is known, so there the incident stays open.
fn change(connection: &Connection, stream: i64, transition: &Transition) -> rusqlite::Result<()> {
    let at_ms = transition.at.as_millisecond();
    let to = health_code(transition.to);
    connection
        .prepare_cached(
            "INSERT INTO transitions (at_ms, stream, from_health, to_health, reason) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![at_ms, stream, health_code(transition.from), to, transition.reason.code()])?;
    if transition.to == Health::Unknown {
        return Ok(());
    }
    connection
        .prepare_cached("UPDATE incidents SET closed_ms = ?2 WHERE stream = ?1 AND closed_ms IS NULL AND health <> ?3")?
        .execute(params![stream, at_ms, to])?;
    if matches!(transition.to, Health::Down | Health::Degraded) {
        connection
            .prepare_cached(
                "INSERT INTO incidents (stream, health, reason, opened_ms) SELECT ?1, ?2, ?3, ?4
                 WHERE NOT EXISTS (SELECT 1 FROM incidents WHERE stream = ?1 AND closed_ms IS NULL)",
            )?
            .execute(params![stream, to, transition.reason.code(), at_ms])?;
    }
    Ok(())
}
