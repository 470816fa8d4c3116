//! `POST /api/notify/test`: a message to a target before it is saved, or to a saved one.
//!
//! Whoever may do this may as well write the target into the configuration.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::reply::Response;

use super::Web;
use super::call::{Call, call, json_body};
use super::errors::{ApiError, json, to_its_end};
use crate::config::{Config, Problem, Target, try_target};
use crate::model::Role;

/// Tests at once; the next one gets 503.
pub(super) const MAX_TESTS: usize = 2;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// A stored target.
    name: Option<String>,
    /// Keys of one of `notify.targets:`.
    target: Option<Map<String, Value>>,
}

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "notify" / "test")
        .and(warp::post())
        .and(call(web))
        .and(json_body())
        .then(|call: Call, body| to_its_end(test(call, body)))
        .boxed()
}

fn wanted(wanted: Wanted, config: &Config) -> Result<Target, ApiError> {
    match (wanted.name, wanted.target) {
        (Some(name), None) => {
            let stored = config.notify.targets.iter().find(|target| target.name == name);
            let target = stored.map(|target| target.as_ref().clone());
            target.ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "no_such_target", "No target has this name."))
        }
        (None, Some(target)) => try_target(target, config).map_err(invalid),
        _ => Err(ApiError::bad_request(
            "name_or_target",
            "Give either name, of a stored target, or target with its keys.",
        )),
    }
}

fn invalid(problems: Vec<Problem>) -> ApiError {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    let invalid = ApiError::new(status, "invalid", "This target cannot be tested as it is written.");
    problems
        .into_iter()
        .fold(invalid, |error, problem| error.detail(json!({"path": problem.path, "message": problem.message})))
}

async fn test(call: Call, body: Result<Wanted, ApiError>) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Admin).await?;
    let config = call.web.parts.config.borrow().clone();
    let target = wanted(body?, &config)?;
    let _place = call.web.notify_tests.try_acquire().map_err(|_| {
        ApiError::unavailable("too_many_tests", "Other tests of targets are running; try again in a few seconds.")
            .retry_after(10)
    })?;
    call.audit(&caller, "notify.test", &target.name, json!({"to": target.to.to_string()})).await;
    Ok(json(&(call.web.parts.notify_test)(target).await))
}
