//! `streampulse import`: the history of the original, for a person who moves over.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use super::machine::Machine;
use super::{EX_CONFIG, EX_SOFTWARE, EX_TEMPFAIL, complain, say};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, Overrides};
use crate::probe::scrub::Scrubber;
use crate::store::{
    Counts, ImportOptions, Imported, ImportedLog, Original, Progress, Retention, Store, StoreError, give_to_owner,
};

/// How often the line on a terminal is written anew.
const REFRESH: Duration = Duration::from_millis(100);

/// Takes over what is new in the file.
pub async fn run(config_file: &Path, old: &Path) -> u8 {
    let config = match crate::config::load_with(config_file, &Overrides::from_env()) {
        Ok(loaded) => loaded.config,
        Err(problems) => return complain(&problems.to_string(), EX_CONFIG),
    };
    // Before our own database is made: a slip in the file's name leaves nothing behind.
    let original = match Original::open(old) {
        Ok(original) => original,
        Err(error) => return complain(&error.to_string(), error.exit_code()),
    };
    let state_dir = &config.storage.path;
    let store = match Store::open(state_dir).await {
        Ok(store) => store,
        Err(StoreError::InUse { path }) => {
            let message = format!(
                "{}: in use by a StreamPulse that runs; stop it ({}), import, and start it again",
                path.display(),
                Machine::this().stop()
            );
            return complain(&message, StoreError::InUse { path }.exit_code());
        }
        Err(error) => return complain(&error.to_string(), error.exit_code()),
    };
    // Now, not only at the end: an import that is killed must not leave the service files that it cannot write.
    let code = match give_to_owner(state_dir) {
        Ok(()) => import(&store, original, &config).await,
        Err(error) => not_given(state_dir, &error),
    };
    store.close().await;
    match give_to_owner(state_dir) {
        Err(error) if code == 0 => not_given(state_dir, &error),
        _ => code,
    }
}

fn not_given(state_dir: &Path, error: &std::io::Error) -> u8 {
    let message = format!(
        "{0}: cannot give the database to whom the directory belongs ({error}); do it with chown -R streampulse: {0}",
        state_dir.display()
    );
    complain(&message, super::EX_CANTCREAT)
}

async fn import(store: &Store, original: Original, config: &Config) -> u8 {
    let options = ImportOptions {
        streams: config.streams.iter().map(|stream| (stream.name.clone(), stream.id.clone())).collect(),
        zone: config.timezone.clone(),
        now: SystemClock.now(),
        keep: Retention { heartbeats_days: config.storage.heartbeats_days, rollup_days: config.storage.rollup_days },
    };
    let (mut terminate, mut interrupt) = match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
        (Err(error), _) | (_, Err(error)) => return complain(&error.to_string(), EX_SOFTWARE),
    };
    let mut told = Told::new();
    let done = tokio::select! {
        done = store.import(original, options, |progress| told.tell(&progress)) => Some(done),
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
    };
    told.clear();
    let Some(done) = done else {
        let message = "interrupted; what was taken over stays, and the same command goes on from there";
        return complain(message, EX_TEMPFAIL);
    };
    match done {
        Ok(imported) => {
            say(&summary(&imported));
            0
        }
        Err(error) => complain(&error.to_string(), error.exit_code()),
    }
}

/// The progress on standard error: one line that renews itself on a terminal, else a line for each table.
struct Told {
    terminal: bool,
    written: Option<Instant>,
    finished: usize,
}

