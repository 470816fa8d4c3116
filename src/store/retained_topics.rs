//! Topics that a broker keeps a message of ours for: what is not wanted any more must be cleared, also when that was
//! decided while the broker was away or the service stood still.

use std::collections::HashSet;

use super::{Store, StoreError};

impl Store {
    /// Every topic that this broker may retain for us.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn retained_topics(&self, broker: &str) -> Result<HashSet<String>, StoreError> {
        let broker = broker.to_owned();
        self.inner
            .readers
            .read(move |connection| {
                connection
                    .prepare_cached("SELECT topic FROM retained_topics WHERE broker = ?1")?
                    .query_map([broker], |row| row.get(0))?
                    .collect()
            })
            .await
    }

    /// Notes topics before something is retained there, and forgets those that were cleared.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on the disk.
    pub async fn change_retained_topics(
        &self,
        broker: &str,
        add: Vec<String>,
        remove: Vec<String>,
    ) -> Result<(), StoreError> {
        let broker = broker.to_owned();
        self.write(true, move |session| {
            for (topics, sql) in [
                (&add, "INSERT OR IGNORE INTO retained_topics (broker, topic) VALUES (?1, ?2)"),
                (&remove, "DELETE FROM retained_topics WHERE broker = ?1 AND topic = ?2"),
            ] {
                for topic in topics {
                    session.connection.prepare_cached(sql)?.execute([&broker, topic])?;
                }
            }
            Ok(())
        })
        .await
    }
}
