//! What the addresses that change `config.yaml` have in common: preconditions, writing, waiting until it is in use.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;
use warp::http::StatusCode;
use warp::http::header::{ETAG, HeaderValue, IF_MATCH};
use warp::reply::Response;

use super::auth::Caller;
use super::call::Call;
use super::errors::{ApiError, sentence};
use crate::config::Problem;
use crate::config::edit::{Document, Draft, EditError};

/// A written file is in use within this time, or the answer says that it is not yet.
const IN_USE: Duration = Duration::from_secs(15);

/// The file as it is now.
pub(super) async fn document(call: &Call) -> Result<Document, ApiError> {
    let file = call.web.parts.config_file.clone();
    let reading = tokio::task::spawn_blocking(move || file.document());
    reading.await.map_err(ApiError::internal)?.map_err(unreadable)
}

/// 412 unless the file is what `If-Match` names; 428 when there is none and it is `required`.
pub(super) fn check_if_match(call: &Call, document: &Document, required: bool) -> Result<(), ApiError> {
    let tag = format!("\"{}\"", document.tag());
    let mut named = call.headers.get_all(IF_MATCH).iter().filter_map(|value| value.to_str().ok()).peekable();
    if named.peek().is_none() {
        return if required {
            let status = StatusCode::PRECONDITION_REQUIRED;
            let message = "Send If-Match with the ETag of the configuration that you have changed.";
            Err(ApiError::new(status, "if_match_required", message))
        } else {
            Ok(())
        };
    }
    let fits = named.flat_map(|value| value.split(',')).any(|one| matches!(one.trim(), "*") || one.trim() == tag);
    if fits { Ok(()) } else { Err(refused(EditError::Changed)) }
}

/// Writes a draft, takes the change down, and waits until it is in use everywhere, so that whoever reads next sees it.
pub(super) async fn save(call: &Call, caller: &Caller, draft: Draft, done: Done<'_>) -> Result<Saved, ApiError> {
    let saved = Saved { tag: draft.tag(), warnings: draft.loaded().warnings.clone() };
    tokio::task::spawn_blocking(move || draft.write()).await.map_err(ApiError::internal)?.map_err(refused)?;
    call.audit(caller, done.action, done.target, done.details).await;
    let in_use = async {
        let mut events = call.web.parts.status.subscribe();
        call.web.parts.config_file.taken(&saved.tag).await;
        // The table of streams follows the configuration, and says so.
        while !table_is_current(call) {
            if matches!(events.recv().await, Err(RecvError::Closed)) {
                break;
            }
        }
    };
    timeout(IN_USE, in_use).await.map_err(|_| {
        ApiError::unavailable("not_in_use_yet", "The file is written, and the service has not taken it yet.")
    })?;
    Ok(saved)
}

fn table_is_current(call: &Call) -> bool {
    let config = call.web.parts.config.borrow().clone();
    let rows = call.web.parts.status.all();
    rows.len() == config.streams.len() && rows.iter().zip(&config.streams).all(|(row, stream)| row.stream == *stream)
}

/// A change for the audit log, as [`Call::audit`] takes it.
pub(super) struct Done<'a> {
    pub(super) action: &'static str,
    pub(super) target: &'a str,
    pub(super) details: Value,
}

/// A file that was written.
pub(super) struct Saved {
    tag: String,
    warnings: Vec<Problem>,
}

impl Saved {
    /// `{"etag","warnings"}`.
    pub(super) fn json(&self) -> Value {
        json!({"etag": format!("\"{}\"", self.tag), "warnings": self.warnings})
    }

    /// Puts the tag on an answer.
    pub(super) fn tag(&self, response: Response) -> Response {
        tagged(response, &self.tag)
    }
}

/// Puts an `ETag` on an answer.
pub(super) fn tagged(mut response: Response, tag: &str) -> Response {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{tag}\"")) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// Why a change was not made.
pub(super) fn refused(error: EditError) -> ApiError {
    match error {
        EditError::Refused(problems) => invalid(&problems),
        EditError::Invalid(problems) => invalid(&problems.problems),
        EditError::Changed => {
            let message = "The configuration was changed meanwhile; read it again and repeat your change.";
            ApiError::new(StatusCode::PRECONDITION_FAILED, "config_changed", message)
        }
        EditError::Unreadable(problem) => unreadable(problem),
        EditError::NotWritten(message) => {
            tracing::error!("{message}");
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "config_not_written", sentence(&message))
        }
    }
}

/// 422 with every problem.
pub(super) fn invalid(problems: &[Problem]) -> ApiError {
    let message = match problems {
        [one] => sentence(&one.to_string()),
        more => format!("{} problems keep this configuration from being used.", more.len()),
    };
    let error = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "config_invalid", message);
    problems.iter().fold(error, |error, problem| error.detail(json!(problem)))
}

fn unreadable(problem: Problem) -> ApiError {
    let message = format!("The configuration file cannot be read: {problem}.");
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "config_unreadable", message)
}
