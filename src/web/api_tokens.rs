//! `/api/tokens`: keys for programs, shown once. And a new signing key.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::http::header::{HeaderValue, LOCATION};
use warp::reply::Response;

use super::Web;
use super::call::{Call, call, json_body, whole_number};
use super::errors::{ApiError, json, json_with, respond, to_its_end};
use super::tokens::new_api_token;
use super::users::{bad, check_groups, no_content};
use crate::model::{ApiToken, Role, check_account_name};

/// The longest that can be asked for; leave it out for a token without an end.
const MAX_DAYS: u32 = 3650;

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    let list = warp::path!("api" / "tokens")
        .and(warp::get())
        .and(call(web))
        .then(|call: Call| async move { respond(list(call).await) });
    let create = warp::path!("api" / "tokens")
        .and(warp::post())
        .and(call(web))
        .and(json_body::<Wanted>())
        .then(|call: Call, body| to_its_end(async move { create(call, body).await }));
    let rotate = warp::path!("api" / "tokens" / "rotate-secret")
        .and(warp::post())
        .and(call(web))
        .then(|call: Call| to_its_end(async move { rotate(call).await }));
    let revoke = warp::path!("api" / "tokens" / i64)
        .and(warp::delete())
        .and(call(web))
        .then(|id: i64, call: Call| to_its_end(async move { revoke(call, id).await }));
    list.or(create).unify().or(rotate).unify().or(revoke).unify().boxed()
}

/// A token that somebody wants.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: String,
    role: Role,
    groups: Option<Vec<String>>,
    /// Without either it does not expire.
    #[serde(default, deserialize_with = "whole_number")]
    expires_in_days: Option<u32>,
    expires_at: Option<Timestamp>,
}

async fn list(call: Call) -> Result<Response, ApiError> {
    call.caller(Role::Admin).await?;
    let now = call.web.parts.clock.now();
    let tokens: Vec<Value> = call.web.parts.store.api_tokens().await?.iter().map(|token| view(token, now)).collect();
    Ok(json(&json!({"tokens": tokens})))
}

async fn create(call: Call, body: Result<Wanted, ApiError>) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Admin).await?;
    let Wanted { name, role, groups, expires_in_days, expires_at } = body?;
    check_account_name(&name).map_err(|problem| bad(&problem))?;
    let groups = check_groups(role, groups)?;
    let now = call.web.parts.clock.now();
    let expires_at = match (expires_in_days, expires_at) {
        (None, None) => None,
        (Some(days @ 1..=MAX_DAYS), None) => {
            Some(now.checked_add(SignedDuration::from_hours(24 * i64::from(days))).map_err(ApiError::internal)?)
        }
        (None, Some(at)) if at > now => Some(at),
        (Some(_), Some(_)) => return Err(bad("give either expires_in_days or expires_at")),
        (Some(_), None) => return Err(bad(&format!("expires_in_days must be a number from 1 to {MAX_DAYS}"))),
        (None, Some(_)) => return Err(bad("expires_at must be in the future")),
    };
    let (token, hash) = new_api_token().map_err(ApiError::internal)?;
    let mut kept = ApiToken {
        id: 0,
        name,
        role,
        groups,
        created_at: now,
        created_by: caller.username.clone(),
        expires_at,
        last_used_at: None,
    };
    let Some(id) = call.web.parts.store.add_api_token(hash, kept.clone()).await? else {
        let message = format!("There is a token {:?} already; revoke it first, or take another name.", kept.name);
        return Err(ApiError::new(StatusCode::CONFLICT, "token_exists", message));
    };
    kept.id = id;
    let details = json!({"id": id, "role": role, "groups": kept.groups, "expires_at": expires_at});
    call.audit(&caller, "token.create", &kept.name, details).await;
    let mut answer = view(&kept, now);
    answer["token"] = json!(token);
    let mut response = json_with(StatusCode::CREATED, &answer);
    if let Ok(location) = HeaderValue::from_str(&format!("/api/tokens/{id}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

async fn revoke(call: Call, id: i64) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Admin).await?;
    let token =
        call.web.parts.store.revoke_api_token(id).await?.ok_or_else(|| {
            ApiError::not_found("no_such_token", format!("There is no API token with the number {id}."))
        })?;
    call.web.sessions.forget_token(id);
    call.audit(&caller, "token.revoke", &token.name, json!({"id": id})).await;
    Ok(no_content())
}

/// A new signing key: every access token and signed link of before ends, sessions go on with their refresh tokens.
async fn rotate(call: Call) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Admin).await?;
    let web = call.web.clone();
    tokio::task::spawn_blocking(move || web.keys.rotate())
        .await
        .map_err(ApiError::internal)?
        .map_err(ApiError::internal)?;
    call.audit(&caller, "secret.rotate", "jwt-secret", json!({})).await;
    Ok(no_content())
}

fn view(token: &ApiToken, now: Timestamp) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "role": token.role,
        "groups": token.groups,
        "created_at": token.created_at,
        "created_by": token.created_by,
        "expires_at": token.expires_at,
        "expired": !token.is_good(now),
        "last_used_at": token.last_used_at,
    })
}
