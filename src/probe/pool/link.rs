//! The connection to one living worker and the probes that run in it.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, mpsc, oneshot};

use crate::model::ProbeReport;
use crate::probe::decoders::Decoder;
use crate::probe::protocol::{ToWorker, encode};

/// How one attempt in a worker ended.
pub enum Answer {
    /// The worker's report and its JPEG (empty: none).
    Report(Box<ProbeReport>, Vec<u8>),
    /// The worker is gone; `suspect` when this probe may have been the cause.
    Lost {
        /// It was in a decoder, or alone, when the worker died.
        suspect: bool,
    },
    /// The verdict of a probe that did not hang up in time, or whose worker died while it did.
    Verdict(Box<ProbeReport>),
    /// The probe passed its hard deadline and the worker was killed for it.
    Overran,
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
    /// When the worker is killed for it.
    pub hard_deadline: Instant,
    /// Its picture is in a decoder.
    pub decoding: bool,
}

impl InFlight {
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
        let Some(answer) = self.answer.as_mut() else { return Answer::Lost { suspect: false } };
        let ended = answer.await.unwrap_or(Answer::Lost { suspect: false });
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

    /// Ends every probe of a dead worker.
    pub fn lose_all(&self, end: impl Fn(&InFlight, usize) -> Answer) {
        let lost: Vec<_> = self.lock().drain().map(|(_, probe)| probe).collect();
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
}
