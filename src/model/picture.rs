//! What a picture is and what may be wrong with it.

use std::fmt;

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

macro_rules! issues {
    ($($variant:ident = $text:literal, $sentence:literal, $next:literal;)*) => {
        /// What makes a stream `degraded` although there is a picture.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum PictureIssue { $(#[doc = $sentence] $variant,)* }

        impl PictureIssue {
            /// Every issue, the gravest first.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The text of API, metrics and MQTT, and of the configuration's `checks:`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// One sentence for a person.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }

            /// What to do about it.
            pub fn next_step(self) -> &'static str {
                match self { $(Self::$variant => $next,)* }
            }
        }
    };
}

issues! {
    Black = "black", "The picture is black.",
        "Look whether the lens is covered or the camera's exposure is off; at night, whether its light works.";
    Overexposed = "overexposed", "Most of the picture is white.",
        "Look at the camera's exposure and whether a light or the sun shines into it.";
    Frozen = "frozen", "The picture stands still while the stream's clock runs on.",
        "Restart the camera; if it stays, look for a firmware update.";
    SceneChanged = "scene_changed", "The camera shows another scene than it used to.",
        "Look whether it was moved or covered; if it was meant to, take its picture as the new reference.";
    Blurred = "blurred", "The picture is less sharp than it used to be.",
        "Look at the focus and clean the lens; if this is how it should be, take its picture as the new reference.";
    LowContrast = "low_contrast", "The picture has hardly any contrast.",
        "Clean the lens and look for fog, a spider's web or a light that shines into it.";
    ColourCast = "colour_cast", "The picture has one colour all over.",
        "Look at the camera's white balance and whether its infrared filter is stuck; \
         if this is how it should be, take its picture as the new reference.";
    FactsChanged = "facts_changed", "Codec or size of the video are not what they used to be.",
        "Look at the camera's settings; if it was meant to, take its picture as the new reference.";
}

impl fmt::Display for PictureIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
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
