//! What an account sees that is limited to some groups.

use super::*;

#[tokio::test]
async fn a_caller_with_groups_sees_their_streams_everywhere_and_no_other() {
    let server = Server::start().await;
    record_last_month(&server).await;
    let admin = server.token("root", Role::Admin).await;
    for id in ["gate", "yard"] {
        assert_eq!(server.ask("POST", &format!("/api/streams/{id}/probe"), &admin, None).await.status, 200);
    }
    let all = server.get("/api/health", &admin).await.json();
    assert_eq!((&all["streams"]["up"], &all["streams"]["down"]), (&json!(1), &json!(1)));
    let token = server.token_of("olga", Role::Operator, Some(&["Back"])).await;
    for path in [
        "/api/status",
        "/api/streams",
        "/api/streams/yard",
        "/api/health",
        "/api/availability",
        "/api/availability?window=36h",
        "/api/incidents",
        "/api/maintenance",
        "/api/sd",
        "/api/export.csv",
        "/export/all.csv",
        "/api/reports/current.json",
    ] {
        let seen = server.get(path, &token).await;
        let seen = match seen.header("location") {
            Some(other) => server.get(other, &token).await,
            None => seen,
        };
        assert_eq!(seen.status, 200, "{path}");
        let text = seen.everything();
        assert!(!text.contains("Gate") && !text.contains("gate\"") && !text.contains("192.0.2.10"), "{path}: {text}");
    }
    let health = server.get("/api/health", &token).await.json();
    assert_eq!((&health["streams"]["up"], &health["streams"]["down"]), (&json!(0), &json!(1)), "{health}");
    let list = server.get("/api/streams", &token).await.json();
    assert_eq!(list["streams"].as_array().unwrap().len(), 1);
    assert_eq!(server.get("/api/status", &token).await.json()["Yard"]["status"], "fail");
}

#[tokio::test]
async fn an_incident_of_several_groups_shows_each_its_own_streams() {
    let server = Server::start().await;
    record_last_month(&server).await;
    let mut incident = server.store.incident(1).await.unwrap().unwrap();
    let mut other = incident.members[0].clone();
    other.stream = StreamId::new("yard").unwrap();
    other.joined_at += jiff::SignedDuration::from_secs(1);
    incident.members.push(other);
    let state = HealthState::new(SystemClock.now());
    let mut record = Record { stream: StreamId::new("yard").unwrap(), ..none(state) };
    record.incidents.push(incident);
    server.store.record(record).await.unwrap();
    let streams = |answer: Value| -> Vec<String> {
        let members = answer["streams"].as_array().unwrap().clone();
        members.iter().map(|member| member["stream"].as_str().unwrap().to_owned()).collect()
    };
    let everyone = server.token("olga", Role::Operator).await;
    let seen = server.get("/api/incidents/1", &everyone).await;
    assert!(seen.everything().contains("no route to 192.0.2.10"), "{}", seen.everything());
    assert_eq!(streams(seen.json()), ["gate", "yard"]);
    let back = server.token_of("bert", Role::Operator, Some(&["Back"])).await;
    let seen = server.get("/api/incidents/1", &back).await;
    // What was seen was seen of Gate.
    assert!(!seen.everything().contains("no route to 192.0.2.10"), "{}", seen.everything());
    assert_eq!(streams(seen.json()), ["yard"]);
}

fn none(state: HealthState) -> Record {
    let stream = StreamId::new("gate").unwrap();
    Record {
        stream,
        heartbeat: None,
        state,
        transitions: vec![],
        late_transitions: 0,
        spans: vec![],
        incidents: vec![],
        notices: vec![],
    }
}
