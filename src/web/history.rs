//! `/api/streams/{id}/history`: heartbeats, newest first, page by page.

use std::sync::Arc;

use jiff::Timestamp;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::Web;
use super::call::{Call, call};
use super::errors::{ApiError, json, respond};
use super::streams::row;
use crate::model::Role;
use crate::store::HistoryQuery;

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "streams" / String / "history")
        .and(warp::get())
        .and(call(web))
        .then(|id: String, call: Call| async move { respond(history(call, id).await) })
        .boxed()
}

async fn history(call: Call, id: String) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Viewer).await?;
    let row = row(&call, &caller, &id)?;
    let limit = limit(&call, DEFAULT_LIMIT)?;
    let query =
        HistoryQuery { from: time(&call, "from")?, to: time(&call, "to")?, limit, cursor: time(&call, "cursor")? };
    Ok(json(&call.web.parts.store.history(&row.stream.id, query).await?))
}

/// The length of a page.
pub(super) fn limit(call: &Call, default: usize) -> Result<usize, ApiError> {
    let Some(text) = call.query("limit") else { return Ok(default) };
    text.parse()
        .ok()
        .filter(|n| (1..=MAX_LIMIT).contains(n))
        .ok_or_else(|| ApiError::bad_request("bad_parameter", format!("limit must be a number from 1 to {MAX_LIMIT}.")))
}

/// A number, when one is given.
pub(super) fn number(call: &Call, name: &str) -> Result<Option<i64>, ApiError> {
    let Some(text) = call.query(name) else { return Ok(None) };
    let bad = |_| ApiError::bad_request("bad_parameter", format!("{name} must be the next_cursor of the page before."));
    text.parse().map(Some).map_err(bad)
}

/// Yes or no, when it is said.
pub(super) fn flag(call: &Call, name: &str) -> Result<Option<bool>, ApiError> {
    match call.query(name).as_deref() {
        None => Ok(None),
        Some("true" | "1") => Ok(Some(true)),
        Some("false" | "0") => Ok(Some(false)),
        Some(_) => Err(ApiError::bad_request("bad_parameter", format!("{name} must be true or false."))),
    }
}

/// A time, when one is given.
pub(super) fn time(call: &Call, name: &str) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = call.query(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        let message = format!("{name} must be a time such as 2026-01-31T12:00:00Z.");
        ApiError::bad_request("bad_parameter", message)
    })
}
