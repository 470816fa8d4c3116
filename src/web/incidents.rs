//! `/api/incidents`: the register, its evidence, and what people say of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::Response as HttpResponse;
use warp::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use warp::reply::{Reply, Response};

use super::Web;
use super::auth::Caller;
use super::call::{Call, call, json_body, optional_json_body};
use super::errors::{ApiError, json, respond, to_its_end};
use super::history::{flag, limit, number, time};
use crate::model::{Acknowledgement, Cause, Health, Incident, Member, Reason, Role, Stage, StreamId};
use crate::store::{EvidenceKind, IncidentQuery, KeptEvidence, Remark};

const DEFAULT_LIMIT: usize = 100;

/// Longest note, in characters.
const MAX_TEXT_CHARS: usize = 2_000;

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    let list = warp::path!("api" / "incidents")
        .and(warp::get())
        .and(call(web))
        .then(|call: Call| async move { respond(list(call).await) });
    let one = warp::path!("api" / "incidents" / i64)
        .and(warp::get())
        .and(call(web))
        .then(|id: i64, call: Call| async move { respond(one(call, id).await) });
    let picture = warp::path!("api" / "incidents" / i64 / "evidence" / String)
        .and(warp::get())
        .and(call(web))
        .then(|id: i64, file: String, call: Call| async move { respond(picture(call, id, &file).await) });
    let acknowledge = warp::path!("api" / "incidents" / i64 / "acknowledge")
        .and(warp::post())
        .and(call(web))
        .and(optional_json_body::<Said>())
        .then(|id: i64, call: Call, body| to_its_end(async move { remark(call, id, body, true).await }));
    let edit = warp::path!("api" / "incidents" / i64)
        .and(warp::patch())
        .and(call(web))
        .and(json_body::<Said>())
        .then(|id: i64, call: Call, body| to_its_end(async move { remark(call, id, body, false).await }));
    list.or(one).unify().or(picture).unify().or(acknowledge).unify().or(edit).unify().boxed()
}

/// What a person says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    note: Option<String>,
    action: Option<String>,
}

/// An incident for a caller.
#[derive(Debug, Serialize)]
pub(super) struct View<'a> {
    id: i64,
    state: Health,
    open: bool,
    opened_at: jiff::Timestamp,
    closed_at: Option<jiff::Timestamp>,
    /// To the close, or to the end of the last stream; `None` while it is open.
    duration_seconds: Option<f64>,
    reason: Reason,
    stage: Stage,
    /// One sentence for a person.
    message: String,
    next_step: Option<&'static str>,
    cause: CauseView<'a>,
    merged_into: Option<i64>,
    streams: &'a [Member],
    acknowledged: Option<&'a Acknowledgement>,
    note: Option<&'a str>,
    action: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct CauseView<'a> {
    kind: &'static str,
    /// A device or network is an address, which a viewer does not see.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

/// What was wrong, one sentence. A viewer gets the plain one where what was seen may name the device's address; what is
/// wrong with a picture names none.
pub(super) fn message(incident: &Incident, role: Role) -> String {
    let may_see = role >= Role::Operator || incident.reason == Reason::Ok;
    if may_see && !incident.detail.is_empty() {
        incident.detail.clone()
    } else if incident.reason == Reason::Ok {
        "Something is wrong with the picture.".to_owned()
    } else {
        incident.reason.sentence().to_owned()
    }
}

/// An incident as the caller may see it.
pub(super) fn view(incident: &Incident, role: Role) -> View<'_> {
    let is_address = matches!(incident.cause, Cause::Device(_) | Cause::Subnet(_));
    let may_see = role >= Role::Operator;
    View {
        id: incident.id,
        state: incident.health,
        open: incident.is_open(),
        opened_at: incident.opened_at,
        closed_at: incident.closed_at,
        duration_seconds: incident.closed_at.map(|at| at.duration_since(incident.opened_at).as_secs_f64()),
        reason: incident.reason,
        stage: incident.stage,
        message: message(incident, role),
        next_step: incident.reason.next_step(),
        cause: CauseView {
            kind: incident.cause.kind(),
            name: incident.cause.name().filter(|_| may_see || !is_address),
        },
        merged_into: incident.merged_into,
        streams: &incident.members,
        acknowledged: incident.acknowledged.as_ref(),
        note: incident.note.as_deref(),
        action: incident.action.as_deref(),
    }
}

/// What the caller may know of an incident; `None` when none of its streams is one that it sees.
pub(super) fn visible(call: &Call, caller: &Caller, mut incident: Incident) -> Option<Incident> {
    if caller.groups.is_none() {
        return Some(incident);
    }
    incident.members.retain(|member| call.sees(caller, &member.stream));
    // What was seen is told of the stream that opened it, and may name its device.
    if !incident.members.iter().any(|member| member.joined_at == incident.opened_at) {
        incident.detail.clear();
    }
    if let Cause::Parent(id) = &incident.cause
        && !call.sees(caller, id)
    {
        incident.cause = Cause::Stream;
    }
    (!incident.members.is_empty()).then_some(incident)
}

