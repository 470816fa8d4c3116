//! The composition root: makes the parts, runs them as named tasks, reloads, shuts down in order.

mod facts;
mod housekeeping;
mod notify;
mod web_threads;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, Overrides, WatchHandle};
use crate::metrics::Metrics;
use crate::monitor::{Monitor, MonitorHandle, StatusTable, availability};
use crate::preview::Previews;
use crate::probe::Prober;
use crate::probe::network::NetworkWatch;
use crate::probe::pool::{Pool, PoolOptions};
use crate::schedule::{self, SchedulerHandle};
use crate::sinks;
use crate::sinks::mqtt::{self, MqttHandle, Publisher, send_test_message};
use crate::sinks::notify::{Doing, Notifier, NotifyHandle, Watchdog, send_test_message as send_test_notice};
use crate::store::Store;
use crate::web::{self, FirstPassword, Tls, WebParts};

/// How long an ordered shutdown may take; what is left then is dropped.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// Why the service did not start or stopped: one clause for the operator and an exit code of sysexits.
#[derive(Debug)]
pub struct Failure {
    /// What happened and what to do about it.
    pub message: String,
    /// Exit code.
    pub code: u8,
}

impl Failure {
    fn new(error: impl ToString, code: u8) -> Self {
        Self { message: error.to_string(), code }
    }
}

/// Where a service that runs is found.
#[derive(Clone, Debug)]
pub struct Running {
    /// The address it listens on, the port chosen by the system when 0 was configured.
    pub address: SocketAddr,
    /// The file that holds the first password while it must be changed.
    pub first_password: Option<PathBuf>,
}

/// Runs the service until SIGTERM or SIGINT. `on_running` is told once it works.
///
/// # Errors
/// [`Failure`]; a camera, a full disk or a bad configuration while it runs is none.
pub async fn serve(config_file: &Path, overrides: Overrides, on_running: impl FnOnce(&Running)) -> Result<(), Failure> {
    let mut signals = Signals::new().map_err(|error| Failure::new(error, 70))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let loaded = config::load_with(config_file, &overrides).map_err(|problems| Failure::new(problems, 78))?;
    for warning in &loaded.warnings {
        tracing::warn!("{}", warning.in_file(config_file));
    }
    let (config, watch_handle, watcher) = config::watch(config_file.to_owned(), loaded, overrides, clock.clone());
    let current = config.borrow().clone();

    let tls = current.web.tls.as_ref().map(|files| Tls::load(files, clock.now())).transpose();
    let tls = tls.map_err(|error| Failure::new(error, 78))?;

    let store = Store::open(&current.storage.path).await.map_err(|e| Failure::new(&e, e.exit_code()))?;
    let listener = web::bind(current.web.listen).await.map_err(|e| Failure::new(&e, e.exit_code()))?;
    let address = listener.local_addr().map_err(|e| Failure::new(e, 69))?;
    // Side by side: the hash of a first password takes as long on purpose as GStreamer takes to start.
    let (first_password, pool) = tokio::try_join!(first_password(&store, &current.storage.path), start_pool(&current))?;

    let probing = pool.measures();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let (state_dir, mqtt) = (current.storage.path.clone(), MqttHandle::default());
    let notify = NotifyHandle::default();
    let parts = Parts { clock, config, store, pool, watch_handle, state_dir, tls, mqtt, notify };
    let mut tasks = parts.spawn(listener, watcher).await;
    facts::tell_sandbox(&probing.sandbox);
    facts::tell_hardware(current.probe.hardware, &probing.hardware);
    let dashboard = format!("{scheme}://{}", reached_at(address));
    let streams = current.streams.len();
    tracing::info!(%address, dashboard, streams, "StreamPulse {} is running", env!("CARGO_PKG_VERSION"));
    notify::ready();
    on_running(&Running { address, first_password });
    let ended = tokio::select! {
        () = signals.until_end(&parts.watch_handle) => Ok(()),
        name = tasks.first_ended() => Err(Failure::new(format!("the task {name} ended; this is a fault of StreamPulse"), 70)),
    };
    notify::stopping();
    tokio::select! {
        done = tokio::time::timeout(SHUTDOWN, tasks.shut_down(&parts)) => if done.is_err() {
            tracing::error!("the shutdown took longer than {} s; what was still running is dropped", SHUTDOWN.as_secs());
        },
        () = signals.until_end(&parts.watch_handle) => tracing::warn!("second signal: ending at once"),
    }
    ended
}

/// Where a browser on this machine finds it.
fn reached_at(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("localhost:{}/", address.port()) } else { format!("{address}/") }
}

