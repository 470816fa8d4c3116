use super::*;
use crate::store::{SCHEMA, copy_database, examine, hold, is_held};

#[tokio::test]
async fn a_copy_is_whole_while_records_arrive() {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    record_all(&store, (0..500).map(|n| record("gate", n * 1000, Reason::Ok))).await;
    let writer = {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 500..1000 {
                store.record(transition("gate", n * 1000, Health::Up, Health::Down)).await.unwrap();
            }
        })
    };
    let (from, to) = (dir.path().to_owned(), dir.path().join("copy.db"));
    let made = to.clone();
    let schema = tokio::task::spawn_blocking(move || copy_database(&from, &made)).await.unwrap().unwrap();
    writer.await.unwrap();
    assert_eq!((schema, examine(&to).unwrap()), (SCHEMA, SCHEMA));
    assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    let count = |file: &Path| -> i64 {
        let connection = rusqlite::Connection::open(file).unwrap();
        connection.query_row("SELECT count(*) FROM heartbeats", [], |row| row.get(0)).unwrap()
    };
    assert!(count(&to) >= 500, "{}", count(&to));
    store.close().await;
}

#[tokio::test]
async fn a_copy_takes_no_files_place() {
    let dir = TempDir::new().unwrap();
    Store::open(dir.path()).await.unwrap().close().await;
    let to = dir.path().join("mine.txt");
    std::fs::write(&to, "mine").unwrap();
    assert!(matches!(copy_database(dir.path(), &to), Err(StoreError::CannotWrite { .. })));
    assert_eq!(std::fs::read_to_string(&to).unwrap(), "mine");
}

#[tokio::test]
async fn what_cannot_be_used_is_named() {
    let dir = TempDir::new().unwrap();
    Store::open(dir.path()).await.unwrap().close().await;
    let file = dir.path().join(FILE_NAME);
    let change = |sql: &str| rusqlite::Connection::open(&file).unwrap().execute_batch(sql).unwrap();
    assert_eq!(examine(&file), Ok(SCHEMA));
    change("PRAGMA user_version = 99; PRAGMA journal_mode = DELETE;");
    assert_eq!(examine(&file), Err(StoreError::Newer { path: file.clone(), found: 99, known: SCHEMA }));
    change("PRAGMA application_id = 7;");
    assert_eq!(examine(&file), Err(StoreError::Foreign { path: file.clone() }));
    std::fs::write(&file, "no database".repeat(100)).unwrap();
    assert!(matches!(examine(&file), Err(StoreError::Corrupt { .. })));
}

#[tokio::test]
async fn whether_a_service_has_the_directory() {
    let dir = TempDir::new().unwrap();
    assert_eq!(is_held(dir.path()), Ok(false));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "it makes nothing");
    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!(is_held(dir.path()), Ok(true));
    assert!(matches!(hold(dir.path()).await, Err(StoreError::InUse { .. })));
    store.close().await;
    assert_eq!(is_held(dir.path()), Ok(false));
}
