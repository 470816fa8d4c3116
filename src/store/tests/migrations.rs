//! A database of every earlier version becomes today's, with everything that was in it.

use super::*;
use crate::store::IncidentQuery;
use crate::store::migrations::MIGRATIONS;

/// What version 1 could hold, and the later ones besides.
const CONTENT: [&str; 5] = [
    "INSERT INTO streams (key, id) VALUES (1, 'gate'), (2, 'yard');
     INSERT INTO heartbeats VALUES (1760011195000, 1, 3, 1, 12, 2), (1760011200000, 2, 0, 11, 40, 0);
     INSERT INTO stream_state VALUES (1, 2, 1760011197000, 3, 2, 0, 0, NULL), (2, 0, 1760011200000, 0, 0, 1, 0, 1760011200000);
     INSERT INTO rollups VALUES (488892, 1, 0, 1, 0), (488892, 2, 1, 0, 0);
     INSERT INTO totals VALUES (488892, 1, 1, 0);
     INSERT INTO transitions (at_ms, stream, from_health, to_health, reason) VALUES (1760011197000, 1, 3, 2, 3);
     INSERT INTO incidents (id, stream, health, reason, opened_ms, closed_ms)
         VALUES (4, 2, 1, 0, 1760000000000, 1760000060000), (7, 1, 2, 3, 1760011197000, NULL);
     INSERT INTO users VALUES ('admin', '$argon2id$…', 'admin', 0, 3);
     INSERT INTO refresh_tokens VALUES ('hash', 'admin', 'family', 1770000000000, NULL);",
    "INSERT INTO refusals VALUES ('cam', 'admin', 77, 2, 1760011190000);",
    "INSERT INTO looks VALUES ('gate', '{}');",
    "INSERT INTO maintenance (streams, from_ms, until_ms, username) VALUES ('gate', 1760011200000, 1860011200000, 'ann');",
    "INSERT INTO api_tokens (hash, name, role, created_ms, created_by) VALUES ('hash', 'grafana', 'viewer', 1760011200000, 'ann');",
];

/// A database as `version` left it.
fn made_by(dir: &TempDir, version: usize) {
    let connection = raw(dir);
    for (step, content) in MIGRATIONS[..version].iter().zip(CONTENT) {
        connection.execute_batch(step).unwrap();
        connection.execute_batch(content).unwrap();
    }
    connection.pragma_update(None, "application_id", 0x5350_6c73).unwrap();
    connection.pragma_update(None, "user_version", version as i64).unwrap();
}

#[tokio::test]
async fn a_database_of_every_version_goes_on() {
    assert_eq!(MIGRATIONS.len(), CONTENT.len() + 1, "a new version needs its content here");
    for version in 1..MIGRATIONS.len() {
        let dir = TempDir::new().unwrap();
        made_by(&dir, version);
        let store = Store::open(dir.path()).await.unwrap();
        let memory = store.load_memory().await.unwrap();
        let gate = &memory[&id("gate")];
        assert_eq!(
            (gate.state.health, gate.state.reason, gate.state.since),
            (Health::Down, Reason::Unreachable, at_ms(-3_000))
        );
        assert_eq!((gate.state.flap.announced, gate.recent.len(), gate.counted_until), (Health::Down, 1, None));
        assert_eq!(memory[&id("yard")].last_ok_at, Some(at_ms(0)));
        assert_eq!(store.sample_totals(at_ms(0)).await.unwrap(), SampleTotals { ok: 1, total: 2 });

        let incidents = store.incidents(IncidentQuery { limit: 10, ..IncidentQuery::default() }).await.unwrap();
        let shown: Vec<_> =
            incidents.iter().map(|i| (i.id, i.members[0].stream.as_str(), i.health, i.stage, i.is_open())).collect();
        let expected =
            [(7, "gate", Health::Down, Stage::Connect, true), (4, "yard", Health::Degraded, Stage::Picture, false)];
        assert_eq!(shown, expected, "version {version}");
        assert_eq!(store.next_incident().await.unwrap(), 8);
        let admin = store.user("admin").await.unwrap().unwrap();
        assert_eq!((admin.token_generation, admin.groups), (3, None));
        assert_eq!(store.refusals().await.unwrap().len(), usize::from(version >= 2));
        assert_eq!(store.looks().await.unwrap().len(), usize::from(version >= 3));
        assert_eq!(store.announced(at_ms(0)).await.unwrap().len(), usize::from(version >= 4));
        assert_eq!(store.api_tokens().await.unwrap().len(), usize::from(version >= 5));

        store.record(transition("gate", 5_000, Health::Down, Health::Up)).await.unwrap();
        store.close().await;
        assert_eq!(integrity(&dir), "ok");
        let version: i64 = raw(&dir).query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        assert_eq!(version, MIGRATIONS.len() as i64);
        let keys: i64 =
            raw(&dir).query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
        assert_eq!(keys, 0);
    }
}

#[tokio::test]
async fn a_migrated_database_has_the_tables_of_a_new_one() {
    let tables = |dir: &TempDir| -> Vec<(String, Option<String>)> {
        raw(dir)
            .prepare("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap()
    };
    let (old, new) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    made_by(&old, 1);
    for dir in [&old, &new] {
        Store::open(dir.path()).await.unwrap().close().await;
    }
    assert_eq!(tables(&old), tables(&new));
}
