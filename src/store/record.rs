//! Writing what a probe found: heartbeat, state, counts, time in each state, transitions, incidents, and what is told of it.

use rusqlite::{Connection, OptionalExtension, params};

use super::codes::{health_code, stage_code, time, verdict_code};
use super::rollups::{self, MS_PER_HOUR};
use super::writer::Session;
use super::{Record, incidents, outbox};
use crate::model::span::WRONG_CLOCK_MS;
use crate::model::{Heartbeat, Notice, Reason, Span, StreamId, Transition};

/// Writes one record.
pub(super) fn write(session: &mut Session<'_>, record: &Record) -> rusqlite::Result<()> {
    let stream = key(session, &record.stream)?;
    let connection = session.connection;
    let built_day = rollups::built_day(session)?;
    if let Some(heartbeat) = &record.heartbeat
        && insert_heartbeat(connection, stream, heartbeat)?
    {
        rollups::count(connection, stream, heartbeat, heartbeat.reason.is_ours(), built_day)?;
    }
    remember(connection, stream, record)?;
    for span in &record.spans {
        // A record that the monitor had given up may have been written all the same, and its time comes again with the next.
        if let Some(span) = not_yet_counted(connection, stream, span)? {
            grow(connection, stream, &span)?;
            rollups::add_time(connection, stream, &span, built_day)?;
        }
    }
    let mut was_there = Vec::new();
    for (i, transition) in record.transitions.iter().enumerate() {
        if i < record.late_transitions && has_transition(connection, stream, transition)? {
            was_there.push((transition.at, transition.to));
        } else {
            insert_transition(connection, stream, transition)?;
        }
    }
    for notice in &record.notices {
        // It was told with the transition.
        if !matches!(notice, Notice::Transition { at, to, .. } if was_there.contains(&(*at, *to))) {
            outbox::put(session, notice)?;
        }
    }
    for incident in &record.incidents {
        incidents::put(session, incident)?;
    }
    Ok(())
}

/// The key of a stream, given one when it is new.
pub(super) fn key(session: &mut Session<'_>, id: &StreamId) -> rusqlite::Result<i64> {
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
pub(super) fn insert_heartbeat(connection: &Connection, stream: i64, heartbeat: &Heartbeat) -> rusqlite::Result<bool> {
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

fn remember(connection: &Connection, stream: i64, record: &Record) -> rusqlite::Result<()> {
    let state = &record.state;
    let good = record.heartbeat.as_ref().filter(|heartbeat| heartbeat.reason == Reason::Ok);
    connection
        .prepare_cached(
            "INSERT INTO stream_state (stream, health, since_ms, reason, failures_in_row, successes_in_row,
                 blind_in_row, last_ok_ms, flap_changes, flap_last, flapping, announced)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT DO UPDATE SET health = excluded.health, since_ms = excluded.since_ms, reason = excluded.reason,
                 failures_in_row = excluded.failures_in_row, successes_in_row = excluded.successes_in_row,
                 blind_in_row = excluded.blind_in_row, last_ok_ms = coalesce(excluded.last_ok_ms, last_ok_ms),
                 flap_changes = excluded.flap_changes, flap_last = excluded.flap_last, flapping = excluded.flapping,
                 announced = excluded.announced",
        )?
        .execute(params![
            stream,
            health_code(state.health),
            state.since.as_millisecond(),
            state.reason.code(),
            state.failures_in_row,
            state.successes_in_row,
            state.blind_in_row,
            good.map(|heartbeat| heartbeat.at.as_millisecond()),
            state.flap.changes,
            state.flap.last.map(verdict_code),
            state.flap.active,
            health_code(state.flap.announced),
        ])?;
    Ok(())
}

/// The part of a span that lies behind what is counted of the stream. What is counted far ahead came of a wrong clock.
fn not_yet_counted(connection: &Connection, stream: i64, span: &Span) -> rusqlite::Result<Option<Span>> {
    let counted_ms: Option<i64> = connection
        .prepare_cached("SELECT span_to_ms FROM stream_state WHERE stream = ?1")?
        .query_row([stream], |row| row.get(0))?;
    let is_right = |counted_ms: &i64| *counted_ms <= span.to.as_millisecond() + WRONG_CLOCK_MS;
    let counted = counted_ms.filter(is_right).map(time).transpose()?;
    let from = counted.map_or(span.from, |counted| counted.max(span.from));
    Ok((from < span.to).then_some(Span { from, ..*span }))
}

/// Lets the stream's newest span grow, or begins another one and keeps what is over.
pub(super) fn grow(connection: &Connection, stream: i64, span: &Span) -> rusqlite::Result<()> {
    let (from_ms, to_ms, health) = (span.from.as_millisecond(), span.to.as_millisecond(), health_code(span.health));
    let grown = connection
        .prepare_cached(
            "UPDATE stream_state SET span_to_ms = ?2 WHERE stream = ?1 AND span_health = ?3 AND span_to_ms = ?4",
        )?
        .execute(params![stream, to_ms, health, from_ms])?;
    if grown == 0 {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO spans (stream, from_ms, to_ms, health)
                 SELECT stream, span_from_ms, span_to_ms, span_health FROM stream_state
                 WHERE stream = ?1 AND span_from_ms < span_to_ms",
            )?
            .execute([stream])?;
        connection
            .prepare_cached(
                "UPDATE stream_state SET span_from_ms = ?2, span_to_ms = ?3, span_health = ?4 WHERE stream = ?1",
            )?
            .execute(params![stream, from_ms, to_ms, health])?;
    }
    Ok(())
}

/// A record that the monitor had given up may have been written all the same, and its transitions come again with the next.
fn has_transition(connection: &Connection, stream: i64, transition: &Transition) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM transitions WHERE at_ms = ?1 AND stream = ?2 AND to_health = ?3")?
        .exists(params![transition.at.as_millisecond(), stream, health_code(transition.to)])
}

fn insert_transition(connection: &Connection, stream: i64, transition: &Transition) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO transitions (at_ms, stream, from_health, to_health, reason) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            transition.at.as_millisecond(),
            stream,
            health_code(transition.from),
            health_code(transition.to),
            transition.reason.code()
        ])?;
    Ok(())
}

/// Hours that a span touches, with the milliseconds of it in each.
pub(super) fn hours(span: &Span) -> impl Iterator<Item = (i64, i64)> {
    let (from_ms, to_ms) = (span.from.as_millisecond(), span.to.as_millisecond());
    let first = from_ms.div_euclid(MS_PER_HOUR);
    let last = (to_ms - 1).div_euclid(MS_PER_HOUR);
    (first..=last).map(move |hour| {
        let start = hour * MS_PER_HOUR;
        (hour, to_ms.min(start + MS_PER_HOUR) - from_ms.max(start))
    })
}
