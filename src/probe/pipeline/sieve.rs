//! What of an RTSP connection over TCP reaches `rtspsrc`. It reads an interleaved packet (RFC 2326 section 10.12) in three
//! calls to the system and hands it through threads and queues, some 16 µs each, and a camera that is joined just behind a
//! keyframe sends hundreds of them that the [`gate`] would hold back anyway. So they are taken out before it reads them, and [`fragments`]
//! that came together become one.
//!
//! Everything else passes byte by byte as it came, what is no RTSP included: what to say of that is `rtspsrc`'s to decide. But it
//! gathers an answer of any length before it decides, so one that cannot be meant ends here. Pure.
//!
//! [`gate`]: super::gate
//! [`fragments`]: super::fragments

use super::fragments::{FRAME_HEAD_BYTES, Growing};
use super::gate::{Front, Sight};

/// A line is looked at for a length, which needs no more.
const MAX_LINE_BYTES: usize = 64;

/// No head is longer: some have a nonce and a dozen lines.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// No description is longer.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// An answer that is longer than any that is meant: which part of it, in our words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oversized(pub &'static str);

/// Where in the camera's bytes it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// A message or packet begins.
    Boundary,
    /// In the head of a message, so many bytes behind its beginning, whose body has so many.
    Head { bytes: usize, body_bytes: usize },
    /// In a body, so many bytes before its end.
    Body { left: usize },
}

/// Takes out packets that nobody needs.
#[derive(Debug)]
pub struct Sieve {
    at: At,
    /// The line so far, without its end.
    line: Vec<u8>,
}

impl Sieve {
    /// At the beginning of a connection.
    pub fn new() -> Self {
        Self { at: At::Boundary, line: Vec::new() }
    }

    /// Appends what passes of `came` to `passed`, and gives how many bytes are dealt with: what is left is the beginning of
    /// a packet, to be given again with what comes behind it. `front` is asked about every packet; without one, all pass.
    /// `held` is called for each that does not.
    ///
    /// # Errors
    /// When a message is longer than any that is meant.
    pub fn sift(
        &mut self,
        came: &[u8],
        passed: &mut Vec<u8>,
        mut front: Option<&mut Front>,
        mut held: impl FnMut(),
    ) -> Result<usize, Oversized> {
        let mut done = 0;
        // A packet at the end of what passed, which may grow.
        let mut growing = None;
        while let Some(&next) = came.get(done) {
            let rest = &came[done..];
            match self.at {
                At::Boundary if next == b'$' => {
                    let Some(frame) = frame(rest) else { break };
                    done += frame.len();
                    let sight =
                        front.as_mut().map_or(Sight::Beside { back: 0 }, |front| front.see(&frame[FRAME_HEAD_BYTES..]));
                    match (sight, front.as_mut()) {
                        (Sight::Hold, _) => held(),
                        (Sight::Pass { back }, Some(front)) => {
                            let (grown, is_joined) =
                                growing.take().map_or((None, false), |growing: Growing| growing.join(passed, frame));
                            growing = grown;
                            if is_joined {
                                front.take_out();
                            } else {
                                growing = Growing::begin(passed.len(), frame, front.codec());
                                pass(frame, back, passed);
                            }
                        }
                        (Sight::Pass { back } | Sight::Beside { back }, _) => {
                            growing = None;
                            pass(frame, back, passed);
                        }
                    }
                }
                At::Boundary if matches!(next, b'\r' | b'\n') => {
                    growing = None;
                    passed.push(next);
                    done += 1;
                }
                At::Boundary => {
                    growing = None;
                    self.at = At::Head { bytes: 0, body_bytes: 0 };
                }
                At::Head { bytes, body_bytes } => {
                    let length = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |end| end + 1);
                    self.read_head(&rest[..length], bytes + length, body_bytes)?;
                    passed.extend_from_slice(&rest[..length]);
                    done += length;
                }
                At::Body { left } => {
                    let length = left.min(rest.len());
                    passed.extend_from_slice(&rest[..length]);
                    done += length;
                    self.at = if left == length { At::Boundary } else { At::Body { left: left - length } };
                }
            }
        }
        Ok(done)
    }

    /// A part of a head that has at most one end of line, at its own end. An empty line ends the head (RFC 2326 section 4).
    fn read_head(&mut self, part: &[u8], bytes: usize, body_bytes: usize) -> Result<(), Oversized> {
        if bytes > MAX_HEAD_BYTES {
            return Err(Oversized("more than 64 KiB without the end of a header"));
        }
        self.at = At::Head { bytes, body_bytes };
        let room = MAX_LINE_BYTES.saturating_sub(self.line.len());
        self.line.extend_from_slice(&part[..part.len().min(room)]);
        if !part.ends_with(b"\n") {
            return Ok(());
        }
        let line = std::mem::take(&mut self.line);
        let line = line.trim_ascii();
        self.at = match (line.is_empty(), body_bytes) {
            (true, 0) => At::Boundary,
            (true, left) if left > MAX_BODY_BYTES => {
                return Err(Oversized("an answer that is to have more than 1 MiB"));
            }
            (true, left) => At::Body { left },
            (false, _) => At::Head { bytes, body_bytes: content_length(line).unwrap_or(body_bytes) },
        };
        Ok(())
    }
}

