mod accounts;
mod copy;
mod migrations;
mod outbox;
mod register;
mod rollups;

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::model::{Health, Reason, Stage};
use accounts::{token, user};

const NOON_MS: i64 = 1_760_011_200_000;

fn at_ms(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(NOON_MS + ms).unwrap()
}

fn id(text: &str) -> StreamId {
    StreamId::new(text).unwrap()
}

fn state(health: Health, since: Timestamp) -> HealthState {
    HealthState { health, successes_in_row: 3, ..HealthState::new(since) }
}

fn record(stream: &str, ms: i64, reason: Reason) -> Record {
    let health = if reason == Reason::Ok { Health::Up } else { Health::Down };
    let stage = if reason == Reason::Ok { Stage::Picture } else { Stage::Connect };
    Record {
        stream: id(stream),
        heartbeat: Some(Heartbeat { at: at_ms(ms), reason, stage, latency_ms: 412, health }),
        state: state(health, at_ms(0)),
        transitions: Vec::new(),
        late_transitions: 0,
        spans: Vec::new(),
        incidents: Vec::new(),
        notices: Vec::new(),
    }
}

fn transition(stream: &str, ms: i64, from: Health, to: Health) -> Record {
    let reason = if to == Health::Up { Reason::Ok } else { Reason::Unreachable };
    let transition = Transition { stream: id(stream), at: at_ms(ms), from, to, reason };
    Record { state: state(to, at_ms(ms)), transitions: vec![transition], ..record(stream, ms, reason) }
}

/// Hands over many records at once, as the monitor does, and waits for all.
async fn record_all(store: &Store, records: impl IntoIterator<Item = Record>) {
    let mut tasks = tokio::task::JoinSet::new();
    for record in records {
        let store = store.clone();
        tasks.spawn(async move { store.record(record).await });
        if tasks.len() > 2000 {
            tasks.join_next().await.unwrap().unwrap().unwrap();
        }
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
}

fn raw(dir: &TempDir) -> rusqlite::Connection {
    rusqlite::Connection::open(dir.path().join(FILE_NAME)).unwrap()
}

fn integrity(dir: &TempDir) -> String {
    raw(dir).query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.record(transition("gate", 0, Health::Unknown, Health::Up)).await.unwrap();
    record_all(&store, (1..=80).map(|n| record("gate", n * 1000, Reason::Ok))).await;
    record_all(&store, [record("yard", 81_000, Reason::NoData), record("yard", 82_000, Reason::WorkerCrashed)]).await;
    store.close().await;

    let store = Store::open(dir.path()).await.unwrap();
    let memory = store.load_memory().await.unwrap();
    let gate = &memory[&id("gate")];
    assert_eq!(gate.state, state(Health::Up, at_ms(0)));
    assert_eq!(gate.last_ok_at, Some(at_ms(80_000)));
    let times: Vec<_> = gate.recent.iter().map(|beat| beat.at).collect();
    assert_eq!(times, (21..=80).map(|n| at_ms(n * 1000)).collect::<Vec<_>>());
    assert_eq!(Some(&gate.recent[59]), record("gate", 80_000, Reason::Ok).heartbeat.as_ref());
    let yard = &memory[&id("yard")];
    assert_eq!((yard.last_ok_at, yard.recent.len()), (None, 2));
    // Our own fault is no sample.
    assert_eq!(store.sample_totals(at_ms(0)).await.unwrap(), SampleTotals { ok: 81, total: 82 });
    assert_eq!(store.sample_totals(at_ms(3_600_000)).await.unwrap(), SampleTotals::default());
    store.close().await;
    assert_eq!(integrity(&dir), "ok");
}

#[tokio::test]
async fn history_comes_newest_first_page_by_page() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    // Ten minutes apart, so over several hours; another stream in between.
    record_all(&store, (0..40).map(|n| record("gate", n * 600_000, Reason::Ok))).await;
    record_all(&store, (0..40).map(|n| record("yard", n * 600_000 + 1, Reason::NoData))).await;
    let mut seen = Vec::new();
    let mut query = HistoryQuery { limit: 7, ..HistoryQuery::default() };
    loop {
        let page = store.history(&id("gate"), query.clone()).await.unwrap();
        assert!(page.heartbeats.len() <= 7);
        seen.extend(page.heartbeats.iter().map(|beat| beat.at));
        let Some(cursor) = page.next_cursor else { break };
        query.cursor = Some(cursor.parse().unwrap());
    }
    assert_eq!(seen, (0..40).rev().map(|n| at_ms(n * 600_000)).collect::<Vec<_>>());

    let window = HistoryQuery { from: Some(at_ms(600_000)), to: Some(at_ms(1_800_000)), limit: 100, cursor: None };
    let page = store.history(&id("gate"), window).await.unwrap();
    let times: Vec<_> = page.heartbeats.iter().map(|beat| beat.at).collect();
    assert_eq!((times, page.next_cursor), (vec![at_ms(1_200_000), at_ms(600_000)], None));

    let exact = HistoryQuery { limit: 40, ..HistoryQuery::default() };
    assert_eq!(store.history(&id("gate"), exact).await.unwrap().next_cursor, None);
    assert_eq!(store.history(&id("nobody"), HistoryQuery::default()).await.unwrap(), HistoryPage::default());
}

