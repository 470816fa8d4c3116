//! What the monitor makes of verdicts: incidents with evidence, announced work, flapping, time.

use super::*;
use crate::model::{Cause, Incident};
use crate::store::{Announced, EvidenceKind, IncidentQuery};

impl Rig {
    /// Sends a result and waits until it is recorded.
    async fn takes(&self, name: &str, second: i64, probed: Probed) {
        self.send(name, second, probed).await.await.expect("recorded");
    }

    async fn incidents(&self) -> Vec<Incident> {
        self.store.incidents(IncidentQuery { limit: 10, ..IncidentQuery::default() }).await.expect("incidents")
    }

    fn health(&self, name: &str) -> Health {
        self.status.get(name).expect("a row").state.health
    }

    /// Waits until a stream is in a state.
    async fn until(&mut self, name: &str, health: Health) {
        while self.health(name) != health {
            let _ = self.events.recv().await.expect("events");
        }
    }

    /// Every transition that was announced so far.
    fn announced(&mut self) -> Vec<(Health, Health)> {
        let mut announced = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            if let Event::Transition(transition) = event {
                announced.push((transition.from, transition.to));
            }
        }
        announced
    }
}

fn unreachable() -> Probed {
    let report = ProbeReport::failed(Stage::Connect, Reason::Unreachable, "no route", Duration::from_millis(2));
    Probed { report, jpeg: None }
}

#[tokio::test]
async fn a_failure_opens_an_incident_with_the_last_good_picture() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = rig(dir.path(), cameras(&["a", "b"])).await;
    rig.takes("a", 0, picture()).await;
    rig.takes("a", 15, refused()).await;
    assert_eq!(rig.incidents().await, [], "one failure is none");
    rig.takes("a", 18, refused()).await;
    let incidents = rig.incidents().await;
    let incident = &incidents[0];
    assert_eq!(
        (incident.health, incident.reason, &incident.cause),
        (Health::Down, Reason::ConnectionRefused, &Cause::Stream)
    );
    assert!(incident.detail.contains("port 554"), "{}", incident.detail);
    // The last good heartbeat was at 0.
    assert_eq!(incident.members[0].began_at, at(0));
    // It comes a moment after the incident.
    let mut evidence = rig.store.evidence(incident.id).await.unwrap();
    while evidence.is_empty() {
        tokio::task::yield_now().await;
        evidence = rig.store.evidence(incident.id).await.unwrap();
    }
    assert_eq!(evidence.iter().map(|piece| piece.kind).collect::<Vec<_>>(), [EvidenceKind::LastGood]);
    let (jpeg, taken_at) = rig.store.evidence_picture(incident.id, 1).await.unwrap().expect("a picture");
    assert_eq!((&jpeg[..], taken_at), (&b"\xff\xd8picture"[..], at(0) + Duration::from_millis(40)));
    assert_eq!(rig.status.figures().open_down, 1);

    // Another stream of this device goes as well.
    rig.takes("b", 20, picture()).await;
    rig.takes("b", 21, unreachable()).await;
    rig.takes("b", 22, unreachable()).await;
    let incidents = rig.incidents().await;
    assert_eq!((incidents.len(), &incidents[0].cause), (1, &Cause::Device("127.0.0.1".to_owned())));
    rig.takes("a", 30, picture()).await;
    assert!(rig.incidents().await[0].is_open());
    // Removed: it has left the incident, which is over.
    rig.reconfigure(cameras(&["a"])).await;
    let mut incidents = rig.incidents().await;
    while incidents[0].is_open() {
        tokio::task::yield_now().await;
        incidents = rig.incidents().await;
    }
    assert_eq!((rig.status.figures().open_down, rig.status.figures().opened_total), (0, 1));
    rig.stop().await;
}

#[tokio::test]
async fn an_open_incident_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let first = rig(dir.path(), cameras(&["a"])).await;
    first.takes("a", 0, refused()).await;
    first.takes("a", 3, refused()).await;
    let before = first.incidents().await;
    first.stop().await;
    let second = rig(dir.path(), cameras(&["a"])).await;
    second.takes("a", 30, refused()).await;
    assert_eq!(second.incidents().await, before, "no second one");
    second.takes("a", 45, picture()).await;
    let after = second.incidents().await;
    assert_eq!((after.len(), after[0].id, after[0].is_open()), (1, before[0].id, false));
    second.takes("a", 60, refused()).await;
    second.takes("a", 61, refused()).await;
    assert_eq!(second.incidents().await[0].id, before[0].id + 1);
    second.stop().await;
}

