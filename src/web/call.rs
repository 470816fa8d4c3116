//! What every route gets: the request without its body, and the parts behind the API. And bodies, always bounded.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use futures_util::{Stream, StreamExt};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize as _, Deserializer};
use serde_json::Value;
use warp::filters::BoxedFilter;
use warp::http::HeaderMap;
use warp::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use warp::path::FullPath;
use warp::{Filter, Rejection};

use super::Web;
use super::accept::Peer;
use super::auth::Caller;
use super::errors::{ApiError, not_json, too_large};
use super::headers;
use crate::model::url::percent_decode;
use crate::model::{Role, StreamId};
use crate::monitor::StreamStatus;
use crate::store::AuditEntry;

/// User names, passwords, tokens: no such body is larger.
const MAX_BODY_BYTES: usize = 16 * 1024;
/// A whole `config.yaml`, or changes of it.
const MAX_LARGE_BODY_BYTES: usize = 4 * 1024 * 1024;
/// For a whole body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// One request, without its body.
#[derive(Clone)]
pub(super) struct Call {
    /// The parts behind the API.
    pub(super) web: Arc<Web>,
    /// Its headers.
    pub(super) headers: HeaderMap,
    /// True for a method that changes something.
    pub(super) changes: bool,
    peer: Option<Peer>,
    path: String,
    query: String,
}

impl Call {
    /// Whose address it came from, behind trusted proxies.
    pub(super) fn address(&self) -> IpAddr {
        let config = self.web.parts.config.borrow().clone();
        headers::client_address(self.peer.as_ref().map(|peer| peer.address), &self.headers, &config.web.trusted_proxies)
    }

    /// True when the client's side of the connection is encrypted: up to here, or up to a trusted proxy.
    pub(super) fn is_tls(&self) -> bool {
        let Some(peer) = &self.peer else { return false };
        let config = self.web.parts.config.borrow().clone();
        let through_proxy = headers::is_trusted(peer.address.ip(), &config.web.trusted_proxies);
        match self.headers.get("x-forwarded-proto") {
            Some(value) if through_proxy => value == "https",
            _ => peer.is_tls(),
        }
    }

    /// Takes down who changed what: `action` names it (`stream.create`), `target` is what was changed, `details` say how,
    /// never with a secret.
    pub(super) async fn audit(&self, caller: &Caller, action: &'static str, target: &str, details: Value) {
        let address = self.address();
        tracing::info!(by = caller.username, %address, action, target, %details, "changed");
        let entry = AuditEntry {
            id: 0,
            at: self.web.parts.clock.now(),
            by: caller.username.clone(),
            address: Some(address.to_string()),
            action: action.to_owned(),
            target: target.to_owned(),
            details,
        };
        // The change is made; that it is not in the log is no reason to say that it is not.
        if let Err(error) = self.web.parts.store.audit(entry).await {
            tracing::error!(%error, action, target, "a change is not in the audit log");
        }
    }

    /// The path that is asked for, as it was sent.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Path and query as they were sent, without this parameter.
    pub(super) fn target_without(&self, name: &str) -> String {
        target_without(&self.path, &self.query, name)
    }

    /// Every stream that the caller may know of, in the order of the configuration.
    pub(super) fn rows(&self, caller: &Caller) -> Vec<Arc<StreamStatus>> {
        let mut rows = self.web.parts.status.all();
        if caller.groups.is_some() {
            rows.retain(|row| caller.sees(&row.stream));
        }
        rows
    }

    /// True when the caller may know of the stream of this id.
    pub(super) fn sees(&self, caller: &Caller, id: &StreamId) -> bool {
        // One that is not configured any more is in no group.
        caller.groups.is_none() || self.web.parts.status.get(id.as_str()).is_some_and(|row| caller.sees(&row.stream))
    }

    /// The value of a query parameter, percent-decoded; the first one counts. A plus is not a space here: it stands in
    /// time zone offsets that people write unencoded.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        self.query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find_map(|(key, value)| (key == name).then(|| percent_decode(value)))
    }
}

/// Path and query without this parameter and without empty ones.
pub(super) fn target_without(path: &str, query: &str, name: &str) -> String {
    let is_other = |pair: &&str| !pair.is_empty() && pair.split('=').next() != Some(name);
    let rest: Vec<&str> = query.split('&').filter(is_other).collect();
    if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) }
}

/// Takes the request apart; a route begins with its path and ends with this.
pub(super) fn call(web: &Arc<Web>) -> BoxedFilter<(Call,)> {
    let web = web.clone();
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::method()
        .and(warp::header::headers_cloned())
        .and(warp::ext::optional::<Peer>())
        .and(warp::path::full())
        .and(query)
        .map(move |method: warp::http::Method, headers, peer: Option<Peer>, path: FullPath, query| Call {
            web: web.clone(),
            headers,
            changes: !method.is_safe(),
            peer,
            path: path.as_str().to_owned(),
            query,
        })
        .boxed()
}

/// What [`read`] takes.
fn parts_of_body() -> impl Filter<
    Extract = (HeaderMap, Option<Peer>, impl Stream<Item = Result<impl Buf, warp::Error>> + Send),
    Error = Rejection,
