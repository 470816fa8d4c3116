//! The decode slots: a few threads, each with its own warm decoders, that take keyframes from one queue.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::model::{Codec, Look, PictureStats};
use crate::probe::SnapshotSize;
use crate::probe::classify::End;
use crate::probe::look::look;
use crate::probe::picture::{MEASURED_WIDTH_PX, convert, measure, scale_factor};
use crate::probe::pipeline::Sample;
use crate::probe::pipeline::decode::{DecodeFault, Picture, Slots};
use crate::probe::pipeline::jpeg::Encoder;

/// One keyframe to decode.
pub struct Job {
    /// The access unit with its caps.
    pub sample: Sample,
    /// Its codec.
    pub codec: Codec,
    /// Which JPEG is wanted.
    pub snapshot: SnapshotSize,
    /// Where the answer goes; holds one.
    pub answer: SyncSender<Decoded>,
}

/// What became of a keyframe.
#[derive(Debug)]
pub struct Decoded {
    /// What was seen, or how it failed.
    pub result: Result<Seen, End>,
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
    /// Starts the threads.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(slots: usize) -> anyhow::Result<Self> {
        let (jobs, queue) = sync_channel(256);
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..slots.max(1) {
            let queue = queue.clone();
            std::thread::Builder::new().name(format!("decode {number}")).spawn(move || decode_all(&queue))?;
        }
        Ok(Self { jobs })
    }

    /// Puts a keyframe into the queue.
    pub fn put(&self, job: Job) {
        // Fails only when every decoding thread is gone; the dropped answer tells the receiver.
        let _ = self.jobs.send(job);
    }
}

fn decode_all(queue: &Mutex<Receiver<Job>>) {
    let mut slots = Slots::default();
    let mut encoder = None;
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        let _ = job.answer.send(decode_one(&mut slots, &mut encoder, &job));
    }
}

fn decode_one(slots: &mut Slots, encoder: &mut Option<Encoder>, job: &Job) -> Decoded {
    let started = Instant::now();
    let picture = slots.decode(job.codec, &job.sample);
    let decode_took = started.elapsed();
    let (result, size_px) = match picture {
        Ok(picture) => (see(&picture, encoder, job.snapshot), Some((picture.width(), picture.height()))),
        Err(DecodeFault::NoDecoder) => (Err(End::UnsupportedCodec { name: job.codec.as_str().to_owned() }), None),
        Err(DecodeFault::Undecodable(what)) => (Err(End::Undecodable { what }), None),
    };
    Decoded { result, size_px, decode_took, picture_took: started.elapsed().saturating_sub(decode_took) }
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
        let other = wanted_at.filter(|factor| *factor != measured_at).map(|factor| convert(decoded, factor));
        (small, other)
    });
    let (small, other) = converted.ok_or(End::Undecodable { what: "a picture in an unknown layout" })?;
    let stats = measure(&small);
    let look = look(&small, f64::from(stats.sharpness));
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
