//! The second half of a probe: one keyframe to one raw picture, in a decoder that is kept warm.
//!
//! A slot is a decoder between two pads of ours, without a pipeline and without a thread: pushing a keyframe runs the
//! decoder in the calling thread. A SEGMENT_DONE event drains it without EOS, so the next keyframe, of any size, goes
//! into the same decoder. A slot that errs in any way is thrown away, or begun anew when it is a hardware decoder: never
//! may one camera's picture be taken for another's.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gst::prelude::*;
use gst_video::prelude::*;
use gstreamer as gst;
use gstreamer_video as gst_video;

use super::elements::{make, set_if_there};
use super::hardware::software_decoder;
use crate::model::Codec;
use crate::probe::decoders::Flaw;
use crate::probe::picture::{Decoded, Matrix, Plane};

/// How long a software decoder with threads of its own may take for one picture.
const DECODE_TIMEOUT: Duration = Duration::from_secs(2);

/// Formats that [`Picture::planes`] reads; `videoconvert` makes one of them of anything else.
const FORMATS: [&str; 6] = ["I420", "YV12", "Y42B", "Y444", "NV12", "GRAY8"];

thread_local! {
    /// Complaints of libav in this thread, which is the one that runs the decoder.
    static COMPLAINTS: Cell<u32> = const { Cell::new(0) };
}

/// For GStreamer's log function: counts what libav says of damaged pictures. It decodes scrambled slices and returns mush
/// without an error.
pub fn hear_libav(level: gst::DebugLevel, line: &str) {
    // "concealing … errors" is an information only; it names damage all the same.
    if level <= gst::DebugLevel::Error || line.contains("concealing") || line.contains("error while decoding") {
        COMPLAINTS.set(COMPLAINTS.get() + 1);
    }
}

/// Why a keyframe gave no picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeFault {
    /// No decoder is installed.
    NoDecoder,
    /// There was one and it gave no picture that counts.
    Flawed(Flaw),
}

impl From<Flaw> for DecodeFault {
    fn from(flaw: Flaw) -> Self {
        Self::Flawed(flaw)
    }
}

/// A decoded picture, as the decoder left it.
#[derive(Debug)]
pub struct Picture {
    buffer: gst::Buffer,
    info: gst_video::VideoInfo,
}

impl Picture {
    /// Pixels across.
    pub fn width(&self) -> u32 {
        self.info.width()
    }

    /// Pixels down.
    pub fn height(&self) -> u32 {
        self.info.height()
    }

    /// Gives the planes to `look`; `None` when they cannot be mapped.
    pub fn planes<T>(&self, look: impl FnOnce(&Decoded<'_>) -> T) -> Option<T> {
        let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(self.buffer.as_ref(), &self.info).ok()?;
        let component = |number: u8| -> Option<Plane<'_>> {
            let component = u32::from(number);
            let data = frame.plane_data(self.info.format_info().plane()[component as usize]).ok()?;
            let offset = self.info.format_info().poffset()[component as usize] as usize;
            Some(Plane {
                data: data.get(offset..)?,
                stride_bytes: usize::try_from(frame.comp_stride(component)).ok()?,
                step_bytes: usize::try_from(frame.comp_pstride(component)).ok()?,
                width: frame.comp_width(component) as usize,
                height: frame.comp_height(component) as usize,
            })
        };
        let luma = component(0)?;
        let chroma = if self.info.n_components() >= 3 { Some((component(1)?, component(2)?)) } else { None };
        let colorimetry = self.info.colorimetry();
        let matrix = match colorimetry.matrix() {
            gst_video::VideoColorMatrix::Bt709 => Matrix::Bt709,
            gst_video::VideoColorMatrix::Bt2020 => Matrix::Bt2020,
            _ => Matrix::Bt601,
        };
        let full_range = colorimetry.range() == gst_video::VideoColorRange::Range0_255;
        Some(look(&Decoded { luma, chroma, matrix, full_range }))
    }

    /// The same picture in memory of our own. What a hardware decoder gives is one of its few buffers, which it may
    /// want back, and slow to read from more than once.
    ///
    /// # Errors
    /// [`Flaw::Unreadable`] when the processor cannot reach that memory.
    pub fn copied(self) -> Result<Self, Flaw> {
        let buffer = self.buffer.copy_deep().map_err(|_| Flaw::Unreadable)?;
        Ok(Self { buffer, info: self.info })
    }
}

/// What comes out of the decoder, shared with the pad that takes it.
#[derive(Default)]
struct Output {
    info: Mutex<Option<gst_video::VideoInfo>>,
}

/// One warm decoder for one codec.
pub struct Slot {
    codec: Codec,
    elements: Vec<gst::Element>,
    input: gst::Pad,
    /// Kept here because a link holds no reference to its pads.
    taker: gst::Pad,
    output: Arc<Output>,
    frames: Receiver<Result<gst::Buffer, Flaw>>,
    caps: Option<gst::Caps>,
    pushed: u64,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let _ = self.input.set_active(false);
        let _ = self.taker.set_active(false);
        for element in &self.elements {
            let _ = element.set_state(gst::State::Null);
        }
    }
}

