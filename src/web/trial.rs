//! `POST /api/probe`: try a camera before it is saved.
//!
//! Whoever may do this may as well write the address into the configuration. The address is one of a camera (RTSP or
//! HTTP), it is asked as a heartbeat would ask it, and what it answers is told as stage, reason and picture: no answer's
//! body or header is passed on, so this is no way to read what only this machine can reach.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::reply::Response;

use super::Web;
use super::call::{Call, call, json_body};
use super::errors::{ApiError, json, respond, sentence};
use crate::config::try_stream;
use crate::health::looks::judge_at_first_sight;
use crate::model::report::probe_json;
use crate::model::{CameraAccount, Role, Stream};
use crate::probe::{ProbeRequest, Probed};
use crate::schedule::handle::PROBE_NOW_DEADLINE;
use crate::schedule::run::GRACE;
use crate::schedule::{Found, Purpose, VisitError, Visitor};

/// Under this name the workers remember a camera that takes them down. No id of a stream has such characters.
const KEY: &str = "(trial)";

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "probe")
        .and(warp::post())
        .and(call(web))
        .and(json_body())
        .then(|call: Call, body| async move { respond(trial(call, body).await) })
        .boxed()
}

async fn trial(call: Call, body: Result<Map<String, Value>, ApiError>) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Admin).await?;
    let config = call.web.parts.config.borrow().clone();
    let stream = try_stream(body?, &config).map_err(|problems| {
        let invalid =
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "This camera cannot be tried as it is written.");
        problems
            .into_iter()
            .fold(invalid, |error, problem| error.detail(json!({"path": problem.path, "message": problem.message})))
    })?;
    call.audit(&caller, "probe.try", stream.device(), json!({})).await;
    let mut probed = probe(&call, &stream).await?;
    judge_at_first_sight(&mut probed.report, &stream.checks);
    let mut answer = probe_json(&stream.shown_url(), &probed.report);
    answer["snapshot"] = match &probed.jpeg {
        Some(jpeg) => format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg)).into(),
        None => Value::Null,
    };
    Ok(json(&answer))
}

/// Probes once, when the device has a session free.
async fn probe(call: &Call, stream: &Stream) -> Result<Probed, ApiError> {
    let parts = &call.web.parts;
    let visitor =
        Visitor { host: stream.device().to_owned(), account: CameraAccount::of(stream), purpose: Purpose::Probe };
    let lease = parts.scheduler.visit(visitor, PROBE_NOW_DEADLINE).await.map_err(not_visited)?;
    let probe = parts.config.borrow().probe.clone();
    let request = ProbeRequest { key: KEY.to_owned(), ..ProbeRequest::for_stream(stream, &probe) };
    let (prober, limit) = (parts.prober.clone(), request.timeout + GRACE);
    // To its end, also when the client has gone: the camera may have counted a refused password.
    let probing = tokio::spawn(async move {
        let probed = tokio::time::timeout(limit, prober.probe(request)).await.ok();
        lease.finish(probed.as_ref().map(|probed| Found::of(&probed.report)).unwrap_or_default());
        probed
    });
    let late = || ApiError::new(StatusCode::GATEWAY_TIMEOUT, "no_report", "The probe did not end in time.");
    probing.await.map_err(ApiError::internal)?.ok_or_else(late)
}

/// Why there was no session.
pub(super) fn not_visited(error: VisitError) -> ApiError {
    let sentence = sentence(&error.to_string());
    match error {
        VisitError::Paused { .. } => ApiError::new(StatusCode::CONFLICT, "password_refused", sentence),
        VisitError::Occupied => ApiError::unavailable("device_busy", sentence),
        VisitError::Busy => ApiError::unavailable("busy", sentence),
        VisitError::Stopped => ApiError::unavailable("stopping", sentence),
        VisitError::Late => ApiError::new(StatusCode::GATEWAY_TIMEOUT, "no_report", sentence),
    }
}
