//! A sign of life for somebody else, who notices when it does not come: that StreamPulse itself has died.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::failure::{Kind, Receiver};
use super::handle::NotifyHandle;
use super::http::get;
use super::wire::Trust;
use crate::clock::Clock;
use crate::config::{Config, WebAddress};

/// For one call.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(10);

/// Finds out whether the service does its work, or why not.
pub type Doing = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Whom to ask for that.
pub type Health = Arc<dyn Fn() -> Doing + Send + Sync>;

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
        if let Err(because) = (self.health)().await {
            if self.handle.not_watched(because.clone()) {
                tracing::warn!("the watchdog {url} is not called: {because}");
            }
            return;
        }
        match get(url, &Trust::default(), Instant::now() + DEADLINE).await {
            Ok(()) => self.handle.watched(self.clock.now()),
            Err(failure) => {
                let to = url.to_string();
                let (problem, next_step) = failure.words(&Receiver { to: &to, kind: Kind::Watchdog });
                if self.handle.watch_failed((problem.clone(), next_step.clone())) {
                    tracing::warn!("the watchdog {url} cannot be called: {problem} {next_step}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::clock::SystemClock;
    use crate::schedule::plan::tests::config;

    #[tokio::test]
    async fn it_is_silent_as_long_as_the_work_is_not_done() {
        let receiver = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut settings = config(Vec::new());
        settings.notify.watchdog_url =
            Some(WebAddress::parse(&format!("http://{}/ping", receiver.local_addr().unwrap())).unwrap());
        settings.notify.watchdog_interval = Duration::from_millis(5);
        let (_sender, config) = watch::channel(Arc::new(settings));
        let handle = NotifyHandle::default();
        let (is_well, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(tokio::sync::Semaphore::new(0)));
        let health = {
            let (is_well, asked) = (is_well.clone(), asked.clone());
            Arc::new(move || {
                asked.add_permits(1);
                let said = if is_well.load(Ordering::Relaxed) { Ok(()) } else { Err("it sleeps".to_owned()) };
                Box::pin(async move { said }) as Doing
            })
        };
        let watchdog = Watchdog::new(config, Arc::new(SystemClock), handle.clone(), health);
        let cancel = CancellationToken::new();
        let running = tokio::spawn(watchdog.run(cancel.clone()));
        // The third question comes when what followed the first two is over.
        asked.acquire_many(3).await.unwrap().forget();
        let facts = handle.facts();
        assert_eq!(
            (&facts["watchdog"]["called_total"], facts["watchdog"]["not_called_because"].as_str()),
            (&serde_json::json!(0), Some("it sleeps"))
        );
        is_well.store(true, Ordering::Relaxed);
        let (mut called, _) = receiver.accept().await.unwrap();
        let mut head = [0; 9];
        called.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"GET /ping");
        called.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        while handle.facts()["watchdog"]["called_total"] == 0 {
            asked.acquire().await.unwrap().forget();
        }
        assert!(handle.facts()["watchdog"]["not_called_because"].is_null());
        cancel.cancel();
        running.await.unwrap();
    }
}
