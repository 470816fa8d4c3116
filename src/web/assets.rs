//! The dashboard's files, compiled in.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use warp::filters::BoxedFilter;
use warp::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use warp::http::{HeaderMap, Response as HttpResponse, StatusCode};
use warp::path::FullPath;
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection};

use super::Web;

struct Asset {
    path: &'static str,
    kind: &'static str,
    content: &'static [u8],
}

macro_rules! assets {
    ($($path:literal $kind:literal $file:literal;)*) => {
        &[$(Asset { path: $path, kind: $kind, content: include_bytes!(concat!("../../static/", $file)) },)*]
    };
}

static ASSETS: &[Asset] = assets! {
    "/" "text/html; charset=utf-8" "index.html";
    "/style.css" "text/css; charset=utf-8" "style.css";
    "/report.css" "text/css; charset=utf-8" "report.css";
    "/icon.svg" "image/svg+xml" "icon.svg";
    "/app.js" "text/javascript; charset=utf-8" "app.js";
    "/api.js" "text/javascript; charset=utf-8" "api.js";
    "/detail.js" "text/javascript; charset=utf-8" "detail.js";
    "/dom.js" "text/javascript; charset=utf-8" "dom.js";
    "/live.js" "text/javascript; charset=utf-8" "live.js";
    "/signin.js" "text/javascript; charset=utf-8" "signin.js";
    "/texts.js" "text/javascript; charset=utf-8" "texts.js";
    "/wall.js" "text/javascript; charset=utf-8" "wall.js";
};

static TAGS: LazyLock<Vec<String>> = LazyLock::new(|| ASSETS.iter().map(|asset| etag(asset.content)).collect());

/// A strong tag of some content (RFC 9110 section 8.8.3).
pub(super) fn etag(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    let hex: String = digest[..12].iter().map(|b| format!("{b:02x}")).collect();
    format!("\"{hex}\"")
}

/// True when the client has this version already (RFC 9110 section 13.1.2).
pub(super) fn has(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|value| value.trim().trim_start_matches("W/"))
        .any(|value| value == tag || value == "*")
}

/// `GET /` and the files of the dashboard.
pub(super) fn routes(_web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    warp::path::full()
        .and_then(|path: FullPath| async move {
            ASSETS.iter().position(|asset| asset.path == path.as_str()).ok_or_else(warp::reject::not_found)
        })
        .and(warp::get())
        .and(warp::header::headers_cloned())
        .and_then(|index: usize, headers: HeaderMap| async move { Ok::<_, Rejection>(answer(index, &headers)) })
        .boxed()
}

fn answer(index: usize, headers: &HeaderMap) -> Response {
    let (asset, tag) = (&ASSETS[index], &TAGS[index]);
    let known = has(headers, tag);
    let content = if known { Bytes::new() } else { Bytes::from_static(asset.content) };
    let mut response = HttpResponse::new(content).into_response();
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_only_files_that_are_there() {
        let page = std::str::from_utf8(ASSETS[0].content).unwrap();

        for part in page.split(['"', '\'']).filter(|part| part.starts_with('/') && part.len() > 1) {
            assert!(ASSETS.iter().any(|asset| asset.path == part), "{part}");
        }
        for asset in ASSETS.iter().filter(|asset| asset.path.ends_with(".js")) {
            let text = std::str::from_utf8(asset.content).unwrap();
            for line in text.lines().filter(|line| line.starts_with("import ")) {
                let file = line.split('"').nth(1).unwrap().trim_start_matches('.');
                assert!(ASSETS.iter().any(|asset| asset.path == file), "{} imports {file}", asset.path);
            }
            assert!(!text.contains("innerHTML") && !text.contains("localStorage"), "{}", asset.path);
        }
    }
}
