//! What is done to the store every hour: days that are over are summed up, and what is too old is removed.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::{Config, Storage};
use crate::store::{Retention, Store, StoreError};

/// How often.
const EVERY: Duration = Duration::from_secs(3600);

/// Keeps the house now and every hour, until it is cancelled.
pub async fn run(store: Store, config: watch::Receiver<Arc<Config>>, clock: Arc<dyn Clock>, cancel: CancellationToken) {
    let mut hourly = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = hourly.tick() => {}
        }
        let storage = config.borrow().storage.clone();
        // It goes in small steps, each with a commit: the end of the service does not wait for the last of them.
        let kept = tokio::select! {
            () = cancel.cancelled() => return,
            kept = keep(&store, &storage, clock.now()) => kept,
        };
        if let Err(error) = kept {
            tracing::warn!("old heartbeats and pictures are not removed: {error}");
        }
    }
}

async fn keep(store: &Store, storage: &Storage, now: Timestamp) -> Result<(), StoreError> {
    let retention = Retention { heartbeats_days: storage.heartbeats_days, rollup_days: storage.rollup_days };
    // Each whatever becomes of the others: on a full disk only pictures can be removed, which makes room for the rest.
    let pictures = store.prune_evidence(u64::from(storage.evidence_megabytes) * 1_000_000).await;
    let summed_up = store.roll_up(now).await;
    let pruned = store.prune(now, retention).await;
    pictures.map(drop).and(summed_up).and(pruned.map(drop))
}
