//! The worst streams, and all of them by their groups.

use super::super::Sheet;
use super::super::markup::Markup;
use super::super::words::{counted, duration};
use super::bar::{bar, legend};
use super::{availability, covered};
use crate::health::report::{Figures, Line};

/// At most ten, with where their month went.
pub(super) fn worst(page: &mut Markup, sheet: &Sheet) {
    let report = &sheet.report;
    page.raw("<section>\n<h2>Least available</h2>\n");
    if report.worst.is_empty() {
        page.raw("<p class=\"none\">No stream was down in this month.</p>\n</section>\n");
        return;
    }
    page.raw("<table class=\"worst\">\n<thead><tr><th scope=\"col\">Stream</th><th scope=\"col\">The month</th>")
        .raw("<th scope=\"col\" class=\"number\">Availability</th><th scope=\"col\" class=\"number\">Down</th>")
        .raw("<th scope=\"col\" class=\"number\">Longest outage</th></tr></thead>\n<tbody>\n");
    for line in report.worst.iter().map(|index| &report.streams[*index]) {
        page.raw("<tr><th scope=\"row\">");
        name(page, sheet, line);
        if let Some(group) = &line.group {
            page.raw(" <small>").name(group).raw("</small>");
        }
        page.raw("</th><td>");
        bar(page, &line.figures);
        page.raw("</td>");
        number(page, "Availability", &availability(&line.figures.times));
        number(page, "Down", &down(&line.figures));
        number(page, "Longest", &longest(&line.figures));
        page.raw("</tr>\n");
    }
    page.raw("</tbody>\n</table>\n");
    legend(page);
    page.raw("</section>\n");
}

/// Every stream below its group, those without one at the end.
pub(super) fn streams(page: &mut Markup, sheet: &Sheet) {
    let report = &sheet.report;
    page.raw("<section>\n<h2>All streams</h2>\n<table class=\"streams\">\n<thead><tr><th scope=\"col\">Stream</th>")
        .raw("<th scope=\"col\" class=\"number\">Availability</th><th scope=\"col\" class=\"number\">Down</th>")
        .raw("<th scope=\"col\" class=\"number\">Incidents</th><th scope=\"col\" class=\"number\">Longest outage</th>")
        .raw("<th scope=\"col\" class=\"number\">To detect</th><th scope=\"col\" class=\"number\">To repair</th>")
        .raw("<th scope=\"col\" class=\"number\">Watched</th></tr></thead>\n");
    let lines = |page: &mut Markup, group: Option<&str>| {
        for line in report.streams.iter().filter(|line| line.group.as_deref() == group) {
            page.raw("<tr><th scope=\"row\">");
            name(page, sheet, line);
            page.raw("</th>");
            numbers(page, &line.figures);
            page.raw("</tr>\n");
        }
    };
    for (group, figures) in &report.groups {
        page.raw("<tbody>\n<tr class=\"sum\"><th scope=\"rowgroup\">").name(group);
        page.raw(" <small>").text(counted(figures.streams, "stream")).raw("</small></th>");
        numbers(page, figures);
        page.raw("</tr>\n");
        lines(page, Some(group));
        page.raw("</tbody>\n");
    }
    let without = report.streams.iter().filter(|line| line.group.is_none()).count();
    if without > 0 {
        page.raw("<tbody>\n");
        if !report.groups.is_empty() {
            page.raw("<tr class=\"sum\"><th scope=\"rowgroup\" colspan=\"8\">Without a group <small>");
            page.text(counted(without, "stream")).raw("</small></th></tr>\n");
        }
        lines(page, None);
        page.raw("</tbody>\n");
    }
    page.raw("<tbody>\n<tr class=\"sum all\"><th scope=\"row\">All <small>");
    page.text(counted(report.all.streams, "stream")).raw("</small></th>");
    numbers(page, &report.all);
    page.raw("</tr>\n</tbody>\n</table>\n</section>\n");
}

fn name(page: &mut Markup, sheet: &Sheet, line: &Line) {
    page.name(&line.name);
    if sheet.removed.contains(&line.id) {
        page.raw(" <small>removed</small>");
    }
}

fn numbers(page: &mut Markup, figures: &Figures) {
    let or_none = |value: Option<_>| value.map_or_else(|| "–".to_owned(), duration);
    number(page, "Availability", &availability(&figures.times));
    number(page, "Down", &down(figures));
    number(page, "Incidents", &incidents(figures));
    number(page, "Longest", &longest(figures));
    number(page, "To detect", &or_none(figures.time_to_detect.value()));
    number(page, "To repair", &or_none(figures.time_to_repair.value()));
    number(page, "Watched", &covered(figures));
}

/// Where nothing could be judged, nobody knows.
fn down(figures: &Figures) -> String {
    figures.availability().map_or_else(|| "–".to_owned(), |_| duration(figures.downtime()))
}

fn incidents(figures: &Figures) -> String {
    (figures.incidents_down + figures.incidents_degraded).to_string()
}

fn longest(figures: &Figures) -> String {
    figures.longest_outage.map_or_else(|| "–".to_owned(), duration)
}

/// A cell; its column's name goes along for screens that are too narrow for columns.
fn number(page: &mut Markup, column: &'static str, value: &str) {
    page.raw("<td class=\"number\" data-label=\"").raw(column).raw("\">").text(value).raw("</td>");
}
