//! `/api/config`: the configuration file as text or as values, and changes of it that keep the rest.

use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::Response as HttpResponse;
use warp::http::header::{CONTENT_TYPE, HeaderValue};
use warp::reply::{Reply as _, Response};

use super::Web;
use super::call::{Call, call, large_body, large_json_body};
use super::config_edit::{Done, check_if_match, document, invalid, refused, save, tagged};
use super::errors::{ApiError, json, respond, to_its_end};
use crate::config::Problem;
use crate::config::edit::{Change, Edit, Path};
use crate::model::Role;

/// Changes in one request.
const MAX_CHANGES: usize = 1000;

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    let get = warp::path!("api" / "config")
        .and(warp::get())
        .and(call(web))
        .then(|call: Call| async move { respond(get(call).await) });
    let put = warp::path!("api" / "config")
        .and(warp::put())
        .and(call(web))
        .and(large_body(web))
        .then(|call: Call, body| to_its_end(async move { put(call, body).await }));
    let patch = warp::path!("api" / "config")
        .and(warp::patch())
        .and(call(web))
        .and(large_json_body::<Vec<Wanted>>(web))
        .then(|call: Call, body| to_its_end(async move { patch(call, body).await }));
    get.or(put).unify().or(patch).unify().boxed()
}

/// One change: a value, also null, or that it goes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    path: String,
    #[serde(default, deserialize_with = "also_null")]
    value: Option<Value>,
    #[serde(default)]
    remove: bool,
}

fn also_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

async fn get(call: Call) -> Result<Response, ApiError> {
    call.caller(Role::Admin).await?;
    let document = document(&call).await?;
    let as_values = match call.query("format").as_deref() {
        None | Some("text") => false,
        Some("json") => true,
        Some(_) => return Err(ApiError::bad_request("bad_parameter", "format must be text or json.")),
    };
    if as_values {
        let values = document.get(&Path::default()).map_err(|problem| invalid(&[problem]))?;
        let body = json!({"etag": format!("\"{}\"", document.tag()), "values": values});
        return Ok(tagged(json(&body), &document.tag()));
    }
    let mut response = HttpResponse::new(document.shown()).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/yaml; charset=utf-8"));
    Ok(tagged(response, &document.tag()))
}

async fn put(call: Call, body: Result<Vec<u8>, ApiError>) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Admin).await?;
    let text = body?;
    let _one_at_a_time = call.web.config_edits.lock().await;
    let document = document(&call).await?;
    check_if_match(&call, &document, true)?;
    let draft = blocking(move || document.with_text(&text).map_err(refused)).await?;
    let done = Done { action: "config.replace", target: "config.yaml", details: json!({}) };
    let saved = save(&call, &caller, draft, done).await?;
    Ok(saved.tag(json(&saved.json())))
}

async fn patch(call: Call, body: Result<Vec<Wanted>, ApiError>) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Admin).await?;
    let wanted = body?;
    if wanted.len() > MAX_CHANGES {
        let message = format!("At most {MAX_CHANGES} changes at once.");
        return Err(ApiError::bad_request("too_many_changes", message));
    }
    let edits = wanted.into_iter().map(edit).collect::<Result<Vec<_>, _>>()?;
    let paths: Vec<String> = edits.iter().map(|edit| edit.path.to_string()).collect();
    let _one_at_a_time = call.web.config_edits.lock().await;
    let document = document(&call).await?;
    check_if_match(&call, &document, true)?;
    let draft = blocking(move || document.with_edits(&edits).map_err(refused)).await?;
    let done = Done { action: "config.change", target: "config.yaml", details: json!({"paths": paths}) };
    let saved = save(&call, &caller, draft, done).await?;
    Ok(saved.tag(json(&saved.json())))
}

fn edit(wanted: Wanted) -> Result<Edit, ApiError> {
    let path = Path::parse(&wanted.path)
        .map_err(|message| invalid(&[Problem { path: String::new(), line: None, message }]))?;
    let change = match (wanted.value, wanted.remove) {
        (Some(value), false) => Change::Set(value),
        (None, true) => Change::Remove,
        _ => return Err(ApiError::bad_request("bad_change", "Each change has either a value or remove: true.")),
    };
    Ok(Edit { path, change })
}

/// Reading and comparing a file of 4 MB takes its time.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)?
}
