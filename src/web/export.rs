//! `/api/export.csv`, and `/export/all.csv` in the original's columns: every kept heartbeat, streamed page by page.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use jiff::tz::TimeZone;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use warp::reply::{Reply, Response};

use super::Web;
use super::auth::Caller;
use super::call::{Call, call};
use super::csv_rows::Rows;
use super::errors::{ApiError, respond};
use super::history::time;
use crate::model::{Heartbeat, Reason, Role, StreamId};
use crate::store::{PagePosition, Store, StoreError};

/// Heartbeats that are read at once: half a megabyte of text.
const PAGE: usize = 5_000;

/// Exports at once; the next one gets 503.
pub(super) const MAX_EXPORTS: usize = 4;

/// Pages that are ready and wait for the client; the next one is read when there is room.
const PAGES_READY: usize = 2;

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    let ours = warp::path!("api" / "export.csv")
        .and(warp::get())
        .and(call(web))
        .then(|call: Call| async move { respond(export(call, Form::Ours).await) });
    let originals = warp::path!("export" / "all.csv")
        .and(warp::get())
        .and(call(web))
        .then(|call: Call| async move { respond(export(call, Form::Originals).await) });
    ours.or(originals).unify().boxed()
}

/// Which columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Ours,
    /// As scripts for the original read them.
    Originals,
}

impl Form {
    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Ours => &["stream_id", "stream", "time", "state", "reason", "stage", "latency_ms", "message"],
            Self::Originals => &["stream", "ts", "status", "latency_ms", "message"],
        }
    }

    fn file_name(self) -> &'static str {
        match self {
            Self::Ours => "streampulse-heartbeats.csv",
            Self::Originals => "stream_logs.csv",
        }
    }
}

/// What an export needs, apart from the call.
struct Export {
    call: Call,
    caller: Caller,
    store: Store,
    form: Form,
    /// Names of the streams that are in it; `None` of all there are, those that are not configured any more included.
    wanted: Option<HashSet<StreamId>>,
    names: HashMap<StreamId, String>,
    zone: TimeZone,
    from: Option<jiff::Timestamp>,
    to: jiff::Timestamp,
    _place: OwnedSemaphorePermit,
}

async fn export(call: Call, form: Form) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Viewer).await?;
    let now = call.web.parts.clock.now();
    let (from, to) = (time(&call, "from")?, time(&call, "to")?.unwrap_or(now).min(now));
    if from.is_some_and(|from| from >= to) {
        let message = "from must be before to and not in the future.";
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_parameter", message));
    }
    let place = call.web.exports.clone().try_acquire_owned().map_err(|_| {
        ApiError::unavailable("too_many_exports", "Too many exports are under way; try again when one is done.")
    })?;
    let zone = call.web.parts.config.borrow().timezone.clone();
    let export = Export {
        store: call.web.parts.store.clone(),
        form,
        wanted: wanted(&call, &caller)?,
        names: call.rows(&caller).iter().map(|row| (row.stream.id.clone(), row.stream.name.clone())).collect(),
        zone,
        from,
        to,
        call,
        caller,
        _place: place,
    };
    let (pages, mut ready) = mpsc::channel(PAGES_READY);
    // It ends with the last page, or when the client is gone and nobody takes the next one.
    tokio::spawn(export.write(pages));
    let body = stream::poll_fn(move |context| ready.poll_recv(context));
    let mut response = warp::reply::stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present"));
    if let Ok(kept) = HeaderValue::from_str(&format!("attachment; filename=\"{}\"", form.file_name())) {
        headers.insert(CONTENT_DISPOSITION, kept);
    }
    Ok(response)
}

/// `?stream=gate` or `?stream=gate,yard`, by ids; `None` for every stream.
fn wanted(call: &Call, caller: &Caller) -> Result<Option<HashSet<StreamId>>, ApiError> {
    if let Some(list) = call.query("stream") {
        let id = |text: &str| {
            let id = StreamId::new(text).filter(|id| call.web.parts.status.get(id.as_str()).is_some());
            id.filter(|id| call.sees(caller, id)).ok_or_else(|| ApiError::no_such_stream(text))
        };
        return list.split(',').map(id).collect::<Result<_, _>>().map(Some);
    }
    let all = || call.rows(caller).iter().map(|row| row.stream.id.clone()).collect();
    Ok(caller.groups.as_ref().map(|_| all()))
}

impl Export {
    async fn write(self, pages: mpsc::Sender<Result<Bytes, StoreError>>) {
        let mut rows = Rows::headed(self.form.columns());
        let mut after: Option<PagePosition> = None;
        // Cut off, so that nobody takes half a table for the whole.
        while self.call.is_still(&self.caller).await && !self.call.web.cancel.is_cancelled() {
            let page = match self.store.heartbeat_page(self.from, self.to, after, PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::error!(%error, "an export was cut off");
                    break;
                }
            };
            for (id, heartbeat) in &page.rows {
                if self.wanted.as_ref().is_none_or(|wanted| wanted.contains(id)) {
                    self.row(&mut rows, id, heartbeat);
                }
            }
            let text = rows.take();
            if !text.is_empty() && pages.send(Ok(text.into())).await.is_err() {
                return;
            }
            after = page.next;
            if after.is_none() {
                return;
            }
        }
        let _ = pages.send(Err(StoreError::Closed)).await;
    }

    fn row(&self, rows: &mut Rows, id: &StreamId, heartbeat: &Heartbeat) {
        let name = self.names.get(id).map_or(id.as_str(), String::as_str);
        let message = heartbeat.reason.sentence();
        match self.form {
            Form::Ours => {
                rows.plain(id);
                rows.text(name);
                rows.plain(heartbeat.at);
                rows.plain(heartbeat.health.as_str());
                rows.plain(heartbeat.reason);
                rows.plain(heartbeat.stage);
                rows.plain(heartbeat.latency_ms);
            }
            Form::Originals => {
                rows.text(name);
                rows.plain(local_time(heartbeat, &self.zone));
                rows.plain(status(heartbeat.reason));
                rows.plain(heartbeat.latency_ms);
            }
        }
        rows.text(message);
        rows.end();
    }
}

/// What the original wrote: `ok`, `fail`, and nothing where it is not known.
pub(super) fn status(reason: Reason) -> &'static str {
    match reason {
        Reason::Ok => "ok",
        reason if reason.is_ours() => "",
        _ => "fail",
    }
}

/// What the original wrote: local time with its offset, to the second.
pub(super) fn local_time(heartbeat: &Heartbeat, zone: &TimeZone) -> String {
    heartbeat.at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}