/// The incident of this number that the caller may know of, or 404.
async fn find(call: &Call, caller: &Caller, id: i64) -> Result<Incident, ApiError> {
    let incident = call.web.parts.store.incident(id).await?;
    incident.and_then(|incident| visible(call, caller, incident)).ok_or_else(|| no_such(id))
}

async fn list(call: Call) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Viewer).await?;
    let stream = match call.query("stream") {
        None => None,
        Some(text) => {
            let id = StreamId::new(&text).filter(|id| call.sees(&caller, id));
            Some(id.ok_or_else(|| ApiError::no_such_stream(&text))?)
        }
    };
    let open = flag(&call, "open")?;
    let before = number(&call, "cursor")?;
    let limit = limit(&call, DEFAULT_LIMIT)?;
    let query =
        IncidentQuery { stream, open, from: time(&call, "from")?, to: time(&call, "to")?, before, limit: limit + 1 };
    let mut incidents = call.web.parts.store.incidents(query).await?;
    let has_more = incidents.len() > limit;
    incidents.truncate(limit);
    let next_cursor = incidents.last().filter(|_| has_more).map(|incident| incident.id.to_string());
    // A page may get shorter by that, and even empty; its cursor leads on all the same.
    let incidents: Vec<Incident> =
        incidents.into_iter().filter_map(|incident| visible(&call, &caller, incident)).collect();
    let views: Vec<_> = incidents.iter().map(|incident| view(incident, caller.role)).collect();
    Ok(json(&json!({"incidents": views, "next_cursor": next_cursor})))
}

async fn one(call: Call, id: i64) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Viewer).await?;
    let incident = find(&call, &caller, id).await?;
    let pieces = call.web.parts.store.evidence(id).await?;
    let evidence: Vec<Value> = pieces
        .into_iter()
        // The exchange names the device's address.
        .filter(|piece| piece.kind != EvidenceKind::Exchange || caller.role >= Role::Operator)
        .filter(|piece| call.sees(&caller, &piece.stream))
        .map(|piece| {
            let picture = piece.text.is_none().then(|| format!("/api/incidents/{id}/evidence/{}.jpg", piece.number));
            let mut value = json!(piece);
            value["picture"] = json!(picture);
            value
        })
        .collect();
    let mut value = json!(view(&incident, caller.role));
    value["evidence"] = evidence.into();
    Ok(json(&value))
}

async fn picture(call: Call, id: i64, file: &str) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Viewer).await?;
    let gone = || {
        ApiError::not_found(
            "no_picture",
            "There is no such picture, or it was removed to stay within storage.evidence_megabytes.",
        )
    };
    let number = file.strip_suffix(".jpg").and_then(|number| number.parse().ok()).ok_or_else(gone)?;
    if caller.groups.is_some() {
        let pieces = call.web.parts.store.evidence(id).await?;
        let is_seen = |piece: &KeptEvidence| piece.number == number && call.sees(&caller, &piece.stream);
        pieces.iter().any(is_seen).then_some(()).ok_or_else(gone)?;
    }
    let (jpeg, taken_at) = call.web.parts.store.evidence_picture(id, number).await?.ok_or_else(gone)?;
    let mut response = HttpResponse::new(jpeg).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("image/jpeg"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=86400, immutable"));
    super::snapshot::say_when(headers, taken_at);
    Ok(response)
}

async fn remark(call: Call, id: i64, body: Result<Said, ApiError>, acknowledge: bool) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Operator).await?;
    let Said { note, action } = body?;
    if [&note, &action].iter().any(|text| text.as_ref().is_some_and(|text| text.chars().count() > MAX_TEXT_CHARS)) {
        let message = format!("note and action hold at most {MAX_TEXT_CHARS} characters.");
        return Err(ApiError::bad_request("text_too_long", message));
    }
    find(&call, &caller, id).await?;
    let at = call.web.parts.clock.now();
    let acknowledged = acknowledge.then(|| Acknowledgement { by: caller.username.clone(), at });
    let remark = Remark { acknowledged, note, action };
    let incident = call.web.parts.store.remark(id, remark).await?;
    incident.iter().for_each(|incident| call.web.parts.monitor.remarked(incident.clone()));
    let incident = incident.and_then(|incident| visible(&call, &caller, incident)).ok_or_else(|| no_such(id))?;
    let action = if acknowledge { "incident.acknowledge" } else { "incident.change" };
    call.audit(&caller, action, &id.to_string(), json!({"note": incident.note, "action": incident.action})).await;
    Ok(json(&view(&incident, caller.role)))
}

fn no_such(id: i64) -> ApiError {
    ApiError::not_found("no_such_incident", format!("There is no incident with the number {id}."))
}
