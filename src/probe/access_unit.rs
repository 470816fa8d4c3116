//! Is this access unit really a picture that needs no other? Read from its bytes, because parsers differ in what they
//! flag: a P picture with one intra slice is not a keyframe, and decoded alone it is grey mush.

/// True when the H.264 access unit (Annex B) can be decoded alone: it holds slices, and each is of an IDR picture
/// (ITU-T H.264 table 7-1, type 5) or is an I slice (table 7-6).
pub fn h264_is_keyframe(annex_b: &[u8]) -> bool {
    let mut slices = 0;
    for unit in nal_units(annex_b) {
        match unit.first().map(|header| header & 0x1f) {
            Some(5) => slices += 1,
            Some(1 | 2) if h264_slice_is_intra(&unit[1..]) != Some(true) => return false,
            Some(1 | 2) => slices += 1,
            _ => {}
        }
    }
    slices > 0
}

/// Whether the slice whose header begins here needs no other picture: `first_mb_in_slice` ue(v), then `slice_type` ue(v), of
/// which 2 and 7 are I, 4 and 9 are SI (ITU-T H.264 section 7.3.3 and table 7-6). `None` when it is cut short.
pub fn h264_slice_is_intra(slice_header: &[u8]) -> Option<bool> {
    let mut bits = Bits::new(slice_header);
    bits.unsigned_exp_golomb()?;
    Some(matches!(bits.unsigned_exp_golomb()?, 2 | 4 | 7 | 9))
}

/// True when the H.265 access unit (Annex B) is an intra random access point (ITU-T H.265 table 7-1, types 16 to 21).
pub fn h265_is_keyframe(annex_b: &[u8]) -> bool {
    let mut slices = 0;
    for unit in nal_units(annex_b) {
        match unit.first().map(|header| (header >> 1) & 0x3f) {
            Some(16..=21) => slices += 1,
            Some(0..=15) => return false,
            _ => {}
        }
    }
    slices > 0
}

/// The NAL units of a byte stream, without their start codes.
pub(super) fn nal_units(annex_b: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = next_start(annex_b).map(|(_, after)| &annex_b[after..]);
    std::iter::from_fn(move || {
        let current = rest?;
        match next_start(current) {
            Some((start, after)) => {
                rest = Some(&current[after..]);
                Some(&current[..start])
            }
            None => {
                rest = None;
                Some(current)
            }
        }
    })
}

/// Where the next `00 00 01` begins and ends.
fn next_start(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        // Coded data is dense in non-zero bytes: looking for the 01 first is the quick way.
        let one = from + bytes[from..].iter().position(|&b| b == 1)?;
        if one >= 2 && bytes[one - 1] == 0 && bytes[one - 2] == 0 {
            return Some((one - 2, one + 1));
        }
        from = one + 1;
    }
}

/// Bits of a raw byte sequence payload, emulation prevention bytes left out (H.264 section 7.4.1).
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    position: usize,
    zeros: usize,
    left: u32,
    current: u8,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0, zeros: 0, left: 0, current: 0 }
    }

    /// u(1).
    pub(super) fn bit(&mut self) -> Option<u32> {
        if self.left == 0 {
            let mut byte = *self.bytes.get(self.position)?;
            if self.zeros >= 2 && byte == 3 {
                self.position += 1;
                self.zeros = 0;
                byte = *self.bytes.get(self.position)?;
            }
            self.zeros = if byte == 0 { self.zeros + 1 } else { 0 };
            self.position += 1;
            self.current = byte;
            self.left = 8;
        }
        self.left -= 1;
        Some(u32::from(self.current >> self.left) & 1)
    }

    /// u(n), at most 32 bits.
    pub(super) fn number(&mut self, bits: u32) -> Option<u32> {
        (0..bits).try_fold(0, |value, _| Some(value << 1 | self.bit()?))
    }

    /// Passes so many bits.
    pub(super) fn skip(&mut self, bits: u32) -> Option<()> {
        (0..bits).try_for_each(|_| self.bit().map(|_| ()))
    }

    /// se(v), section 9.1.1.
    pub(super) fn signed_exp_golomb(&mut self) -> Option<i64> {
        let code = i64::from(self.unsigned_exp_golomb()?);
        Some(if code % 2 == 0 { -code / 2 } else { (code + 1) / 2 })
    }

    /// ue(v), section 9.1; `None` past the end or beyond 32 bits.
    pub(super) fn unsigned_exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let mut value = 1_u64;
        for _ in 0..zeros {
            value = (value << 1) | u64::from(self.bit()?);
        }
        u32::try_from(value - 1).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: [u8; 5] = [0, 0, 0, 1, 0x67];
    // first_mb_in_slice 0 = `1`; slice_type 7 (I) = `0001000`; 5 (P) = `00110`.
    const IDR: [u8; 5] = [0, 0, 1, 0x65, 0b1000_1000];
    const I_SLICE: [u8; 5] = [0, 0, 1, 0x41, 0b1000_1000];
    const P_SLICE: [u8; 5] = [0, 0, 1, 0x41, 0b1001_1000];

    #[test]
    fn only_what_decodes_alone_is_a_keyframe() {
        assert!(h264_is_keyframe(&[&SPS[..], &IDR, &IDR].concat()));
        assert!(h264_is_keyframe(&I_SLICE));
        assert!(!h264_is_keyframe(&P_SLICE));
        assert!(!h264_is_keyframe(&[&I_SLICE[..], &P_SLICE].concat()), "one intra slice of a P picture");
        assert!(!h264_is_keyframe(&SPS), "parameter sets alone");
        assert!(!h264_is_keyframe(&[]));
        assert!(!h264_is_keyframe(&[0, 0, 1, 0x41]), "cut short");
    }

    #[test]
    fn h265_random_access_points() {
        let unit = |kind: u8| [0, 0, 1, kind << 1, 1, 0x80];
        assert!(h265_is_keyframe(&[unit(32), unit(33), unit(34), unit(19)].concat()));
        assert!(h265_is_keyframe(&unit(21)), "CRA");
        assert!(!h265_is_keyframe(&unit(1)));
        assert!(!h265_is_keyframe(&unit(33)));
    }

    #[test]
    fn emulation_prevention_is_left_out() {
        // Three zero bytes of a very long code hold an emulation prevention byte between them.
        let mut bits = Bits::new(&[0, 0, 3, 0, 0b0100_0000, 0, 0, 3, 0, 0]);
        assert_eq!(bits.unsigned_exp_golomb(), Some((1 << 25) - 1));
    }
}
