//! What the service says of itself in `/readyz`, `/api/health` and `/metrics`.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::config::{Hardware, WatchHandle};
use crate::metrics::{Metrics, Mqtt, Notified, Workers};
use crate::probe::decoders::Decoder;
use crate::probe::network::NetworkState;
use crate::probe::pool::Pool;
use crate::probe::sandbox::Missing;
use crate::schedule::SchedulerHandle;
use crate::sinks::mqtt::MqttHandle;
use crate::sinks::notify::{NotifyHandle, TargetFigures};

/// Probing is possible while a worker runs.
pub fn readiness(pool: &Pool) -> Result<(), String> {
    if pool.measures().worker_pids.is_empty() { Err("no probe worker is running".to_owned()) } else { Ok(()) }
}

/// For the scheduler to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the service does its work, for whoever watches over it: the scheduler answers, and probing is possible.
pub async fn alive(scheduler: &SchedulerHandle, pool: &Pool) -> Result<(), String> {
    if scheduler.is_alive(PATIENCE).await { readiness(pool) } else { Err("the scheduler does not answer".to_owned()) }
}

/// What `/metrics` says of the workers.
pub fn workers(pool: &Pool) -> Workers {
    let measures = pool.measures();
    Workers { running: measures.worker_pids.len(), restarts_total: measures.restarts_total }
}

/// What `/metrics` says of MQTT.
pub fn mqtt(mqtt: &MqttHandle) -> Mqtt {
    let (queued, dropped_total) = mqtt.backlog();
    Mqtt { connected: mqtt.is_connected(), published_total: mqtt.published_total(), queued, dropped_total }
}

/// What `/metrics` says of the targets of messages.
pub fn notify(notify: &NotifyHandle) -> Vec<Notified> {
    let of_one = |figures: TargetFigures| Notified {
        target: figures.name,
        delivered_total: figures.delivered_total,
        waiting: figures.waiting,
        dropped_total: figures.dropped_total,
        is_failing: figures.is_failing,
    };
    notify.figures().into_iter().map(of_one).collect()
}

/// Workers, the network and the last reading of the configuration file, for `/api/health`.
pub fn health(
    pool: &Pool,
    hardware: Hardware,
    watch_handle: &WatchHandle,
    network: &NetworkState,
    (viewers, shown): (usize, usize),
) -> Map<String, Value> {
    let measures = pool.measures();
    let status = watch_handle.status();
    let texts = |problems: &[crate::config::Problem]| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    let layers = || measures.sandbox.iter().map(String::as_str);
    let mut facts = Map::new();
    facts.insert(
        "workers".to_owned(),
        json!({
            "running": measures.worker_pids.len(),
            "pids": measures.worker_pids,
            "restarts_total": measures.restarts_total,
            "streams_in_quarantine": measures.suspects,
            "decoders": measures.decoders,
            "hardware": {
                "setting": hardware.as_str(),
                "decoders": measures.hardware.iter().map(decoder).collect::<Vec<_>>(),
            },
            "sandbox": layers().filter(|layer| Missing::of(layer).is_none()).collect::<Vec<_>>(),
            "sandbox_missing": layers().filter_map(Missing::of).map(missing).collect::<Vec<_>>(),
        }),
    );
    facts.insert(
        "network".to_owned(),
        json!({"sentinel": network.sentinel, "offline_because": network.offline_because}),
    );
    facts.insert("previews".to_owned(), json!({"viewers": viewers, "streams": shown}));
    facts.insert(
        "configuration".to_owned(),
        json!({
            "ok": status.ok,
            "read_at": status.at,
            "in_use_since": status.good_at,
            "problems": texts(&status.problems),
            "warnings": texts(&status.warnings),
        }),
    );
    facts
}

/// A hardware decoder, as `/api/health` shows it.
fn decoder(decoder: &Decoder) -> Value {
    json!({
        "element": decoder.element,
        "codec": decoder.codec,
        "device": decoder.device,
        "used": decoder.is_used(),
        "slots": decoder.slots,
        "not_used_because": decoder.not_used.map(|why| why.to_string()),
    })
}

/// A layer of the sandbox that is not in force, as `/api/health` shows it.
fn missing(missing: Missing) -> Value {
    json!({"layer": missing.layer, "because": missing.why, "meaning": missing.meaning()})
}

/// Says in the log what limits the workers, and what should and does not.
pub fn tell_sandbox(layers: &[String]) {
    let active: Vec<_> = layers.iter().map(String::as_str).filter(|layer| Missing::of(layer).is_none()).collect();
    tracing::info!("probe workers are limited by: {}", active.join(", "));
    for missing in layers.iter().filter_map(|layer| Missing::of(layer)) {
        let Missing { layer, why } = missing;
        // Raspberry Pi OS ships its kernels without Landlock.
        if missing.is_serious() {
            tracing::warn!("probe workers run without {layer} ({why}): {}", missing.meaning());
        } else {
            tracing::info!("probe workers run without {layer} ({why}): {}", missing.meaning());
        }
    }
}

/// Says in the log which hardware decoders there are.
pub fn tell_hardware(setting: Hardware, decoders: &[Decoder]) {
    for decoder in decoders {
        tracing::info!("hardware decoder {decoder}");
    }
    if decoders.is_empty() {
        tracing::info!("hardware decoders: none found");
    }
    if setting == Hardware::Required && !decoders.iter().any(Decoder::is_used) {
        tracing::error!("probe.hardware is required and no hardware decoder works: no H.264 or H.265 can be decoded");
    }
}

/// Tells the metrics how each reading of the configuration file went.
pub async fn follow_reloads(watch_handle: WatchHandle, metrics: Metrics, cancel: CancellationToken) {
    let mut status = watch_handle.subscribe();
    loop {
        metrics.set_reload_successful(status.borrow_and_update().ok);
        tokio::select! {
            () = cancel.cancelled() => return,
            changed = status.changed() => if changed.is_err() { return cancel.cancelled().await; },
        }
    }
}
