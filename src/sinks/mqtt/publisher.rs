//! The task: follows the configuration and keeps the connection.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::Parts;
use super::broker::{Broker, client_id, node};
use super::connected::Connected;
use super::failure::Failure;
use super::feed::SINK;
use super::handle::{MqttHandle, State};
use super::outlet::Outlet;
use super::session::Session;
use crate::backoff::Backoff;
use crate::config::{Config, Mqtt};

/// For a whole connection, from the name to the broker's welcome.
const CONNECT_DEADLINE: Duration = Duration::from_secs(15);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// A connection that held so long was a good one: the next begins at the first delay again. Two services of one client
/// id would put each other out as fast as they can.
const GOOD: Duration = Duration::from_secs(30);
/// How often what waits is counted.
const COUNT_EVERY: Duration = Duration::from_secs(5);

/// Publishes what the status table and the outbox have.
pub struct Publisher {
    config: watch::Receiver<Arc<Config>>,
    /// Those in force.
    settings: Settings,
    parts: Parts,
    handle: MqttHandle,
}

/// What a connection depends on: `mqtt:`, and the address of the dashboard.
pub(super) type Settings = (Mqtt, Option<String>);

fn settings_of(config: &Config) -> Settings {
    (config.mqtt.clone(), config.notify.dashboard_url.clone())
}

/// Why a connection, or the wait for one, is over.
pub(super) enum End {
    Cancelled,
    OtherSettings,
    Failed(Failure),
}

impl Publisher {
    /// It does nothing before [`Self::run`]; `handle` says how the connection stands.
    pub fn new(config: watch::Receiver<Arc<Config>>, parts: Parts, handle: MqttHandle) -> Self {
        let settings = settings_of(&config.borrow());
        Self { config, settings, parts, handle }
    }

    /// Publishes until `cancel`, then says goodbye.
    pub async fn run(mut self, cancel: CancellationToken) {
        let count = count_waiting(self.parts.clone(), self.handle.clone());
        tokio::select! {
            () = self.follow(&cancel) => {}
            () = count => {}
        }
    }

    async fn follow(&mut self, cancel: &CancellationToken) {
        loop {
            self.settings = settings_of(&self.config.borrow_and_update());
            let mqtt = self.settings.0.clone();
            let broker = Broker::of(&mqtt);
            let end = if mqtt.enabled {
                self.handle.set(State::Connecting, broker.to_string(), self.parts.clock.now());
                self.keep_connected(&mqtt, &broker, cancel).await
            } else {
                self.handle.set(State::Off, broker.to_string(), self.parts.clock.now());
                // Nobody waits for events any more.
                if let Err(error) = self.parts.store.close_sinks(SINK, Vec::new()).await {
                    tracing::warn!(%error, "events for MQTT are kept although it is switched off");
                }
                tokio::select! {
                    () = cancel.cancelled() => End::Cancelled,
                    () = other_settings(&mut self.config, &self.settings) => End::OtherSettings,
                }
            };
            if matches!(end, End::Cancelled) {
                return;
            }
        }
    }

    /// Until `cancel` or other settings.
    async fn keep_connected(&mut self, mqtt: &Mqtt, broker: &Broker, cancel: &CancellationToken) -> End {
        if mqtt.tls_insecure && broker.is_tls() {
            tracing::warn!(
                "mqtt.tls_insecure is true: whoever gets between this machine and {broker} can read the password and change \
                 the messages; name the broker's authority as mqtt.ca_file instead"
            );
        }
        let client_id = client_id(mqtt);
        let mut outlet =
            Outlet::new(self.parts.clone(), mqtt, &node(mqtt), broker.to_string(), self.settings.1.clone());
        let will = outlet.status("offline");
        let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
        loop {
            let deadline = Instant::now() + CONNECT_DEADLINE;
            let opened = tokio::select! {
                () = cancel.cancelled() => return End::Cancelled,
                () = other_settings(&mut self.config, &self.settings) => return End::OtherSettings,
                // From the first moment on what happens waits in the outbox.
                () = work(&mut outlet) => continue,
                opened = Session::open(mqtt, broker, &client_id, Some(&will), deadline) => opened,
            };
            let failure = match opened {
                Err(failure) => failure,
                Ok(session) => {
                    tracing::info!("connected to the MQTT broker {broker}");
                    self.handle.set(State::Connected, broker.to_string(), self.parts.clock.now());
                    let begun = Instant::now();
                    let (parts, handle) = (&self.parts, &self.handle);
                    let mut connected = Connected { session, outlet: &mut outlet, parts, mqtt, broker, handle };
                    let end = connected.run(&mut self.config, &self.settings, cancel).await;
                    let failure = match end {
                        End::Failed(failure) => failure,
                        end => {
                            connected.close().await;
                            return end;
                        }
                    };
                    if begun.elapsed() >= GOOD {
                        backoff.reset();
                    }
                    failure
                }
            };
            let (problem, next_step) = failure.words(broker);
            if self.handle.fail((problem.clone(), next_step.clone()), self.parts.clock.now()) {
                tracing::warn!("MQTT broker {broker}: {problem} {next_step}");
            }
            // An error comes at once: without this wait it would come again and again.
            tokio::select! {
                () = cancel.cancelled() => return End::Cancelled,
                () = other_settings(&mut self.config, &self.settings) => return End::OtherSettings,
                () = work(&mut outlet) => {}
                () = sleep(backoff.delay()) => {}
            }
        }
    }
}

/// What is done while there is no connection; it does not end.
async fn work(outlet: &mut Outlet) {
    loop {
        outlet.work().await;
    }
}

/// Says now and then how much waits, and what was dropped meanwhile.
async fn count_waiting(parts: Parts, handle: MqttHandle) {
    let mut ticks = interval(COUNT_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = None;
    loop {
        ticks.tick().await;
        let Ok(backlog) = parts.store.backlog(SINK).await else { continue };
        let backlog = backlog.unwrap_or_default();
        if told.is_some_and(|told| backlog.dropped_total > told) {
            tracing::warn!(
                "the MQTT broker is away for too long: {} events were dropped, the oldest that waits is of {}",
                backlog.dropped_total,
                backlog.oldest.map(|at| at.to_string()).unwrap_or_default(),
            );
        }
        told = Some(backlog.dropped_total);
        handle.waiting(backlog);
    }
}

/// Returns when the configuration has other settings for MQTT.
pub(super) async fn other_settings(config: &mut watch::Receiver<Arc<Config>>, settings: &Settings) {
    loop {
        if config.changed().await.is_err() {
            // Nobody changes it any more: the service ends.
            return std::future::pending().await;
        }
        if settings_of(&config.borrow_and_update()) != *settings {
            return;
        }
    }
}
