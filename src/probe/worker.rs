//! The worker process: probes what it is told to, many at once, until its socket closes.
//!
//! One thread reads the socket; each probe has a thread while it receives, which is almost all waiting; a bounded
//! number of threads decode. One worker may have the hardware decoders. Nothing here decides about health.

mod decoding;
mod hardware;
mod preview;
mod rehearsal;
mod report;
mod travel;

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::classify::End;
use super::pipeline::receive::{Keyframe, Received, receive};
use super::pipeline::{Seen, Watch};
use super::pipeline::{elements, hardware as found};
use super::protocol::{FromWorker, Target, ToWorker, read_frame, write_frame};
use super::{pipeline, sandbox};
use crate::model::{Stage, Transport};
use decoding::{Decoded, Decoding, Job};
use hardware::Opened;
use preview::Wanted;
use rehearsal::rehearse;
use report::{Evidence, failed, failure, finish};
use travel::travel;

/// Stack of a receiving thread: it only waits, GStreamer's own threads do the work.
const STACK_BYTES: usize = 256 * 1024;

/// How long a worker whose monitor is gone may take to hang up its sessions.
const GOODBYE: Duration = Duration::from_millis(1_200);

/// What a worker in the background adds to its niceness (setpriority(2)): it gets a tenth of what another one gets.
const BACKGROUND: i32 = 10;

/// How far ahead of its size a worker stands in the line of the kernel's out-of-memory killer: by half of the memory.
const FIRST_TO_GO: &str = "500";

/// What a worker is for.
#[derive(Clone, Copy, Debug)]
pub struct Duties {
    /// Decoding threads.
    pub decode_slots: usize,
    /// It has the hardware decoders.
    pub with_hardware: bool,
    /// It runs when nobody else wants the processor: its cameras have been seen to waste it.
    pub in_background: bool,
}

/// Runs a worker on the socket that is its standard input.
///
/// # Errors
/// When the socket or GStreamer fails; a broken camera is no error.
pub fn run(duties: Duties) -> anyhow::Result<()> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // It was started as /proc/self/exe, which says nothing in ps(1) and in what the kernel logs; 15 characters at most.
    let _ = rustix::thread::set_name(c"streampulse-wkr");
    // When the machine runs out of memory a worker goes and not the monitor, which starts another one (proc(5)).
    let _ = std::fs::write("/proc/self/oom_score_adj", FIRST_TO_GO);
    if duties.in_background {
        rustix::process::nice(BACKGROUND)?;
    }
    // Devices are opened for writing, which the sandbox does not allow. Nothing of a camera has been read by then.
    let opened = if duties.with_hardware { Some(open_devices()?) } else { None };
    let layers = sandbox::enter()?;
    pipeline::init()?;
    rehearse();
    let bank = opened.map(Opened::test);
    let mut reader = socket.try_clone()?;
    let worker = Arc::new(Worker {
        voice: Voice(Arc::new(Mutex::new(socket))),
        running: Mutex::new(HashMap::new()),
        idle: Condvar::new(),
        decoding: Decoding::start(duties.decode_slots, bank.as_ref())?,
    });
    let hello = FromWorker::Hello {
        missing: elements::missing(),
        decoders: found::overview(),
        sandbox: layers,
        hardware: bank.as_ref().map_or_else(found::not_tried, |bank| bank.decoders()),
    };
    worker.say(&hello, &[]);
    if let Some(bank) = &bank {
        let worker = Arc::downgrade(&worker);
        bank.on_change(move |decoders| {
            if let Some(worker) = worker.upgrade() {
                worker.say(&FromWorker::Hardware { decoders }, &[]);
            }
        });
    }
    let mut next = read_frame::<ToWorker>(&mut reader);
    // With its first word the monitor has opened what it needs to measure this process, see there. No camera was asked yet.
    sandbox::hide_memory()?;
    while let Ok(Some((message, _))) = next {
        match message {
            ToWorker::Probe { id, target } => {
                worker.clone().start(id, move |worker, cancel| worker.probe(id, &target, cancel));
            }
            ToWorker::Preview { id, target, longest, pictures_per_second } => {
                let wanted = Wanted { longest, pictures_per_second };
                worker.clone().start(id, move |worker, cancel| worker.preview(id, &target, wanted, cancel));
            }
            ToWorker::Cancel { id } => worker.cancel(|running| running == id),
            ToWorker::Ping { number } => worker.say(&FromWorker::Pong { number }, &[]),
        }
        next = read_frame(&mut reader);
    }
    worker.cancel(|_| true);
    worker.wait_until_idle(GOODBYE);
    Ok(())
}

fn open_devices() -> anyhow::Result<Opened> {
    pipeline::init()?;
    Ok(Opened::all())
}

/// What the worker speaks with. Cloning it shares the socket.
#[derive(Clone)]
struct Voice(Arc<Mutex<UnixStream>>);

impl Voice {
    /// Says something; when nobody listens any more the reading thread finds out, too.
    fn say(&self, message: &FromWorker, body: &[u8]) {
        let mut socket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = write_frame(&mut *socket, message, body);
    }
}

struct Worker {
    voice: Voice,
    /// Probes in flight, each with what ends it early once it has a pipeline.
    running: Mutex<HashMap<u64, Weak<Cancel>>>,
    idle: Condvar,
    decoding: Decoding,
}

/// How far the two halves of a probe are, which run beside each other.
#[derive(Default)]
struct Course {
    /// Its keyframe came to a decoder.
    has_its_turn: AtomicBool,
    /// The camera was hung up on.
    hung_up: AtomicBool,
}

/// Ends a probe early, before or after its pipeline exists.
#[derive(Default)]
struct Cancel(Mutex<CancelState>);

