//! One device: its sessions, who waits for one, and whether its streams can be probed in time at all.

use std::collections::VecDeque;
use std::time::Duration;

use super::plan::VisitId;
use crate::model::StreamId;

/// How long a device that answered "busy" gets half of its sessions.
pub const BUSY_PENALTY: Duration = Duration::from_secs(3600);

/// How long a probe is taken to last before one was measured.
const GUESSED_PROBE: Duration = Duration::from_secs(2);

/// Weight of the newest probe in the mean.
const MEAN_WEIGHT: f64 = 0.1;

/// Who waits for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Waiter {
    /// A due stream.
    Stream(StreamId),
    /// A visit.
    Visit(VisitId),
}

/// What the plan knows of a device. Times count from the start of the plan.
#[derive(Debug)]
pub(super) struct Device {
    sessions: usize,
    /// False: the number is the owner's, and a busy camera does not change it.
    auto: bool,
    /// How often the sessions were halved, when last, and until when that holds.
    halvings: u32,
    halved_at: Duration,
    halved_until: Duration,
    pub(super) running: usize,
    /// Due streams, and visits that are probes, in the order in which they became due.
    pub(super) queue: VecDeque<Waiter>,
    /// Previews, which come after all of these.
    pub(super) previews: VecDeque<VisitId>,
    /// True while the device stands in the plan's list of devices to look at.
    pub(super) listed: bool,
    mean_probe: Option<Duration>,
    pub(super) load: Load,
}

/// What the streams of a device ask of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    /// Enabled streams.
    pub(super) streams: usize,
    /// Heartbeats a second, all of them together.
    pub(super) heartbeats_per_second: f64,
    /// The shortest interval among them.
    pub(super) shortest: Duration,
}

impl Load {
    pub(super) fn add(&mut self, interval: Duration) {
        self.shortest = if self.streams == 0 { interval } else { self.shortest.min(interval) };
        self.streams += 1;
        self.heartbeats_per_second += 1.0 / interval.as_secs_f64().max(0.001);
    }
}

impl Device {
    pub(super) fn new() -> Self {
        Self {
            sessions: 1,
            auto: true,
            halvings: 0,
            halved_at: Duration::ZERO,
            halved_until: Duration::ZERO,
            running: 0,
            queue: VecDeque::new(),
            previews: VecDeque::new(),
            listed: false,
            mean_probe: None,
            load: Load::default(),
        }
    }

    pub(super) fn configure(&mut self, sessions: usize, auto: bool, load: Load) {
        self.sessions = sessions.max(1);
        self.auto = auto;
        self.load = load;
    }

    /// Sessions at once, at least one.
    pub(super) fn limit(&self, now: Duration) -> usize {
        if now >= self.halved_until {
            return self.sessions;
        }
        self.sessions.checked_shr(self.halvings).unwrap_or(0).max(1)
    }

    pub(super) fn has_room(&self, now: Duration) -> bool {
        self.running < self.limit(now)
    }

    /// Who gets the next session.
    pub(super) fn next(&self) -> Option<Waiter> {
        self.queue.front().cloned().or_else(|| self.previews.front().copied().map(Waiter::Visit))
    }

    /// The one that [`Self::next`] named waits no more.
    pub(super) fn served(&mut self) {
        if self.queue.pop_front().is_none() {
            self.previews.pop_front();
        }
    }

    /// True when nothing is known of it that must be kept.
    pub(super) fn is_idle(&self) -> bool {
        self.running == 0 && self.load.streams == 0 && self.next().is_none()
    }

    /// The device answered "busy" (453, 503) to a probe that started then: half of the sessions for an hour. Probes
    /// that were in flight together with it say nothing new.
    pub(super) fn busy(&mut self, started: Duration, now: Duration) {
        if !self.auto {
            return;
        }
        if now >= self.halved_until {
            self.halvings = 0;
        } else if started < self.halved_at {
            return;
        }
        if self.limit(now) > 1 || self.halvings == 0 {
            self.halvings += 1;
        }
        self.halved_at = now;
        self.halved_until = now + BUSY_PENALTY;
    }

