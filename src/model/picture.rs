//! What a picture is and what may be wrong with it.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Numbers of one decoded picture, measured on its luma plane (0 black … 255 white, full range).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PictureStats {
    /// Mean luma, 0–255.
    pub luma_mean: f32,
    /// Standard deviation of luma, 0–127.5.
    pub luma_stddev: f32,
    /// Variance of the Laplacian of luma: higher is sharper. Comparable only within one stream.
    pub sharpness: f32,
    /// What is wrong with it.
    pub issues: Vec<PictureIssue>,
}

/// What makes a stream `degraded` although there is a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PictureIssue {
    /// Everything dark.
    Black,
    /// Everything white.
    Overexposed,
    /// The same picture again and again.
    Frozen,
    /// Out of focus.
    Blurred,
    /// Fog, dirt, a spider's web.
    LowContrast,
    /// A stuck infrared filter.
    ColourCast,
    /// Moved or covered.
    SceneChanged,
    /// Codec or resolution changed silently.
    FactsChanged,
}

/// The last verified picture of a stream.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// JPEG, full-range BT.601.
    pub jpeg: Bytes,
    /// When it was taken.
    pub taken_at: Timestamp,
}
