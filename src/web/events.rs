//! `/api/events`: server-sent events, a bounded number of listeners.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use serde_json::json;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::{Reply, Response};
use warp::sse;

use super::Web;
use super::call::{Call, call};
use super::errors::{ApiError, respond};
use super::incidents;
use super::view;
use crate::model::Role;
use crate::monitor::Event;

/// Listeners at once; the next one gets 503 and polls.
pub(super) const MAX_LISTENERS: usize = 64;
/// A comment this often tells both sides that the other is there.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "events")
        .and(warp::get())
        .and(call(web))
        .then(|call: Call| async move { respond(events(call).await) })
        .boxed()
}

struct Listener {
    events: broadcast::Receiver<Event>,
    role: Role,
    web: Arc<Web>,
    _place: tokio::sync::OwnedSemaphorePermit,
}

async fn events(call: Call) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Viewer).await?;
    let place = call.web.listeners.clone().try_acquire_owned().map_err(|_| {
        ApiError::unavailable("too_many_listeners", "Too many listen already; ask /api/streams instead.")
    })?;
    let listener =
        Listener { events: call.web.parts.status.subscribe(), role: caller.role, web: call.web.clone(), _place: place };
    // A stream does not outlive the token that opened it: the browser comes again with a new one.
    let seconds = u64::try_from(caller.expires_at_second - call.web.parts.clock.now().as_second()).unwrap_or(0);
    let cancel = call.web.cancel.clone();
    let end = async move {
        tokio::select! {
            () = cancel.cancelled() => {}
            () = tokio::time::sleep(Duration::from_secs(seconds)) => {}
        }
    };
    let hello = sse::Event::default().event("hello").data("{}").retry(Duration::from_secs(2));
    let events = stream::once(async move { Ok::<_, Infallible>(hello) })
        .chain(stream::unfold(listener, |mut listener| async move {
            let event = next(&mut listener).await?;
            Some((Ok(event), listener))
        }))
        .take_until(Box::pin(end));
    Ok(sse::reply(sse::keep_alive().interval(KEEP_ALIVE).stream(Box::pin(events))).into_response())
}

/// The next event; `None` when the table is gone.
async fn next(listener: &mut Listener) -> Option<sse::Event> {
    let (name, data) = match listener.events.recv().await {
        Ok(Event::Heartbeat(row)) => {
            let paused_until = listener.web.paused_until(&row.stream.id);
            ("stream", json!(view::summary(&row, listener.role, 1, paused_until)))
        }
        Ok(Event::Transition(transition)) => ("transition", json!(transition)),
        Ok(Event::Flapping { stream, active }) => ("flapping", json!({"stream": stream, "active": active})),
        Ok(Event::Incident(incident)) => ("incident", json!(incidents::view(&incident, listener.role))),
        Ok(Event::StreamsChanged) => ("reload", json!({"because": "streams_changed"})),
        Err(RecvError::Lagged(missed)) => ("reload", json!({"because": "too_slow", "missed": missed})),
        Err(RecvError::Closed) => return None,
    };
    Some(sse::Event::default().event(name).data(data.to_string()))
}
