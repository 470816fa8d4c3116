//! `/api/reports`: what a month came to, as a page to print, as tables and as JSON.

mod csv;
mod html;
mod json;
mod markup;
mod words;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::header::{AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue, LOCATION};
use warp::http::{Response as HttpResponse, StatusCode};
use warp::reply::{Reply, Response};

use super::Web;
use super::auth::Caller;
use super::call::{Call, call};
use super::errors::{ApiError, json, respond};
use super::incidents::visible;
use crate::health::report::{Period, Report, Watched, report};
use crate::model::{Cause, Incident, Month, Role, StateTimes, StreamId};
use crate::store::{IncidentQuery, Store};

/// Incidents that are read at once.
const PAGE: usize = 1_000;

/// Stands for the month that goes on, in an address that stays the same.
const CURRENT: &str = "current";

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    let list = warp::path!("api" / "reports")
        .and(warp::get())
        .and(call(web))
        .then(|call: Call| async move { respond(list(call).await) });
    let one = warp::path!("api" / "reports" / String)
        .and(warp::get())
        .and(call(web))
        .then(|file: String, call: Call| async move { respond(one(call, &file).await) });
    list.or(one).unify().boxed()
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Html,
    Csv,
    IncidentsCsv,
    Json,
}

impl Form {
    const ALL: [Self; 4] = [Self::Html, Self::Csv, Self::IncidentsCsv, Self::Json];

    /// What follows the month in an address.
    fn ending(self) -> &'static str {
        match self {
            Self::Html => ".html",
            Self::Csv => ".csv",
            Self::IncidentsCsv => "-incidents.csv",
            Self::Json => ".json",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Csv | Self::IncidentsCsv => "text/csv; charset=utf-8; header=present",
            Self::Json => "application/json",
        }
    }

    /// Takes a file's name apart: what stands for the month, and the form. The longest ending counts.
    fn split(file: &str) -> Option<(&str, Self)> {
        let split = |form: Self| Some((file.strip_suffix(form.ending())?, form));
        Self::ALL.into_iter().filter_map(split).min_by_key(|(month, _)| month.len())
    }
}

/// Where a report is.
fn address(month: impl std::fmt::Display, form: Form) -> String {
    format!("/api/reports/{month}{}", form.ending())
}

/// A report and how it is to be written.
struct Sheet {
    month: Month,
    report: Report,
    /// The reader's.
    role: Role,
    zone: TimeZone,
    /// As the configuration has it.
    zone_name: String,
    /// Streams that are not in the configuration any more; only their ids are known.
    removed: HashSet<StreamId>,
    /// The months before and after it of which there is a report.
    beside: [Option<Month>; 2],
}

impl Sheet {
    /// The streams of an incident, each once, in the order in which they joined.
    fn streams_of<'a>(&self, incident: &'a Incident) -> Vec<&'a StreamId> {
        let mut seen = HashSet::new();
        incident.members.iter().map(|member| &member.stream).filter(|id| seen.insert(*id)).collect()
    }

    /// Which device, network or stream an incident has in common, as far as the reader may know it.
    fn cause_name(&self, incident: &Incident) -> Option<String> {
        match &incident.cause {
            Cause::Stream => None,
            Cause::Device(address) | Cause::Subnet(address) => {
                Some(address.clone()).filter(|_| self.role >= Role::Operator)
            }
            Cause::Parent(id) => Some(self.report.name(id).to_owned()),
        }
    }

    /// What it is called when it is kept as a file.
    fn file_name(&self, form: Form) -> String {
        let so_far = if self.report.period.is_so_far() { "-so-far" } else { "" };
        format!("streampulse-{}{so_far}{}", self.month, form.ending())
    }
}

async fn list(call: Call) -> Result<Response, ApiError> {
    call.caller(Role::Viewer).await?;
    let months = Months::of(&call).await?;
    let mut reports = Vec::new();
    let mut next = months.oldest.map(|_| months.current);
    while let Some(month) = next.filter(|month| Some(*month) >= months.oldest) {
        reports.push(json!({
            "month": month,
            "so_far": month == months.current,
            "html": address(month, Form::Html),
            "csv": address(month, Form::Csv),
            "incidents_csv": address(month, Form::IncidentsCsv),
            "json": address(month, Form::Json),
        }));
        next = month.previous();
    }
    Ok(json(&json!({"timezone": months.zone_name, "reports": reports})))
}

async fn one(call: Call, file: &str) -> Result<Response, ApiError> {
    let named = Form::split(file).map(|(name, form)| (name, Month::parse(name), form));
    let named = named.filter(|(name, month, _)| month.is_some() || *name == CURRENT);
    let caller = match (call.caller(Role::Viewer).await, named) {
        (Ok(caller), _) => caller,
        // A browser that comes with a link or after a while has no session here yet: the dashboard gets one, and leads back.
        (Err(_), Some((name, _, Form::Html))) if !call.headers.contains_key(AUTHORIZATION) => {
            return redirect(&format!("/?report={name}"));
        }
        (Err(error), _) => return Err(error),
    };
    let (_, month, form) = named.ok_or_else(no_such_report)?;
    let months = Months::of(&call).await?;
    let Some(month) = month else { return redirect(&address(months.current, form)) };
    let sheet = sheet(&call, months, month, &caller).await?;
    // A large fleet's page is megabytes of text: not on a thread that others wait for.
    let write = move || {
        let text = match form {
            Form::Html => html::page(&sheet),
            Form::Csv => csv::streams(&sheet),
            Form::IncidentsCsv => csv::incidents(&sheet),
            Form::Json => json::report(&sheet),
        };
        (text, sheet.file_name(form))
    };
    let (text, file_name) = tokio::task::spawn_blocking(write).await.map_err(ApiError::internal)?;
    let mut response = HttpResponse::new(text).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    let kept = if matches!(form, Form::Csv | Form::IncidentsCsv) { "attachment" } else { "inline" };
    if let Ok(disposition) = HeaderValue::from_str(&format!("{kept}; filename=\"{file_name}\"")) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}

