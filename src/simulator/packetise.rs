//! RTP payloads of H.264 (RFC 6184) and H.265 (RFC 7798), as templates that a session stamps with its own numbers.

use bytes::Bytes;

use crate::model::Codec;

/// Largest RTP payload, bytes: with all headers it stays below an Ethernet frame.
const MAX_PAYLOAD_BYTES: usize = 1_400;
/// `$`, channel, length (RFC 2326 section 10.12).
pub(super) const INTERLEAVED_BYTES: usize = 4;
/// Without CSRCs and extensions (RFC 3550 section 5.1).
const RTP_BYTES: usize = 12;
/// Dynamic payload type of the video, unless a camera has its own.
pub(super) const PAYLOAD_TYPE: u8 = 96;

/// The RTP packets of one picture, each with its interleaved header. Channel, payload type, sequence number, time stamp and SSRC are
/// zero until [`Stamp::stamp`] fills them in.
#[derive(Debug, Default)]
pub(super) struct FrameTemplate {
    bytes: Vec<u8>,
    /// Where each packet begins.
    starts: Vec<usize>,
}

impl FrameTemplate {
    fn push(&mut self, payload: &[&[u8]]) {
        let length: usize = payload.iter().map(|part| part.len()).sum();
        let total = u16::try_from(RTP_BYTES + length).unwrap_or(u16::MAX);
        self.starts.push(self.bytes.len());
        self.bytes.extend_from_slice(&[b'$', 0]);
        self.bytes.extend_from_slice(&total.to_be_bytes());
        // Version 2, no padding, no extension, no CSRC.
        self.bytes.extend_from_slice(&[0x80, 0]);
        self.bytes.extend_from_slice(&[0; RTP_BYTES - 2]);
        for part in payload {
            self.bytes.extend_from_slice(part);
        }
    }

    /// The marker bit is on the last packet of a picture (RFC 6184 section 5.1).
    fn mark_last(&mut self) {
        if let Some(last) = self.starts.last() {
            self.bytes[last + INTERLEAVED_BYTES + 1] |= 0x80;
        }
    }
}

/// Splits the NAL units of one picture into RTP packets.
pub(super) fn packetise(codec: Codec, units: &[Bytes]) -> FrameTemplate {
    let mut frame = FrameTemplate::default();
    for unit in units {
        if unit.len() <= MAX_PAYLOAD_BYTES {
            frame.push(&[unit]);
            continue;
        }
        // Fragmentation units: the NAL header becomes two (H.264) or three (H.265) bytes that say which part it is.
        let header_bytes = if codec == Codec::H264 { 1 } else { 2 };
        let (header, body) = unit.split_at(header_bytes);
        let room = MAX_PAYLOAD_BYTES - header_bytes - 1;
        let count = body.len().div_ceil(room);
        for (index, part) in body.chunks(room).enumerate() {
            let ends = if index == 0 {
                0x80
            } else if index + 1 == count {
                0x40
            } else {
                0
            };
            if codec == Codec::H264 {
                // FU-A, type 28 (RFC 6184 section 5.8).
                frame.push(&[&[header[0] & 0xe0 | 28, ends | header[0] & 0x1f], part]);
            } else {
                // FU, type 49 (RFC 7798 section 4.4.3).
                let kind = header[0] >> 1 & 0x3f;
                frame.push(&[&[header[0] & 0x81 | 49 << 1, header[1], ends | kind], part]);
            }
        }
    }
    frame.mark_last();
    frame
}

/// The numbers of one RTP session.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    /// Of the interleaved header.
    pub(super) channel: u8,
    pub(super) payload_type: u8,
    /// Of the next packet.
    pub(super) sequence: u16,
    pub(super) ssrc: u32,
    /// For the sender report.
    pub(super) packets_sent: u32,
    pub(super) payload_bytes_sent: u32,
}

impl Stamp {
    /// Appends the packets of a picture, ready for an interleaved connection.
    pub(super) fn stamp(&mut self, frame: &FrameTemplate, rtp_time: u32, out: &mut Vec<u8>) {
        let base = out.len();
        out.extend_from_slice(&frame.bytes);
        let ends = frame.starts.iter().skip(1).copied().chain([frame.bytes.len()]);
        for (start, end) in frame.starts.iter().zip(ends) {
            let packet = &mut out[base + start..base + end];
            packet[1] = self.channel;
            packet[INTERLEAVED_BYTES + 1] |= self.payload_type;
            packet[6..8].copy_from_slice(&self.sequence.to_be_bytes());
            packet[8..12].copy_from_slice(&rtp_time.to_be_bytes());
            packet[12..16].copy_from_slice(&self.ssrc.to_be_bytes());
            self.sequence = self.sequence.wrapping_add(1);
            self.packets_sent = self.packets_sent.wrapping_add(1);
            let payload = u32::try_from(packet.len() - INTERLEAVED_BYTES - RTP_BYTES).unwrap_or_default();
            self.payload_bytes_sent = self.payload_bytes_sent.wrapping_add(payload);
        }
    }
}

