//! What a stream usually shows: its scene and its sharpness, learned from its own pictures.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::Look;
use crate::model::look::{Samples, THUMBNAIL_HEIGHT, THUMBNAIL_SAMPLES, THUMBNAIL_WIDTH};

/// Pictures before a scene is known.
const LEARNED_AFTER: u32 = 8;

/// Time in which scene and colour follow by two thirds: the light of a day moves on, a moved camera is not learned.
const FOLLOWS: Duration = Duration::from_secs(16 * 60);

/// A picture that matches less than this is not learned from, percent.
pub(super) const LEARNS_FROM: u32 = 60;

/// The same for sharpness. Upwards longer than something sharp stays before the camera, or what comes after it would be
/// blurred; downwards longer than a lens takes to get dirty, or that would become usual.
const SHARPER: Duration = Duration::from_secs(60 * 60);
const SOFTER: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// No picture changes more than this of what is usual, however seldom one comes.
const LARGEST_SHARE: f32 = 1.0 / 8.0;

/// How much one picture changes of what follows in this time.
fn share(heartbeat: Duration, time: Duration) -> f32 {
    (heartbeat.as_secs_f32() / time.as_secs_f32()).min(LARGEST_SHARE)
}

/// How much less, and how much more light may fall on a scene, for its colour to be the usual one.
const DIMMER: f32 = 0.3;
const BRIGHTER: f32 = 1.5;

/// Samples each way of a field that is compared as one.
const FIELD: usize = 8;

/// Fewer fields with structure than this say nothing of a scene.
const LEAST_FIELDS: usize = 4;

/// Standard deviation of luma from which on a field has structure.
const STRUCTURE: f32 = 1.5;

/// A field is still there when its correlation with the reference is at least this.
const CORRELATED: f32 = 0.5;

/// Samples to each side from which the surroundings are taken that a sample is compared with: what is above is bright and
/// what is below is dark in any scene, and says nothing.
const SURROUNDINGS: usize = 2;

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
    /// Mean colour: Cb and Cr, less 128.
    colour: (f32, f32),
}

impl Scene {
    /// True when pictures can be held against it.
    pub(super) fn is_learned(&self) -> bool {
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

    /// How far the mean colour is from the usual one, or that in [`DIMMER`] or [`BRIGHTER`] light; `None` while it is not known.
    pub(super) fn colour_distance(&self, look: &Look) -> Option<u32> {
        let ((cb, cr), (usual_cb, usual_cr)) = (look.colour, self.colour);
        // Colours are differences from luma, and go up and down with it.
        let along = (cb * usual_cb + cr * usual_cr) / usual_cb.hypot(usual_cr).powi(2).max(1.0);
        let light = along.clamp(DIMMER, BRIGHTER);
        self.is_learned().then(|| (cb - light * usual_cb).hypot(cr - light * usual_cr) as u32)
    }

    /// Takes a picture without an issue, one of every `heartbeat`, into what is usual.
    pub(super) fn learn(&mut self, look: &Look, heartbeat: Duration) {
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
            return self.learn(look, heartbeat);
        }
        let first = 1.0 / (self.pictures + 1) as f32;
        let follows = if self.is_learned() { share(heartbeat, FOLLOWS) } else { first };
        for (mean, &luma) in self.reference.iter_mut().zip(thumbnail) {
            let (old, new) = (f32::from(*mean), f32::from(luma) * 256.0);
            *mean = (old + (new - old) * follows).round() as u16;
        }
        self.colour.0 += (look.colour.0 - self.colour.0) * follows;
        self.colour.1 += (look.colour.1 - self.colour.1) * follows;
        if let Some(detail) = look.detail {
            let new = detail.max(1e-3).ln();
            let old = self.detail_ln.unwrap_or(new);
            let follows = match self.is_learned() {
                false => first,
                true if new > old => share(heartbeat, SHARPER),
                true => share(heartbeat, SOFTER),
            };
            self.detail_ln = Some(old + (new - old) * follows);
        }
        self.pictures = (self.pictures + 1).min(LEARNED_AFTER);
    }
}

/// Share of the reference's fields with structure that correlate with those of the thumbnail, percent. Correlation does not
/// see brightness and contrast, which change with the light; a field that something moves through is one of many.
fn match_percent(reference: &[u16], thumbnail: &[u8]) -> Option<u32> {
    let reference = without_surroundings(reference.iter().map(|&mean| f32::from(mean) / 256.0).collect());
    let thumbnail = without_surroundings(thumbnail.iter().map(|&luma| f32::from(luma)).collect());
    let (mut fields, mut same) = (0, 0);
    for top in (0..THUMBNAIL_HEIGHT).step_by(FIELD) {
        for left in (0..THUMBNAIL_WIDTH).step_by(FIELD) {
            let at = |n: usize| (top + n / FIELD) * THUMBNAIL_WIDTH + left + n % FIELD;
            let (structure, correlation) = correlate((0..FIELD * FIELD).map(|n| (reference[at(n)], thumbnail[at(n)])));
            if structure >= STRUCTURE {
                fields += 1;
                same += usize::from(correlation >= CORRELATED);
            }
        }
    }
    (fields >= LEAST_FIELDS).then(|| (100 * same / fields) as u32)
}

/// Each sample less the mean of its surroundings.
fn without_surroundings(samples: Vec<f32>) -> Vec<f32> {
    let along = |source: &[f32], length: usize, step: usize| -> Vec<f32> {
        let mean = |n: usize| {
            let place = n / step % length;
            let span = place.saturating_sub(SURROUNDINGS)..(place + SURROUNDINGS + 1).min(length);
            let count = span.len() as f32;
            span.map(|other| source[n + other * step - place * step]).sum::<f32>() / count
        };
        (0..source.len()).map(mean).collect()
    };
    let means = along(&along(&samples, THUMBNAIL_WIDTH, 1), THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH);
    samples.iter().zip(means).map(|(sample, mean)| sample - mean).collect()
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
    // A quarter of a step of luma is what rounding alone does to a flat field.
    let both = (of_a * of_b.max(0.06)).sqrt();
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
