use super::*;
use crate::model::{Cause, Notice};

/// A stream's change, and what is told of it.
fn told(stream: &str, ms: i64, to: Health) -> Record {
    let from = if to == Health::Up { Health::Down } else { Health::Up };
    let record = transition(stream, ms, from, to);
    let reason = record.transitions[0].reason;
    let notice = Notice::Transition {
        stream: id(stream),
        at: at_ms(ms),
        from,
        to,
        reason,
        issues: Vec::new(),
        message: "no answer".to_owned(),
        announced: true,
    };
    Record { notices: vec![notice], ..record }
}

async fn keys(store: &Store, after: i64) -> Vec<String> {
    store.outbox_after(after, 1000).await.unwrap().iter().map(|queued| queued.notice.key()).collect()
}

fn key(stream: &str, ms: i64, to: Health) -> String {
    format!("{stream} {} {}", to.as_str(), NOON_MS + ms)
}

#[tokio::test]
async fn notices_wait_for_every_sink_and_no_longer() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let mut changes = store.outbox_changes();
    store.record(told("gate", 0, Health::Down)).await.unwrap();
    assert!(keys(&store, 0).await.is_empty(), "nobody waits for it");
    assert!(!changes.has_changed().unwrap());

    store.open_sink("mqtt").await.unwrap();
    store.open_sink("notify:phone").await.unwrap();
    store.record(told("gate", 1, Health::Up)).await.unwrap();
    store.record(told("yard", 2, Health::Down)).await.unwrap();
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    assert_eq!(keys(&store, 0).await, [key("gate", 1, Health::Up), key("yard", 2, Health::Down)]);
    let queued = store.outbox_after(0, 1000).await.unwrap();
    let backlog = store.backlog("mqtt").await.unwrap().unwrap();
    assert_eq!((backlog.waiting, backlog.dropped_total, backlog.oldest), (2, 0, Some(at_ms(1))));
    assert_eq!(store.backlog("other").await.unwrap(), None);

    // Opening it once more changes nothing: it is the same sink after a restart.
    store.open_sink("mqtt").await.unwrap();
    store.delivered("mqtt", queued[1].seq).await.unwrap();
    store.delivered("mqtt", queued[0].seq).await.unwrap();
    assert_eq!(store.backlog("mqtt").await.unwrap().unwrap().waiting, 0, "a cursor goes forward only");
    store.delivered("notify:phone", queued[0].seq).await.unwrap();
    assert_eq!(keys(&store, 0).await, [key("yard", 2, Health::Down)]);
    store.close_sinks("notify:", vec!["notify:other".to_owned()]).await.unwrap();
    assert!(keys(&store, 0).await.is_empty());
    assert!(store.backlog("notify:phone").await.unwrap().is_none());
    assert!(store.backlog("mqtt").await.unwrap().is_some());
}

#[tokio::test]
async fn they_outlive_a_restart_with_their_ids_and_each_is_there_once() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.open_sink("mqtt").await.unwrap();
    store.record(told("gate", 0, Health::Down)).await.unwrap();
    // The monitor had given this record up, and its next one brings what it told along.
    let mut second = told("gate", 5, Health::Up);
    second.late_transitions = 1;
    second.transitions.insert(0, told("gate", 0, Health::Down).transitions.remove(0));
    second.notices.insert(0, told("gate", 0, Health::Down).notices.remove(0));
    store.record(second).await.unwrap();
    let before = store.outbox_after(0, 1000).await.unwrap();
    assert_eq!(before.len(), 2);
    let transitions: i64 = raw(&dir).query_row("SELECT count(*) FROM transitions", [], |row| row.get(0)).unwrap();
    assert_eq!(transitions, 2);
    // Also when the first is delivered by then, and its row gone.
    store.delivered("mqtt", before[1].seq).await.unwrap();
    let late = Record { late_transitions: 1, ..told("gate", 5, Health::Up) };
    store.record(late).await.unwrap();
    assert!(store.outbox_after(0, 1000).await.unwrap().is_empty());
    store.record(told("yard", 9, Health::Down)).await.unwrap();
    let before = store.outbox_after(0, 1000).await.unwrap();
    assert!(before[0].id.ends_with(&format!("-yard-down-{}", NOON_MS + 9)), "{}", before[0].id);
    store.close().await;

    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!(store.outbox_after(0, 1000).await.unwrap(), before);
    let other = TempDir::new().unwrap();
    let other = Store::open(other.path()).await.unwrap();
    other.open_sink("mqtt").await.unwrap();
    other.record(told("yard", 9, Health::Down)).await.unwrap();
    assert_ne!(other.outbox_after(0, 1000).await.unwrap()[0].id, before[0].id, "another database");
}