#[tokio::test]
async fn a_heartbeat_of_the_same_millisecond_is_counted_once() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.record(record("gate", 5, Reason::NoData)).await.unwrap();
    store.record(record("gate", 5, Reason::Ok)).await.unwrap();
    let memory = store.load_memory().await.unwrap();
    let reasons: Vec<_> = memory[&id("gate")].recent.iter().map(|beat| beat.reason).collect();
    assert_eq!(reasons, [Reason::Ok]);
    assert_eq!(store.sample_totals(at_ms(0)).await.unwrap().total, 1);
}

/// The key of the table and the order of the writes must keep the pages full.
#[tokio::test]
async fn a_heartbeat_costs_less_than_thirty_bytes() {
    const STREAMS: i64 = 100;
    const EACH: i64 = 2000;
    let dir = TempDir::new().unwrap();
    Store::open(dir.path()).await.unwrap().close().await;
    let mut connection = raw(&dir);
    connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
    let pages = |connection: &rusqlite::Connection| -> i64 {
        connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap()
    };
    let empty = pages(&connection);
    // In the order of their ends, one in twenty ten seconds late, as the writer gets them; a commit each half second.
    let mut beats: Vec<(i64, Record)> = (0..STREAMS * EACH)
        .map(|n| {
            let at = (n / STREAMS) * 15_000 + (n % STREAMS) * 150;
            let late = n.wrapping_mul(2_654_435_761) % 100 < 5;
            let (reason, latency) = if late { (Reason::NoKeyframe, 10_000) } else { (Reason::Ok, 300 + n * 7 % 600) };
            let mut record = record(&format!("camera-{}", n % STREAMS), at + n * 13 % 40, reason);
            if let Some(heartbeat) = &mut record.heartbeat {
                heartbeat.latency_ms = latency as u32;
            }
            (at + latency, record)
        })
        .collect();
    beats.sort_by_key(|(end, _)| *end);
    let (mut keys, mut built_day) = (HashMap::new(), None);
    for batch in beats.chunk_by(|a, b| a.0 / 500 == b.0 / 500) {
        let transaction = connection.transaction().unwrap();
        for (_, beat) in batch {
            let (keys, built_day) = (&mut keys, &mut built_day);
            let has_notices = &mut false;
            let session = &mut writer::Session { connection: &transaction, keys, built_day, has_notices };
            record::write(session, beat).unwrap();
        }
        transaction.commit().unwrap();
    }
    let bytes = (pages(&connection) - empty) * 4096;
    let each = bytes as f64 / (STREAMS * EACH) as f64;
    println!("{each:.1} bytes a heartbeat, hourly counts included");
    assert!(each < 30.0, "{each:.1} bytes a heartbeat");
    drop(connection);
    assert_eq!(integrity(&dir), "ok");
}

