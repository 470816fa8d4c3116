//! Which stream is due and which must wait: pure, no clock, no I/O. Times count from the start of the plan.

mod devices;
mod pause;
mod visits;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::device::{Device, Waiter};
use super::guard::Guard;
use super::phase::{next_point, phase};
use super::start::{Cause, Found, Refused, Start};
use crate::config::{self, Config};
use crate::model::{CameraAccount, Stream, StreamId};
use visits::Visits;
pub use visits::{Answered, NotAdmitted, Purpose, VisitId, Visitor};

type Host = Arc<str>;

/// A stream that is configured and enabled.
#[derive(Debug)]
struct Planned {
    stream: Arc<Stream>,
    host: Host,
    phase: Duration,
    /// `None` until the first probe ended.
    next_heartbeat: Option<Duration>,
    retry_at: Option<Duration>,
    /// In its device's queue: why and since when.
    waiting: Option<(Cause, Duration)>,
    /// Its entry in [`Plan::timers`].
    armed: Option<Duration>,
}

/// A probe that runs. It outlives its stream's removal, so that a stream that comes back is not probed twice at once.
#[derive(Debug)]
struct Flight {
    host: Host,
    account: Option<CameraAccount>,
    cause: Cause,
    started: Duration,
    /// The stream was removed, switched off or changed: the result is worth nothing.
    stale: bool,
}

/// Who is due, who waits, who is probed.
#[derive(Debug)]
pub struct Plan {
    in_flight_limit: usize,
    streams: HashMap<StreamId, Planned>,
    disabled: HashSet<StreamId>,
    flights: HashMap<StreamId, Flight>,
    visits: Visits,
    devices: HashMap<Host, Device>,
    /// `devices:` of the configuration.
    configured_devices: Vec<config::Device>,
    /// Devices at which somebody waits and a session may be free; served in turn.
    ready: VecDeque<Host>,
    timers: BTreeSet<(Duration, StreamId)>,
    waiting: usize,
    missed: Vec<StreamId>,
    warnings: BTreeMap<Host, String>,
    guard: Guard,
    refusals_changed: bool,
}

impl Plan {
    /// A plan without streams that never has more probes in flight than this.
    pub fn new(in_flight_limit: usize) -> Self {
        Self {
            in_flight_limit: in_flight_limit.max(1),
            streams: HashMap::new(),
            disabled: HashSet::new(),
            flights: HashMap::new(),
            visits: Visits::default(),
            devices: HashMap::new(),
            configured_devices: Vec::new(),
            ready: VecDeque::new(),
            timers: BTreeSet::new(),
            waiting: 0,
            missed: Vec::new(),
            warnings: BTreeMap::new(),
            guard: Guard::default(),
            refusals_changed: false,
        }
    }

    /// Takes over a configuration. An unchanged stream keeps its time, its place in the queue and its probe.
    pub fn reconfigure(&mut self, config: &Config, now: Duration) {
        let wanted: HashSet<&StreamId> = config.streams.iter().filter(|s| s.enabled).map(|s| &s.id).collect();
        let gone: Vec<StreamId> = self.streams.keys().filter(|id| !wanted.contains(id)).cloned().collect();
        for id in gone {
            self.remove(&id);
        }
        self.disabled = config.streams.iter().filter(|s| !s.enabled).map(|s| s.id.clone()).collect();
        self.configure_devices(config);
        self.configure_accounts(config, now);
        for stream in config.streams.iter().filter(|s| s.enabled) {
            self.put(stream, now);
        }
        self.devices.retain(|_, device| !device.is_idle());
        self.warnings.clear();
        let hosts: Vec<Host> = self.devices.keys().cloned().collect();
        for host in hosts {
            // Sessions may have been added.
            self.list(&host);
            self.check(&host, now);
        }
    }

