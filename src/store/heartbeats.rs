//! Reading heartbeats, states and counts.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::codes::{MS_PER_HOUR, health, reason, stage, time, verdict};
use super::incidents::stream_id;
use super::record::find_key;
use super::{HistoryPage, HistoryQuery, LONGEST_PAGE, REMEMBERED_HEARTBEATS, Remembered, SampleTotals};
use crate::model::{Flap, HealthState, Heartbeat, StreamId};

/// Heartbeats of other streams that one page may pass over: a tenth of a second or so, also on a small machine.
const LARGEST_SCAN: i64 = 1_000_000;

/// Every stream's state and newest heartbeats, by one scan back in time. A stream with far fewer heartbeats than the
/// others, or none of late, may get fewer than there are.
pub(super) fn load_memory(connection: &Connection) -> rusqlite::Result<HashMap<StreamId, Remembered>> {
    let mut by_key: HashMap<i64, (StreamId, Remembered)> = connection
        .prepare(
            "SELECT stream, id, health, since_ms, reason, failures_in_row, successes_in_row, blind_in_row, last_ok_ms,
                 flap_changes, flap_last, flapping, announced, span_to_ms
             FROM stream_state JOIN streams ON key = stream",
        )?
        .query_map([], |row| Ok((row.get(0)?, (stream_id(row, 1)?, remembered(row)?))))?
        .collect::<rusqlite::Result<_>>()?;
    let wanted = by_key.len() * REMEMBERED_HEARTBEATS;
    let mut found = 0;
    let most = i64::try_from(wanted * 3).unwrap_or(i64::MAX).min(LARGEST_SCAN);
    let mut statement = connection.prepare(
        "SELECT at_ms, reason, stage, latency_ms, health, stream FROM heartbeats ORDER BY at_ms DESC, stream DESC LIMIT ?1",
    )?;
    let mut rows = statement.query([most])?;
    while found < wanted
        && let Some(row) = rows.next()?
    {
        if let Some((_, memory)) = by_key.get_mut(&row.get(5)?)
            && memory.recent.len() < REMEMBERED_HEARTBEATS
        {
            memory.recent.push(heartbeat(row)?);
            found += 1;
        }
    }
    for (_, memory) in by_key.values_mut() {
        memory.recent.reverse();
    }
    Ok(by_key.into_values().collect())
}

fn remembered(row: &Row<'_>) -> rusqlite::Result<Remembered> {
    Ok(Remembered {
        state: HealthState {
            health: health(row.get(2)?)?,
            since: time(row.get(3)?)?,
            reason: reason(row.get(4)?)?,
            failures_in_row: row.get(5)?,
            successes_in_row: row.get(6)?,
            blind_in_row: row.get(7)?,
            flap: Flap {
                changes: row.get(9)?,
                last: row.get::<_, Option<u8>>(10)?.map(verdict).transpose()?,
                active: row.get(11)?,
                announced: health(row.get(12)?)?,
            },
        },
        counted_until: row.get::<_, Option<i64>>(13)?.map(time).transpose()?,
        last_ok_at: row.get::<_, Option<i64>>(8)?.map(time).transpose()?,
        recent: Vec::new(),
    })
}

fn heartbeat(row: &Row<'_>) -> rusqlite::Result<Heartbeat> {
    Ok(Heartbeat {
        at: time(row.get(0)?)?,
        reason: reason(row.get(1)?)?,
        stage: stage(row.get(2)?)?,
        latency_ms: row.get(3)?,
        health: health(row.get(4)?)?,
    })
}

