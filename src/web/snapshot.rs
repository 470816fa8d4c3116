//! `/api/streams/{id}/snapshot.jpg`: the last verified picture, never an old one passed off as new.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::json;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, LAST_MODIFIED};
use warp::http::{HeaderMap, Response as HttpResponse, StatusCode};
use warp::reply::{Reply, Response};

use super::Web;
use super::assets::has;
use super::call::{Call, call};
use super::errors::{ApiError, respond};
use super::history::flag;
use super::streams::{probe_now, row};
use super::view;
use crate::model::{Reason, Role, Snapshot};
use crate::store::{EvidenceKind, IncidentQuery, KeptEvidence};

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    let snapshot = warp::path!("api" / "streams" / String / "snapshot.jpg")
        .and(warp::get())
        .and(call(web))
        .then(|id: String, call: Call| async move { respond(snapshot(call, id).await) });
    let reference = warp::path!("api" / "streams" / String / "reference.jpg")
        .and(warp::get())
        .and(call(web))
        .then(|id: String, call: Call| async move { respond(reference(call, id).await) });
    snapshot.or(reference).unify().boxed()
}

/// The last picture with nothing wrong: since the start, or from the evidence of the incident that is open.
async fn reference(call: Call, id: String) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Viewer).await?;
    let row = row(&call, &caller, &id)?;
    if let Some(usual) = &row.usual {
        return Ok(answer(&call, usual));
    }
    let store = &call.web.parts.store;
    let query = IncidentQuery { stream: Some(row.stream.id.clone()), open: Some(true), limit: 1, ..Default::default() };
    for incident in store.incidents(query).await? {
        let pieces = store.evidence(incident.id).await?;
        let is_meant = |piece: &&KeptEvidence| piece.kind == EvidenceKind::LastGood && piece.stream == row.stream.id;
        let Some(piece) = pieces.iter().find(is_meant) else { continue };
        if let Some((jpeg, taken_at)) = store.evidence_picture(incident.id, piece.number).await? {
            return Ok(answer(&call, &Snapshot { jpeg, taken_at }));
        }
    }
    let message =
        "There is no picture without an issue of this stream: none since the service started, and none is kept.";
    Err(ApiError::not_found("no_reference", message))
}

async fn snapshot(call: Call, id: String) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Viewer).await?;
    let fresh = flag(&call, "fresh")?.unwrap_or_default();
    if fresh {
        // It costs the camera a session, as a probe does.
        call.caller(Role::Operator).await?;
    }
    let before = row(&call, &caller, &id)?;
    if fresh {
        let report = probe_now(&call, &before).await?;
        if report.reason() != Reason::Ok {
            let message = view::message(&before, &report, caller.role);
            return Err(ApiError::new(StatusCode::BAD_GATEWAY, "probe_failed", message).detail(json!({
                "stage": report.stage(), "reason": report.reason(), "next_step": report.reason().next_step(),
            })));
        }
        // The report came after its picture was put into the table.
        let after = row(&call, &caller, &id)?;
        let previous = before.snapshot.as_ref().map(|snapshot| snapshot.taken_at);
        return match &after.snapshot {
            Some(snapshot) if previous.is_none_or(|previous| snapshot.taken_at > previous) => {
                Ok(answer(&call, snapshot))
            }
            _ => {
                let message = "The probe was good but left no picture; try again.";
                Err(ApiError::new(StatusCode::BAD_GATEWAY, "no_fresh_picture", message))
            }
        };
    }
    match &before.snapshot {
        Some(snapshot) => Ok(answer(&call, snapshot)),
        None => {
            let reason = before.last.as_ref().map(|last| last.report.reason());
            let why = match reason {
                None => "it was not probed yet".to_owned(),
                Some(Reason::Ok) => "the picture of the last probe was not kept".to_owned(),
                Some(reason) => format!("the last probe ended with {reason}"),
            };
            let message = format!("There is no verified picture of this stream since the service started: {why}.");
            Err(ApiError::not_found("no_picture", message).detail(json!({"reason": reason})))
        }
    }
}

fn answer(call: &Call, snapshot: &Snapshot) -> Response {
    // Two pictures of one stream are never taken in the same millisecond.
    let tag = format!("\"{:x}-{:x}\"", snapshot.taken_at.as_millisecond(), snapshot.jpeg.len());
    let known = has(&call.headers, &tag);
    let mut response = HttpResponse::new(if known { Bytes::new() } else { snapshot.jpeg.clone() }).into_response();
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    for (name, value) in [(ETAG, Some(tag)), (LAST_MODIFIED, http_date(snapshot.taken_at))] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(name, value);
        }
    }
    response
}

/// Says when a picture was taken.
pub(super) fn say_when(headers: &mut HeaderMap, taken_at: Timestamp) {
    if let Some(value) = http_date(taken_at).and_then(|date| HeaderValue::from_str(&date).ok()) {
        headers.insert(LAST_MODIFIED, value);
    }
}

/// RFC 9110 section 5.6.7.
fn http_date(at: Timestamp) -> Option<String> {
    DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok()
}
