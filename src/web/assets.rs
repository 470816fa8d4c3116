//! The dashboard's files, compiled in. A debug build reads them from `static/` each time, so that a change shows at once.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};
use warp::filters::BoxedFilter;
use warp::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use warp::http::{HeaderMap, Response as HttpResponse, StatusCode};
use warp::path::FullPath;
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection};

use super::Web;

/// Everything below `static/`.
#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

/// The file of the page itself.
const PAGE: &str = "index.html";

/// The file at this path of an address.
fn file(path: &str) -> Option<(&str, rust_embed::EmbeddedFile)> {
    let name = match path.strip_prefix('/')? {
        "" => PAGE,
        name => name,
    };
    Files::get(name).map(|file| (name, file))
}

/// The media type of a file, by its ending.
fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "webmanifest" => "application/manifest+json",
        _ => "text/plain; charset=utf-8",
    }
}

/// A strong tag of some content (RFC 9110 section 8.8.3).
pub(super) fn etag(content: &[u8]) -> String {
    format!("\"{}\"", hex(&Sha256::digest(content)[..12]))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
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
        .and_then(|path: FullPath| async move { answer_at(path.as_str()).ok_or_else(warp::reject::not_found) })
        .and(warp::get())
        .and(warp::header::headers_cloned())
        .and_then(|asset: Asset, headers: HeaderMap| async move { Ok::<_, Rejection>(asset.answer(&headers)) })
        .boxed()
}

struct Asset {
    kind: &'static str,
    tag: String,
    content: Bytes,
}

fn answer_at(path: &str) -> Option<Asset> {
    let (name, file) = file(path)?;
    let content = match file.data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    Some(Asset { kind: kind(name), tag: format!("\"{}\"", hex(&file.metadata.sha256_hash()[..12])), content })
}

impl Asset {
    fn answer(self, headers: &HeaderMap) -> Response {
        let known = has(headers, &self.tag);
        let mut response = HttpResponse::new(if known { Bytes::new() } else { self.content }).into_response();
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            headers.insert(ETAG, tag);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str) -> String {
        String::from_utf8(Files::get(name).unwrap().data.into_owned()).unwrap()
    }

    const AT_THE_TOP: &[&str] = &["from \".", "from\"."];
    const WHEN_NEEDED: &[&str] = &["import(\"."];

    /// What is imported with this word, without the dot that it begins with.
    fn imports<'a>(text: &'a str, word: &str) -> impl Iterator<Item = &'a str> {
        text.split(word).skip(1).filter_map(|after| after.split('"').next())
    }

    /// The name of the file that `name` imports so; the first dot is cut off.
    fn resolve(name: &str, import: &str) -> String {
        let mut path: Vec<&str> = name.split('/').collect();
        path.pop();
        for part in import.split('/') {
            match part {
                "" => {}
                "." | ".." => drop(path.pop()),
                part => path.push(part),
            }
        }
        path.join("/")
    }

    #[test]
    fn every_file_that_is_named_is_there() {
        for part in text(PAGE).split(['"', '\'']).filter(|part| part.starts_with('/') && part.len() > 1) {
            assert!(file(part).is_some(), "{part}");
        }
        let mut checked = 0;
        for name in Files::iter().filter(|name| name.ends_with(".js") && !name.starts_with("vendor/")) {
            let text = text(&name);
            for import in AT_THE_TOP.iter().chain(WHEN_NEEDED).flat_map(|word| imports(&text, word)) {
                assert!(Files::get(&resolve(&name, import)).is_some(), "{name} imports {import}");
                checked += 1;
            }
        }
        assert!(checked > 20, "{checked}");
    }

    /// Otherwise the browser finds them one behind the other.
    #[test]
    fn what_the_first_page_needs_is_asked_for_at_once() {
        let mut needed = std::collections::BTreeSet::from(["app.js".to_owned()]);
        let mut waiting: Vec<String> = needed.iter().cloned().collect();
        while let Some(name) = waiting.pop() {
            let text = text(&name);
            for import in AT_THE_TOP.iter().flat_map(|word| imports(&text, word)) {
                let import = resolve(&name, import);
                if needed.insert(import.clone()) {
                    waiting.push(import);
                }
            }
        }
        needed.remove("app.js");
        let page = text(PAGE);
        let asked = page.split("modulepreload\" href=\"/").skip(1).filter_map(|after| after.split('"').next());
        assert_eq!(asked.map(str::to_owned).collect::<std::collections::BTreeSet<_>>(), needed);
    }

    #[test]
    fn text_is_never_markup_and_nothing_of_a_session_is_kept() {
        for name in Files::iter().filter(|name| name.ends_with(".js") && !name.starts_with("vendor/")) {
            let text = text(&name);
            for word in ["innerHTML", "dangerouslySetInnerHTML", "insertAdjacentHTML", "eval(", "new Function"] {
                assert!(!text.contains(word), "{name}: {word}");
            }
            assert!(!text.contains("localStorage.") || name == "lib/preferences.js", "{name} keeps something");
        }
    }

    #[test]
    fn reasons_and_issues_are_explained_in_the_same_words() {
        let texts = text("texts/en.js");
        let quoted = |text: &str| serde_json::to_string(text).unwrap();
        for reason in crate::model::Reason::ALL {
            let at = texts.find(&format!("\n    {reason}: {{")).unwrap_or_else(|| panic!("{reason}"));
            let (entry, _) = texts[at..].split_once("\n    },").unwrap();
            assert!(entry.contains(&format!("sentence: {},", quoted(reason.sentence()))), "{reason}");
            assert!(reason.next_step().is_none_or(|next| entry.contains(&quoted(next))), "{reason}");
        }
        for issue in crate::model::PictureIssue::ALL {
            let at = texts.find(&format!("\n    {issue}: {{")).unwrap_or_else(|| panic!("{issue}"));
            let (entry, _) = texts[at..].split_once("\n    },").unwrap();
            assert!(entry.contains(&quoted(issue.sentence())) && entry.contains(&quoted(issue.next_step())), "{issue}");
        }
    }
}
