//! One seat of the pool: keeps a worker process alive, carries its probes, replaces it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::link::{Answer, InFlight, Link, Progress, Running};
use super::memory::Memory;
use super::process::{Ending, Worker};
use super::{PoolError, PoolOptions};
use crate::backoff::Backoff;
use crate::model::ProbeReport;
use crate::probe::decoders::{Decoder, NotUsed};
use crate::probe::protocol::{Target, ToWorker, encode};

/// What a probe may take beyond its own deadline: hanging up, the queue of the decoder, the JPEG.
const GRACE: Duration = Duration::from_secs(2);

/// A verdict waits so long beyond the deadline for its probe to hang up; then it is told without.
const HANG_UP: Duration = Duration::from_millis(350);

/// What the seats of a pool share.
#[derive(Clone, Default)]
pub struct Shared {
    /// Told whenever a seat may have room again.
    pub room: Arc<Notify>,
    /// Workers that were lost.
    pub restarts_total: Arc<AtomicU64>,
    /// What is remembered of streams.
    pub memory: Arc<Memory>,
    /// Everything that runs for the pool.
    pub tasks: TaskTracker,
    /// Ends it.
    pub cancel: CancellationToken,
}

/// Why a stream is kept away from the hardware decoders when it took their worker down.
const LOST_WITH_IT: &str = "the worker with the hardware decoders was lost while it had this stream";

/// A worker that keeps dying is replaced at least this often: who takes it down is soon in quarantine, and the others wait.
const RESPAWN_AT_LEAST_EVERY: Duration = Duration::from_secs(2);

/// Hardware decoders that do not work are tried again this often, by a new worker: only its start opens devices.
const ANOTHER_TRY: Duration = Duration::from_secs(3_600);

/// How a worker leaves its seat in good order.
#[derive(Clone, Copy, Debug)]
pub enum Leaves {
    /// For the next one.
    Replaced,
    /// For as long as nobody needs one.
    Idle,
}

/// One seat.
pub struct Seat {
    options: PoolOptions,
    /// Its workers have the hardware decoders.
    with_hardware: bool,
    /// A worker with nothing to do for so long is ended, and the next one started when the seat is opened again.
    idle: Option<Duration>,
    link: Mutex<Option<Arc<Link>>>,
    opened: AtomicBool,
    shared: Shared,
}

impl Seat {
    /// A seat without a worker yet.
    pub fn new(options: PoolOptions, shared: Shared) -> Self {
        let (link, opened) = (Mutex::default(), AtomicBool::new(false));
        Self { options, with_hardware: false, idle: None, link, opened, shared }
    }

    /// The same for workers that are not kept when nobody needs them.
    pub fn ending_when_idle(self) -> Self {
        Self { idle: Some(self.options.quarantine_idle), ..self }
    }

    /// The same for a worker that has the hardware decoders.
    pub fn with_hardware(self) -> Self {
        Self { with_hardware: true, ..self }
    }

    /// Starts the first worker and whatever keeps the seat occupied from then on. Does nothing while it is.
    pub async fn open(self: &Arc<Self>) -> Result<(), PoolError> {
        if self.opened.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let first = match Worker::start(&self.options, self.with_hardware).await {
            Ok(first) => first,
            Err(error) => {
                self.opened.store(false, Ordering::Relaxed);
                return Err(error);
            }
        };
        let link = self.publish(&first);
        let seat = self.clone();
        self.shared.tasks.spawn(async move { seat.occupy(first, link).await });
        Ok(())
    }

    /// True from the first worker on, also while there is none for a moment.
    pub fn is_open(&self) -> bool {
        self.opened.load(Ordering::Relaxed)
    }

    /// True when a probe could begin now.
    pub fn has_room(&self) -> bool {
        self.current().is_some_and(|link| link.lock().len() < self.options.probes_in_flight)
    }

    /// Probes in flight.
    pub fn in_flight(&self) -> usize {
        self.current().map_or(0, |link| link.lock().len())
    }

