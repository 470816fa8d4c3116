//! The worker pool: the [`Prober`] of the service.
//!
//! Each *seat* keeps one worker process alive and carries many probes at once. A probe that overran, or was in a
//! decoder when its worker died, is a suspect: it runs alone in a seat of the quarantine until it has ended clean
//! [`CLEAN_PROBES`] times. The other probes of a lost worker are run again elsewhere; none of them is failed.
//!
//! One more worker has the hardware decoders, where there are any; it receives and decodes the streams that they take.

mod link;
pub mod live;
mod memory;
mod process;
mod route;
mod seat;
mod spawn;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::decoders::Decoder;
use super::exchange;
use super::protocol::{MissingElement, Target};
use super::scrub::Scrubber;
use super::{ProbeRequest, Probed, Prober, SnapshotSize};
use crate::config::{self, Hardware};
use crate::model::{Outcome, ProbeReport, Reason, Stage};
use link::Answer;
use route::{Seats, Way};
use seat::Shared;

/// A suspect is trusted again after this many probes without harm.
pub const CLEAN_PROBES: u32 = 5;

/// How often one probe is begun: normally, once more elsewhere, and alone.
const ATTEMPTS: u32 = 3;

/// How a pool is run.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// The program that has the `worker` command.
    pub program: PathBuf,
    /// Worker processes, when there is much to do.
    pub workers: usize,
    /// So many of them from the start.
    pub workers_at_start: usize,
    /// Decoding threads of each.
    pub decode_slots: usize,
    /// Probes in flight in each.
    pub probes_in_flight: usize,
    /// They run when nobody else wants the processor.
    pub in_background: bool,
    /// A worker is replaced after this many probes.
    pub retire_after_probes: u64,
    /// A worker of the quarantine that has had nothing to do for so long is ended.
    pub quarantine_idle: Duration,
    /// A worker that holds more (resident bytes) is replaced; at twice this it is killed.
    pub memory_limit_bytes: u64,
    /// GStreamer's plugin registry, in a directory that can be written.
    pub registry: PathBuf,
    /// Whether hardware decoders are used.
    pub hardware: Hardware,
}

impl PoolOptions {
    /// As many workers as are needed, at most one a core and four, sized to this machine.
    pub fn new(registry: PathBuf) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = cores.min(4);
        Self {
            // The inode that runs now: an upgrade may already have put another binary at the path.
            program: PathBuf::from("/proc/self/exe"),
            workers,
            workers_at_start: 1,
            decode_slots: cores.div_ceil(workers),
            probes_in_flight: 100,
            in_background: false,
            retire_after_probes: 5_000,
            // Two heartbeats, for most.
            quarantine_idle: Duration::from_secs(120),
            memory_limit_bytes: spawn::memory_limit_bytes(workers),
            registry,
            hardware: Hardware::Auto,
        }
    }

    /// Another number of workers, all of them from the start, the decode slots still covering the cores.
    pub fn with_workers(mut self, workers: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        self.workers = workers.max(1);
        self.workers_at_start = self.workers;
        self.decode_slots = cores.div_ceil(self.workers);
        self
    }

    /// As the configuration says, and as fits the machine where it does not.
    pub fn configured(self, probe: &config::Probe) -> Self {
        let mut options = match probe.workers {
            Some(workers) => self.with_workers(workers),
            None => self,
        };
        options.hardware = probe.hardware;
        options.decode_slots = probe.decode_slots.unwrap_or(options.decode_slots);
        options.memory_limit_bytes = match probe.worker_megabytes {
            Some(megabytes) => megabytes as u64 * 1_000_000,
            None => spawn::memory_limit_bytes(options.workers),
        };
        // Half as many again as its share: not all have the same number.
        let share = probe.in_flight.map_or(0, |in_flight| (in_flight * 3).div_ceil(options.workers * 2));
        options.probes_in_flight = options.probes_in_flight.max(share);
        options
    }
}

/// Why there is no pool.
#[derive(Debug, Error)]
pub enum PoolError {
    /// The worker program does not start.
    #[error("cannot start a probe worker: {0}; check that the streampulse program may be executed")]
    Start(#[source] std::io::Error),
    /// GStreamer elements are not installed.
    #[error("{}", missing_text(.0))]
    Missing(Vec<MissingElement>),
    /// A worker started and did not say hello.
    #[error(
        "a probe worker starts and ends at once; run `gst-inspect-1.0 rtspsrc` to see whether GStreamer works here"
    )]
    Mute,
}

