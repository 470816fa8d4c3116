//! Visits: sessions at a device that are no stream's heartbeat. They wait for the device as streams do.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{Host, Plan};
use crate::model::CameraAccount;
use crate::schedule::device::Waiter;
use crate::schedule::start::Found;

/// So many visits may wait; the next one is refused.
pub const MOST_WAITING: usize = 64;

/// A visit, from the request to the end of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VisitId(u64);

/// What a visit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// One probe: it waits its turn as a due stream does.
    Probe,
    /// Live pictures, for as long as somebody watches: after everybody else, and it makes room when it is asked to.
    Preview,
}

/// Who asks for a session, and of which device.
#[derive(Clone, Debug, PartialEq)]
pub struct Visitor {
    /// The device, as [`Stream::device`](crate::model::Stream::device) names it.
    pub host: String,
    /// The account that will be used there; `None`: none.
    pub account: Option<CameraAccount>,
    /// What for.
    pub purpose: Purpose,
}

/// Why a visit is not even queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAdmitted {
    /// The device refused the password; it is asked again after this time.
    Paused(Duration),
    /// Other previews have, or wait for, all sessions of the device.
    Occupied,
    /// Too many visits wait.
    TooMany,
}

/// What the plan has decided about a visit since it was asked last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It has its session, until [`Plan::left`].
    Granted(VisitId),
    /// The device refused its account while it waited, which is asked again after this time.
    Paused(VisitId, Duration),
    /// Somebody waits for its session.
    Wanted(VisitId),
}

#[derive(Debug)]
struct Visit {
    host: Host,
    account: Option<CameraAccount>,
    purpose: Purpose,
    /// `None` while it waits.
    granted: Option<Duration>,
    /// It was told that its session is wanted.
    wanted: bool,
}

/// The visits that wait or have their session.
#[derive(Debug, Default)]
pub(super) struct Visits {
    all: HashMap<VisitId, Visit>,
    granted: usize,
    last: u64,
    answered: Vec<Answered>,
}

impl Visits {
    /// How many have a session.
    pub(super) fn granted(&self) -> usize {
        self.granted
    }

    pub(super) fn account_of(&self, id: VisitId) -> Option<&CameraAccount> {
        self.all.get(&id)?.account.as_ref()
    }

    /// The accounts that are in use by visits.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &CameraAccount> {
        self.all.values().filter(|visit| visit.granted.is_some()).filter_map(|visit| visit.account.as_ref())
    }
}

impl Plan {
    /// Queues a visit; [`Self::due`] decides about it, and [`Self::answered`] tells.
    ///
    /// # Errors
    /// [`NotAdmitted`].
    pub fn visit(&mut self, visitor: Visitor, now: Duration) -> Result<VisitId, NotAdmitted> {
        let Visitor { host, account, purpose } = visitor;
        if let Some(until) = account.as_ref().and_then(|account| self.guard.paused_until(account, now)) {
            return Err(NotAdmitted::Paused(until.saturating_sub(now)));
        }
        if self.visits.all.len() - self.visits.granted >= MOST_WAITING {
            return Err(NotAdmitted::TooMany);
        }
        let host: Host = host.into();
        let limit = self.devices.get(&host).map(|device| device.limit(now));
        let previews = |visit: &&Visit| visit.purpose == Purpose::Preview && visit.host == host;
        if purpose == Purpose::Preview
            && limit.is_some_and(|limit| self.visits.all.values().filter(previews).count() >= limit)
        {
            return Err(NotAdmitted::Occupied);
        }
        self.visits.last += 1;
        let id = VisitId(self.visits.last);
        let device = self.device(&host);
        match purpose {
            Purpose::Probe => device.queue.push_back(Waiter::Visit(id)),
            Purpose::Preview => device.previews.push_back(id),
        }
        self.visits.all.insert(id, Visit { host: host.clone(), account, purpose, granted: None, wanted: false });
        self.list(&host);
        Ok(id)
    }

    /// What was decided about visits since the last call, in order.
    pub fn answered(&mut self) -> Vec<Answered> {
        std::mem::take(&mut self.visits.answered)
    }

    /// A visit is over, or nobody waits for its session any more. `at` is the wall time.
    pub fn left(&mut self, id: VisitId, now: Duration, at: Timestamp, found: Found) {
        let Some(visit) = self.visits.all.remove(&id) else { return };
        match visit.granted {
            Some(since) => {
                self.visits.granted -= 1;
                self.vacate(&visit.host, since, found.busy, now);
                self.learn_account(visit.account.as_ref(), found.account, now, at);
            }
            None => {
                let device = self.device(&visit.host);
                device.queue.retain(|waiter| *waiter != Waiter::Visit(id));
                device.previews.retain(|other| *other != id);
                self.forget_if_idle(&visit.host);
            }
        }
        self.list(&visit.host);
        self.check(&visit.host, now);
    }

    /// A session is free for this visit.
    pub(super) fn grant(&mut self, id: VisitId, host: &Host, now: Duration) {
        let Some(visit) = self.visits.all.get_mut(&id) else { return };
        let paused = visit.account.as_ref().and_then(|account| self.guard.paused_until(account, now));
        if let Some(until) = paused {
            self.visits.all.remove(&id);
            self.visits.answered.push(Answered::Paused(id, until.saturating_sub(now)));
            self.forget_if_idle(host);
            return;
        }
        visit.granted = Some(now);
        self.visits.granted += 1;
        self.visits.answered.push(Answered::Granted(id));
        self.occupy(host);
    }

    /// Asks as many previews of a device to make room as others wait there.
    pub(super) fn want_sessions(&mut self) {
        let mut asked: HashMap<&Host, usize> = HashMap::new();
        for visit in self.visits.all.values().filter(|visit| visit.wanted) {
            *asked.entry(&visit.host).or_default() += 1;
        }
        let mut wanted = Vec::new();
        for (id, visit) in &self.visits.all {
            let gives_way = visit.purpose == Purpose::Preview && visit.granted.is_some() && !visit.wanted;
            let waiting = self.devices.get(&visit.host).map_or(0, |device| device.queue.len());
            if gives_way && waiting > asked.get(&visit.host).copied().unwrap_or_default() {
                *asked.entry(&visit.host).or_default() += 1;
                wanted.push(*id);
            }
        }
        for id in wanted {
            if let Some(visit) = self.visits.all.get_mut(&id) {
                visit.wanted = true;
            }
            self.visits.answered.push(Answered::Wanted(id));
        }
    }
}

#[cfg(test)]
mod tests;
