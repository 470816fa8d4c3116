//! Which worker gets a probe: an ordinary one, the one with the hardware decoders, or the quarantine's.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::PoolOptions;
use super::memory::{Advice, Remembered};
use super::seat::{Seat, Shared};
use crate::backoff::Backoff;
use crate::config::Hardware;
use crate::model::Codec;
use crate::probe::decoders::{Decoder, NotUsed};
use crate::probe::protocol::HardwareUse;

/// How long the start of the pool waits for the worker with the hardware decoders, which may find its device stuck.
const START: Duration = Duration::from_secs(5);

/// That worker lives longer than the others: decoders of a Raspberry Pi have been seen dead after being opened anew a
/// few times (raspberrypi/firmware#1845).
const LIVES_LONGER: u64 = 20;

/// So many suspects are probed at once. One that holds its worker to the deadline, as most do, keeps it for most of a
/// heartbeat; the others would wait and at last be called `overloaded`.
const QUARANTINE_SEATS: usize = 4;

/// A worker with so many probes in flight for each of its decode slots is busy: the next one is started. Ten cameras, which
/// are begun together at the start of the service, are not yet a reason.
const BUSY: usize = 12;

/// It is also busy when so many keyframes wait for each of its decode slots: a few cameras with large pictures are enough.
const BUSY_QUEUE: usize = 2;

/// How one attempt is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// In a worker of the quarantine, in software: what took a worker down is kept away from the devices, too.
    pub alone: bool,
    /// What it may use of the hardware decoders.
    pub hardware: HardwareUse,
    /// The codec of the stream's last picture.
    pub codec: Option<Codec>,
    /// Why hardware does not get it for a while.
    pub refused: Option<String>,
}

impl Way {
    /// By what is configured and what is remembered.
    pub fn new(setting: Hardware, remembered: &Remembered, alone: bool, now: Instant) -> Self {
        let way = |hardware, refused| Self { alone, hardware, codec: remembered.codec(), refused };
        match (setting, remembered.advice(now)) {
            (Hardware::Auto, Advice::Refused(why)) => way(HardwareUse::Never, Some(why)),
            _ if alone => way(HardwareUse::Never, None),
            (Hardware::Off, _) => way(HardwareUse::Never, None),
            (Hardware::Required, _) => way(HardwareUse::Only, None),
            (Hardware::Auto, Advice::Hardware) => way(HardwareUse::IfPossible, None),
            (Hardware::Auto, Advice::Software) => way(HardwareUse::Never, None),
        }
    }
}

/// The seats of the pool.
pub struct Seats {
    /// Without devices; those that are not there from the start are started when they are needed.
    pub ordinary: Vec<Arc<Seat>>,
    /// Probes in flight, and keyframes that wait for a decoder, that make an ordinary worker busy.
    busy: (usize, usize),
    /// Each for one probe at a time; started when they are needed, and ended when they are not for a while.
    quarantine: Vec<Arc<Seat>>,
    /// With the hardware decoders; empty when there are none, or when they are off.
    hardware: OnceLock<Arc<Seat>>,
    setting: Hardware,
}

impl Seats {
    /// Seats without workers.
    pub fn new(options: &PoolOptions, shared: &Shared) -> Self {
        let seat = |options: PoolOptions| Seat::new(options, shared.clone());
        Self {
            ordinary: (0..options.workers.max(1)).map(|_| Arc::new(seat(options.clone()))).collect(),
            busy: ((BUSY * options.decode_slots).min(options.probes_in_flight), BUSY_QUEUE * options.decode_slots),
            quarantine: (0..QUARANTINE_SEATS)
                .map(|_| {
                    let options = options.clone();
                    let options = PoolOptions { probes_in_flight: 1, decode_slots: 1, in_background: true, ..options };
                    Arc::new(seat(options).ending_when_idle())
                })
                .collect(),
            hardware: OnceLock::new(),
            setting: options.hardware,
        }
    }

