//! Fragments of one unit (RFC 6184 section 5.8, RFC 7798 section 4.4.3) that came at once, as one fragment: what is behind is
//! paid for by the packet, and a keyframe has some forty of them. Over TCP a packet may be as long as its length can say.
//!
//! Only what is beyond doubt is joined: fragments that follow one another, of the same picture and the same unit. Pure.

use crate::model::Codec;

/// Sign, channel and length before an interleaved packet (RFC 2326 section 10.12).
pub const FRAME_HEAD_BYTES: usize = 4;

/// Before the payload: no padding, extension or contributing sources (RFC 3550 section 5.1).
const RTP_HEAD_BYTES: usize = 12;
const PLAIN: u8 = 0x80;
const MARKER: u8 = 0x80;

/// In the header of a fragment.
const FIRST: u8 = 0x80;
const LAST: u8 = 0x40;

/// A fragment that others may be joined to: the newest of what passed.
#[derive(Debug)]
pub struct Growing {
    /// Where its frame begins.
    at: usize,
    /// Sequence number of what was joined last, as the camera gave it.
    number: u16,
    /// Headers before the fragment itself.
    head_bytes: usize,
}

impl Growing {
    /// When this frame, which comes to stand at `at`, is a fragment that others follow.
    pub fn begin(at: usize, frame: &[u8], codec: Codec) -> Option<Self> {
        const FU_A: u8 = 28;
        const FU: u8 = 49;
        let packet = frame.get(FRAME_HEAD_BYTES..)?;
        let kind = *packet.get(RTP_HEAD_BYTES)?;
        let head_bytes = RTP_HEAD_BYTES
            + match codec {
                Codec::H264 if kind & 0x1f == FU_A => 2,
                Codec::H265 if (kind >> 1) & 0x3f == FU => 3,
                _ => return None,
            };
        let fragment = *packet.get(head_bytes - 1)?;
        (packet[0] == PLAIN && fragment & LAST == 0).then(|| Self { at, number: number(packet), head_bytes })
    }

    /// Joins what is in this frame to it, when it goes on with it. Gives what more may be joined to, and whether it was.
    pub fn join(self, passed: &mut Vec<u8>, frame: &[u8]) -> (Option<Self>, bool) {
        let (Some(before), Some(packet)) = (passed.get_mut(self.at..), frame.get(FRAME_HEAD_BYTES..)) else {
            return (None, false);
        };
        let head_bytes = self.head_bytes;
        let (Some(fragment), [_, marker, ..]) = (packet.get(head_bytes..), packet) else { return (None, false) };
        let length = u16::try_from(before.len() - FRAME_HEAD_BYTES + fragment.len());
        let (Ok(length), true) = (length, self.goes_on(before, frame)) else { return (None, false) };
        let last = packet[head_bytes - 1] & LAST;
        before[2..FRAME_HEAD_BYTES].copy_from_slice(&length.to_be_bytes());
        before[FRAME_HEAD_BYTES + 1] |= marker & MARKER;
        before[FRAME_HEAD_BYTES + head_bytes - 1] |= last;
        passed.extend_from_slice(fragment);
        let more = last == 0 && marker & MARKER == 0;
        (more.then(|| Self { number: number(packet), ..self }), true)
    }

    /// The next packet of the same channel, source and picture, with the same headers, that begins nothing.
    fn goes_on(&self, before: &[u8], frame: &[u8]) -> bool {
        let (old, new) = (&before[FRAME_HEAD_BYTES..], &frame[FRAME_HEAD_BYTES..]);
        let fragment = self.head_bytes - 1;
        before[1] == frame[1]
            && new[0] == PLAIN
            && old[1] & !MARKER == new[1] & !MARKER
            && number(new) == self.number.wrapping_add(1)
            && old[4..fragment] == new[4..fragment]
            && new[fragment] & FIRST == 0
            && old[fragment] & !(FIRST | LAST) == new[fragment] & !LAST
    }
}

