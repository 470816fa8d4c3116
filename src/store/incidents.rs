//! The incident register.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::codes::{health, health_code, reason, stage, stage_code, time};
use super::record::{find_key, key};
use super::writer::Session;
use super::{LONGEST_PAGE, Store, StoreError, outbox};
use crate::model::{Acknowledgement, Cause, Incident, Member, Notice, StreamId};

/// Which incidents are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentQuery {
    /// Of this stream only.
    pub stream: Option<StreamId>,
    /// Only those that are open, or only those that are not.
    pub open: Option<bool>,
    /// That were open at or after this time.
    pub from: Option<Timestamp>,
    /// That were opened before this time.
    pub to: Option<Timestamp>,
    /// With a smaller number than this: the last one of the page before.
    pub before: Option<i64>,
    /// At most so many, held between 1 and [`LONGEST_PAGE`].
    pub limit: usize,
}

/// What a person says of an incident; `None` leaves a text as it is, an empty one removes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remark {
    /// Somebody has seen it. The first one stays.
    pub acknowledged: Option<Acknowledgement>,
    /// A note.
    pub note: Option<String>,
    /// What was done about it.
    pub action: Option<String>,
}

impl Store {
    /// Incidents, newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn incidents(&self, query: IncidentQuery) -> Result<Vec<Incident>, StoreError> {
        let limit = query.limit.clamp(1, LONGEST_PAGE);
        self.inner.readers.read(move |connection| find(connection, &query, limit)).await
    }

    /// Every open incident, for the start.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn open_incidents(&self) -> Result<Vec<Incident>, StoreError> {
        let query = IncidentQuery { open: Some(true), ..IncidentQuery::default() };
        self.inner.readers.read(move |connection| find(connection, &query, usize::MAX >> 1)).await
    }

    /// One incident.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn incident(&self, id: i64) -> Result<Option<Incident>, StoreError> {
        self.inner.readers.read(move |connection| one(connection, id)).await
    }

    /// The number of the next new incident: no number is used twice, also when old incidents were deleted.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn next_incident(&self) -> Result<i64, StoreError> {
        let query = |connection: &Connection| {
            let sql = "SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'incidents'";
            connection.query_row(sql, [], |row| row.get(0))
        };
        self.inner.readers.read(query).await
    }

    /// Keeps incidents that changed without a heartbeat.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on the disk.
    pub async fn put_incidents(&self, incidents: Vec<Incident>) -> Result<(), StoreError> {
        self.write(true, move |session| incidents.iter().try_for_each(|incident| put(session, incident))).await
    }

    /// Keeps what a person says of an incident; gives it as it is then. `None` when there is no such incident.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on the disk.
    pub async fn remark(&self, id: i64, remark: Remark) -> Result<Option<Incident>, StoreError> {
        self.write(true, move |session| {
            let connection = session.connection;
            if let Some(Acknowledgement { by, at }) = &remark.acknowledged {
                connection.execute(
                    "UPDATE incidents SET acknowledged_by = ?2, acknowledged_ms = ?3 WHERE id = ?1 AND acknowledged_ms IS NULL",
                    params![id, by, at.as_millisecond()],
                )?;
            }
            for (column, text) in [("note", &remark.note), ("action", &remark.action)] {
                if let Some(text) = text {
                    let sql = format!("UPDATE incidents SET {column} = nullif(?2, '') WHERE id = ?1");
                    connection.execute(&sql, params![id, text])?;
                }
            }
            one(connection, id)
        })
        .await
    }
}

/// Keeps an incident as the register has it. What a person said of it stays.
///
/// Commits of different streams may come in another order than their verdicts, so an incident only ever moves forward: what
/// has ended stays ended, and a cause that was found is not forgotten.
pub(super) fn put(session: &mut Session<'_>, incident: &Incident) -> rusqlite::Result<()> {
    // From one stream to what several have in common.
    const IS_NEWER: &str =
        "instr('stream device subnet parent', excluded.cause) >= instr('stream device subnet parent', cause)";
    let was_closed: Option<bool> = session
        .connection
        .prepare_cached("SELECT closed_ms IS NOT NULL FROM incidents WHERE id = ?1")?
        .query_row([incident.id], |row| row.get(0))
        .optional()?;
    if was_closed.is_none() {
        outbox::put(session, &Notice::IncidentOpened { incident: incident.id, at: incident.opened_at })?;
    }
    if let Some(at) = incident.closed_at.filter(|_| was_closed != Some(true)) {
        outbox::put(session, &Notice::IncidentClosed { incident: incident.id, at })?;
    }
    session
        .connection
        .prepare_cached(&format!(
            "INSERT INTO incidents (id, health, cause, cause_name, reason, stage, detail, opened_ms, closed_ms, merged_into)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO UPDATE
             SET cause_name = iif({IS_NEWER}, excluded.cause_name, cause_name),
                 cause = iif({IS_NEWER}, excluded.cause, cause),
                 closed_ms = coalesce(closed_ms, excluded.closed_ms),
                 merged_into = coalesce(merged_into, excluded.merged_into)"
        ))?
        .execute(params![
            incident.id,
            health_code(incident.health),
            incident.cause.kind(),
            incident.cause.name(),
            incident.reason.code(),
            stage_code(incident.stage),
            incident.detail,
            incident.opened_at.as_millisecond(),
            incident.closed_at.map(|at| at.as_millisecond()),
            incident.merged_into,
        ])?;
    let stored = stored_members(session.connection, incident.id)?;
    for member in &incident.members {
        let stream = key(session, &member.stream)?;
        // Of an incident of many streams each change is that of one.
        let has_left = stored.get(&(stream, member.joined_at.as_millisecond()));
        if has_left.is_some_and(|has_left| *has_left || member.left_at.is_none()) {
            continue;
        }
        session
            .connection
            .prepare_cached(
                "INSERT INTO incident_members (incident, joined_ms, stream, reason, stage, began_ms, left_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET left_ms = coalesce(left_ms, excluded.left_ms)",
            )?
            .execute(params![
                incident.id,
                member.joined_at.as_millisecond(),
                stream,
                member.reason.code(),
                stage_code(member.stage),
                member.began_at.as_millisecond(),
                member.left_at.map(|at| at.as_millisecond()),
            ])?;
    }
    Ok(())
}

