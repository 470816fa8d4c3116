//! Incidents, their evidence, announced work.

use bytes::Bytes;

use super::*;
use crate::model::{Acknowledgement, Cause, Incident, Member};
use crate::store::{Announced, Evidence, EvidenceKind, IncidentQuery, Remark};

fn incident(number: i64, streams: &[&str], opened_ms: i64, closed_ms: Option<i64>) -> Incident {
    let member = |name: &&str| Member {
        stream: id(name),
        reason: Reason::Unreachable,
        stage: Stage::Connect,
        began_at: at_ms(opened_ms - 10),
        joined_at: at_ms(opened_ms),
        left_at: closed_ms.map(at_ms),
    };
    Incident {
        id: number,
        health: Health::Down,
        cause: Cause::Subnet("192.0.2.0/24".to_owned()),
        reason: Reason::Unreachable,
        stage: Stage::Connect,
        detail: "no route".to_owned(),
        opened_at: at_ms(opened_ms),
        closed_at: closed_ms.map(at_ms),
        merged_into: None,
        members: streams.iter().map(member).collect(),
        acknowledged: None,
        note: None,
        action: None,
    }
}

fn all() -> IncidentQuery {
    IncidentQuery { limit: 10, ..IncidentQuery::default() }
}

async fn numbers(store: &Store, query: IncidentQuery) -> Vec<i64> {
    store.incidents(query).await.unwrap().into_iter().map(|incident| incident.id).collect()
}

#[tokio::test]
async fn the_register_keeps_what_it_is_given_and_what_people_say() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!(store.next_incident().await.unwrap(), 1);
    let open = incident(1, &["gate", "yard"], 0, None);
    let record = Record { incidents: vec![open.clone()], ..record("gate", 0, Reason::Unreachable) };
    store.record(record).await.unwrap();
    assert_eq!(store.incident(1).await.unwrap(), Some(open.clone()));

    let by = Acknowledgement { by: "ann".to_owned(), at: at_ms(5) };
    let seen = Remark { acknowledged: Some(by.clone()), note: Some("the switch?".to_owned()), action: None };
    store.remark(1, seen).await.unwrap();
    let later = Acknowledgement { by: "bob".to_owned(), at: at_ms(6) };
    let done = Remark { acknowledged: Some(later), note: Some(String::new()), action: Some("new cable".to_owned()) };
    let said = store.remark(1, done).await.unwrap().expect("there");
    assert_eq!((said.acknowledged, said.note, said.action.as_deref()), (Some(by), None, Some("new cable")));
    assert_eq!(store.remark(9, Remark::default()).await.unwrap(), None);

    // The register goes on with it: nothing that was said is lost.
    store.put_incidents(vec![incident(1, &["gate", "yard", "lab"], 0, Some(50))]).await.unwrap();
    let closed = store.incident(1).await.unwrap().expect("there");
    assert_eq!(
        (closed.closed_at, closed.members.len(), closed.action.as_deref()),
        (Some(at_ms(50)), 3, Some("new cable"))
    );
    assert!(closed.members.iter().all(|member| member.left_at == Some(at_ms(50))));

    store.put_incidents(vec![incident(2, &["lab"], 100, None), incident(3, &["gate"], 200, None)]).await.unwrap();
    assert_eq!(numbers(&store, all()).await, [3, 2, 1]);
    assert_eq!(numbers(&store, IncidentQuery { open: Some(true), ..all() }).await, [3, 2]);
    assert_eq!(numbers(&store, IncidentQuery { open: Some(false), ..all() }).await, [1]);
    assert_eq!(numbers(&store, IncidentQuery { stream: Some(id("lab")), ..all() }).await, [2, 1]);
    assert_eq!(numbers(&store, IncidentQuery { stream: Some(id("nobody")), ..all() }).await, Vec::<i64>::new());
    assert_eq!(numbers(&store, IncidentQuery { from: Some(at_ms(51)), ..all() }).await, [3, 2]);
    assert_eq!(numbers(&store, IncidentQuery { to: Some(at_ms(200)), ..all() }).await, [2, 1]);
    assert_eq!(numbers(&store, IncidentQuery { before: Some(3), limit: 1, ..all() }).await, [2]);

    // Old ones go, their numbers do not come back.
    store
        .put_incidents(vec![incident(3, &["gate"], 200, Some(300)), incident(2, &["lab"], 100, Some(300))])
        .await
        .unwrap();
    let keep = Retention { heartbeats_days: 1, rollup_days: 1 };
    store.prune(at_ms(3 * 24 * 3_600_000), keep).await.unwrap();
    assert_eq!(numbers(&store, all()).await, Vec::<i64>::new());
    assert_eq!(store.next_incident().await.unwrap(), 4);
}

