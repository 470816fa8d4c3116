//! Which hardware decoder is used for a codec, and why another one is not. Pure: a table over what was found.
//!
//! GStreamer names hardware decoders by their class; what they are worth shows only when they are tried. So this orders
//! them, the worker that has the devices tries them, and the reason of each that is not used is kept for people.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::Hardware;
use crate::model::Codec;

/// What was wrong with a keyframe, or with the decoder that had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flaw {
    /// No bytes, or bytes without a format.
    Empty,
    /// Profile, level or size that the decoder does not take.
    Format,
    /// It ended with an error.
    GaveUp,
    /// It could not allocate memory.
    NoMemory,
    /// Its device reports an error.
    Device,
    /// Nothing came out in time.
    Silent,
    /// What came out is not what went in: never may one camera's picture be taken for another's.
    Stranger,
    /// The picture is damaged.
    Damaged,
    /// The picture is in a layout, or in memory, that cannot be read.
    Unreadable,
    /// A known keyframe came out as another picture.
    Wrong,
}

impl Flaw {
    /// One clause for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "an empty access unit",
            Self::Format => "the decoder refuses its format",
            Self::GaveUp => "the decoder gave up on it",
            Self::NoMemory => "the decoder has no memory for it",
            Self::Device => "the decoder's device reports an error",
            Self::Silent => "the decoder gave no picture",
            Self::Stranger => "the decoder gave another picture than was asked for",
            Self::Damaged => "the decoder had to conceal damage",
            Self::Unreadable => "a picture in an unknown layout",
            Self::Wrong => "a known keyframe came out as another picture",
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A hardware decoder that GStreamer has on this machine (class `Codec/Decoder/Video/Hardware`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Name of the element, such as `v4l2h264dec`.
    pub element: String,
    /// What it decodes.
    pub codec: Codec,
    /// GStreamer's rank: the higher is preferred.
    pub rank: u32,
    /// The device behind it, as far as the element names one.
    pub device: Option<Device>,
}

/// A device file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// `/dev/video10`, `/dev/dri/renderD128`.
    pub path: String,
    /// True when there is such a file.
    pub exists: bool,
}

/// Why a hardware decoder is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotUsed {
    /// The configuration says so.
    Off,
    /// libjpeg-turbo is quick enough, and the hardware has few sessions.
    Jpeg,
    /// No device belongs to it, or the file is not there.
    NoDevice,
    /// The device does not open: no right to it, or it is busy.
    NotOpened,
    /// The self-test went wrong.
    SelfTest(Flaw),
    /// A better one for the same codec works.
    Outranked,
    /// It worked, then failed, and has not passed the self-test since.
    Left(Flaw),
    /// The worker that would try it does not run.
    NotTried,
}

impl fmt::Display for NotUsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("probe.hardware is off"),
            Self::Jpeg => f.write_str("JPEG is decoded in software"),
            Self::NoDevice => f.write_str("there is no device for it"),
            Self::NotOpened => f.write_str("its device does not open; is the user in the groups video and render?"),
            Self::SelfTest(flaw) => write!(f, "the self-test failed: {flaw}"),
            Self::Outranked => f.write_str("another decoder for this codec is used"),
            Self::Left(flaw) => write!(f, "left after a failure: {flaw}"),
            Self::NotTried => f.write_str("the worker for hardware decoders does not run"),
        }
    }
}

impl NotUsed {
    /// True when another try later may end better.
    pub fn may_pass(self) -> bool {
        matches!(self, Self::NoDevice | Self::NotOpened | Self::SelfTest(_) | Self::Left(_))
    }
}

/// A hardware decoder and whether it is used, for the pool and for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decoder {
    /// Name of the element.
    pub element: String,
    /// What it decodes.
    pub codec: Codec,
    /// Path of its device, when it is known.
    pub device: Option<String>,
    /// Keyframes that it decodes at the same time; 0 when it is not used.
    pub slots: usize,
    /// Why it is not used; `None`: it is.
    pub not_used: Option<NotUsed>,
}

