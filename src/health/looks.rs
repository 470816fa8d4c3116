//! Judging a picture beside the stream's own past: what is wrong with it, and what is usual.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::scene::{LEARNS_FROM, Scene};
use super::still::Stillness;
use crate::model::{Expect, Light, Look, PictureChecks, PictureIssue, ProbeReport, Stream, VideoFacts};

/// Above this spread of its colours a picture is colourful, not tinted: sunsets, meadows, a red wall beside a blue door.
const TINTED_SPREAD: f32 = 20.0;

/// What is remembered of a stream's pictures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Past {
    /// Of the address: another camera has another past.
    address: u64,
    day: Scene,
    dark: Scene,
    infrared: Scene,
    still: Stillness,
    /// What was seen of late.
    seen: BTreeMap<PictureIssue, Sighting>,
    facts: Option<Facts>,
    /// An operator said that this is how it should be, so its tint is, too.
    is_meant: bool,
}

/// An issue of late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Sighting {
    /// Pictures in a row that had it, but for those of `without`.
    pictures: u32,
    /// Pictures in a row since then that did not.
    without: u32,
}

/// What must not change silently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Facts {
    codec: String,
    size_px: Option<(u32, u32)>,
}

/// Judges a report that has no past: there is only what one picture alone can tell.
pub fn judge_at_first_sight(report: &mut ProbeReport, checks: &PictureChecks) {
    if let (Some(look), Some(picture)) = (report.look.take(), &mut report.picture) {
        picture.issues = at_first_sight(&look, checks);
    }
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

/// True when there is too little in it to hold anything against what is usual, also where that check is off: a yard without
/// light has no scene, no sharpness and no colour.
fn shows_nothing(look: &Look, checks: &PictureChecks) -> bool {
    let default = PictureChecks::DEFAULT;
    let checks = PictureChecks {
        black: checks.black.or(default.black),
        overexposed: checks.overexposed.or(default.overexposed),
        low_contrast: checks.low_contrast.or(default.low_contrast),
        colour_cast: None,
        ..*checks
    };
    !at_first_sight(look, &checks).is_empty()
}

/// How often in a row an issue must be seen before it counts: a lorry before the lens is none.
fn confirmed_after(issue: PictureIssue) -> u32 {
    match issue {
        // Counted in heartbeats of its own.
        PictureIssue::Frozen => 1,
        PictureIssue::Blurred | PictureIssue::SceneChanged | PictureIssue::ColourCast => 3,
        _ => 2,
    }
}

/// After how many pictures without it an issue that counted goes: one that wavers about its threshold must not make the
/// stream come and go.
fn gone_after(issue: PictureIssue) -> u32 {
    if confirmed_after(issue) > 2 { 2 } else { 1 }
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
        if self.is_meant {
            seen.retain(|issue| *issue != PictureIssue::ColourCast);
        }
        if seen.is_empty() && !shows_nothing(look, checks) {
            let scene = match look.light() {
                Light::Day => &mut self.day,
                Light::Dark => &mut self.dark,
                Light::Infrared => &mut self.infrared,
            };
            match compare(scene, look, checks) {
                Some(issue) => seen.push(issue),
                None => scene.learn(look, stream.heartbeat),
            }
        }
        self.still.see(look);
        if checks.frozen.is_some_and(|pictures| self.still.is_frozen(pictures, stream.heartbeat)) {
            seen.push(PictureIssue::Frozen);
        }
        if checks.facts_changed && video.is_some_and(|video| self.facts_changed(video, &stream.expect)) {
            seen.push(PictureIssue::FactsChanged);
        }
        self.confirm(&seen)
    }

    /// Forgets what is usual, so that the next pictures become it.
    pub fn forget(&mut self) {
        *self = Self { address: self.address, is_meant: true, ..Self::default() };
    }

    /// In how many kinds of light its scene is known.
    pub fn known_scenes(&self) -> usize {
        [&self.day, &self.dark, &self.infrared].into_iter().filter(|scene| scene.is_learned()).count()
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
        for issue in seen {
            let sighting = self.seen.entry(*issue).or_default();
            *sighting = Sighting { pictures: sighting.pictures.saturating_add(1), without: 0 };
        }
        let counts = |issue: PictureIssue, sighting: &Sighting| sighting.pictures >= confirmed_after(issue);
        self.seen.retain(|issue, sighting| {
            sighting.without += u32::from(!seen.contains(issue));
            sighting.without < if counts(*issue, sighting) { gone_after(*issue) } else { 1 }
        });
        let counted = |issue: &&PictureIssue| self.seen.get(issue).is_some_and(|sighting| counts(**issue, sighting));
        PictureIssue::ALL.iter().filter(counted).copied().collect()
    }
}

/// What is not as usual in a picture that shows something.
fn compare(scene: &Scene, look: &Look, checks: &PictureChecks) -> Option<PictureIssue> {
    let below = |value: Option<u32>, limit: Option<u32>| value.zip(limit).is_some_and(|(v, limit)| v < limit);
    let matches = scene.match_percent(look);
    if below(matches, checks.scene_changed) {
        return Some(PictureIssue::SceneChanged);
    }
    // A camera that turns is where it was learned, or anywhere else: there, sharpness and colour are others.
    if checks.scene_changed.is_none() && matches.is_none_or(|percent| percent < LEARNS_FROM) {
        return None;
    }
    if scene.colour_distance(look).zip(checks.colour_cast).is_some_and(|(far, limit)| far >= limit) {
        return Some(PictureIssue::ColourCast);
    }
    below(scene.sharpness_percent(look), checks.blurred).then_some(PictureIssue::Blurred)
}

/// FNV-1a (draft-eastlake-fnv). It is stored: never change it.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests;