fn picture(kind: EvidenceKind, byte: u8) -> Evidence {
    Evidence { kind, taken_at: at_ms(i64::from(byte)), content: Bytes::from(vec![byte; 1000]) }
}

#[tokio::test]
async fn evidence_stays_within_its_quota() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    for number in 1..=4 {
        store.put_incidents(vec![incident(number, &["gate"], number, None)]).await.unwrap();
        let text =
            Evidence { kind: EvidenceKind::Exchange, taken_at: at_ms(0), content: Bytes::from_static(b"> DESCRIBE") };
        let pieces = vec![picture(EvidenceKind::LastGood, 1), picture(EvidenceKind::FirstBad, 2), text];
        store.put_evidence(number, id("gate"), pieces).await.unwrap();
    }
    let kept = store.evidence(4).await.unwrap();
    let shown: Vec<_> = kept.iter().map(|piece| (piece.number, piece.kind, piece.text.as_deref())).collect();
    let expected = [
        (1, EvidenceKind::LastGood, None),
        (2, EvidenceKind::FirstBad, None),
        (3, EvidenceKind::Exchange, Some("> DESCRIBE")),
    ];
    assert_eq!(shown, expected);
    let (jpeg, taken_at) = store.evidence_picture(4, 2).await.unwrap().expect("there");
    assert_eq!((jpeg.len(), jpeg[0], taken_at), (1000, 2, at_ms(2)));
    assert_eq!(store.evidence_picture(4, 3).await.unwrap(), None, "that is text");
    let file = dir.path().join("evidence/4-2.jpg");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);

    // Room for three pictures and the texts between them: those of the newest incident and one of the next. Young files
    // stay, they may not be committed yet.
    assert_eq!(store.prune_evidence(3_500).await.unwrap(), 0);
    let long_ago = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for entry in std::fs::read_dir(dir.path().join("evidence")).unwrap() {
        std::fs::File::open(entry.unwrap().path()).unwrap().set_modified(long_ago).unwrap();
    }
    assert_eq!(store.prune_evidence(3_500).await.unwrap(), 5);
    assert_eq!(store.evidence(4).await.unwrap().len(), 3);
    let numbers: Vec<_> = store.evidence(3).await.unwrap().iter().map(|piece| piece.number).collect();
    assert_eq!(numbers, [2, 3]);
    assert_eq!(store.evidence_picture(3, 1).await.unwrap(), None);
    assert_eq!(std::fs::read_dir(dir.path().join("evidence")).unwrap().count(), 3);
    assert_eq!(store.prune_evidence(3_500).await.unwrap(), 0);
}

#[tokio::test]
async fn announced_work_goes_on_until_it_ends() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let work = |from, until, streams: &[&str]| Announced {
        id: 0,
        streams: streams.iter().map(|name| id(name)).collect(),
        from: at_ms(from),
        until: at_ms(until),
        by: "ann".to_owned(),
        note: Some("new lens".to_owned()),
    };
    let all = store.announce(work(100, 200, &[])).await.unwrap();
    let some = store.announce(work(0, 150, &["gate", "yard"])).await.unwrap();
    let known = store.announced(at_ms(50)).await.unwrap();
    assert_eq!(
        known,
        [Announced { id: some, ..work(0, 150, &["gate", "yard"]) }, Announced { id: all, ..work(100, 200, &[]) }]
    );
    assert_eq!(store.announced(at_ms(150)).await.unwrap().len(), 1);
    assert!(store.end_announced(some, at_ms(60)).await.unwrap());
    assert!(!store.end_announced(some, at_ms(61)).await.unwrap());
    assert_eq!(store.announced(at_ms(61)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_older_version_does_not_open_what_has_ended() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let mut one = Incident { cause: Cause::Stream, ..incident(1, &["main"], 0, None) };
    let both = Incident { cause: Cause::Device("192.0.2.7".to_owned()), ..incident(1, &["main", "sub"], 0, None) };
    let ended =
        Incident { cause: both.cause.clone(), merged_into: Some(9), ..incident(1, &["main", "sub"], 0, Some(50)) };
    // Commits of different streams overtake each other.
    for version in [&both, &ended, &both, &one] {
        store.put_incidents(vec![version.clone()]).await.unwrap();
    }
    assert_eq!(store.incident(1).await.unwrap(), Some(ended.clone()));
    one.cause = Cause::Parent(id("switch"));
    store.put_incidents(vec![one.clone()]).await.unwrap();
    assert_eq!(store.incident(1).await.unwrap().unwrap().cause, one.cause, "a cause that was found later");
    // A stream that fails again is another member.
    let mut again = both;
    again.members[0].joined_at = at_ms(70);
    store.put_incidents(vec![again]).await.unwrap();
    assert_eq!(store.incident(1).await.unwrap().unwrap().members.len(), 3);
}
