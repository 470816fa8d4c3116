//! What is not unpacked: the pictures before the first keyframe. A camera that is joined anywhere sends up to some seconds
//! of delta frames first, which nobody wants gathered, parsed and looked at.
//!
//! The gate looks at the first bytes of each RTP packet. It lets parameter sets pass, and opens for good with the first
//! slice that may be a keyframe's, or with anything that it does not know: opening too early costs time and nothing else.
//! Whether the access unit is a keyframe is still decided when all of it is there.
//!
//! What is held back is `Handled`, never `Drop`ped: of the latter the bindings leave nothing to let go of, which GStreamer 1.22
//! writes a critical message about, for every packet.

use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;
use gstreamer as gst;

use super::watch::{Watch, rtp_time};
use crate::model::Codec;
use crate::probe::access_unit::h264_slice_is_intra;

/// What a packet is worth before there was a keyframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// Not needed by anything: a delimiter, what goes on with something that was held back.
    Nothing,
    /// A slice of a picture that needs another one.
    Delta,
    /// Needed by the keyframe.
    Parameters,
    /// The beginning of an intra slice, of which a picture that needs others may have some.
    Intra,
    /// The beginning of a keyframe, or unknown.
    Keyframe,
}

/// Puts a gate on the pad that gives the RTP packets of one stream. What it holds back is still counted as media.
pub fn close_until_keyframe(pad: &gst::Pad, codec: Codec, watch: &Arc<Watch>) {
    if codec == Codec::Mjpeg {
        return;
    }
    let (watch, gate) = (watch.clone(), Mutex::new(Gate::of(codec)));
    pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, info| {
        let mut gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let mut see = |buffer: &gst::BufferRef| buffer.map_readable().map_or(Passage::Open, |packet| gate.see(&packet));
        let passage = match info.buffer_list() {
            Some(list) => list.iter().map(see).max().unwrap_or(Passage::Open),
            None => info.buffer().map_or(Passage::Open, |buffer| see(buffer)),
        };
        match passage {
            Passage::Held => {
                watch.saw_media();
                gst::PadProbeReturn::Handled
            }
            Passage::Let => gst::PadProbeReturn::Ok,
            Passage::Open => gst::PadProbeReturn::Remove,
        }
    });
}

/// Puts a gate on the pad by which packets come in that cannot overtake one another: in front of the jitter buffer, whose work
/// on a packet, in three threads, is most of what it costs.
pub fn close_in_front(pad: &gst::Pad, codec: Codec, payload_type: u8, watch: &Arc<Watch>) {
    if codec == Codec::Mjpeg {
        return;
    }
    let (watch, front) = (watch.clone(), Mutex::new(Front::new(codec, payload_type)));
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
        let mut front = front.lock().unwrap_or_else(PoisonError::into_inner);
        match buffer.map_readable().map_or(Sight::Beside { back: 0 }, |packet| front.see(&packet)) {
            Sight::Hold => {
                watch.saw_media();
                gst::PadProbeReturn::Handled
            }
            Sight::Pass { .. } if front.is_open() => gst::PadProbeReturn::Remove,
            Sight::Pass { back: 0 } | Sight::Beside { back: 0 } => gst::PadProbeReturn::Ok,
            Sight::Pass { back } | Sight::Beside { back } => {
                if let Ok(mut packet) = buffer.make_mut().map_writable() {
                    Front::count_back(&mut packet, back);
                }
                gst::PadProbeReturn::Ok
            }
        }
    });
}

/// A gate in front of everything that minds a gap: the sequence numbers of what passes go on as if nothing had been taken
/// out, so that nothing is waited for.
#[derive(Debug)]
pub struct Front {
    codec: Codec,
    gate: Option<Gate>,
    payload_type: u8,
    /// Synchronisation source of the first packet: it alone is looked at, for each counts its packets by itself.
    source: Option<[u8; 4]>,
    taken_out: u16,
}

