//! One message to a target that is perhaps not saved yet.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::delivery::{deliver, words};
use super::message::{Context, Kind};
use crate::clock::Clock;
use crate::config::{Config, Target};
use crate::model::stage::to_ms;
use crate::sinks::host_name;

/// Sends a test message: what `POST /api/notify/test` answers. `enabled` does not matter.
pub async fn send_test_message(target: Target, config: Arc<Config>, clock: Arc<dyn Clock>) -> Value {
    let (host, now) = (host_name(), clock.now());
    let context = Context { config: &config, groups: &target.groups, host: &host, now };
    let number = getrandom::u32().unwrap_or_default();
    let text = format!("Messages of StreamPulse on {host} for the target {} arrive here.", target.name);
    let title = "Test message from StreamPulse".to_owned();
    let message = context.plain(format!("test-{number:08x}"), Kind::Test, title, text);
    let to = target.to.to_string();
    let begun = Instant::now();
    match deliver(&target, &message, now).await {
        Ok(()) => json!({"ok": true, "to": to, "id": message.id, "milliseconds": to_ms(begun.elapsed())}),
        Err(failure) => {
            let (problem, next_step) = words(&target, &failure);
            json!({
                "ok": false,
                "to": to,
                "stage": failure.stage.as_str(),
                "message": problem,
                "next_step": next_step,
            })
        }
    }
}
