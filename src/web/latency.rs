//! `/api/streams/{id}/latency`: how long pictures took, hour by hour. Single heartbeats are in [`super::history`].

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::Web;
use super::call::{Call, call};
use super::errors::{ApiError, json, respond};
use super::history::time;
use super::streams::row;
use crate::model::Role;

/// What is answered without `from`.
const DEFAULT_WINDOW: Duration = Duration::from_secs(24 * 3600);

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "streams" / String / "latency")
        .and(warp::get())
        .and(call(web))
        .then(|id: String, call: Call| async move { respond(latency(call, id).await) })
        .boxed()
}

async fn latency(call: Call, id: String) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Viewer).await?;
    let row = row(&call, &caller, &id)?;
    let to = time(&call, "to")?.unwrap_or_else(|| call.web.parts.clock.now());
    let from = time(&call, "from")?.unwrap_or_else(|| to.checked_sub(DEFAULT_WINDOW).unwrap_or(to));
    let hours = call.web.parts.store.latency_hours(&row.stream.id, from, to).await?;
    Ok(json(&json!({"from": from, "to": to, "hours": hours})))
}