/// Stream and time of each member that is stored, and whether it has left.
fn stored_members(connection: &Connection, incident: i64) -> rusqlite::Result<HashMap<(i64, i64), bool>> {
    connection
        .prepare_cached("SELECT stream, joined_ms, left_ms IS NOT NULL FROM incident_members WHERE incident = ?1")?
        .query_map([incident], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?
        .collect()
}

const COLUMNS: &str = "SELECT id, health, cause, cause_name, reason, stage, detail, opened_ms, closed_ms, merged_into,
    acknowledged_by, acknowledged_ms, note, action FROM incidents";

fn find(connection: &Connection, query: &IncidentQuery, limit: usize) -> rusqlite::Result<Vec<Incident>> {
    let stream = match &query.stream {
        None => None,
        Some(id) => match find_key(connection, id)? {
            None => return Ok(Vec::new()),
            key => key,
        },
    };
    let mut conditions = vec!["id < ?1".to_owned()];
    let mut values: Vec<i64> = vec![query.before.unwrap_or(i64::MAX)];
    let mut add = |condition: &str, value: i64| {
        values.push(value);
        conditions.push(condition.replace('#', &format!("?{}", values.len())));
    };
    if let Some(key) = stream {
        add("id IN (SELECT incident FROM incident_members WHERE stream = #)", key);
    }
    if let Some(from) = query.from {
        add("(closed_ms IS NULL OR closed_ms >= #)", from.as_millisecond());
    }
    if let Some(to) = query.to {
        add("opened_ms < #", to.as_millisecond());
    }
    if let Some(open) = query.open {
        conditions.push(format!("closed_ms IS {}", if open { "NULL" } else { "NOT NULL" }));
    }
    let sql = format!("{COLUMNS} WHERE {} ORDER BY id DESC LIMIT {limit}", conditions.join(" AND "));
    let mut incidents: Vec<Incident> = connection
        .prepare(&sql)?
        .query_map(rusqlite::params_from_iter(values), incident)?
        .collect::<rusqlite::Result<_>>()?;
    add_members(connection, &mut incidents)?;
    Ok(incidents)
}

fn one(connection: &Connection, id: i64) -> rusqlite::Result<Option<Incident>> {
    let found = connection.prepare_cached(&format!("{COLUMNS} WHERE id = ?1"))?.query_row([id], incident).optional()?;
    let mut incidents: Vec<Incident> = found.into_iter().collect();
    add_members(connection, &mut incidents)?;
    Ok(incidents.pop())
}

fn add_members(connection: &Connection, incidents: &mut [Incident]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT streams.id, reason, stage, began_ms, joined_ms, left_ms FROM incident_members
         JOIN streams ON streams.key = stream WHERE incident = ?1 ORDER BY joined_ms, stream",
    )?;
    for incident in incidents {
        incident.members = statement.query_map([incident.id], member)?.collect::<rusqlite::Result<_>>()?;
    }
    Ok(())
}

fn incident(row: &Row<'_>) -> rusqlite::Result<Incident> {
    let (kind, name): (String, Option<String>) = (row.get(2)?, row.get(3)?);
    let acknowledged = match (row.get::<_, Option<String>>(10)?, row.get::<_, Option<i64>>(11)?) {
        (Some(by), Some(ms)) => Some(Acknowledgement { by, at: time(ms)? }),
        _ => None,
    };
    Ok(Incident {
        id: row.get(0)?,
        health: health(row.get(1)?)?,
        cause: Cause::parse(&kind, name.as_deref()).ok_or_else(|| no_word(2, &kind, "cause"))?,
        reason: reason(row.get(4)?)?,
        stage: stage(row.get(5)?)?,
        detail: row.get(6)?,
        opened_at: time(row.get(7)?)?,
        closed_at: row.get::<_, Option<i64>>(8)?.map(time).transpose()?,
        merged_into: row.get(9)?,
        members: Vec::new(),
        acknowledged,
        note: row.get(12)?,
        action: row.get(13)?,
    })
}

fn member(row: &Row<'_>) -> rusqlite::Result<Member> {
    Ok(Member {
        stream: stream_id(row, 0)?,
        reason: reason(row.get(1)?)?,
        stage: stage(row.get(2)?)?,
        began_at: time(row.get(3)?)?,
        joined_at: time(row.get(4)?)?,
        left_at: row.get::<_, Option<i64>>(5)?.map(time).transpose()?,
    })
}

/// A stream's id as it is stored.
pub(super) fn stream_id(row: &Row<'_>, column: usize) -> rusqlite::Result<StreamId> {
    let text: String = row.get(column)?;
    StreamId::new(&text).ok_or_else(|| no_word(column, &text, "id of a stream"))
}

fn no_word(column: usize, text: &str, what: &str) -> rusqlite::Error {
    let detail = format!("{text:?} is no {what}");
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(StoreError::Conflict { detail }))
}

/// The streams' ids by their keys.
pub(super) fn ids(connection: &Connection) -> rusqlite::Result<HashMap<i64, StreamId>> {
    connection
        .prepare_cached("SELECT key, id FROM streams")?
        .query_map([], |row| Ok((row.get(0)?, stream_id(row, 1)?)))?
        .collect()
}