#[derive(Default)]
struct CancelState {
    cancelled: bool,
    stop: Option<Box<dyn Fn() + Send>>,
}

impl Cancel {
    fn cancel(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.cancelled = true;
        if let Some(stop) = &state.stop {
            stop();
        }
    }

    fn on_cancel(&self, stop: impl Fn() + Send + 'static) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.cancelled {
            stop();
        }
        state.stop = Some(Box::new(stop));
    }

    /// Ends what this watch sees.
    fn ends(&self, watch: &Arc<Watch>) {
        let watch = Arc::downgrade(watch);
        self.on_cancel(move || {
            if let Some(watch) = watch.upgrade() {
                watch.saw(Seen::Ended(End::Cancelled));
            }
        });
    }

    fn is_cancelled(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).cancelled
    }
}

impl Worker {
    fn say(&self, message: &FromWorker, body: &[u8]) {
        self.voice.say(message, body);
    }

    /// Runs a probe or a preview in a thread of its own.
    fn start(self: Arc<Self>, id: u64, run: impl FnOnce(&Self, &Arc<Cancel>) + Send + 'static) {
        let cancel = Arc::new(Cancel::default());
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::downgrade(&cancel));
        let worker = self.clone();
        let thread = std::thread::Builder::new().name(format!("probe {id}")).stack_size(STACK_BYTES);
        let started = thread.spawn(move || {
            run(&worker, &cancel);
            worker.forget(id);
        });
        if started.is_err() {
            let report = failed(Stage::Resolve, &End::Overloaded, Duration::ZERO);
            self.say(&FromWorker::Report { id, report: Box::new(report) }, &[]);
            self.forget(id);
        }
    }

    fn forget(&self, id: u64) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(&id);
        if running.is_empty() {
            self.idle.notify_all();
        }
    }

    fn cancel(&self, which: impl Fn(u64) -> bool) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = running.iter().filter(|(id, _)| which(**id));
        for cancel in wanted.filter_map(|(_, cancel)| cancel.upgrade()) {
            cancel.cancel();
        }
    }

    fn wait_until_idle(&self, patience: Duration) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let _unused = self.idle.wait_timeout_while(running, patience, |running| !running.is_empty());
    }

    /// One probe from the first packet sent to the finished report.
    fn probe(&self, id: u64, target: &Target, cancel: &Arc<Cancel>) {
        let started = Instant::now();
        let deadline = started + target.timeout;
        let evidence = Evidence::new(target, started);
        let attempt = |target: &Target, transport| self.attempt(id, target, transport, deadline, cancel, &evidence);
        let (received, decoded) = travel(target, deadline, attempt);
        let (report, jpeg) = finish(received, decoded, started, &evidence);
        if !cancel.is_cancelled() {
            self.say(&FromWorker::Report { id, report: Box::new(report) }, &jpeg);
        }
    }

    fn attempt(
        &self,
        id: u64,
        target: &Target,
        transport: Transport,
        deadline: Instant,
        cancel: &Arc<Cancel>,
        evidence: &Evidence,
    ) -> (Received, Option<Decoded>) {
        // Holds the one answer of the decoding thread.
        let (answer, answers) = sync_channel(1);
        let course = Arc::new(Course::default());
        let received = receive(
            target,
            transport,
            deadline,
            evidence.transcript(),
            |watch| cancel.ends(watch),
            |received| match &received.result {
                Ok(keyframe) => self.decode(id, target, deadline, keyframe, answer, &course),
                Err((stage, end)) => self.say_verdict(id, *stage, end, received, evidence),
            },
        );
        course.hung_up.store(true, Ordering::SeqCst);
        let waited = received.result.as_ref().ok().map(|_keyframe| {
            let left = deadline.saturating_duration_since(Instant::now());
            answers.recv_timeout(left).ok()
        });
        // A decoder that has it by now is waited for; what one that hangs costs is the pool's to bound.
        let decoded = match waited {
            Some(None) if course.has_its_turn.load(Ordering::SeqCst) => answers.recv().ok(),
            waited => waited.flatten(),
        };
        (received, decoded)
    }

    fn say_verdict(&self, id: u64, stage: Stage, end: &End, received: &Received, evidence: &Evidence) {
        // Not the last word: UDP may come next, or another address.
        if matches!(end, End::Cancelled | End::Status(461) | End::Moved { .. }) {
            return;
        }
        // What follows is the goodbye, which nobody waits for.
        evidence.transcript().close();
        let report = failure(stage, end, received, evidence);
        self.say(&FromWorker::Verdict { id, report: Box::new(report) }, &[]);
    }

    fn decode(
        &self,
        id: u64,
        target: &Target,
        deadline: Instant,
        keyframe: &Keyframe,
        answer: SyncSender<Decoded>,
        course: &Arc<Course>,
    ) {
        self.say(&FromWorker::Queued { id }, &[]);
        let (voice, course) = (self.voice.clone(), course.clone());
        let (told, followed) = (voice.clone(), course.clone());
        self.decoding.put(Job {
            on_turn: Box::new(move || {
                course.has_its_turn.store(true, Ordering::SeqCst);
                voice.say(&FromWorker::Decoding { id }, &[]);
            }),
            on_done: Box::new(move || {
                // Otherwise the report comes at once, and says as much.
                if !followed.hung_up.load(Ordering::SeqCst) {
                    told.say(&FromWorker::Decoded { id }, &[]);
                }
            }),
            sample: keyframe.sample.clone(),
            codec: keyframe.video.codec,
            snapshot: target.snapshot,
            hardware: target.hardware,
            deadline,
            answer,
        });
    }
}
