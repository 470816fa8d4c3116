//! A live preview in the worker: every access unit from a keyframe on is decoded, and now and then one picture is sent.
//!
//! The receiving thread never waits: when the decoder is behind, units are dropped up to the next keyframe, so that no
//! picture is ever made of a delta frame without those before it. A stream that is too heavy so comes down to keyframes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::report::{Evidence, failed, failure};
use super::travel::travel;
use super::{Cancel, Voice, Worker};
use crate::model::{Codec, Stage};
use crate::probe::SnapshotSize;
use crate::probe::classify::End;
use crate::probe::decoders::Flaw;
use crate::probe::picture::{convert, scale_factor};
use crate::probe::pipeline::decode::{Picture, Slot};
use crate::probe::pipeline::jpeg::Encoder;
use crate::probe::pipeline::preview::{Limits, show};
use crate::probe::pipeline::receive::may_be_decoded;
use crate::probe::pipeline::{Sample, Seen, Tap, Watch};
use crate::probe::protocol::{FromWorker, Target};

/// How often the decoding thread looks whether it is over.
const LOOK: Duration = Duration::from_millis(200);

/// So many keyframes in a row that do not decode end a preview: there is nothing to see.
const MOST_FLAWS: u32 = 3;

/// What is wanted of a preview.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// When it ends at the latest.
    pub longest: Duration,
    /// So many pictures a second at most.
    pub pictures_per_second: u32,
}

/// One access unit on its way to the decoder.
struct Unit {
    sample: Sample,
    codec: Codec,
    is_keyframe: bool,
    /// Where it is told that there is nothing to see.
    watch: Weak<Watch>,
}

impl Worker {
    /// One preview, from the first packet sent until the camera was hung up on.
    pub(super) fn preview(&self, id: u64, target: &Target, wanted: Wanted, cancel: &Arc<Cancel>) {
        let started = Instant::now();
        let limits = Limits { deadline: started + target.timeout, until: started + wanted.longest };
        let evidence = Evidence::new(target, started);
        // Holds 32 units, a second of video. When it is full the rest is dropped up to the next keyframe.
        let (units, queue) = sync_channel(32);
        let over = Arc::new(AtomicBool::new(false));
        let decoding = Decoding {
            id,
            voice: self.voice.clone(),
            over: over.clone(),
            snapshot: target.snapshot,
            interval: Duration::from_secs(1) / wanted.pictures_per_second.max(1),
        };
        let thread = std::thread::Builder::new().name(format!("preview {id}"));
        if thread.spawn(move || decoding.run(&queue)).is_err() {
            let report = failed(Stage::Resolve, &End::Overloaded, Duration::ZERO);
            return self.say(&FromWorker::Report { id, report: Box::new(report) }, &[]);
        }
        let attempt = |target: &Target, transport| {
            let on_watch = |watch: &Arc<Watch>| {
                watch.tap(tap(units.clone(), target, watch));
                cancel.ends(watch);
            };
            let received = show(target, transport, limits, evidence.transcript(), on_watch, |received| {
                if let Err((stage, end)) = &received.result {
                    self.say_verdict(id, *stage, end, received, &evidence);
                }
            });
            (received, ())
        };
        let (received, ()) = travel(target, limits.deadline, attempt);
        over.store(true, Ordering::SeqCst);
        let report = match &received.result {
            Err((stage, end)) => failure(*stage, end, &received, &evidence),
            Ok(_) => failed(Stage::Keyframe, &End::Cancelled, started.elapsed()),
        };
        self.say(&FromWorker::Report { id, report: Box::new(report) }, &[]);
    }
}

/// Passes units on to the decoder, from a keyframe on and without a gap.
fn tap(units: SyncSender<Unit>, target: &Target, watch: &Arc<Watch>) -> Tap {
    let (target, to_tell) = (target.clone(), Arc::downgrade(watch));
    let flows = AtomicBool::new(false);
    Box::new(move |watch, sample, codec, is_keyframe| {
        if is_keyframe && let Err(end) = may_be_decoded(&sample, codec, &target) {
            return watch.saw(Seen::Ended(end));
        }
        if is_keyframe || flows.load(Ordering::Relaxed) {
            let unit = Unit { sample, codec, is_keyframe, watch: to_tell.clone() };
            flows.store(units.try_send(unit).is_ok(), Ordering::Relaxed);
        }
    })
}

/// The decoding thread of a preview.
struct Decoding {
    id: u64,
    voice: Voice,
    /// The preview has ended.
    over: Arc<AtomicBool>,
    snapshot: SnapshotSize,
    /// From picture to picture.
    interval: Duration,
}

impl Decoding {
    fn run(&self, queue: &Receiver<Unit>) {
        let mut decoder: Option<Slot> = None;
        let mut encoder = None;
        let mut last: Option<Instant> = None;
        let mut flaws = 0;
        while !self.over.load(Ordering::SeqCst) {
            let unit = match queue.recv_timeout(LOOK) {
                Ok(unit) => unit,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let is_due = last.is_none_or(|last| last.elapsed() >= self.interval);
            // Behind a flaw a decoder waits for the next keyframe; a JPEG needs no other.
            if (decoder.is_none() && !unit.is_keyframe) || (unit.codec == Codec::Mjpeg && !is_due) {
                continue;
            }
            match follow(&mut decoder, &unit) {
                Ok(picture) => {
                    flaws = 0;
                    let Some(picture) = picture.filter(|_| is_due) else { continue };
                    if let Some(jpeg) = self.jpeg(&picture, &mut encoder) {
                        last = Some(Instant::now());
                        self.voice.say(&FromWorker::Picture { id: self.id }, &jpeg);
                    }
                }
                Err(flaw) => {
                    decoder = None;
                    flaws += u32::from(unit.is_keyframe);
                    if flaws >= MOST_FLAWS
                        && let Some(watch) = unit.watch.upgrade()
                    {
                        watch.saw(Seen::Ended(flaw));
                        return;
                    }
                }
            }
        }
    }

    fn jpeg(&self, picture: &Picture, encoder: &mut Option<Encoder>) -> Option<Bytes> {
        let factor = match self.snapshot {
            SnapshotSize::AtMostWidth(limit_px) => scale_factor(picture.width(), limit_px),
            SnapshotSize::None | SnapshotSize::Full => 1,
        };
        let small = picture.planes(|decoded| convert(decoded, factor))?;
        let mut warm = match encoder.take() {
            Some(warm) => warm,
            None => Encoder::new().ok()?,
        };
        let jpeg = warm.encode(&small).ok()?;
        *encoder = Some(warm);
        Some(jpeg)
    }
}

fn follow(decoder: &mut Option<Slot>, unit: &Unit) -> Result<Option<Picture>, End> {
    let slot = match decoder.take().filter(|slot| slot.codec() == unit.codec) {
        Some(slot) => slot,
        None => Slot::new(unit.codec).map_err(|_| End::UnsupportedCodec { name: unit.codec.as_str().to_owned() })?,
    };
    let picture = decoder.insert(slot).follow(&unit.sample);
    picture.map_err(|flaw: Flaw| End::Undecodable { what: flaw.as_str() })
}
