//! The original's object with a key for each stream: what `GET /api/status` answers and MQTT carries.

use std::net::Ipv4Addr;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::{StatusTable, StreamStatus};
use crate::model::{Health, ProbeReport, Reason, Role};

#[derive(Serialize)]
struct Entry<'a> {
    ts: Option<Timestamp>,
    status: &'static str,
    latency: Option<u64>,
    message: &'a str,
    state: Health,
    reason: Reason,
    since: Timestamp,
}

/// A stream's name and what is told of it, as a member of a JSON object.
pub fn entry(row: &StreamStatus, role: Role) -> String {
    entry_with(row, row.last.as_ref().map_or_else(String::new, |last| message(row, &last.report, role)))
}

/// All streams as an administrator has them, for readers who are not signed in to us: an address that a camera wrote
/// is left out.
pub fn for_others(status: &StatusTable) -> String {
    let mut text = String::from("{");
    for row in status.all() {
        let message = row.last.as_ref().map_or_else(String::new, |last| for_strangers(&row, &last.report));
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&entry_with(&row, message));
    }
    text.push('}');
    text
}

fn entry_with(row: &StreamStatus, message: String) -> String {
    let last = row.last.as_ref();
    let entry = Entry {
        ts: last.map(|last| last.at),
        status: match row.state.health {
            Health::Up | Health::Degraded => "ok",
            Health::Down => "fail",
            Health::Unknown | Health::Maintenance => "",
        },
        latency: last.map(|last| whole_ms(last.report.latency)),
        message: &message,
        state: row.state.health,
        reason: row.state.reason,
        since: row.state.since,
    };
    // Texts, numbers and times: nothing of it can fail.
    let text = |value: Result<String, serde_json::Error>| value.unwrap_or_else(|_| "null".to_owned());
    format!("{}:{}", text(serde_json::to_string(&row.stream.name)), text(serde_json::to_string(&entry)))
}

/// The report's message; a viewer gets the plain sentence when the whole one names the address.
pub fn message(row: &StreamStatus, report: &ProbeReport, role: Role) -> String {
    let message = report.message();
    // What we say of our own network names the sentinel.
    let names_address = message.contains("://") || message.contains(row.stream.device()) || report.reason().is_ours();
    if role < Role::Operator && names_address { report.reason().sentence().to_owned() } else { message }
}

/// The report's message for readers who are not signed in to us: the plain sentence when the whole one may name an address,
/// be it one that the camera wrote.
pub fn for_strangers(row: &StreamStatus, report: &ProbeReport) -> String {
    let message = message(row, report, Role::Viewer);
    if may_name_an_address(&message) { report.reason().sentence().to_owned() } else { message }
}

/// A scheme, an account, or an IP address.
fn may_name_an_address(text: &str) -> bool {
    let is_address = |word: &str| {
        let word = word.trim_end_matches(['.', ':']);
        word.parse::<Ipv4Addr>().is_ok() || word.contains("::") || word.matches(':').count() >= 3
    };
    text.contains("//")
        || text.contains('@')
        || text.split(|c: char| !c.is_ascii_hexdigit() && c != '.').any(is_address)
        || text.split(|c: char| !c.is_ascii_hexdigit() && c != ':').any(is_address)
}

/// Whole milliseconds, as the original wrote them.
fn whole_ms(latency: Duration) -> u64 {
    u64::try_from(latency.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::{Clock as _, SystemClock};
    use crate::model::Stage;
    use crate::monitor::LastProbe;
    use crate::schedule::plan::tests::{config, stream};

    #[test]
    fn others_get_what_an_administrator_gets_and_no_address_of_a_camera() {
        let names = ["Gate \"one\"", "Yard", "New"];
        let config = config(names.iter().map(|name| stream(name, "rtsp://admin:s3cret@192.0.2.7/path")).collect());
        let status = StatusTable::default();
        assert_eq!(for_others(&status), "{}");
        status.configure(&config, |stream| StreamStatus::new(stream.clone(), SystemClock.now()));
        let fail = |id: &str, detail: &str| {
            let mut row = (*status.get(id).unwrap()).clone();
            let report = ProbeReport::failed(Stage::Connect, Reason::RedirectLoop, detail, Duration::from_millis(3));
            row.last = Some(LastProbe { at: SystemClock.now(), report: Arc::new(report) });
            status.replace(row);
        };
        fail("gate-one", "it said no at 12:30:05");
        fail("yard", "to rtsp://192.0.2.8/other");
        let all: serde_json::Value = serde_json::from_str(&for_others(&status)).unwrap();
        let object =
            format!("{{{}}}", status.all().iter().map(|row| entry(row, Role::Admin)).collect::<Vec<_>>().join(","));
        let mut administrators: serde_json::Value = serde_json::from_str(&object).unwrap();
        assert!(all["Gate \"one\""]["message"].as_str().unwrap().contains("said no at 12:30:05"), "{all}");
        assert_eq!(all["Yard"]["message"], Reason::RedirectLoop.sentence());
        administrators["Yard"]["message"] = Reason::RedirectLoop.sentence().into();
        assert_eq!(all, administrators);
        for detail in [
            "192.0.2.7 said no",
            "a redirect to //cam/x",
            "a redirect to 192.168.1.20:554/x",
            "no way to fe80::1%eth0",
            "admin@camera",
            "2001:db8:0:1:2:3:4:5 is silent",
        ] {
            fail("yard", detail);
            let all: serde_json::Value = serde_json::from_str(&for_others(&status)).unwrap();
            assert_eq!(all["Yard"]["message"], Reason::RedirectLoop.sentence(), "{detail}");
        }
    }
}