fn work(streams: &[&str], from: Timestamp, until: Timestamp) -> Announced {
    let streams = streams.iter().map(|name| id(name)).collect();
    Announced { id: 0, streams, from, until, by: "ann".to_owned(), note: None }
}

#[tokio::test]
async fn announced_work_opens_no_incident_and_ends_with_a_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = rig(dir.path(), cameras(&["a", "b"])).await;
    rig.takes("a", 0, picture()).await;
    let now = SystemClock.now();
    let number = rig.handle.announce(work(&["a"], now, now + Duration::from_secs(3600))).await.expect("announced");
    rig.until("a", Health::Maintenance).await;
    assert_eq!(rig.health("b"), Health::Unknown);
    let until = rig.status.get("a").unwrap().maintenance_until.expect("until when");
    assert_eq!(until, now + Duration::from_secs(3600));
    for second in 15..20 {
        rig.takes("a", second, refused()).await;
    }
    assert_eq!((rig.health("a"), rig.incidents().await), (Health::Maintenance, vec![]));
    assert_eq!(rig.status.get("a").unwrap().recent.len(), 6, "every heartbeat is recorded");
    assert!(rig.handle.end_announced(number).await.expect("ended"));
    assert!(!rig.handle.end_announced(number).await.expect("asked"), "only once");
    rig.until("a", Health::Unknown).await;
    // The failures meanwhile hold: one more is enough.
    rig.takes("a", 30, refused()).await;
    assert_eq!(rig.health("a"), Health::Down);
    assert_eq!(rig.incidents().await.len(), 1);
    let announced = rig.announced();
    assert_eq!(announced.last(), Some(&(Health::Unknown, Health::Down)), "{announced:?}");
    rig.stop().await;
}

#[tokio::test]
async fn announced_work_survives_a_restart_and_begins_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let first = rig(dir.path(), cameras(&["a"])).await;
    let now = SystemClock.now();
    let soon = now + Duration::from_millis(1_500);
    first.handle.announce(work(&[], soon, now + Duration::from_secs(3600))).await.expect("announced");
    assert_eq!(first.health("a"), Health::Unknown);
    first.stop().await;
    let mut second = rig(dir.path(), cameras(&["a"])).await;
    second.until("a", Health::Maintenance).await;
    assert!(SystemClock.now() >= soon);
    second.stop().await;
}

#[tokio::test]
async fn a_flapping_stream_is_recorded_and_not_announced() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = cameras(&["a"]);
    config.probe.failures_to_down = 1;
    let mut rig = rig(dir.path(), config).await;
    for second in 0..20 {
        rig.takes("a", second, if second % 2 == 0 { picture() } else { refused() }).await;
    }
    assert!(rig.status.get("a").unwrap().state.flap.active);
    // The sixth change made it flap.
    let announced = rig.announced();
    assert_eq!(announced.len(), 6, "{announced:?}");
    let transitions = |dir: &Path| -> i64 {
        let sql = "SELECT count(*) FROM transitions";
        rusqlite::Connection::open(dir.join("streampulse.db")).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(transitions(dir.path()), 20);
    let incidents = rig.incidents().await;
    assert_eq!((incidents.len(), incidents[0].is_open()), (3, true), "{incidents:?}");
    for second in 20..45 {
        rig.takes("a", second, picture()).await;
    }
    assert!(!rig.status.get("a").unwrap().state.flap.active);
    // What was announced last was up or down; only when that is not true any more it is announced now.
    let last = announced.last().map(|(_, to)| *to);
    let late = rig.announced();
    assert_eq!(late, if last == Some(Health::Up) { vec![] } else { vec![(Health::Down, Health::Up)] });
    assert!(!rig.incidents().await[0].is_open());
    rig.stop().await;
}

#[tokio::test]
async fn time_is_counted_while_it_is_watched() {
    let dir = tempfile::tempdir().unwrap();
    let rig = rig(dir.path(), cameras(&["a"])).await;
    let begun = SystemClock.now();
    rig.takes("a", 0, picture()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    rig.takes("a", 1, picture()).await;
    let ended = SystemClock.now();
    let times = rig.store.state_times_of(&id("a"), begun, ended).await.unwrap();
    let counted = i64::try_from(times.ms(Health::Up)).unwrap();
    assert_eq!(u64::try_from(counted).unwrap(), times.covered_ms());
    assert!((300..=ended.as_millisecond() - begun.as_millisecond()).contains(&counted), "{times:?}");
    assert_eq!(rig.status.get("a").unwrap().tally.times, times);
    rig.stop().await;
}
