//! A worker process: started, listened to, watched, ended.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot};

use super::link::{Answer, Link, Progress};
use super::seat::{Leaves, Seat};
use super::{PoolError, PoolOptions, spawn};
use crate::model::{Outcome, ProbeReport, Reason, Stage};
use crate::probe::protocol::{FromWorker, ToWorker, encode, read_frame_async};

/// A worker says hello within this time, or it is not one.
pub const HELLO: Duration = Duration::from_secs(20);
/// How often deadlines, pings and memory are looked at.
const TICK: Duration = Duration::from_millis(125);
/// A worker that does not answer a ping for this long is stopped or starved as a whole.
const MUTE: Duration = Duration::from_secs(3);
/// How long a worker may take to hang up its sessions when it is closed.
const GOODBYE: Duration = Duration::from_millis(1_500);
/// How long a probe that does not hang up is suffered for the sake of those beside it.
const SUFFERED: Duration = Duration::from_secs(15);
/// How long when one of its probes is stuck: enough for the TEARDOWNs of the others.
const LAST_WORDS: Duration = Duration::from_millis(1_200);

/// Why serving a worker ended.
#[derive(Clone, Copy)]
pub enum Ending {
    /// The pool closes.
    Closed,
    /// Nobody has needed it for a while.
    Idle,
    /// It ended or broke the protocol.
    Died,
    /// It answers no ping.
    Mute,
    /// Probes of it passed their hard deadline.
    Overran,
    /// It holds twice the memory it may.
    Bloated,
}

impl Ending {
    /// How long the worker is waited for before it is killed. One that answers may hang up on the cameras of its other
    /// probes; one that grows must not go on.
    pub fn patience(self) -> Duration {
        match self {
            Self::Closed | Self::Idle => GOODBYE,
            Self::Overran => LAST_WORDS,
            Self::Died | Self::Mute | Self::Bloated => Duration::ZERO,
        }
    }
}

/// A worker process and the tasks that carry its frames.
pub struct Worker {
    child: Child,
    /// What the seat hands probes to.
    pub link: Arc<Link>,
    resident: spawn::Resident,
    /// Holds 64 frames; when it is full the worker waits, which it can.
    incoming: mpsc::Receiver<(FromWorker, Vec<u8>)>,
    /// Dropped to close the socket in good order.
    writer: tokio::task::JoinHandle<()>,
    reader: tokio::task::JoinHandle<()>,
}

impl Worker {
    /// Starts a process and waits for its hello.
    pub async fn start(options: &PoolOptions, with_hardware: bool) -> Result<Self, PoolError> {
        let (child, socket) = spawn::worker(options, with_hardware).map_err(PoolError::Start)?;
        let (mut from_worker, mut to_worker): (_, tokio::net::unix::OwnedWriteHalf) = UnixStream::into_split(socket);
        let (outgoing, mut frames) = mpsc::channel::<Vec<u8>>(512);
        let writer = tokio::spawn(async move {
            while let Some(frame) = frames.recv().await {
                if to_worker.write_all(&frame).await.is_err() {
                    return;
                }
            }
        });
        let (incoming_sender, mut incoming) = mpsc::channel(64);
        let reader = tokio::spawn(async move {
            while let Ok(Some(frame)) = read_frame_async::<FromWorker>(&mut from_worker).await {
                if incoming_sender.send(frame).await.is_err() {
                    return;
                }
            }
        });
        let hello = tokio::time::timeout(HELLO, incoming.recv()).await;
        let Ok(Some((FromWorker::Hello { missing, decoders, sandbox, hardware }, _))) = hello else {
            return Err(PoolError::Mute);
        };
        if !missing.is_empty() {
            return Err(PoolError::Missing(missing));
        }
        let link = Arc::new(Link {
            pid: child.id().unwrap_or(0),
            outgoing,
            in_flight: Mutex::default(),
            closed: AtomicBool::new(false),
            next_id: AtomicU64::new(1),
            begun: AtomicU64::new(0),
            facts: (decoders, sandbox),
            hardware: Mutex::new(hardware),
            since: Instant::now(),
        });
        Ok(Self { child, resident: spawn::Resident::of(link.pid), link, incoming, writer, reader })
    }

