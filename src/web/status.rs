//! `/api/status`: the original's shape, and a little more.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::Web;
use super::call::{Call, call};
use super::errors::{ApiError, json, respond};
use super::view;
use crate::model::{Health, Role};
use crate::monitor::StreamStatus;

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "status")
        .and(warp::get())
        .and(call(web))
        .then(|call: Call| async move { respond(status(call).await) })
        .boxed()
}

async fn status(call: Call) -> Result<Response, ApiError> {
    let public = call.web.parts.config.borrow().web.public_status;
    let (role, rows) = if public {
        (Role::Viewer, call.web.parts.status.all())
    } else {
        let caller = call.caller(Role::Viewer).await?;
        (caller.role, call.rows(&caller))
    };
    let streams: Map<String, Value> = rows.iter().map(|row| (row.stream.name.clone(), entry(row, role))).collect();
    Ok(json(&streams))
}

fn entry(row: &StreamStatus, role: Role) -> Value {
    let last = row.last.as_ref();
    json!({
        "ts": last.map(|last| last.at),
        "status": match row.state.health {
            Health::Up | Health::Degraded => "ok",
            Health::Down => "fail",
            Health::Unknown | Health::Maintenance => "",
        },
        "latency": last.map(|last| view::whole_ms(last.report.latency)),
        "message": last.map_or_else(String::new, |last| view::message(row, &last.report, role)),
        "state": row.state.health,
        "reason": row.state.reason,
        "since": row.state.since,
    })
}
