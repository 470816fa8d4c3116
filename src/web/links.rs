//! `/api/links`: a short-lived signed address of a picture, for what can send neither a header nor a cookie.

use std::sync::Arc;

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::json;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::reply::Response;

use super::Web;
use super::call::{Call, call, json_body, target_without, whole_number};
use super::errors::{ApiError, json, respond};
use crate::model::Role;

/// The parameter that holds the signature.
pub(super) const SIGNATURE: &str = "signature";

/// How long a link is good when nothing is said.
const DEFAULT_SECONDS: u32 = 300;
/// The longest that can be asked for.
const MAX_SECONDS: u32 = 24 * 3600;
/// A longer address is none of ours.
const MAX_PATH_BYTES: usize = 1024;

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "links")
        .and(warp::post())
        .and(call(web))
        .and(json_body::<Wanted>())
        .then(|call: Call, body| async move { respond(sign(call, body).await) })
        .boxed()
}

/// A link that somebody wants.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Path and parameters of a picture.
    path: String,
    /// How long it shall be good.
    #[serde(default, deserialize_with = "whole_number")]
    seconds: Option<u32>,
}

/// Pictures, and nothing else: a link wanders into logs, histories and chats.
pub(super) fn may_be_signed(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        ["", "api", "streams", id, "snapshot.jpg" | "preview"] => !id.is_empty(),
        ["", "api", "incidents", id, "evidence", file] => !id.is_empty() && file.ends_with(".jpg"),
        _ => false,
    }
}

async fn sign(call: Call, body: Result<Wanted, ApiError>) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Viewer).await?;
    let Wanted { path, seconds } = body?;
    let (address, query) = path.split_once('?').unwrap_or((&path, ""));
    let is_plain = path.bytes().all(|b| b.is_ascii_graphic() && b != b'#') && path.len() <= MAX_PATH_BYTES;
    if !is_plain || !may_be_signed(address) || query.split('&').any(|pair| pair.split('=').next() == Some(SIGNATURE)) {
        let message = "path must be the address of a picture, such as /api/streams/gate/snapshot.jpg, a preview, or a \
                       picture of an incident.";
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_link", message));
    }
    let seconds = seconds.unwrap_or(DEFAULT_SECONDS);
    if !(1..=MAX_SECONDS).contains(&seconds) {
        let message = format!("seconds must be a number from 1 to {MAX_SECONDS}.");
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_link", message));
    }
    let now = call.web.parts.clock.now();
    let expires_at = now.checked_add(SignedDuration::from_secs(i64::from(seconds))).map_err(ApiError::internal)?;
    // Not longer than what signs it.
    let ends = jiff::Timestamp::from_second(caller.expires_at_second).unwrap_or(jiff::Timestamp::MAX);
    let expires_at = if caller.is_program() { expires_at.min(ends) } else { expires_at };
    let target = target_without(address, query, SIGNATURE);
    let keys = call.web.keys.current();
    let signature =
        keys.sign_link(&caller.subject, caller.generation, &target, expires_at).map_err(ApiError::internal)?;
    let mark = if target.contains('?') { '&' } else { '?' };
    let url = format!("{target}{mark}{SIGNATURE}={signature}");
    Ok(json(&json!({"url": url, "expires_at": expires_at})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_are_signed() {
        for good in ["/api/streams/gate/snapshot.jpg", "/api/streams/gate/preview", "/api/incidents/1/evidence/2.jpg"] {
            assert!(may_be_signed(good), "{good}");
        }
        for bad in
            ["/api/streams", "/api/streams/gate", "/api/streams//preview", "/api/users", "//api/streams/a/preview", ""]
        {
            assert!(!may_be_signed(bad), "{bad}");
        }
    }
}
