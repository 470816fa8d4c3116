//! A report for a program.

use serde_json::{Map, Value, json};

use super::Sheet;
use super::words::seconds;
use crate::health::report::Figures;
use crate::web::incidents::view;

/// The report as one object.
pub(super) fn report(sheet: &Sheet) -> String {
    let report = &sheet.report;
    let period = &report.period;
    let streams = report.streams.iter().map(|line| {
        let mut stream = json!({
            "id": line.id,
            "name": line.name,
            "group": line.group,
            "removed": sheet.removed.contains(&line.id),
        });
        add(&mut stream, &line.figures);
        stream
    });
    let groups: Map<String, Value> = report.groups.iter().map(|(name, of)| (name.clone(), figures(of))).collect();
    let worst = report.worst.iter().map(|index| &report.streams[*index].id);
    let incidents = report.incidents.iter().map(|incident| {
        let mut incident_view = json!(view(incident, sheet.role));
        // Here also of one that is still open: up to the time at which the report was made.
        incident_view["duration_seconds"] = json!(seconds(report.duration(incident)));
        incident_view
    });
    json!({
        "month": sheet.month,
        "timezone": sheet.zone_name,
        "from": period.from,
        "to": period.to,
        "so_far": period.is_so_far(),
        "made_at": period.now,
        "version": env!("CARGO_PKG_VERSION"),
        "all": figures(&report.all),
        "groups": groups,
        "streams": streams.collect::<Vec<_>>(),
        "worst": worst.collect::<Vec<_>>(),
        "incidents": incidents.collect::<Vec<_>>(),
    })
    .to_string()
}

fn figures(of: &Figures) -> Value {
    let mut object = json!({"streams": of.streams});
    add(&mut object, of);
    object
}

fn add(object: &mut Value, of: &Figures) {
    object["availability"] = json!(of.availability());
    object["covered"] = json!(of.covered());
    object["seconds"] = json!(of.times);
    object["downtime_seconds"] = json!(seconds(of.downtime()));
    object["incidents"] =
        json!({"down": of.incidents_down, "degraded": of.incidents_degraded, "open": of.incidents_open});
    object["outages"] = json!(of.outages);
    object["longest_outage_seconds"] = json!(of.longest_outage.map(seconds));
    object["time_to_detect_mean_seconds"] = json!(of.time_to_detect.value().map(seconds));
    object["time_to_repair_mean_seconds"] = json!(of.time_to_repair.value().map(seconds));
}
