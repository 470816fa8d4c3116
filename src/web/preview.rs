//! `/api/streams/{id}/preview`: live pictures, one part after the other (RFC 2046 section 5.1; browsers show
//! `multipart/x-mixed-replace` in an `img`).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use serde_json::json;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use warp::reply::{Reply, Response};

use super::Web;
use super::auth::Caller;
use super::call::{Call, call};
use super::errors::{ApiError, respond, sentence};
use super::originals::named;
use super::streams::row;
use super::trial::not_visited;
use super::view;
use crate::model::Role;
use crate::monitor::StreamStatus;
use crate::preview::{Picture, PreviewError};
use crate::schedule::VisitError;

/// How long one request is served.
const SECONDS: u64 = 60;
/// What `?seconds=` may ask for.
const MOST_SECONDS: u64 = 300;
/// How long the original showed a stream.
const ORIGINALS_SECONDS: u64 = 5;
/// How often the viewer's account is looked at: it may have been changed or removed.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Between the parts.
const BOUNDARY: &str = "streampulse-picture";

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    let ours = warp::path!("api" / "streams" / String / "preview")
        .and(warp::get())
        .and(call(web))
        .then(|id: String, call: Call| async move { respond(ours(call, &id).await) });
    let originals = warp::path!("preview" / String)
        .and(warp::get())
        .and(call(web))
        .then(|name: String, call: Call| async move { respond(originals(call, &name).await) });
    ours.or(originals).unify().boxed()
}

async fn ours(call: Call, id: &str) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Viewer).await?;
    let row = row(&call, &caller, id)?;
    let seconds = match call.query("seconds").map(|text| text.parse()) {
        None => SECONDS,
        Some(Ok(seconds @ 1..=MOST_SECONDS)) => seconds,
        Some(_) => {
            let message = format!("seconds must be a whole number from 1 to {MOST_SECONDS}.");
            return Err(ApiError::bad_request("bad_parameter", message));
        }
    };
    preview(call, caller, row, seconds).await
}

/// As the original showed it: by name, for five seconds.
async fn originals(call: Call, name: &str) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Viewer).await?;
    let row = named(&call, &caller, name)?;
    preview(call, caller, row, ORIGINALS_SECONDS).await
}

async fn preview(call: Call, caller: Caller, row: Arc<StreamStatus>, seconds: u64) -> Result<Response, ApiError> {
    if !row.stream.enabled {
        let message = "The stream is switched off; set enabled: true to look at it.";
        return Err(ApiError::new(StatusCode::CONFLICT, "stream_disabled", message));
    }
    let refused = |error| refused(&row, error, caller.role);
    let mut viewer = call.web.parts.previews.watch(&row.stream).map_err(refused)?;
    let cancel = call.web.cancel.clone();
    let first =
        cancel.run_until_cancelled(viewer.next()).await.unwrap_or(Err(PreviewError::Stopped)).map_err(refused)?;
    // It does not outlive the token that opened it.
    let left = u64::try_from(caller.expires_at_second - call.web.parts.clock.now().as_second()).unwrap_or(0);
    let end = async move {
        let revoked = async {
            while call.is_still(&caller).await {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            () = cancel.cancelled() => {}
            () = revoked => {}
            () = tokio::time::sleep(Duration::from_secs(seconds.min(left))) => {}
        }
    };
    let head = stream::iter([Bytes::from(format!("--{BOUNDARY}\r\n")), part(&first)]);
    let rest = stream::unfold(viewer, |mut viewer| async move {
        let picture = viewer.next().await.ok()?;
        Some((part(&picture), viewer))
    });
    let parts = head.chain(rest).take_until(Box::pin(end)).map(Ok::<_, Infallible>);
    let mut response = warp::reply::stream(Box::pin(parts)).into_response();
    let kind = format!("multipart/x-mixed-replace; boundary={BOUNDARY}");
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(&kind).map_err(ApiError::internal)?);
    // nginx would gather pictures before it passes them on.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// A picture and the line behind it, without which a browser would not show it before the next one.
fn part(picture: &Picture) -> Bytes {
    let length = picture.jpeg.len();
    let head = format!(
        "Content-Type: image/jpeg\r\nContent-Length: {length}\r\nX-Timestamp: {}\r\n\r\n",
        seconds(picture.taken_at)
    );
    let mut bytes = Vec::with_capacity(head.len() + length + BOUNDARY.len() + 6);
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(&picture.jpeg);
    bytes.extend_from_slice(format!("\r\n--{BOUNDARY}\r\n").as_bytes());
    bytes.into()
}

/// Seconds since 1970 with three decimals, as other MJPEG servers write it.
fn seconds(at: Timestamp) -> String {
    let milliseconds = at.as_millisecond();
    format!("{}.{:03}", milliseconds.div_euclid(1000), milliseconds.rem_euclid(1000))
}

fn refused(row: &StreamStatus, error: PreviewError, role: Role) -> ApiError {
    let sentence = || sentence(&error.to_string());
    match &error {
        PreviewError::TooManyViewers => ApiError::unavailable("too_many_viewers", sentence()),
        PreviewError::TooManyShows => ApiError::unavailable("too_many_previews", sentence()),
        PreviewError::NoSession(VisitError::Late) => ApiError::unavailable("device_busy", sentence()),
        PreviewError::NoSession(visit) => not_visited(visit.clone()),
        PreviewError::Failed(report) => {
            let message = view::message(row, report, role);
            ApiError::new(StatusCode::BAD_GATEWAY, "preview_failed", message).detail(json!({
                "stage": report.stage(), "reason": report.reason(), "next_step": report.reason().next_step(),
            }))
        }
        PreviewError::NoWorker(_) => ApiError::internal(&error),
        PreviewError::Changed => ApiError::unavailable("stream_changed", sentence()),
        PreviewError::Stopped => ApiError::unavailable("stopping", sentence()),
    }
}