impl Slot {
    /// Makes and starts a software decoder.
    ///
    /// # Errors
    /// When there is none for this codec.
    pub fn new(codec: Codec) -> anyhow::Result<Self> {
        let mut slot = Self::open(codec, make(software_decoder(codec))?)?;
        slot.start()?;
        Ok(slot)
    }

    /// Puts a decoder between the pads and opens its device, if it has one: that is what an element does in READY
    /// (GStreamer documentation, "Element states").
    ///
    /// # Errors
    /// When the device does not open.
    pub fn open(codec: Codec, decoder: gst::Element) -> anyhow::Result<Self> {
        // Frame threads would hold the first picture back until they are all busy.
        set_if_there(&decoder, "max-threads", "1");
        let convert = make("videoconvert")?;
        let input = gst::Pad::builder(gst::PadDirection::Src).build();
        let output = Arc::new(Output::default());
        // A drained decoder gives one picture, or two fields' worth; more than 4 are not this keyframe's and are dropped.
        let (sender, frames) = sync_channel(4);
        let taker = take_pad(&output, sender.clone())?;
        let bus = gst::Bus::new();
        bus.set_sync_handler(move |_, message| {
            if let gst::MessageView::Error(error) = message.view() {
                let _ = sender.try_send(Err(flaw_of(&error.error())));
            }
            gst::BusSyncReply::Drop
        });
        decoder.set_bus(Some(&bus));
        gst::Element::link(&decoder, &convert)?;
        let static_pad = |element: &gst::Element, name| {
            element.static_pad(name).ok_or_else(|| anyhow::anyhow!("{} has no pad {name}", element.name()))
        };
        input.link(&static_pad(&decoder, "sink")?)?;
        static_pad(&convert, "src")?.link(&taker)?;
        let slot =
            Self { codec, elements: vec![decoder, convert], input, taker, output, frames, caps: None, pushed: 0 };
        slot.set_state(gst::State::Ready)?;
        Ok(slot)
    }

    /// Starts an opened decoder.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.set_state(gst::State::Playing)?;
        self.taker.set_active(true)?;
        self.input.set_active(true)?;
        self.input.push_event(gst::event::StreamStart::new("keyframe"));
        Ok(())
    }

    /// Begins anew after a fault without closing the device, which could not be opened again.
    ///
    /// # Errors
    /// When the decoder does not start again.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.input.set_active(false)?;
        self.taker.set_active(false)?;
        self.set_state(gst::State::Ready)?;
        self.caps = None;
        while self.frames.try_recv().is_ok() {}
        self.start()
    }

    fn set_state(&self, state: gst::State) -> anyhow::Result<()> {
        for element in &self.elements {
            element.set_state(state)?;
        }
        Ok(())
    }

    /// The codec it was made for.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// True when the decoder says that it takes this profile, level and size.
    pub fn takes(&self, sample: &gst::Sample) -> bool {
        let taken = self.elements[0].static_pad("sink").map(|pad| pad.query_caps(None));
        taken.zip(sample.caps()).is_some_and(|(taken, caps)| taken.can_intersect(caps))
    }

    /// Decodes one keyframe in a software decoder. After a flaw the slot must not be used again.
    ///
    /// # Errors
    /// [`Flaw`].
    pub fn decode(&mut self, sample: &gst::Sample) -> Result<Picture, Flaw> {
        self.decode_within(sample, DECODE_TIMEOUT)
    }

    /// Decodes one keyframe. After a flaw the slot must be thrown away or begun anew. A decoder that works in the
    /// calling thread is not held to `limit`.
    ///
    /// # Errors
    /// [`Flaw`].
    pub fn decode_within(&mut self, sample: &gst::Sample, limit: Duration) -> Result<Picture, Flaw> {
        let (Some(buffer), Some(caps)) = (sample.buffer(), sample.caps()) else { return Err(Flaw::Empty) };
        COMPLAINTS.set(0);
        self.pushed += 1;
        // A time stamp that no other picture of this slot has.
        let stamp = gst::ClockTime::from_seconds(self.pushed);
        let mut keyframe = buffer.to_owned();
        {
            let keyframe = keyframe.make_mut();
            keyframe.set_pts(stamp);
            keyframe.set_dts(stamp);
            keyframe.set_duration(gst::ClockTime::NONE);
            keyframe.set_flags(gst::BufferFlags::DISCONT);
        }
        if self.caps.as_deref() != Some(caps) {
            self.caps = Some(caps.to_owned());
            if !self.input.push_event(gst::event::Caps::new(&caps.to_owned())) {
                return Err(Flaw::Format);
            }
        }
        self.input.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
        let flow = self.input.push(keyframe);
        // Drains the decoder without ending the stream.
        self.input.push_event(gst::event::SegmentDone::new(stamp));
        if let Err(error) = flow {
            // What the element has told of it says more.
            let told = self.frames.try_iter().find_map(Result::err);
            return Err(told.unwrap_or(match error {
                gst::FlowError::NotNegotiated => Flaw::Format,
                _ => Flaw::GaveUp,
            }));
        }
        let frame = self.frames.recv_timeout(limit).map_err(|_| Flaw::Silent)??;
        if frame.pts() != Some(stamp) || self.frames.try_recv().is_ok() {
            return Err(Flaw::Stranger);
        }
        if frame.flags().contains(gst::BufferFlags::CORRUPTED) || COMPLAINTS.get() > 0 {
            return Err(Flaw::Damaged);
        }
        let info = self.output.info.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Picture { buffer: frame, info: info.ok_or(Flaw::Unreadable)? })
    }
}

