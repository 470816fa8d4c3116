//! Answers to what never becomes a request: a broken head, one connection too many, plain HTTP where TLS is spoken.

use bytes::Bytes;
use warp::http::{Request, StatusCode, Version, header};

use crate::web::errors::ApiError;
use crate::web::headers;

/// Bytes of path and query.
const MAX_URI_BYTES: usize = 8 * 1024;
/// Bytes of all header fields.
const MAX_FIELDS_BYTES: usize = 32 * 1024;

/// Our words for an answer that hyper makes by itself, with a status line and no body; `None` when it is none.
pub(super) fn instead_of(hypers_answer: &[u8]) -> Option<Bytes> {
    let status = std::str::from_utf8(hypers_answer.get(..12)?).ok()?.strip_prefix("HTTP/1.1 ")?;
    Some(written(&match status {
        "400" => ApiError::bad_request("bad_request", "This is not a request of HTTP/1.1."),
        "414" => uri_too_long(),
        "431" => headers_too_large(),
        _ => return None,
    }))
}

/// To a client whose address has too many connections.
pub(super) fn too_many_connections() -> Bytes {
    let message = "Too many connections from your address are being answered; use fewer.";
    written(&ApiError::unavailable("too_many_connections", message))
}

/// To a client that speaks HTTP without TLS.
pub(super) fn speaks_tls() -> Bytes {
    written(&ApiError::bad_request("https_only", "This port speaks HTTPS; write https:// in the place of http://."))
}

/// What is wrong with a head that hyper took.
pub(super) fn of_head<B>(request: &Request<B>) -> Option<ApiError> {
    if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > MAX_URI_BYTES) {
        return Some(uri_too_long());
    }
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    if fields.sum::<usize>() > MAX_FIELDS_BYTES {
        return Some(headers_too_large());
    }
    // RFC 9112 section 3.2: a server has to answer 400 then.
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
        return Some(ApiError::bad_request("bad_request", "A request of HTTP/1.1 has one Host header."));
    }
    None
}

fn uri_too_long() -> ApiError {
    ApiError::new(StatusCode::URI_TOO_LONG, "uri_too_long", "The address in the request is longer than 8 KiB.")
}

fn headers_too_large() -> ApiError {
    let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    ApiError::new(status, "headers_too_large", "The header fields are larger than 32 KiB or more than 100.")
}

/// The whole answer as it goes over the wire; the connection ends with it.
fn written(error: &ApiError) -> Bytes {
    let (status, body) = (error.status(), error.body());
    let mut text = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncache-control: no-store\r\n");
    for (name, value) in headers::SECURITY {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()));
    let mut bytes = text.into_bytes();
    bytes.extend(body);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_hyper_says_by_itself_is_said_anew() {
        for (head, code) in [
            ("HTTP/1.1 400 Bad Request\r\n", "bad_request"),
            ("HTTP/1.1 414 URI Too Long\r\n", "uri_too_long"),
            ("HTTP/1.1 431 Request Header Fields Too Large\r\n", "headers_too_large"),
        ] {
            let answer = String::from_utf8(instead_of(head.as_bytes()).unwrap().to_vec()).unwrap();
            assert!(
                answer.starts_with(head.trim_end()) && answer.contains(&format!("\"code\":\"{code}\"")),
                "{answer}"
            );
            let body = answer.split("\r\n\r\n").nth(1).unwrap();
            assert!(answer.contains(&format!("content-length: {}\r\n", body.len())), "{answer}");
        }
        for other in ["", "HTTP/1.1 20", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 Continue\r\n", "data: {}\n\n"] {
            assert_eq!(instead_of(other.as_bytes()), None, "{other}");
        }
    }
}
