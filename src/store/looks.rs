//! The past of each stream's pictures, as text that the store does not look into.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::{Store, StoreError};
use crate::model::StreamId;

impl Store {
    /// Every past that is kept.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn looks(&self) -> Result<HashMap<StreamId, String>, StoreError> {
        let query = |connection: &Connection| -> rusqlite::Result<Vec<(String, String)>> {
            connection
                .prepare("SELECT stream, past FROM looks")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        };
        let rows = self.inner.readers.read(query).await?;
        Ok(rows.into_iter().filter_map(|(id, past)| Some((StreamId::new(&id)?, past))).collect())
    }

    /// Keeps a stream's past in the place of the one before.
    ///
    /// # Errors
    /// [`StoreError`] when it is not committed.
    pub async fn put_look(&self, stream: StreamId, past: String) -> Result<(), StoreError> {
        self.write(false, move |session| put(session.connection, &stream, &past)).await
    }

    /// As [`Self::put_look`], for many streams at the end of the service: nothing more is waited for.
    ///
    /// # Errors
    /// [`StoreError`] when they are not committed.
    pub async fn put_last_looks(&self, pasts: Vec<(StreamId, String)>) -> Result<(), StoreError> {
        self.write(true, move |session| {
            pasts.iter().try_for_each(|(stream, past)| put(session.connection, stream, past))
        })
        .await
    }
}

fn put(connection: &Connection, stream: &StreamId, past: &str) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO looks (stream, past) VALUES (?1, ?2) ON CONFLICT (stream) DO UPDATE SET past = excluded.past",
        params![stream.as_str(), past],
    )?;
    Ok(())
}
