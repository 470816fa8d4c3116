//! `/api/availability`, `/api/streams/{id}/availability`: time-weighted, for any window, with the share that was watched.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::json;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::reply::Response;

use super::Web;
use super::call::{Call, call};
use super::errors::{ApiError, json, respond};
use super::history::flag;
use super::streams::row;
use crate::model::{Role, Span, StateTimes, StreamId};
use crate::monitor::availability::{Availability, Window, groups};

/// Spans of one answer; a timeline has no room for more.
const MAX_SPANS: usize = 2_000;

/// The longest window that can be named.
const MAX_WINDOW: Duration = Duration::from_secs(3650 * 24 * 3600);

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    let one = warp::path!("api" / "streams" / String / "availability")
        .and(warp::get())
        .and(call(web))
        .then(|id: String, call: Call| async move { respond(one(call, id).await) });
    let all = warp::path!("api" / "availability")
        .and(warp::get())
        .and(call(web))
        .then(|call: Call| async move { respond(all(call).await) });
    one.or(all).unify().boxed()
}

/// What is said of one stream, one group or all.
#[derive(Debug, Serialize)]
pub(super) struct Figure {
    /// 0 to 1; `null` when the window holds nothing that could be judged.
    availability: Option<f64>,
    /// The share of the window that was watched, 0 to 1.
    covered: f64,
    seconds: StateTimes,
}

impl Figure {
    /// Of this many streams together.
    pub(super) fn new(times: StateTimes, length: Duration, streams: usize) -> Self {
        let all = length.saturating_mul(u32::try_from(streams).unwrap_or(u32::MAX));
        Self { availability: times.availability(), covered: times.covered_share(all), seconds: times }
    }
}

/// A window as it was asked for.
struct Asked {
    name: Option<String>,
    from: Timestamp,
    to: Timestamp,
}

impl Asked {
    fn length(&self) -> Duration {
        self.to.duration_since(self.from).unsigned_abs()
    }
}

async fn one(call: Call, id: String) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Viewer).await?;
    let row = row(&call, &caller, &id)?;
    let stream = &row.stream.id;
    let wants_spans = flag(&call, "spans")?.unwrap_or_default();
    let store = &call.web.parts.store;
    let kept = call.web.parts.status.availability();
    if let Some(window) = known(&call, &kept) {
        let figure = Figure::new(window.of(stream), window.length(), 1);
        let Window { name, from, to, .. } = window;
        return Ok(json(&answer(json!({"stream": stream}), name.as_deref(), *from, *to, &figure, None)));
    }
    let asked = asked(&call)?;
    let times = store.state_times_of(stream, asked.from, asked.to).await?;
    let figure = Figure::new(times, asked.length(), 1);
    let spans = match wants_spans {
        true => Some(store.spans(stream, asked.from, asked.to, MAX_SPANS).await?),
        false => None,
    };
    Ok(json(&answer(json!({"stream": stream}), asked.name.as_deref(), asked.from, asked.to, &figure, spans)))
}

/// Every stream, every group, and the whole.
async fn all(call: Call) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Viewer).await?;
    let parts = &call.web.parts;
    let rows = call.rows(&caller);
    let ids: Vec<&StreamId> = rows.iter().filter(|row| row.stream.enabled).map(|row| &row.stream.id).collect();
    let kept = parts.status.availability();
    let window = match known(&call, &kept) {
        Some(window) => window.clone(),
        None => {
            let asked = asked(&call)?;
            let times = parts.store.state_times(asked.from, asked.to).await?;
            Window::new(asked.name, asked.from, asked.to, times)
        }
    };
    let of = |id: &StreamId| window.of(id);
    let length = window.length();
    let together = |ids: &[&StreamId]| Figure::new(ids.iter().map(|id| of(id)).sum(), length, ids.len());
    let streams: BTreeMap<&StreamId, Figure> = ids.iter().map(|id| (*id, Figure::new(of(id), length, 1))).collect();
    let groups: BTreeMap<String, Figure> = groups(&rows)
        .into_iter()
        .map(|(group, members)| (group, together(&members.iter().collect::<Vec<_>>())))
        .collect();
    let more = json!({"streams": streams, "groups": groups});
    Ok(json(&answer(more, window.name.as_deref(), window.from, window.to, &together(&ids), None)))
}

