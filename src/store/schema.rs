//! The tables, how an older database becomes today's, and what is looked at before a database is trusted.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::{FILE_NAME, StoreError};

/// "SPls", in the file's header: tells our databases from others.
const APPLICATION_ID: i64 = 0x5350_6c73;

/// Tables that grow with time and streams.
const LARGE_TABLES: &[&str] = &["heartbeats", "rollups", "days", "reasons", "spans", "transitions"];

/// One entry for each version, run in order from the database's `user_version` on. Never change one that was released.
pub(super) const MIGRATIONS: &[&str] = &[VERSION_1, VERSION_2, VERSION_3, VERSION_4];

/// Heartbeats come in the order of time and are never changed. With the time first in the key they fill page after page
/// (23 bytes each, measured), and each commit touches one page rather than one for each stream. Rollups are ordered the
/// same way for the same reason: an SD card wears by pages.
const VERSION_1: &str = "
CREATE TABLE streams (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT
) STRICT;

CREATE TABLE heartbeats (
    at_ms INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    latency_ms INTEGER NOT NULL,
    health INTEGER NOT NULL,
    PRIMARY KEY (at_ms, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE stream_state (
    stream INTEGER PRIMARY KEY,
    health INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    failures_in_row INTEGER NOT NULL,
    successes_in_row INTEGER NOT NULL,
    blind_in_row INTEGER NOT NULL,
    last_ok_ms INTEGER
) STRICT;

-- hour: hours since 1970 UTC. ok: a usable picture; failed: none; blind: none through our own fault.
CREATE TABLE rollups (
    hour INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    blind INTEGER NOT NULL,
    PRIMARY KEY (hour, stream)
) STRICT, WITHOUT ROWID;

-- The same of all streams together.
CREATE TABLE totals (
    hour INTEGER PRIMARY KEY,
    ok INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    blind INTEGER NOT NULL
) STRICT;

CREATE TABLE transitions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    from_health INTEGER NOT NULL,
    to_health INTEGER NOT NULL,
    reason INTEGER NOT NULL
) STRICT;
CREATE INDEX transitions_by_time ON transitions (at_ms);

CREATE TABLE incidents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stream INTEGER NOT NULL,
    health INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    opened_ms INTEGER NOT NULL,
    closed_ms INTEGER
) STRICT;
CREATE INDEX incidents_by_stream ON incidents (stream);
CREATE INDEX incidents_open ON incidents (stream) WHERE closed_ms IS NULL;

