//! How long streams were in which state, for any window: days and hours that lie in it whole by their sums, its edges by
//! the spans themselves.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::codes::{health, time};
use super::incidents::ids;
use super::record::find_key;
use super::rollups::{HOURS_PER_DAY, MS_PER_HOUR, find_built_day};
use super::{Store, StoreError};
use crate::model::{Health, Span, StateTimes, StreamId};

const SUMS: &str = "up_ms, degraded_ms, down_ms, unknown_ms, maintenance_ms";

impl Store {
    /// Time in each state between `from` and `to`, of every stream that was watched then, to the millisecond. Costs at
    /// most some fifty rows a stream and one a day.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn state_times(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<HashMap<StreamId, StateTimes>, StoreError> {
        let (from_ms, to_ms) = (from.as_millisecond(), to.as_millisecond());
        self.inner.readers.read(move |connection| of_all(connection, from_ms, to_ms)).await
    }

    /// The same of one stream; nothing for one that was never watched.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn state_times_of(
        &self,
        stream: &StreamId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<StateTimes, StoreError> {
        let (stream, from_ms, to_ms) = (stream.clone(), from.as_millisecond(), to.as_millisecond());
        let query = move |connection: &Connection| match find_key(connection, &stream)? {
            Some(key) => of_one(connection, key, from_ms, to_ms),
            None => Ok(StateTimes::default()),
        };
        self.inner.readers.read(query).await
    }

    /// The spans of one stream that lie in a window, cut to it, oldest first; at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn spans(
        &self,
        stream: &StreamId,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<Span>, StoreError> {
        let (stream, from_ms, to_ms) = (stream.clone(), from.as_millisecond(), to.as_millisecond());
        let query = move |connection: &Connection| {
            let Some(key) = find_key(connection, &stream)? else { return Ok(Vec::new()) };
            let mut spans = Vec::new();
            each_span(connection, key, from_ms, to_ms, |span| spans.push(span))?;
            spans.sort_by_key(|span| span.from);
            spans.truncate(limit);
            Ok(spans)
        };
        self.inner.readers.read(query).await
    }
}

/// A window by what answers for its parts.
#[derive(Debug, PartialEq, Eq)]
struct Parts {
    /// Milliseconds at the edges, `from..to`.
    edges: Vec<(i64, i64)>,
    /// Whole hours beside whole days, `first..end`.
    hours: Vec<(i64, i64)>,
    /// Whole days, `first..end`.
    days: (i64, i64),
}

impl Parts {
    fn of(from_ms: i64, to_ms: i64, built_day: i64) -> Self {
        let none = Self { edges: Vec::new(), hours: Vec::new(), days: (0, 0) };
        if to_ms <= from_ms {
            return none;
        }
        let (first_hour, end_hour) = (ceil(from_ms, MS_PER_HOUR), to_ms.div_euclid(MS_PER_HOUR));
        if end_hour <= first_hour {
            return Self { edges: vec![(from_ms, to_ms)], ..none };
        }
        let edges = vec![(from_ms, first_hour * MS_PER_HOUR), (end_hour * MS_PER_HOUR, to_ms)];
        let first_day = ceil(first_hour, HOURS_PER_DAY);
        let end_day = end_hour.div_euclid(HOURS_PER_DAY).min(built_day + 1);
        let (hours, days) = if end_day > first_day {
            let hours = vec![(first_hour, first_day * HOURS_PER_DAY), (end_day * HOURS_PER_DAY, end_hour)];
            (hours, (first_day, end_day))
        } else {
            (vec![(first_hour, end_hour)], (0, 0))
        };
        let is_some = |(from, to): &(i64, i64)| from < to;
        Self {
            edges: edges.into_iter().filter(is_some).collect(),
            hours: hours.into_iter().filter(is_some).collect(),
            days,
        }
    }
}

fn ceil(value: i64, unit: i64) -> i64 {
    -(-value).div_euclid(unit)
}

fn of_one(connection: &Connection, key: i64, from_ms: i64, to_ms: i64) -> rusqlite::Result<StateTimes> {
    let parts = Parts::of(from_ms, to_ms, find_built_day(connection)?);
    let mut times = StateTimes::default();
    for (from, to) in parts.edges {
        each_span(connection, key, from, to, |span| times.add_ms(span.health, span.length_ms()))?;
    }
    // Row by row: the key begins with the time, so a range would pass over those of all streams.
    let mut add = |table: &str, column: &str, (first, end): (i64, i64)| -> rusqlite::Result<()> {
        let sql = format!("SELECT {SUMS} FROM {table} WHERE {column} = ?1 AND stream = ?2");
        let mut statement = connection.prepare_cached(&sql)?;
        for period in first..end {
            let mut rows = statement.query(params![period, key])?;
            if let Some(row) = rows.next()? {
                times += sums(row, 0)?;
            }
        }
        Ok(())
    };
    for hours in parts.hours {
        add("rollups", "hour", hours)?;
    }
    add("days", "day", parts.days)?;
    Ok(times)
}

