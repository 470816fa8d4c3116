//! The past of every stream's pictures: by it a picture is judged, and it outlives a restart.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::Timestamp;

use crate::config::Config;
use crate::health::looks::Past;
use crate::model::{PictureIssue, ProbeReport, Stream, StreamId};

/// A past that only drifts is written this often, seconds: it is 8 KB, and SD cards wear. What is lost when the power fails
/// is learned again in that time.
const WRITE_EVERY_SECONDS: u64 = 3600;

/// The pasts of all streams.
///
/// What is to be stored goes with the commit of a stream's heartbeat, of which there is never more than one under way: so an
/// older past never overtakes a newer one.
#[derive(Debug, Default)]
pub(super) struct Looks(HashMap<StreamId, Entry>);

#[derive(Debug, Default)]
struct Entry {
    past: Past,
    issues: Vec<PictureIssue>,
    known_scenes: usize,
    /// It is not what was given to be stored last.
    is_changed: bool,
    /// It must not wait for its turn.
    is_due: bool,
    /// The turn in which it was given to be stored last, or began.
    turn: Option<u64>,
}

impl Looks {
    /// Puts what the store remembers in its place; what it cannot read is learned again.
    pub(super) fn remember(&mut self, stored: HashMap<StreamId, String>) {
        for (id, text) in stored {
            match serde_json::from_str::<Past>(&text) {
                Ok(past) => {
                    let entry = Entry { known_scenes: past.known_scenes(), past, ..Entry::default() };
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
    /// stored: when an issue came or went, when a scene has just become known, after [`Self::forget`], and at its turn.
    pub(super) fn judge(&mut self, stream: &Stream, report: &mut ProbeReport, now: Timestamp) -> Option<String> {
        let entry = self.0.entry(stream.id.clone()).or_default();
        if let (Some(look), Some(picture)) = (report.look.take(), report.picture.as_mut()) {
            picture.issues = entry.past.judge(&look, report.video.as_ref(), stream);
            let known_scenes = entry.past.known_scenes();
            entry.is_due |= entry.issues != picture.issues || known_scenes > entry.known_scenes;
            entry.issues.clone_from(&picture.issues);
            (entry.known_scenes, entry.is_changed) = (known_scenes, true);
        }
        let turn = turn(&stream.id, now);
        let is_due = entry.is_due || *entry.turn.get_or_insert(turn) != turn;
        if entry.is_changed && is_due { entry.text(turn) } else { None }
    }

    /// What the camera shows from now on is usual. That is stored with the next heartbeat.
    pub(super) fn forget(&mut self, id: &StreamId) {
        let entry = self.0.entry(id.clone()).or_default();
        entry.past.forget();
        (entry.issues, entry.known_scenes) = (Vec::new(), 0);
        (entry.is_changed, entry.is_due) = (true, true);
    }

    /// Every past that is not stored as it is, for the end of the service.
    pub(super) fn unwritten(&self) -> Vec<(StreamId, String)> {
        let changed = self.0.iter().filter(|(_, entry)| entry.is_changed);
        changed.filter_map(|(id, entry)| Some((id.clone(), serde_json::to_string(&entry.past).ok()?))).collect()
    }
}

impl Entry {
    fn text(&mut self, turn: u64) -> Option<String> {
        (self.is_changed, self.is_due, self.turn) = (false, false, Some(turn));
        serde_json::to_string(&self.past).ok()
    }
}

/// A number that grows by one every [`WRITE_EVERY_SECONDS`], for each stream at another moment: they must not all be written
/// at once.
fn turn(id: &StreamId, now: Timestamp) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    let offset = hasher.finish() % WRITE_EVERY_SECONDS;
    (now.as_second().unsigned_abs() + offset) / WRITE_EVERY_SECONDS
}

#[cfg(test)]
pub(super) mod tests;
