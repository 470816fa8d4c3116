//! A database of the original, as its own statements make it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, params};

/// The password in every URL.
pub const SECRET: &str = "s3cr3t-of-the-camera";
/// The password of its only user.
pub const USER_SECRET: &str = "admin123-in-plain-text";

/// A database of the original, filled by its own statements.
pub struct Old {
    pub dir: tempfile::TempDir,
}

impl Old {
    pub fn new(streams: &[&str]) -> Self {
        let old = Self { dir: tempfile::tempdir().expect("a directory") };
        let connection = old.open();
        connection
            .execute_batch(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;
                 CREATE TABLE IF NOT EXISTS streams(name TEXT PRIMARY KEY, url TEXT NOT NULL);
                 CREATE TABLE IF NOT EXISTS users(user TEXT PRIMARY KEY, pass TEXT NOT NULL);",
            )
            .expect("schema");
        connection.execute("INSERT INTO users VALUES('admin', ?1)", [USER_SECRET]).expect("user");
        for name in streams {
            let url = format!("rtsp://admin:{SECRET}@192.0.2.7:554/{name}");
            connection
                .execute("INSERT OR REPLACE INTO streams(name,url) VALUES(?1,?2)", [*name, &url])
                .expect("stream");
            Self::make_log(&connection, &log_of(name));
        }
        drop(connection);
        old
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("streams.db")
    }

    pub fn open(&self) -> Connection {
        Connection::open(self.path()).expect("open")
    }

    pub fn make_log(connection: &Connection, log: &str) {
        connection
            .execute_batch(&format!(
                "CREATE TABLE IF NOT EXISTS {log}(id INTEGER PRIMARY KEY AUTOINCREMENT, ts TEXT NOT NULL,
                     status TEXT NOT NULL, latency_ms INTEGER, message TEXT)"
            ))
            .expect("log");
    }

    /// Adds rows: time, status, message.
    pub fn add<'a>(&self, log: &str, rows: impl IntoIterator<Item = (String, &'a str, &'a str)>) {
        let mut connection = self.open();
        let transaction = connection.transaction().expect("transaction");
        let sql = format!("INSERT INTO {log}(ts,status,latency_ms,message) VALUES(?1,?2,?3,?4)");
        {
            let mut statement = transaction.prepare(&sql).expect("insert");
            for (ts, status, message) in rows {
                statement.execute(params![ts, status, 42, message]).expect("row");
            }
        }
        transaction.commit().expect("commit");
    }

    pub fn rows(&self) -> u64 {
        let connection = self.open();
        let logs: Vec<String> = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'log\\_%' ESCAPE '\\'")
            .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
            .expect("tables");
        let count = |log: &String| {
            connection.query_row(&format!("SELECT count(*) FROM \"{log}\""), [], |row| row.get::<_, i64>(0))
        };
        logs.iter().map(|log| count(log).expect("count") as u64).sum()
    }

    /// What must stay as it is: names, and bytes and time of the database.
    pub fn looks(&self) -> (Vec<String>, Vec<u8>, (i64, i64)) {
        let mut names: Vec<_> = fs::read_dir(self.dir.path())
            .expect("list")
            .map(|e| e.expect("entry").file_name().into_string().expect("name"))
            .collect();
        names.sort();
        let metadata = fs::metadata(self.path()).expect("metadata");
        (names, fs::read(self.path()).expect("read"), (metadata.mtime(), metadata.mtime_nsec()))
    }
}

/// As the original calls the table of a stream.
pub fn log_of(name: &str) -> String {
    // U+0947 is a vowel sign, and none of Python's letters.
    let is_kept = |c: char| (c.is_alphanumeric() && c != '\u{947}') || c == '_';
    let safe: String = name.trim().chars().map(|c| if is_kept(c) { c } else { '_' }).collect();
    let begins_well = safe.starts_with(|c: char| c.is_alphabetic() || c == '_');
    format!("log_{}{safe}", if begins_well { "" } else { "t_" })
}

#[expect(clippy::disallowed_methods, reason = "the program under test has the machine's clock")]
pub fn now() -> i64 {
    Timestamp::now().as_second()
}

/// As `datetime.isoformat()` writes it in a zone.
pub fn iso(second: i64, zone: &str) -> String {
    let zoned = Timestamp::from_second(second).expect("time").to_zoned(TimeZone::get(zone).expect("zone"));
    let text = zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    // Every third as when no time server answered.
    if second % 3 == 0 { text.replace(&text[19..], &format!(".000250{}", &text[19..])) } else { text }
}
