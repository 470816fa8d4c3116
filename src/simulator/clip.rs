//! Short pieces of video, split into pictures (access units) and packetised once for all sessions.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use thiserror::Error;

use super::packetise::{FrameTemplate, packetise};
use crate::model::Codec;

/// Why bytes are not a clip.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClipError {
    /// Nothing that could be sent.
    #[error("the clip holds no picture")]
    Empty,
    /// A live camera repeats its clip, which must therefore begin with a keyframe.
    #[error("the clip does not begin with a keyframe")]
    NoKeyframe,
    /// The SDP needs them.
    #[error("the clip holds no {0}")]
    NoParameterSet(&'static str),
    /// Annex B carries H.264 and H.265 only.
    #[error("{0:?} is not carried as Annex B")]
    NotAnnexB(Codec),
}

/// One picture.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    /// Without start codes and without parameter sets. One JPEG for MJPEG.
    pub(super) units: Vec<Bytes>,
    pub(super) keyframe: bool,
}

/// A short piece of video that a camera repeats for ever. Share it: it holds its RTP packets, made once.
#[derive(Debug)]
pub struct Clip {
    codec: Codec,
    fps: u32,
    pictures: Vec<Picture>,
    /// Other takes of the first picture: the same scene with other sensor noise.
    takes: Vec<Picture>,
    /// In the order of the stream: (VPS,) SPS, PPS.
    parameter_sets: Vec<Bytes>,
    packets: OnceLock<Packets>,
}

/// RTP templates of every picture of a clip.
#[derive(Debug)]
pub(super) struct Packets {
    /// As the pictures are, without parameter sets.
    pub(super) bare: Vec<FrameTemplate>,
    /// The first picture and its other takes.
    pub(super) takes: Vec<FrameTemplate>,
    /// The same with parameter sets before them.
    pub(super) takes_with_sets: Vec<FrameTemplate>,
}

impl Clip {
    /// Reads a raw H.264 or H.265 stream (ITU-T H.264 / H.265 Annex B) that begins with a keyframe. `fps` is pictures
    /// a second. Keyframes at its end, with no other picture behind them, are other takes of its first picture.
    ///
    /// # Errors
    /// [`ClipError`] when there is nothing in it that a camera could send.
    pub fn from_annex_b(codec: Codec, stream: impl Into<Bytes>, fps: u32) -> Result<Arc<Self>, ClipError> {
        if codec == Codec::Mjpeg {
            return Err(ClipError::NotAnnexB(codec));
        }
        let stream = stream.into();
        let mut pictures: Vec<Picture> = Vec::new();
        let mut sets: Vec<Bytes> = Vec::new();
        for unit in split_annex_b(&stream) {
            match UnitKind::of(codec, &unit) {
                UnitKind::ParameterSet => {
                    if !sets.contains(&unit) {
                        sets.push(unit);
                    }
                }
                UnitKind::Slice { first: true, keyframe } => pictures.push(Picture { units: vec![unit], keyframe }),
                UnitKind::Slice { first: false, .. } => {
                    pictures.last_mut().ok_or(ClipError::NoKeyframe)?.units.push(unit);
                }
                UnitKind::Other => {}
            }
        }
        match pictures.first() {
            None => return Err(ClipError::Empty),
            Some(first) if !first.keyframe => return Err(ClipError::NoKeyframe),
            Some(_) => {}
        }
        let needed: &[(u8, &str)] = match codec {
            Codec::H264 => &[(7, "SPS"), (8, "PPS")],
            _ => &[(32, "VPS"), (33, "SPS"), (34, "PPS")],
        };
        for (kind, name) in needed {
            if !sets.iter().any(|s| unit_type(codec, s) == *kind) {
                return Err(ClipError::NoParameterSet(name));
            }
        }
        let last_delta = pictures.iter().rposition(|picture| !picture.keyframe);
        let takes = last_delta.map_or_else(Vec::new, |last| pictures.split_off(last + 1));
        Ok(Arc::new(Self { codec, fps: fps.max(1), pictures, takes, parameter_sets: sets, packets: OnceLock::new() }))
    }

