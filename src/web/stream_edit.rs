//! Adds, changes and removes single streams in the configuration file.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::header::{HeaderValue, LOCATION};
use warp::http::{Response as HttpResponse, StatusCode};
use warp::reply::{Reply as _, Response};

use super::Web;
use super::auth::Caller;
use super::call::{Call, call, json_body};
use super::config::blocking;
use super::config_edit::{Done, check_if_match, document, refused, save, tagged};
use super::errors::{ApiError, json, to_its_end};
use super::streams::row;
use super::view;
use crate::config::edit::{Change, Document, Edit, Path};
use crate::model::Role;
use crate::monitor::StreamStatus;

/// The keys of a stream as in the file.
type Entry = Map<String, Value>;

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    let create = warp::path!("api" / "streams")
        .and(warp::post())
        .and(call(web))
        .and(json_body::<Entry>())
        .then(|call: Call, body| to_its_end(async move { create(call, body).await }));
    let replace = warp::path!("api" / "streams" / String)
        .and(warp::put())
        .and(call(web))
        .and(json_body::<Entry>())
        .then(|id: String, call: Call, body| to_its_end(async move { change(call, id, body, false).await }));
    let patch = warp::path!("api" / "streams" / String)
        .and(warp::patch())
        .and(call(web))
        .and(json_body::<Entry>())
        .then(|id: String, call: Call, body| to_its_end(async move { change(call, id, body, true).await }));
    let remove = warp::path!("api" / "streams" / String)
        .and(warp::delete())
        .and(call(web))
        .then(|id: String, call: Call| to_its_end(async move { remove(call, id).await }));
    create.or(replace).unify().or(patch).unify().or(remove).unify().boxed()
}

/// A stream with its entry in the file, for whoever may change it.
pub(super) fn detail(
    call: &Call,
    caller: &Caller,
    row: &StreamStatus,
    document: Option<&Document>,
) -> Result<Response, ApiError> {
    let detail = view::detail(row, caller.role, call.web.paused_until(&row.stream.id));
    let mut detail = serde_json::to_value(detail).map_err(ApiError::internal)?;
    let index = document.and_then(|document| document.stream(row.stream.id.as_str()));
    let entry = document.zip(index).and_then(|(document, index)| document.get(&Path::stream(index)).ok().flatten());
    detail["config"] = entry.unwrap_or(Value::Null);
    let response = json(&detail);
    Ok(document.map(Document::tag).map_or(response, |tag| tagged(json(&detail), &tag)))
}

async fn create(call: Call, body: Result<Entry, ApiError>) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Admin).await?;
    let entry = body?;
    let _one_at_a_time = call.web.config_edits.lock().await;
    let before = document(&call).await?;
    check_if_match(&call, &before, false)?;
    refuse_taken(&call, &entry)?;
    let keys: Vec<String> = entry.keys().cloned().collect();
    let edit = Edit { path: Path::new_stream(), change: Change::Set(Value::Object(entry)) };
    let draft = blocking(move || before.with_edits(&[edit]).map_err(refused)).await?;
    let id = draft.loaded().config.streams.last().map(|stream| stream.id.to_string()).unwrap_or_default();
    let done = Done { action: "stream.create", target: &id, details: json!({"keys": keys}) };
    save(&call, &caller, draft, done).await?;
    let mut response = answer(&call, &caller, &id).await?;
    *response.status_mut() = StatusCode::CREATED;
    if let Ok(location) = HeaderValue::from_str(&format!("/api/streams/{id}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// The whole entry, or with `is_patch` only what is given of it (RFC 7396: null takes a key out).
async fn change(call: Call, id: String, body: Result<Entry, ApiError>, is_patch: bool) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Admin).await?;
    let given = body?;
    let _one_at_a_time = call.web.config_edits.lock().await;
    row(&call, &caller, &id)?;
    let before = document(&call).await?;
    check_if_match(&call, &before, false)?;
    let index = before.stream(&id).ok_or_else(|| ApiError::no_such_stream(&id))?;
    let old = before.get(&Path::stream(index)).ok().flatten().unwrap_or(Value::Null);
    let mut entry = if is_patch { old.clone() } else { Value::Object(given.clone()) };
    if is_patch {
        merge(&mut entry, &Value::Object(given));
    } else if entry.get("id").is_none()
        && let Some(id) = old.get("id")
    {
        entry["id"] = id.clone();
    }
    let keys = changed_keys(&old, &entry);
    let edit = Edit { path: Path::stream(index), change: Change::Set(entry) };
    let draft = blocking(move || before.with_edits(&[edit]).map_err(refused)).await?;
    let id = draft.loaded().config.streams.get(index).map_or(id, |stream| stream.id.to_string());
    let done = Done { action: "stream.update", target: &id, details: json!({"keys": keys}) };
    save(&call, &caller, draft, done).await?;
    answer(&call, &caller, &id).await
}

async fn remove(call: Call, id: String) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Admin).await?;
    let _one_at_a_time = call.web.config_edits.lock().await;
    row(&call, &caller, &id)?;
    let before = document(&call).await?;
    check_if_match(&call, &before, false)?;
    let index = before.stream(&id).ok_or_else(|| ApiError::no_such_stream(&id))?;
    let edit = Edit { path: Path::stream(index), change: Change::Remove };
    let draft = blocking(move || before.with_edits(&[edit]).map_err(refused)).await?;
    let done = Done { action: "stream.delete", target: &id, details: json!({}) };
    let saved = save(&call, &caller, draft, done).await?;
    let mut response = HttpResponse::new("").into_response();
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(saved.tag(response))
}

/// The stream as `GET` shows it from now on.
async fn answer(call: &Call, caller: &Caller, id: &str) -> Result<Response, ApiError> {
    let document = document(call).await?;
    detail(call, caller, &*row(call, caller, id)?, Some(&document))
}

/// 409 for a name or id that is there.
fn refuse_taken(call: &Call, entry: &Entry) -> Result<(), ApiError> {
    let config = call.web.parts.config.borrow().clone();
    let given = |key: &str| entry.get(key).and_then(Value::as_str).map(str::trim);
    for stream in &config.streams {
        let taken = match (given("name"), given("id")) {
            (Some(name), _) if name == stream.name => "name",
            (_, Some(id)) if id == stream.id.as_str() => "id",
            _ => continue,
        };
        let message = format!("There is a stream with this {taken} already.");
        return Err(ApiError::new(StatusCode::CONFLICT, "stream_exists", message));
    }
    Ok(())
}

fn merge(old: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *old = patch.clone();
        return;
    };
    if !old.is_object() {
        *old = Value::Object(Map::new());
    }
    for (key, value) in patch {
        if let Value::Object(entries) = old {
            if value.is_null() {
                entries.shift_remove(key);
            } else {
                merge(entries.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
    }
}

/// The names of the keys that differ: never their values.
fn changed_keys(old: &Value, new: &Value) -> Vec<String> {
    let keys = |value: &Value| value.as_object().map(|entries| entries.keys().cloned().collect()).unwrap_or_default();
    let mut all: Vec<String> = keys(old);
    all.extend(keys(new).into_iter().filter(|key: &String| old.get(key).is_none()).collect::<Vec<_>>());
    all.retain(|key| old.get(key) != new.get(key));
    all
}