> + Clone {
    warp::header::headers_cloned().and(warp::ext::optional::<Peer>()).and(warp::body::stream())
}

/// The body as JSON. What is wrong with it is a value, so that a route can look at the caller first.
pub(super) fn json_body<T: DeserializeOwned + Send + 'static>()
-> impl Filter<Extract = (Result<T, ApiError>,), Error = Rejection> + Clone {
    parts_of_body().then(|headers: HeaderMap, peer: Option<Peer>, body| async move {
        as_json(&headers, &read(&headers, peer, body, MAX_BODY_BYTES).await?, b'{')
    })
}

/// A whole number as JSON has it: `5` and `5.0` are the same.
pub(super) fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let Some(number) = Option::<f64>::deserialize(deserializer)? else { return Ok(None) };
    let is_whole = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    // Checked just before.
    if is_whole { Ok(Some(number as u32)) } else { Err(D::Error::custom("not a whole number")) }
}

/// `begin` is that of an object or a list: serde would take a list for an object whose keys are in order.
fn from_json<T: DeserializeOwned>(bytes: &[u8], begin: u8) -> Result<T, ApiError> {
    let bad = || ApiError::bad_request("bad_json", "The body is not the JSON that this address takes.");
    if bytes.trim_ascii_start().first() != Some(&begin) {
        return Err(bad());
    }
    serde_json::from_slice(bytes).map_err(|_| bad())
}

fn as_json<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8], begin: u8) -> Result<T, ApiError> {
    let is_json = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).is_some_and(|v| {
        let kind = v.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("application/json")
    });
    if !is_json {
        return Err(not_json());
    }
    from_json(bytes, begin)
}

/// The body as JSON, or the default when there is none at all.
pub(super) fn optional_json_body<T: DeserializeOwned + Default + Send + 'static>()
-> impl Filter<Extract = (Result<T, ApiError>,), Error = Rejection> + Clone {
    parts_of_body().then(|headers: HeaderMap, peer: Option<Peer>, body| async move {
        let bytes = read(&headers, peer, body, MAX_BODY_BYTES).await?;
        if bytes.is_empty() {
            return Ok(T::default());
        }
        from_json(&bytes, b'{')
    })
}

/// The body as it is.
pub(super) fn body() -> impl Filter<Extract = (Result<Vec<u8>, ApiError>,), Error = Rejection> + Clone {
    parts_of_body().then(|headers: HeaderMap, peer: Option<Peer>, body| async move {
        read(&headers, peer, body, MAX_BODY_BYTES).await
    })
}

/// The body as it is, also a large one: taken only from an administrator, so that strangers cannot fill the memory.
pub(super) fn large_body(
    web: &Arc<Web>,
) -> impl Filter<Extract = (Result<Vec<u8>, ApiError>,), Error = Rejection> + Clone + use<> {
    call(web).and(parts_of_body()).then(|call: Call, headers: HeaderMap, peer: Option<Peer>, body| async move {
        call.caller(Role::Admin).await?;
        read(&headers, peer, body, MAX_LARGE_BODY_BYTES).await
    })
}

/// The same as a list in JSON.
pub(super) fn large_json_body<T: DeserializeOwned + Send + 'static>(
    web: &Arc<Web>,
) -> impl Filter<Extract = (Result<T, ApiError>,), Error = Rejection> + Clone + use<T> {
    warp::header::headers_cloned()
        .and(large_body(web))
        .map(|headers: HeaderMap, bytes: Result<Vec<u8>, ApiError>| as_json(&headers, &bytes?, b'['))
}

async fn read<B: Buf>(
    headers: &HeaderMap,
    peer: Option<Peer>,
    body: impl Stream<Item = Result<B, warp::Error>>,
    limit_bytes: usize,
) -> Result<Vec<u8>, ApiError> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > limit_bytes as u64) {
        return Err(too_large());
    }
    let mut body = std::pin::pin!(body);
    let whole = tokio::time::timeout(BODY_TIMEOUT, async {
        let mut bytes = Vec::new();
        while let Some(part) = body.next().await {
            let mut part =
                part.map_err(|_| ApiError::bad_request("body_cut_off", "The body ended before its announced length."))?;
            if bytes.len() + part.remaining() > limit_bytes {
                return Err(too_large());
            }
            while part.has_remaining() {
                let chunk = part.chunk();
                bytes.extend_from_slice(chunk);
                let length = chunk.len();
                part.advance(length);
            }
        }
        if let Some(peer) = &peer {
            peer.body_is_whole();
        }
        Ok(bytes)
    });
    whole.await.unwrap_or_else(|_| {
        let status = warp::http::StatusCode::REQUEST_TIMEOUT;
        Err(ApiError::new(status, "body_too_slow", "The body did not arrive in time."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded() {
        for (text, decoded) in
            [("a%2Fb", "a/b"), ("100%", "100%"), ("%zz", "%zz"), ("%", "%"), ("%C3%A4+1", "ä+1"), ("%+1", "%+1")]
        {
            assert_eq!(percent_decode(text), decoded, "{text}");
        }
    }
}
