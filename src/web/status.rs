//! `/api/status`: the original's shape, and a little more.

mod rendered;

use std::sync::Arc;

use bytes::Bytes;
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
use crate::model::Role;
use crate::monitor::status_json::entry;

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