/// Scrambles the slices in what [`Stamp::stamp`] wrote. The first bytes of a packet stay: RTP header, NAL header, and the
/// short packets of parameter sets, so that the stream still looks whole.
pub(super) fn damage(stamped: &mut [u8]) {
    const KEPT_BYTES: usize = INTERLEAVED_BYTES + 80;
    let mut rest = stamped;
    while let Some(length) = rest.get(2..4).map(|b| usize::from(u16::from_be_bytes([b[0], b[1]]))) {
        let (packet, following) = rest.split_at_mut((INTERLEAVED_BYTES + length).min(rest.len()));
        for byte in packet.iter_mut().skip(KEPT_BYTES) {
            *byte ^= 0x5a;
        }
        rest = following;
    }
}

/// The packets in what [`Stamp::stamp`] wrote, without their interleaved headers.
pub(super) fn packets(mut stamped: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let header = stamped.get(..INTERLEAVED_BYTES)?;
        let end = INTERLEAVED_BYTES + usize::from(u16::from_be_bytes([header[2], header[3]]));
        let packet = stamped.get(INTERLEAVED_BYTES..end)?;
        stamped = stamped.get(end..)?;
        Some(packet)
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The NAL units in RTP packets, as a receiver puts them together. Fails on anything out of order.
    pub(in crate::simulator) fn depacketise(codec: Codec, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut units: Vec<Vec<u8>> = Vec::new();
        let mut open = false;
        for packet in packets {
            let payload = &packet[12..];
            let (fragment, header, flags, body): (bool, Vec<u8>, u8, &[u8]) = if codec == Codec::H264 {
                let flags = payload.get(1).copied().unwrap_or_default();
                (
                    payload[0] & 0x1f == 28,
                    vec![payload[0] & 0xe0 | flags & 0x1f],
                    flags,
                    payload.get(2..).unwrap_or(&[]),
                )
            } else {
                let flags = payload[2];
                let header = vec![payload[0] & 0x81 | (flags & 0x3f) << 1, payload[1]];
                (payload[0] >> 1 & 0x3f == 49, header, flags, &payload[3..])
            };
            if !fragment {
                assert!(!open, "a unit in the middle of a fragmented one");
                units.push(payload.to_vec());
                continue;
            }
            assert_eq!(flags & 0x80 != 0, !open, "the start bit is on the first fragment, and only there");
            if !open {
                units.push(header);
            }
            units.last_mut().unwrap().extend_from_slice(body);
            open = flags & 0x40 == 0;
        }
        assert!(!open, "the last fragment is missing");
        units
    }

    #[test]
    fn a_receiver_gets_every_unit_back() {
        for (codec, header) in [(Codec::H264, vec![0x65_u8]), (Codec::H265, vec![0x26_u8, 1])] {
            let sizes = [20, MAX_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES + 1, 3 * MAX_PAYLOAD_BYTES, 50_000];
            let units: Vec<Bytes> = sizes
                .iter()
                .map(|size| header.iter().copied().chain((0..*size).map(|i| (i % 251) as u8)).take(*size).collect())
                .collect();
            let frame = packetise(codec, &units);
            let mut stamp = Stamp {
                channel: 2,
                payload_type: 35,
                sequence: 65_530,
                ssrc: 7,
                packets_sent: 0,
                payload_bytes_sent: 0,
            };
            let mut out = Vec::new();
            stamp.stamp(&frame, 90_000, &mut out);
            let packets: Vec<Vec<u8>> = super::packets(&out).map(<[u8]>::to_vec).collect();
            assert_eq!(depacketise(codec, &packets), units);
            assert!(packets.iter().all(|p| p.len() <= MAX_PAYLOAD_BYTES + RTP_BYTES));
            let sequence: Vec<u16> = packets.iter().map(|p| u16::from_be_bytes([p[2], p[3]])).collect();
            assert!(sequence.windows(2).all(|w| w[1] == w[0].wrapping_add(1)), "{sequence:?}");
            let markers: Vec<bool> = packets.iter().map(|p| p[1] & 0x80 != 0).collect();
            assert_eq!(markers.iter().filter(|m| **m).count(), 1);
            assert!(markers.last().unwrap());
            assert!(packets.iter().all(|p| p[1] & 0x7f == 35), "payload type");
            assert_eq!(out.len(), packets.iter().map(|p| p.len() + INTERLEAVED_BYTES).sum::<usize>());
            assert_eq!(stamp.packets_sent as usize, packets.len());
        }
    }
}
