//! Takes over the history of the original Python service: one table of its `streams.db` after the other, in batches.
//!
//! `original` opens the file, `contents` reads it, `plan` says which table is which stream; `walk` makes heartbeats and
//! spans of rows without a look at our database, `write` puts a batch of them there, together with the number of its last
//! row. So an import that ends in the middle goes on from there, and one that is run again finds only what is new.

mod contents;
mod copy;
mod error;
mod original;
mod plan;
mod time;
mod verdict;
mod walk;
mod write;

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::contents::{Contents, Extent, OldRow};
use self::walk::{Limits, Step, Walk};
use self::write::{Batch, Written};
use super::{Retention, Store, StoreError};
use crate::model::StreamId;

pub use error::ImportError;
pub use original::Original;
pub use plan::Target;

/// Rows of one transaction: a fraction of a second on a small machine.
const BATCH: usize = 5_000;

/// Rows before the first new one that are walked through again, so that the walk is where it was: more than a day of them,
/// after which nothing before them plays a part.
const LOOK_BACK: usize = 50_000;

const MS_PER_DAY: i64 = 24 * 3_600_000;

/// What an import goes by.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// Name and id of every configured stream.
    pub streams: Vec<(String, StreamId)>,
    /// Zone of times without an offset.
    pub zone: TimeZone,
    /// The time.
    pub now: Timestamp,
    /// What is older is not taken.
    pub keep: Retention,
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The table.
    pub log: &'a str,
    /// Its number, from 1.
    pub number: usize,
    /// How many there are.
    pub logs: usize,
    /// Rows of it that are done, those of earlier runs included.
    pub log_rows: u64,
    /// Rows of it.
    pub log_total: u64,
    /// Rows of all tables that are done.
    pub rows: u64,
    /// Rows of all tables.
    pub total: u64,
}

/// What became of the rows of one table, or of all. All but the last two add up to `rows`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows in the table.
    pub rows: u64,
    /// Kept one by one, and counted.
    pub raw: u64,
    /// Only counted: older than `storage.heartbeats_days`.
    pub counted: u64,
    /// Older than `storage.rollup_days`.
    pub too_old: u64,
    /// Without a time that can be read, or with one that is to come.
    pub unreadable: u64,
    /// Taken over by an earlier run.
    pub before: u64,
    /// From a time in which this StreamPulse, or another old database, watched the stream already.
    pub watched: u64,
    /// Ok for the original and not for us.
    pub ok_no_more: u64,
    /// Of these: the camera answered 401.
    pub auth_failed: u64,
}

impl Counts {
    fn of(extent: &Extent) -> Self {
        Self { rows: extent.before, before: extent.before, ..Self::default() }
    }

    fn add(&mut self, written: Written) {
        self.raw += written.raw;
        self.counted += written.counted;
        self.watched += written.watched;
        self.ok_no_more += written.ok_no_more;
        self.auth_failed += written.auth_failed;
    }
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |sum, one| Self {
            rows: sum.rows + one.rows,
            raw: sum.raw + one.raw,
            counted: sum.counted + one.counted,
            too_old: sum.too_old + one.too_old,
            unreadable: sum.unreadable + one.unreadable,
            before: sum.before + one.before,
            watched: sum.watched + one.watched,
            ok_no_more: sum.ok_no_more + one.ok_no_more,
            auth_failed: sum.auth_failed + one.auth_failed,
        })
    }
}

/// One table.
#[derive(Clone, Debug)]
pub struct ImportedLog {
    /// Where its rows went.
    pub target: Target,
    /// What became of them.
    pub counts: Counts,
    /// The first row without a time that could be read: its id and what stands there.
    pub first_unreadable: Option<(i64, String)>,
}

/// A whole file.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// Every table of rows.
    pub logs: Vec<ImportedLog>,
    /// The original's streams that never had a row, nor a table for one.
    pub without_log: Vec<String>,
    /// Tables that are no tables of rows.
    pub others: Vec<String>,
}