fn missing_text(missing: &[MissingElement]) -> String {
    let elements: Vec<_> = missing.iter().map(|m| m.element.as_str()).collect();
    let mut packages: Vec<_> = missing.iter().map(|m| m.package.as_str()).collect();
    packages.sort_unstable();
    packages.dedup();
    format!("GStreamer lacks {}; install it with: sudo apt install {}", elements.join(", "), packages.join(" "))
}

/// What the pool has done, for metrics and people.
#[derive(Clone, Debug, Default)]
pub struct PoolMeasures {
    /// Workers that were lost: crashed, killed for overrunning or for their memory.
    pub restarts_total: u64,
    /// Streams in quarantine.
    pub suspects: usize,
    /// Process ids of the workers that are ready.
    pub worker_pids: Vec<u32>,
    /// Decoders of the workers, `codec: element`.
    pub decoders: Vec<String>,
    /// Hardware decoders, those that are not used included.
    pub hardware: Vec<Decoder>,
    /// Sandbox layers that are active in the workers.
    pub sandbox: Vec<String>,
}

/// The pool. Cloning it shares it.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    seats: Seats,
    options: PoolOptions,
    shared: Shared,
}

impl Pool {
    /// Warms GStreamer's registry, starts the workers that are to be there from the start, and waits for them.
    ///
    /// # Errors
    /// [`PoolError`], which names what is missing.
    pub async fn start(options: PoolOptions) -> Result<Self, PoolError> {
        spawn::warm_registry(&options).await?;
        let shared = Shared::default();
        let seats = Seats::new(&options, &shared);
        let opened = futures_util::future::join_all(
            seats.ordinary.iter().take(options.workers_at_start).map(|seat| seat.open()),
        )
        .await;
        opened.into_iter().collect::<Result<Vec<_>, _>>()?;
        seats.open_hardware(options.clone(), &shared).await;
        Ok(Self { inner: Arc::new(Inner { seats, options, shared }) })
    }

    /// What the pool has done.
    pub fn measures(&self) -> PoolMeasures {
        let seats = &self.inner.seats;
        let (decoders, sandbox) = seats.ordinary.iter().find_map(|seat| seat.facts()).unwrap_or_default();
        PoolMeasures {
            restarts_total: self.inner.shared.restarts_total.load(Ordering::Relaxed),
            suspects: self.inner.shared.memory.suspects(),
            worker_pids: seats.all().filter_map(|seat| seat.pid()).collect(),
            decoders,
            hardware: seats.decoders(),
            sandbox,
        }
    }

    /// What starts workers for live pictures, which remember what the pool remembers of streams.
    pub fn live_workers(&self) -> live::LiveWorkers {
        live::LiveWorkers::new(&self.inner.options).remembering(&self.inner.shared.memory)
    }

    /// Lets the workers hang up their sessions and ends them.
    pub async fn close(&self) {
        self.inner.shared.cancel.cancel();
        self.inner.shared.tasks.close();
        self.inner.shared.tasks.wait().await;
    }
}

impl Prober for Pool {
    fn probe(&self, request: ProbeRequest) -> Pin<Box<dyn Future<Output = Probed> + Send + '_>> {
        Box::pin(self.inner.probe(request))
    }
}

impl Inner {
    async fn probe(&self, request: ProbeRequest) -> Probed {
        let started = Instant::now();
        for attempt in 1..=ATTEMPTS {
            let remembered = self.shared.memory.recall(&request.key);
            let alone = remembered.is_suspect() || attempt == ATTEMPTS;
            let way = Way::new(self.options.hardware, &remembered, alone, started);
            let target = Target::new(&request, remembered.transport_for(request.transport), way.hardware);
            match self.run(&way, &request.key, &target).await {
                Answer::Report(report, jpeg) => {
                    self.shared.memory.learn(&request.key, &report);
                    let mut probed = believe(&request, *report, jpeg, started);
                    if self.seats.has_hardware() {
                        self.shared.memory.learn_hardware(&request.key, &probed.report, Instant::now());
                    }
                    if let Some(video) = &mut probed.report.video {
                        video.hardware_refused = video.hardware_refused.take().or(way.refused);
                    }
                    return probed;
                }
                Answer::Lost if alone => return ours(Reason::WorkerCrashed, started),
                Answer::Lost => {}
                // It is a suspect by now, see `Seat`.
                Answer::Overran(stage) => {
                    let report = ProbeReport::failed(stage, Reason::WorkerTimeout, "", started.elapsed());
                    return Probed { report, jpeg: None };
                }
                Answer::Verdict(report) => return believe(&request, *report, Vec::new(), started),
                Answer::NoRoom => return ours(Reason::Overloaded, started),
            }
        }
        ours(Reason::WorkerCrashed, started)
    }