    /// The probes to start now, in order; each must be answered by [`Self::finished`]. What became of visits is told by
    /// [`Self::answered`].
    pub fn due(&mut self, now: Duration) -> Vec<Start> {
        while let Some((at, id)) = self.timers.first().cloned().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, id.clone()));
            self.fire(&id, now);
        }
        let mut starts = Vec::new();
        while self.flights.len() + self.visits.granted() < self.in_flight_limit {
            let Some(host) = self.ready.pop_front() else { break };
            let Some(device) = self.devices.get_mut(&host) else { continue };
            device.listed = false;
            if !device.has_room(now) {
                continue;
            }
            let Some(next) = device.next() else { continue };
            if self.account_of(&next).is_some_and(|account| self.must_wait_for_account(&account, now)) {
                continue;
            }
            if let Some(device) = self.devices.get_mut(&host) {
                device.served();
            }
            match next {
                Waiter::Stream(id) => starts.extend(self.start(id, &host, now)),
                Waiter::Visit(id) => self.grant(id, &host, now),
            }
            self.list(&host);
        }
        self.want_sessions();
        starts
    }

    fn start(&mut self, id: StreamId, host: &Host, now: Duration) -> Option<Start> {
        let planned = self.streams.get_mut(&id)?;
        let (cause, due) = planned.waiting.take()?;
        let stream = planned.stream.clone();
        self.waiting -= 1;
        self.occupy(host);
        let account = CameraAccount::of(&stream);
        self.flights.insert(id, Flight { host: host.clone(), account, cause, started: now, stale: false });
        Some(Start { stream, cause, due })
    }

    /// A probe ended. `None`: its stream was removed, switched off or changed meanwhile, drop the result. Else why it
    /// ran; one that was asked for counts as the heartbeat that came due while it ran. `at` is the wall time.
    pub fn finished(&mut self, id: &StreamId, now: Duration, at: Timestamp, found: Found) -> Option<Cause> {
        let flight = self.flights.remove(id)?;
        if let Some(device) = self.devices.get_mut(&flight.host)
            && found.picture
        {
            device.measured(found.took);
        }
        self.vacate(&flight.host, flight.started, found.busy, now);
        self.learn_account(flight.account.as_ref(), found.account, now, at);
        self.list(&flight.host);
        self.check(&flight.host, now);
        let planned = self.streams.get_mut(id)?;
        if flight.stale {
            self.enqueue(id, Cause::First, now);
            return None;
        }
        if planned.next_heartbeat.is_none() {
            let interval = planned.stream.heartbeat;
            let from = now.max(flight.started + interval / 2);
            planned.next_heartbeat = Some(next_point(planned.phase, interval, from));
            self.arm(id);
        }
        Some(flight.cause)
    }

    /// When [`Self::due`] has something to do next, unless a probe ends before; `None`: never.
    pub fn next_wake(&self) -> Option<Duration> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Queues a probe now. A stream that waits or is probed already stays as it is: the caller waits for that result.
    ///
    /// # Errors
    /// [`Refused`] when the stream is not there or switched off.
    pub fn probe_now(&mut self, id: &StreamId, now: Duration) -> Result<(), Refused> {
        match self.streams.get(id) {
            Some(planned) if planned.waiting.is_some() || self.flights.contains_key(id) => Ok(()),
            Some(planned) => match self.paused_until(&planned.stream, now) {
                Some(until) => Err(Refused::Paused(until.saturating_sub(now))),
                None => {
                    self.enqueue(id, Cause::Asked, now);
                    Ok(())
                }
            },
            None if self.disabled.contains(id) => Err(Refused::Disabled),
            None => Err(Refused::Unknown),
        }
    }

    /// Probes again after this time, unless the stream waits or is probed, or its heartbeat comes sooner.
    pub fn probe_soon(&mut self, id: &StreamId, after: Duration, now: Duration) {
        let Some(planned) = self.streams.get_mut(id) else { return };
        let at = now + after;
        let heartbeat_first = planned.next_heartbeat.is_none_or(|next| next <= at);
        if heartbeat_first || planned.waiting.is_some() || self.flights.contains_key(id) {
            return;
        }
        planned.retry_at = Some(planned.retry_at.map_or(at, |earlier| earlier.min(at)));
        self.arm(id);
    }

    /// The heartbeats that were missed since the last call, one entry each.
    pub fn take_missed(&mut self) -> Vec<StreamId> {
        std::mem::take(&mut self.missed)
    }

    /// Devices whose streams cannot be probed in time as it looks now, with one sentence each.
    pub fn warnings(&self) -> &BTreeMap<Arc<str>, String> {
        &self.warnings
    }

    /// Probes in flight.
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// Streams that are due and wait.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// The timer of a stream went off.
    fn fire(&mut self, id: &StreamId, now: Duration) {
        let Some(planned) = self.streams.get_mut(id) else { return };
        planned.armed = None;
        let mut cause = planned.retry_at.take_if(|at| *at <= now).map(|at| (Cause::Retry, at));
        let mut missed = 0;
        if let Some(first) = planned.next_heartbeat.filter(|at| *at <= now) {
            let interval = planned.stream.heartbeat;
            let mut point = first;
            while point + interval <= now {
                // The loop itself was held up for a whole interval.
                point += interval;
                missed += 1;
            }
            planned.next_heartbeat = Some(point + interval);
            planned.retry_at = None;
            cause = Some((Cause::Heartbeat, point));
        }
        let flight = self.flights.get_mut(id);
        match (cause, &mut planned.waiting, flight) {
            (Some((Cause::Heartbeat, due)), Some(waiting), _) if !waiting.0.is_scheduled() => {
                *waiting = (Cause::Heartbeat, due);
            }
            // A re-probe that runs at this moment tells as much as a heartbeat would.
            (Some((Cause::Heartbeat, _)), None, Some(flight)) if !flight.cause.is_scheduled() => {
                flight.cause = Cause::Heartbeat;
            }
            (Some((Cause::Heartbeat, _)), Some(_), _) | (Some((Cause::Heartbeat, _)), None, Some(_)) => missed += 1,
            (Some((cause, due)), None, None) => self.enqueue(id, cause, due),
            _ => {}
        }
        self.missed.extend(std::iter::repeat_n(id.clone(), missed));
        self.arm(id);
    }

    fn enqueue(&mut self, id: &StreamId, cause: Cause, due: Duration) {
        let Some(planned) = self.streams.get_mut(id) else { return };
        planned.waiting = Some((cause, due));
        planned.retry_at = None;
        let host = planned.host.clone();
        if let Some(device) = self.devices.get_mut(&host) {
            device.queue.push_back(Waiter::Stream(id.clone()));
            self.waiting += 1;
        }
        self.arm(id);
        self.list(&host);
    }

    /// Sets the timer of a stream to what comes next.
    fn arm(&mut self, id: &StreamId) {
        let Some(planned) = self.streams.get_mut(id) else { return };
        let next = planned.next_heartbeat.into_iter().chain(planned.retry_at).min();
        if planned.armed == next {
            return;
        }
        if let Some(old) = planned.armed.take() {
            self.timers.remove(&(old, id.clone()));
        }
        if let Some(next) = next {
            planned.armed = Some(next);
            self.timers.insert((next, id.clone()));
        }
    }

    fn remove(&mut self, id: &StreamId) {
        let Some(planned) = self.streams.remove(id) else { return };
        if let Some(at) = planned.armed {
            self.timers.remove(&(at, id.clone()));
        }
        if planned.waiting.is_some()
            && let Some(device) = self.devices.get_mut(&planned.host)
        {
            device.queue.retain(|other| !matches!(other, Waiter::Stream(other) if other == id));
            self.waiting -= 1;
        }
        if let Some(flight) = self.flights.get_mut(id) {
            flight.stale = true;
        }
    }

    fn put(&mut self, stream: &Arc<Stream>, now: Duration) {
        let id = &stream.id;
        if let Some(planned) = self.streams.get_mut(id)
            && planned.stream.is_asked_like(stream)
        {
            let interval = stream.heartbeat;
            if planned.stream.heartbeat != interval {
                planned.phase = phase(id, interval);
                planned.next_heartbeat = planned.next_heartbeat.map(|_| next_point(planned.phase, interval, now));
            }
            planned.stream = stream.clone();
            self.arm(id);
            return;
        }
        self.remove(id);
        let planned = Planned {
            stream: stream.clone(),
            host: stream.device().into(),
            phase: phase(id, stream.heartbeat),
            next_heartbeat: None,
            retry_at: None,
            waiting: None,
            armed: None,
        };
        self.streams.insert(id.clone(), planned);
        // A probe of the old address is awaited first.
        if !self.flights.contains_key(id) {
            self.enqueue(id, Cause::First, now);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
