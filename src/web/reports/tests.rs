//! Reports as they are written: of made-up months, in each form.

use std::time::Duration;

use super::*;
use crate::model::{Acknowledgement, Health, Member, Reason, Stage};

const DAY: i64 = 24 * 3600;

/// What somebody could call a camera to get at whoever reads the report.
const HOSTILE: &str = "=cmd|'/c calc'!A1 <script>alert(\"1\")</script> & <img src=x onerror=alert(1)>";

fn id(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

fn zone() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

/// So many seconds into November 2026 in Berlin.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second("2026-10-31T23:00:00Z".parse::<Timestamp>().unwrap().as_second() + second).unwrap()
}

fn watched(name: &str, group: Option<&str>, parts: &[(Health, i64)]) -> Watched {
    let mut times = StateTimes::default();
    parts.iter().for_each(|(health, seconds)| times.add_ms(*health, u64::try_from(seconds * 1000).unwrap()));
    Watched { id: StreamId::from_name(name), name: name.to_owned(), group: group.map(str::to_owned), times }
}

fn incident(number: i64, cause: Cause, streams: &[&str], opened: i64, closed: Option<i64>) -> Incident {
    let member = |name: &&str| Member {
        stream: id(name),
        reason: Reason::Unreachable,
        stage: Stage::Connect,
        began_at: at(opened - 21),
        joined_at: at(opened),
        left_at: closed.map(at),
    };
    Incident {
        id: number,
        health: Health::Down,
        cause,
        reason: Reason::Unreachable,
        stage: Stage::Connect,
        detail: "There is no route to the device. (connect to 192.0.2.10:554)".to_owned(),
        opened_at: at(opened),
        closed_at: closed.map(at),
        merged_into: None,
        members: streams.iter().map(member).collect(),
        acknowledged: None,
        note: None,
        action: None,
    }
}

fn sheet_of(now: i64, role: Role, streams: Vec<Watched>, incidents: Vec<Incident>) -> Sheet {
    let month = Month::parse("2026-11").unwrap();
    let (from, to) = month.bounds(&zone()).unwrap();
    Sheet {
        month,
        report: report(Period { from, to, now: at(now) }, streams, incidents),
        role,
        zone: zone(),
        zone_name: "Europe/Berlin".to_owned(),
        removed: HashSet::new(),
        beside: [month.previous(), None],
    }
}

/// A month with something of everything.
fn sheet(role: Role) -> Sheet {
    let month = 30 * DAY;
    let streams = vec![
        watched("Gate", Some("East"), &[(Health::Up, month - 7200), (Health::Down, 7200)]),
        watched(HOSTILE, Some("<b>East</b>"), &[(Health::Up, month)]),
        watched("Lab", None, &[]),
    ];
    let hostile = StreamId::from_name(HOSTILE);
    let mut one =
        incident(4, Cause::Device("192.0.2.10".to_owned()), &["gate", hostile.as_str()], DAY, Some(DAY + 7200));
    one.acknowledged = Some(Acknowledgement { by: "<i>anna</i>".to_owned(), at: at(DAY + 60) });
    one.note = Some("@note </td></table><script>".to_owned());
    one.action = Some("New cable,\nsaid \"Bob\"".to_owned());
    let degraded = Incident {
        health: Health::Degraded,
        reason: Reason::Ok,
        detail: "The picture is black.".to_owned(),
        ..incident(5, Cause::Stream, &["gate"], 2 * DAY, None)
    };
    sheet_of(40 * DAY, role, streams, vec![degraded, one])
}

#[test]
fn names_of_reports_are_taken_apart() {
    assert_eq!(Form::split("2026-11.csv"), Some(("2026-11", Form::Csv)));
    assert_eq!(Form::split("2026-11-incidents.csv"), Some(("2026-11", Form::IncidentsCsv)));
    assert_eq!(Form::split("current.html"), Some(("current", Form::Html)));
    assert_eq!((Form::split("2026-11"), Form::split("2026-11.pdf")), (None, None));
    assert_eq!(sheet(Role::Viewer).file_name(Form::IncidentsCsv), "streampulse-2026-11-incidents.csv");
    let running = sheet_of(DAY, Role::Viewer, Vec::new(), Vec::new());
    assert_eq!(running.file_name(Form::Csv), "streampulse-2026-11-so-far.csv");
}