CREATE TABLE users (
    username TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL,
    must_change_password INTEGER NOT NULL,
    token_generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE refresh_tokens (
    hash TEXT PRIMARY KEY,
    username TEXT NOT NULL REFERENCES users (username) ON DELETE CASCADE,
    family TEXT NOT NULL,
    expires_ms INTEGER NOT NULL,
    used_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_by_user ON refresh_tokens (username);
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family);
";

/// Accounts of cameras that were refused last. `fingerprint`: 16 bits of the password's, see [`crate::model::refusal`].
const VERSION_2: &str = "
CREATE TABLE refusals (
    host TEXT NOT NULL,
    username TEXT NOT NULL,
    fingerprint INTEGER NOT NULL,
    count INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    PRIMARY KEY (host, username, fingerprint)
) STRICT, WITHOUT ROWID;
";

/// What is usual of a stream's pictures; the text is [`crate::health::looks::Past`] in JSON.
const VERSION_3: &str = "
CREATE TABLE looks (
    stream TEXT PRIMARY KEY,
    past TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Time in each state, latencies, reasons; incidents of several streams, with evidence; announced work; imports.
///
/// `…_ms` of a rollup: time in that state, together at most an hour. `latency_0` to `latency_7`: good probes by
/// [`crate::model::LATENCY_BOUNDS`]. `days` sums up the rollups of days that are over (`meta`: `days_built`, the newest).
/// The span that is still growing is in `stream_state`; those that are over are in `spans`.
const VERSION_4: &str = "
ALTER TABLE rollups ADD COLUMN up_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN degraded_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN down_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN unknown_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN maintenance_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN latency_sum_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN latency_0 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN latency_1 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN latency_2 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN latency_3 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN latency_4 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN latency_5 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN latency_6 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN latency_7 INTEGER NOT NULL DEFAULT 0;

CREATE TABLE days (
    day INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    blind INTEGER NOT NULL,
    up_ms INTEGER NOT NULL DEFAULT 0,
    degraded_ms INTEGER NOT NULL DEFAULT 0,
    down_ms INTEGER NOT NULL DEFAULT 0,
    unknown_ms INTEGER NOT NULL DEFAULT 0,
    maintenance_ms INTEGER NOT NULL DEFAULT 0,
    latency_sum_ms INTEGER NOT NULL DEFAULT 0,
    latency_0 INTEGER NOT NULL DEFAULT 0,
    latency_1 INTEGER NOT NULL DEFAULT 0,
    latency_2 INTEGER NOT NULL DEFAULT 0,
    latency_3 INTEGER NOT NULL DEFAULT 0,
    latency_4 INTEGER NOT NULL DEFAULT 0,
    latency_5 INTEGER NOT NULL DEFAULT 0,
    latency_6 INTEGER NOT NULL DEFAULT 0,
    latency_7 INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (day, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE reasons (
    hour INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (hour, stream, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE spans (
    stream INTEGER NOT NULL,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    health INTEGER NOT NULL,
    PRIMARY KEY (stream, from_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX spans_by_end ON spans (to_ms);

ALTER TABLE stream_state ADD COLUMN span_health INTEGER;
ALTER TABLE stream_state ADD COLUMN span_from_ms INTEGER;
ALTER TABLE stream_state ADD COLUMN span_to_ms INTEGER;
ALTER TABLE stream_state ADD COLUMN flap_changes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stream_state ADD COLUMN flap_last INTEGER;
ALTER TABLE stream_state ADD COLUMN flapping INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stream_state ADD COLUMN announced INTEGER NOT NULL DEFAULT 3;
UPDATE stream_state SET announced = health;

ALTER TABLE incidents RENAME TO incidents_3;
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    health INTEGER NOT NULL,
    cause TEXT NOT NULL,
    cause_name TEXT,
    reason INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    detail TEXT NOT NULL,
    opened_ms INTEGER NOT NULL,
    closed_ms INTEGER,
    merged_into INTEGER,
    acknowledged_by TEXT,
    acknowledged_ms INTEGER,
    note TEXT,
    action TEXT
) STRICT;
CREATE TABLE incident_members (
    incident INTEGER NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    joined_ms INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    reason INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    began_ms INTEGER NOT NULL,
    left_ms INTEGER,
    PRIMARY KEY (incident, joined_ms, stream)
) STRICT, WITHOUT ROWID;
INSERT INTO incidents (id, health, cause, reason, stage, detail, opened_ms, closed_ms)
    SELECT id, health, 'stream', reason, coalesce((SELECT stage FROM heartbeats
        WHERE at_ms <= opened_ms AND at_ms > opened_ms - 120000 AND heartbeats.stream = incidents_3.stream
        ORDER BY at_ms DESC LIMIT 1), 11), '', opened_ms, closed_ms
    FROM incidents_3;
INSERT INTO incident_members (incident, joined_ms, stream, reason, stage, began_ms, left_ms)
    SELECT incidents.id, incidents_3.opened_ms, stream, incidents_3.reason, stage, incidents_3.opened_ms,
        incidents_3.closed_ms
    FROM incidents_3 JOIN incidents ON incidents.id = incidents_3.id;
DROP TABLE incidents_3;
CREATE INDEX incidents_by_time ON incidents (opened_ms);
CREATE INDEX incidents_open ON incidents (id) WHERE closed_ms IS NULL;
CREATE INDEX incidents_closed ON incidents (closed_ms) WHERE closed_ms IS NOT NULL;
CREATE INDEX incident_members_by_stream ON incident_members (stream, incident);

-- Pictures are files below the state directory, the exchange is text here.
CREATE TABLE evidence (
    incident INTEGER NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    kind TEXT NOT NULL,
    taken_ms INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    text TEXT,
    PRIMARY KEY (incident, number)
) STRICT, WITHOUT ROWID;

-- Announced by hand. streams: ids, one a line; empty: every stream.
CREATE TABLE maintenance (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    streams TEXT NOT NULL,
    from_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    username TEXT NOT NULL,
    note TEXT
) STRICT;

-- What was taken over of a database of StreamPulse 2: of each of its tables, up to which row.
CREATE TABLE imports (
    source TEXT NOT NULL,
    log TEXT NOT NULL,
    last_id INTEGER NOT NULL,
    PRIMARY KEY (source, log)
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// An opened database: what the writer needs.
pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
    /// Held as long as the connection.
    pub(super) lock: File,
}

/// Looks at the file, opens it and brings it to today's schema.
pub(super) fn open(dir: &Path, lock: File) -> Result<Opened, StoreError> {
    let path = dir.join(FILE_NAME);
    look_at_header(&path)?;
    let connection = prepare(&path)?;
    Ok(Opened { path, connection, lock })
}

/// Makes the file (0600: it holds password hashes) or checks that it may be a database at all.
fn look_at_header(path: &Path) -> Result<(), StoreError> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| StoreError::from_io(path, &error))?;
    let corrupt = |detail: &str| Err(StoreError::Corrupt { path: path.to_owned(), detail: detail.to_owned() });
    // https://www.sqlite.org/fileformat.html#the_database_header
    let mut magic = [0; 16];
    match file.read_exact(&mut magic) {
        Ok(()) if &magic == b"SQLite format 3\0" => Ok(()),
        Ok(()) => corrupt("it is another kind of file"),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => match file.metadata() {
            Ok(metadata) if metadata.len() == 0 => Ok(()),
            _ => corrupt("it is cut short"),
        },
        Err(error) => Err(StoreError::from_io(path, &error)),
    }
}

fn prepare(path: &Path) -> Result<Connection, StoreError> {
    let failed = |error: rusqlite::Error| StoreError::at_open(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(failed)?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    if tables > 0 && application != APPLICATION_ID {
        return Err(StoreError::Corrupt { path: path.to_owned(), detail: "it belongs to another program".to_owned() });
    }
    let known = MIGRATIONS.len() as i64;
    if version > known {
        return Err(StoreError::Newer { path: path.to_owned(), found: version, known });
    }
    check(&connection).map_err(|error| match error {
        Unsound::Sqlite(error) => StoreError::at_open(path, &error),
        Unsound::Says(detail) => StoreError::Corrupt { path: path.to_owned(), detail },
    })?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(failed)?;
    if mode != "wal" {
        tracing::warn!(path = %path.display(), %mode, "no write-ahead log on this file system: readers may wait for the writer");
    }
    connection
        .execute_batch(
            "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;
             PRAGMA journal_size_limit = 8388608;",
        )
        .map_err(failed)?;
    migrate(&mut connection, version).map_err(failed)?;
    Ok(connection)
}

/// All steps or none.
fn migrate(connection: &mut Connection, from: i64) -> rusqlite::Result<()> {
    let steps = MIGRATIONS.get(usize::try_from(from).unwrap_or(0)..).unwrap_or_default();
    if steps.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for step in steps {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    transaction.commit()
}

enum Unsound {
    Sqlite(rusqlite::Error),
    Says(String),
}

impl From<rusqlite::Error> for Unsound {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// A check that costs the same after a year: the small tables whole, of the large ones only both ends. (Reading the
/// first page already finds a file that is cut short.)
fn check(connection: &Connection) -> Result<(), Unsound> {
    let names: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for name in names {
        if LARGE_TABLES.contains(&name.as_str()) {
            for order in ["ASC", "DESC"] {
                let sql = format!("SELECT * FROM {name} ORDER BY 1 {order} LIMIT 1");
                connection.prepare(&sql)?.query([])?.next()?;
            }
            continue;
        }
        let says: String = connection.query_row(&format!("PRAGMA quick_check({name})"), [], |row| row.get(0))?;
        if says != "ok" {
            return Err(Unsound::Says(says.lines().last().unwrap_or_default().to_owned()));
        }
    }
    Ok(())
}