impl Slot {
    /// Decodes the next access unit of one stream, in decoding order and without a gap since its keyframe, and gives the
    /// newest picture that comes out; a decoder that reorders has none at first. After a flaw the slot must be thrown away.
    ///
    /// # Errors
    /// [`Flaw`].
    pub fn follow(&mut self, sample: &gst::Sample) -> Result<Option<Picture>, Flaw> {
        let (Some(buffer), Some(caps)) = (sample.buffer_owned(), sample.caps()) else { return Err(Flaw::Empty) };
        COMPLAINTS.set(0);
        if self.caps.as_deref() != Some(caps) {
            self.caps = Some(caps.to_owned());
            if !self.input.push_event(gst::event::Caps::new(&caps.to_owned())) {
                return Err(Flaw::Format);
            }
        }
        if self.pushed == 0 {
            self.input.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
        }
        self.pushed += 1;
        let flow = self.input.push(buffer);
        let mut newest = None;
        for frame in self.frames.try_iter() {
            newest = Some(frame?);
        }
        flow.map_err(|_| Flaw::GaveUp)?;
        if COMPLAINTS.get() > 0 {
            return Err(Flaw::Damaged);
        }
        let Some(frame) = newest else { return Ok(None) };
        if frame.flags().contains(gst::BufferFlags::CORRUPTED) {
            return Err(Flaw::Damaged);
        }
        let info = self.output.info.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Some(Picture { buffer: frame, info: info.ok_or(Flaw::Unreadable)? }))
    }
}

/// What an element's error says, by its domain and code; its text is never read.
fn flaw_of(error: &gst::glib::Error) -> Flaw {
    use gst::{CoreError, ResourceError, StreamError};
    if error.matches(ResourceError::NoSpaceLeft) {
        Flaw::NoMemory
    } else if error.kind::<ResourceError>().is_some() {
        Flaw::Device
    } else if matches!(error.kind(), Some(CoreError::Negotiation | CoreError::Caps))
        || matches!(
            error.kind(),
            Some(
                StreamError::Format | StreamError::WrongType | StreamError::NotImplemented | StreamError::CodecNotFound
            )
        )
    {
        Flaw::Format
    } else {
        Flaw::GaveUp
    }
}

/// The pad that takes what the decoder gives.
fn take_pad(output: &Arc<Output>, frames: SyncSender<Result<gst::Buffer, Flaw>>) -> anyhow::Result<gst::Pad> {
    let caps = gst::Caps::builder("video/x-raw").field("format", gst::List::new(FORMATS)).build();
    let template = gst::PadTemplate::new("sink", gst::PadDirection::Sink, gst::PadPresence::Always, &caps)?;
    let output = output.clone();
    Ok(gst::Pad::builder_from_template(&template)
        .chain_function(move |_, _, buffer| {
            let _ = frames.try_send(Ok(buffer));
            Ok(gst::FlowSuccess::Ok)
        })
        .event_function(move |_, _, event| {
            if let gst::EventView::Caps(caps) = event.view() {
                let info = gst_video::VideoInfo::from_caps(caps.caps()).ok();
                *output.info.lock().unwrap_or_else(PoisonError::into_inner) = info;
            }
            true
        })
        .build())
}

/// The warm slots of one decoding thread, one per codec.
#[derive(Default)]
pub struct Slots(Vec<Slot>);

impl Slots {
    /// Decodes in the slot of this codec, which is made when needed and thrown away after a fault.
    ///
    /// # Errors
    /// [`DecodeFault`].
    pub fn decode(&mut self, codec: Codec, sample: &gst::Sample) -> Result<Picture, DecodeFault> {
        let mut slot = match self.0.iter().position(|slot| slot.codec() == codec) {
            Some(index) => self.0.swap_remove(index),
            None => Slot::new(codec).map_err(|_| DecodeFault::NoDecoder)?,
        };
        let picture = slot.decode(sample)?;
        self.0.push(slot);
        Ok(picture)
    }
}
