//! The decode slots: a few threads, each with its own warm decoders, that take keyframes from one queue. Where the worker
//! has hardware decoders, a keyframe is given to one of them first, and to software when that does not work out.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::hardware::{Bank, Tried};
use crate::model::{Codec, Look, PictureStats};
use crate::probe::SnapshotSize;
use crate::probe::classify::End;
use crate::probe::decoders::{Decoder, Flaw};
use crate::probe::look::look;
use crate::probe::picture::{MEASURED_WIDTH_PX, convert, measure, scale_factor};
use crate::probe::pipeline::Sample;
use crate::probe::pipeline::decode::{DecodeFault, Picture, Slots};
use crate::probe::pipeline::hardware::software_decoder;
use crate::probe::pipeline::jpeg::Encoder;
use crate::probe::protocol::HardwareUse;

/// One keyframe to decode.
pub struct Job {
    /// The access unit with its caps.
    pub sample: Sample,
    /// Its codec.
    pub codec: Codec,
    /// Which JPEG is wanted.
    pub snapshot: SnapshotSize,
    /// Whether a hardware decoder may have it.
    pub hardware: HardwareUse,
    /// The probe's deadline: a device that does not answer must leave time for software, and a keyframe whose turn comes
    /// later is not decoded any more.
    pub deadline: Instant,
    /// Called when its turn comes.
    pub on_turn: Box<dyn FnOnce() + Send>,
    /// Called when the decoder is done with it.
    pub on_done: Box<dyn FnOnce() + Send>,
    /// Where the answer goes; holds one. Dropped without one when the turn comes too late.
    pub answer: SyncSender<Decoded>,
}

/// What became of a keyframe.
#[derive(Debug)]
pub struct Decoded {
    /// What was seen, or how it failed.
    pub result: Result<Seen, End>,
    /// The element that had it last; `None` when none had it.
    pub decoder: Option<String>,
    /// True when that is a hardware decoder.
    pub hardware: bool,
    /// Why no hardware decoder will have this stream for a while: element and what was wrong.
    pub hardware_refused: Option<String>,
    /// Pixels of the picture as decoded.
    pub size_px: Option<(u32, u32)>,
    /// Keyframe to raw picture, without the wait for a slot.
    pub decode_took: Duration,
    /// Scaling, measuring, JPEG.
    pub picture_took: Duration,
}

/// What was seen of a picture.
#[derive(Debug)]
pub struct Seen {
    /// Its numbers.
    pub stats: PictureStats,
    /// What it is judged by; `None` when it is too small for that.
    pub look: Option<Look>,
    /// The JPEG, when one was wanted.
    pub jpeg: Option<Bytes>,
}

/// The queue and its threads.
pub struct Decoding {
    /// Holds 256 keyframes; when it is full the receiving thread waits, which its probe's deadline bounds.
    jobs: SyncSender<Job>,
}

impl Decoding {
    /// Starts the threads: one a slot, and one for each keyframe that a hardware decoder may have.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(slots: usize, bank: Option<&Arc<Bank>>) -> anyhow::Result<Self> {
        let (jobs, queue) = sync_channel(256);
        let queue = Arc::new(Mutex::new(queue));
        // A thread that waits for a device decodes nothing else meanwhile.
        let waiting = bank.map_or(0, |bank| bank.decoders().iter().map(|decoder| decoder.slots).sum());
        for number in 0..slots.max(1) + waiting {
            let (queue, bank) = (queue.clone(), bank.cloned());
            let thread = std::thread::Builder::new().name(format!("decode {number}"));
            thread.spawn(move || decode_all(&queue, bank.as_deref()))?;
        }
        Ok(Self { jobs })
    }

    /// Puts a keyframe into the queue.
    pub fn put(&self, job: Job) {
        // Fails only when every decoding thread is gone; the dropped answer tells the receiver.
        let _ = self.jobs.send(job);
    }
}

fn decode_all(queue: &Mutex<Receiver<Job>>, bank: Option<&Bank>) {
    let mut slots = Slots::default();
    let mut encoder = None;
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(mut job) = job else { return };
        if Instant::now() >= job.deadline {
            continue;
        }
        std::mem::replace(&mut job.on_turn, Box::new(|| {}))();
        let _ = job.answer.send(decode_one(bank, &mut slots, &mut encoder, &job));
        (job.on_done)();
    }
}

