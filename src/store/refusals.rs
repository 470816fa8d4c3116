//! Accounts of cameras that were refused, for the lock-out guard.

use rusqlite::{Connection, params};

use super::codes::time;
use super::{Store, StoreError};
use crate::model::{CameraAccount, Refusal};

impl Store {
    /// Every account that was refused last.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn refusals(&self) -> Result<Vec<Refusal>, StoreError> {
        let query = |connection: &Connection| {
            connection
                .prepare("SELECT host, username, fingerprint, count, last_ms FROM refusals")?
                .query_map([], |row| {
                    let account = CameraAccount { host: row.get(0)?, username: row.get(1)?, fingerprint: row.get(2)? };
                    Ok(Refusal { account, count: row.get(3)?, last_at: time(row.get(4)?)? })
                })?
                .collect()
        };
        self.inner.readers.read(query).await
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
