//! What is looked at before a database is trusted, and how an older one is brought to today's tables.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::migrations::MIGRATIONS;
use super::{FILE_NAME, StoreError, aside};

/// "SPls", in the file's header: tells our databases from others.
pub(super) const APPLICATION_ID: i64 = 0x5350_6c73;

/// Tables that grow with time and streams.
const LARGE_TABLES: &[&str] = &[
    "heartbeats",
    "rollups",
    "days",
    "reasons",
    "spans",
    "transitions",
    "evidence",
    "incidents",
    "incident_members",
    "audit",
];

/// An opened database: what the writer needs.
pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
    /// Held as long as the connection; `None` beside a service that holds it.
    pub(super) lock: Option<File>,
}

/// Looks at the file, opens it and brings it to today's schema.
pub(super) fn open(dir: &Path, lock: File) -> Result<Opened, StoreError> {
    let path = dir.join(FILE_NAME);
    let connection = match sound(&path) {
        Err(StoreError::Corrupt { detail, .. }) => {
            aside::set_aside(&path, &detail)?;
            sound(&path)?
        }
        other => other?,
    };
    Ok(Opened { path, connection, lock: Some(lock) })
}

/// Opens a database that a service has open, and which it has looked at: nothing is made, mended or migrated.
pub(super) fn open_beside(dir: &Path) -> Result<Opened, StoreError> {
    let path = dir.join(FILE_NAME);
    let failed = |error: rusqlite::Error| StoreError::at_open(&path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(failed)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    if version != MIGRATIONS.len() as i64 {
        return Err(StoreError::OtherVersion { path });
    }
    connection.execute_batch("PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;").map_err(failed)?;
    Ok(Opened { path, connection, lock: None })
}

fn sound(path: &Path) -> Result<Connection, StoreError> {
    look_at_header(path)?;
    let connection = prepare(path)?;
    aside::clear_suspicion(path);
    Ok(connection)
}

/// Makes the file (0600: it holds password hashes) or checks that it may be a database at all.
fn look_at_header(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let dir = path.parent().and_then(|dir| std::fs::metadata(dir).ok());
    // Root, in the directory of another user, follows no link of theirs to what is not theirs.
    if dir.is_some_and(|dir| dir.uid() != 0) && rustix::process::geteuid().is_root() {
        options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32);
    }
    let mut file = options.open(path).map_err(|error| StoreError::from_io(path, &error))?;
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
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    let known = MIGRATIONS.len() as i64;
    if version > known {
        return Err(StoreError::Newer { path: path.to_owned(), found: version, known });
    }
    check(&connection, aside::is_suspect(path)).map_err(|error| match error {
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
    transaction.commit()?;
    // Into the file itself, where the package of an older version looks before it takes this one's place.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
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
/// first page already finds a file that is cut short.) A file that a running service found corrupt is looked at whole.
fn check(connection: &Connection, is_suspect: bool) -> Result<(), Unsound> {
    let names: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for name in names {
        if !is_suspect && LARGE_TABLES.contains(&name.as_str()) {
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
