//! `/api/audit`: who changed what.

use std::sync::Arc;

use serde_json::json;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::Web;
use super::call::{Call, call};
use super::errors::{ApiError, json, respond};
use super::history::{limit, number, time};
use crate::model::Role;
use crate::store::AuditQuery;

const DEFAULT_LIMIT: usize = 100;

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "audit")
        .and(warp::get())
        .and(call(web))
        .then(|call: Call| async move { respond(audit(call).await) })
        .boxed()
}

async fn audit(call: Call) -> Result<Response, ApiError> {
    call.caller(Role::Admin).await?;
    let limit = limit(&call, DEFAULT_LIMIT)?;
    let (from, to, before) = (time(&call, "from")?, time(&call, "to")?, number(&call, "cursor")?);
    let mut entries = call.web.parts.store.audit_log(AuditQuery { from, to, before, limit: limit + 1 }).await?;
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    let next_cursor = entries.last().filter(|_| has_more).map(|entry| entry.id.to_string());
    Ok(json(&json!({"entries": entries, "next_cursor": next_cursor})))
}
