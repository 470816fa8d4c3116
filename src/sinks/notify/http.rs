//! One request over HTTP/1.1, and what of the answer is used: its status, and a few words.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout_at};

use super::failure::{Failure, Fault, Stage};
use super::wire::{Trust, Wire, dial, encrypt};
use super::words::one_line;
use crate::config::WebAddress;
use crate::sinks::dial::Lapse;

/// More of an answer is not read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// What of it is shown.
const SHOWN_CHARS: usize = 120;

/// What is sent.
#[derive(Debug, Default)]
pub(super) struct Post {
    pub(super) content_type: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

/// Posts; all of it before the deadline. Only an answer of 2xx is none of the failures.
///
/// # Errors
/// The stage that failed, and how.
pub(super) async fn post(url: &WebAddress, trust: &Trust, post: Post, deadline: Instant) -> Result<(), Failure> {
    let mut request = Request::builder().method(Method::POST).header(CONTENT_TYPE, post.content_type);
    for (name, value) in post.headers {
        // Checked when they were read, and what is ours is ASCII.
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_str(&value)) {
            value.set_sensitive(true);
            request = request.header(name, value);
        }
    }
    exchange(url, trust, request, post.body, deadline).await
}

/// Asks, as [`post`] does.
///
/// # Errors
/// The stage that failed, and how.
pub(super) async fn get(url: &WebAddress, trust: &Trust, deadline: Instant) -> Result<(), Failure> {
    exchange(url, trust, Request::builder().method(Method::GET), Bytes::new(), deadline).await
}

async fn exchange(
    url: &WebAddress,
    trust: &Trust,
    request: hyper::http::request::Builder,
    body: Bytes,
    deadline: Instant,
) -> Result<(), Failure> {
    let failed = |fault: Fault| Failure { stage: Stage::Send, fault };
    let request = request
        .uri(url.path().expose())
        .header(HOST, url.authority())
        .header(USER_AGENT, concat!("StreamPulse/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Full::new(body))
        .map_err(|error| failed(Fault::Template(error.to_string())))?;
    let stream = dial(url.host(), url.port(), deadline).await?;
    let wire = if url.is_tls() { encrypt(stream, url.host(), trust, deadline).await? } else { Wire::Plain(stream) };
    let answered = timeout_at(deadline, answered(wire, request)).await;
    let (head, body) = answered.unwrap_or(Err(Fault::Lapse(Lapse::Late))).map_err(failed)?;
    judge(url, &head, &body).map_err(failed)
}

/// The answer's head, and the beginning of its body.
async fn answered(wire: Wire, request: Request<Full<Bytes>>) -> Result<(Response<()>, Vec<u8>), Fault> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(wire)).await.map_err(|error| of_hyper(&error))?;
    let mut exchange = pin!(async move {
        let answer = sender.send_request(request).await?;
        let (head, body) = answer.into_parts();
        Ok((Response::from_parts(head, ()), beginning(body).await))
    });
    let mut connection = pin!(connection);
    let mut is_over = false;
    loop {
        tokio::select! {
            done = &mut exchange => return done.map_err(|error: hyper::Error| of_hyper(&error)),
            // Its end is told to the exchange, which may have something left to read.
            _ = &mut connection, if !is_over => is_over = true,
        }
    }
}

async fn beginning(mut body: Incoming) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A status that came counts, whatever becomes of the rest.
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref() {
            bytes.extend_from_slice(&data[..data.len().min(MAX_ANSWER_BYTES - bytes.len())]);
        }
        if bytes.len() >= MAX_ANSWER_BYTES {
            break;
        }
    }
    bytes
}

fn of_hyper(error: &hyper::Error) -> Fault {
    if error.is_parse() {
        return Fault::NotHttp;
    }
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    source.map_or(Fault::Closed, super::wire::of_broken)
}

fn judge(url: &WebAddress, head: &Response<()>, body: &[u8]) -> Result<(), Fault> {
    let status = head.status();
    let header = |name| head.headers().get(name).and_then(|value| value.to_str().ok());
    if status.is_success() {
        return Ok(());
    }
    if status.is_redirection() {
        let to = header(LOCATION).and_then(|to| WebAddress::parse(to).ok()).map(|to| to.to_string());
        return Err(Fault::Redirect { code: status.as_u16(), to });
    }
    // A date is not read: the clocks of two machines differ.
    let retry_after = header(RETRY_AFTER).and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    Err(Fault::Status { code: status.as_u16(), says: excerpt(body, url), retry_after })
}

/// A few words of an answer, on one line, without what is secret of the address.
fn excerpt(body: &[u8], url: &WebAddress) -> String {
    let text = String::from_utf8_lossy(body);
    // A page for browsers says nothing in its beginning.
    if text.trim_start().starts_with('<') {
        return String::new();
    }
    let mut text = text.into_owned();
    let path = url.path().expose();
    for part in path.split(['/', '?', '&', '=']).filter(|part| part.len() >= 6).chain([path]) {
        if part.len() > 1 {
            text = text.replace(part, "***");
        }
    }
    let text = crate::model::url::mask_addresses(&text);
    let words: Vec<&str> = text.split_whitespace().collect();
    one_line(words.join(" ").trim_end_matches('.'), SHOWN_CHARS)
}
