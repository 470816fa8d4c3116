//! `/api/openapi.json`: the description of every address, put together from one file for each group of them.
//!
//! What every operation has in common is added here, so that it is said once: which role an operation needs (`x-role` in
//! the files), and how what it asks for may be refused.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use serde_json::{Map, Value, json};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue};
use warp::http::{Response as HttpResponse, StatusCode};
use warp::reply::{Reply, Response};

use super::Web;
use super::assets::{etag, has};
use super::call::{Call, call};
use super::errors::{ApiError, respond};
use crate::model::{Health, PictureIssue, Reason, Role, Stage};

const PARTS: [&str; 9] = [
    include_str!("openapi/common.json"),
    include_str!("openapi/session.json"),
    include_str!("openapi/accounts.json"),
    include_str!("openapi/streams.json"),
    include_str!("openapi/config.json"),
    include_str!("openapi/incidents.json"),
    include_str!("openapi/reports.json"),
    include_str!("openapi/service.json"),
    include_str!("openapi/originals.json"),
];

static DOCUMENT: LazyLock<(Bytes, String)> = LazyLock::new(|| {
    let text = Bytes::from(document().to_string());
    let tag = etag(&text);
    (text, tag)
});

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "openapi.json")
        .and(warp::get())
        .and(call(web))
        .then(|call: Call| async move { respond(answer(call).await) })
        .boxed()
}

async fn answer(call: Call) -> Result<Response, ApiError> {
    call.caller(Role::Viewer).await?;
    let (text, tag) = &*DOCUMENT;
    let known = has(&call.headers, tag);
    let mut response = HttpResponse::new(if known { Bytes::new() } else { text.clone() }).into_response();
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(ETAG, tag);
    }
    Ok(response)
}

/// The whole description (OpenAPI 3.1).
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for part in PARTS {
        // The files are compiled in, and a test reads them.
        let Ok(Value::Object(mut part)) = serde_json::from_str(part) else { continue };
        for (name, all) in [("paths", &mut paths), ("schemas", &mut schemas)] {
            let Some(Value::Object(entries)) = part.remove(name) else { continue };
            for (key, value) in entries {
                match (all.get_mut(&key), value) {
                    // What can be done with one address may be said in several files.
                    (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
                    (_, value) => _ = all.insert(key, value),
                }
            }
        }
    }
    schemas["Health"]["enum"] = json!(Health::ALL);
    schemas["Reason"]["enum"] = json!(Reason::ALL);
    schemas["Stage"]["enum"] = json!(Stage::ALL);
    schemas["PictureIssue"]["enum"] = json!(PictureIssue::ALL);
    for (path, operations) in &mut paths {
        let Value::Object(operations) = operations else { continue };
        for (method, operation) in operations {
            complete(path, method, operation);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "StreamPulse",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Tells the truth about a mixed fleet of IP cameras. Times are RFC 3339 in UTC; a number has \
                its unit in its name. A caller that is limited to groups sees their streams only: of others it gets 404.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An access token of POST /api/login, or an API token (`sp_…`).",
                },
                "cookie": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "sp_access",
                    "description": "What the dashboard has. A change needs the header `X-StreamPulse: 1` beside it.",
                },
            },
        },
    })
}

/// Path templates with what `Allow` names for them.
static METHODS: LazyLock<Vec<(Vec<String>, HeaderValue)>> = LazyLock::new(|| {
    let document = document();
    let paths = document["paths"].as_object().into_iter().flatten();
    let row = |(path, operations): (&String, &Value)| {
        let known = |method: &str| operations.get(method).is_some();
        let names = [("get", "GET, HEAD"), ("post", "POST"), ("put", "PUT"), ("patch", "PATCH"), ("delete", "DELETE")];
        let names: Vec<&str> = names.into_iter().filter(|(method, _)| known(method)).map(|(_, name)| name).collect();
        let parts = path.split('/').map(str::to_owned).collect();
        Some((parts, HeaderValue::from_str(&names.join(", ")).ok()?))
    };
    paths.filter_map(row).collect()
});