#[tokio::test]
async fn prune_deletes_only_what_is_too_old() {
    const DAY_MS: i64 = 24 * 3_600_000;
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    // More than one step of old heartbeats.
    record_all(&store, (0..6000).map(|n| record("gate", n, Reason::Ok))).await;
    store.record(transition("gate", 6_000, Health::Up, Health::Down)).await.unwrap();
    store.record(transition("gate", 7_000, Health::Down, Health::Up)).await.unwrap();
    record_all(&store, [record("gate", 5 * DAY_MS, Reason::Ok)]).await;
    let keep = Retention { heartbeats_days: 1, rollup_days: 30 };
    let pruned = store.prune(at_ms(5 * DAY_MS), keep).await.unwrap();
    assert_eq!(pruned, Pruned { heartbeats: 6002, rollups: 0, tokens: 0 });
    assert_eq!(store.sample_totals(at_ms(0)).await.unwrap().ok, 6002);
    let all = HistoryQuery { limit: 100, ..HistoryQuery::default() };
    assert_eq!(store.history(&id("gate"), all).await.unwrap().heartbeats.len(), 1);
    // One rollup, one total, two transitions, one closed incident.
    let pruned = store.prune(at_ms(31 * DAY_MS), keep).await.unwrap();
    assert_eq!(pruned, Pruned { heartbeats: 1, rollups: 5, tokens: 0 });
    assert_eq!(store.sample_totals(at_ms(0)).await.unwrap().ok, 1);
    assert_eq!(store.load_memory().await.unwrap()[&id("gate")].last_ok_at, Some(at_ms(5 * DAY_MS)));
}

#[tokio::test]
async fn a_conflict_undoes_only_itself() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let (beat, orphan) =
        tokio::join!(store.record(record("gate", 1, Reason::Ok)), store.put_refresh_token(token("a1", "nobody", "f1")));
    beat.unwrap();
    assert!(matches!(orphan, Err(StoreError::Conflict { .. })));
    assert_eq!(store.alarm(), None);
    assert_eq!(store.load_memory().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_disk_that_became_read_only_is_an_alarm_and_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.record(transition("gate", 0, Health::Unknown, Health::Up)).await.unwrap();
    // The same error as of a file system that was remounted.
    let read_only = |session: &mut writer::Session<'_>| session.connection.execute_batch("PRAGMA query_only = ON");
    store.write(true, read_only).await.unwrap();
    let error = store.record(record("gate", 1, Reason::Ok)).await.unwrap_err();
    assert!(matches!(error, StoreError::Failed { .. }), "{error:?}");
    assert!(store.alarm().expect("alarm").contains("remounted read-only"), "{error}");
    assert_eq!(store.load_memory().await.unwrap()[&id("gate")].recent.len(), 1, "what was there is still read");
    store.close().await;
    assert_eq!(integrity(&dir), "ok");
}

#[tokio::test]
async fn a_full_disk_is_an_alarm_and_recording_goes_on_when_there_is_room() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.record(transition("gate", 0, Health::Unknown, Health::Up)).await.unwrap();
    let limit = |pages: &'static str| {
        store.write(true, move |session| session.connection.execute_batch(&format!("PRAGMA max_page_count = {pages}")))
    };
    // As many pages as there are: the same error as of a full disk.
    limit("1").await.unwrap();
    let mut error = None;
    for n in 1..200 {
        let many = (0..100).map(|m| record(&format!("camera-{n}-{m}"), n, Reason::Ok));
        let mut results = tokio::task::JoinSet::new();
        for one in many.chain([transition("yard", n, Health::Unknown, Health::Up)]) {
            let store = store.clone();
            results.spawn(async move { store.record(one).await });
        }
        while let Some(result) = results.join_next().await {
            error = error.or(result.unwrap().err());
        }
        if error.is_some() {
            break;
        }
    }
    let error = error.expect("the disk is full");
    assert!(matches!(error, StoreError::Failed { .. }), "{error:?}");
    assert!(store.alarm().expect("alarm").contains("full"), "{error}");
    // What was there is still read.
    assert_eq!(store.load_memory().await.unwrap()[&id("gate")].state.health, Health::Up);
    limit("1000000").await.unwrap();
    store.record(transition("late", 1, Health::Unknown, Health::Up)).await.unwrap();
    assert_eq!(store.alarm(), None);
    store.close().await;
    assert_eq!(integrity(&dir), "ok");
}

#[tokio::test]
async fn a_closed_store_says_so_and_lets_go() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let clone = store.clone();
    // Queued, not awaited: closing commits it.
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.record(record("gate", 1, Reason::Ok)).await }
    });
    tokio::task::yield_now().await;
    store.close().await;
    waiting.await.unwrap().unwrap();
    assert_eq!(clone.record(record("gate", 2, Reason::Ok)).await, Err(StoreError::Closed));
    assert_eq!(clone.load_memory().await, Err(StoreError::Closed));
    let again = Store::open(dir.path()).await.unwrap();
    assert_eq!(again.load_memory().await.unwrap()[&id("gate")].recent.len(), 1);
}