fn redirect(to: &str) -> Result<Response, ApiError> {
    let location = HeaderValue::from_str(to).map_err(ApiError::internal)?;
    let mut response = HttpResponse::new("").into_response();
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

fn no_such_report() -> ApiError {
    ApiError::not_found(
        "no_such_report",
        "There is no such report; GET /api/reports lists those that there are, 2026-11.html is the form of their names.",
    )
}

/// The months of which there are reports.
struct Months {
    /// The one that goes on.
    current: Month,
    /// The first in which something was recorded.
    oldest: Option<Month>,
    now: Timestamp,
    zone: TimeZone,
    zone_name: String,
}

impl Months {
    async fn of(call: &Call) -> Result<Self, ApiError> {
        let parts = &call.web.parts;
        let config = parts.config.borrow().clone();
        let now = parts.clock.now();
        let oldest = parts.store.oldest_hour().await?.map(|hour| Month::of(hour, &config.timezone));
        let (zone, zone_name) = (config.timezone.clone(), config.timezone_name.clone());
        Ok(Self { current: Month::of(now, &zone), oldest, now, zone, zone_name })
    }

    /// The month that goes on has a report also when nothing is recorded yet.
    fn has(&self, month: Month) -> bool {
        month == self.current || month < self.current && self.oldest.is_some_and(|oldest| oldest <= month)
    }
}

async fn sheet(call: &Call, months: Months, month: Month, caller: &Caller) -> Result<Sheet, ApiError> {
    let (from, to) = month.bounds(&months.zone).filter(|_| months.has(month)).ok_or_else(no_such_report)?;
    let period = Period { from, to, now: months.now };
    let parts = &call.web.parts;
    let mut times = parts.store.state_times(from, period.until()).await?;
    times.retain(|id, _| call.sees(caller, id));
    let incidents = incidents(&parts.store, &period).await?;
    let incidents: Vec<Incident> =
        incidents.into_iter().filter_map(|incident| visible(call, caller, incident)).collect();
    let (streams, removed) = watched(call, caller, &period, times, &incidents);
    let beside = [month.previous(), month.next()].map(|month| month.filter(|month| months.has(*month)));
    let make = move || report(period, streams, incidents);
    let report = tokio::task::spawn_blocking(make).await.map_err(ApiError::internal)?;
    Ok(Sheet { month, report, role: caller.role, zone: months.zone, zone_name: months.zone_name, removed, beside })
}

/// Every incident that was open in the period.
async fn incidents(store: &Store, period: &Period) -> Result<Vec<Incident>, ApiError> {
    let mut all = Vec::new();
    let mut before = None;
    loop {
        let query =
            IncidentQuery { from: Some(period.from), to: Some(period.to), before, limit: PAGE, ..Default::default() };
        let page = store.incidents(query).await?;
        before = page.last().map(|incident| incident.id);
        let is_last = page.len() < PAGE;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

/// The streams of a report, in the order of the configuration, and which of them are not in it any more. In the month
/// that goes on every stream that is switched on belongs to it; in one that is over, those of which something is known.
fn watched(
    call: &Call,
    caller: &Caller,
    period: &Period,
    mut times: HashMap<StreamId, StateTimes>,
    incidents: &[Incident],
) -> (Vec<Watched>, HashSet<StreamId>) {
    let mut members: HashSet<&StreamId> =
        incidents.iter().flat_map(|i| &i.members).map(|member| &member.stream).collect();
    let mut streams = Vec::new();
    for row in call.rows(caller) {
        let stream = &row.stream;
        let known = times.remove(&stream.id).filter(|times| times.covered_ms() > 0);
        let is_member = members.remove(&stream.id);
        if known.is_some() || is_member || period.is_so_far() && stream.enabled {
            streams.push(Watched {
                id: stream.id.clone(),
                name: stream.name.clone(),
                group: stream.group.clone(),
                times: known.unwrap_or_default(),
            });
        }
    }
    let was_watched = |(id, times): &(StreamId, StateTimes)| times.covered_ms() > 0 || members.contains(id);
    let mut gone: Vec<(StreamId, StateTimes)> = times.into_iter().filter(was_watched).collect();
    gone.sort_by(|left, right| left.0.cmp(&right.0));
    let removed = gone.iter().map(|(id, _)| id.clone()).collect();
    let ids_alone =
        |(id, times): (StreamId, StateTimes)| Watched { name: id.as_str().to_owned(), id, group: None, times };
    streams.extend(gone.into_iter().map(ids_alone));
    (streams, removed)
}