    /// Runs in the seat that has it best; waits for room, but not for ever.
    async fn run(&self, way: &Way, key: &str, target: &Target) -> Answer {
        let patience = tokio::time::sleep(target.timeout + Duration::from_secs(5));
        tokio::pin!(patience);
        loop {
            if self.shared.cancel.is_cancelled() {
                return Answer::NoRoom;
            }
            let room = self.shared.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            if way.alone {
                self.seats.open_quarantine(&self.shared);
            } else {
                self.seats.open_ordinary(&self.shared);
            }
            if let Some(running) = self.seats.with_room(way).and_then(|seat| seat.begin(key, target)) {
                return running.answer().await;
            }
            tokio::select! {
                () = room => {}
                () = self.shared.cancel.cancelled() => {}
                () = &mut patience => return Answer::NoRoom,
            }
        }
    }
}

/// A JPEG that was to be scaled down and is longer than this is not kept: every stream's last one is in memory.
const MAX_SCALED_JPEG_BYTES: usize = 4 * 1024 * 1024;

/// A worker has parsed hostile bytes: its texts are scrubbed again and bounded on this side, its times are at most those
/// that passed here, and its picture is at most as long as one that was asked for can be.
fn believe(request: &ProbeRequest, mut report: ProbeReport, jpeg: Vec<u8>, started: Instant) -> Probed {
    let passed = started.elapsed();
    report.latency = report.latency.min(passed);
    report.phases = report.phases.at_most(passed);
    let too_long = request.snapshot != SnapshotSize::Full && jpeg.len() > MAX_SCALED_JPEG_BYTES;
    let scrubber = Scrubber::new(&request.url, request.credentials.as_ref());
    let exchange = report.exchange.take();
    if let Outcome::Failed { detail, .. } = &mut report.outcome {
        *detail = scrubber.clean(detail);
        report.exchange = exchange.and_then(|told| exchange::believe(&told, &scrubber));
    }
    if let Some(video) = &mut report.video {
        video.profile = video.profile.take().map(|text| scrubber.clean(&text));
        video.decoder = video.decoder.take().map(|text| scrubber.clean(&text));
        video.hardware_refused = video.hardware_refused.take().map(|text| scrubber.clean(&text));
    }
    let jpeg = (!jpeg.is_empty() && !too_long).then(|| jpeg.into());
    Probed { report, jpeg }
}

fn ours(reason: Reason, started: Instant) -> Probed {
    Probed { report: ProbeReport::failed(Stage::Resolve, reason, "", started.elapsed()), jpeg: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_configured_counts_and_the_rest_fits_the_machine() {
        let found = PoolOptions::new(PathBuf::new());
        let settings = config::Probe { workers: Some(1), ..config::Probe::default() };
        let one = found.clone().configured(&settings);
        assert_eq!((one.workers, one.workers_at_start, one.probes_in_flight), (1, 1, found.probes_in_flight));
        assert_eq!(one.decode_slots, std::thread::available_parallelism().map_or(1, usize::from));
        assert_eq!(one.memory_limit_bytes, spawn::memory_limit_bytes(1), "the share of the workers that there are");
        let all = config::Probe {
            workers: Some(4),
            in_flight: Some(1000),
            decode_slots: Some(3),
            worker_megabytes: Some(256),
            ..settings
        };
        let all = found.configured(&all);
        assert_eq!((all.workers, all.workers_at_start, all.decode_slots, all.probes_in_flight), (4, 4, 3, 375));
        assert_eq!(all.memory_limit_bytes, 256_000_000);
    }
}
