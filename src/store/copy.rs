//! A copy of the database that is consistent while a service writes to it, and a look at all of one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rustix::fs::{Access, access};

use super::migrations::MIGRATIONS;
use super::schema::APPLICATION_ID;
use super::{FILE_NAME, StoreError, lock};

/// The newest schema of the database that this program knows.
pub const SCHEMA: i64 = MIGRATIONS.len() as i64;

/// The state directory, for as long as this lives: no service starts in it.
#[derive(Debug)]
pub struct Held(#[allow(dead_code, reason = "the lock ends with the file")] File);

/// Takes the state directory, which is made when it is missing.
///
/// # Errors
/// [`StoreError::InUse`] when a service has it, [`StoreError::CannotWrite`].
pub async fn hold(state_dir: &Path) -> Result<Held, StoreError> {
    lock::take(state_dir).await.map(Held)
}

/// True when a service runs in the state directory. Nothing is made or changed.
///
/// # Errors
/// [`StoreError::CannotWrite`] when that cannot be told.
pub fn is_held(state_dir: &Path) -> Result<bool, StoreError> {
    match File::open(state_dir.join(lock::FILE)) {
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(StoreError::from_io(state_dir, &error)),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::from_io(state_dir, &error)),
    }
}

/// Where something large may lie for a while: `TMPDIR`, else `/var/tmp`, as `/tmp` is memory on Debian 13. In a container
/// whose root cannot be written to, `/tmp`.
pub fn scratch() -> PathBuf {
    let named = std::env::var_os("TMPDIR").filter(|path| !path.is_empty()).map(PathBuf::from);
    let on_disk = || Some(PathBuf::from("/var/tmp")).filter(|path| access(path, Access::WRITE_OK).is_ok());
    named.or_else(on_disk).unwrap_or_else(std::env::temp_dir)
}

/// Writes the database as it is at one moment to a new file (0600), without its free pages, and gives its
/// schema. A service may write meanwhile.
///
/// # Errors
/// [`StoreError::CannotWrite`] when the copy cannot be made, or of the database itself.
pub fn copy_database(state_dir: &Path, to: &Path) -> Result<i64, StoreError> {
    let path = state_dir.join(FILE_NAME);
    // SQLite would make it readable for everybody.
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(|error| StoreError::from_io(to, &error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(|error| StoreError::at_open(&path, &error))?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(|error| StoreError::at_open(&path, &error))?;
    let into = to.to_str().ok_or_else(|| StoreError::Failed {
        path: to.to_owned(),
        detail: "SQLite takes names in UTF-8 only; choose another one".to_owned(),
    })?;
    connection.execute("VACUUM INTO ?1", [into]).map_err(|error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => StoreError::at_open(to, &error),
        _ => StoreError::at_open(&path, &error),
    })?;
    connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(|error| StoreError::at_open(&path, &error))
}

/// Brings what is in the write-ahead log into the database itself, so that the file alone is all of it. Nobody may have it open.
/// One that is not sound stays as it is.
pub fn fold(_held: &Held, state_dir: &Path) {
    let path = state_dir.join(FILE_NAME);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if let Ok(connection) = Connection::open_with_flags(path, flags) {
        let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
}

/// Reads all of a database that nobody has open: its schema, when it is sound, ours, and not newer than this program.
///
/// # Errors
/// [`StoreError::Corrupt`], [`StoreError::Foreign`], [`StoreError::Newer`].
pub fn examine(file: &Path) -> Result<i64, StoreError> {
    let failed = |error: rusqlite::Error| StoreError::at_open(file, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(failed)?;
    let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i64>(0)).map_err(failed);
    if number("PRAGMA application_id")? != APPLICATION_ID {
        return Err(StoreError::Foreign { path: file.to_owned() });
    }
    let found = number("PRAGMA user_version")?;
    if found > SCHEMA {
        return Err(StoreError::Newer { path: file.to_owned(), found, known: SCHEMA });
    }
    let says: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if says != "ok" {
        return Err(StoreError::Corrupt { path: file.to_owned(), detail: says });
    }
    Ok(found)
}
