//! Addresses that scripts for the original know: `/history/<name>`, `/api/cfg`, `/api/set-tz`. Others are beside what they
//! are like: `/preview/<name>`, `/export/all.csv`.

use std::sync::Arc;

use serde_json::json;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::header::{CONTENT_TYPE, HeaderValue};
use warp::http::{Response as HttpResponse, StatusCode};
use warp::reply::{Reply, Response};

use super::Web;
use super::auth::Caller;
use super::call::{Call, body, call};
use super::config::blocking;
use super::config_edit::{Done, document, refused, save};
use super::errors::{ApiError, json, respond, to_its_end};
use super::export::{local_time, status};
use crate::config::edit::{Change, Edit, Path};
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
    let set_tz = warp::path!("api" / "set-tz")
        .and(warp::post())
        .and(call(web))
        .and(body())
        .then(|call: Call, body| to_its_end(async move { set_tz(call, body).await }));
    history.or(cfg).unify().or(set_tz).unify().boxed()
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
    Ok(plain(text))
}

/// Writes the time zone of a form into the configuration.
async fn set_tz(call: Call, body: Result<Vec<u8>, ApiError>) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Admin).await?;
    let zone = field(&String::from_utf8_lossy(&body?), "tz").ok_or_else(|| {
        ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad_form",
            "Send a form with the field tz, such as tz=Europe/Berlin.",
        )
    })?;
    let path = Path::parse("timezone").map_err(ApiError::internal)?;
    let edit = Edit { path, change: Change::Set(json!(zone)) };
    let _one_at_a_time = call.web.config_edits.lock().await;
    let before = document(&call).await?;
    let draft = blocking(move || before.with_edits(&[edit]).map_err(refused)).await?;
    let details = json!({"paths": ["timezone"]});
    save(&call, &caller, draft, Done { action: "config.change", target: "config.yaml", details }).await?;
    Ok(plain("ok".to_owned()))
}

/// A field of a form, urlencoded (the WHATWG URL Standard, section 5) or in parts (RFC 7578).
fn field(form: &str, name: &str) -> Option<String> {
    let urlencoded = || {
        let pair = form.trim().split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
        Some(percent_decode(&pair.replace('+', " ")))
    };
    let in_parts = || {
        let (_, part) = form.split_once(&format!("name=\"{name}\""))?;
        let (_, value) = part.split_once("\r\n\r\n")?;
        Some(value.split("\r\n").next()?.to_owned())
    };
    let value = if form.starts_with("--") { in_parts() } else { urlencoded() };
    value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn plain(text: String) -> Response {
    let mut response = HttpResponse::new(text).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_a_form_is_found_in_both_kinds() {
        assert_eq!(field("tz=Asia%2FKolkata", "tz").as_deref(), Some("Asia/Kolkata"));
        assert_eq!(field("a=1&tz=Europe/Berlin\n", "tz").as_deref(), Some("Europe/Berlin"));
        let parts = "--x\r\nContent-Disposition: form-data; name=\"tz\"\r\n\r\nUTC\r\n--x--\r\n";
        assert_eq!(field(parts, "tz").as_deref(), Some("UTC"));
        for none in ["", "tz=", "tzx=1", "--x\r\n", "{}"] {
            assert_eq!(field(none, "tz"), None, "{none}");
        }
    }
}
