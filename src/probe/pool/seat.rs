//! One seat of the pool: keeps a worker process alive, carries its probes, replaces it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{PoolError, PoolOptions, spawn};
use crate::backoff::Backoff;
use crate::model::ProbeReport;
use crate::probe::protocol::{FromWorker, Target, ToWorker, encode, read_frame_async};

/// A worker says hello within this time, or it is not one.
const HELLO: Duration = Duration::from_secs(20);
/// How often deadlines, pings and memory are looked at.
const TICK: Duration = Duration::from_millis(250);
/// A worker that does not answer a ping for this long is stopped or starved as a whole.
const MUTE: Duration = Duration::from_secs(3);
/// What a probe may take beyond its own deadline: hanging up, the queue of the decoder, the JPEG.
const GRACE: Duration = Duration::from_secs(2);
/// How long a worker may take to hang up its sessions when it is closed.
const GOODBYE: Duration = Duration::from_millis(1_500);

/// How one attempt in a worker ended.
pub enum Answer {
    /// The worker's report and its JPEG (empty: none).
    Report(Box<ProbeReport>, Vec<u8>),
    /// The worker is gone; `suspect` when this probe may have been the cause.
    Lost {
        /// It was in a decoder, or alone, when the worker died.
        suspect: bool,
    },
    /// The probe passed its hard deadline and the worker was killed for it.
    Overran,
    /// No worker had room in time.
    NoRoom,
}

/// The connection to one living worker.
struct Link {
    pid: u32,
    /// Holds 512 frames; a probe that finds it full goes to another seat or waits for room.
    outgoing: mpsc::Sender<Vec<u8>>,
    in_flight: Mutex<HashMap<u64, InFlight>>,
    next_id: AtomicU64,
    begun: AtomicU64,
    facts: (Vec<String>, Vec<String>),
}

struct InFlight {
    answer: oneshot::Sender<Answer>,
    hard_deadline: Instant,
    decoding: bool,
}

/// One seat.
pub struct Seat {
    options: PoolOptions,
    link: Mutex<Option<Arc<Link>>>,
    opened: AtomicBool,
    room: Arc<Notify>,
    restarts_total: Arc<AtomicU64>,
    tasks: TaskTracker,
    cancel: CancellationToken,
}

/// A probe in a worker; dropping it tells the worker to hang up.
pub struct Running {
    link: Arc<Link>,
    id: u64,
    answer: Option<oneshot::Receiver<Answer>>,
    room: Arc<Notify>,
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
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, InFlight>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, id: u64) -> Option<InFlight> {
        self.lock().remove(&id)
    }

    /// Ends every probe of a dead worker.
    fn lose_all(&self, end: impl Fn(&InFlight, usize) -> Answer) {
        let lost: Vec<_> = self.lock().drain().map(|(_, probe)| probe).collect();
        let count = lost.len();
        for probe in lost {
            let answer = end(&probe, count);
            let _ = probe.answer.send(answer);
        }
    }
}

/// Why serving a worker ended.
enum Ending {
    /// The pool closes.
    Closed,
    /// It ended or broke the protocol.
    Died,
    /// It answers no ping.
    Mute,
    /// Probes of it passed their hard deadline.
    Overran,
    /// It holds twice the memory it may.
    Bloated,
}

impl Seat {
    /// A seat without a worker yet.
    pub fn new(
        options: PoolOptions,
        room: Arc<Notify>,
        restarts_total: Arc<AtomicU64>,
        tasks: TaskTracker,
        cancel: CancellationToken,
    ) -> Self {
        Self { options, link: Mutex::default(), opened: AtomicBool::new(false), room, restarts_total, tasks, cancel }
    }

    /// Starts the first worker and whatever keeps the seat occupied from then on. Does nothing the second time.
    pub async fn open(self: &Arc<Self>) -> Result<(), PoolError> {
        if self.opened.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let first = match Worker::start(&self.options).await {
            Ok(first) => first,
            Err(error) => {
                self.opened.store(false, Ordering::Relaxed);
                return Err(error);
            }
        };
        let link = self.publish(&first);
        let seat = self.clone();
        self.tasks.spawn(async move { seat.occupy(first, link).await });
        Ok(())
    }

    /// True when a probe could begin now.
    pub fn has_room(&self) -> bool {
        self.current().is_some_and(|link| link.lock().len() < self.options.probes_in_flight)
    }

