//! The monthly report over HTTP.

use super::*;

/// A record of last month in UTC: Gate was up and then down for an hour each.
pub(super) async fn record_last_month(server: &Server) -> Month {
    let month = Month::of(SystemClock.now(), &jiff::tz::TimeZone::UTC).previous().unwrap();
    let (from, _) = month.bounds(&jiff::tz::TimeZone::UTC).unwrap();
    let at = |hour| from + jiff::SignedDuration::from_hours(hour);
    let gate = StreamId::new("gate").unwrap();
    let member = Member {
        stream: gate.clone(),
        reason: Reason::Unreachable,
        stage: Stage::Connect,
        began_at: at(11),
        joined_at: at(11),
        left_at: Some(at(12)),
    };
    let incident = Incident {
        id: 1,
        health: Health::Down,
        cause: Cause::Device("192.0.2.10".to_owned()),
        reason: Reason::Unreachable,
        stage: Stage::Connect,
        detail: "no route to 192.0.2.10".to_owned(),
        opened_at: at(11),
        closed_at: Some(at(12)),
        merged_into: None,
        members: vec![member],
        acknowledged: None,
        note: None,
        action: None,
    };
    let spans = vec![
        Span { health: Health::Up, from: at(10), to: at(11) },
        Span { health: Health::Down, from: at(11), to: at(12) },
    ];
    let heartbeat = None;
    let state = HealthState::new(at(12));
    let record = Record {
        stream: gate,
        heartbeat,
        state,
        transitions: vec![],
        late_transitions: 0,
        spans,
        incidents: vec![incident],
        notices: vec![],
    };
    server.store.record(record).await.unwrap();
    month
}

#[tokio::test]
async fn reports_are_listed_and_come_in_every_form() {
    let server = Server::start_with("streams: []\ntimezone: UTC\n").await;
    let token = server.token("anna", Role::Viewer).await;
    let none = server.get("/api/reports", &token).await;
    assert_eq!((none.status, &none.json()["reports"]), (200, &json!([])));
    // Nothing is recorded, and the month goes on all the same.
    let current = server.get("/api/reports/current.html", &token).await;
    assert_eq!(current.status, 303, "{}", current.everything());
    let empty = server.get(current.header("location").unwrap(), &token).await;
    assert!(empty.status == 200 && empty.everything().contains("Nothing is recorded yet"), "{}", empty.everything());

    let server = Server::start().await;
    let month = record_last_month(&server).await;
    let viewer = server.token("anna", Role::Viewer).await;
    let operator = server.token("olga", Role::Operator).await;
    let list = server.get("/api/reports", &viewer).await.json();
    assert_eq!(list["reports"].as_array().unwrap().len(), 2, "{list}");
    assert_eq!((&list["timezone"], &list["reports"][0]["so_far"]), (&json!("UTC"), &json!(true)));
    let last = &list["reports"][1];
    assert_eq!((&last["month"], &last["so_far"]), (&json!(month.to_string()), &json!(false)));
    for (form, kind, kept) in [
        ("html", "text/html; charset=utf-8", format!("inline; filename=\"streampulse-{month}.html\"")),
        ("csv", "text/csv; charset=utf-8; header=present", format!("attachment; filename=\"streampulse-{month}.csv\"")),
        (
            "incidents_csv",
            "text/csv; charset=utf-8; header=present",
            format!("attachment; filename=\"streampulse-{month}-incidents.csv\""),
        ),
        ("json", "application/json", format!("inline; filename=\"streampulse-{month}.json\"")),
    ] {
        let address = last[form].as_str().unwrap();
        let seen = server.get(address, &viewer).await;
        assert_eq!((seen.status, seen.header("content-type")), (200, Some(kind)), "{}", seen.everything());
        assert_eq!(seen.header("content-disposition"), Some(kept.as_str()));
        assert_eq!(seen.header("cache-control"), Some("no-store"));
        assert!(!seen.everything().contains("192.0.2.1"), "{}", seen.everything());
        let seen = server.get(address, &operator).await;
        assert_eq!(seen.everything().contains("192.0.2.10"), form != "csv", "{}", seen.everything());
    }
    let report = server.get(last["json"].as_str().unwrap(), &viewer).await.json();
    assert_eq!((&report["all"]["availability"], &report["streams"][0]["name"]), (&json!(0.5), &json!("Gate")));
    // Yard was not watched last month; this month it belongs to the report.
    assert_eq!(report["streams"].as_array().unwrap().len(), 1);
    let current = server.get(list["reports"][0]["json"].as_str().unwrap(), &viewer).await.json();
    assert_eq!(current["streams"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_report_that_cannot_be_is_not_found_and_a_browser_is_led_to_a_session() {
    let server = Server::start().await;
    let month = record_last_month(&server).await;
    let token = server.token("anna", Role::Viewer).await;
    let (before, after) = (month.previous().unwrap(), month.next().unwrap().next().unwrap());
    for file in ["2026-13.html", "2026-11.pdf", "2026-11", "1.csv", "current", "9999-12.json", "..%2f2026-11.csv"] {
        let gone = server.get(&format!("/api/reports/{file}"), &token).await;
        assert_eq!((gone.status, gone.code().as_str()), (404, "no_such_report"), "{file}");
    }
    for month in [before, after] {
        let gone = server.get(&format!("/api/reports/{month}.html"), &token).await;
        assert_eq!((gone.status, gone.code().as_str()), (404, "no_such_report"), "{month}");
    }
    for (file, location) in [("current", "/?report=current"), ("2026-11", "/?report=2026-11")] {
        let led = server.call("GET", &format!("/api/reports/{file}.html"), "", None).await;
        assert_eq!((led.status, led.header("location")), (303, Some(location)));
    }
    assert_eq!(server.call("GET", "/api/reports/2026-11.csv", "", None).await.code(), "unauthorized");
    assert_eq!(server.get("/api/reports/2026-11.html", "x.y.z").await.code(), "token_invalid");
    let style = server.call("GET", "/style/report.css", "", None).await;
    assert_eq!((style.status, style.header("content-type")), (200, Some("text/css; charset=utf-8")));
    let changed = server.call("POST", "/api/reports", "X-StreamPulse: 1\r\n", None).await;
    assert_eq!((changed.status, changed.header("allow")), (405, Some("GET, HEAD")));
}
