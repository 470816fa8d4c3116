//! A sign of life for somebody else, who notices when it does not come: that StreamPulse itself has died.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::failure::Receiver;
use super::handle::NotifyHandle;
use super::http::get;
use super::wire::Trust;
use crate::clock::Clock;
use crate::config::{Config, WebAddress};

/// For one call.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(10);

/// Says whether the service does its work, or why not.
pub type Health = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Calls `notify.watchdog_url` at its interval, while the service does its work.
pub struct Watchdog {
    config: watch::Receiver<Arc<Config>>,
    clock: Arc<dyn Clock>,
    handle: NotifyHandle,
    health: Health,
}

impl Watchdog {
    /// It does nothing before [`Self::run`].
    pub fn new(
        config: watch::Receiver<Arc<Config>>,
        clock: Arc<dyn Clock>,
        handle: NotifyHandle,
        health: Health,
    ) -> Self {
        Self { config, clock, handle, health }
    }

    /// Until `cancel`.
    pub async fn run(mut self, cancel: CancellationToken) {
        cancel.clone().run_until_cancelled(self.follow()).await;
    }

    async fn follow(&mut self) {
        loop {
            let notify = self.config.borrow_and_update().notify.clone();
            self.handle.watch(notify.watchdog_url.as_ref().map(ToString::to_string));
            let call = async {
                let Some(url) = &notify.watchdog_url else { return std::future::pending().await };
                loop {
                    self.call(url).await;
                    sleep(notify.watchdog_interval).await;
                }
            };
            let mut config = self.config.clone();
            let other = async {
                while config.changed().await.is_ok() {
                    let new = &config.borrow_and_update().notify;
                    if (&new.watchdog_url, new.watchdog_interval) != (&notify.watchdog_url, notify.watchdog_interval) {
                        return;
                    }
                }
                // Nobody changes it any more: the service ends.
                std::future::pending().await
            };
            tokio::select! {
                () = call => {}
                () = other => {}
            }
        }
    }

    async fn call(&self, url: &WebAddress) {
        if let Err(because) = (self.health)() {
            if self.handle.not_watched(because.clone()) {
                tracing::warn!("the watchdog {url} is not called: {because}");
            }
            return;
        }
        match get(url, &Trust::default(), Instant::now() + DEADLINE).await {
            Ok(()) => self.handle.watched(self.clock.now()),
            Err(failure) => {
                let to = url.to_string();
                let (problem, next_step) = failure.words(&Receiver { to: &to, is_mail: false });
                let next_step = next_step.replacen("url", "notify.watchdog_url", 1);
                if self.handle.watch_failed((problem.clone(), next_step.clone())) {
                    tracing::warn!("the watchdog {url} cannot be called: {problem} {next_step}");
                }
            }
        }
    }
}