impl Told {
    fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), written: None, finished: 0 }
    }

    fn tell(&mut self, progress: &Progress<'_>) {
        let is_over = progress.log_rows >= progress.log_total;
        let is_due = if self.terminal {
            self.written.is_none_or(|at| at.elapsed() >= REFRESH)
        } else {
            is_over && self.finished < progress.number
        };
        if !is_due {
            return;
        }
        if is_over {
            self.finished = progress.number;
        }
        self.written = Some(Instant::now());
        let percent = (progress.rows * 100).checked_div(progress.total).unwrap_or(100);
        let line = format!(
            "table {} of {}, {}: {} of {} rows, {percent} % of all",
            progress.number,
            progress.logs,
            shown(progress.log),
            progress.log_rows,
            progress.log_total
        );
        let _ = if self.terminal {
            write!(std::io::stderr(), "\r\x1b[K{line}")
        } else {
            writeln!(std::io::stderr(), "{line}")
        };
    }

    fn clear(&self) {
        if self.terminal && self.written.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

/// What became of every row, and what a person should know of it.
fn summary(imported: &Imported) -> String {
    let mut text = table(&imported.logs);
    let sum: Counts = imported.logs.iter().map(|log| log.counts).sum();
    for log in &imported.logs {
        text.push_str(&notes(log));
    }
    let unconfigured: Vec<&str> = imported
        .logs
        .iter()
        .filter(|log| !log.target.configured && log.counts.rows > 0)
        .map(|log| log.target.id.as_str())
        .collect();
    if !unconfigured.is_empty() {
        let _ = write!(
            text,
            "\nNot in the configuration: {}. Their history shows when a stream has that id.",
            unconfigured.join(", ")
        );
    }
    if sum.ok_no_more > 0 {
        let _ = write!(text, "\n{} were ok for the original and are not here", rows(sum.ok_no_more));
        if sum.auth_failed > 0 {
            let _ = write!(
                text,
                ", {} of them because the camera answered 401: the original asked without the password, so nobody knows",
                sum.auth_failed
            );
        }
        text.push('.');
    }
    if !imported.without_log.is_empty() {
        let _ = write!(text, "\nWithout any row: {}.", listed(&imported.without_log));
    }
    let (users, others): (Vec<_>, Vec<_>) = imported.others.iter().partition(|name| name.eq_ignore_ascii_case("users"));
    if !users.is_empty() {
        text.push_str(
            "\nNot imported: users. Its passwords are in plain text; the accounts of this StreamPulse are its own.",
        );
    }
    if !others.is_empty() {
        let _ = write!(text, "\nNot imported, because they are no logs of the original: {}.", listed(others));
    }
    text
}

/// One line a table, with figures that add up to its rows.
fn table(logs: &[ImportedLog]) -> String {
    let head = ["old stream", "stream", "rows", "raw", "rollups", "too old", "unreadable", "before", "watched"];
    let mut lines = vec![head.map(str::to_owned)];
    let line = |name: String, id: &str, counts: Counts| {
        let Counts { rows, raw, counted, too_old, unreadable, before, watched, .. } = counts;
        let [rows, raw, counted, too_old, unreadable, before, watched] =
            [rows, raw, counted, too_old, unreadable, before, watched].map(|count| count.to_string());
        [name, id.to_owned(), rows, raw, counted, too_old, unreadable, before, watched]
    };
    lines.extend(logs.iter().map(|log| line(old_name(log), log.target.id.as_str(), log.counts)));
    lines.push(line("total".to_owned(), "", logs.iter().map(|log| log.counts).sum()));
    let mut widths = [0; 9];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for line in &lines {
        for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
            let _ = if column < 2 { write!(text, "{cell:<width$}  ") } else { write!(text, "{cell:>width$}  ") };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text.push_str(
        "\nraw: kept one by one, and in the rollups; rollups: only in the hourly figures (storage.heartbeats_days);\n\
         too old: older than storage.rollup_days; unreadable: without a time, or with one that is to come;\n\
         before: taken over by an earlier run; watched: from when this StreamPulse watched the stream already.\n",
    );
    text
}

fn old_name(log: &ImportedLog) -> String {
    match log.target.names.as_slice() {
        [] => shown(&log.target.log),
        names => names.iter().map(|name| shown(name)).collect::<Vec<_>>().join(" + "),
    }
}

fn notes(log: &ImportedLog) -> String {
    let mut text = String::new();
    let (table, id) = (shown(&log.target.log), &log.target.id);
    if log.target.names.len() > 1 {
        let names = listed(&log.target.names);
        let _ = write!(text, "\nThe rows of {names} cannot be told apart: they shared {table} and are under {id}.");
    }
    if let Some((row, time)) = &log.first_unreadable {
        let unreadable = rows(log.counts.unreadable);
        let _ = write!(
            text,
            "\n{table}: {unreadable} without a usable time, the first has the id {row} and {}.",
            quoted(time)
        );
    }
    text
}

/// A time that is none may be anything, also an address with a password in it.
fn quoted(time: &str) -> String {
    let time = shown(time);
    match time.char_indices().nth(40) {
        _ if time.contains(['@', '/', '=']) => "something that is no time".to_owned(),
        Some((end, _)) => format!("\"{}…\"", &time[..end]),
        None => format!("\"{time}\""),
    }
}

fn listed<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(|name| format!("\"{}\"", shown(name))).collect::<Vec<_>>().join(", ")
}

fn rows(count: u64) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}

/// A name of another program, for a terminal.
fn shown(name: &str) -> String {
    Scrubber::default().clean(name)
}