    /// Carries answers until the worker's end. `retire` is used once when the worker should be replaced.
    pub async fn serve(&mut self, seat: &Seat, retire: &mut Option<oneshot::Sender<Leaves>>) -> Ending {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut pings, mut last_word) = (0, Instant::now());
        let mut stuck_since = None;
        let (mut begun, mut idle_since) = (0, Instant::now());
        loop {
            tokio::select! {
                // What the worker has said comes before the judgement that it says nothing.
                biased;
                () = seat.closing() => return Ending::Closed,
                frame = self.incoming.recv() => {
                    last_word = Instant::now();
                    match frame {
                        None => return Ending::Died,
                        Some((FromWorker::Report { id, report }, jpeg)) => {
                            if let Some(mut probe) = self.link.take(id) {
                                if probe.answer.is_none() {
                                    seat.learn(&probe.key, &report);
                                }
                                probe.tell(self.answer(report, jpeg));
                            }
                            seat.has_changed();
                        }
                        Some((FromWorker::Queued { id }, _)) => self.link.progress(id, Progress::Queued),
                        Some((FromWorker::Decoding { id }, _)) => {
                            self.link.progress(id, Progress::Decoding(Instant::now()));
                        }
                        Some((FromWorker::Decoded { id }, _)) => self.link.progress(id, Progress::Decoded),
                        Some((FromWorker::Verdict { id, report }, _)) => {
                            if let Some(probe) = self.link.lock().get_mut(&id) {
                                probe.verdict = Some(report);
                            }
                        }
                        Some((FromWorker::Hardware { decoders }, _)) => {
                            for decoder in self.link.learn_hardware(&decoders) {
                                tracing::warn!("hardware decoder {decoder}");
                            }
                        }
                        Some((FromWorker::Pong { .. } | FromWorker::Hello { .. } | FromWorker::Picture { .. }, _)) => {}
                    }
                }
                _ = tick.tick() => {
                    let now = Instant::now();
                    self.link.tell_verdicts(now);
                    // Our own process may have been stopped, too: a ping is out for a whole period before it counts.
                    if pings > 0 && now.duration_since(last_word) > MUTE {
                        return Ending::Mute;
                    }
                    if self.link.is_decoder_stuck(now) {
                        return Ending::Overran;
                    }
                    if self.link.blame(now, |key| seat.suspect(key, now)) {
                        seat.lose(&self.link);
                        stuck_since.get_or_insert(now);
                    }
                    match self.resident.bytes() {
                        Some(bytes) if bytes > 2 * seat.memory_limit_bytes() => return Ending::Bloated,
                        Some(bytes) if bytes > seat.memory_limit_bytes() => seat.unpublish(&self.link),
                        _ => {}
                    }
                    if seat.wants_another_try(&self.link) {
                        seat.unpublish(&self.link);
                    }
                    if !seat.is_published(&self.link) {
                        if let Some(retire) = retire.take() {
                            let _ = retire.send(Leaves::Replaced);
                        }
                        if self.link.lock().is_empty() {
                            return Ending::Closed;
                        }
                    }
                    let begun_by_now = self.link.begun.load(Ordering::Relaxed);
                    if begun_by_now != begun || !self.link.lock().is_empty() {
                        (begun, idle_since) = (begun_by_now, now);
                    }
                    if seat.ends_after(now.duration_since(idle_since)) && self.link.close_if_empty() {
                        return Ending::Idle;
                    }
                    // The probes beside one that does not hang up need not begin anew for it, but it may be busy with that.
                    if stuck_since.is_some_and(|since| now >= since + SUFFERED || !self.link.is_waited_for()) {
                        return Ending::Overran;
                    }
                    pings += 1;
                    if let Ok(frame) = encode(&ToWorker::Ping { number: pings }, &[]) {
                        let _ = self.link.outgoing.try_send(frame);
                    }
                }
            }
        }
    }

    /// A picture that did not get its turn because another one keeps the decoder is tried elsewhere.
    fn answer(&self, report: Box<ProbeReport>, jpeg: Vec<u8>) -> Answer {
        let waited = matches!(report.outcome, Outcome::Failed { stage: Stage::Decode, reason: Reason::Overloaded, .. });
        if waited && self.link.is_blocked(Instant::now()) {
            return Answer::Lost;
        }
        Answer::Report(report, jpeg)
    }

    /// Ends the process, and waits `patience` for it to hang up its sessions with their TEARDOWN.
    pub async fn end(&mut self, patience: Duration) {
        self.writer.abort();
        if !patience.is_zero() && tokio::time::timeout(patience, self.child.wait()).await.is_ok() {
            self.reader.abort();
            return;
        }
        let _ = self.child.kill().await;
        self.reader.abort();
    }
}