#[tokio::test]
async fn of_a_sink_that_is_away_too_long_the_oldest_are_dropped_and_counted() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.open_sink("mqtt").await.unwrap();
    store.record(told("gate", 0, Health::Down)).await.unwrap();
    // As after a hundred thousand others.
    let newest = MAX_WAITING + 2;
    raw(&dir).execute("UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'outbox'", [newest - 1]).unwrap();
    store.open_sink("notify:phone").await.unwrap();
    store.record(told("gate", 1, Health::Up)).await.unwrap();
    let backlog = store.backlog("mqtt").await.unwrap().unwrap();
    assert_eq!((backlog.delivered, backlog.dropped_total, backlog.waiting), (2, 2, 1));
    assert_eq!(store.backlog("notify:phone").await.unwrap().unwrap().dropped_total, 0);
    assert_eq!(keys(&store, 0).await, [key("gate", 1, Health::Up)]);
}

#[tokio::test]
async fn an_incident_is_told_of_when_it_opens_and_when_it_is_over() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.open_sink("notify:phone").await.unwrap();
    let mut incident = Incident {
        id: 7,
        health: Health::Down,
        cause: Cause::Stream,
        reason: Reason::Unreachable,
        stage: Stage::Connect,
        detail: String::new(),
        opened_at: at_ms(0),
        closed_at: None,
        merged_into: None,
        members: Vec::new(),
        acknowledged: None,
        note: None,
        action: None,
    };
    let record_with =
        |incident: &Incident, ms| Record { incidents: vec![incident.clone()], ..record("gate", ms, Reason::Ok) };
    store.record(record_with(&incident, 0)).await.unwrap();
    store.record(record_with(&incident, 1)).await.unwrap();
    incident.closed_at = Some(at_ms(2));
    store.record(record_with(&incident, 2)).await.unwrap();
    // One that comes late is open no more.
    incident.closed_at = None;
    store.put_incidents(vec![incident]).await.unwrap();
    assert_eq!(keys(&store, 0).await, ["incident 7 opened", "incident 7 closed"]);
}

#[tokio::test]
async fn retained_topics_are_remembered_until_they_are_cleared() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let topics = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    store.change_retained_topics("one", topics(&["a/state", "b/state"]), Vec::new()).await.unwrap();
    store.change_retained_topics("one", topics(&["b/state", "c/state"]), topics(&["a/state"])).await.unwrap();
    store.close().await;
    let store = Store::open(dir.path()).await.unwrap();
    let mut kept: Vec<_> = store.retained_topics("one").await.unwrap().into_iter().collect();
    kept.sort();
    assert_eq!(kept, ["b/state", "c/state"]);
    assert!(store.retained_topics("another").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_notice_that_cannot_be_read_is_passed_over_and_does_not_stop_the_rest() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.open_sink("mqtt").await.unwrap();
    store.record(told("gate", 0, Health::Down)).await.unwrap();
    store.record(told("gate", 1, Health::Up)).await.unwrap();
    raw(&dir).execute("UPDATE outbox SET notice = '{\"kind\":\"of a later version\"}' WHERE seq = 1", []).unwrap();
    let queued = store.outbox_after(0, 1000).await.unwrap();
    assert_eq!(queued[0].notice, Notice::Unreadable { at: at_ms(0) });
    assert_eq!(queued[1].notice.kind(), "transition");
}
