//! Hourly figures, and the sums of days that are over: kept while heartbeats are written, never made by a scan of them.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

pub(super) use super::codes::MS_PER_HOUR;
use super::codes::time;
use super::record::hours;
use super::writer::Session;
use super::{Store, StoreError};
use crate::model::{Health, Heartbeat, Reason, Span, latency_bucket};

pub(super) const HOURS_PER_DAY: i64 = 24;

/// Name in `meta` of the newest day that [`Store::roll_up`] has summed up.
const DAYS_BUILT: &str = "days_built";

/// A row of figures of one stream.
#[derive(Clone, Copy)]
enum Period {
    Hour(i64),
    Day(i64),
}

impl Period {
    /// The rows that an hour goes into: its own, and its day's when that is summed up already (the clock was set back).
    fn of_hour(hour: i64, built_day: i64) -> impl Iterator<Item = Self> {
        let day = hour.div_euclid(HOURS_PER_DAY);
        [Some(Self::Hour(hour)), (day <= built_day).then_some(Self::Day(day))].into_iter().flatten()
    }

    /// Table, key column, key, and the most milliseconds that it has room for.
    fn table(self) -> (&'static str, &'static str, i64, i64) {
        match self {
            Self::Hour(hour) => ("rollups", "hour", hour, MS_PER_HOUR),
            Self::Day(day) => ("days", "day", day, HOURS_PER_DAY * MS_PER_HOUR),
        }
    }
}

/// The column of the time in a state.
pub(super) fn time_column(health: Health) -> &'static str {
    match health {
        Health::Up => "up_ms",
        Health::Degraded => "degraded_ms",
        Health::Down => "down_ms",
        Health::Unknown => "unknown_ms",
        Health::Maintenance => "maintenance_ms",
    }
}

/// Counts a heartbeat in its hour. `blind`: it says nothing of the camera, and is no sample.
pub(super) fn count(
    connection: &Connection,
    stream: i64,
    heartbeat: &Heartbeat,
    blind: bool,
    built_day: i64,
) -> rusqlite::Result<()> {
    let hour = heartbeat.at.as_millisecond().div_euclid(MS_PER_HOUR);
    let ok = heartbeat.reason == Reason::Ok;
    let failed = !ok && !blind;
    for period in Period::of_hour(hour, built_day) {
        let (table, column, key, _) = period.table();
        if ok {
            let bucket = latency_bucket(heartbeat.latency_ms);
            connection
                .prepare_cached(&format!(
                    "INSERT INTO {table} ({column}, stream, ok, failed, blind, latency_{bucket}, latency_sum_ms)
                     VALUES (?1, ?2, 1, 0, 0, 1, ?3) ON CONFLICT DO UPDATE SET ok = ok + 1,
                     latency_{bucket} = latency_{bucket} + 1, latency_sum_ms = latency_sum_ms + ?3"
                ))?
                .execute(params![key, stream, heartbeat.latency_ms])?;
        } else {
            connection
                .prepare_cached(&format!(
                    "INSERT INTO {table} ({column}, stream, ok, failed, blind) VALUES (?1, ?2, 0, ?3, ?4)
                     ON CONFLICT DO UPDATE SET failed = failed + ?3, blind = blind + ?4"
                ))?
                .execute(params![key, stream, failed, blind])?;
        }
    }
    if !ok {
        connection
            .prepare_cached(
                "INSERT INTO reasons (hour, stream, reason, count) VALUES (?1, ?2, ?3, 1)
                 ON CONFLICT DO UPDATE SET count = count + 1",
            )?
            .execute(params![hour, stream, heartbeat.reason.code()])?;
    }
    connection
        .prepare_cached(
            "INSERT INTO totals (hour, ok, failed, blind) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE
             SET ok = ok + excluded.ok, failed = failed + excluded.failed, blind = blind + excluded.blind",
        )?
        .execute(params![hour, ok, failed, blind])?;
    Ok(())
}

