//! What goes on from an earlier run, and from an earlier configuration.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Done, Monitor, RECENT_HEARTBEATS, RESTORE_EVERY, Restored, Restoring, StreamStatus, within_deadline};
use crate::model::{Reason, Stream, StreamId};
use crate::store::{Remembered, Store};

impl Monitor {
    /// Takes over the list of streams; new ones start from what the store remembers of them.
    pub(super) async fn configure(&mut self) {
        self.restore().await;
        let is_new = |stream: &Arc<Stream>| self.status.get(stream.id.as_str()).is_none();
        let mut memory = if self.current.streams.iter().any(is_new) { self.remember().await } else { HashMap::new() };
        self.looks.configure(&self.current);
        let now = self.clock.now();
        let accounts = &mut self.accounts;
        self.status.configure(&self.current, |stream| match memory.remove(&stream.id) {
            Some(remembered) => {
                accounts.remember(&stream.id, remembered.counted_until);
                from_memory(stream.clone(), remembered)
            }
            None => StreamStatus::new(stream.clone(), now),
        });
        self.accounts.retain(|id| self.current.contains(id));
        self.untold.retain(|id, _| self.current.contains(id));
        for stream in self.current.streams.iter().filter(|stream| !stream.enabled) {
            self.accounts.pause(&stream.id);
        }
        let left = self.cases.configure(&self.current, now);
        if !left.is_empty() {
            let store = self.store.clone();
            self.commits.push(Box::pin(async move {
                // What fails here goes with the next record.
                let _ = store.put_incidents(left).await;
                None
            }));
        }
        self.maintenance.configure(&self.current, now);
        self.look_at_windows();
        self.show_figures();
    }

    /// Takes over what goes on from an earlier run, once, before anything else.
    async fn restore(&mut self) {
        if self.restoring == Restoring::Not {
            let restored = restored(self.store.clone(), self.clock.now()).await;
            self.restored(restored);
        }
    }

    /// Tries that again, beside everything else.
    pub(super) fn restore_later(&mut self) {
        self.restoring = Restoring::Asked;
        let (store, now) = (self.store.clone(), self.clock.now());
        self.commits.push(Box::pin(async move { Some(Done::Restored(restored(store, now).await)) }));
    }

    pub(super) fn restored(&mut self, restored: Restored) {
        match restored {
            Ok((open, next_id, announced)) => {
                self.restoring = Restoring::Done;
                self.cases.restore(open, next_id, &self.current);
                self.maintenance.remember(announced);
            }
            Err(error) => {
                self.restoring = Restoring::Not;
                self.restore_at = tokio::time::Instant::now() + RESTORE_EVERY;
                tracing::error!(%error, "open incidents and announced work of the last run cannot be read yet, and no incident is opened; check the disk");
            }
        }
    }

    async fn remember(&mut self) -> HashMap<StreamId, Remembered> {
        match within_deadline(self.store.looks()).await {
            Ok(stored) => self.looks.remember(stored),
            Err(error) => tracing::error!(%error, "what is usual of the pictures cannot be read and is learned again"),
        }
        let loaded = within_deadline(self.store.load_memory()).await;
        loaded.unwrap_or_else(|error| {
            tracing::error!(%error, "the history cannot be read, streams start without it; check the state directory and the disk");
            HashMap::new()
        })
    }
}

async fn restored(store: Store, now: Timestamp) -> Restored {
    let read = async { Ok((store.open_incidents().await?, store.next_incident().await?, store.announced(now).await?)) };
    within_deadline(read).await
}

fn from_memory(stream: Arc<Stream>, remembered: Remembered) -> StreamStatus {
    let Remembered { state, last_ok_at, recent, counted_until: _ } = remembered;
    let run = recent.iter().rev().filter(|beat| !beat.reason.is_ours()).take_while(|beat| beat.reason == Reason::Ok);
    let ok_since = run.last().map(|beat| beat.at);
    let skip = recent.len().saturating_sub(RECENT_HEARTBEATS);
    StreamStatus {
        state,
        last_ok_at,
        ok_since,
        recent: recent.into_iter().skip(skip).collect(),
        ..StreamStatus::new(stream, Timestamp::UNIX_EPOCH)
    }
}