    /// A probe gave a picture after this time.
    pub(super) fn measured(&mut self, took: Duration) {
        self.mean_probe = Some(match self.mean_probe {
            None => took,
            Some(mean) => mean.mul_f64(1.0 - MEAN_WEIGHT) + took.mul_f64(MEAN_WEIGHT),
        });
    }

    /// One sentence when the streams need more sessions than there are.
    pub(super) fn warning(&self, host: &str, now: Duration) -> Option<String> {
        let probe = self.mean_probe.unwrap_or(GUESSED_PROBE);
        let needed = probe.as_secs_f64() * self.load.heartbeats_per_second;
        let limit = self.limit(now);
        #[expect(clippy::cast_precision_loss, reason = "a number of sessions")]
        let has = limit as f64;
        if needed <= has * 1.000_001 {
            return None;
        }
        let streams = self.load.streams;
        let interval = self.load.shortest.as_secs_f64();
        let enough = interval * needed / has;
        let s = if streams == 1 { "" } else { "s" };
        let verb = if streams == 1 { "needs" } else { "need" };
        Some(format!(
            "device {host} cannot be probed in time: {streams} stream{s} every {interval} s at about {:.1} s a probe \
             {verb} {} sessions at once, it has {limit}; set sessions: {} for this host under devices: if it can serve \
             that many, or raise heartbeat_seconds to {}",
            probe.as_secs_f64(),
            needed.ceil(),
            needed.ceil(),
            enough.ceil(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn device(sessions: usize, auto: bool, streams: usize, interval: u64) -> Device {
        let mut load = Load::default();
        (0..streams).for_each(|_| load.add(S(interval)));
        let mut device = Device::new();
        device.configure(sessions, auto, load);
        device
    }

    #[test]
    fn a_busy_device_gets_half_for_an_hour() {
        let mut device = device(8, true, 32, 600);
        device.busy(S(10), S(11));
        assert_eq!(device.limit(S(11)), 4);
        device.busy(S(10), S(12));
        assert_eq!(device.limit(S(12)), 4, "a probe in flight at the same time halves nothing more");
        device.busy(S(20), S(21));
        assert_eq!((device.limit(S(22)), device.limit(S(21 + 3599)), device.limit(S(21 + 3600))), (2, 2, 8));
        for at in [4000, 4001, 4002, 4003, 4004] {
            device.busy(S(at), S(at));
        }
        assert_eq!(device.limit(S(4005)), 1);
        assert_eq!(device.limit(S(4004 + 3600)), 8);
    }

    #[test]
    fn the_owners_number_stays() {
        let mut device = device(8, false, 2, 15);
        device.busy(S(1), S(2));
        assert_eq!(device.limit(S(3)), 8);
    }

    #[test]
    fn what_cannot_be_in_time_is_said_with_the_numbers() {
        let mut device = device(1, true, 16, 15);
        assert_eq!(
            device.warning("192.0.2.40", S(0)).unwrap(),
            "device 192.0.2.40 cannot be probed in time: 16 streams every 15 s at about 2.0 s a probe need 3 sessions at \
             once, it has 1; set sessions: 3 for this host under devices: if it can serve that many, or raise \
             heartbeat_seconds to 32"
        );
        device.measured(Duration::from_millis(500));
        assert_eq!(device.warning("192.0.2.40", S(0)), None);
    }

    #[test]
    fn what_just_fits_is_not_warned_of() {
        assert_eq!(device(1, true, 1, 2).warning("cam", S(0)), None);
        assert_eq!(device(2, true, 15, 15).warning("cam", S(0)), None);
        assert!(device(2, true, 16, 15).warning("cam", S(0)).is_some());
    }
}
