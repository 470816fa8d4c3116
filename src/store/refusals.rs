//! Accounts of cameras that were refused, for the lock-out guard.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};

use super::codes::time;
use super::{FILE_NAME, Store, StoreError};
use crate::model::url::percent_encode;
use crate::model::{CameraAccount, Refusal};

impl Store {
    /// Every account that was refused last.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn refusals(&self) -> Result<Vec<Refusal>, StoreError> {
        self.inner.readers.read(all).await
    }

    /// Puts these in the place of all that were there.
    ///
    /// # Errors
    /// [`StoreError`] when they are not on the disk.
    pub async fn put_refusals(&self, refusals: Vec<Refusal>) -> Result<(), StoreError> {
        self.write(true, move |session| {
            session.connection.execute("DELETE FROM refusals", [])?;
            for Refusal { account, count, last_at } in &refusals {
                session.connection.execute(
                    "INSERT INTO refusals (host, username, fingerprint, count, last_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![account.host, account.username, account.fingerprint, count, last_at.as_millisecond()],
                )?;
            }
            Ok(())
        })
        .await
    }
}

fn all(connection: &Connection) -> rusqlite::Result<Vec<Refusal>> {
    connection
        .prepare("SELECT host, username, fingerprint, count, last_ms FROM refusals")?
        .query_map([], |row| {
            let account = CameraAccount { host: row.get(0)?, username: row.get(1)?, fingerprint: row.get(2)? };
            Ok(Refusal { account, count: row.get(3)?, last_at: time(row.get(4)?)? })
        })?
        .collect()
}

/// What the service of a state directory remembers, whether it runs or not, without its lock and without a trace: a file
/// that this made as root would be one that the service cannot write. `None` when nobody can tell.
pub fn look_for_refusals(state_dir: &Path) -> Option<Vec<Refusal>> {
    let path = state_dir.join(FILE_NAME);
    let beside = |ending: &str| state_dir.join(format!("{FILE_NAME}{ending}")).exists();
    let address = percent_encode(path.to_str()?);
    let address = match (beside("-wal"), beside("-shm")) {
        (true, true) => format!("file:{address}?mode=ro"),
        // Closed as it should be: nobody writes, and SQLite need not make the files with which readers and writer agree.
        (false, _) => format!("file:{address}?mode=ro&immutable=1"),
        (true, false) => return None,
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(address, flags).ok()?;
    connection.busy_timeout(std::time::Duration::from_secs(1)).ok()?;
    all(&connection).ok()
}