fn decode_one(bank: Option<&Bank>, slots: &mut Slots, encoder: &mut Option<Encoder>, job: &Job) -> Decoded {
    let started = Instant::now();
    let tried = try_hardware(bank, job);
    let only = job.hardware == HardwareUse::Only;
    let software = || Some(software_decoder(job.codec).to_owned());
    let (picture, decoder, hardware, hardware_refused) = match tried {
        Some(Tried::Picture(picture, element)) => (Ok(picture), Some(element), true, None),
        Some(Tried::Flawed(flaw, element)) if only => {
            (Err(only_end(flaw, &element, job.codec)), Some(element), true, None)
        }
        Some(Tried::Flawed(flaw, element)) => {
            let picture = decode_in_software(slots, job);
            // When software does not decode it either, the camera is at fault, unless the device hung on it.
            let refused = (picture.is_ok() || flaw == Flaw::Silent).then(|| format!("{element}: {flaw}"));
            (picture, software(), false, refused)
        }
        Some(Tried::Busy) if only => (Err(End::Overloaded), None, false, None),
        Some(Tried::NoDecoder(decoder)) if only => (Err(no_decoder(decoder.as_ref(), job.codec)), None, false, None),
        None | Some(Tried::Busy | Tried::NoDecoder(_)) => (decode_in_software(slots, job), software(), false, None),
    };
    let decode_took = started.elapsed();
    let (result, size_px) = match picture {
        Ok(picture) => (see(&picture, encoder, job.snapshot), Some((picture.width(), picture.height()))),
        Err(end) => (Err(end), None),
    };
    let picture_took = started.elapsed().saturating_sub(decode_took);
    Decoded { result, decoder, hardware, hardware_refused, size_px, decode_took, picture_took }
}

/// `None` when it is not to be tried: JPEG is left to software whatever is asked for.
fn try_hardware(bank: Option<&Bank>, job: &Job) -> Option<Tried> {
    if job.codec == Codec::Mjpeg || job.hardware == HardwareUse::Never {
        return None;
    }
    let only = job.hardware == HardwareUse::Only;
    Some(bank.map_or(Tried::NoDecoder(None), |bank| bank.decode(job.codec, &job.sample, job.deadline, only)))
}

fn decode_in_software(slots: &mut Slots, job: &Job) -> Result<Picture, End> {
    slots.decode(job.codec, &job.sample).map_err(|fault| match fault {
        DecodeFault::NoDecoder => End::UnsupportedCodec { name: job.codec.as_str().to_owned() },
        DecodeFault::Flawed(flaw) => End::Undecodable { what: flaw.as_str() },
    })
}

/// What a flaw of the hardware decoder means when nothing else may decode.
fn only_end(flaw: Flaw, element: &str, codec: Codec) -> End {
    match flaw {
        Flaw::Format => End::HardwareOnly { name: codec.as_str().to_owned(), why: format!("{element}: {flaw}") },
        Flaw::Empty | Flaw::GaveUp | Flaw::Damaged => End::Undecodable { what: flaw.as_str() },
        Flaw::NoMemory | Flaw::Device | Flaw::Silent | Flaw::Stranger | Flaw::Unreadable | Flaw::Wrong => {
            End::HardwareFailed { what: format!("{element}: {flaw}") }
        }
    }
}

fn no_decoder(preferred: Option<&Decoder>, codec: Codec) -> End {
    let why = match preferred.and_then(|decoder| decoder.not_used.map(|why| (decoder, why))) {
        Some((decoder, why)) => format!("{}: {why}", decoder.element),
        None => "there is no hardware decoder for it".to_owned(),
    };
    End::HardwareOnly { name: codec.as_str().to_owned(), why }
}

/// Measures the picture and makes its JPEG.
fn see(picture: &Picture, encoder: &mut Option<Encoder>, snapshot: SnapshotSize) -> Result<Seen, End> {
    let measured_at = scale_factor(picture.width(), MEASURED_WIDTH_PX);
    let wanted_at = match snapshot {
        SnapshotSize::None => None,
        SnapshotSize::Full => Some(1),
        SnapshotSize::AtMostWidth(limit_px) => Some(scale_factor(picture.width(), limit_px)),
    };
    let converted = picture.planes(|decoded| {
        let small = convert(decoded, measured_at);
        let look = look(&small, &decoded.luma);
        let other = wanted_at.filter(|factor| *factor != measured_at).map(|factor| convert(decoded, factor));
        (small, other, look)
    });
    let (small, other, look) = converted.ok_or(End::Undecodable { what: Flaw::Unreadable.as_str() })?;
    let stats = measure(&small);
    let jpeg = wanted_at.and_then(|_| encode(encoder, &other.unwrap_or(small)));
    Ok(Seen { stats, look, jpeg })
}

/// A picture without a JPEG is still a verdict: the encoder's failure is ours, not the camera's.
fn encode(encoder: &mut Option<Encoder>, picture: &crate::probe::picture::Yuv420) -> Option<Bytes> {
    let mut warm = match encoder.take() {
        Some(warm) => warm,
        None => Encoder::new().ok()?,
    };
    let jpeg = warm.encode(picture).ok()?;
    *encoder = Some(warm);
    Some(jpeg)
}