async fn first_password(store: &Store, state_dir: &Path) -> Result<Option<PathBuf>, Failure> {
    match web::ensure_first_account(store, state_dir).await.map_err(|e| Failure::new(&e, e.exit_code()))? {
        FirstPassword::Generated(file) => {
            tracing::info!("first password of the user admin: see {}", file.display());
            Ok(Some(file))
        }
        FirstPassword::Preset | FirstPassword::Exists => {
            let file = state_dir.join("initial-password");
            Ok(file.exists().then_some(file))
        }
    }
}

async fn start_pool(config: &Config) -> Result<Pool, Failure> {
    let registry = std::env::var_os("CACHE_DIRECTORY").map_or_else(|| config.storage.path.join("cache"), PathBuf::from);
    let registry = registry.join("gstreamer-registry.bin");
    Pool::start(PoolOptions::new(registry).configured(&config.probe)).await.map_err(|error| Failure::new(error, 69))
}

/// What outlives the tasks.
struct Parts {
    clock: Arc<dyn Clock>,
    config: watch::Receiver<Arc<Config>>,
    store: Store,
    pool: Pool,
    watch_handle: WatchHandle,
    state_dir: PathBuf,
    tls: Option<Tls>,
    mqtt: MqttHandle,
    notify: NotifyHandle,
}

/// The running tasks, by name, and what ends them in order.
struct Tasks {
    set: JoinSet<&'static str>,
    scheduler: CancellationToken,
    rest: CancellationToken,
    previews: Option<Previews>,
}

impl Parts {
    async fn spawn(&self, listener: TcpListener, watcher: config::Watcher) -> Tasks {
        let mut tasks = Tasks {
            set: JoinSet::new(),
            scheduler: CancellationToken::new(),
            rest: CancellationToken::new(),
            previews: None,
        };
        let status = StatusTable::default();
        // Holds 256 results; when it is full, ended probes keep their stream and device until the monitor has caught up.
        let (completed, results) = mpsc::channel(256);
        let pool = Arc::new(self.pool.clone());
        let network = Arc::new(NetworkWatch::new(pool, self.config.clone(), self.clock.clone()));
        let prober: Arc<dyn Prober> = network.clone();
        let in_flight = schedule::in_flight_limit(&self.config.borrow());
        let (handle, scheduler) =
            schedule::scheduler(self.config.clone(), prober, self.clock.clone(), completed, in_flight);
        let current = self.config.borrow().clone();
        sinks::open(&current, &self.store).await;
        let notifier = Notifier::new(self.config.clone(), self.store.clone(), self.clock.clone(), self.notify.clone());
        let refusals = self.store.refusals().await.unwrap_or_else(|error| {
            tracing::error!("{error}; accounts that a camera refused are asked again at once");
            Vec::new()
        });
        let scheduler = scheduler.remembering(refusals);
        tasks.spawn("scheduler", scheduler.run(tasks.scheduler.clone()));

        let monitor =
            Monitor::new(status.clone(), self.store.clone(), handle.clone(), self.config.clone(), self.clock.clone());
        let monitor = monitor.recall().await;
        let monitor_handle = monitor.handle();
        tasks.spawn("monitor", monitor.run(results, CancellationToken::new()));

        let read = mqtt::Parts {
            status: status.clone(),
            store: self.store.clone(),
            scheduler: handle.clone(),
            monitor: monitor_handle.clone(),
            clock: self.clock.clone(),
        };
        let publisher = Publisher::new(self.config.clone(), read, self.mqtt.clone());
        tasks.spawn("mqtt", publisher.run(tasks.rest.clone()));

        let (config, clock, notify) = (self.config.clone(), self.clock.clone(), self.notify.clone());
        tasks.spawn("notify", notifier.run(tasks.rest.clone()));
        let (asked, pool) = (handle.clone(), self.pool.clone());
        let health = Arc::new(move || {
            let (asked, pool) = (asked.clone(), pool.clone());
            Box::pin(async move { facts::alive(&asked, &pool).await }) as Doing
        });
        let watchdog = Watchdog::new(config, clock, notify, health);
        tasks.spawn("notify watchdog", watchdog.run(tasks.rest.clone()));

        let (pool, mqtt, notify) = (self.pool.clone(), self.mqtt.clone(), self.notify.clone());
        let metrics = Metrics::new(status.clone(), handle.clone(), self.clock.clone())
            .with_workers(move || facts::workers(&pool))
            .with_mqtt(move || facts::mqtt(&mqtt))
            .with_notify(move || facts::notify(&notify));
        let followed = (metrics.clone(), self.store.clone(), tasks.rest.clone());
        tasks.spawn("metrics", async move { followed.0.follow(followed.1, followed.2).await });
        let looked_up = (status.clone(), self.store.clone(), self.clock.clone(), tasks.rest.clone());
        tasks.spawn("availability", async move {
            let (status, store, clock, cancel) = looked_up;
            availability::follow(status, store, clock, cancel).await;
        });
        tasks.spawn(
            "reload status",
            facts::follow_reloads(self.watch_handle.clone(), metrics.clone(), tasks.rest.clone()),
        );
        tasks.spawn("configuration", watcher.run(tasks.rest.clone()));
        tasks.spawn("fixed settings", warn_of_fixed_settings(self.config.clone(), tasks.rest.clone()));
        let (store, config, clock) = (self.store.clone(), self.config.clone(), self.clock.clone());
        tasks.spawn("housekeeping", housekeeping::run(store, config, clock, tasks.rest.clone()));
        tasks.spawn("watchdog", notify::watchdog(handle.clone(), tasks.rest.clone()));

        let (watched, cancel) = (network.clone(), tasks.rest.clone());
        tasks.spawn("network", async move { watched.follow(cancel).await });

        let workers = self.pool.live_workers();
        let previews = Previews::new(workers, handle.clone(), self.config.clone(), self.clock.clone());
        tasks.previews = Some(previews.clone());
        let web = self.web_parts(status, monitor_handle, handle, metrics, network, previews);
        tasks.spawn("web", web_threads::serve(listener, web, tasks.rest.clone()));
        tasks
    }

