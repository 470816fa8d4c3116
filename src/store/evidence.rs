//! What an incident looked like: pictures as files below the state directory, within a quota, and the exchange as text.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::codes::time;
use super::incidents::stream_id;
use super::record::key;
use super::{Store, StoreError};
use crate::model::StreamId;

/// The directory of the pictures, in the state directory.
const DIRECTORY: &str = "evidence";

/// A picture may lie there for a while before its row is committed.
const NEW: Duration = Duration::from_secs(600);

/// What a piece of evidence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// The last good picture before it.
    LastGood,
    /// The first bad one.
    FirstBad,
    /// What was said on the wire, without credentials.
    Exchange,
}

impl EvidenceKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::LastGood => "last_good",
            Self::FirstBad => "first_bad",
            Self::Exchange => "exchange",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::LastGood, Self::FirstBad, Self::Exchange].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A piece of evidence to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What it is.
    pub kind: EvidenceKind,
    /// When it was taken or said.
    pub taken_at: Timestamp,
    /// A JPEG, or UTF-8 text for an exchange.
    pub content: Bytes,
}

/// A piece of evidence that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeptEvidence {
    /// Its number in the incident, from 1 on.
    pub number: i64,
    /// Of which stream.
    pub stream: StreamId,
    /// What it is.
    pub kind: EvidenceKind,
    /// When it was taken or said.
    pub taken_at: Timestamp,
    /// How large the picture is.
    pub bytes: u64,
    /// The exchange; `None` for a picture.
    pub text: Option<String>,
}

impl Store {
    /// Keeps evidence of an incident. A picture that cannot be written is left out.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on the disk.
    pub async fn put_evidence(
        &self,
        incident: i64,
        stream: StreamId,
        evidence: Vec<Evidence>,
    ) -> Result<(), StoreError> {
        let directory = self.evidence_directory();
        self.write(true, move |session| {
            let stream = key(session, &stream)?;
            for Evidence { kind, taken_at, content } in &evidence {
                let text = match kind {
                    EvidenceKind::Exchange => Some(String::from_utf8_lossy(content).into_owned()),
                    _ => None,
                };
                let number: i64 = session.connection.query_row(
                    "SELECT coalesce(max(number), 0) + 1 FROM evidence WHERE incident = ?1",
                    [incident],
                    |row| row.get(0),
                )?;
                if text.is_none()
                    && let Err(error) = write_file(&directory, &file_name(incident, number), content)
                {
                    tracing::warn!(directory = %directory.display(), %error, "a picture of an incident is not kept; check the disk");
                    continue;
                }
                session.connection.execute(
                    "INSERT INTO evidence (incident, number, stream, kind, taken_ms, bytes, text)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![incident, number, stream, kind.as_str(), taken_at.as_millisecond(), content.len() as i64, text],
                )?;
            }
            Ok(())
        })
        .await
    }

    /// All evidence of an incident.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn evidence(&self, incident: i64) -> Result<Vec<KeptEvidence>, StoreError> {
        let query = move |connection: &Connection| {
            connection
                .prepare_cached(
                    "SELECT number, streams.id, kind, taken_ms, bytes, text FROM evidence
                     JOIN streams ON streams.key = stream WHERE incident = ?1 ORDER BY number",
                )?
                .query_map([incident], kept)?
                .collect()
        };
        self.inner.readers.read(query).await
    }

    /// A picture and when it was taken; `None` when there is none, or none any more.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn evidence_picture(&self, incident: i64, number: i64) -> Result<Option<(Bytes, Timestamp)>, StoreError> {
        let path = self.evidence_directory().join(file_name(incident, number));
        let query = move |connection: &Connection| {
            let taken_ms = connection
                .prepare_cached("SELECT taken_ms FROM evidence WHERE incident = ?1 AND number = ?2 AND text IS NULL")?
                .query_row([incident, number], |row| row.get(0))
                .optional()?;
            let Some(taken_at) = taken_ms.map(time).transpose()? else { return Ok(None) };
            Ok(std::fs::read(&path).ok().map(|jpeg| (Bytes::from(jpeg), taken_at)))
        };
        self.inner.readers.read(query).await
    }

    /// Keeps the evidence within `quota_bytes`, the newest incidents' first, and removes the pictures of incidents that
    /// are gone. Gives how many pictures were removed: first, because on a full disk no row can be.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read or written.
    pub async fn prune_evidence(&self, quota_bytes: u64) -> Result<usize, StoreError> {
        let rows: Vec<(i64, i64, u64)> = self
            .inner
            .readers
            .read(|connection| {
                connection
                    .prepare("SELECT incident, number, bytes FROM evidence ORDER BY incident DESC, number DESC")?
                    .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs())))?
                    .collect()
            })
            .await?;
        let mut sum = 0;
        let (kept, beyond): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(_, _, bytes)| {
            sum += bytes;
            sum <= quota_bytes
        });
        let kept: HashSet<String> = kept.into_iter().map(|(incident, number, _)| file_name(incident, number)).collect();
        let newest = self.next_incident().await?;
        let directory = self.evidence_directory();
        let removed = tokio::task::spawn_blocking(move || remove_others(&directory, &kept, newest)).await;
        if !beyond.is_empty() {
            self.write(false, move |session| {
                let mut delete =
                    session.connection.prepare_cached("DELETE FROM evidence WHERE incident = ?1 AND number = ?2")?;
                beyond.iter().try_for_each(|(incident, number, _)| delete.execute([incident, number]).map(|_| ()))
            })
            .await?;
        }
        Ok(removed.unwrap_or(0))
    }

    fn evidence_directory(&self) -> PathBuf {
        self.inner.path.with_file_name(DIRECTORY)
    }
}

fn file_name(incident: i64, number: i64) -> String {
    format!("{incident}-{number}.jpg")
}

/// Writes a file that others than the service's group cannot read.
fn write_file(directory: &Path, name: &str, content: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
    std::fs::DirBuilder::new().recursive(true).mode(0o750).create(directory)?;
    let path = directory.join(name);
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o640).open(&path);
    let written = file.and_then(|mut file| file.write_all(content));
    if written.is_err() {
        let _ = std::fs::remove_file(&path);
    }
    written
}

/// Removes the pictures that no row names. One of an incident from `newest` on is not committed yet, perhaps.
fn remove_others(directory: &Path, kept: &HashSet<String>, newest: i64) -> usize {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let is_old = |name: &str| {
        let incident = name.split('-').next().and_then(|number| number.parse::<i64>().ok());
        incident.is_some_and(|incident| incident + 1 < newest)
    };
    entries
        .flatten()
        .filter(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_new = || entry.metadata().is_ok_and(|file| is_younger(&file, NEW));
            name.ends_with(".jpg") && !kept.contains(&name) && is_old(&name) && !is_new()
        })
        .filter(|entry| std::fs::remove_file(entry.path()).is_ok())
        .count()
}

fn is_younger(file: &std::fs::Metadata, age: Duration) -> bool {
    file.modified().is_ok_and(|at| at.elapsed().is_ok_and(|elapsed| elapsed < age))
}

fn kept(row: &Row<'_>) -> rusqlite::Result<KeptEvidence> {
    let kind: String = row.get(2)?;
    Ok(KeptEvidence {
        number: row.get(0)?,
        stream: stream_id(row, 1)?,
        kind: EvidenceKind::parse(&kind).unwrap_or(EvidenceKind::Exchange),
        taken_at: time(row.get(3)?)?,
        bytes: row.get::<_, i64>(4)?.unsigned_abs(),
        text: row.get(5)?,
    })
}
