//! `POST /api/mqtt/test`: a message to a broker before its settings are saved, or with the saved ones.
//!
//! Whoever may do this may as well write the broker into the configuration.

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
use crate::config::try_mqtt;
use crate::model::Role;

/// Tests at once; the next one gets 503.
pub(super) const MAX_TESTS: usize = 2;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Keys of `mqtt:`; without them the stored settings are tested.
    settings: Option<Map<String, Value>>,
}

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "mqtt" / "test")
        .and(warp::post())
        .and(call(web))
        .and(json_body())
        .then(|call: Call, body| to_its_end(test(call, body)))
        .boxed()
}

async fn test(call: Call, body: Result<Wanted, ApiError>) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Admin).await?;
    let config = call.web.parts.config.borrow().clone();
    let mqtt = match body?.settings {
        None => config.mqtt.clone(),
        Some(settings) => try_mqtt(settings, &config).map_err(|problems| {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            let invalid = ApiError::new(status, "invalid", "These settings cannot be tested as they are written.");
            problems
                .into_iter()
                .fold(invalid, |error, problem| error.detail(json!({"path": problem.path, "message": problem.message})))
        })?,
    };
    let _place = call.web.mqtt_tests.try_acquire().map_err(|_| {
        ApiError::unavailable("too_many_tests", "Other tests of MQTT are running; try again in a few seconds.")
            .retry_after(10)
    })?;
    call.audit(&caller, "mqtt.test", &mqtt.host, json!({"topic": format!("{}/test", mqtt.topic)})).await;
    Ok(json(&(call.web.parts.mqtt_test)(mqtt).await))
}