/// One page of a stream, newest first. Heartbeats of all streams lie together in the order of time, so this reads only
/// the hours in which the rollups know the stream, and ends the page when it has passed over [`LARGEST_SCAN`] others.
pub(super) fn history(connection: &Connection, id: &StreamId, query: &HistoryQuery) -> rusqlite::Result<HistoryPage> {
    let Some(stream) = find_key(connection, id)? else { return Ok(HistoryPage::default()) };
    let oldest: Option<i64> = connection.query_row("SELECT min(at_ms) FROM heartbeats", [], |row| row.get(0))?;
    let Some(oldest) = oldest else { return Ok(HistoryPage::default()) };
    let from = query.from.map_or(oldest, |from| ceil_ms(from).max(oldest));
    let before = [query.to, query.cursor].into_iter().flatten().map(ceil_ms).min().unwrap_or(i64::MAX);
    let limit = query.limit.clamp(1, LONGEST_PAGE);

    let mut page = HistoryPage::default();
    let mut scanned = 0;
    let mut hours = connection.prepare_cached(
        "SELECT t.hour, t.ok + t.failed + t.blind FROM totals t CROSS JOIN rollups r ON r.hour = t.hour AND r.stream = ?1
         WHERE t.hour BETWEEN ?2 AND ?3 ORDER BY t.hour DESC",
    )?;
    let mut one_hour = connection.prepare_cached(
        "SELECT at_ms, reason, stage, latency_ms, health FROM heartbeats
         WHERE at_ms >= ?1 AND at_ms < ?2 AND stream = ?3 ORDER BY at_ms DESC LIMIT ?4",
    )?;
    let mut hours = hours.query(params![stream, from.div_euclid(MS_PER_HOUR), (before - 1).div_euclid(MS_PER_HOUR)])?;
    while let Some(row) = hours.next()? {
        let (hour, rows): (i64, i64) = (row.get(0)?, row.get(1)?);
        let start = hour * MS_PER_HOUR;
        if scanned > 0 && scanned + rows > LARGEST_SCAN {
            page.next_cursor = Some(time(start + MS_PER_HOUR)?.to_string());
            break;
        }
        scanned += rows;
        // One more than fits tells whether there is another page.
        let more = limit - page.heartbeats.len() + 1;
        let values = params![from.max(start), before.min(start + MS_PER_HOUR), stream, more as i64];
        for heartbeat in one_hour.query_map(values, heartbeat)? {
            page.heartbeats.push(heartbeat?);
        }
        if page.heartbeats.len() > limit {
            page.heartbeats.truncate(limit);
            page.next_cursor = page.heartbeats.last().map(|last| last.at.to_string());
            break;
        }
    }
    Ok(page)
}

/// Where the next page of [`page`] begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PagePosition {
    at_ms: i64,
    stream: i64,
}

/// Heartbeats of all streams in the order of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeartbeatPage {
    /// Whose and what, the oldest first.
    pub rows: Vec<(StreamId, Heartbeat)>,
    /// Ask again with this; `None`: that was all.
    pub next: Option<PagePosition>,
}

/// The heartbeats from `from` on and before `to`, at most `limit`, after those of an earlier page.
pub(super) fn page(
    connection: &Connection,
    from: Option<Timestamp>,
    to: Timestamp,
    after: Option<PagePosition>,
    limit: usize,
) -> rusqlite::Result<HeartbeatPage> {
    let first = PagePosition { at_ms: from.map_or(i64::MIN, ceil_ms), stream: i64::MIN };
    let after = after.unwrap_or(first);
    let mut statement = connection.prepare_cached(
        "SELECT at_ms, reason, stage, latency_ms, health, stream FROM heartbeats
         WHERE (at_ms, stream) > (?1, ?2) AND at_ms < ?3 ORDER BY at_ms, stream LIMIT ?4",
    )?;
    let mut id_of = connection.prepare_cached("SELECT id FROM streams WHERE key = ?1")?;
    let mut ids: HashMap<i64, StreamId> = HashMap::new();
    let mut page = HeartbeatPage::default();
    let mut rows = statement.query(params![after.at_ms, after.stream, ceil_ms(to), limit as i64])?;
    while let Some(row) = rows.next()? {
        let key = row.get(5)?;
        let id = match ids.get(&key) {
            Some(id) => id.clone(),
            None => {
                let id = id_of.query_row([key], |row| stream_id(row, 0))?;
                ids.insert(key, id.clone());
                id
            }
        };
        page.rows.push((id, heartbeat(row)?));
        if page.rows.len() == limit {
            page.next = Some(PagePosition { at_ms: row.get(0)?, stream: key });
        }
    }
    Ok(page)
}

/// The first whole millisecond that is not before this time.
fn ceil_ms(time: Timestamp) -> i64 {
    time.as_millisecond() + i64::from(time.subsec_nanosecond().rem_euclid(1_000_000) > 0)
}

/// Counts of all streams from the hour of `since` on.
pub(super) fn sample_totals(connection: &Connection, since: Timestamp) -> rusqlite::Result<SampleTotals> {
    connection
        .prepare_cached("SELECT coalesce(sum(ok), 0), coalesce(sum(ok + failed), 0) FROM totals WHERE hour >= ?1")?
        .query_row([since.as_millisecond().div_euclid(MS_PER_HOUR)], |row| {
            let (ok, total): (i64, i64) = (row.get(0)?, row.get(1)?);
            Ok(SampleTotals { ok: ok.try_into().unwrap_or(0), total: total.try_into().unwrap_or(0) })
        })
}
