//! For Prometheus: `/metrics`, `/probe?target=` in the manner of `blackbox_exporter`, and `/api/sd`, its HTTP service
//! discovery.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::Response as HttpResponse;
use warp::http::header::{CONTENT_TYPE, HeaderValue};
use warp::reply::{Reply, Response};

use super::Web;
use super::auth::bearer;
use super::call::{Call, call};
use super::errors::{ApiError, json, respond};
use super::streams::probe_now;
use crate::model::{Outcome, ProbeReport, Reason, Role};
use crate::monitor::StreamStatus;

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    let metrics = warp::path!("metrics")
        .and(warp::get())
        .and(call(web))
        .then(|call: Call| async move { respond(metrics(call).await) });
    let probe = warp::path!("probe")
        .and(warp::get())
        .and(call(web))
        .then(|call: Call| async move { respond(probe(call).await) });
    let targets = warp::path!("api" / "sd")
        .and(warp::get())
        .and(call(web))
        .then(|call: Call| async move { respond(targets(call).await) });
    metrics.or(probe).unify().or(targets).unify().boxed()
}

async fn metrics(call: Call) -> Result<Response, ApiError> {
    check_token(&call)?;
    let write = call.web.parts.metrics.clone();
    let text = tokio::task::spawn_blocking(move || write()).await.map_err(ApiError::internal)?;
    Ok(text_format(text))
}

/// What the last probe found when it is younger than the stream's heartbeat, else what one finds now, under the device's
/// limit and the lock-out guard. Only configured streams: this is no way to reach any host.
async fn probe(call: Call) -> Result<Response, ApiError> {
    check_token(&call)?;
    let target = call.query("target").filter(|target| !target.is_empty()).ok_or_else(|| {
        ApiError::bad_request("bad_parameter", "Name a stream by its id or name: /probe?target=gate.")
    })?;
    let row = find(&call, &target).ok_or_else(|| ApiError::no_such_stream(&target))?;
    let now = call.web.parts.clock.now();
    let report = match row.last.as_ref().filter(|last| last.age(now) <= row.stream.heartbeat) {
        Some(last) => last.report.clone(),
        None => probe_now(&call, &row).await?,
    };
    Ok(text_format(describe(&row, &report)))
}

/// By id, or by name.
fn find(call: &Call, target: &str) -> Option<Arc<StreamStatus>> {
    let status = &call.web.parts.status;
    status.get(target).or_else(|| status.all().into_iter().find(|row| row.stream.name == target))
}

/// The metrics of one probe. The stream is the target, so no label names it.
fn describe(row: &StreamStatus, report: &ProbeReport) -> String {
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, samples: &[(String, f64)]| {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in samples {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let plain = |value: f64| [(String::new(), value)];
    let success = report.outcome == Outcome::Ok;
    gauge("probe_success", "1 when the probe gave a usable picture", &plain(f64::from(success)));
    gauge("probe_duration_seconds", "Time to the picture or to the failure", &plain(report.latency.as_secs_f64()));
    let phases: Vec<_> =
        report.phases.iter().map(|(stage, took)| (format!("{{phase=\"{stage}\"}}"), took.as_secs_f64())).collect();
    gauge("probe_phase_duration_seconds", "Time of each stage that was reached", &phases);
    let reasons: Vec<_> = Reason::ALL
        .iter()
        .filter(|reason| **reason == report.reason())
        .map(|reason| (format!("{{reason=\"{reason}\",stage=\"{}\"}}", report.stage()), 1.0))
        .collect();
    gauge("probe_reason", "Always 1; why the probe ended as it did, and where", &reasons);
    let issues: Vec<_> = report.issues().iter().map(|issue| (format!("{{issue=\"{issue}\"}}"), 1.0)).collect();
    gauge("probe_picture_issue", "1 for each thing that is wrong with the picture", &issues);
    if let Some(video) = &report.video {
        let size = video.width.zip(video.height);
        if let Some((width, height)) = size {
            gauge("probe_video_width_pixels", "Width of the picture", &plain(f64::from(width)));
            gauge("probe_video_height_pixels", "Height of the picture", &plain(f64::from(height)));
        }
        let labels = format!("{{codec=\"{}\"}}", video.codec.as_str());
        gauge("probe_video_info", "Always 1; the codec is a label", &[(labels, 1.0)]);
    }
    let state = format!("{{state=\"{}\"}}", row.state.health.as_str());
    gauge("probe_stream_state", "Always 1; the state that was confirmed before is a label", &[(state, 1.0)]);
    text
}

/// Every stream that is switched on, as targets of `/probe`. `metrics.token` is as good as an account here, because
/// Prometheus cannot sign in.
async fn targets(call: Call) -> Result<Response, ApiError> {
    let has_token = call.web.parts.config.borrow().metrics.token.is_some();
    let rows = if has_token && check_token(&call).is_ok() {
        call.web.parts.status.all()
    } else {
        call.rows(&call.caller(Role::Viewer).await?)
    };
    let groups: Vec<Value> = rows
        .iter()
        .filter(|row| row.stream.enabled)
        .map(|row| {
            let stream = &row.stream;
            json!({
                "targets": [stream.id],
                "labels": {
                    "__meta_streampulse_name": stream.name,
                    "__meta_streampulse_group": stream.group.as_deref().unwrap_or_default(),
                    // As service discoveries write lists: a comma at both ends, so that ",tag," finds one.
                    "__meta_streampulse_tags": format!(",{},", stream.tags.join(",")),
                    "__meta_streampulse_kind": stream.url.scheme().as_str(),
                },
            })
        })
        .collect();
    Ok(json(&groups))
}

fn check_token(call: &Call) -> Result<(), ApiError> {
    let config = call.web.parts.config.borrow().clone();
    match &config.metrics.token {
        Some(token) if !same(bearer(&call.headers).unwrap_or_default(), token.expose()) => {
            Err(ApiError::unauthorized("unauthorized", "This needs metrics.token as a bearer token."))
        }
        _ => Ok(()),
    }
}

/// The text format of Prometheus, version 0.0.4.
fn text_format(text: String) -> Response {
    let mut response = HttpResponse::new(text).into_response();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Compares without telling by its time how much was right.
fn same(a: &str, b: &str) -> bool {
    use sha2::{Digest, Sha256};
    Sha256::digest(a.as_bytes()) == Sha256::digest(b.as_bytes())
}