    /// Probes in flight.
    pub fn in_flight(&self) -> usize {
        self.current().map_or(0, |link| link.lock().len())
    }

    /// Process id of the worker.
    pub fn pid(&self) -> Option<u32> {
        self.current().map(|link| link.pid)
    }

    /// Decoders and sandbox layers, as the worker said.
    pub fn facts(&self) -> Option<(Vec<String>, Vec<String>)> {
        self.current().map(|link| link.facts.clone())
    }

    /// Begins a probe; `None` when there is no room after all.
    pub fn begin(&self, target: &Target) -> Option<Running> {
        let link = self.current()?;
        let id = link.next_id.fetch_add(1, Ordering::Relaxed);
        let frame = encode(&ToWorker::Probe { id, target: target.clone() }, &[]).ok()?;
        let (answer, receiver) = oneshot::channel();
        {
            let mut in_flight = link.lock();
            if in_flight.len() >= self.options.probes_in_flight {
                return None;
            }
            let hard_deadline = Instant::now() + target.timeout + GRACE;
            in_flight.insert(id, InFlight { answer, hard_deadline, decoding: false });
        }
        if link.outgoing.try_send(frame).is_err() {
            link.take(id);
            return None;
        }
        if link.begun.fetch_add(1, Ordering::Relaxed) + 1 >= self.options.retire_after_probes {
            self.unpublish(&link);
        }
        Some(Running { link, id, answer: Some(receiver), room: self.room.clone() })
    }

    fn current(&self) -> Option<Arc<Link>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn publish(&self, worker: &Worker) -> Arc<Link> {
        let link = worker.link.clone();
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = Some(link.clone());
        self.room.notify_waiters();
        link
    }

    /// No new probe for this worker; those in flight go on.
    fn unpublish(&self, link: &Arc<Link>) {
        let mut current = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|now| Arc::ptr_eq(now, link)) {
            *current = None;
        }
    }

    fn is_published(&self, link: &Arc<Link>) -> bool {
        self.current().is_some_and(|now| Arc::ptr_eq(&now, link))
    }

    /// Serves worker after worker until the pool closes.
    async fn occupy(self: Arc<Self>, first: Worker, first_link: Arc<Link>) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
        let (mut worker, mut link) = (first, first_link);
        loop {
            let started = Instant::now();
            // A worker that is to be replaced drains in a task of its own while the next one starts.
            let (retire, retired) = oneshot::channel();
            let seat = self.clone();
            let serving = link.clone();
            let serve = self.tasks.spawn(async move { seat.serve(worker, &serving, retire).await });
            let lost = retired.await.is_err();
            self.unpublish(&link);
            if lost {
                if self.cancel.is_cancelled() {
                    let _ = serve.await;
                    return;
                }
                self.restarts_total.fetch_add(1, Ordering::Relaxed);
                if started.elapsed() > Duration::from_secs(60) {
                    backoff.reset();
                }
                if self.restarts_total.load(Ordering::Relaxed) > 1 && started.elapsed() < Duration::from_secs(10) {
                    tokio::select! {
                        () = tokio::time::sleep(backoff.delay()) => {}
                        () = self.cancel.cancelled() => return,
                    }
                }
            }
            worker = loop {
                tokio::select! {
                    started = Worker::start(&self.options) => match started {
                        Ok(worker) => break worker,
                        Err(error) => tracing::error!("{error}"),
                    },
                    () = self.cancel.cancelled() => return,
                }
                tokio::time::sleep(backoff.delay()).await;
            };
            link = self.publish(&worker);
        }
    }

    /// Serves one worker to its end. `retire` is used when it should be replaced in good order, dropped when it is lost.
    async fn serve(&self, mut worker: Worker, link: &Arc<Link>, retire: oneshot::Sender<()>) {
        let mut retire = Some(retire);
        let ending = worker.serve(self, &mut retire).await;
        match ending {
            Ending::Closed => {}
            Ending::Died if retire.is_none() => {}
            Ending::Died => tracing::warn!(pid = link.pid, "a probe worker died; its probes are run again"),
            Ending::Mute => tracing::warn!(pid = link.pid, "a probe worker does not answer and is replaced"),
            Ending::Overran => tracing::warn!(pid = link.pid, "a probe overran its deadline; its worker is replaced"),
            Ending::Bloated => tracing::warn!(pid = link.pid, "a probe worker holds too much memory and is replaced"),
        }
        self.unpublish(link);
        worker.end(matches!(ending, Ending::Closed)).await;
        let now = Instant::now();
        link.lose_all(|probe, count| match ending {
            Ending::Overran if now >= probe.hard_deadline => Answer::Overran,
            Ending::Died | Ending::Bloated => Answer::Lost { suspect: probe.decoding || count == 1 },
            _ => Answer::Lost { suspect: false },
        });
        drop(retire);
        self.room.notify_waiters();
    }
}