/// The whole packet with its head, when all of it is there.
fn frame(bytes: &[u8]) -> Option<&[u8]> {
    let [_, _, high, low, ..] = *bytes else { return None };
    bytes.get(..FRAME_HEAD_BYTES + usize::from(u16::from_be_bytes([high, low])))
}

/// With its RTP sequence number (RFC 3550 section 5.1) that much smaller.
fn pass(frame: &[u8], back: u16, passed: &mut Vec<u8>) {
    let begin = passed.len() + FRAME_HEAD_BYTES;
    passed.extend_from_slice(frame);
    if back != 0
        && let Some(packet) = passed.get_mut(begin..)
    {
        Front::count_back(packet, back);
    }
}

/// RFC 2326 section 12.14.
fn content_length(line: &[u8]) -> Option<usize> {
    let (name, value) = line.split_at_checked(line.iter().position(|&byte| byte == b':')?)?;
    let value = str::from_utf8(&value[1..]).ok()?.trim();
    let is_it = name.trim_ascii().eq_ignore_ascii_case(b"content-length");
    // What does not fit is a number as well.
    let is_number = !value.is_empty() && value.bytes().all(|digit| digit.is_ascii_digit());
    (is_it && is_number).then(|| value.parse().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Codec;

    /// A packet of payload type 96 over channel 0; 0x41 0x9a is a slice that needs another picture, 0x65 0x88 a keyframe's.
    fn frame_of(number: u16, time: u8, payload: &[u8]) -> Vec<u8> {
        let [high, low] = number.to_be_bytes();
        let packet = [&[0x80, 96, high, low, 0, 0, 0, time, 0, 0, 0, 9][..], payload].concat();
        [&[b'$', 0, 0, packet.len() as u8][..], &packet].concat()
    }

    /// What passes when it comes in parts of so many bytes, and how many packets do not.
    fn sifted(came: &[u8], part_bytes: usize, mut front: Option<Front>) -> (Vec<u8>, usize) {
        let (mut sieve, mut passed, mut held, mut kept) = (Sieve::new(), Vec::new(), 0, Vec::new());
        for part in came.chunks(part_bytes) {
            kept.extend_from_slice(part);
            let done = sieve.sift(&kept, &mut passed, front.as_mut(), || held += 1).unwrap();
            kept.drain(..done);
        }
        (passed, held)
    }

    #[test]
    fn delta_pictures_are_taken_out_wherever_the_parts_end() {
        let control = [b'$', 1, 0, 8, 0x80, 200, 0, 1, 0, 0, 0, 9];
        // A body that looks like packets, and heads between packets.
        let answer = b"RTSP/1.0 200 OK\r\nCSeq: 4\r\ncontent-LENGTH : 9\r\n\r\n$\0\0\x04$\0\0\0\n";
        let announce = b"SET_PARAMETER * RTSP/1.0\nCSeq: 1\n\n";
        let came = [
            &answer[..],
            &frame_of(65_534, 1, &[0x41, 0x9a]),
            &control,
            &frame_of(65_535, 1, &[0x67, 1]),
            announce,
            b"\r",
            &frame_of(0, 2, &[0x41, 0x9a]),
            &frame_of(1, 3, &[0x65, 0x88]),
            &frame_of(2, 4, &[0x41, 0x9a]),
        ];
        let wanted = [
            &answer[..],
            &control,
            &frame_of(65_534, 1, &[0x67, 1]),
            announce,
            b"\r",
            &frame_of(65_535, 3, &[0x65, 0x88]),
            &frame_of(0, 4, &[0x41, 0x9a]),
        ];
        let (came, wanted) = (came.concat(), wanted.concat());
        for part_bytes in 1..=came.len() {
            let found = sifted(&came, part_bytes, Some(Front::new(Codec::H264, 96)));
            assert_eq!(found, (wanted.clone(), 2), "in parts of {part_bytes} bytes");
        }
    }

    #[test]
    fn fragments_that_came_together_are_one() {
        let control = [b'$', 1, 0, 8, 0x80, 200, 0, 1, 0, 0, 0, 9];
        let came = [
            &frame_of(9, 1, &[0x7c, 0x85, 0x88, 1])[..],
            &frame_of(10, 1, &[0x7c, 0x05, 2]),
            &frame_of(11, 1, &[0x7c, 0x05, 3]),
            &control,
            &frame_of(12, 1, &[0x7c, 0x05, 4]),
            &frame_of(13, 1, &[0x7c, 0x45, 5]),
            &frame_of(14, 2, &[0x41, 0x9a]),
        ];
        let wanted = [
            &frame_of(9, 1, &[0x7c, 0x85, 0x88, 1, 2, 3])[..],
            &control,
            &frame_of(10, 1, &[0x7c, 0x45, 4, 5]),
            &frame_of(11, 2, &[0x41, 0x9a]),
        ];
        assert_eq!(sifted(&came.concat(), 1_000, Some(Front::new(Codec::H264, 96))), (wanted.concat(), 0));
    }

    #[test]
    fn what_is_not_known_passes_as_it_came() {
        let delta = frame_of(7, 1, &[0x41, 0x9a]);
        let cases: [&[u8]; 5] = [
            &delta,
            b"HTTP/1.1 400 Bad Request\r\nContent-Length: many\r\n\r\nno",
            b"\0\0\x01\xff\n\n$$$$",
            b"\r\n\r\nRTSP/1.0 200 OK\r\n\r\n",
            &[b'x'; MAX_HEAD_BYTES],
        ];
        for came in cases {
            for part_bytes in [1, 7, came.len()] {
                let (passed, held) = sifted(came, part_bytes, None);
                assert!(came.starts_with(&passed) && held == 0, "{came:?}");
            }
        }
        // Another payload type, or no RTP.
        assert_eq!(sifted(&delta, 100, Some(Front::new(Codec::H264, 97))), (delta.clone(), 0));
        assert_eq!(sifted(&delta, 100, Some(Front::new(Codec::Mjpeg, 96))), (delta, 0));
        let short = [b'$', 0, 0, 2, 0x80, 96];
        assert_eq!(sifted(&short, 100, Some(Front::new(Codec::H264, 96))), (short.to_vec(), 0));
    }

    #[test]
    fn half_a_packet_waits_for_the_rest() {
        let whole = frame_of(7, 1, &[0x67, 1]);
        for length in 1..whole.len() {
            let mut passed = Vec::new();
            assert_eq!(Sieve::new().sift(&whole[..length], &mut passed, None, || ()), Ok(0));
            assert!(passed.is_empty());
        }
    }

    #[test]
    fn what_cannot_be_meant_ends_there() {
        let sift = |came: &[u8], part_bytes: usize| {
            let mut sieve = Sieve::new();
            came.chunks(part_bytes).try_for_each(|part| sieve.sift(part, &mut Vec::new(), None, || ()).map(drop))
        };
        let body = |length: &str| format!("RTSP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
        let header = [b"RTSP/1.0 200 OK\r\n".to_vec(), b"X: y\r\n".repeat(MAX_HEAD_BYTES / 6)].concat();
        for part_bytes in [1, 1_000, MAX_HEAD_BYTES] {
            for came in [body("1048577"), body("2147483648"), body("18446744073709551616")] {
                assert!(sift(&came, part_bytes).unwrap_err().0.contains("1 MiB"), "{}", came.escape_ascii());
            }
            for came in [header.clone(), vec![b'x'; MAX_HEAD_BYTES + 1]] {
                assert!(sift(&came, part_bytes).unwrap_err().0.contains("header"));
            }
            // As much as is meant, and one message behind the other.
            for came in [body("1048576"), body("many"), body("0").repeat(10_000)] {
                assert_eq!(sift(&came, part_bytes), Ok(()));
            }
        }
    }
}
