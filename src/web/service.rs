//! How the service itself is: `/healthz`, `/readyz`, `/api/health`.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::reply::Response;

use super::Web;
use super::call::{Call, call};
use super::errors::{ApiError, json, json_with, respond};
use crate::model::stage::to_ms;
use crate::model::{Health, Role};
use crate::monitor::StreamStatus;

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    let healthz = warp::path!("healthz").and(warp::get()).map(|| json(&json!({"status": "ok"})));
    let readyz = warp::path!("readyz").and(warp::get()).and(call(web)).map(|call: Call| readyz(&call));
    let health = warp::path!("api" / "health")
        .and(warp::get())
        .and(call(web))
        .then(|call: Call| async move { respond(health(call).await) });
    healthz.or(readyz).unify().or(health).unify().boxed()
}

/// 200 once the service does its work, 503 with the reason before and while it ends.
fn readyz(call: &Call) -> Response {
    match (call.web.parts.readiness)() {
        Ok(()) => json(&json!({"status": "ready"})),
        Err(reason) => json_with(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "not_ready", "reason": reason})),
    }
}

fn count(rows: &[Arc<StreamStatus>]) -> HashMap<Health, usize> {
    let mut counts = HashMap::new();
    for row in rows.iter().filter(|row| row.stream.enabled) {
        *counts.entry(row.state.health).or_default() += 1;
    }
    counts
}

/// The server's own connections and certificate.
fn web(call: &Call, role: Role) -> Value {
    let connections = call.web.places.counts();
    let tls = call.web.parts.tls.as_ref().map(|tls| {
        let mut state = tls.state();
        if role < Role::Operator {
            // It names files of this machine.
            state.problem = None;
        }
        state
    });
    json!({
        "connections": connections.open,
        "gave_way_total": connections.gave_way,
        "refused_total": connections.refused,
        "tls": tls,
    })
}

/// Takes the addresses of targets and of the watchdog out, and what is wrong with them.
fn without_receivers(answer: &mut Map<String, Value>) {
    let Some(notify) = answer.get_mut("notify") else { return };
    let hide = |value: &mut Value| {
        for key in ["to", "problem", "next_step"] {
            value.as_object_mut().and_then(|value| value.remove(key));
        }
    };
    hide(&mut notify["watchdog"]);
    notify["targets"].as_array_mut().into_iter().flatten().for_each(hide);
}

async fn health(call: Call) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Viewer).await?;
    let parts = &call.web.parts;
    let measures = parts.scheduler.measures();
    // The warnings name devices by their addresses, also those of streams that a caller with groups may not know of.
    let sees_devices = caller.role >= Role::Operator && caller.groups.is_none();
    let warnings = if sees_devices { parts.scheduler.warnings() } else { Vec::new() };
    let counts = count(&call.rows(&caller));
    let streams: Map<String, Value> =
        Health::ALL.iter().map(|h| (h.as_str().to_owned(), counts.get(h).copied().unwrap_or(0).into())).collect();
    let mut answer = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "started_at": call.web.started_at,
        "now": parts.clock.now(),
        "ready": (parts.readiness)().is_ok(),
        "not_ready_because": (parts.readiness)().err(),
        "store": {"alarm": parts.store.alarm()},
        "scheduler": {
            "lag_p99_ms": to_ms(measures.lag.p99),
            "lag_last_ms": to_ms(measures.lag.last),
            "heartbeats_missed": measures.missed_total,
            "probes": measures.probes_total,
            "in_flight": measures.in_flight,
            "waiting": measures.waiting,
            "warnings": warnings,
        },
        "streams": streams,
        "web": web(&call, caller.role),
    });
    if let Value::Object(answer) = &mut answer {
        answer.extend((parts.facts)());
        if !sees_devices {
            // It names an address.
            answer.remove("network");
            if let Some(Value::Object(mqtt)) = answer.get_mut("mqtt") {
                for key in ["broker", "problem", "next_step"] {
                    mqtt.remove(key);
                }
            }
            without_receivers(answer);
        }
        if caller.groups.is_some() {
            // Its problems name streams.
            answer.remove("configuration");
        }
    }
    Ok(json(&answer))
}
