//! What goes wrong: answers to clients in one shape, and what keeps the server from starting.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;
use thiserror::Error;
use warp::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use warp::http::{Response as HttpResponse, StatusCode};
use warp::reject::{MethodNotAllowed, PayloadTooLarge, Rejection, UnsupportedMediaType};
use warp::reply::{Reply, Response};

use super::tls::TlsError;
use crate::store::StoreError;

/// What keeps the web server from starting. Every message says the next step.
#[derive(Debug, Error)]
pub enum WebError {
    /// Someone else listens there.
    #[error(
        "port {} of {} is in use by another program; stop it (`ss -ltnp` names it) or choose another address with web.listen", .0.port(), .0.ip()
    )]
    PortInUse(SocketAddr),
    /// A port below 1024 without the right to it.
    #[error(
        "no permission to listen on {0}; choose a port from 1024 up with web.listen, or give the service CAP_NET_BIND_SERVICE"
    )]
    NotAllowed(SocketAddr),
    /// The address is not one of this machine's.
    #[error("{0} is not an address of this machine; write one that is in web.listen, or 0.0.0.0 for all of them")]
    NoSuchAddress(SocketAddr),
    /// Any other reason.
    #[error("cannot listen on {0}: {1}; choose another address with web.listen")]
    CannotListen(SocketAddr, #[source] io::Error),
    /// Certificate or key of `web.tls`.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A file of ours in the state directory.
    #[error("cannot {action} {}: {source}; check owner and mode of the state directory", .path.display())]
    File {
        /// `read`, `write`.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The signing key is not 32 bytes.
    #[error(
        "{} is not a key of 32 bytes; remove it, and a new one is made at the next start (everyone signs in again)", .0.display()
    )]
    BadKey(PathBuf),
    /// The preset password cannot be used.
    #[error("{}: {message}; it is named by STREAMPULSE_ADMIN_PASSWORD_FILE", .path.display())]
    BadPreset {
        /// The file.
        path: PathBuf,
        /// What is wrong with the password in it.
        message: String,
    },
    /// A part of ours does not work.
    #[error("{0}; this is a fault of this build, please report it")]
    Broken(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WebError {
    /// The exit code of sysexits.h: 69 when the address cannot be had, 73 when a file cannot be written, 78 when a
    /// setting is wrong, 70 for a fault of our own; the store knows its own.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::PortInUse(_) | Self::NotAllowed(_) | Self::NoSuchAddress(_) | Self::CannotListen(..) => 69,
            Self::File { .. } | Self::BadKey(_) => 73,
            Self::Store(error) => error.exit_code(),
            Self::Tls(_) | Self::BadPreset { .. } => 78,
            Self::Broken(_) => 70,
        }
    }
}

/// An answer that is not what was asked for: `{"error":{"code","message","details"}}`.
#[derive(Clone, Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: Vec<Value>,
    retry_after_seconds: Option<u64>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    code: &'a str,
    message: &'a str,
    details: &'a [Value],
}

impl ApiError {
    /// Any status and code.
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: Vec::new(), retry_after_seconds: None }
    }

    /// 400: what was sent makes no sense.
    pub(super) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 401: sign in first.
    pub(super) fn unauthorized(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, message)
    }

    /// 403: signed in, and not allowed.
    pub(super) fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// 404.
    pub(super) fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 404 for a stream id.
    pub(super) fn no_such_stream(id: &str) -> Self {
        let shown: String = id.chars().take(64).collect();
        Self::not_found("no_such_stream", format!("There is no stream with the id {shown:?}."))
    }

    /// 503: later.
    pub(super) fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message).retry_after(2)
    }

    /// 500: our fault; the log has more.
    pub(super) fn internal(what: impl std::fmt::Display) -> Self {
        tracing::error!(error = %what, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The service failed; its log says more.")
    }

    /// Its status.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// Its JSON.
    pub(super) fn body(&self) -> Vec<u8> {
        // Texts and values only: nothing of it can fail.
        serde_json::to_vec(&self.envelope()).unwrap_or_default()
    }

    fn envelope(&self) -> Envelope<'_> {
        Envelope { error: Inner { code: self.code, message: &self.message, details: &self.details } }
    }

    /// Adds facts for a program.
    pub(super) fn detail(mut self, detail: Value) -> Self {
        self.details.push(detail);
        self
    }

    /// Says when to come back.
    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }
}

impl From<WebError> for ApiError {
    fn from(error: WebError) -> Self {
        Self::internal(error)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the database did not answer a request");
        Self::unavailable("store_unavailable", "The database does not answer; the service's log says more.")
    }
}

impl Reply for ApiError {
    fn into_response(self) -> Response {
        let mut response = json_with(self.status, &self.envelope());
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"streampulse\""));
        }
        response
    }
}

/// One clause as a sentence.
pub(super) fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    let mut sentence: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    sentence.push('.');
    sentence
}

/// Either of the two, as an answer.
pub(super) fn respond(result: Result<Response, ApiError>) -> Response {
    result.unwrap_or_else(Reply::into_response)
}

/// The answer of what changes something. It is done to its end, audit log included, also when the client hangs up
/// meanwhile: half a change would be one that nobody knows of.
pub(super) async fn to_its_end(work: impl Future<Output = Result<Response, ApiError>> + Send + 'static) -> Response {
    respond(tokio::spawn(work).await.unwrap_or_else(|error| Err(ApiError::internal(error))))
}

/// 200 with JSON.
pub(super) fn json(value: &impl Serialize) -> Response {
    json_with(StatusCode::OK, value)
}

/// Any status with JSON.
pub(super) fn json_with(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => {
            let mut response = HttpResponse::new(body).into_response();
            *response.status_mut() = status;
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        // Only a map with keys that are not text can fail; ours have none.
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            let mut response = HttpResponse::new("").into_response();
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
}

/// The answer when no route took the request.
pub(super) async fn recover(rejection: Rejection) -> Result<Response, Infallible> {
    let error = if rejection.find::<PayloadTooLarge>().is_some() {
        too_large()
    } else if rejection.find::<UnsupportedMediaType>().is_some() {
        not_json()
    } else if rejection.find::<MethodNotAllowed>().is_some() {
        ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This address does not know that method.")
    } else if rejection.is_not_found() {
        ApiError::not_found("not_found", "There is nothing at this address.")
    } else {
        ApiError::bad_request("bad_request", "The request could not be understood.")
    };
    Ok(error.into_response())
}

/// 413.
pub(super) fn too_large() -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is larger than this address takes.")
}

/// 415.
pub(super) fn not_json() -> ApiError {
    ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "not_json",
        "Send the body as JSON, with Content-Type: application/json.",
    )
}