impl Decoder {
    /// A decoder that was found, not (or not yet) used.
    pub fn new(found: &Found, not_used: NotUsed) -> Self {
        Self {
            element: found.element.clone(),
            codec: found.codec,
            device: found.device.as_ref().map(|device| device.path.clone()),
            slots: 0,
            not_used: Some(not_used),
        }
    }

    /// True while keyframes go to it.
    pub fn is_used(&self) -> bool {
        self.not_used.is_none()
    }
}

impl fmt::Display for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.element, self.codec.as_str())?;
        if let Some(device) = &self.device {
            write!(f, ", {device}")?;
        }
        match self.not_used {
            None => f.write_str("): used"),
            Some(why) => write!(f, "): not used: {why}"),
        }
    }
}

/// How many keyframes a decoder gets at the same time. The stateful and stateless V4L2 decoders of a Raspberry Pi
/// disturb each other's streams (raspberrypi/firmware#1627) and take their memory from one small pool.
pub fn slots(element: &str) -> usize {
    if element.starts_with("v4l2") { 1 } else { 2 }
}

/// What to do with a decoder that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The decoder.
    pub found: Found,
    /// Why it is not even tried; `None`: try it.
    pub refused: Option<NotUsed>,
}

/// Orders what was found: codec by codec, the preferred one first. Those to be tried come without a reason against them.
pub fn select(mut found: Vec<Found>, setting: Hardware) -> Vec<Candidate> {
    found.sort_by(|a, b| {
        let key = |found: &Found| (found.codec as u8, std::cmp::Reverse(found.rank));
        key(a).cmp(&key(b)).then_with(|| a.element.cmp(&b.element))
    });
    let refused = |found: &Found| match (setting, found.codec, &found.device) {
        (Hardware::Off, ..) => Some(NotUsed::Off),
        (_, Codec::Mjpeg, _) => Some(NotUsed::Jpeg),
        (_, _, Some(Device { exists: true, .. })) => None,
        _ => Some(NotUsed::NoDevice),
    };
    found.into_iter().map(|found| Candidate { refused: refused(&found), found }).collect()
}

