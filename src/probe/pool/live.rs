//! A worker that shows one camera live, in its own process: it can endanger no probe, and ending it ends everything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::OwnedWriteHalf;
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::memory::Memory;
use super::process::HELLO;
use super::spawn::{self, Resident};
use super::{PoolError, PoolOptions, believe};
use crate::model::{ProbeReport, Reason, Stage};
use crate::probe::ProbeRequest;
use crate::probe::protocol::{FromWorker, HardwareUse, Target, ToWorker, encode, read_frame_async};

/// What the worker may take beyond the timeout before it is killed: its own silence ends at the timeout.
const GRACE: Duration = Duration::from_secs(2);

/// How long hanging up may take.
const HANG_UP: Duration = Duration::from_millis(1_500);

/// A frame that the worker does not take in this time stands for a worker that is stuck.
const WRITE: Duration = Duration::from_secs(1);

/// What came of a preview.
#[derive(Debug)]
pub enum Shown {
    /// The newest picture. JPEG, full-range BT.601.
    Picture(Bytes),
    /// The camera, or the worker, ended it; it was hung up on, or the worker is gone.
    Ended(Box<ProbeReport>),
}

/// Starts a worker for each preview, which no probe shares. It runs when nobody else wants the processor.
#[derive(Clone)]
pub struct LiveWorkers {
    options: PoolOptions,
    memory: Arc<Memory>,
}

impl LiveWorkers {
    /// Workers of the same program as a pool with these options.
    pub fn new(options: &PoolOptions) -> Self {
        let options = PoolOptions { decode_slots: 1, in_background: true, ..options.clone() };
        Self { options, memory: Arc::default() }
    }

    pub(super) fn remembering(self, memory: &Arc<Memory>) -> Self {
        Self { memory: memory.clone(), ..self }
    }

    /// Starts one.
    ///
    /// # Errors
    /// [`PoolError`].
    pub async fn start(&self) -> Result<Live, PoolError> {
        Live::start(&self.options, self.memory.clone()).await
    }
}

/// The worker.
pub struct Live {
    child: Child,
    writer: OwnedWriteHalf,
    /// Holds two frames. When it is full the worker waits for its socket and drops what the camera sends meanwhile.
    incoming: mpsc::Receiver<(FromWorker, Vec<u8>)>,
    reader: JoinHandle<()>,
    resident: Resident,
    memory_limit_bytes: u64,
    memory: Arc<Memory>,
    /// Of the preview that runs, or ran last.
    id: u64,
    showing: Option<Showing>,
}

