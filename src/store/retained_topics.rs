//! Topics that a broker keeps a message of ours for: what is not wanted any more must be cleared, also when that was
//! decided while the broker was away or the service stood still.

use std::collections::HashSet;

use super::{Store, StoreError};

impl Store {
    /// Every topic that may be retained.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn retained_topics(&self) -> Result<HashSet<String>, StoreError> {
        self.inner
            .readers
            .read(|connection| {
                connection
                    .prepare_cached("SELECT topic FROM retained_topics")?
                    .query_map([], |row| row.get(0))?
                    .collect()
            })
            .await
    }

    /// Notes topics before something is retained there, and forgets those that were cleared.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on the disk.
    pub async fn change_retained_topics(&self, add: Vec<String>, remove: Vec<String>) -> Result<(), StoreError> {
        self.write(true, move |session| {
            for (topics, sql) in [
                (&add, "INSERT OR IGNORE INTO retained_topics (topic) VALUES (?1)"),
                (&remove, "DELETE FROM retained_topics WHERE topic = ?1"),
            ] {
                for topic in topics {
                    session.connection.prepare_cached(sql)?.execute([topic])?;
                }
            }
            Ok(())
        })
        .await
    }
}