/// Goes through the candidates in their order; `try_it` says what is wrong with one. The first good one of a codec is
/// used, the rest of that codec are not tried any more.
pub fn settle(candidates: &[Candidate], mut try_it: impl FnMut(&Found) -> Result<(), NotUsed>) -> Vec<Decoder> {
    let mut decoders: Vec<Decoder> = Vec::new();
    for Candidate { found, refused } in candidates {
        let taken = decoders.iter().any(|other| other.codec == found.codec && other.is_used());
        let tried = match refused {
            Some(why) => Err(*why),
            None if taken => Err(NotUsed::Outranked),
            None => try_it(found),
        };
        decoders.push(match tried {
            Ok(()) => {
                Decoder { slots: slots(&found.element), not_used: None, ..Decoder::new(found, NotUsed::NotTried) }
            }
            Err(why) => Decoder::new(found, why),
        });
    }
    decoders
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(element: &str, codec: Codec, rank: u32, device: Option<&str>) -> Found {
        // A path with a question mark stands for a file that is not there.
        let device =
            device.map(|path| Device { path: path.trim_end_matches('?').to_owned(), exists: !path.ends_with('?') });
        Found { element: element.to_owned(), codec, rank, device }
    }

    fn pi_4() -> Vec<Found> {
        vec![
            found("v4l2slh265dec", Codec::H265, 257, Some("/dev/video19")),
            found("v4l2jpegdec", Codec::Mjpeg, 257, Some("/dev/video10")),
            found("v4l2h264dec", Codec::H264, 257, Some("/dev/video10")),
        ]
    }

    /// Element and what becomes of it, in the order in which they were looked at.
    fn settled(found: Vec<Found>, setting: Hardware, broken: &[(&str, NotUsed)]) -> Vec<(String, Option<NotUsed>)> {
        let decoders = settle(&select(found, setting), |found| {
            broken.iter().find(|(element, _)| *element == found.element).map_or(Ok(()), |(_, why)| Err(*why))
        });
        for decoder in &decoders {
            assert_eq!(decoder.slots > 0, decoder.is_used(), "{decoder}");
        }
        decoders.into_iter().map(|decoder| (decoder.element, decoder.not_used)).collect()
    }

    #[test]
    fn the_table() {
        use NotUsed::{Jpeg, Left, NoDevice, NotOpened, Off, Outranked, SelfTest};
        let intel = || {
            vec![
                found("vaapih264dec", Codec::H264, 256, Some("/dev/dri/renderD128")),
                found("vah264dec", Codec::H264, 257, Some("/dev/dri/renderD128")),
                found("vah265dec", Codec::H265, 0, Some("/dev/dri/renderD128")),
            ]
        };
        type Row<'a> = (Vec<Found>, Hardware, &'a [(&'a str, NotUsed)], &'a [(&'a str, Option<NotUsed>)]);
        let rows: [Row<'_>; 9] = [
            (vec![], Hardware::Auto, &[], &[]),
            (
                pi_4(),
                Hardware::Auto,
                &[],
                &[("v4l2h264dec", None), ("v4l2slh265dec", None), ("v4l2jpegdec", Some(Jpeg))],
            ),
            (
                pi_4(),
                Hardware::Off,
                &[],
                &[("v4l2h264dec", Some(Off)), ("v4l2slh265dec", Some(Off)), ("v4l2jpegdec", Some(Off))],
            ),
            (
                pi_4(),
                Hardware::Required,
                &[("v4l2slh265dec", SelfTest(Flaw::Wrong))],
                &[("v4l2h264dec", None), ("v4l2slh265dec", Some(SelfTest(Flaw::Wrong))), ("v4l2jpegdec", Some(Jpeg))],
            ),
            (
                intel(),
                Hardware::Auto,
                &[],
                &[("vah264dec", None), ("vaapih264dec", Some(Outranked)), ("vah265dec", None)],
            ),
            // The next best is tried when the best does not work.
            (
                intel(),
                Hardware::Auto,
                &[("vah264dec", NotOpened), ("vah265dec", SelfTest(Flaw::Silent))],
                &[("vah264dec", Some(NotOpened)), ("vaapih264dec", None), ("vah265dec", Some(SelfTest(Flaw::Silent)))],
            ),
            (
                vec![found("v4l2h264dec", Codec::H264, 257, Some("/dev/video10?"))],
                Hardware::Auto,
                &[],
                &[("v4l2h264dec", Some(NoDevice))],
            ),
            (vec![found("nvh264dec", Codec::H264, 256, None)], Hardware::Auto, &[], &[("nvh264dec", Some(NoDevice))]),
            // One name decides between equal ranks, so that every start chooses alike.
            (
                vec![found("vb", Codec::H264, 257, Some("/dev/b")), found("va", Codec::H264, 257, Some("/dev/a"))],
                Hardware::Auto,
                &[],
                &[("va", None), ("vb", Some(Outranked))],
            ),
        ];
        for (found, setting, broken, expected) in rows {
            let shown = format!("{found:?} {setting:?}");
            let expected: Vec<_> = expected.iter().map(|(element, why)| ((*element).to_owned(), *why)).collect();
            assert_eq!(settled(found, setting, broken), expected, "{shown}");
        }
        assert!(Left(Flaw::Silent).may_pass() && !Outranked.may_pass() && !Jpeg.may_pass());
    }

    #[test]
    fn a_raspberry_pis_decoders_get_one_keyframe_at_a_time() {
        assert_eq!([slots("v4l2h264dec"), slots("v4l2slh265dec"), slots("vah264dec")], [1, 1, 2]);
    }

    #[test]
    fn in_words() {
        let [found] = [found("v4l2h264dec", Codec::H264, 257, Some("/dev/video10"))];
        let mut decoder = Decoder::new(&found, NotUsed::Left(Flaw::Silent));
        assert_eq!(
            decoder.to_string(),
            "v4l2h264dec (h264, /dev/video10): not used: left after a failure: the decoder gave no picture"
        );
        decoder.not_used = None;
        assert_eq!(decoder.to_string(), "v4l2h264dec (h264, /dev/video10): used");
    }
}
