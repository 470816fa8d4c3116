//! Addresses that scripts for the original know: `/history/<name>`, `/api/cfg`. Others are beside what they are like.

use std::sync::Arc;

use serde_json::json;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::Response as HttpResponse;
use warp::http::header::{CONTENT_TYPE, HeaderValue};
use warp::reply::{Reply, Response};

use super::Web;
use super::auth::Caller;
use super::call::{Call, call};
use super::errors::{ApiError, json, respond};
use super::export::{local_time, status};
use crate::model::Role;
use crate::model::url::percent_decode;
use crate::monitor::StreamStatus;
use crate::store::HistoryQuery;

/// Lines of `/history/<name>`.
const LINES: usize = 50;

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    let history = warp::path!("history" / String)
        .and(warp::get())
        .and(call(web))
        .then(|name: String, call: Call| async move { respond(history(call, &name).await) });
    let cfg = warp::path!("api" / "cfg")
        .and(warp::get())
        .and(call(web))
        .then(|call: Call| async move { respond(cfg(call).await) });
    history.or(cfg).unify().boxed()
}

/// The stream of this name, percent-encoded as in an address, or of this id.
pub(super) fn named(call: &Call, caller: &Caller, name: &str) -> Result<Arc<StreamStatus>, ApiError> {
    let name = percent_decode(name);
    let rows = call.rows(caller);
    let found = rows.iter().find(|row| row.stream.name == name);
    let found = found.or_else(|| rows.iter().find(|row| row.stream.id.as_str() == name));
    found.cloned().ok_or_else(|| ApiError::no_such_stream(&name))
}

/// The newest heartbeats as lines of text.
async fn history(call: Call, name: &str) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Viewer).await?;
    let row = named(&call, &caller, name)?;
    let query = HistoryQuery { limit: LINES, ..HistoryQuery::default() };
    let page = call.web.parts.store.history(&row.stream.id, query).await?;
    let zone = call.web.parts.config.borrow().timezone.clone();
    let line = |heartbeat: &crate::model::Heartbeat| {
        let (time, reason) = (local_time(heartbeat, &zone), heartbeat.reason);
        format!("{time} | {} | {} ms | {}", status(reason), heartbeat.latency_ms, reason.sentence())
    };
    let lines: Vec<String> = page.heartbeats.iter().map(line).collect();
    let text = if lines.is_empty() { "No history.".to_owned() } else { lines.join("\n") };
    let mut response = HttpResponse::new(text).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Ok(response)
}

/// The time zone of the configuration and its offset now.
async fn cfg(call: Call) -> Result<Response, ApiError> {
    let config = call.web.parts.config.borrow().clone();
    if !config.web.public_status {
        call.caller(Role::Viewer).await?;
    }
    let offset = call.web.parts.clock.now().to_zoned(config.timezone.clone()).strftime("%:z").to_string();
    Ok(json(&json!({"timezone": config.timezone_name, "utc_offset": offset, "timezone_set": true})))
}