    fn web_parts(
        &self,
        status: StatusTable,
        monitor: MonitorHandle,
        scheduler: SchedulerHandle,
        metrics: Metrics,
        network: Arc<NetworkWatch>,
        previews: Previews,
    ) -> WebParts {
        let (pool, watch_handle) = (self.pool.clone(), self.watch_handle.clone());
        let (ready, mqtt, clock) = (self.pool.clone(), self.mqtt.clone(), self.clock.clone());
        let (notify, tested, notify_clock) = (self.notify.clone(), self.config.clone(), self.clock.clone());
        // As at the start: a change takes effect at the next one.
        let hardware = self.config.borrow().probe.hardware;
        WebParts {
            status,
            store: self.store.clone(),
            monitor,
            scheduler,
            prober: network.clone(),
            previews: previews.clone(),
            clock: self.clock.clone(),
            config: self.config.clone(),
            config_file: self.watch_handle.clone(),
            metrics: Arc::new(move || metrics.render()),
            readiness: Arc::new(move || facts::readiness(&ready)),
            facts: Arc::new(move || {
                let mut facts = facts::health(&pool, hardware, &watch_handle, &network.state(), previews.counts());
                facts.insert("mqtt".to_owned(), mqtt.facts());
                facts.insert("notify".to_owned(), notify.facts());
                facts
            }),
            mqtt_test: Arc::new(move |mqtt| Box::pin(send_test_message(mqtt, clock.clone()))),
            notify_test: Arc::new(move |target| {
                let config = tested.borrow().clone();
                Box::pin(send_test_notice(target, config, notify_clock.clone()))
            }),
            state_dir: self.state_dir.clone(),
            tls: self.tls.clone(),
        }
    }
}

impl Tasks {
    fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.set.spawn(async move {
            task.await;
            name
        });
    }

    /// The name of the first task that ends: none should before it is told to.
    async fn first_ended(&mut self) -> &'static str {
        match self.set.join_next().await {
            Some(Ok(name)) => name,
            Some(Err(_)) => "that panicked",
            None => "set",
        }
    }

    /// No new probe; running ones hang up; what they found is committed; then everything else.
    async fn shut_down(&mut self, parts: &Parts) {
        self.scheduler.cancel();
        let previews = self.previews.take();
        let end_previews = async {
            if let Some(previews) = previews {
                previews.close().await;
            }
        };
        tokio::join!(end_previews, parts.pool.close());
        self.rest.cancel();
        while self.set.join_next().await.is_some() {}
        parts.store.clone().close().await;
    }
}

/// Some settings are taken at the start; whoever changes them is told so.
async fn warn_of_fixed_settings(mut config: watch::Receiver<Arc<Config>>, cancel: CancellationToken) {
    let mut before = config.borrow_and_update().clone();
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            changed = config.changed() => if changed.is_err() { return cancel.cancelled().await; },
        }
        let now = config.borrow_and_update().clone();
        let fixed = |config: &Config| (config.web.listen, config.web.tls.clone());
        let (web, storage) = (fixed(&now) != fixed(&before), now.storage.path != before.storage.path);
        let pool = |config: &Config| {
            let probe = &config.probe;
            (probe.workers, probe.in_flight, probe.decode_slots, probe.worker_megabytes, probe.hardware)
        };
        if web || storage || pool(&now) != pool(&before) {
            tracing::warn!(
                "web.listen, web.tls, storage.path and probe.workers, in_flight, decode_slots, worker_megabytes and hardware \
                 take effect at the next start of the service"
            );
        }
        before = now;
    }
}

/// SIGTERM and SIGINT end, SIGHUP reloads.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Reloads at each SIGHUP; returns at the first signal that ends.
    async fn until_end(&mut self, watch_handle: &WatchHandle) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => watch_handle.reload(),
            }
        }
    }
}
