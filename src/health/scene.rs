//! What a stream usually shows: its scene and its sharpness, learned from its own pictures.

use serde::{Deserialize, Serialize};

use crate::model::Look;
use crate::model::look::{Samples, THUMBNAIL_HEIGHT, THUMBNAIL_SAMPLES, THUMBNAIL_WIDTH};

/// Pictures before a scene is known.
const LEARNED_AFTER: u32 = 8;

/// How much of the reference a further picture changes: the light of a day moves on, a moved camera is not learned.
const FOLLOWS: f32 = 1.0 / 64.0;

/// A picture that matches less than this is not learned from, percent.
const LEARNS_FROM: u32 = 60;

/// Sharpness is learned at once and forgotten slowly, so that a lens that gets dirty is not taken for usual.
const SHARPER: f32 = 1.0 / 16.0;
const SOFTER: f32 = 1.0 / 1024.0;

/// Samples each way of a field that is compared as one.
const FIELD: usize = 8;

/// Fewer fields with structure than this say nothing of a scene.
const LEAST_FIELDS: usize = 4;

/// Standard deviation of luma from which on a field has structure.
const STRUCTURE: f32 = 3.0;

/// A field is still there when its correlation with the reference is at least this.
const CORRELATED: f32 = 0.5;

/// A learned scene, of one kind of light.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Scene {
    /// Pictures it was learned from, counted up to [`LEARNED_AFTER`].
    pictures: u32,
    /// Mean thumbnail, in 256ths.
    #[serde(with = "reference")]
    reference: Vec<u16>,
    /// Natural logarithm of the usual detail; `None` until a picture had any.
    detail_ln: Option<f32>,
}

impl Scene {
    fn is_learned(&self) -> bool {
        self.pictures >= LEARNED_AFTER
    }

    /// How much of the scene is still there, percent; `None` while it is not known or has no structure.
    pub(super) fn match_percent(&self, look: &Look) -> Option<u32> {
        if !self.is_learned() {
            return None;
        }
        match_percent(&self.reference, look.thumbnail.as_slice())
    }

    /// Detail beside the usual one, percent; `None` while that is not known.
    pub(super) fn sharpness_percent(&self, look: &Look) -> Option<u32> {
        let (usual, detail) = (self.detail_ln.filter(|_| self.is_learned())?, look.detail?);
        Some((100.0 * (detail.max(1e-3).ln() - usual).exp()) as u32)
    }

    /// Takes a picture without an issue into what is usual.
    pub(super) fn learn(&mut self, look: &Look) {
        let thumbnail = look.thumbnail.as_slice();
        if self.reference.len() != THUMBNAIL_SAMPLES {
            self.pictures = 0;
            self.reference = thumbnail.iter().map(|&luma| u16::from(luma) << 8).collect();
        }
        let matches = match_percent(&self.reference, thumbnail);
        if matches.is_some_and(|percent| percent < LEARNS_FROM) {
            if self.is_learned() {
                return;
            }
            // Two scenes while learning: the newer one counts.
            *self = Self::default();
            return self.learn(look);
        }
        let share = if self.is_learned() { FOLLOWS } else { 1.0 / (self.pictures + 1) as f32 };
        for (mean, &luma) in self.reference.iter_mut().zip(thumbnail) {
            let (old, new) = (f32::from(*mean), f32::from(luma) * 256.0);
            *mean = (old + (new - old) * share).round() as u16;
        }
        if let Some(detail) = look.detail {
            let new = detail.max(1e-3).ln();
            let old = self.detail_ln.unwrap_or(new);
            let share = match self.is_learned() {
                false => share,
                true if new > old => SHARPER,
                true => SOFTER,
            };
            self.detail_ln = Some(old + (new - old) * share);
        }
        self.pictures = (self.pictures + 1).min(LEARNED_AFTER);
    }
}

/// Share of the reference's fields with structure that correlate with those of the thumbnail, percent. Correlation does not
/// see brightness and contrast, which change with the light; a field that something moves through is one of many.
fn match_percent(reference: &[u16], thumbnail: &[u8]) -> Option<u32> {
    let (mut fields, mut same) = (0, 0);
    for top in (0..THUMBNAIL_HEIGHT).step_by(FIELD) {
        for left in (0..THUMBNAIL_WIDTH).step_by(FIELD) {
            let at = |n: usize| (top + n / FIELD) * THUMBNAIL_WIDTH + left + n % FIELD;
            let pairs = (0..FIELD * FIELD).map(|n| (f32::from(reference[at(n)]) / 256.0, f32::from(thumbnail[at(n)])));
            let (structure, correlation) = correlate(pairs);
            if structure >= STRUCTURE {
                fields += 1;
                same += usize::from(correlation >= CORRELATED);
            }
        }
    }
    (fields >= LEAST_FIELDS).then(|| (100 * same / fields) as u32)
}

/// Standard deviation of the first of each pair, and the correlation coefficient of the two.
fn correlate(pairs: impl Iterator<Item = (f32, f32)>) -> (f32, f32) {
    let (mut n, mut a, mut b, mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for (x, y) in pairs {
        n += 1.0;
        a += x;
        b += y;
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    let variance = |sum: f32, squares: f32| (squares / n - (sum / n) * (sum / n)).max(0.0);
    let (of_a, of_b) = (variance(a, aa), variance(b, bb));
    // Half a step of luma is what rounding alone does to a flat field.
    let both = (of_a * of_b.max(0.25)).sqrt();
    let correlation = if both > 0.0 { (ab / n - a / n * b / n) / both } else { 0.0 };
    (of_a.sqrt(), correlation)
}

/// The reference as 8-bit samples: what is lost is less than one step of luma.
mod reference {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::{Samples, THUMBNAIL_SAMPLES};

    pub fn serialize<S: Serializer>(means: &[u16], serializer: S) -> Result<S::Ok, S::Error> {
        let samples = means.iter().map(|mean| (mean.saturating_add(128) >> 8) as u8).collect();
        Samples::<THUMBNAIL_SAMPLES>::new(samples).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u16>, D::Error> {
        let samples = Option::<Samples<THUMBNAIL_SAMPLES>>::deserialize(deserializer)?;
        Ok(samples.map_or_else(Vec::new, |s| s.as_slice().iter().map(|&luma| u16::from(luma) << 8).collect()))
    }
}
