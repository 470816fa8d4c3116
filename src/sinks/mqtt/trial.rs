//! One message to settings that are perhaps not saved yet.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::broker::{Broker, client_id, host_name};
use super::failure::{Failure, Fault, Stage};
use super::packet::Message;
use super::session::{Happened, Session, Unsent};
use crate::clock::Clock;
use crate::config::Mqtt;
use crate::model::stage::to_ms;

/// For all of it.
const DEADLINE: Duration = Duration::from_secs(10);

/// Connects once, publishes a small message to `<topic>/test`, waits until the broker has acknowledged it, and says
/// goodbye: what `POST /api/mqtt/test` answers. `mqtt.enabled` does not matter.
pub async fn send_test_message(mqtt: Mqtt, clock: Arc<dyn Clock>) -> Value {
    let broker = Broker::of(&mqtt);
    let topic = format!("{}/test", mqtt.topic);
    let begun = Instant::now();
    match sent(&mqtt, &broker, &topic, clock, begun + DEADLINE).await {
        Ok(session) => {
            let took = begun.elapsed();
            session.close().await;
            json!({"ok": true, "broker": broker.to_string(), "topic": topic, "milliseconds": to_ms(took)})
        }
        Err(failure) => {
            let (message, next_step) = failure.words(&broker);
            json!({
                "ok": false,
                "broker": broker.to_string(),
                "stage": failure.stage.as_str(),
                "message": message,
                "next_step": next_step,
            })
        }
    }
}

async fn sent(
    mqtt: &Mqtt,
    broker: &Broker,
    topic: &str,
    clock: Arc<dyn Clock>,
    deadline: Instant,
) -> Result<Session, Failure> {
    // Under its own name it would put out the connection that is there.
    let number = getrandom::u32().unwrap_or_default() % 10_000;
    let client_id = format!("{}-test-{number:04}", client_id(mqtt));
    let mut session = Session::open(mqtt, broker, &client_id, None, deadline).await?;
    let payload = json!({
        "test": true,
        "from": concat!("StreamPulse ", env!("CARGO_PKG_VERSION")),
        "host": host_name(),
        "at": clock.now(),
    });
    let payload = payload.to_string().into();
    let message = Message { topic: topic.to_owned(), payload, qos: 1, retain: false };
    session.publish(&message).map_err(|unsent| match unsent {
        Unsent::Full => Failure::at(Stage::Publish, Fault::NotAcknowledged),
        Unsent::Refused(failure) => failure,
    })?;
    let acknowledged = async {
        while !session.is_idle() {
            if let Happened::Refused { failure, .. } = session.next().await? {
                return Err(failure);
            }
        }
        Ok(())
    };
    timeout_at(deadline, acknowledged).await.unwrap_or_else(|_| Err(Failure::at(Stage::Publish, Fault::Late)))?;
    Ok(session)
}