    /// Reads JPEG pictures one behind the other. `fps` is pictures a second.
    ///
    /// # Errors
    /// [`ClipError::Empty`] when there is none.
    pub fn from_jpegs(pictures: impl Into<Bytes>, fps: u32) -> Result<Arc<Self>, ClipError> {
        let stream = pictures.into();
        // EOI before SOI: within a picture an EOI marker cannot occur, 0xff is stuffed there (ITU-T T.81 B.1.1.5).
        let mut starts: Vec<usize> = if stream.starts_with(&[0xff, 0xd8]) { vec![0] } else { vec![] };
        starts.extend(
            stream.windows(4).enumerate().filter(|(_, w)| *w == [0xff, 0xd9, 0xff, 0xd8]).map(|(at, _)| at + 2),
        );
        let ends = starts.iter().skip(1).copied().chain([stream.len()]);
        let pictures: Vec<Picture> = starts
            .iter()
            .zip(ends)
            .map(|(start, end)| Picture { units: vec![stream.slice(*start..end)], keyframe: true })
            .collect();
        if pictures.is_empty() {
            return Err(ClipError::Empty);
        }
        let packets = OnceLock::new();
        let fps = fps.max(1);
        let (takes, parameter_sets) = (Vec::new(), Vec::new());
        Ok(Arc::new(Self { codec: Codec::Mjpeg, fps, pictures, takes, parameter_sets, packets }))
    }

    /// Its codec.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Pictures a second.
    pub fn fps(&self) -> u32 {
        self.fps
    }

    /// How many pictures it has.
    pub fn len(&self) -> usize {
        self.pictures.len()
    }

    /// Never: an empty clip cannot be made.
    pub fn is_empty(&self) -> bool {
        self.pictures.is_empty()
    }

    pub(super) fn pictures(&self) -> &[Picture] {
        &self.pictures
    }

    /// Those of one kind (NAL unit type).
    pub(super) fn parameter_sets(&self, kind: u8) -> impl Iterator<Item = &Bytes> {
        self.parameter_sets.iter().filter(move |set| unit_type(self.codec, set) == kind)
    }

    /// The RTP packets, made at the first call.
    pub(super) fn packets(&self) -> &Packets {
        self.packets.get_or_init(|| {
            let takes = || self.pictures.iter().take(1).chain(&self.takes);
            let with_sets =
                |picture: &Picture| -> Vec<Bytes> { [&self.parameter_sets[..], &picture.units[..]].concat() };
            Packets {
                bare: self.pictures.iter().map(|p| packetise(self.codec, &p.units)).collect(),
                takes: takes().map(|p| packetise(self.codec, &p.units)).collect(),
                takes_with_sets: takes().map(|p| packetise(self.codec, &with_sets(p))).collect(),
            }
        })
    }
}

/// What a NAL unit is to the simulator.
#[derive(Debug, PartialEq, Eq)]
enum UnitKind {
    ParameterSet,
    Slice { first: bool, keyframe: bool },
    Other,
}

impl UnitKind {
    fn of(codec: Codec, unit: &[u8]) -> Self {
        let kind = unit_type(codec, unit);
        // first_mb_in_slice is ue(v): zero is the single bit 1. H.265: first_slice_segment_in_pic_flag.
        let first = |header: usize| unit.get(header).is_some_and(|b| b & 0x80 != 0);
        match (codec, kind) {
            (Codec::H264, 7 | 8) | (Codec::H265, 32..=34) => Self::ParameterSet,
            (Codec::H264, 1 | 5) => Self::Slice { first: first(1), keyframe: kind == 5 },
            // 16 to 23: IRAP pictures.
            (Codec::H265, 0..=31) => Self::Slice { first: first(2), keyframe: (16..24).contains(&kind) },
            _ => Self::Other,
        }
    }
}