/// A worker process and the tasks that carry its frames.
struct Worker {
    child: Child,
    link: Arc<Link>,
    /// Holds 64 frames; when it is full the worker waits, which it can.
    incoming: mpsc::Receiver<(FromWorker, Vec<u8>)>,
    /// Dropped to close the socket in good order.
    writer: tokio::task::JoinHandle<()>,
    reader: tokio::task::JoinHandle<()>,
}

impl Worker {
    async fn start(options: &PoolOptions) -> Result<Self, PoolError> {
        let (child, socket) = spawn::worker(options).map_err(PoolError::Start)?;
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
        let Ok(Some((FromWorker::Hello { missing, decoders, sandbox }, _))) = hello else {
            return Err(PoolError::Mute);
        };
        if !missing.is_empty() {
            return Err(PoolError::Missing(missing));
        }
        let link = Arc::new(Link {
            pid: child.id().unwrap_or(0),
            outgoing,
            in_flight: Mutex::default(),
            next_id: AtomicU64::new(1),
            begun: AtomicU64::new(0),
            facts: (decoders, sandbox),
        });
        Ok(Self { child, link, incoming, writer, reader })
    }

    async fn serve(&mut self, seat: &Seat, retire: &mut Option<oneshot::Sender<()>>) -> Ending {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut pings, mut last_word) = (0, Instant::now());
        loop {
            tokio::select! {
                // What the worker has said comes before the judgement that it says nothing.
                biased;
                () = seat.cancel.cancelled() => return Ending::Closed,
                frame = self.incoming.recv() => {
                    last_word = Instant::now();
                    match frame {
                        None => return Ending::Died,
                        Some((FromWorker::Report { id, report }, jpeg)) => {
                            if let Some(probe) = self.link.take(id) {
                                let _ = probe.answer.send(Answer::Report(report, jpeg));
                            }
                            seat.room.notify_waiters();
                        }
                        Some((FromWorker::Decoding { id }, _)) => {
                            if let Some(probe) = self.link.lock().get_mut(&id) {
                                probe.decoding = true;
                            }
                        }
                        Some((FromWorker::Pong { .. } | FromWorker::Hello { .. }, _)) => {}
                    }
                }
                _ = tick.tick() => {
                    let now = Instant::now();
                    // Our own process may have been stopped, too: a ping is out for a whole period before it counts.
                    if pings > 0 && now.duration_since(last_word) > MUTE {
                        return Ending::Mute;
                    }
                    if self.link.lock().values().any(|probe| now >= probe.hard_deadline) {
                        return Ending::Overran;
                    }
                    match spawn::resident_bytes(self.link.pid) {
                        Some(bytes) if bytes > 2 * seat.options.memory_limit_bytes => return Ending::Bloated,
                        Some(bytes) if bytes > seat.options.memory_limit_bytes => seat.unpublish(&self.link),
                        _ => {}
                    }
                    if !seat.is_published(&self.link) {
                        if let Some(retire) = retire.take() {
                            let _ = retire.send(());
                        }
                        if self.link.lock().is_empty() {
                            return Ending::Closed;
                        }
                    }
                    pings += 1;
                    if let Ok(frame) = encode(&ToWorker::Ping { number: pings }, &[]) {
                        let _ = self.link.outgoing.try_send(frame);
                    }
                }
            }
        }
    }

    /// Ends the process: politely, so that its sessions get their TEARDOWN, or at once.
    async fn end(&mut self, politely: bool) {
        self.writer.abort();
        if politely && tokio::time::timeout(GOODBYE, self.child.wait()).await.is_ok() {
            self.reader.abort();
            return;
        }
        let _ = self.child.kill().await;
        self.reader.abort();
    }
}
