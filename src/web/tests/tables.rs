//! What is exported, and what scripts for the original read.

use super::*;
use crate::model::Heartbeat;

async fn record_heartbeats(server: &Server, stream: &str, count: i64) {
    let id = StreamId::new(stream).unwrap();
    let first = SystemClock.now() - jiff::SignedDuration::from_hours(2);
    let mut written = Vec::new();
    for number in 0..count {
        let at = first + jiff::SignedDuration::from_millis(number * 10);
        let reason = if number % 2 == 0 { Reason::Ok } else { Reason::Unreachable };
        let heartbeat = Heartbeat { at, reason, stage: Stage::Connect, latency_ms: 7, health: Health::Up };
        let record = Record::of_heartbeat(id.clone(), heartbeat, HealthState::new(at));
        let store = server.store.clone();
        written.push(tokio::spawn(async move { store.record(record).await }));
    }
    for done in written {
        done.await.unwrap().unwrap();
    }
}

/// The lines of a chunked answer.
fn lines(answer: &Answer) -> Vec<String> {
    let mut rest = answer.body.as_slice();
    let mut text = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if length == 0 {
            return String::from_utf8(text).unwrap().split_terminator("\r\n").map(str::to_owned).collect();
        }
        text.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 4 + length..];
    }
}

#[tokio::test]
async fn an_export_has_every_heartbeat_once_in_the_order_of_time() {
    let server = Server::start().await;
    record_heartbeats(&server, "gate", 5_003).await;
    record_heartbeats(&server, "yard", 5_000).await;
    record_heartbeats(&server, "gone", 1).await;
    let token = server.token("anna", Role::Viewer).await;
    let answer = server.get("/api/export.csv", &token).await;
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    assert_eq!(answer.header("content-disposition"), Some("attachment; filename=\"streampulse-heartbeats.csv\""));
    let all = lines(&answer);
    assert_eq!(all[0], "stream_id,stream,time,state,reason,stage,latency_ms,message");
    assert_eq!(all.len(), 1 + 10_004);
    let times: Vec<&str> = all[1..].iter().map(|line| line.split(',').nth(2).unwrap()).collect();
    let parsed: Vec<Timestamp> = times.iter().map(|time| time.parse().unwrap()).collect();
    assert!(parsed.is_sorted());
    let unique: std::collections::HashSet<&String> = all.iter().collect();
    assert_eq!(unique.len(), all.len());
    assert!(all.iter().any(|line| line.starts_with("gone,gone,")), "one that is not configured any more");

    let gate = lines(&server.get("/api/export.csv?stream=gate", &token).await);
    assert_eq!(gate.len(), 1 + 5_003);
    let (from, to) = (parsed[10], parsed[20]);
    let part = lines(&server.get(&format!("/api/export.csv?from={from}&to={to}"), &token).await);
    let expected: Vec<_> =
        all[1..].iter().zip(&parsed).filter(|(_, at)| (from..to).contains(*at)).map(|(l, _)| l).collect();
    assert_eq!(part[1..].iter().collect::<Vec<_>>(), expected);
    for bad in ["from=yesterday", "from=2999-01-01T00:00:00Z", "stream=nope", "stream=gate,nope"] {
        assert!(server.get(&format!("/api/export.csv?{bad}"), &token).await.status >= 400, "{bad}");
    }
}

#[tokio::test]
async fn scripts_for_the_original_find_their_columns_and_lines() {
    let config = format!("timezone: Asia/Kolkata\n{}", CONFIG.replace("name: Gate", "name: 'Gate, \"front\"'"));
    let server = Server::start_with(&config).await;
    record_heartbeats(&server, "gate-front", 60).await;
    let token = server.token("anna", Role::Viewer).await;
    let all = lines(&server.get("/export/all.csv", &token).await);
    assert_eq!(all[0], "stream,ts,status,latency_ms,message");
    assert!(all[1].starts_with("\"Gate, \"\"front\"\"\",20") && all[1].contains("+05:30,ok,7,"), "{}", all[1]);
    let history = server.get("/history/Gate,%20%22front%22", &token).await;
    assert_eq!(history.header("content-type"), Some("text/plain; charset=utf-8"));
    let text = String::from_utf8(history.body).unwrap();
    assert_eq!(text.lines().count(), 50);
    let fields: Vec<&str> = text.lines().next().unwrap().split(" | ").collect();
    assert_eq!(fields[1..3], ["fail", "7 ms"], "the newest first: {text}");
    let none = server.get("/history/yard", &token).await;
    assert_eq!(none.body, b"No history.");
    assert_eq!(server.get("/history/nope", &token).await.code(), "no_such_stream");
    let cfg = server.get("/api/cfg", &token).await.json();
    assert_eq!(cfg, json!({"timezone": "Asia/Kolkata", "utc_offset": "+05:30", "timezone_set": true}));
}
