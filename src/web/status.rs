//! `/api/status`: the original's shape, and a little more.

mod rendered;

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::header::{CONTENT_TYPE, ETAG, HeaderValue};
use warp::http::{Response as HttpResponse, StatusCode};
use warp::reply::{Reply as _, Response};

pub(super) use self::rendered::Rendered;
use super::Web;
use super::assets::has;
use super::call::{Call, call};
use super::errors::{ApiError, respond};
use super::view;
use crate::model::{Health, Reason, Role};
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
    let caller = if public { None } else { Some(call.caller(Role::Viewer).await?) };
    let role = caller.as_ref().map_or(Role::Viewer, |caller| caller.role);
    let groups = caller.as_ref().and_then(|caller| caller.groups.clone());
    let answer = call.web.rendered.answer(
        (role, groups),
        &call.web.parts.status,
        |stream| caller.as_ref().is_none_or(|caller| caller.sees(stream)),
        |row| entry(row, role),
    );
    // Another run of the service counts from the beginning.
    let tag = format!("\"{:x}-{}\"", call.web.started_at.as_millisecond(), answer.tag);
    let known = has(&call.headers, &tag);
    let mut response = HttpResponse::new(if known { Bytes::new() } else { answer.body }).into_response();
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(ETAG, HeaderValue::from_str(&tag).map_err(ApiError::internal)?);
    Ok(response)
}

#[derive(Serialize)]
struct Entry {
    ts: Option<Timestamp>,
    status: &'static str,
    latency: Option<u64>,
    message: String,
    state: Health,
    reason: Reason,
    since: Timestamp,
}

/// A stream's name and what is told of it, as a member of a JSON object.
fn entry(row: &StreamStatus, role: Role) -> String {
    let last = row.last.as_ref();
    let entry = Entry {
        ts: last.map(|last| last.at),
        status: match row.state.health {
            Health::Up | Health::Degraded => "ok",
            Health::Down => "fail",
            Health::Unknown | Health::Maintenance => "",
        },
        latency: last.map(|last| view::whole_ms(last.report.latency)),
        message: last.map_or_else(String::new, |last| view::message(row, &last.report, role)),
        state: row.state.health,
        reason: row.state.reason,
        since: row.state.since,
    };
    // Texts, numbers and times: nothing of it can fail.
    let text = |value: Result<String, serde_json::Error>| value.unwrap_or_else(|_| "null".to_owned());
    format!("{}:{}", text(serde_json::to_string(&row.stream.name)), text(serde_json::to_string(&entry)))
}