#[tokio::test]
async fn a_store_that_is_dropped_lets_go_too() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.record(record("gate", 1, Reason::Ok)).await.unwrap();
    drop(store);
    assert_eq!(Store::open(dir.path()).await.unwrap().load_memory().await.unwrap().len(), 1);
}

async fn refused(dir: &std::path::Path) -> StoreError {
    Store::open(dir).await.expect_err("refused")
}

#[tokio::test]
async fn only_one_service_has_the_directory() {
    let dir = TempDir::new().unwrap();
    let _store = Store::open(dir.path()).await.unwrap();
    let error = refused(dir.path()).await;
    assert_eq!(error, StoreError::InUse { path: dir.path().to_owned() });
    assert_eq!(error.exit_code(), 69);
}

#[tokio::test]
async fn the_directory_is_made_for_us_alone() {
    let dir = TempDir::new().unwrap();
    let state_dir = dir.path().join("var/state");
    let _store = Store::open(&state_dir).await.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state_dir) & 0o027, 0);
    assert_eq!(mode(&state_dir.join(FILE_NAME)), 0o600);
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    for path in [file.join("state"), file.clone(), "/proc/streampulse".into()] {
        let error = refused(&path).await;
        assert_eq!(error.exit_code(), 73, "{error}");
        let text = error.to_string();
        assert!(text.contains(path.to_str().unwrap()) && text.contains("storage.path"), "{text}");
    }
}

#[test]
fn every_message_for_the_operator_has_a_next_step() {
    let dir = std::path::Path::new("/var/lib/state.d");
    let path = dir.join(FILE_NAME);
    let io = |kind: std::io::ErrorKind| StoreError::from_io(&path, &kind.into()).to_string();
    assert!(io(std::io::ErrorKind::PermissionDenied).contains(" /var/lib/state.d), or set storage.path"));
    assert!(
        StoreError::from_io(dir, &std::io::ErrorKind::PermissionDenied.into())
            .to_string()
            .contains(" /var/lib/state.d)")
    );
    assert!(io(std::io::ErrorKind::StorageFull).contains("free some room"));
    assert!(io(std::io::ErrorKind::ReadOnlyFilesystem).contains("make it writable"));
    let corrupt = StoreError::Corrupt { path: path.clone(), detail: "malformed".to_owned() }.to_string();
    assert!(corrupt.contains("restart StreamPulse"), "{corrupt}");
}

#[tokio::test]
async fn the_database_of_another_program_is_left_alone() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join(FILE_NAME);
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let error = refused(dir.path()).await;
    assert!(matches!(error, StoreError::Foreign { .. }), "{error:?}");
    assert_eq!((error.exit_code(), std::fs::read(&path).unwrap()), (65, bytes));
}

/// Opens what is not sound: a new database is begun, and the old file is beside it as it was.
async fn set_aside(dir: &TempDir, number: u32, bytes: &[u8], what: &str) {
    std::fs::write(dir.path().join(FILE_NAME), bytes).unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!(store.load_memory().await.unwrap().len(), 0, "{what}: a new one");
    store.record(record("gate", 0, Reason::Ok)).await.unwrap();
    store.close().await;
    let aside = dir.path().join(format!("{FILE_NAME}.corrupt-{number}"));
    assert_eq!(std::fs::read(aside).unwrap(), bytes, "{what}");
}

#[tokio::test]
async fn a_database_that_is_not_sound_is_set_aside() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.add_user(user("ann")).await.unwrap();
    record_all(&store, (0..5000).map(|n| record("gate", n, Reason::Ok))).await;
    store.close().await;
    let whole = std::fs::read(dir.path().join(FILE_NAME)).unwrap();
    let mut garbled = whole.clone();
    garbled[16..100].fill(0xa5);
    // An account table that was overwritten.
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'users'";
    let root: i64 = raw(&dir).query_row(sql, [], |row| row.get(0)).unwrap();
    let mut overwritten = whole.clone();
    overwritten[(root as usize - 1) * 4096..][..4096].fill(0x5a);
    let cases: [(&str, &[u8]); 5] = [
        ("garbage", &b"these are not the bytes of a database, but there are enough of them".repeat(200)),
        ("a few bytes", b"SQLite"),
        ("garbled header", &garbled),
        ("cut short", &whole[..whole.len() / 2]),
        ("overwritten", &overwritten),
    ];
    for (number, (what, bytes)) in (1..).zip(cases) {
        set_aside(&dir, number, bytes, what).await;
    }
    // No more than five: the newest takes the place of the fifth.
    set_aside(&dir, 5, &whole[..8192 + 17], "cut within a page").await;
    assert!(!dir.path().join(format!("{FILE_NAME}.corrupt-6")).exists());
}

