//! The connection to one living worker and the probes that run in it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot};

use crate::model::{ProbeReport, Stage};
use crate::probe::decoders::Decoder;
use crate::probe::protocol::{ToWorker, encode};

/// How one attempt in a worker ended.
pub enum Answer {
    /// The worker's report and its JPEG (empty: none).
    Report(Box<ProbeReport>, Vec<u8>),
    /// The worker is gone, or cannot get to it.
    Lost,
    /// The verdict of a probe that did not hang up in time, or whose worker died while it did.
    Verdict(Box<ProbeReport>),
    /// The probe passed its hard deadline, or its picture the decoder's limit, and the worker was killed for it.
    Overran(Stage),
    /// No worker had room in time.
    NoRoom,
}

/// The connection to one living worker.
pub struct Link {
    /// Process id.
    pub pid: u32,
    /// Holds 512 frames; a probe that finds it full goes to another seat or waits for room.
    pub outgoing: mpsc::Sender<Vec<u8>>,
    /// Probes by their number.
    pub in_flight: Mutex<HashMap<u64, InFlight>>,
    /// True when no probe may begin any more: those in flight have been told the end, or there were none. Set and read while
    /// they are locked.
    pub closed: AtomicBool,
    /// Number of the next probe.
    pub next_id: AtomicU64,
    /// Probes begun so far.
    pub begun: AtomicU64,
    /// Decoders and sandbox layers, as the worker said.
    pub facts: (Vec<String>, Vec<String>),
    /// Hardware decoders, as the worker said last.
    pub hardware: Mutex<Vec<Decoder>>,
    /// When the worker was ready.
    pub since: Instant,
}

/// A probe that runs in a worker.
pub struct InFlight {
    /// The stream.
    pub key: String,
    /// Where its end is told; `None` once it was.
    pub answer: Option<oneshot::Sender<Answer>>,
    /// What the worker found; it is still hanging up.
    pub verdict: Option<Box<ProbeReport>>,
    /// When the verdict is told, hung up or not.
    pub told_at: Instant,
    /// When its worker is lost for it.
    pub hard_deadline: Instant,
    /// How far it is.
    pub progress: Progress,
    /// It overran, and its stream is a suspect.
    pub blamed: bool,
}

/// How far a probe is, as its worker said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It waits for the camera.
    Receiving,
    /// Its keyframe waits for a decoder.
    Queued,
    /// Its keyframe is in a decoder since then.
    Decoding(Instant),
    /// The decoder is done, and it hangs up.
    Decoded,
}

/// A decoder that takes longer for one picture is stuck or was given a bomb. The slowest Raspberry Pi should decode 40
/// megapixels in about half of it.
const DECODE_LIMIT: Duration = Duration::from_secs(5);

/// A decoder that is busy with one picture for this long is in the way of the others, and not waited for past the deadline.
const IN_THE_WAY: Duration = Duration::from_secs(2);

impl InFlight {
    /// True when its worker is lost for it. One that waits for a decoder is not, and gives up at its deadline; if it
    /// does not, it is hanging up that hangs.
    pub fn overran(&self, now: Instant) -> bool {
        match self.progress {
            Progress::Receiving | Progress::Decoded => now >= self.hard_deadline,
            Progress::Queued => now >= self.hard_deadline + IN_THE_WAY,
            Progress::Decoding(since) => now >= self.told_at.max(since + IN_THE_WAY).min(since + DECODE_LIMIT),
        }
    }

    /// True when its keyframe waits for a decoder.
    pub fn is_queued(&self) -> bool {
        self.progress == Progress::Queued
    }

    /// Where it overran: in the decoder, or somewhere before it.
    pub fn stage(&self) -> Stage {
        if self.progress == Progress::Receiving { Stage::Resolve } else { Stage::Decode }
    }

    /// True when its keyframe is in a decoder.
    pub fn is_decoding(&self) -> bool {
        matches!(self.progress, Progress::Decoding(_))
    }

    /// Tells the end, once. A verdict that is known goes before whatever became of the worker after it.
    pub fn tell(&mut self, answer: Answer) {
        let answer = match (self.verdict.take(), answer) {
            (_, report @ Answer::Report(..)) | (None, report) => report,
            (Some(verdict), _) => Answer::Verdict(verdict),
        };
        if let Some(asker) = self.answer.take() {
            // Nobody waits for it any more: the probe was called off.
            let _ = asker.send(answer);
        }
    }
}

/// A probe in a worker; dropping it tells the worker to hang up.
pub struct Running {
    /// Where it runs.
    pub link: Arc<Link>,
    /// Its number there.
    pub id: u64,
    /// `None` once it was taken.
    pub answer: Option<oneshot::Receiver<Answer>>,
    /// Told when it leaves early.
    pub room: Arc<Notify>,
}

