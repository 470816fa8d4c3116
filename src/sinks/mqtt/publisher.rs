//! The task: follows the configuration, keeps the connection, publishes the status at the interval.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::broker::{Broker, client_id};
use super::failure::Failure;
use super::handle::{MqttHandle, State};
use super::session::{Message, Session};
use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::config::{Config, Mqtt};
use crate::monitor::{StatusTable, status_json};

/// For a whole connection, from the name to the broker's welcome.
const CONNECT_DEADLINE: Duration = Duration::from_secs(15);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// A connection that held so long was a good one: the next begins at the first delay again. Two services of one client
/// id would put each other out as fast as they can.
const GOOD: Duration = Duration::from_secs(30);

/// Publishes what the status table says.
pub struct Publisher {
    config: watch::Receiver<Arc<Config>>,
    status: StatusTable,
    clock: Arc<dyn Clock>,
    handle: MqttHandle,
}

/// Why a connection, or the wait for one, is over.
enum End {
    Cancelled,
    OtherSettings,
    Failed(Failure),
}

impl Publisher {
    /// It does nothing before [`Self::run`]; `handle` says how the connection stands.
    pub fn new(
        config: watch::Receiver<Arc<Config>>,
        status: StatusTable,
        clock: Arc<dyn Clock>,
        handle: MqttHandle,
    ) -> Self {
        Self { config, status, clock, handle }
    }

    /// Publishes until `cancel`, then says goodbye.
    pub async fn run(mut self, cancel: CancellationToken) {
        loop {
            let mqtt = self.config.borrow_and_update().mqtt.clone();
            let broker = Broker::of(&mqtt);
            let end = if mqtt.enabled {
                self.handle.set(State::Connecting, broker.to_string(), self.clock.now());
                self.keep_connected(&mqtt, &broker, &cancel).await
            } else {
                self.handle.set(State::Off, broker.to_string(), self.clock.now());
                tokio::select! {
                    () = cancel.cancelled() => End::Cancelled,
                    () = other_settings(&mut self.config, &mqtt) => End::OtherSettings,
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
        let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
        loop {
            let deadline = Instant::now() + CONNECT_DEADLINE;
            let opened = tokio::select! {
                () = cancel.cancelled() => return End::Cancelled,
                () = other_settings(&mut self.config, mqtt) => return End::OtherSettings,
                opened = Session::open(mqtt, broker, &client_id, deadline) => opened,
            };
            let failure = match opened {
                Err(failure) => failure,
                Ok(session) => {
                    tracing::info!("connected to the MQTT broker {broker}");
                    self.handle.set(State::Connected, broker.to_string(), self.clock.now());
                    let begun = Instant::now();
                    match self.publish(session, mqtt, cancel).await {
                        End::Failed(failure) => {
                            if begun.elapsed() >= GOOD {
                                backoff.reset();
                            }
                            failure
                        }
                        end => return end,
                    }
                }
            };
            let (problem, next_step) = failure.words(broker);
            if self.handle.fail((problem.clone(), next_step.clone()), self.clock.now()) {
                tracing::warn!("MQTT broker {broker}: {problem} {next_step}");
            }
            // An error comes at once: without this wait it would come again and again.
            tokio::select! {
                () = cancel.cancelled() => return End::Cancelled,
                () = other_settings(&mut self.config, mqtt) => return End::OtherSettings,
                () = sleep(backoff.delay()) => {}
            }
        }
    }

    /// Until the connection is lost, `cancel` or other settings. Only the first is without a goodbye.
    async fn publish(&mut self, mut session: Session, mqtt: &Mqtt, cancel: &CancellationToken) -> End {
        let mut ticks = interval(mqtt.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = loop {
            tokio::select! {
                () = cancel.cancelled() => break End::Cancelled,
                () = other_settings(&mut self.config, mqtt) => break End::OtherSettings,
                _ = ticks.tick() => {
                    // One that is still on the way would only be followed by a newer one: the newest is what counts.
                    if !session.is_idle() {
                        continue;
                    }
                    let message = Message {
                        topic: mqtt.topic.clone(),
                        payload: status_json::for_others(&self.status).into(),
                        qos: mqtt.qos,
                        retain: mqtt.retain,
                    };
                    if let Err(failure) = session.publish(message) {
                        break End::Failed(failure);
                    }
                }
                sent = session.next() => match sent {
                    Ok(messages) => self.handle.published(messages, self.clock.now()),
                    Err(failure) => break End::Failed(failure),
                },
            }
        };
        if !matches!(end, End::Failed(_)) {
            session.close().await;
        }
        end
    }
}

/// Returns when the configuration has other settings for MQTT.
async fn other_settings(config: &mut watch::Receiver<Arc<Config>>, mqtt: &Mqtt) {
    loop {
        if config.changed().await.is_err() {
            // Nobody changes it any more: the service ends.
            return std::future::pending().await;
        }
        if config.borrow_and_update().mqtt != *mqtt {
            return;
        }
    }
}