impl Store {
    /// Takes over what is new in a database of the original. Each batch is committed with the number of its last row, so
    /// whoever drops this call loses nothing.
    ///
    /// # Errors
    /// [`ImportError`]; what was committed before stays.
    pub async fn import(
        &self,
        original: Original,
        options: ImportOptions,
        mut progress: impl FnMut(Progress<'_>),
    ) -> Result<Imported, ImportError> {
        let Contents { names, logs, others } = original.contents().clone();
        let file = File(Arc::new(Mutex::new(original)));
        let (targets, without_log) = plan::plan(&logs, &names, &options.streams);
        let limits = limits(&options);
        let mut surveyed = Vec::with_capacity(targets.len());
        for target in targets {
            let extent = self.survey(&file, &target.log).await?;
            surveyed.push((target, extent));
        }
        let total = surveyed.iter().map(|(_, (extent, _))| extent.before + extent.left).sum();
        let (mut done, mut imported) = (0, Imported { logs: Vec::new(), without_log, others });
        let count = surveyed.len();
        for (index, (target, (extent, last_id))) in surveyed.into_iter().enumerate() {
            done += extent.before;
            let log = target.log.clone();
            let log_total = extent.before + extent.left;
            let mut tell = |log_rows: u64, rows: u64| {
                progress(Progress { log: &log, number: index + 1, logs: count, log_rows, log_total, rows, total });
            };
            tell(extent.before, done);
            let log =
                self.import_log(&file, target, &extent, last_id, &limits, |new| tell(extent.before + new, done + new));
            let log = log.await?;
            done += log.counts.rows - extent.before;
            imported.logs.push(log);
        }
        Ok(imported)
    }

    /// How much there is in a table, and up to which row it was taken before.
    async fn survey(&self, file: &File, log: &str) -> Result<(Extent, Option<i64>), ImportError> {
        let table = log.to_owned();
        let source =
            file.with(move |original| original.read(|connection| contents::source(connection, &table))).await?;
        let Some(source) = source else { return Ok((Extent::default(), None)) };
        let (wanted, table) = (source.clone(), log.to_owned());
        let last_id = self.inner.readers.read(move |connection| write::last_id(connection, &wanted, &table)).await?;
        let (from, table) = (last_id.unwrap_or(i64::MIN), log.to_owned());
        let extent = file
            .with(move |original| original.read(|connection| contents::extent(connection, &table, &source, from)))
            .await?;
        Ok((extent, last_id))
    }

    async fn import_log(
        &self,
        file: &File,
        target: Target,
        extent: &Extent,
        last_id: Option<i64>,
        limits: &Limits,
        mut progress: impl FnMut(u64),
    ) -> Result<ImportedLog, ImportError> {
        let mut log = ImportedLog { target, counts: Counts::of(extent), first_unreadable: None };
        if extent.left == 0 {
            return Ok(log);
        }
        let mut walk = Walk::new(limits.clone());
        if let Some(last_id) = last_id {
            let table = log.target.log.clone();
            let rows = file
                .with(move |original| {
                    original.read(|connection| contents::rows_before(connection, &table, last_id, LOOK_BACK))
                })
                .await?;
            for row in &rows {
                walk.step(row);
            }
        }
        let mut after = last_id.unwrap_or(i64::MIN);
        loop {
            let (table, newest) = (log.target.log.clone(), extent.newest_id);
            let rows = file
                .with(move |original| {
                    original.read(|connection| contents::rows_after(connection, &table, after, newest, BATCH))
                })
                .await?;
            let Some(last) = rows.last() else { return Ok(log) };
            after = last.id;
            let batch = log.batch(&mut walk, &rows, &extent.source, after);
            // At once: each has its own transaction, and waiting for others to join it would be most of the time.
            let written = self.write(true, move |session| write::write(session, &batch)).await?;
            log.counts.add(written);
            progress(log.counts.rows - extent.before);
        }
    }
}

impl ImportedLog {
    /// Walks through rows and notes those that do not count.
    fn batch(&mut self, walk: &mut Walk, rows: &[OldRow], source: &str, last_id: i64) -> Batch {
        let mut samples = Vec::with_capacity(rows.len());
        for row in rows {
            self.counts.rows += 1;
            match walk.step(row) {
                Step::Sample(sample) => samples.push(sample),
                Step::TooOld => self.counts.too_old += 1,
                Step::Unreadable => {
                    self.counts.unreadable += 1;
                    self.first_unreadable.get_or_insert_with(|| (row.id, row.ts.clone()));
                }
            }
        }
        let name = match self.target.names.as_slice() {
            [name] => Some(name.clone()),
            _ => None,
        };
        let (stream, source, log) = (self.target.id.clone(), source.to_owned(), self.target.log.clone());
        Batch { stream, name, source, log, last_id, samples }
    }
}

fn limits(options: &ImportOptions) -> Limits {
    let now_ms = options.now.as_millisecond();
    let from = |days: u32| now_ms - i64::from(days) * MS_PER_DAY;
    Limits {
        zone: options.zone.clone(),
        now_ms,
        heartbeats_from_ms: from(options.keep.heartbeats_days),
        rollups_from_ms: from(options.keep.rollup_days),
    }
}

/// The original, for threads that may wait for a disk.
#[derive(Clone)]
struct File(Arc<Mutex<Original>>);

impl File {
    async fn with<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Original) -> Result<T, ImportError> + Send + 'static,
    ) -> Result<T, ImportError> {
        let original = self.0.clone();
        let done =
            tokio::task::spawn_blocking(move || read(&mut original.lock().unwrap_or_else(PoisonError::into_inner)));
        done.await.map_err(|_| ImportError::Store(StoreError::Closed))?
    }
}
