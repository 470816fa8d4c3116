//! The incidents of the month, in the order of opening.

use super::super::Sheet;
use super::super::markup::Markup;
use super::super::words::{counted, duration, end_moment, short_moment};
use crate::model::{Cause, Health, Incident};
use crate::web::incidents::message;

/// Incidents on a page; nobody reads more of them on paper. All are in the CSV.
const MOST: usize = 500;

/// Streams that are named of one incident.
const NAMED: usize = 8;

/// The table, or that there is nothing to list.
pub(super) fn list(page: &mut Markup, sheet: &Sheet) {
    let report = &sheet.report;
    page.raw("<section>\n<h2>Incidents</h2>\n");
    if report.incidents.is_empty() {
        page.raw("<p class=\"none\">No incident in this month.</p>\n</section>\n");
        return;
    }
    let shown = longest(sheet);
    if shown.len() < report.incidents.len() {
        page.raw("<p class=\"none\">The ").text(shown.len()).raw(" longest of ").text(report.incidents.len());
        page.raw(" are listed; all are in the CSV file.</p>\n");
    }
    page.raw("<table class=\"incidents\">\n<thead><tr><th scope=\"col\">When</th><th scope=\"col\">What</th>")
        .raw("<th scope=\"col\">Streams</th><th scope=\"col\">What was done</th></tr></thead>\n<tbody>\n");
    for incident in shown {
        page.raw("<tr><td data-label=\"When\">");
        when(page, sheet, incident);
        page.raw("</td><td data-label=\"What\">");
        what(page, sheet, incident);
        page.raw("</td><td data-label=\"Streams\">");
        who(page, sheet, incident);
        page.raw("</td><td data-label=\"What was done\">");
        done(page, sheet, incident);
        page.raw("</td></tr>\n");
    }
    page.raw("</tbody>\n</table>\n</section>\n");
}

/// Those that go onto a page, in the order of opening.
fn longest<'a>(sheet: &'a Sheet) -> Vec<&'a Incident> {
    let mut shown: Vec<&'a Incident> = sheet.report.incidents.iter().collect();
    if shown.len() > MOST {
        shown.sort_by_key(|incident| std::cmp::Reverse(sheet.report.duration(incident)));
        shown.truncate(MOST);
        shown.sort_by_key(|incident| (incident.opened_at, incident.id));
    }
    shown
}

fn when(page: &mut Markup, sheet: &Sheet, incident: &Incident) {
    page.raw("<b>").text(duration(sheet.report.duration(incident))).raw("</b>");
    if incident.is_open() {
        page.raw(" <span class=\"open\">open</span>");
    }
    page.raw("<br>").text(short_moment(incident.opened_at, &sheet.zone, sheet.month));
    if let Some(closed_at) = incident.closed_at {
        let end = end_moment(incident.opened_at, closed_at, &sheet.zone, sheet.month);
        page.raw(" <span class=\"until\">to ").text(end).raw("</span>");
    }
    page.raw(" <small>No. ").text(incident.id).raw("</small>");
}

fn what(page: &mut Markup, sheet: &Sheet, incident: &Incident) {
    match incident.health {
        Health::Down => page.raw("<span class=\"state down\">Down</span> "),
        _ => page.raw("<span class=\"state degraded\">Degraded</span> "),
    };
    page.name(&message(incident, sheet.role));
}

fn who(page: &mut Markup, sheet: &Sheet, incident: &Incident) {
    let streams = sheet.streams_of(incident);
    let name = sheet.cause_name(incident);
    let cause = match &incident.cause {
        Cause::Stream => "",
        Cause::Device(_) if name.is_some() => "Device ",
        Cause::Device(_) => "One device",
        Cause::Subnet(_) if name.is_some() => "Network ",
        Cause::Subnet(_) => "One network",
        Cause::Parent(_) => "Behind ",
    };
    if !cause.is_empty() {
        page.raw("<b>").raw(cause).name(name.as_deref().unwrap_or_default()).raw("</b><br>");
    }
    for (index, stream) in streams.iter().take(NAMED).enumerate() {
        page.raw(if index > 0 { ", " } else { "" }).name(sheet.report.name(stream));
    }
    if streams.len() > NAMED {
        page.raw(" and ").text(counted(streams.len() - NAMED, "other"));
    }
}

fn done(page: &mut Markup, sheet: &Sheet, incident: &Incident) {
    if let Some(action) = &incident.action {
        page.raw("<p class=\"said\">").name(action).raw("</p>");
    }
    if let Some(note) = &incident.note {
        page.raw("<p class=\"said\">").name(note).raw("</p>");
    }
    match &incident.acknowledged {
        Some(seen) => {
            page.raw("<small>Seen by ").name(&seen.by).raw(", ");
            page.text(short_moment(seen.at, &sheet.zone, sheet.month)).raw("</small>");
        }
        None if incident.action.is_none() && incident.note.is_none() => {
            page.raw("<span class=\"nothing\">–</span>");
        }
        None => {}
    }
}
