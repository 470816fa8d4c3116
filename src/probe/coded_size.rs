//! How much work a keyframe would be, read from its bytes before anything decodes them. What a parser tells is the size
//! after cropping, of the parameter sets it read last; a decoder takes those that the slices name, uncropped.

use super::access_unit::{Bits, nal_units};
use crate::model::Codec;

/// A JPEG with more scans is refused. Progressive ones have about ten; each costs a pass over the whole picture, and takes
/// ten bytes in the file.
const MAX_JPEG_SCANS: usize = 100;

/// Why a keyframe is not given to a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It has more pixels than that: width and height.
    TooLarge((u32, u32)),
    /// It is made to keep a decoder busy.
    Bomb,
}

/// Looks at every size that is written in the access unit (Annex B) or JPEG.
///
/// # Errors
/// [`Refusal`] when one of them has more than so many pixels, or when a JPEG has a pass too many.
pub fn check(codec: Codec, bytes: &[u8], max_pixels: u64) -> Result<(), Refusal> {
    let sizes: Vec<(u32, u32)> = match codec {
        Codec::H264 => nal_units(bytes).filter_map(h264_size).collect(),
        Codec::H265 => nal_units(bytes).filter_map(h265_size).collect(),
        Codec::Mjpeg => {
            let (sizes, scans) = jpeg_sizes_and_scans(bytes);
            if scans > MAX_JPEG_SCANS {
                return Err(Refusal::Bomb);
            }
            sizes
        }
    };
    let largest = sizes.into_iter().max_by_key(|size| pixels(*size));
    match largest {
        Some(size) if pixels(size) > max_pixels => Err(Refusal::TooLarge(size)),
        _ => Ok(()),
    }
}

fn pixels((width, height): (u32, u32)) -> u64 {
    u64::from(width) * u64::from(height)
}

