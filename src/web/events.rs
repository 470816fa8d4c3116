//! `/api/events`: server-sent events, a bounded number of listeners. Who comes again with `Last-Event-ID` gets what was
//! missed, or is told to read everything again.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, Interval, interval_at};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::{Reply, Response};
use warp::sse;

use super::Web;
use super::auth::Caller;
use super::call::{Call, call};
use super::errors::{ApiError, respond};
use super::event_log::{Kept, Missed};
use super::incidents;
use super::listeners::Seat;
use super::view::{self, LISTED_HEARTBEATS};
use crate::model::Role;
use crate::monitor::{Event, StreamStatus};

/// A comment this often tells both sides that the other is there.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How often the listener's account is looked at: it may have been changed or removed.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "events")
        .and(warp::get())
        .and(call(web))
        .then(|call: Call| async move { respond(events(call).await) })
        .boxed()
}

struct Listener {
    call: Call,
    caller: Caller,
    /// What is told before all else.
    first: VecDeque<sse::Event>,
    /// What happened since the listener was here last.
    missed: VecDeque<Kept>,
    /// The number of the newest event, once everything before it was told. Alone it is no event for a page (the HTML
    /// standard, section 9.2.6), and is what it comes again with.
    after_missed: Option<String>,
    events: broadcast::Receiver<(u64, Event)>,
    looks: Interval,
    _seat: Seat,
}

async fn events(call: Call) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Viewer).await?;
    let seat = call.web.listeners.take(&caller.username).ok_or_else(|| {
        ApiError::unavailable("too_many_listeners", "Too many listen already; ask /api/streams instead.")
    })?;
    let header = call.headers.get("last-event-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let last_id = header.or_else(|| call.query("last_event_id")).filter(|id| !id.is_empty());
    let (number, missed, events) = call.web.event_log.listen(last_id.as_deref());
    let cancel = call.web.cancel.clone();
    // A stream does not outlive the token that opened it: the browser comes again with a new one.
    let seconds = u64::try_from(caller.expires_at_second - call.web.parts.clock.now().as_second()).unwrap_or(0);
    let hello = sse::Event::default().event("hello").data("{}").retry(Duration::from_secs(2));
    let reload = || sse::Event::default().event("reload").data(json!({"because": "missed_too_much"}).to_string());
    let (first, missed) = match missed {
        Missed::Nothing => (vec![hello], Vec::new()),
        Missed::TooMuch => (vec![hello, reload()], Vec::new()),
        Missed::Events(kept) => (vec![hello], kept),
    };
    let listener = Listener {
        first: first.into(),
        missed: missed.into(),
        after_missed: Some(call.web.event_log.id(number)),
        events,
        looks: interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY),
        _seat: seat,
        call,
        caller,
    };
    let end = async move {
        tokio::select! {
            () = cancel.cancelled() => {}
            () = tokio::time::sleep(Duration::from_secs(seconds)) => {}
        }
    };
    let events = stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok::<_, Infallible>(event), listener))
    });
    let events = events.take_until(Box::pin(end));
    Ok(sse::reply(sse::keep_alive().interval(KEEP_ALIVE).stream(Box::pin(events))).into_response())
}

impl Listener {
    /// The next event; `None` when the listener has to come again.
    async fn next(&mut self) -> Option<sse::Event> {
        if let Some(event) = self.first.pop_front() {
            return Some(event);
        }
        // One after the other: together they may be megabytes of text, and all listeners may come again at once.
        while let Some(kept) = self.missed.pop_front() {
            if let Some((name, data)) = self.again(kept) {
                return Some(sse::Event::default().event(name).data(data.to_string()));
            }
        }
        if let Some(id) = self.after_missed.take() {
            return Some(sse::Event::default().id(id));
        }
        loop {
            let received = tokio::select! {
                received = self.events.recv() => received,
                _ = self.looks.tick() => if self.call.is_still(&self.caller).await { continue } else { return None },
            };
            let (number, told) = match received {
                Ok((number, event)) => (Some(number), self.tell(&event)),
                Err(RecvError::Lagged(missed)) => {
                    (None, Some(("reload", json!({"because": "too_slow", "missed": missed}))))
                }
                Err(RecvError::Closed) => return None,
            };
            let Some((name, data)) = told else { continue };
            let event = sse::Event::default().event(name).data(data.to_string());
            return Some(match number {
                Some(number) => event.id(self.call.web.event_log.id(number)),
                None => event,
            });
        }
    }

    /// Name and content of an event, when it is one for this caller.
    fn tell(&self, event: &Event) -> Option<(&'static str, Value)> {
        match event {
            Event::Heartbeat(row) => self.stream(row, 1),
            Event::Transition(transition) => self.again(Kept::Transition(transition.clone())),
            Event::Flapping { stream, active } => self.again(Kept::Flapping(stream.clone(), *active)),
            Event::Incident(incident) => self.again(Kept::Incident(incident.clone())),
            Event::StreamsChanged => self.again(Kept::StreamsChanged),
        }
    }

    fn stream(&self, row: &StreamStatus, heartbeats: usize) -> Option<(&'static str, Value)> {
        let paused_until = self.call.web.paused_until(&row.stream.id);
        let seen = self.caller.sees(&row.stream);
        seen.then(|| ("stream", json!(view::summary(row, self.caller.role, heartbeats, paused_until))))
    }

    /// The same of one that was kept: a stream is told as it is now, with its last heartbeats.
    fn again(&self, kept: Kept) -> Option<(&'static str, Value)> {
        let (call, caller) = (&self.call, &self.caller);
        match kept {
            Kept::Heartbeat(id) => self.stream(&*call.web.parts.status.get(id.as_str())?, LISTED_HEARTBEATS),
            Kept::Transition(transition) => {
                call.sees(caller, &transition.stream).then(|| ("transition", json!(transition)))
            }
            Kept::Flapping(stream, active) => {
                call.sees(caller, &stream).then(|| ("flapping", json!({"stream": stream, "active": active})))
            }
            Kept::Incident(incident) => {
                let incident = incidents::visible(call, caller, (*incident).clone())?;
                Some(("incident", json!(incidents::view(&incident, caller.role))))
            }
            Kept::StreamsChanged => Some(("reload", json!({"because": "streams_changed"}))),
        }
    }
}