/// NAL unit type: ITU-T H.264 section 7.3.1, H.265 section 7.3.1.2.
fn unit_type(codec: Codec, unit: &[u8]) -> u8 {
    let header = unit.first().copied().unwrap_or_default();
    if codec == Codec::H264 { header & 0x1f } else { header >> 1 & 0x3f }
}

/// The NAL units between start codes.
fn split_annex_b(stream: &Bytes) -> Vec<Bytes> {
    let mut starts: Vec<usize> = Vec::new();
    let mut at = 0;
    while let Some(found) = stream.get(at..).and_then(|rest| rest.windows(3).position(|w| w == [0, 0, 1])) {
        starts.push(at + found + 3);
        at += found + 3;
    }
    let ends = starts.iter().skip(1).map(|next| next - 3).chain([stream.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| {
            let unit = stream.slice(*start..end);
            // trailing_zero_8bits, and the fourth byte of the next start code.
            let zeros = unit.iter().rev().take_while(|b| **b == 0).count();
            unit.slice(..unit.len() - zeros)
        })
        .filter(|unit| !unit.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annex_b_splits_into_pictures() {
        // SPS, PPS, IDR in two slices, P; three- and four-byte start codes.
        let stream: &[u8] = &[
            0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3, 0, 0, 1, 0x65, 0x88, 9, 0, 0, 1, 0x65, 0x40, 8, 0, 0, 0, 1,
            0x41, 0x9a, 7, 0, 0,
        ];
        let clip = Clip::from_annex_b(Codec::H264, stream, 25).expect("clip");
        let units: Vec<Vec<&[u8]>> =
            clip.pictures.iter().map(|p| p.units.iter().map(|u| u.as_ref()).collect()).collect();
        assert_eq!(units, [vec![&[0x65, 0x88, 9][..], &[0x65, 0x40, 8]], vec![&[0x41, 0x9a, 7]]]);
        assert_eq!(clip.pictures.iter().map(|p| p.keyframe).collect::<Vec<_>>(), [true, false]);
        assert_eq!(clip.parameter_sets, [&[0x67, 1, 2][..], &[0x68, 3]]);
    }

    #[test]
    fn what_no_camera_could_send_is_refused() {
        let clip = |bytes: &'static [u8]| Clip::from_annex_b(Codec::H264, bytes, 25).expect_err("no clip");
        assert_eq!(clip(b"hello"), ClipError::Empty);
        assert_eq!(clip(&[0, 0, 1, 0x41, 0x9a]), ClipError::NoKeyframe);
        assert_eq!(clip(&[0, 0, 1, 0x65, 0x88]), ClipError::NoParameterSet("SPS"));
        assert_eq!(Clip::from_jpegs(&b"GIF89a"[..], 10).expect_err("no clip"), ClipError::Empty);
    }

    #[test]
    fn jpegs_split_at_their_markers() {
        let clip = Clip::from_jpegs(&[0xff, 0xd8, 1, 0xff, 0xd9, 0xff, 0xd8, 2, 0xff, 0xd9][..], 10).expect("clip");
        assert_eq!(clip.len(), 2);
        assert_eq!(clip.pictures[1].units[0].as_ref(), [0xff, 0xd8, 2, 0xff, 0xd9]);
    }

    #[test]
    fn the_fixtures_are_clips_of_two_seconds() {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/clips");
        let mut slices = std::collections::BTreeMap::new();
        for entry in std::fs::read_dir(dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            let clip = Clip::from_annex_b(Codec::H264, std::fs::read(&path).expect("a file"), 25).expect("a clip");
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            assert_eq!(clip.len(), 50, "{name}");
            assert!(clip.pictures[1..].iter().all(|p| !p.keyframe), "{name}");
            slices.insert(name, clip.pictures[0].units.len());
        }
        let expected = ["bench-1080p", "bframes", "bt601", "fullrange", "interlaced", "odd-322x182", "odd-426x242"];
        let expected = expected.into_iter().map(|n| (n, 1)).chain([("slices", 4)]);
        assert_eq!(slices, expected.map(|(n, count)| (n.to_owned(), count)).collect());
    }
}
