//! What a worker saw of a picture: enough to judge it beside the stream's past, and small enough to send every time.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Columns of [`Look::thumbnail`].
pub const THUMBNAIL_WIDTH: usize = 48;
/// Rows of [`Look::thumbnail`], whatever the picture's shape.
pub const THUMBNAIL_HEIGHT: usize = 32;
/// Samples of a thumbnail.
pub const THUMBNAIL_SAMPLES: usize = THUMBNAIL_WIDTH * THUMBNAIL_HEIGHT;
/// Columns and rows of [`Look::grain`].
pub const GRAIN_SIDE: usize = 32;
/// Samples of the grain.
pub const GRAIN_SAMPLES: usize = GRAIN_SIDE * GRAIN_SIDE;

/// One decoded picture in numbers. Luma is full-range: 0 black, 255 white.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// 5 % of the picture are darker.
    pub luma_p5: u8,
    /// Half of it is darker.
    pub luma_p50: u8,
    /// 95 % are darker.
    pub luma_p95: u8,
    /// 98 % are darker.
    pub luma_p98: u8,
    /// Share of samples at 250 and above, percent.
    pub white_percent: u8,
    /// Mean of Cb and of Cr, less 128.
    pub colour: (f32, f32),
    /// Mean distance of the samples' colour from that mean.
    pub colour_spread: f32,
    /// Share of samples whose colour is well off that mean, percent, cut to a whole number.
    pub coloured_percent: u8,
    /// Energy of its edges beyond that of its noise, as a share of the variance of luma around them: it goes with the focus
    /// and not with light and contrast. `None` when there is nothing in it that could be sharp.
    pub detail: Option<f32>,
    /// Luma in blocks, row by row.
    pub thumbnail: Samples<THUMBNAIL_SAMPLES>,
    /// Single luma samples on a grid, as they were decoded: sensor noise moves them, however still the scene is. The mean of
    /// neighbours would hardly move.
    pub grain: Samples<GRAIN_SAMPLES>,
    /// The clock of the stream that it came by.
    pub clock: StreamClock,
}

/// What tells that time goes by in a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamClock {
    /// Nothing: a single picture, which its server renews whenever it likes.
    #[default]
    None,
    /// Pictures follow one another (multipart, MPEG-TS, or RTP whose time was missed).
    Running,
    /// The same, and this is the picture's RTP time (RFC 3550 section 5.1). Its origin should be random in each session: the
    /// same twice means as a rule that the same picture was sent twice.
    Rtp(u32),
}

/// In which light a picture was taken. A scene looks different in each, and is compared with itself in the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Light {
    /// Light enough for colours.
    Day,
    /// Dark, and still in colour.
    Dark,
    /// Infrared: the camera gives grey only, whatever is written over it.
    Infrared,
}

/// In an infrared picture at most so much has a colour, percent: a time stamp, a logo.
const OVERLAID_PERCENT: u8 = 3;

/// So far from grey may the whole of an infrared picture be, in Cb and Cr: some cameras tint it, and what is written over it
/// moves the mean.
const TINT: f32 = 8.0;

/// A colour picture of which half is darker than this is a dark one.
const DARK_LUMA: u8 = 40;

impl Look {
    /// The light it was taken in.
    pub fn light(&self) -> Light {
        let (cb, cr) = self.colour;
        if self.coloured_percent <= OVERLAID_PERCENT && cb.hypot(cr) < TINT {
            Light::Infrared
        } else if self.luma_p50 < DARK_LUMA {
            Light::Dark
        } else {
            Light::Day
        }
    }

    /// Luma between the darkest and the brightest twentieth.
    pub fn luma_range(&self) -> u8 {
        self.luma_p95.saturating_sub(self.luma_p5)
    }
}

/// Exactly `N` 8-bit samples; Base64 in JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct Samples<const N: usize>(Box<[u8]>);

impl<const N: usize> Samples<N> {
    /// These samples, `None` unless there are `N`.
    pub fn new(samples: Vec<u8>) -> Option<Self> {
        (samples.len() == N).then(|| Self(samples.into()))
    }

    /// The samples.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl<const N: usize> fmt::Debug for Samples<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Samples<{N}>")
    }
}

impl<const N: usize> Serialize for Samples<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Samples<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let samples = STANDARD.decode(text).map_err(serde::de::Error::custom)?;
        Self::new(samples).ok_or_else(|| serde::de::Error::custom(format!("not {N} samples")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_travel_as_text_and_are_counted() {
        let samples = Samples::<4>::new(vec![0, 1, 254, 255]).expect("four");
        let text = serde_json::to_string(&samples).expect("json");
        assert_eq!(text, r#""AAH+/w==""#);
        assert_eq!(serde_json::from_str::<Samples<4>>(&text).expect("back"), samples);
        assert!(serde_json::from_str::<Samples<5>>(&text).is_err());
        assert!(serde_json::from_str::<Samples<4>>(r#""***""#).is_err());
        assert_eq!(Samples::<4>::new(vec![0; 3]), None);
    }
}
