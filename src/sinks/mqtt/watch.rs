//! A client that listens: for whoever wants to see what arrives at a broker.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::broker::{Broker, client_id, node};
use super::failure::Failure;
use super::packet::LARGE_BYTES;
use super::session::{Happened, Session};
use super::topics::Topics;
use crate::config::Mqtt;

/// From the name to the broker's welcome.
const DEADLINE: Duration = Duration::from_secs(15);

/// A message as it came, or what became of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The broker has let us in; its address.
    Connected(String),
    /// It lets us read these topics, or not.
    Subscribed {
        /// What was asked for.
        filters: Vec<String>,
        /// False: its access list forbids one of them.
        is_granted: bool,
    },
    /// A message.
    Message {
        /// Where.
        topic: String,
        /// What.
        payload: Bytes,
        /// The broker had kept it.
        retained: bool,
    },
    /// A message that is too long to be shown.
    Oversized,
}

/// Why it is over: what happened, and the next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchFailure {
    /// The broker, without an account.
    pub broker: String,
    /// One sentence.
    pub message: String,
    /// Another.
    pub next_step: String,
}

/// Listens to these topics, to what this service publishes when there are none, until `on_seen` says that it is enough (false).
/// `mqtt.enabled` does not matter.
///
/// # Errors
/// When the broker cannot be reached, or is lost.
pub async fn watch(
    mqtt: &Mqtt,
    filters: Vec<String>,
    mut on_seen: impl FnMut(Seen) -> bool,
) -> Result<(), WatchFailure> {
    let broker = Broker::of(mqtt);
    let filters = if filters.is_empty() { own_topics(mqtt) } else { filters };
    listen(mqtt, &broker, filters, &mut on_seen).await.map_err(|failure| {
        let (message, next_step) = failure.words(&broker);
        WatchFailure { broker: broker.to_string(), message, next_step }
    })
}

fn own_topics(mqtt: &Mqtt) -> Vec<String> {
    vec![mqtt.topic.clone(), Topics::of(&node(mqtt)).everything()]
}

async fn listen(
    mqtt: &Mqtt,
    broker: &Broker,
    filters: Vec<String>,
    on_seen: &mut impl FnMut(Seen) -> bool,
) -> Result<(), Failure> {
    // Under its own name it would put out the connection of the service.
    let number = getrandom::u32().unwrap_or_default() % 10_000;
    let client_id = format!("{}-watch-{number:04}", client_id(mqtt));
    let deadline = Instant::now() + DEADLINE;
    let mut session = Session::open_for(mqtt, broker, &client_id, None, LARGE_BYTES, deadline).await?;
    session.subscribe(&filters)?;
    let mut goes_on = on_seen(Seen::Connected(broker.to_string()));
    while goes_on {
        let seen = match session.next().await? {
            Happened::Delivered(_) | Happened::Refused { .. } => continue,
            Happened::Subscribed { is_granted } => Seen::Subscribed { filters: filters.clone(), is_granted },
            Happened::Oversized => Seen::Oversized,
            Happened::Message { topic, payload, retain } => Seen::Message { topic, payload, retained: retain },
        };
        goes_on = on_seen(seen);
    }
    session.close().await;
    Ok(())
}