#[test]
fn the_table_has_streams_groups_and_all() {
    let csv = csv::streams(&sheet(Role::Operator));
    let rows: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert!(csv.ends_with("\r\n"));
    assert_eq!(
        rows[0],
        "kind,month,so_far,id,name,group,streams,availability_percent,covered_percent,up_seconds,degraded_seconds,\
         downtime_seconds,unknown_seconds,maintenance_seconds,incidents_down,incidents_degraded,incidents_open,outages,\
         longest_outage_seconds,time_to_detect_mean_seconds,time_to_repair_mean_seconds"
    );
    // 2,584,800 s of 2,592,000 s.
    assert_eq!(rows[1], "stream,2026-11,false,gate,Gate,East,1,99.7222,100,2584800,0,7200,0,0,1,1,1,1,7200,21,7200");
    assert!(rows[2].contains(",\"'=cmd|'/c calc'!A1 <script>alert(\"\"1\"\")</script>"), "{}", rows[2]);
    assert_eq!(rows[3], "stream,2026-11,false,lab,Lab,,1,,0,0,0,0,0,0,0,0,0,0,,,");
    let kinds: Vec<&str> = rows.iter().map(|row| row.split(',').next().unwrap()).collect();
    assert_eq!(kinds, ["kind", "stream", "stream", "stream", "group", "group", "all"]);
    // One incident of two streams is two outages.
    assert_eq!(rows[6], "all,2026-11,false,,,,3,99.8611,66.6666,5176800,0,7200,0,0,1,1,1,2,7200,21,7200");
}

#[test]
fn the_table_of_incidents_says_what_was_done() {
    let csv = csv::incidents(&sheet(Role::Operator));
    let (first, rest) = csv.split_once("\r\n").unwrap();
    assert_eq!(
        first,
        "id,state,cause,cause_name,streams,stream_ids,reason,stage,message,opened_at,closed_at,open,duration_seconds,\
         acknowledged_by,acknowledged_at,note,action"
    );
    assert!(rest.starts_with("4,down,device,192.0.2.10,\"Gate; =cmd|"), "{rest}");
    assert!(
        rest.contains(",unreachable,connect,There is no route to the device. (connect to 192.0.2.10:554),"),
        "{rest}"
    );
    assert!(rest.contains(
        ",2026-11-02T00:00:00+01:00,2026-11-02T02:00:00+01:00,false,7200,<i>anna</i>,2026-11-02T00:01:00+01:00,"
    ));
    assert!(rest.contains(",'@note </td></table><script>,\"New cable,\nsaid \"\"Bob\"\"\"\r\n"), "{rest}");
    // Up to when the report was made.
    let open =
        rest.lines().find(|line| line.starts_with("5,degraded,stream,,Gate,gate,ok,connect,The picture is black.,"));
    assert!(open.unwrap().ends_with(",,true,3283200,,,,"), "{rest}");
}

#[test]
fn nothing_of_others_becomes_markup() {
    let page = html::page(&sheet(Role::Operator));
    for bad in ["<script", "onerror=alert(1)>", "<img", "<b>East", "<i>anna", "</td></table><"] {
        assert!(!page.contains(bad), "{bad}");
    }
    assert!(
        page.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &lt;img src=x onerror=alert(1)&gt;")
    );
    assert!(page.contains("@note &lt;/td&gt;&lt;/table&gt;&lt;script&gt;"));
}

#[test]
fn the_page_keeps_to_the_policy_of_the_server() {
    // Without what is text: any tag that is left is ours.
    let page = html::page(&sheet(Role::Operator));
    let tags: Vec<&str> = page.split('<').skip(1).map(|part| part.split('>').next().unwrap()).collect();
    for tag in &tags {
        assert!(!tag.starts_with("script") && !tag.starts_with("style"), "{tag}");
        let attributes: Vec<&str> = tag.split('"').step_by(2).collect();
        for attribute in attributes {
            let name = attribute.trim_start().trim_end_matches('=');
            let name = name.rsplit(' ').next().unwrap();
            assert!(name != "style" && !name.starts_with("on"), "{tag}");
        }
    }
    assert!(tags.contains(&"link rel=\"stylesheet\" href=\"/style/report.css\""));
    let style = include_str!("../../../static/style/report.css");
    assert!(!style.contains("url(") && !style.contains("@import"));
    assert!(style.contains("@media print") && style.contains("table-header-group") && style.contains("counter(page)"));
}

#[test]
fn every_element_is_closed() {
    for page in [html::page(&sheet(Role::Operator)), html::page(&sheet_of(DAY, Role::Viewer, Vec::new(), Vec::new()))] {
        let mut open = Vec::new();
        for tag in page.split('<').skip(1).map(|part| part.split('>').next().unwrap()) {
            let name = tag.split(' ').next().unwrap();
            match name.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name), "{tag}"),
                None if tag.ends_with('/') || ["!doctype", "meta", "link", "br"].contains(&name) => {}
                None => open.push(name),
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }
}