/// What becomes of a packet there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It is dropped.
    Hold,
    /// It passes with its sequence number so much smaller.
    Pass {
        /// Packets that were taken out before it, modulo 2^16.
        back: u16,
    },
    /// It is none of the pictures': another payload of the same source, which counts on with them, another source, or a
    /// control packet.
    Beside {
        /// As above; 0 where it is not counted with them.
        back: u16,
    },
}

impl Front {
    /// For one stream. Of a JPEG every packet passes.
    pub fn new(codec: Codec, payload_type: u8) -> Self {
        let gate = (codec != Codec::Mjpeg).then(|| Gate::of(codec));
        Self { codec, gate, payload_type, source: None, taken_out: 0 }
    }

    /// The codec of the stream.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// A packet that was to pass is taken out all the same.
    pub fn take_out(&mut self) {
        self.taken_out = self.taken_out.wrapping_add(1);
    }

    /// The next packet.
    pub fn see(&mut self, packet: &[u8]) -> Sight {
        let (Some(_), Some(source)) = (rtp_time(packet), packet.get(8..).and_then(<[u8]>::first_chunk)) else {
            return Sight::Beside { back: 0 };
        };
        let payload_type = packet[1] & 0x7f;
        if payload_type != self.payload_type || self.source.is_some_and(|own| own != *source) {
            // A control packet has these types, and its sender where others have their time (RFC 5761 section 4).
            let is_counted = !(64..96).contains(&payload_type) && self.source == Some(*source);
            return Sight::Beside { back: if is_counted { self.taken_out } else { 0 } };
        }
        self.source = Some(*source);
        match self.gate.as_mut().map_or(Passage::Open, |gate| gate.see(packet)) {
            Passage::Held => {
                self.take_out();
                return Sight::Hold;
            }
            Passage::Let => {}
            Passage::Open => self.gate = None,
        }
        Sight::Pass { back: self.taken_out }
    }

    /// True when all that comes will pass as it is.
    pub fn is_open(&self) -> bool {
        self.gate.is_none() && self.taken_out == 0
    }

    /// Makes the sequence number smaller (RFC 3550 section 5.1).
    pub fn count_back(packet: &mut [u8], by: u16) {
        if let Some([high, low]) = packet.get_mut(2..4) {
            [*high, *low] = u16::from_be_bytes([*high, *low]).wrapping_sub(by).to_be_bytes();
        }
    }
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Passage {
    /// It is dropped.
    Held,
    /// It passes, and those behind it are looked at.
    Let,
    /// It passes, and all that come.
    Open,
}

/// What it knows of the packets so far.
#[derive(Debug)]
struct Gate {
    codec: Codec,
    /// RTP time of the newest picture that needs another one: no slice of it begins a keyframe.
    delta_time: Option<u32>,
}

impl Gate {
    fn of(codec: Codec) -> Self {
        Self { codec, delta_time: None }
    }

