//! The task that follows the configuration: a courier for each target, and none for those that are gone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::courier::{Courier, Parts, sink};
use super::handle::NotifyHandle;
use crate::clock::Clock;
use crate::config::{Config, Target};
use crate::sinks::host_name;
use crate::store::Store;

/// How often the store is asked again while it cannot forget targets.
const STORE_RETRY: Duration = Duration::from_secs(10);

/// Tells the configured targets.
pub struct Notifier {
    parts: Parts,
    /// What waits from before has waited through an outage; for those that are configured later, that is from before then.
    begun_at: Option<Timestamp>,
    running: HashMap<String, (Arc<Target>, AbortHandle)>,
    couriers: JoinSet<()>,
}

impl Notifier {
    /// It does nothing before [`Self::run`]; `handle` says how each target stands.
    pub fn new(
        config: watch::Receiver<Arc<Config>>,
        store: Store,
        clock: Arc<dyn Clock>,
        handle: NotifyHandle,
    ) -> Self {
        let begun_at = Some(clock.now());
        let parts = Parts { config, store, clock, handle, host: host_name().into() };
        Self { parts, begun_at, running: HashMap::new(), couriers: JoinSet::new() }
    }

    /// Tells them until `cancel`. A message on its way then comes again after the next start, with the same id.
    pub async fn run(mut self, cancel: CancellationToken) {
        cancel.clone().run_until_cancelled(self.follow()).await;
        self.couriers.shutdown().await;
    }

    async fn follow(&mut self) {
        loop {
            let config = self.parts.config.borrow_and_update().clone();
            self.take(&config.notify.targets).await;
            let mut config = self.parts.config.clone();
            tokio::select! {
                changed = config.changed() => if changed.is_err() {
                    // Nobody changes it any more: the service ends.
                    return std::future::pending().await;
                },
                () = self.watch_couriers() => {}
            }
        }
    }

    /// Returns when one has ended that should not: then it is begun again.
    async fn watch_couriers(&mut self) {
        loop {
            match self.couriers.join_next().await {
                Some(Err(error)) if error.is_panic() => {
                    tracing::error!("the task of a target panicked; this is a fault of StreamPulse: {error}");
                    self.running.retain(|_, (_, courier)| !courier.is_finished());
                    // Not as fast as it can.
                    sleep(STORE_RETRY).await;
                    return;
                }
                Some(_) => {}
                None => return std::future::pending().await,
            }
        }
    }

    /// Begins and ends couriers; those whose settings are the same go on undisturbed.
    async fn take(&mut self, targets: &[Arc<Target>]) {
        let is_on = |target: &&Arc<Target>| target.enabled;
        self.running.retain(|name, (running, courier)| {
            let stays = targets.iter().filter(is_on).any(|target| target.name == *name && target == running);
            if !stays {
                courier.abort();
            }
            stays
        });
        let begin: Vec<&Arc<Target>> =
            targets.iter().filter(is_on).filter(|target| !self.running.contains_key(&target.name)).collect();
        let off = targets.iter().filter(|target| !target.enabled);
        let changed: Vec<String> = begin.iter().copied().chain(off).map(|target| target.name.clone()).collect();
        self.parts.handle.configure(targets, &changed, self.parts.clock.now());
        let kept = targets.iter().filter(is_on).map(|target| sink(&target.name)).collect::<Vec<_>>();
        while let Err(error) = self.parts.store.close_sinks("notify:", kept.clone()).await {
            tracing::error!("cannot forget targets that are not configured: {error}");
            sleep(STORE_RETRY).await;
        }
        let begun_at = self.begun_at.take().unwrap_or_else(|| self.parts.clock.now());
        for target in begin {
            let courier = Courier::new(self.parts.clone(), target.clone(), begun_at);
            let handle = self.couriers.spawn(courier.run());
            self.running.insert(target.name.clone(), (target.clone(), handle));
        }
    }
}