fn answer(
    mut object: serde_json::Value,
    window: Option<&str>,
    from: Timestamp,
    to: Timestamp,
    figure: &Figure,
    spans: Option<Vec<Span>>,
) -> serde_json::Value {
    object["window"] = json!(window);
    object["from"] = json!(from);
    object["to"] = json!(to);
    object["availability"] = json!(figure.availability);
    object["covered"] = json!(figure.covered);
    object["seconds"] = json!(figure.seconds);
    if let Some(spans) = spans {
        let span = |span: &Span| json!({"state": span.health, "from": span.from, "to": span.to});
        object["spans"] = spans.iter().map(span).collect();
    }
    object
}

/// The window that is asked for, when it is one that is looked up now and then.
fn known<'a>(call: &Call, kept: &'a Availability) -> Option<&'a Window> {
    let is_plain = ["from", "to", "spans"].iter().all(|name| call.query(name).is_none());
    let name = call.query("window").unwrap_or_else(|| "24h".to_owned());
    kept.window(&name).filter(|_| is_plain)
}

/// `?window=36h`, or `?from=…&to=…`.
fn asked(call: &Call) -> Result<Asked, ApiError> {
    let bad = |message: &str| ApiError::bad_request("bad_parameter", message);
    let time = |name: &str| match call.query(name) {
        None => Ok(None),
        Some(text) => text
            .parse::<Timestamp>()
            .map(Some)
            .map_err(|_| bad(&format!("{name} must be a time such as 2026-01-31T12:00:00Z."))),
    };
    let now = call.web.parts.clock.now();
    // Nothing is kept from before, and nothing is known of what comes.
    let kept_days = i64::from(call.web.parts.config.borrow().storage.rollup_days) + 1;
    let oldest = now.checked_sub(SignedDuration::from_hours(24 * kept_days)).unwrap_or(Timestamp::UNIX_EPOCH);
    let to = time("to")?.unwrap_or(now).min(now);
    if let Some(from) = time("from")? {
        let from = from.max(oldest);
        if from >= to {
            let message = "from must be before to, not in the future, and to not before what is kept.";
            return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_parameter", message));
        }
        return Ok(Asked { name: None, from, to });
    }
    let name = call.query("window").unwrap_or_else(|| "24h".to_owned());
    let length =
        length(&name).ok_or_else(|| bad("window must be a number with h, d or w, such as 24h, 30d or 52w."))?;
    let from = to.checked_sub(length).map_err(|_| bad("window reaches back too far."))?;
    Ok(Asked { name: Some(name), from, to })
}

/// `24h`, `30d`, `52w`.
fn length(text: &str) -> Option<SignedDuration> {
    let number = text.get(..text.len().checked_sub(1)?)?.parse::<u32>().ok().filter(|number| *number > 0)?;
    let hours = match text.chars().last()? {
        'h' => 1,
        'd' => 24,
        'w' => 7 * 24,
        _ => return None,
    };
    let length = SignedDuration::from_hours(i64::from(number) * hours);
    (length.unsigned_abs() <= MAX_WINDOW).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read() {
        let hours = |text| length(text).map(|length| length.as_hours());
        assert_eq!([hours("24h"), hours("30d"), hours("2w")], [Some(24), Some(720), Some(336)]);
        assert_eq!([hours("0h"), hours("h"), hours(""), hours("5"), hours("-1d"), hours("9999w")], [None; 6]);
        assert_eq!(hours("3é"), None);
    }
}