    /// Keyframes that wait for a decoder.
    pub fn queued(&self) -> usize {
        self.current().map_or(0, |link| link.lock().values().filter(|probe| probe.is_queued()).count())
    }

    /// Process id of the worker.
    pub fn pid(&self) -> Option<u32> {
        self.current().map(|link| link.pid)
    }

    /// Decoders and sandbox layers, as the worker said.
    pub fn facts(&self) -> Option<(Vec<String>, Vec<String>)> {
        self.current().map(|link| link.facts.clone())
    }

    /// Hardware decoders, as the worker said; `None` while there is no worker.
    pub fn hardware(&self) -> Option<Vec<Decoder>> {
        self.current().map(|link| link.hardware())
    }

    /// True when a new worker might find hardware decoders that this one could not use.
    pub fn wants_another_try(&self, link: &Link) -> bool {
        self.with_hardware
            && link.since.elapsed() > ANOTHER_TRY
            && link.hardware().iter().filter_map(|decoder| decoder.not_used).any(NotUsed::may_pass)
    }

    /// True when a worker that has had nothing to do for so long is to be ended.
    pub fn ends_after(&self, idle_for: Duration) -> bool {
        self.idle.is_some_and(|idle| idle_for >= idle)
    }

    /// Begins a probe; `None` when there is no room after all.
    pub fn begin(&self, key: &str, target: &Target) -> Option<Running> {
        let link = self.current()?;
        let id = link.next_id.fetch_add(1, Ordering::Relaxed);
        let frame = encode(&ToWorker::Probe { id, target: Box::new(target.clone()) }, &[]).ok()?;
        let (answer, receiver) = oneshot::channel();
        {
            let mut in_flight = link.lock();
            if link.closed.load(Ordering::SeqCst) || in_flight.len() >= self.options.probes_in_flight {
                return None;
            }
            let deadline = Instant::now() + target.timeout;
            let probe = InFlight {
                key: key.to_owned(),
                answer: Some(answer),
                verdict: None,
                told_at: deadline + HANG_UP,
                hard_deadline: deadline + GRACE,
                progress: Progress::Receiving,
                blamed: false,
            };
            in_flight.insert(id, probe);
        }
        if link.outgoing.try_send(frame).is_err() {
            link.take(id);
            return None;
        }
        if link.begun.fetch_add(1, Ordering::Relaxed) + 1 >= self.options.retire_after_probes {
            self.unpublish(&link);
        }
        Some(Running { link, id, answer: Some(receiver), room: self.shared.room.clone() })
    }

    /// Ends when the pool closes.
    pub async fn closing(&self) {
        self.shared.cancel.cancelled().await;
    }

    /// Tells whoever waits for room.
    pub fn has_changed(&self) {
        self.shared.room.notify_waiters();
    }

    /// What a worker may hold, resident.
    pub fn memory_limit_bytes(&self) -> u64 {
        self.options.memory_limit_bytes
    }

    fn current(&self) -> Option<Arc<Link>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn publish(&self, worker: &Worker) -> Arc<Link> {
        let link = worker.link.clone();
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = Some(link.clone());
        self.shared.room.notify_waiters();
        link
    }