/// Of a packet, which has its whole head.
fn number(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[2], packet[3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: u16, marker: u8, payload: &[u8]) -> Vec<u8> {
        let [high, low] = number.to_be_bytes();
        let packet = [&[0x80, 96 | marker, high, low, 0, 0, 0, 7, 0, 0, 0, 9][..], payload].concat();
        [&[b'$', 2, 0, packet.len() as u8][..], &packet].concat()
    }

    /// What two frames become, and whether a third may follow.
    fn joined(codec: Codec, first: &[u8], second: &[u8]) -> Option<(Vec<u8>, bool)> {
        let mut passed = [b"before", first].concat();
        let (more, is_joined) = Growing::begin(6, first, codec)?.join(&mut passed, second);
        is_joined.then(|| (passed.split_off(6), more.is_some()))
    }

    #[test]
    fn fragments_of_one_unit_become_one() {
        let first = frame(65_535, 0, &[0x7c, 0x85, 1, 2]);
        let middle = joined(Codec::H264, &first, &frame(0, 0, &[0x7c, 0x05, 3]));
        assert_eq!(middle, Some((frame(65_535, 0, &[0x7c, 0x85, 1, 2, 3]), true)));
        let last = joined(Codec::H264, &first, &frame(0, MARKER, &[0x7c, 0x45, 3]));
        assert_eq!(last, Some((frame(65_535, MARKER, &[0x7c, 0xc5, 1, 2, 3]), false)));
        let later = joined(Codec::H264, &frame(8, 0, &[0x7c, 5, 1]), &frame(9, 0, &[0x7c, 0x45]));
        assert_eq!(later, Some((frame(8, 0, &[0x7c, 0x45, 1]), false)), "also in the midst of it");
        let of_h265 = joined(Codec::H265, &frame(8, 0, &[98, 1, 0x93, 1]), &frame(9, 0, &[98, 1, 0x53, 2]));
        assert_eq!(of_h265, Some((frame(8, 0, &[98, 1, 0xd3, 1, 2]), false)));
    }

    #[test]
    fn what_does_not_go_on_is_left_alone() {
        let first = frame(7, 0, &[0x7c, 0x85, 1]);
        let next = frame(8, 0, &[0x7c, 0x05, 2]);
        assert!(joined(Codec::H264, &first, &next).is_some());
        // One bit of channel, flags, payload type, number, time, source, indicator, type and S.
        for (at, bit) in [(1, 1), (4, 1), (4, 0x20), (5, 1), (7, 1), (8, 1), (12, 1), (16, 0x20), (17, 1), (17, 0x80)] {
            let mut other = next.clone();
            other[at] ^= bit;
            assert_eq!(joined(Codec::H264, &first, &other), None, "byte {at}");
        }
        for length in 0..next.len() - 1 {
            assert_eq!(joined(Codec::H264, &first, &next[..length]), None, "{length} bytes");
            assert!(Growing::begin(0, &first[..length], Codec::H264).is_none(), "{length} bytes");
        }
        assert!(joined(Codec::Mjpeg, &first, &next).is_none());
        assert!(joined(Codec::H265, &first, &next).is_none());
        assert!(joined(Codec::H264, &frame(7, 0, &[0x7c, 0x45, 1]), &next).is_none(), "behind the last");
        assert!(joined(Codec::H264, &frame(7, 0, &[0x65, 0x88]), &next).is_none(), "no fragment");
    }

    #[test]
    fn a_packet_is_no_longer_than_its_length_can_say() {
        let mut passed = frame(0, 0, &[0x7c, 0x85]);
        let mut growing = Growing::begin(0, &passed, Codec::H264);
        let mut joined = 0;
        while let Some(before) = growing.take() {
            let (more, is_joined) =
                before.join(&mut passed, &frame(joined + 1, 0, &[[0x7c, 5].as_slice(), &[1; 200]].concat()));
            growing = more;
            joined += u16::from(is_joined);
        }
        assert_eq!(usize::from(u16::from_be_bytes([passed[2], passed[3]])), passed.len() - FRAME_HEAD_BYTES);
        assert_eq!(usize::from(joined), (65_535 - 14) / 200);
    }
}