/// A preview that runs.
struct Showing {
    request: ProbeRequest,
    started: Instant,
    has_picture: bool,
    /// When the worker is killed unless something comes.
    silent_at: tokio::time::Instant,
    /// What the camera did, while it is still being hung up on.
    verdict: Option<ProbeReport>,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Live {
    async fn start(options: &PoolOptions, memory: Arc<Memory>) -> Result<Self, PoolError> {
        let (child, socket) = spawn::worker(options, false).map_err(PoolError::Start)?;
        let (mut from_worker, writer) = socket.into_split();
        let (frames, mut incoming) = mpsc::channel(2);
        let reader = tokio::spawn(async move {
            while let Ok(Some(frame)) = read_frame_async::<FromWorker>(&mut from_worker).await {
                if frames.send(frame).await.is_err() {
                    return;
                }
            }
        });
        let hello = timeout(HELLO, incoming.recv()).await;
        let Ok(Some((FromWorker::Hello { missing, .. }, _))) = hello else { return Err(PoolError::Mute) };
        if !missing.is_empty() {
            return Err(PoolError::Missing(missing));
        }
        let resident = Resident::of(child.id().unwrap_or(0));
        let memory_limit_bytes = options.memory_limit_bytes;
        Ok(Self { child, writer, incoming, reader, resident, memory_limit_bytes, memory, id: 0, showing: None })
    }

    /// True while it can be asked to show something.
    pub fn is_usable(&self) -> bool {
        !self.incoming.is_closed()
    }

    /// Begins to show a camera, at most for `longest`; the preview before has ended. What comes of it is told by [`Self::next`].
    pub async fn begin(&mut self, request: ProbeRequest, longest: Duration, pictures_per_second: u32) {
        self.id += 1;
        let transport = self.memory.recall(&request.key).transport_for(request.transport);
        let target = Box::new(Target::new(&request, transport, HardwareUse::Never));
        let message = ToWorker::Preview { id: self.id, target, longest, pictures_per_second };
        let silent_at = tokio::time::Instant::now() + request.timeout + GRACE;
        self.showing = Some(Showing { request, started: Instant::now(), has_picture: false, silent_at, verdict: None });
        if !self.say(&message).await {
            // It is found to be gone by the next that is asked of it.
            self.incoming.close();
        }
    }

    /// The next picture, or the end. May be dropped and called again.
    pub async fn next(&mut self) -> Shown {
        loop {
            let Some(showing) = &mut self.showing else { return self.lost(Reason::WorkerCrashed).await };
            let message = tokio::time::timeout_at(showing.silent_at, self.incoming.recv()).await;
            let Ok(message) = message else {
                tracing::warn!(stream = showing.request.key, "a preview overran its time; its worker is ended");
                return self.lost(Reason::WorkerTimeout).await;
            };
            match message {
                None => return self.lost(Reason::WorkerCrashed).await,
                Some((FromWorker::Picture { id }, jpeg)) if id == self.id => {
                    showing.silent_at = tokio::time::Instant::now() + showing.request.timeout + GRACE;
                    showing.has_picture = true;
                    if self.resident.bytes().is_some_and(|bytes| bytes > self.memory_limit_bytes) {
                        tracing::warn!(
                            stream = showing.request.key,
                            "a preview holds too much memory; its worker is ended"
                        );
                        return self.lost(Reason::WorkerCrashed).await;
                    }
                    let report = ProbeReport::failed(Stage::Picture, Reason::Ok, "", Duration::ZERO);
                    if let Some(jpeg) = believe(&showing.request, report, jpeg, showing.started).jpeg {
                        return Shown::Picture(jpeg);
                    }
                }
                Some((FromWorker::Verdict { id, report }, _)) if id == self.id => {
                    showing.silent_at = tokio::time::Instant::now() + HANG_UP;
                    showing.verdict = Some(*report);
                }
                Some((FromWorker::Report { id, report }, _)) if id == self.id => {
                    let report = believe(&showing.request, *report, Vec::new(), showing.started).report;
                    self.showing = None;
                    return Shown::Ended(Box::new(report));
                }
                Some(_) => {}
            }
        }
    }

    /// Hangs up on the camera and waits for that. Gives what the camera had said last, when it ended by itself just then.
    pub async fn hang_up(&mut self) -> Option<ProbeReport> {
        let showing = self.showing.as_ref()?;
        let has_picture = showing.has_picture;
        let cancel = ToWorker::Cancel { id: self.id };
        let deadline = tokio::time::Instant::now() + HANG_UP;
        if !self.say(&cancel).await {
            return Some(self.lost_report(Reason::WorkerCrashed).await);
        }
        loop {
            match tokio::time::timeout_at(deadline, self.next()).await {
                Ok(Shown::Picture(_)) => {}
                // What it says of a preview that it was told to end means nothing.
                Ok(Shown::Ended(report)) if report.reason().is_ours() || has_picture => return None,
                Ok(Shown::Ended(report)) => return Some(*report),
                Err(_) => {
                    let _ = self.lost(Reason::WorkerTimeout).await;
                    return None;
                }
            }
        }
    }

    /// Ends the process.
    async fn lost(&mut self, reason: Reason) -> Shown {
        Shown::Ended(Box::new(self.lost_report(reason).await))
    }

    async fn lost_report(&mut self, reason: Reason) -> ProbeReport {
        let _ = self.child.kill().await;
        self.incoming.close();
        let showing = self.showing.take();
        let took = showing.as_ref().map_or(Duration::ZERO, |showing| showing.started.elapsed());
        match showing.and_then(|showing| Some((showing.verdict?, showing.request, showing.started))) {
            Some((verdict, request, started)) => believe(&request, verdict, Vec::new(), started).report,
            None => ProbeReport::failed(Stage::Resolve, reason, "", took),
        }
    }

    async fn say(&mut self, message: &ToWorker) -> bool {
        let Ok(frame) = encode(message, &[]) else { return false };
        timeout(WRITE, self.writer.write_all(&frame)).await.is_ok_and(|written| written.is_ok())
    }
}
