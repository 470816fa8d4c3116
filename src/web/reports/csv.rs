//! Tables as CSV (RFC 4180): one row a stream, a group and all; one row an incident.

use std::time::Duration;

use jiff::Timestamp;

use super::Sheet;
use super::words::{percent_number, seconds};
use crate::health::report::Figures;
use crate::model::{Acknowledgement, Health, Incident};
use crate::web::csv_rows::Rows;
use crate::web::incidents::message;

/// The first row of [`streams`]. Every number has its unit in its name.
const STREAM_COLUMNS: [&str; 21] = [
    "kind",
    "month",
    "so_far",
    "id",
    "name",
    "group",
    "streams",
    "availability_percent",
    "covered_percent",
    "up_seconds",
    "degraded_seconds",
    "downtime_seconds",
    "unknown_seconds",
    "maintenance_seconds",
    "incidents_down",
    "incidents_degraded",
    "incidents_open",
    "outages",
    "longest_outage_seconds",
    "time_to_detect_mean_seconds",
    "time_to_repair_mean_seconds",
];

/// The first row of [`incidents`].
const INCIDENT_COLUMNS: [&str; 17] = [
    "id",
    "state",
    "cause",
    "cause_name",
    "streams",
    "stream_ids",
    "reason",
    "stage",
    "message",
    "opened_at",
    "closed_at",
    "open",
    "duration_seconds",
    "acknowledged_by",
    "acknowledged_at",
    "note",
    "action",
];

/// Every stream, then every group, then all.
pub(super) fn streams(sheet: &Sheet) -> String {
    let mut rows = Rows::headed(&STREAM_COLUMNS);
    let report = &sheet.report;
    let mut row = |kind: &str, id: &str, name: &str, group: &str, figures: &Figures| {
        rows.plain(kind);
        rows.plain(sheet.month);
        rows.plain(report.period.is_so_far());
        rows.text(id);
        rows.text(name);
        rows.text(group);
        add_figures(&mut rows, figures);
        rows.end();
    };
    for line in &report.streams {
        row("stream", line.id.as_str(), &line.name, line.group.as_deref().unwrap_or_default(), &line.figures);
    }
    for (group, figures) in &report.groups {
        row("group", "", group, group, figures);
    }
    row("all", "", "", "", &report.all);
    rows.into_text()
}

fn add_figures(rows: &mut Rows, figures: &Figures) {
    let times = &figures.times;
    let (up, degraded, down) = (times.ms(Health::Up), times.ms(Health::Degraded), times.ms(Health::Down));
    rows.plain(figures.streams);
    rows.optional(percent_number(up + degraded, up + degraded + down));
    let window_ms = u64::try_from(figures.window.as_millis()).unwrap_or(u64::MAX);
    rows.optional(percent_number(times.covered_ms().min(window_ms), window_ms));
    for health in Health::ALL {
        rows.plain(seconds(Duration::from_millis(times.ms(health))));
    }
    rows.plain(figures.incidents_down);
    rows.plain(figures.incidents_degraded);
    rows.plain(figures.incidents_open);
    rows.plain(figures.outages);
    rows.optional(figures.longest_outage.map(seconds));
    rows.optional(figures.time_to_detect.value().map(seconds));
    rows.optional(figures.time_to_repair.value().map(seconds));
}

/// Every incident, in the order of opening. Times are local ones with their distance from UTC.
pub(super) fn incidents(sheet: &Sheet) -> String {
    let mut rows = Rows::headed(&INCIDENT_COLUMNS);
    let report = &sheet.report;
    for incident in &report.incidents {
        rows.plain(incident.id);
        rows.plain(incident.health.as_str());
        rows.plain(incident.cause.kind());
        rows.text(&sheet.cause_name(incident).unwrap_or_default());
        let streams = sheet.streams_of(incident);
        rows.text(&streams.iter().map(|id| report.name(id)).collect::<Vec<_>>().join("; "));
        rows.text(&streams.iter().map(|id| id.as_str()).collect::<Vec<_>>().join("; "));
        rows.plain(incident.reason);
        rows.plain(incident.stage);
        rows.text(&message(incident, sheet.role));
        add_end(&mut rows, sheet, incident);
        rows.text(incident.note.as_deref().unwrap_or_default());
        rows.text(incident.action.as_deref().unwrap_or_default());
        rows.end();
    }
    rows.into_text()
}

fn add_end(rows: &mut Rows, sheet: &Sheet, incident: &Incident) {
    let local = |at: Timestamp| at.to_zoned(sheet.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    rows.plain(local(incident.opened_at));
    rows.optional(incident.closed_at.map(local));
    rows.plain(incident.is_open());
    rows.plain(seconds(sheet.report.duration(incident)));
    let (by, at) = match &incident.acknowledged {
        Some(Acknowledgement { by, at }) => (by.as_str(), Some(*at)),
        None => ("", None),
    };
    rows.text(by);
    rows.optional(at.map(local));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_left_alone() {
        let mut rows = Rows::default();
        rows.plain(-1.5);
        rows.optional(None::<f64>);
        rows.optional(Some(seconds(Duration::from_micros(1_234_567))));
        rows.plain(seconds(Duration::from_secs(3600)));
        rows.end();
        assert_eq!(rows.into_text(), "-1.5,,1.234,3600\r\n");
    }
}