/// Adds a span to the hours it lies in. No hour ever holds more than an hour, whatever the wall clock did.
pub(super) fn add_time(connection: &Connection, stream: i64, span: &Span, built_day: i64) -> rusqlite::Result<()> {
    let state = time_column(span.health);
    for (hour, ms) in hours(span) {
        for period in Period::of_hour(hour, built_day) {
            let (table, column, key, room_ms) = period.table();
            connection
                .prepare_cached(&format!(
                    "INSERT INTO {table} ({column}, stream, ok, failed, blind, {state}) VALUES (?1, ?2, 0, 0, 0, ?3)
                     ON CONFLICT DO UPDATE SET {state} = {state} + min(?3,
                         {room_ms} - (up_ms + degraded_ms + down_ms + unknown_ms + maintenance_ms))"
                ))?
                .execute(params![key, stream, ms])?;
        }
    }
    Ok(())
}

/// The newest day that is summed up.
pub(super) fn built_day(session: &mut Session<'_>) -> rusqlite::Result<i64> {
    match *session.built_day {
        Some(day) => Ok(day),
        None => Ok(*session.built_day.insert(find_built_day(session.connection)?)),
    }
}

pub(super) fn find_built_day(connection: &Connection) -> rusqlite::Result<i64> {
    let value = connection
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([DAYS_BUILT], |row| row.get(0))
        .optional()?;
    Ok(value.unwrap_or(-1))
}

impl Store {
    /// The begin of the oldest hour of which there are figures; `None` when nothing is recorded.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn oldest_hour(&self) -> Result<Option<Timestamp>, StoreError> {
        let query = |connection: &Connection| {
            let oldest: Option<i64> = connection.query_row("SELECT min(hour) FROM rollups", [], |row| row.get(0))?;
            oldest.map(|hour| time(hour.saturating_mul(MS_PER_HOUR))).transpose()
        };
        self.inner.readers.read(query).await
    }

    /// Sums up the days (UTC) that are over, one transaction each, so that a long window costs few rows. Call it hourly;
    /// when the call is dropped the next one goes on.
    ///
    /// # Errors
    /// [`StoreError`] of the day that failed; those before it stay done.
    pub async fn roll_up(&self, now: Timestamp) -> Result<(), StoreError> {
        // What a late record adds to a day that is summed up goes into both; an hour later there are hardly any.
        let today = (now.as_millisecond().div_euclid(MS_PER_HOUR) - 1).div_euclid(HOURS_PER_DAY);
        while self.write(false, move |session| roll_up_next(session, today)).await? {}
        Ok(())
    }
}

/// Sums up the oldest day that is not; false when there is none left.
fn roll_up_next(session: &mut Session<'_>, today: i64) -> rusqlite::Result<bool> {
    let built = built_day(session)?;
    let connection = session.connection;
    let next: Option<i64> = connection
        .prepare_cached("SELECT min(hour) FROM rollups WHERE hour >= ?1")?
        .query_row([(built + 1) * HOURS_PER_DAY], |row| row.get(0))?;
    let Some(day) = next.map(|hour| hour.div_euclid(HOURS_PER_DAY)).filter(|day| *day < today) else {
        return Ok(false);
    };
    let sums = [
        "ok",
        "failed",
        "blind",
        "up_ms",
        "degraded_ms",
        "down_ms",
        "unknown_ms",
        "maintenance_ms",
        "latency_sum_ms",
        "latency_0",
        "latency_1",
        "latency_2",
        "latency_3",
        "latency_4",
        "latency_5",
        "latency_6",
        "latency_7",
    ];
    let sum = sums.map(|column| format!("sum({column})")).join(", ");
    connection.execute(
        &format!(
            "INSERT OR REPLACE INTO days (day, stream, {}) SELECT ?1, stream, {sum} FROM rollups
             WHERE hour >= ?1 * {HOURS_PER_DAY} AND hour < (?1 + 1) * {HOURS_PER_DAY} GROUP BY stream",
            sums.join(", ")
        ),
        [day],
    )?;
    connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", params![DAYS_BUILT, day])?;
    *session.built_day = Some(day);
    Ok(true)
}