    /// No new probe for this worker; those in flight go on.
    pub fn unpublish(&self, link: &Arc<Link>) {
        let mut current = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|now| Arc::ptr_eq(now, link)) {
            *current = None;
        }
    }

    /// A verdict that was told before its end came to a clean one.
    pub fn learn(&self, key: &str, report: &ProbeReport) {
        self.shared.memory.learn(key, report);
    }

    /// A probe of this stream overran, or may have taken its worker down: it runs alone from now on.
    pub fn suspect(&self, key: &str, now: Instant) {
        self.shared.memory.suspect(key);
        if self.with_hardware {
            self.shared.memory.refuse_hardware(key, LOST_WITH_IT, now);
        }
    }

    /// This worker will have to be killed: the next one takes its place, and it ends when those that it has have ended.
    pub fn lose(&self, link: &Arc<Link>) {
        if self.is_published(link) {
            self.shared.restarts_total.fetch_add(1, Ordering::Relaxed);
            self.unpublish(link);
        }
    }

    /// True while new probes go to this worker.
    pub fn is_published(&self, link: &Arc<Link>) -> bool {
        self.current().is_some_and(|now| Arc::ptr_eq(&now, link))
    }

    /// Serves worker after worker until the pool closes, or nobody has needed one for a while.
    async fn occupy(self: Arc<Self>, first: Worker, first_link: Arc<Link>) {
        let mut backoff = Backoff::new(Duration::from_millis(100), RESPAWN_AT_LEAST_EVERY);
        let (mut worker, mut link) = (first, first_link);
        loop {
            let started = Instant::now();
            // A worker that is to be replaced drains in a task of its own while the next one starts.
            let (retire, retired) = oneshot::channel();
            let seat = self.clone();
            let serving = link.clone();
            let serve = self.shared.tasks.spawn(async move { seat.serve(worker, &serving, retire).await });
            let leaves = retired.await;
            self.unpublish(&link);
            if let Ok(Leaves::Idle) = leaves {
                self.opened.store(false, Ordering::Relaxed);
                // Who found it neither open nor closed has it opened again.
                self.shared.room.notify_waiters();
                return;
            }
            if leaves.is_err() {
                if self.shared.cancel.is_cancelled() {
                    let _ = serve.await;
                    return;
                }
                self.shared.restarts_total.fetch_add(1, Ordering::Relaxed);
                if started.elapsed() > Duration::from_secs(60) {
                    backoff.reset();
                }
                if self.shared.restarts_total.load(Ordering::Relaxed) > 1 && started.elapsed() < Duration::from_secs(10)
                {
                    tokio::select! {
                        () = tokio::time::sleep(backoff.delay()) => {}
                        () = self.shared.cancel.cancelled() => return,
                    }
                }
            }
            worker = loop {
                tokio::select! {
                    started = Worker::start(&self.options, self.with_hardware) => match started {
                        Ok(worker) => break worker,
                        Err(error) => tracing::error!("{error}"),
                    },
                    () = self.shared.cancel.cancelled() => return,
                }
                tokio::time::sleep(backoff.delay()).await;
            };
            link = self.publish(&worker);
        }
    }

    /// Serves one worker to its end. `retire` is used when it leaves in good order, dropped when it is lost.
    async fn serve(&self, mut worker: Worker, link: &Arc<Link>, retire: oneshot::Sender<Leaves>) {
        let mut retire = Some(retire);
        let ending = worker.serve(self, &mut retire).await;
        match ending {
            Ending::Closed | Ending::Idle => {}
            Ending::Died if retire.is_none() => {}
            Ending::Died => tracing::warn!(pid = link.pid, "a probe worker died; its probes are run again"),
            Ending::Mute => tracing::warn!(pid = link.pid, "a probe worker does not answer and is replaced"),
            Ending::Overran => tracing::warn!(pid = link.pid, "a probe overran its time; its worker is replaced"),
            Ending::Bloated => tracing::warn!(pid = link.pid, "a probe worker holds too much memory and is replaced"),
        }
        self.unpublish(link);
        // The next worker need not wait for the end of this one.
        match (ending, retire) {
            (Ending::Idle, Some(retire)) => _ = retire.send(Leaves::Idle),
            (_, retire) => drop(retire),
        }
        let now = Instant::now();
        if matches!(ending, Ending::Overran) {
            // At once: the others have to wait for the end of their sessions before they may begin new ones.
            link.blame(now, |key| self.suspect(key, now));
        }
        worker.end(ending.patience()).await;
        let is_unclear = matches!(ending, Ending::Died | Ending::Mute | Ending::Bloated);
        link.lose_all(|probe, count| {
            if is_unclear && (probe.is_decoding() || count == 1) {
                self.suspect(&probe.key, now);
            }
            Answer::Lost
        });
        self.shared.room.notify_waiters();
    }
}
