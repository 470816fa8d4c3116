//! What a picture is and what may be wrong with it.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

/// Numbers of one decoded picture, measured on its luma plane (0 black … 255 white, full range).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PictureStats {
    /// Mean luma, 0–255.
    #[serde(serialize_with = "tenths")]
    pub luma_mean: f32,
    /// Standard deviation of luma, 0–127.5.
    #[serde(serialize_with = "tenths")]
    pub luma_stddev: f32,
    /// Variance of the Laplacian of luma: higher is sharper. Comparable only within one stream.
    #[serde(serialize_with = "tenths")]
    pub sharpness: f32,
    /// What is wrong with it.
    pub issues: Vec<PictureIssue>,
}

/// With one decimal: as a double, 143.7 in single precision would become 143.6999969482422.
fn tenths<S: Serializer>(value: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((f64::from(*value) * 10.0).round() / 10.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_picture_have_one_decimal() {
        let stats = PictureStats { luma_mean: 143.7, luma_stddev: 40.0, sharpness: 373.4, issues: vec![] };
        let value = serde_json::to_value(&stats).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"luma_mean": 143.7, "luma_stddev": 40.0, "sharpness": 373.4, "issues": []})
        );
        assert_eq!(serde_json::from_value::<PictureStats>(value).unwrap(), stats);
    }
}