#[test]
fn a_viewer_sees_no_address() {
    let [viewer, operator] = [sheet(Role::Viewer), sheet(Role::Operator)];
    for write in [html::page, csv::streams, csv::incidents, json::report] {
        assert!(!write(&viewer).contains("192.0.2."), "{}", write(&viewer));
    }
    for write in [html::page, csv::incidents, json::report] {
        assert!(write(&operator).contains("192.0.2.10:554"));
    }
    let page = html::page(&viewer);
    assert!(page.contains("One device") && page.contains("There is no route to the device."));
    // What is wrong with a picture names none.
    assert!(page.contains("The picture is black."));
}

#[test]
fn the_page_says_what_it_is_of() {
    let page = html::page(&sheet(Role::Viewer)).replace('\u{a0}', " ");
    for text in [
        "<title>Camera report, November 2026</title>",
        "Time zone Europe/Berlin",
        "<span>Made 11 Dec 2026, 00:00</span>",
        "99.86 %",
        "the streams were down for 2 h in all.",
        "1 with no picture and 1 with a poor one; one is still open.",
        "From the last good picture to the confirmed outage, on average.",
        "on average of 2 outages that are over.",
        "href=\"/api/reports/2026-10.html\"",
        "href=\"/api/reports/2026-11-incidents.csv\"",
        "2 Nov, 00:00 <span class=\"until\">to 02:00</span>",
        "aria-label=\"up 29 d 22 h, down 2 h\"",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("so far"));
    let running =
        html::page(&sheet_of(12 * DAY, Role::Viewer, vec![watched("Gate", None, &[(Health::Up, DAY)])], vec![]));
    assert!(running.contains("<span class=\"so-far\">so far</span>") && running.contains("by 13 Nov 2026, 00:00"));
    assert!(running.contains("No incident in this month.") && running.contains("No stream was down in this month."));
    assert!(running.contains("No outage began in this month."));
}

#[test]
fn nothing_recorded_is_said() {
    let empty = html::page(&sheet_of(DAY, Role::Viewer, Vec::new(), Vec::new()));
    assert!(empty.contains("Nothing is recorded yet") && empty.contains("There are no streams."));
    // Nobody looked, so nobody knows.
    assert!(!empty.contains("No incident in this month."));
    let waiting = html::page(&sheet_of(DAY, Role::Viewer, vec![watched("Gate", None, &[])], Vec::new()));
    assert!(waiting.contains("No stream was watched in this month.") && !waiting.contains("NaN"));
}

#[test]
fn a_page_does_not_grow_without_end() {
    let many: Vec<Incident> = (0..700)
        .map(|n| {
            let n = i64::from(n);
            incident(n, Cause::Stream, &["gate"], n * 3600, Some(n * 3600 + 60 + n))
        })
        .collect();
    let sheet = sheet_of(40 * DAY, Role::Viewer, vec![watched("Gate", None, &[(Health::Up, DAY)])], many);
    let page = html::page(&sheet);
    assert!(page.contains("The 500 longest of 700 are listed"));
    assert!(page.contains("No. 200</small>") && !page.contains("No. 199</small>"));
    assert_eq!(csv::incidents(&sheet).matches("\r\n").count(), 701);
}

#[test]
fn a_program_gets_numbers() {
    let value: serde_json::Value = serde_json::from_str(&json::report(&sheet(Role::Viewer))).unwrap();
    assert_eq!((&value["month"], &value["so_far"]), (&json!("2026-11"), &json!(false)));
    assert_eq!((&value["from"], &value["to"]), (&json!("2026-10-31T23:00:00Z"), &json!("2026-11-30T23:00:00Z")));
    assert_eq!(value["all"]["incidents"], json!({"down": 1, "degraded": 1, "open": 1}));
    assert_eq!(value["streams"][0]["seconds"]["down"], 7200.0);
    assert_eq!((&value["streams"][2]["availability"], &value["worst"]), (&serde_json::Value::Null, &json!(["gate"])));
    assert_eq!(value["groups"]["East"]["longest_outage_seconds"], 7200.0);
    assert_eq!(value["incidents"][1]["duration_seconds"], Duration::from_secs(38 * 86_400).as_secs_f64());
    assert_eq!(value["incidents"][0]["cause"], json!({"kind": "device"}));
}