#[tokio::test]
async fn damage_that_only_shows_later_is_looked_for_at_the_next_start() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    record_all(&store, (0..20_000).map(|n| record("gate", n * 1_000, Reason::Ok))).await;
    store.close().await;
    // In the middle of the heartbeats, where a start does not look.
    let path = dir.path().join(FILE_NAME);
    let mut damaged = std::fs::read(&path).unwrap();
    let middle = damaged.len() / 2 / 4096 * 4096;
    damaged[middle..middle + 4096 * 8].fill(0x5a);
    std::fs::write(&path, &damaged).unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let all = HistoryQuery { limit: LONGEST_PAGE, ..HistoryQuery::default() };
    let mut query = all.clone();
    let error = loop {
        match store.history(&id("gate"), query.clone()).await {
            Err(error) => break error,
            Ok(page) => query.cursor = Some(page.next_cursor.expect("the damage comes first").parse().unwrap()),
        }
    };
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    store.close().await;
    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!(store.history(&id("gate"), all).await.unwrap().heartbeats.len(), 0);
    store.close().await;
    assert!(dir.path().join(format!("{FILE_NAME}.corrupt-1")).exists());
    assert!(!dir.path().join(format!("{FILE_NAME}.suspect")).exists());
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let dir = TempDir::new().unwrap();
    Store::open(dir.path()).await.unwrap().close().await;
    raw(&dir).execute_batch("PRAGMA user_version = 99").unwrap();
    let error = refused(dir.path()).await;
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error:?}");
    assert_eq!(error.exit_code(), 65);
    let version: i64 = raw(&dir).query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 99);
}

/// The copy is what a power cut or `kill -9` would leave: the files as they are after an acknowledged write.
#[tokio::test]
async fn the_files_hold_what_was_acknowledged_at_any_moment() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    for round in 0..10 {
        record_all(&store, (0..50).map(|n| record(&format!("camera-{n}"), round * 1000 + n, Reason::Ok))).await;
        store.record(transition("gate", round * 1000 + 500, Health::Unknown, Health::Up)).await.unwrap();
        let copy = TempDir::new().unwrap();
        for name in [FILE_NAME.to_owned(), format!("{FILE_NAME}-wal")] {
            std::fs::copy(dir.path().join(&name), copy.path().join(&name)).unwrap();
        }
        let restarted = Store::open(copy.path()).await.unwrap();
        let memory = restarted.load_memory().await.unwrap();
        assert_eq!(memory[&id("camera-49")].recent.len() as i64, round + 1);
        assert_eq!(memory[&id("gate")].state.since, at_ms(round * 1000 + 500));
        restarted.close().await;
        assert_eq!(integrity(&copy), "ok");
    }
}

#[tokio::test]
async fn a_query_is_interrupted_when_nobody_waits_for_it() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let (started, begun) = tokio::sync::oneshot::channel();
    let (ended, result) = tokio::sync::oneshot::channel();
    let readers = store.inner.readers.clone();
    let query = tokio::spawn(async move {
        let endless = move |connection: &rusqlite::Connection| {
            let sql = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n";
            let mut statement = connection.prepare(sql)?;
            let mut rows = statement.query([])?;
            rows.next()?;
            started.send(()).unwrap();
            let error = loop {
                if let Err(error) = rows.next() {
                    break error;
                }
            };
            ended.send(error.sqlite_error_code()).unwrap();
            Ok(())
        };
        readers.read(endless).await
    });
    begun.await.unwrap();
    query.abort();
    let code = tokio::time::timeout(Duration::from_secs(60), result).await.expect("interrupted").unwrap();
    assert_eq!(code, Some(rusqlite::ErrorCode::OperationInterrupted));
    // The next query is not.
    assert!(store.load_memory().await.unwrap().is_empty());
}
