//! What there is in a database of the original: its tables, how many rows they have, and the rows.

use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};
use sha2::{Digest, Sha256};

use super::error::ImportError;
use super::original::Original;
use super::plan;

/// Tables that are named in a message at most.
const SHOWN_TABLES: usize = 5;

/// Bytes of a text that are looked at: no message of the original needs more to be understood.
const LONGEST_TEXT: usize = 400;

/// The tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// The streams by name, as the original knows them. Their URLs hold passwords and are not read.
    pub(super) names: Vec<String>,
    /// Tables of rows, in the order in which they were made.
    pub(super) logs: Vec<String>,
    /// Everything else but `streams`.
    pub(super) others: Vec<String>,
}

/// One row of a table, as it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OldRow {
    pub(super) id: i64,
    pub(super) ts: String,
    pub(super) status: String,
    pub(super) latency_ms: u32,
    pub(super) message: String,
}

/// How much there is in a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// Tells this table from those of other files, whatever they are called; empty for a table without rows.
    pub(super) source: String,
    /// The newest row.
    pub(super) newest_id: i64,
    /// Rows that an earlier run took.
    pub(super) before: u64,
    /// Rows after them.
    pub(super) left: u64,
}

/// Looks at the tables.
pub(super) fn look(original: &mut Original) -> Result<Contents, ImportError> {
    let tables = original.read(|connection| {
        connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid")?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<Vec<String>>>()
    })?;
    let mut contents = Contents::default();
    let mut has_streams = false;
    for table in &tables {
        let columns = original.read(|connection| columns(connection, table))?;
        let has = |wanted: &[&str]| wanted.iter().all(|name| columns.iter().any(|c| c.eq_ignore_ascii_case(name)));
        if table.eq_ignore_ascii_case("streams") && has(&["name", "url"]) {
            has_streams = true;
        } else if plan::is_log(table) && has(&["id", "ts", "status", "latency_ms", "message"]) {
            contents.logs.push(table.clone());
        } else {
            contents.others.push(table.clone());
        }
    }
    if !has_streams && contents.logs.is_empty() {
        return Err(not_the_originals(original.path(), &tables));
    }
    if has_streams {
        contents.names = original.read(|connection| {
            let names = connection
                .prepare("SELECT CAST(name AS TEXT) FROM streams ORDER BY name")?
                .query_map([], |row| text(row, 0))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(names.into_iter().flatten().collect())
        })?;
    }
    Ok(contents)
}

fn not_the_originals(path: &Path, tables: &[String]) -> ImportError {
    let detail = if ["stream_state", "rollups"].iter().all(|ours| tables.iter().any(|table| table == ours)) {
        "it is a database of this StreamPulse".to_owned()
    } else if tables.is_empty() {
        "it has no tables".to_owned()
    } else {
        let shown: Vec<&str> = tables.iter().take(SHOWN_TABLES).map(String::as_str).collect();
        let more = if tables.len() > SHOWN_TABLES { ", …" } else { "" };
        format!("it has the tables {}{more}", shown.join(", "))
    };
    ImportError::NotTheOriginals { path: path.to_owned(), detail }
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    connection.prepare("SELECT name FROM pragma_table_info(?1)")?.query_map([table], |row| row.get(0))?.collect()
}

/// What `source` of a table is, told by its content: a copy of the file has the same, another file has another.
pub(super) fn source(connection: &Connection, log: &str) -> rusqlite::Result<Option<String>> {
    let sql = format!("SELECT id, CAST(ts AS TEXT) FROM {} ORDER BY id LIMIT 1", quoted(log));
    let first = connection.query_row(&sql, [], |row| Ok((row.get::<_, i64>(0)?, text(row, 1)?))).optional()?;
    Ok(first.map(|(id, ts)| {
        let hash = Sha256::digest(format!("{log}\0{id}\0{}", ts.unwrap_or_default()));
        hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }))
}

/// Counts the rows up to `last_id` and after it.
pub(super) fn extent(connection: &Connection, log: &str, source: &str, last_id: i64) -> rusqlite::Result<Extent> {
    let table = quoted(log);
    let newest_id: Option<i64> = connection.query_row(&format!("SELECT max(id) FROM {table}"), [], |row| row.get(0))?;
    let newest_id = newest_id.unwrap_or(last_id).max(last_id);
    let count = |from: i64, to: i64| -> rusqlite::Result<u64> {
        let sql = format!("SELECT count(*) FROM {table} WHERE id > ?1 AND id <= ?2");
        let count: i64 = connection.query_row(&sql, [from, to], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    };
    let (before, left) = (count(i64::MIN, last_id)?, count(last_id, newest_id)?);
    Ok(Extent { source: source.to_owned(), newest_id, before, left })
}

/// The rows after `last_id` up to `newest_id`, oldest first.
pub(super) fn rows_after(
    connection: &Connection,
    log: &str,
    last_id: i64,
    newest_id: i64,
    limit: usize,
) -> rusqlite::Result<Vec<OldRow>> {
    let sql = format!("{} WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3", select(log));
    connection.prepare_cached(&sql)?.query_map(params![last_id, newest_id, limit as i64], old_row)?.collect()
}

/// The last rows up to `last_id`, oldest first.
pub(super) fn rows_before(
    connection: &Connection,
    log: &str,
    last_id: i64,
    limit: usize,
) -> rusqlite::Result<Vec<OldRow>> {
    let sql = format!("{} WHERE id <= ?1 ORDER BY id DESC LIMIT ?2", select(log));
    let mut rows: Vec<OldRow> = connection
        .prepare(&sql)?
        .query_map(params![last_id, limit as i64], old_row)?
        .collect::<rusqlite::Result<_>>()?;
    rows.reverse();
    Ok(rows)
}

fn select(log: &str) -> String {
    let short = |column: &str| format!("substr(CAST({column} AS TEXT), 1, {LONGEST_TEXT})");
    let columns = [short("ts"), short("status"), "latency_ms".to_owned(), short("message")];
    format!("SELECT id, {} FROM {}", columns.join(", "), quoted(log))
}

fn old_row(row: &Row<'_>) -> rusqlite::Result<OldRow> {
    #[expect(clippy::cast_possible_truncation, reason = "a float saturates, and the range is held below")]
    let latency_ms = match row.get_ref(3)? {
        ValueRef::Integer(ms) => ms,
        ValueRef::Real(ms) => ms as i64,
        _ => 0,
    };
    Ok(OldRow {
        id: row.get(0)?,
        ts: text(row, 1)?.unwrap_or_default(),
        status: text(row, 2)?.unwrap_or_default(),
        latency_ms: u32::try_from(latency_ms.max(0)).unwrap_or(u32::MAX),
        message: text(row, 4)?.unwrap_or_default(),
    })
}

/// Text that may not be UTF-8.
fn text(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(index)? {
        ValueRef::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    })
}

/// The name of a table in SQL.
fn quoted(table: &str) -> String {
    format!("\"{}\"", table.replace('"', "\"\""))
}
