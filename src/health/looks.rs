//! Judging a picture beside the stream's own past: what is wrong with it, and what is usual.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::scene::Scene;
use crate::model::look::{GRAIN_SAMPLES, Samples};
use crate::model::{Expect, Look, PictureChecks, PictureIssue, Stream, VideoFacts};

/// Luma by which a sample must differ to have moved.
const MOVED_LUMA: u8 = 2;

/// A picture is the same when fewer samples moved than this: a clock in a corner of it may run on.
const MOVED_SAMPLES: usize = GRAIN_SAMPLES * 3 / 200;

/// A picture with less contrast than this may well be the same twice: it is not called frozen.
const FLAT_LUMA: u8 = 24;

/// Above this spread of its colours a picture is colourful, not tinted: sunsets, meadows, a red wall beside a blue door.
const TINTED_SPREAD: f32 = 20.0;

/// What is remembered of a stream's pictures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// Of the address: another camera has another past.
    address: u64,
    day: Scene,
    night: Scene,
    grain: Option<Samples<GRAIN_SAMPLES>>,
    media_time: Option<u32>,
    /// How often in a row the picture was the same as the one before.
    same_in_row: u32,
    /// How often in a row each issue was seen.
    seen_in_row: BTreeMap<PictureIssue, u32>,
    facts: Option<Facts>,
}

/// What must not change silently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Facts {
    codec: String,
    size_px: Option<(u32, u32)>,
}

/// What one picture alone can tell.
pub fn at_first_sight(look: &Look, checks: &PictureChecks) -> Vec<PictureIssue> {
    let below = |value: u32, limit: Option<u32>| limit.is_some_and(|limit| value < limit);
    let above = |value: u32, limit: Option<u32>| limit.is_some_and(|limit| value >= limit);
    let mut seen = Vec::new();
    if below(look.luma_p98.into(), checks.black) {
        seen.push(PictureIssue::Black);
    } else if above(look.white_percent.into(), checks.overexposed) {
        seen.push(PictureIssue::Overexposed);
    } else if below(look.luma_range().into(), checks.low_contrast) && !is_dark(look) {
        seen.push(PictureIssue::LowContrast);
    }
    let (cb, cr) = look.colour;
    let far = checks.colour_cast.map(|limit| limit * 2);
    if above(cb.hypot(cr) as u32, far) && look.colour_spread < TINTED_SPREAD && !is_dark(look) {
        seen.push(PictureIssue::ColourCast);
    }
    seen
}

/// A dark scene has little contrast and a tint, and that is no fault.
fn is_dark(look: &Look) -> bool {
    look.luma_p95 < 60
}

/// How often in a row an issue must be seen before it counts: a lorry before the lens is none.
fn confirmed_after(issue: PictureIssue) -> u32 {
    match issue {
        // Counted in heartbeats of its own, or certain at once.
        PictureIssue::Frozen => 1,
        PictureIssue::Blurred | PictureIssue::SceneChanged | PictureIssue::ColourCast => 3,
        _ => 2,
    }
}

impl Past {
    /// Judges the picture of a probe and learns from it. Issues come in the order of [`PictureIssue::ALL`].
    pub fn judge(&mut self, look: &Look, video: Option<&VideoFacts>, stream: &Stream) -> Vec<PictureIssue> {
        let address = fingerprint(&stream.url.to_string());
        if self.address != address {
            *self = Self { address, ..Self::default() };
        }
        let checks = &stream.checks;
        let mut seen = at_first_sight(look, checks);
        let scene = if look.is_night() { &mut self.night } else { &mut self.day };
        if seen.is_empty() {
            let below = |value: Option<u32>, limit: Option<u32>| value.zip(limit).is_some_and(|(v, limit)| v < limit);
            let tinted = scene.colour_distance(look).zip(checks.colour_cast).is_some_and(|(far, limit)| far >= limit);
            if below(scene.match_percent(look), checks.scene_changed) {
                seen.push(PictureIssue::SceneChanged);
            } else if tinted {
                seen.push(PictureIssue::ColourCast);
            } else if below(scene.sharpness_percent(look), checks.blurred) {
                seen.push(PictureIssue::Blurred);
            } else {
                scene.learn(look);
            }
        }
        self.compare_with_last(look);
        if checks.frozen.is_some_and(|heartbeats| self.same_in_row + 1 >= heartbeats.max(2)) {
            seen.push(PictureIssue::Frozen);
        }
        if checks.facts_changed && video.is_some_and(|video| self.facts_changed(video, &stream.expect)) {
            seen.push(PictureIssue::FactsChanged);
        }
        self.confirm(&seen)
    }

    /// Forgets what is usual, so that the next pictures become it.
    pub fn forget(&mut self) {
        *self = Self { address: self.address, ..Self::default() };
    }

    /// The same picture again, while the stream's clock runs on?
    fn compare_with_last(&mut self, look: &Look) {
        let replayed = look.media_time.is_some() && look.media_time == self.media_time;
        if replayed {
            // The very picture of before, kept by the camera for who joins: it says nothing.
            return;
        }
        let same = look.luma_range() >= FLAT_LUMA
            && self.grain.as_ref().is_some_and(|grain| moved(grain.as_slice(), look.grain.as_slice()) < MOVED_SAMPLES);
        self.same_in_row = if same { self.same_in_row.saturating_add(1) } else { 0 };
        (self.grain, self.media_time) = (Some(look.grain.clone()), look.media_time);
    }

    fn facts_changed(&mut self, video: &VideoFacts, expect: &Expect) -> bool {
        let now = Facts { codec: video.codec.as_str().to_owned(), size_px: video.width.zip(video.height) };
        let expected = expect.codec.is_some() || expect.width_px.is_some() || expect.height_px.is_some();
        if expected {
            let differs = |wanted: Option<u32>, is: Option<u32>| wanted.is_some() && is.is_some() && wanted != is;
            return expect.codec.as_ref().is_some_and(|codec| *codec != now.codec)
                || differs(expect.width_px, video.width)
                || differs(expect.height_px, video.height);
        }
        *self.facts.get_or_insert_with(|| now.clone()) != now
    }

    fn confirm(&mut self, seen: &[PictureIssue]) -> Vec<PictureIssue> {
        self.seen_in_row.retain(|issue, _| seen.contains(issue));
        for issue in seen {
            let count = self.seen_in_row.entry(*issue).or_default();
            *count = count.saturating_add(1);
        }
        let counted =
            |issue: &&PictureIssue| self.seen_in_row.get(issue).is_some_and(|n| *n >= confirmed_after(**issue));
        PictureIssue::ALL.iter().filter(counted).copied().collect()
    }
}

fn moved(before: &[u8], now: &[u8]) -> usize {
    before.iter().zip(now).filter(|(a, b)| a.abs_diff(**b) >= MOVED_LUMA).count()
}

/// FNV-1a (draft-eastlake-fnv). It is stored: never change it.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests;
