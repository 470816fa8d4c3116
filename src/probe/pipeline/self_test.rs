//! Does a decoder give the known picture of a known keyframe? Hardware decoders have come with drivers that answer, and
//! answer with another picture (SAND formats: raspberrypi/linux#7137, #7363).
//!
//! `tests/fixtures/make-clips.sh` makes the keyframes, and their picture shrunk to 8×8, with ffmpeg.

use std::time::Duration;

use gstreamer as gst;

use super::decode::{Picture, Slot};
use crate::model::Codec;
use crate::probe::decoders::Flaw;
use crate::probe::picture::{Decoded, Plane};

/// A test pattern, one IDR picture of main profile, 4:2:0, BT.709, limited range.
const H264: &[u8] = include_bytes!("self_test/keyframe.h264");
/// The same pattern in H.265 main profile.
const H265: &[u8] = include_bytes!("self_test/keyframe.h265");
const WIDTH_PX: i32 = 640;
const HEIGHT_PX: i32 = 368;

/// I420, 8×8: each sample is the mean of a box of the picture.
const KNOWN: &[u8; 96] = include_bytes!("self_test/picture.yuv");
/// Across and down in the known picture's luma; chroma has half of it.
const BOXES: usize = 8;
/// Two encoders differ by 1; a stripe out of place by tens.
const TOLERANCE: u8 = 4;

/// The known keyframe as a camera's would come; `None` when there is none for this codec.
pub fn keyframe(codec: Codec) -> Option<gst::Sample> {
    let (name, profile, bytes) = match codec {
        Codec::H264 => ("video/x-h264", "main", H264),
        Codec::H265 => ("video/x-h265", "main", H265),
        Codec::Mjpeg => return None,
    };
    // As h264parse and h265parse write them: some decoders look at the level before they look at the data.
    let caps = gst::Caps::builder(name)
        .field("stream-format", "byte-stream")
        .field("alignment", "au")
        .field("profile", profile)
        .field("level", if codec == Codec::H264 { "3" } else { "2.1" })
        .field("width", WIDTH_PX)
        .field("height", HEIGHT_PX)
        .field("framerate", gst::Fraction::new(25, 1))
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .field("interlace-mode", "progressive")
        .field("chroma-format", "4:2:0")
        .field("bit-depth-luma", 8_u32)
        .field("bit-depth-chroma", 8_u32)
        .field("colorimetry", "bt709")
        .field("parsed", true);
    let caps = if codec == Codec::H265 { caps.field("tier", "main") } else { caps }.build();
    Some(gst::Sample::builder().buffer(&gst::Buffer::from_slice(bytes)).caps(&caps).build())
}

/// Decodes the known keyframe twice, since the second one meets a drained decoder.
///
/// # Errors
/// What was wrong.
pub fn run(slot: &mut Slot, limit: Duration) -> Result<(), Flaw> {
    let keyframe = keyframe(slot.codec()).ok_or(Flaw::Format)?;
    if !slot.takes(&keyframe) {
        return Err(Flaw::Format);
    }
    for _ in 0..2 {
        let picture = slot.decode_within(&keyframe, limit)?.copied()?;
        if !is_known(&picture)? {
            return Err(Flaw::Wrong);
        }
    }
    Ok(())
}

fn is_known(picture: &Picture) -> Result<bool, Flaw> {
    if (picture.width(), picture.height()) != (WIDTH_PX.unsigned_abs(), HEIGHT_PX.unsigned_abs()) {
        return Ok(false);
    }
    let means = picture.planes(means).ok_or(Flaw::Unreadable)?;
    Ok(means.len() == KNOWN.len() && means.iter().zip(KNOWN).all(|(mean, known)| mean.abs_diff(*known) <= TOLERANCE))
}

/// The picture shrunk to the form of [`KNOWN`].
fn means(decoded: &Decoded<'_>) -> Vec<u8> {
    let mut means = box_means(&decoded.luma, BOXES);
    if let Some((cb, cr)) = &decoded.chroma {
        means.extend(box_means(cb, BOXES / 2));
        means.extend(box_means(cr, BOXES / 2));
    }
    means
}

fn box_means(plane: &Plane<'_>, boxes: usize) -> Vec<u8> {
    let (across, down) = (plane.width / boxes, plane.height / boxes);
    let mean = |box_x: usize, box_y: usize| {
        let samples = (box_y * down..(box_y + 1) * down).flat_map(|y| {
            (box_x * across..(box_x + 1) * across)
                .map(move |x| plane.data.get(y * plane.stride_bytes + x * plane.step_bytes).copied().unwrap_or(0))
        });
        let sum: u64 = samples.map(u64::from).sum();
        (sum / (across * down).max(1) as u64) as u8
    };
    (0..boxes * boxes).map(|index| mean(index % boxes, index / boxes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn a_good_decoder_passes_every_time() {
        super::super::init().unwrap();
        for codec in [Codec::H264, Codec::H265] {
            let mut slot = Slot::new(codec).unwrap();
            for _ in 0..3 {
                assert_eq!(run(&mut slot, LIMIT), Ok(()), "{codec:?}");
            }
            slot.restart().unwrap();
            assert_eq!(run(&mut slot, LIMIT), Ok(()), "{codec:?}, begun anew");
        }
        assert!(keyframe(Codec::Mjpeg).is_none());
    }

    /// Every box matters: a picture of which one stripe is out of place is another picture.
    #[test]
    fn another_picture_is_not_the_known_one() {
        super::super::init().unwrap();
        let mut slot = Slot::new(Codec::H264).unwrap();
        let picture = slot.decode(&keyframe(Codec::H264).unwrap()).unwrap();
        let shown = picture.planes(means).unwrap();
        assert_eq!(shown.len(), KNOWN.len());
        let moved = picture.planes(|decoded| {
            let shifted = Plane { data: &decoded.luma.data[128..], ..decoded.luma };
            means(&Decoded { luma: shifted, ..*decoded })
        });
        let moved = moved.unwrap();
        let differ = moved.iter().zip(KNOWN).filter(|(mean, known)| mean.abs_diff(**known) > TOLERANCE).count();
        assert!(differ > 30, "{differ}");
    }
}