    fn see(&mut self, packet: &[u8]) -> Passage {
        let worth = payload(packet).and_then(|payload| match self.codec {
            Codec::H264 => h264(payload),
            Codec::H265 => h265(payload),
            Codec::Mjpeg => None,
        });
        let time = rtp_time(packet);
        match worth.unwrap_or(Worth::Keyframe) {
            Worth::Nothing => Passage::Held,
            Worth::Delta => {
                self.delta_time = time;
                Passage::Held
            }
            Worth::Parameters => Passage::Let,
            Worth::Intra if time.is_some() && time == self.delta_time => Passage::Held,
            Worth::Intra | Worth::Keyframe => Passage::Open,
        }
    }
}

/// What comes behind header, contributing sources and extension (RFC 3550 sections 5.1 and 5.3.1).
fn payload(packet: &[u8]) -> Option<&[u8]> {
    const FIXED_BYTES: usize = 12;
    let first = *packet.first()?;
    let mut begin = FIXED_BYTES + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let words = packet.get(begin + 2..begin + 4)?;
        begin += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    packet.get(begin..)
}

/// RFC 6184 section 5.2; `None` when it is not known.
fn h264(payload: &[u8]) -> Option<Worth> {
    const STAP_A: u8 = 24;
    const FU_A: u8 = 28;
    match payload.first()? & 0x1f {
        STAP_A => aggregated(&payload[1..])?.iter().map(|unit| h264_unit(unit[0] & 0x1f, &unit[1..])).max(),
        FU_A => fragment(*payload.get(1)?, 0x1f, |kind| h264_unit(kind, &payload[2..])),
        kind => whole(payload, h264_unit(kind, &payload[1..])),
    }
}

/// ITU-T H.264 table 7-1; `body` is what follows the unit's header.
fn h264_unit(kind: u8, body: &[u8]) -> Worth {
    match kind {
        1 => match h264_slice_is_intra(body) {
            Some(false) => Worth::Delta,
            Some(true) => Worth::Intra,
            None => Worth::Keyframe,
        },
        // Supplemental information, access unit delimiter, filler.
        6 | 9 | 12 => Worth::Nothing,
        // Parameter sets.
        7 | 8 | 13 | 15 => Worth::Parameters,
        _ => Worth::Keyframe,
    }
}

/// RFC 7798 section 4.4; `None` when it is not known.
fn h265(payload: &[u8]) -> Option<Worth> {
    const AGGREGATION: u8 = 48;
    const FRAGMENTATION: u8 = 49;
    match (payload.first()? >> 1) & 0x3f {
        AGGREGATION => aggregated(payload.get(2..)?)?.iter().map(|unit| h265_unit((unit[0] >> 1) & 0x3f)).max(),
        FRAGMENTATION => fragment(*payload.get(2)?, 0x3f, h265_unit),
        kind => whole(payload, h265_unit(kind)),
    }
}

/// ITU-T H.265 table 7-1.
fn h265_unit(kind: u8) -> Worth {
    match kind {
        0..=15 => Worth::Delta,
        // Access unit delimiter, filler, supplemental information.
        35 | 38 | 39 | 40 => Worth::Nothing,
        // Parameter sets.
        32..=34 => Worth::Parameters,
        _ => Worth::Keyframe,
    }
}

/// A part of a unit, by the header that says which (S bit, and the unit's type). One that begins anything but a slice is
/// more than it seems: some senders put a whole picture, start codes and all, into one unit.
fn fragment(header: u8, kinds: u8, unit: impl Fn(u8) -> Worth) -> Option<Worth> {
    if header & 0x80 == 0 {
        // Goes on with what was held back, or with what was missed.
        return Some(Worth::Nothing);
    }
    match unit(header & kinds) {
        worth @ (Worth::Delta | Worth::Intra) => Some(worth),
        _ => Some(Worth::Keyframe),
    }
}

/// One unit in one packet, if it is one.
fn whole(payload: &[u8], worth: Worth) -> Option<Worth> {
    let is_more = worth != Worth::Delta && payload.windows(3).any(|bytes| bytes == [0, 0, 1]);
    (!is_more).then_some(worth)
}

/// The units of an aggregation packet, each behind its size in two bytes and none of them empty.
fn aggregated(mut rest: &[u8]) -> Option<Vec<&[u8]>> {
    let mut units = Vec::new();
    while !rest.is_empty() {
        let size = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
        units.push(rest.get(2..2 + size).filter(|unit| !unit.is_empty())?);
        rest = &rest[2 + size..];
    }
    Some(units)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Instant;

    use super::*;
    use crate::probe::exchange::Transcript;

    // first_mb_in_slice 0 = `1`; slice_type 7 (I) = `0001000`; 5 (P) = `00110`.
    const I: u8 = 0b1000_1000;
    const P: u8 = 0b1001_1000;

    fn packet(time: u8, payload: &[u8]) -> Vec<u8> {
        [&[0x80, 96, 0, 1, 0, 0, 0, time, 0, 0, 0, 0][..], payload].concat()
    }

    fn of_h264(payload: &[u8]) -> Passage {
        Gate::of(Codec::H264).see(&packet(1, payload))
    }

    fn of_h265(payload: &[u8]) -> Passage {
        Gate::of(Codec::H265).see(&packet(1, payload))
    }

    #[test]
    fn delta_slices_of_h264_are_held_back() {
        assert_eq!(of_h264(&[0x41, P]), Passage::Held);
        assert_eq!(of_h264(&[0x41, I]), Passage::Open, "an I slice, as open GOPs have it");
        assert_eq!(of_h264(&[0x65, I]), Passage::Open);
        assert_eq!(of_h264(&[0x67, 0x42]), Passage::Let);
        assert_eq!(of_h264(&[0x68, 0]), Passage::Let);
        assert_eq!(of_h264(&[0x06, 5]), Passage::Held, "supplemental information");
        assert_eq!(of_h264(&[0x09, 0x10]), Passage::Held, "a delimiter");
        assert_eq!(of_h264(&[0x42, P]), Passage::Open, "a partition, which nobody sends");
        assert_eq!(of_h264(&[0x41]), Passage::Open, "too short to know");
        assert_eq!(of_h264(&[0x67, 0x42, 0, 0, 1, 0x65, I]), Passage::Open, "a whole picture in one unit");
    }

    #[test]
    fn an_intra_slice_of_a_delta_picture_opens_nothing() {
        let mut gate = Gate::of(Codec::H264);
        assert_eq!(gate.see(&packet(1, &[0x41, P])), Passage::Held);
        assert_eq!(gate.see(&packet(1, &[0x41, I])), Passage::Held, "or it would be all there is of its picture");
        assert_eq!(gate.see(&packet(2, &[0x41, I])), Passage::Open);
        let mut gate = Gate::of(Codec::H264);
        assert_eq!(gate.see(&packet(1, &[0x41, P])), Passage::Held);
        assert_eq!(gate.see(&packet(1, &[0x65, I])), Passage::Open, "for a camera whose clock stands still");
    }

    #[test]
    fn fragments_of_h264_are_worth_what_their_first_one_is() {
        assert_eq!(of_h264(&[0x5c, 0x81, P]), Passage::Held);
        assert_eq!(of_h264(&[0x5c, 0x81, I]), Passage::Open);
        assert_eq!(of_h264(&[0x7c, 0x85, I]), Passage::Open);
        assert_eq!(of_h264(&[0x7c, 0x05, I]), Passage::Held, "its beginning was missed");
        assert_eq!(of_h264(&[0x5c, 0x41, 0]), Passage::Held);
        assert_eq!(of_h264(&[0x7c, 0x87, 0x42]), Passage::Open, "no parameter set is so long");
        assert_eq!(of_h264(&[0x7c, 0x89, 0x10]), Passage::Open, "no delimiter either");
    }

    #[test]
    fn an_aggregate_is_worth_the_most_of_its_units() {
        let aggregate = |units: &[&[u8]]| {
            let parts = units.iter().map(|unit| [&[0, unit.len() as u8][..], unit].concat());
            [vec![0x78], parts.collect::<Vec<_>>().concat()].concat()
        };
        assert_eq!(of_h264(&aggregate(&[&[9, 0x10], &[0x41, P]])), Passage::Held);
        assert_eq!(of_h264(&aggregate(&[&[9, 0x10], &[0x67, 1], &[0x68, 1]])), Passage::Let);
        assert_eq!(of_h264(&aggregate(&[&[0x67, 1], &[0x65, I]])), Passage::Open);
        assert_eq!(of_h264(&[0x78, 0, 9, 0x41]), Passage::Open, "cut short, so unknown");
        assert_eq!(of_h265(&[0x60, 1, 0, 3, 1 << 1, 1, 0x80]), Passage::Held);
        assert_eq!(of_h265(&[0x60, 1, 0, 3, 33 << 1, 1, 0x80]), Passage::Let);
    }

    #[test]
    fn h265_by_the_types_of_its_units() {
        assert_eq!(of_h265(&[1 << 1, 1, 0x80]), Passage::Held);
        assert_eq!(of_h265(&[19 << 1, 1, 0x80]), Passage::Open);
        assert_eq!(of_h265(&[21 << 1, 1, 0x80]), Passage::Open);
        assert_eq!(of_h265(&[32 << 1, 1, 0x80]), Passage::Let);
        assert_eq!(of_h265(&[39 << 1, 1, 0x80]), Passage::Held);
        assert_eq!(of_h265(&[49 << 1, 1, 0x80 | 1, 0]), Passage::Held);
        assert_eq!(of_h265(&[49 << 1, 1, 0x80 | 20, 0]), Passage::Open);
        assert_eq!(of_h265(&[49 << 1, 1, 20, 0]), Passage::Held);
    }

    #[test]
    fn contributing_sources_and_extensions_lie_before_the_payload() {
        let mut extended = packet(1, &[]);
        extended[0] |= 0x12;
        extended.extend([9; 8]);
        extended.extend([0xbe, 0xde, 0, 1, 7, 7, 7, 7, 0x41, P]);
        assert_eq!(Gate::of(Codec::H264).see(&extended), Passage::Held);
        assert_eq!(Gate::of(Codec::H264).see(&extended[..22]), Passage::Open, "cut short, so unknown");
    }

    #[test]
    fn what_counts_on_with_the_pictures_is_counted_back_with_them() {
        let mut front = Front::new(Codec::H264, 96);
        let other = |payload_type: u8, source: u8| {
            let mut other = packet(1, &[0x41, P]);
            (other[1], other[11]) = (payload_type, source);
            other
        };
        assert_eq!(front.see(&other(107, 0)), Sight::Beside { back: 0 }, "nothing came before");
        assert_eq!(front.see(&packet(1, &[0x41, P])), Sight::Hold);
        assert_eq!(front.see(&other(107, 0)), Sight::Beside { back: 1 });
        assert_eq!(front.see(&other(107, 1)), Sight::Beside { back: 0 }, "another source counts by itself");
        assert_eq!(front.see(&other(96, 1)), Sight::Beside { back: 0 });
        assert_eq!(front.see(&other(200, 0)), Sight::Beside { back: 0 }, "a sender's report");
        assert_eq!(front.see(&packet(2, &[0x65, I])), Sight::Pass { back: 1 });
        assert!(!front.is_open());
    }

    #[test]
    fn in_front_the_sequence_goes_on_without_a_gap() {
        crate::probe::pipeline::init().unwrap();
        let (watch, _events) = Watch::new(&Arc::new(Transcript::new(Instant::now())));
        let (passed, passing) = mpsc::sync_channel(1);
        let pad = gst::Pad::builder(gst::PadDirection::Sink)
            .chain_function(move |_, _, buffer| {
                let packet = buffer.map_readable().unwrap();
                passed.send((u16::from_be_bytes([packet[2], packet[3]]), packet[12])).unwrap();
                Ok(gst::FlowSuccess::Ok)
            })
            .build();
        close_in_front(&pad, Codec::H264, 96, &watch);
        pad.set_active(true).unwrap();
        pad.send_event(gst::event::StreamStart::new("packets"));
        pad.send_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
        let send = |number: u16, mut packet: Vec<u8>| {
            packet[2..4].copy_from_slice(&number.to_be_bytes());
            pad.chain(gst::Buffer::from_slice(packet)).unwrap();
            passing.try_recv().ok()
        };
        assert_eq!(send(65_530, packet(1, &[0x67, 0x42])), Some((65_530, 0x67)));
        assert_eq!(send(65_531, packet(1, &[0x41, P])), None);
        assert!(watch.since_media().is_some(), "what is held back is media all the same");
        assert_eq!(send(65_532, packet(2, &[0x41, P])), None);
        assert_eq!(send(65_533, packet(3, &[0x68, 0])), Some((65_531, 0x68)));
        let control = [&[0x80, 200, 0, 0][..], &[7; 24]].concat();
        assert_eq!(send(6, control.clone()), Some((6, 7)), "a control packet has a length there");
        assert_eq!(send(65_534, packet(4, &[0x41, P])), None);
        assert_eq!(send(65_535, packet(5, &[0x65, I])), Some((65_532, 0x65)));
        assert_eq!(send(0, packet(6, &[0x41, P])), Some((65_533, 0x41)), "open for good");
        assert_eq!(send(6, control), Some((6, 7)));
    }
}
