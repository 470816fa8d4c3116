//! The past of every stream's pictures: by it a picture is judged, and it outlives a restart.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use crate::config::Config;
use crate::health::looks::Past;
use crate::model::{PictureIssue, ProbeReport, Stream, StreamId};

/// A past that only drifts is written this often: it is 6 KB, and SD cards wear.
const WRITE_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// A new past is written once it knows something.
const FIRST_WRITE_AFTER: u32 = 10;

/// The pasts of all streams.
#[derive(Debug, Default)]
pub(super) struct Looks(HashMap<StreamId, Entry>);

#[derive(Debug, Default)]
struct Entry {
    past: Past,
    issues: Vec<PictureIssue>,
    pictures: u32,
    /// It came from the store.
    is_stored: bool,
    written_at: Option<Timestamp>,
}

impl Looks {
    /// Puts what the store remembers in its place; what it cannot read is learned again.
    pub(super) fn remember(&mut self, stored: HashMap<StreamId, String>) {
        for (id, text) in stored {
            match serde_json::from_str(&text) {
                Ok(past) => {
                    let entry = Entry { past, is_stored: true, ..Entry::default() };
                    self.0.entry(id).or_insert(entry);
                }
                Err(error) => tracing::warn!(stream = %id, %error, "the stream's usual picture is learned again"),
            }
        }
    }

    /// Streams that are not configured any more are forgotten here; the store still knows them.
    pub(super) fn configure(&mut self, config: &Config) {
        let configured: HashSet<&StreamId> = config.streams.iter().map(|stream| &stream.id).collect();
        self.0.retain(|id, _| configured.contains(id));
    }

    /// Judges the picture of a report, if it has one, and takes out what it was judged by. Gives the past when it is to be
    /// stored.
    pub(super) fn judge(&mut self, stream: &Stream, report: &mut ProbeReport, now: Timestamp) -> Option<String> {
        let look = report.look.take()?;
        let picture = report.picture.as_mut()?;
        let entry = self.0.entry(stream.id.clone()).or_default();
        picture.issues = entry.past.judge(&look, report.video.as_ref(), stream);
        entry.pictures = entry.pictures.saturating_add(1);
        let changed = entry.issues != picture.issues;
        entry.issues.clone_from(&picture.issues);
        let due = match entry.written_at {
            Some(at) => now.duration_since(at) >= WRITE_EVERY,
            None => !entry.is_stored && entry.pictures >= FIRST_WRITE_AFTER,
        };
        if entry.is_stored && entry.written_at.is_none() {
            entry.written_at = Some(now);
        }
        if changed || due { entry.text(now) } else { None }
    }

    /// What the camera shows from now on is usual. Gives the past to be stored.
    pub(super) fn forget(&mut self, id: &StreamId, now: Timestamp) -> Option<String> {
        let entry = self.0.entry(id.clone()).or_default();
        entry.past.forget();
        entry.text(now)
    }
}

impl Entry {
    fn text(&mut self, now: Timestamp) -> Option<String> {
        self.written_at = Some(now);
        serde_json::to_string(&self.past).ok()
    }
}
