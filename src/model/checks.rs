//! How a stream's pictures are judged: one threshold a check, and each can be switched off.

/// What is looked for, and from where on it counts. `None`: not at all.
///
/// The defaults were fixed on one half of a set of photographs and measured on the other: `docs/picture-checks.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureChecks {
    /// `black`: 98 % of the picture are darker than this luma (0–255).
    pub black: Option<u32>,
    /// `overexposed`: at least this share of the picture is white, percent.
    pub overexposed: Option<u32>,
    /// `frozen`: so many heartbeats in a row brought the same picture, for a minute at least.
    pub frozen: Option<u32>,
    /// `blurred`: fine detail is below this share of what the stream usually has, percent.
    pub blurred: Option<u32>,
    /// `low_contrast`: the middle 90 % of the picture span less than this luma (0–255).
    pub low_contrast: Option<u32>,
    /// `colour_cast`: the mean colour is further than this from the stream's usual one in any light, or twice as far from
    /// grey (0–127, distance in Cb and Cr).
    pub colour_cast: Option<u32>,
    /// `scene_changed`: less than this share of the learned scene is still there, percent.
    pub scene_changed: Option<u32>,
    /// `facts_changed`: codec or size are not those expected or learned.
    pub facts_changed: bool,
}

impl PictureChecks {
    /// Every check at its default threshold.
    pub const DEFAULT: Self = Self {
        black: Some(24),
        overexposed: Some(55),
        frozen: Some(8),
        blurred: Some(40),
        low_contrast: Some(30),
        colour_cast: Some(18),
        scene_changed: Some(40),
        facts_changed: true,
    };
}

impl Default for PictureChecks {
    fn default() -> Self {
        Self::DEFAULT
    }
}