impl Running {
    /// Waits for the end, which the seat brings about at the latest.
    pub async fn answer(mut self) -> Answer {
        let Some(answer) = self.answer.as_mut() else { return Answer::Lost };
        let ended = answer.await.unwrap_or(Answer::Lost);
        self.answer = None;
        ended
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.answer.is_some() && self.link.take(self.id).is_some() {
            if let Ok(frame) = encode(&ToWorker::Cancel { id: self.id }, &[]) {
                let _ = self.link.outgoing.try_send(frame);
            }
            self.room.notify_waiters();
        }
    }
}

impl Link {
    /// The probes in flight.
    pub fn lock(&self) -> MutexGuard<'_, HashMap<u64, InFlight>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hardware decoders, used or not.
    pub fn hardware(&self) -> Vec<Decoder> {
        self.hardware.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over whether the decoders are used, and gives those that changed. The worker has parsed hostile bytes by
    /// now: it can name no new ones.
    pub fn learn_hardware(&self, now: &[Decoder]) -> Vec<Decoder> {
        let mut known = self.hardware.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Vec::new();
        for decoder in known.iter_mut() {
            let now = now.iter().find(|now| now.element == decoder.element);
            if let Some(now) = now.filter(|now| now.not_used != decoder.not_used) {
                (decoder.slots, decoder.not_used) = (now.slots, now.not_used);
                changed.push(decoder.clone());
            }
        }
        changed
    }

    /// Takes a probe out, once.
    pub fn take(&self, id: u64) -> Option<InFlight> {
        self.lock().remove(&id)
    }

    /// A probe has come this far.
    pub fn progress(&self, id: u64, progress: Progress) {
        if let Some(probe) = self.lock().get_mut(&id) {
            probe.progress = progress;
        }
    }

    /// Tells those that overran, once; `suspect` is told of each stream first. True when there were any.
    pub fn blame(&self, now: Instant, suspect: impl Fn(&str)) -> bool {
        let mut any = false;
        for probe in self.lock().values_mut().filter(|probe| !probe.blamed && probe.overran(now)) {
            (probe.blamed, any) = (true, true);
            suspect(&probe.key);
            let stage = probe.stage();
            probe.tell(Answer::Overran(stage));
        }
        any
    }

    /// True when a picture has been in a decoder for too long: all that follow wait for it.
    pub fn is_decoder_stuck(&self, now: Instant) -> bool {
        self.lock().values().any(|probe| probe.is_decoding() && probe.overran(now))
    }

    /// True when the end of any probe is still to be told.
    pub fn is_waited_for(&self) -> bool {
        self.lock().values().any(|probe| probe.answer.is_some())
    }

    /// No probe may begin any more, if there is none. True when that is so.
    pub fn close_if_empty(&self) -> bool {
        let in_flight = self.lock();
        if in_flight.is_empty() {
            self.closed.store(true, Ordering::SeqCst);
        }
        in_flight.is_empty()
    }

    /// Ends every probe of a dead worker.
    pub fn lose_all(&self, end: impl Fn(&InFlight, usize) -> Answer) {
        let lost: Vec<_> = {
            let mut in_flight = self.lock();
            self.closed.store(true, Ordering::SeqCst);
            in_flight.drain().map(|(_, probe)| probe).collect()
        };
        let count = lost.len();
        for mut probe in lost {
            let answer = end(&probe, count);
            probe.tell(answer);
        }
    }

    /// Tells the verdicts that have waited long enough.
    pub fn tell_verdicts(&self, now: Instant) {
        for probe in self.lock().values_mut().filter(|probe| now >= probe.told_at) {
            if let Some(verdict) = probe.verdict.take() {
                probe.tell(Answer::Verdict(verdict));
            }
        }
    }

    /// True when a decoder has been busy with one picture for so long that others did not get their turn.
    pub fn is_blocked(&self, now: Instant) -> bool {
        let blocks =
            |probe: &InFlight| matches!(probe.progress, Progress::Decoding(since) if now >= since + IN_THE_WAY);
        self.lock().values().any(blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_overruns() {
        let start = Instant::now();
        let after = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let overran = |progress, seconds| {
            let (told_at, hard_deadline) = (after(10.35), after(12.0));
            let key = "gate".to_owned();
            InFlight { key, answer: None, verdict: None, told_at, hard_deadline, progress, blamed: false }
                .overran(after(seconds))
        };
        for (progress, not_yet, at_last) in [
            (Progress::Receiving, 11.9, 12.0),
            (Progress::Decoded, 11.9, 12.0),
            (Progress::Queued, 13.9, 14.0),
            // A bomb at the beginning of its probe, one in the middle, a slow machine at the end.
            (Progress::Decoding(after(1.0)), 5.9, 6.0),
            (Progress::Decoding(after(7.0)), 10.3, 10.35),
            (Progress::Decoding(after(9.9)), 11.8, 11.9),
        ] {
            assert!(!overran(progress, not_yet) && overran(progress, at_last), "{progress:?}");
        }
    }
}
