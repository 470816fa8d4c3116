//! `/api/maintenance`: work that is announced by hand. The windows of the configuration file are in the file.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::reply::Response;

use super::Web;
use super::auth::Caller;
use super::call::{Call, call, json_body, whole_number};
use super::errors::{ApiError, json, json_with, respond, to_its_end};
use crate::model::{Role, StreamId};
use crate::monitor::MonitorError;
use crate::store::Announced;

/// Nobody announces work for longer.
const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);

/// Longest note, in characters.
const MAX_NOTE_CHARS: usize = 500;

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    let list = warp::path!("api" / "maintenance")
        .and(warp::get())
        .and(call(web))
        .then(|call: Call| async move { respond(list(call).await) });
    let announce = warp::path!("api" / "maintenance")
        .and(warp::post())
        .and(call(web))
        .and(json_body::<Wanted>())
        .then(|call: Call, body| to_its_end(async move { announce(call, body).await }));
    let end = warp::path!("api" / "maintenance" / i64)
        .and(warp::delete())
        .and(call(web))
        .then(|id: i64, call: Call| to_its_end(async move { end(call, id).await }));
    list.or(announce).unify().or(end).unify().boxed()
}

/// Work that somebody wants to announce.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Ids; empty or absent: every stream.
    #[serde(default)]
    streams: Vec<String>,
    /// Default: now.
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    /// Instead of `until`.
    #[serde(default, deserialize_with = "whole_number")]
    minutes: Option<u32>,
    note: Option<String>,
}

async fn list(call: Call) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Viewer).await?;
    let parts = &call.web.parts;
    let now = parts.clock.now();
    let announced = parts.store.announced(now).await?;
    let announced: Vec<Value> =
        announced.into_iter().filter_map(|work| visible(&call, &caller, work)).map(|work| view(&work)).collect();
    let rows = call.rows(&caller);
    let streams: serde_json::Map<String, Value> = rows
        .iter()
        .filter(|row| row.stream.enabled)
        .filter_map(|row| Some((row.stream.id.to_string(), json!(row.maintenance_until?))))
        .collect();
    Ok(json(&json!({"announced": announced, "streams_in_maintenance_until": streams, "now": now})))
}

/// What the caller may know of announced work; `None` when it is none of its streams'.
fn visible(call: &Call, caller: &Caller, mut work: Announced) -> Option<Announced> {
    let of_every_stream = work.streams.is_empty();
    work.streams.retain(|id| call.sees(caller, id));
    (of_every_stream || !work.streams.is_empty()).then_some(work)
}

async fn announce(call: Call, body: Result<Wanted, ApiError>) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Operator).await?;
    let wanted = body?;
    let bad = |message: &str| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_maintenance", message);
    let now = call.web.parts.clock.now();
    let from = wanted.from.unwrap_or(now);
    let until = match (wanted.until, wanted.minutes) {
        (Some(until), None) => until,
        (None, Some(minutes)) => {
            from.checked_add(SignedDuration::from_mins(i64::from(minutes))).map_err(|_| bad("minutes is too large."))?
        }
        _ => return Err(bad("Give either until, a time such as 2026-01-31T12:00:00Z, or minutes.")),
    };
    if until <= from || until <= now {
        return Err(bad("The end must be after the begin and in the future."));
    }
    if until.duration_since(from) > LONGEST {
        return Err(bad("Maintenance for more than a year: set enabled: false for the stream instead."));
    }
    if wanted.note.as_ref().is_some_and(|note| note.chars().count() > MAX_NOTE_CHARS) {
        return Err(bad(&format!("note holds at most {MAX_NOTE_CHARS} characters.")));
    }
    let stream = |text: &String| {
        StreamId::new(text)
            .filter(|id| call.web.parts.status.get(id.as_str()).is_some_and(|row| caller.sees(&row.stream)))
            .ok_or_else(|| ApiError::no_such_stream(text))
    };
    let mut streams = wanted.streams.iter().map(stream).collect::<Result<Vec<_>, _>>()?;
    if streams.is_empty() && caller.groups.is_some() {
        // Every stream is every one that the caller sees.
        streams = call.rows(&caller).iter().map(|row| row.stream.id.clone()).collect();
        if streams.is_empty() {
            return Err(bad("None of your groups has a stream."));
        }
    }
    let mut work = Announced { id: 0, streams, from, until, by: caller.username.clone(), note: wanted.note };
    work.id = call.web.parts.monitor.announce(work.clone()).await.map_err(refused)?;
    call.audit(&caller, "maintenance.announce", &work.id.to_string(), view(&work)).await;
    Ok(json_with(StatusCode::CREATED, &view(&work)))
}

async fn end(call: Call, id: i64) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Operator).await?;
    let none = || {
        let message = format!("There is no announced maintenance with the number {id} that goes on.");
        ApiError::not_found("no_such_maintenance", message)
    };
    if caller.groups.is_some() {
        // Whose streams are also others' is for others to end.
        let announced = call.web.parts.store.announced(call.web.parts.clock.now()).await?;
        let is_theirs =
            |work: &Announced| !work.streams.is_empty() && work.streams.iter().all(|id| call.sees(&caller, id));
        announced.iter().any(|work| work.id == id && is_theirs(work)).then_some(()).ok_or_else(none)?;
    }
    if !call.web.parts.monitor.end_announced(id).await.map_err(refused)? {
        return Err(none());
    }
    call.audit(&caller, "maintenance.end", &id.to_string(), json!({})).await;
    Ok(json(&json!({"ended": id})))
}

fn view(work: &Announced) -> Value {
    json!({
        "id": work.id,
        "streams": work.streams,
        "from": work.from,
        "until": work.until,
        "by": work.by,
        "note": work.note,
    })
}

fn refused(error: MonitorError) -> ApiError {
    let code = match error {
        MonitorError::Busy => "busy",
        MonitorError::NotStored(_) => "store_unavailable",
    };
    ApiError::unavailable(code, format!("{error}."))
}