/// What `Allow` names (RFC 9110 section 15.5.6 asks for it beside a 405). The dashboard's files are not described.
pub(super) fn methods_of(path: &str) -> HeaderValue {
    let asked: Vec<&str> = path.split('/').collect();
    let fits = |parts: &[String]| {
        parts.len() == asked.len()
            && parts.iter().zip(&asked).all(|(part, asked)| part == asked || part.starts_with('{'))
    };
    // One that is named whole before one that is a parameter.
    let found = METHODS
        .iter()
        .filter(|(parts, _)| fits(parts))
        .max_by_key(|(parts, _)| parts.iter().zip(&asked).filter(|(part, asked)| part == *asked).count());
    found.map_or(HeaderValue::from_static("GET, HEAD"), |(_, methods)| methods.clone())
}

/// Adds what is true of every operation of its kind.
fn complete(path: &str, method: &str, operation: &mut Value) {
    let Value::Object(operation) = operation else { return };
    let name: String =
        path.trim_matches('/').chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    operation.insert("operationId".to_owned(), json!(format!("{method}_{name}")));
    let role = operation.get("x-role").and_then(Value::as_str).map(str::to_owned);
    let is_signed_in = role.is_some() || operation.remove("x-signed-in").is_some();
    let mut more: Vec<(&str, &str)> = Vec::new();
    if operation.remove("x-not-found").is_some() || path.contains('{') {
        more.push(("404", "There is no such thing, or the caller does not see it."));
    }
    if operation.contains_key("parameters") {
        more.push(("400", "A parameter makes no sense."));
    }
    if operation.contains_key("requestBody") {
        more.push(("400", "The body is not what this address takes."));
        more.push(("408", "The body did not arrive in time."));
        more.push(("413", "The body is too large."));
        more.push(("415", "The body has another Content-Type."));
    }
    if is_signed_in {
        operation.insert("security".to_owned(), json!([{"bearer": []}, {"cookie": []}]));
        more.push(("401", "Sign in first."));
        more.push(("403", "The role is not enough, or the first password must be changed before."));
    }
    more.push(("503", "The service has too much to do, or its database does not answer; try again in a moment."));
    if let Some(role) = role {
        let text = operation.get("description").and_then(Value::as_str).unwrap_or_default();
        let needs = format!("Needs the role {role}. {text}");
        operation.insert("description".to_owned(), json!(needs.trim_end()));
    }
    let Some(Value::Object(responses)) = operation.get_mut("responses") else { return };
    for (status, description) in more {
        let content = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}});
        responses.entry(status.to_owned()).or_insert_with(|| json!({"description": description, "content": content}));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(entries) => {
                for (key, value) in entries {
                    match value {
                        Value::String(to) if key == "$ref" => found.push(to.clone()),
                        other => references(other, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn the_parts_fit_together() {
        for part in PARTS {
            let part: Value = serde_json::from_str(part).unwrap();
            assert!(part["paths"].is_object() && part["schemas"].is_object());
        }
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 50);
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    }

    #[test]
    fn methods_are_those_of_the_closest_path() {
        for (path, methods) in [
            ("/api/login", "POST"),
            ("/api/config", "GET, HEAD, PUT, PATCH"),
            ("/api/streams/gate", "GET, HEAD, PUT, PATCH, DELETE"),
            ("/api/tokens/rotate-secret", "POST"),
            ("/api/tokens/7", "DELETE"),
            ("/style/base.css", "GET, HEAD"),
        ] {
            assert_eq!(methods_of(path), methods, "{path}");
        }
    }

    #[test]
    fn every_operation_says_who_may_and_how_it_may_be_refused() {
        let document = document();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let at = format!("{method} {path}");
                assert!(operation["summary"].is_string() && operation["operationId"].is_string(), "{at}");
                let responses = operation["responses"].as_object().unwrap();
                assert!(responses.keys().any(|status| status.starts_with('2')), "{at}");
                if let Some(role) = operation.get("x-role") {
                    assert!(Role::parse(role.as_str().unwrap()).is_some(), "{at}");
                    assert!(responses.contains_key("401") && responses.contains_key("403"), "{at}");
                }
            }
        }
    }
}
