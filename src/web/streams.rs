//! `/api/streams`: the list, one stream, probe now, a new reference picture. Changes are in [`super::stream_edit`].

use std::sync::Arc;

use serde_json::json;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::reply::Response;

use super::Web;
use super::auth::Caller;
use super::call::{Call, call};
use super::errors::{ApiError, json, respond, sentence, to_its_end};
use super::history::flag;
use super::{config_edit, stream_edit, view};
use crate::model::{ProbeReport, Role};
use crate::monitor::StreamStatus;
use crate::schedule::ProbeNowError;

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    let list = warp::path!("api" / "streams")
        .and(warp::get())
        .and(call(web))
        .then(|call: Call| async move { respond(list(call).await) });
    let one = warp::path!("api" / "streams" / String)
        .and(warp::get())
        .and(call(web))
        .then(|id: String, call: Call| async move { respond(one(call, id).await) });
    let probe = warp::path!("api" / "streams" / String / "probe")
        .and(warp::post())
        .and(call(web))
        .then(|id: String, call: Call| async move { respond(probe(call, id).await) });
    let reference = warp::path!("api" / "streams" / String / "reference")
        .and(warp::post())
        .and(call(web))
        .then(|id: String, call: Call| to_its_end(async move { reference(call, id).await }));
    list.or(one).unify().or(probe).unify().or(reference).unify().boxed()
}

async fn list(call: Call) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Viewer).await?;
    let rows = call.rows(&caller);
    let as_strip = flag(&call, "strip")?.unwrap_or_default();
    let summary = |row: &Arc<StreamStatus>| {
        let paused_until = call.web.paused_until(&row.stream.id);
        match as_strip {
            true => view::with_strip(row, caller.role, paused_until),
            false => view::summary(row, caller.role, view::LISTED_HEARTBEATS, paused_until),
        }
    };
    let streams: Vec<_> = rows.iter().map(summary).collect();
    Ok(json(&json!({"streams": streams, "now": call.web.parts.clock.now()})))
}

async fn one(call: Call, id: String) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Viewer).await?;
    let row = row(&call, &caller, &id)?;
    if caller.role == Role::Admin {
        let document = config_edit::document(&call).await.ok();
        return stream_edit::detail(&call, &caller, &row, document.as_ref());
    }
    Ok(json(&view::detail(&row, caller.role, call.web.paused_until(&row.stream.id))))
}

async fn probe(call: Call, id: String) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Operator).await?;
    let row = row(&call, &caller, &id)?;
    let report = probe_now(&call, &row).await?;
    Ok(json(&view::report(&row, &report, None, caller.role)))
}

/// What the camera shows now is usual from now on; probes at once, so that the answer is the new verdict.
async fn reference(call: Call, id: String) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Operator).await?;
    let row = row(&call, &caller, &id)?;
    if !call.web.parts.monitor.take_reference(&row.stream.id) {
        return Err(ApiError::unavailable("busy", "Too many requests wait; try again in a moment."));
    }
    call.audit(&caller, "stream.reference", row.stream.id.as_str(), json!({})).await;
    let report = probe_now(&call, &row).await?;
    Ok(json(&view::report(&row, &report, None, caller.role)))
}

/// The row of a stream that the caller may know of, or 404.
pub(super) fn row(call: &Call, caller: &Caller, id: &str) -> Result<Arc<StreamStatus>, ApiError> {
    let row = call.web.parts.status.get(id).filter(|row| caller.sees(&row.stream));
    row.ok_or_else(|| ApiError::no_such_stream(id))
}

/// Probes and waits for the recorded report.
pub(super) async fn probe_now(call: &Call, row: &StreamStatus) -> Result<Arc<ProbeReport>, ApiError> {
    let id = &row.stream.id;
    call.web.parts.scheduler.probe_now(id).await.map_err(|error| {
        let sentence = sentence(&error.to_string());
        match error {
            ProbeNowError::Unknown(_) => ApiError::no_such_stream(id.as_str()),
            ProbeNowError::Disabled(_) => ApiError::new(StatusCode::CONFLICT, "stream_disabled", sentence),
            ProbeNowError::Paused { .. } => ApiError::new(StatusCode::CONFLICT, "password_refused", sentence),
            ProbeNowError::Busy => ApiError::unavailable("busy", sentence),
            ProbeNowError::Stopped => ApiError::unavailable("stopping", sentence),
            _ => ApiError::new(StatusCode::GATEWAY_TIMEOUT, "no_report", sentence),
        }
    })
}