fn of_all(connection: &Connection, from_ms: i64, to_ms: i64) -> rusqlite::Result<HashMap<StreamId, StateTimes>> {
    let parts = Parts::of(from_ms, to_ms, find_built_day(connection)?);
    let ids = ids(connection)?;
    let mut by_key: HashMap<i64, StateTimes> = HashMap::with_capacity(ids.len());
    for (from, to) in parts.edges {
        for key in ids.keys() {
            each_span(connection, *key, from, to, |span| {
                by_key.entry(*key).or_default().add_ms(span.health, span.length_ms());
            })?;
        }
    }
    let mut add = |table: &str, column: &str, (first, end): (i64, i64)| -> rusqlite::Result<()> {
        let sql = format!("SELECT stream, {SUMS} FROM {table} WHERE {column} >= ?1 AND {column} < ?2");
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query([first, end])?;
        while let Some(row) = rows.next()? {
            *by_key.entry(row.get(0)?).or_default() += sums(row, 1)?;
        }
        Ok(())
    };
    for hours in parts.hours {
        add("rollups", "hour", hours)?;
    }
    add("days", "day", parts.days)?;
    Ok(by_key.into_iter().filter_map(|(key, times)| Some((ids.get(&key)?.clone(), times))).collect())
}

fn sums(row: &Row<'_>, first: usize) -> rusqlite::Result<StateTimes> {
    let mut times = StateTimes::default();
    for (index, health) in Health::ALL.into_iter().enumerate() {
        times.add_ms(health, u64::try_from(row.get::<_, i64>(first + index)?).unwrap_or(0));
    }
    Ok(times)
}

/// The spans of a stream that lie in a window, cut to it, newest first. Spans do not overlap, so the first that ends
/// before the window is the last one to look at.
fn each_span(
    connection: &Connection,
    key: i64,
    from_ms: i64,
    to_ms: i64,
    mut take: impl FnMut(Span),
) -> rusqlite::Result<()> {
    let mut cut = |row: &Row<'_>| -> rusqlite::Result<bool> {
        let (from, to): (i64, i64) = (row.get(0)?, row.get(1)?);
        let (from, to) = (from.max(from_ms), to.min(to_ms));
        if from < to {
            take(Span { health: health(row.get(2)?)?, from: time(from)?, to: time(to)? });
        }
        Ok(from <= to)
    };
    let mut growing = connection.prepare_cached(
        "SELECT span_from_ms, span_to_ms, span_health FROM stream_state WHERE stream = ?1 AND span_from_ms < ?2",
    )?;
    if let Some(row) = growing.query(params![key, to_ms])?.next()? {
        cut(row)?;
    }
    let mut over = connection.prepare_cached(
        "SELECT from_ms, to_ms, health FROM spans WHERE stream = ?1 AND from_ms < ?2 ORDER BY from_ms DESC",
    )?;
    let mut rows = over.query(params![key, to_ms])?;
    while let Some(row) = rows.next()? {
        if !cut(row)? {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const H: i64 = MS_PER_HOUR;

    #[test]
    fn a_window_falls_into_edges_hours_and_days() {
        let parts = |from, to, built| {
            let Parts { edges, hours, days } = Parts::of(from, to, built);
            (edges, hours, days)
        };
        let none = (0, 0);
        assert_eq!(parts(5, 5, 9), (vec![], vec![], none));
        assert_eq!(parts(5, 9, 9), (vec![(5, 9)], vec![], none));
        assert_eq!(parts(H - 1, H + 1, 9), (vec![(H - 1, H + 1)], vec![], none));
        assert_eq!(parts(H, 3 * H, 9), (vec![], vec![(1, 3)], none));
        assert_eq!(
            parts(H - 1, 50 * H + 1, 9),
            (vec![(H - 1, H), (50 * H, 50 * H + 1)], vec![(1, 24), (48, 50)], (1, 2))
        );
        // The second day is not summed up yet.
        assert_eq!(parts(0, 72 * H, 0), (vec![], vec![(24, 72)], (0, 1)));
        assert_eq!(parts(0, 72 * H, -1), (vec![], vec![(0, 72)], none));
    }
}