    /// Every one of them.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Seat>> {
        self.ordinary.iter().chain(&self.quarantine).chain(self.hardware.get())
    }

    /// Starts one more worker of the quarantine when those that there are have no room. Whoever waits for room is told when it
    /// is there; a probe that is called off meanwhile takes nothing with it.
    pub fn open_quarantine(&self, shared: &Shared) {
        if self.quarantine.iter().any(|seat| seat.has_room()) {
            return;
        }
        open_next(&self.quarantine, shared, "no worker for streams that are probed alone");
    }

    /// Starts one more ordinary worker when those that run are busy. Each holds some 30 MB, whether it has much to do or not.
    pub fn open_ordinary(&self, shared: &Shared) {
        let (in_flight, queued) = self.busy;
        let is_busy = |seat: &Seat| seat.in_flight() >= in_flight || seat.queued() >= queued;
        let mut open = self.ordinary.iter().filter(|seat| seat.is_open());
        // One that is just starting takes what comes.
        if open.all(|seat| seat.pid().is_some() && is_busy(seat)) {
            open_next(&self.ordinary, shared, "no further worker");
        }
    }

    /// True when there may be hardware decoders to choose from.
    pub fn has_hardware(&self) -> bool {
        self.hardware.get().is_some()
    }

    /// Starts the worker with the hardware decoders when GStreamer lists any. Waits for it, but not for long, and goes on
    /// trying when it does not start.
    pub async fn open_hardware(&self, options: PoolOptions, shared: &Shared) {
        let worth = self.listed().iter().any(|decoder| decoder.codec != Codec::Mjpeg);
        if self.setting == Hardware::Off || !worth {
            return;
        }
        let retire_after_probes = options.retire_after_probes.saturating_mul(LIVES_LONGER);
        let seat = Seat::new(PoolOptions { retire_after_probes, ..options }, shared.clone()).with_hardware();
        let seat = self.hardware.get_or_init(|| Arc::new(seat)).clone();
        let cancel = shared.cancel.clone();
        let (tried, first_try) = tokio::sync::oneshot::channel::<()>();
        shared.tasks.spawn(async move {
            let mut tried = Some(tried);
            let mut backoff = Backoff::new(Duration::from_secs(30), Duration::from_secs(3_600));
            loop {
                let opened = tokio::select! {
                    opened = seat.open() => opened,
                    () = cancel.cancelled() => return,
                };
                // Dropped: whoever starts the pool need not wait any longer.
                drop(tried.take());
                let Err(error) = opened else { return };
                tracing::warn!("the worker with the hardware decoders does not start: {error}");
                tokio::select! {
                    () = tokio::time::sleep(backoff.delay()) => {}
                    () = cancel.cancelled() => return,
                }
            }
        });
        let _ = tokio::time::timeout(START, first_try).await;
    }

    /// The hardware decoders that GStreamer lists, as an ordinary worker sees them.
    fn listed(&self) -> Vec<Decoder> {
        self.ordinary.iter().find_map(|seat| seat.hardware()).unwrap_or_default()
    }

    /// The hardware decoders and whether they are used.
    pub fn decoders(&self) -> Vec<Decoder> {
        if let Some(decoders) = self.hardware.get().and_then(|seat| seat.hardware()) {
            return decoders;
        }
        let why = if self.setting == Hardware::Off { NotUsed::Off } else { NotUsed::NotTried };
        let refused = |decoder: Decoder| match decoder.codec {
            Codec::Mjpeg if self.setting != Hardware::Off => Decoder { not_used: Some(NotUsed::Jpeg), ..decoder },
            _ => Decoder { not_used: Some(why), ..decoder },
        };
        self.listed().into_iter().map(refused).collect()
    }

    /// The seat where this probe could begin now; `None`: wait for room.
    pub fn with_room(&self, way: &Way) -> Option<&Arc<Seat>> {
        let has_room = |seat: &&Arc<Seat>| seat.has_room();
        if way.alone {
            return self.quarantine.iter().find(has_room);
        }
        let ordinary = || self.ordinary.iter().filter(has_room).min_by_key(|seat| seat.in_flight());
        let Some(hardware) = self.hardware.get() else { return ordinary() };
        match (way.hardware, way.codec) {
            (HardwareUse::Never, _) | (_, Some(Codec::Mjpeg)) => ordinary(),
            // An ordinary worker would only say that it has no hardware decoder.
            (HardwareUse::Only, _) if hardware.is_open() => Some(hardware).filter(has_room),
            (HardwareUse::Only, _) => ordinary(),
            (HardwareUse::IfPossible, Some(codec)) => {
                let used = |decoder: &Decoder| decoder.codec == codec && decoder.is_used();
                let works = hardware.hardware().is_some_and(|decoders| decoders.iter().any(used));
                if works { Some(hardware).filter(has_room).or_else(ordinary) } else { ordinary() }
            }
            // The first probe of a stream, which may be any codec: share them out.
            (HardwareUse::IfPossible, None) => {
                let ordinary = ordinary();
                let fewest = ordinary.map_or(usize::MAX, |seat| seat.in_flight());
                Some(hardware).filter(has_room).filter(|seat| seat.in_flight() <= fewest).or(ordinary)
            }
        }
    }
}

/// Starts the first worker that is not there yet, in a task of its own.
fn open_next(seats: &[Arc<Seat>], shared: &Shared, complaint: &'static str) {
    let Some(seat) = seats.iter().find(|seat| !seat.is_open()).cloned() else { return };
    let cancel = shared.cancel.clone();
    shared.tasks.spawn(async move {
        let opened = tokio::select! {
            opened = seat.open() => opened,
            () = cancel.cancelled() => return,
        };
        if let Err(error) = opened {
            tracing::error!("{complaint}: {error}");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::pool::memory::Memory;

    #[test]
    fn the_way_of_a_probe() {
        let (memory, now) = (Memory::default(), Instant::now());
        memory.refuse_hardware("refused", "x: y", now);
        let way = |setting, key: &str, alone| {
            let way = Way::new(setting, &memory.recall(key), alone, now);
            (way.hardware, way.refused)
        };
        let refused = || Some("x: y".to_owned());
        for (setting, key, alone, expected) in [
            (Hardware::Auto, "new", false, (HardwareUse::IfPossible, None)),
            (Hardware::Auto, "refused", false, (HardwareUse::Never, refused())),
            (Hardware::Auto, "new", true, (HardwareUse::Never, None)),
            (Hardware::Auto, "refused", true, (HardwareUse::Never, refused())),
            (Hardware::Off, "new", false, (HardwareUse::Never, None)),
            (Hardware::Off, "refused", false, (HardwareUse::Never, None)),
            (Hardware::Required, "new", false, (HardwareUse::Only, None)),
            (Hardware::Required, "refused", false, (HardwareUse::Only, None)),
            (Hardware::Required, "new", true, (HardwareUse::Never, None)),
        ] {
            assert_eq!(way(setting, key, alone), expected, "{setting:?} {key} {alone}");
        }
    }
}