/// Coded size of a sequence parameter set (ITU-T H.264 section 7.3.2.1.1), `None` for other units and those cut short.
fn h264_size(unit: &[u8]) -> Option<(u32, u32)> {
    const SPS: u8 = 7;
    // The profiles whose sets say more of the samples.
    const HIGH: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
    let (header, rest) = unit.split_first()?;
    if header & 0x1f != SPS {
        return None;
    }
    let mut bits = Bits::new(rest);
    let profile = bits.number(8)?;
    bits.skip(16)?;
    bits.unsigned_exp_golomb()?;
    if HIGH.contains(&profile) {
        let chroma_format = bits.unsigned_exp_golomb()?;
        if chroma_format == 3 {
            bits.skip(1)?;
        }
        bits.unsigned_exp_golomb()?;
        bits.unsigned_exp_golomb()?;
        bits.skip(1)?;
        if bits.bit()? == 1 {
            for list in 0..if chroma_format == 3 { 12 } else { 8 } {
                if bits.bit()? == 1 {
                    pass_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.unsigned_exp_golomb()?;
    match bits.unsigned_exp_golomb()? {
        0 => _ = bits.unsigned_exp_golomb()?,
        1 => {
            bits.skip(1)?;
            bits.signed_exp_golomb()?;
            bits.signed_exp_golomb()?;
            for _ in 0..bits.unsigned_exp_golomb()?.min(255) {
                bits.signed_exp_golomb()?;
            }
        }
        _ => {}
    }
    bits.unsigned_exp_golomb()?;
    bits.skip(1)?;
    let width_in_macroblocks = bits.unsigned_exp_golomb()?.checked_add(1)?;
    let height_in_map_units = bits.unsigned_exp_golomb()?.checked_add(1)?;
    let fields = 2 - bits.bit()?;
    Some((width_in_macroblocks.saturating_mul(16), height_in_map_units.saturating_mul(16 * fields)))
}

/// scaling_list(), section 7.3.2.1.1.1.
fn pass_scaling_list(bits: &mut Bits<'_>, size: usize) -> Option<()> {
    let (mut last, mut next) = (8, 8);
    for _ in 0..size {
        if next != 0 {
            next = (last + bits.signed_exp_golomb()?).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

/// Coded size of a sequence parameter set (ITU-T H.265 section 7.3.2.2.1), `None` for other units and those cut short.
fn h265_size(unit: &[u8]) -> Option<(u32, u32)> {
    const SPS: u8 = 33;
    let (header, rest) = unit.split_at_checked(2)?;
    if header[0] >> 1 & 0x3f != SPS {
        return None;
    }
    let mut bits = Bits::new(rest);
    bits.skip(4)?;
    let sub_layers = bits.number(3)?;
    bits.skip(1)?;
    // profile_tier_level(), section 7.3.3: 88 bits of profile, 8 of level.
    bits.skip(96)?;
    let mut present = Vec::new();
    for _ in 0..sub_layers {
        present.push((bits.bit()?, bits.bit()?));
    }
    if sub_layers > 0 {
        bits.skip(2 * (8 - sub_layers))?;
    }
    for (profile, level) in present {
        bits.skip(88 * profile + 8 * level)?;
    }
    bits.unsigned_exp_golomb()?;
    if bits.unsigned_exp_golomb()? == 3 {
        bits.skip(1)?;
    }
    Some((bits.unsigned_exp_golomb()?, bits.unsigned_exp_golomb()?))
}

/// The sizes in a JPEG's frame headers, and how many scans it has (ITU-T T.81 annex B).
fn jpeg_sizes_and_scans(jpeg: &[u8]) -> (Vec<(u32, u32)>, usize) {
    let (mut sizes, mut scans) = (Vec::new(), 0);
    let mut at = 0;
    // The next marker: in coded data FF is followed by 00, or by a restart marker, or by more FF.
    while let Some(found) = jpeg.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == 0xff)) {
        at += found + 1;
        let Some(&marker) = jpeg.get(at) else { break };
        match marker {
            0xff => continue,
            0x00 | 0x01 | 0xd0..=0xd9 => {
                at += 1;
                continue;
            }
            0xda => scans += 1,
            // SOF0 to SOF15, without DHT, JPG and DAC.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                if let Some(&[height_high, height_low, width_high, width_low]) = jpeg.get(at + 4..at + 8) {
                    let number = |high, low| u32::from(u16::from_be_bytes([high, low]));
                    sizes.push((number(width_high, width_low), number(height_high, height_low)));
                }
            }
            _ => {}
        }
        // Thumbnails in segments are passed with them.
        let length = jpeg.get(at + 1..at + 3).map_or(0, |length| u16::from_be_bytes([length[0], length[1]]));
        at += 1 + usize::from(length);
    }
    (sizes, scans)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes the codes of a parameter set.
    #[derive(Default)]
    struct Writer(Vec<bool>);

    impl Writer {
        fn bits(mut self, count: u32, value: u64) -> Self {
            self.0.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
            self
        }

        fn ue(self, value: u64) -> Self {
            let length = (value + 1).ilog2();
            self.bits(length, 0).bits(length + 1, value + 1)
        }

        fn unit(self, header: &[u8]) -> Vec<u8> {
            let mut unit = [&[0, 0, 1], header].concat();
            for byte in self.bits(8, 0x80).0.chunks(8) {
                let byte = byte.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
                if unit.ends_with(&[0, 0]) && byte <= 3 {
                    unit.push(3);
                }
                unit.push(byte);
            }
            unit
        }
    }

    /// Of the main profile, in macroblocks.
    fn sps(id: u64, width: u64, height: u64) -> Vec<u8> {
        let start = Writer::default().bits(8, 77).bits(16, 40).ue(id).ue(0).ue(2);
        start.ue(1).bits(1, 0).ue(width - 1).ue(height - 1).bits(1, 1).unit(&[0x67])
    }

    #[test]
    fn every_size_counts_not_the_last_one() {
        let both = [sps(0, 1024, 1024), sps(1, 4, 4)].concat();
        assert_eq!(check(Codec::H264, &both, 40_000_000), Err(Refusal::TooLarge((16_384, 16_384))));
        assert_eq!(check(Codec::H264, &sps(1, 4, 4), 4_096), Ok(()));
        assert_eq!(check(Codec::H264, &sps(1, 4, 4), 4_095), Err(Refusal::TooLarge((64, 64))));
    }

    #[test]
    fn scaling_lists_and_fields_are_passed() {
        let start = Writer::default().bits(8, 100).bits(16, 40).ue(0).ue(1).ue(0).ue(0).bits(1, 0).bits(1, 1);
        // The first list in full, in steps of nothing; the second ends at once, by a step of -8; six others are absent.
        let lists = (0..16).fold(start.bits(1, 1), |start, _| start.ue(0)).bits(1, 1).ue(16).bits(6, 0);
        // Picture order by cycle, of two; interlaced.
        let order = lists.ue(0).ue(1).bits(1, 0).ue(0).ue(0).ue(2).ue(3).ue(4);
        let unit = order.ue(1).bits(1, 0).ue(119).ue(33).bits(1, 0).unit(&[0x67]);
        assert_eq!(nal_units(&unit).find_map(h264_size), Some((1920, 1088)));
        assert_eq!(nal_units(&unit[..12]).find_map(h264_size), None, "cut short");
    }

    #[test]
    fn sub_layers_of_h265_are_passed() {
        let start = Writer::default().bits(4, 0).bits(3, 2).bits(1, 1).bits(64, 1).bits(32, 93);
        let layers = start.bits(4, 0b1101).bits(12, 0).bits(64, 0).bits(24, 0).bits(8, 1).bits(8, 1);
        let unit = layers.ue(0).ue(3).bits(1, 0).ue(7680).ue(4320).unit(&[66, 1]);
        assert_eq!(nal_units(&unit).find_map(h265_size), Some((7680, 4320)));
    }

    #[test]
    fn sizes_of_clips() {
        let sizes = |clip: &[u8], size: fn(&[u8]) -> Option<(u32, u32)>| nal_units(clip).filter_map(size).next();
        assert_eq!(sizes(include_bytes!("../simulator/clips/gate.h264"), h264_size), Some((640, 368)));
        assert_eq!(sizes(include_bytes!("../simulator/clips/pattern-720p.h264"), h264_size), Some((1280, 720)));
        assert_eq!(sizes(include_bytes!("../simulator/clips/pattern-720p.h265"), h265_size), Some((1280, 720)));
    }

    /// Frame header, a segment that holds a thumbnail, scans.
    fn jpeg(width: u16, height: u16, scans: usize) -> Vec<u8> {
        let [wh, wl] = width.to_be_bytes();
        let [hh, hl] = height.to_be_bytes();
        let mut jpeg = vec![0xff, 0xd8, 0xff, 0xe1, 0, 10, 0xff, 0xc0, 0, 8, 8, 0xff, 0xff, 0xff];
        jpeg.extend([0xff, 0xc2, 0, 8, 8, hh, hl, wh, wl, 1]);
        for _ in 0..scans {
            jpeg.extend([0xff, 0xda, 0, 4, 1, 0, 0x12, 0xff, 0, 0xff, 0xd0, 0x34]);
        }
        jpeg.extend([0xff, 0xd9]);
        jpeg
    }

    #[test]
    fn sizes_and_scans_of_a_jpeg() {
        assert_eq!(jpeg_sizes_and_scans(&jpeg(640, 360, 7)), (vec![(640, 360)], 7));
        assert_eq!(check(Codec::Mjpeg, &jpeg(640, 360, MAX_JPEG_SCANS), 1_000_000), Ok(()));
        assert_eq!(check(Codec::Mjpeg, &jpeg(640, 360, MAX_JPEG_SCANS + 1), 1_000_000), Err(Refusal::Bomb));
        assert_eq!(check(Codec::Mjpeg, &jpeg(640, 360, 1), 1), Err(Refusal::TooLarge((640, 360))));
        assert_eq!(check(Codec::Mjpeg, &[0xff, 0xd8, 0xff, 0xc0, 0], 1), Ok(()), "cut short");
    }
}
