//! Which incident a failure belongs to: its own, or one that other streams of the same cause have opened.
//!
//! Streams that go down within a short time of each other are one incident when they are on one device, when their
//! devices are in one network and cannot be reached, or when one is the configured parent of the other. What is only
//! degraded is an incident of its own: the cause is in the picture.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{Cause, Health, Incident, Member, Reason, Stage, Stream, StreamId};

/// A stream left the state in which it was known to be, or came into one.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// Which stream.
    pub stream: &'a Stream,
    /// Its state now.
    pub health: Health,
    /// Why.
    pub reason: Reason,
    /// Where the probe ended.
    pub stage: Stage,
    /// What was seen, one clause.
    pub detail: &'a str,
    /// When its last good heartbeat was, or its first bad one.
    pub began_at: Timestamp,
    /// When the state was confirmed.
    pub at: Timestamp,
    /// While a stream is flapping, its incident does not end.
    pub is_flapping: bool,
}

/// Every open incident.
#[derive(Clone, Debug, Default)]
pub struct Register {
    open: HashMap<i64, Incident>,
    /// Of each stream that is in an open incident.
    by_stream: HashMap<StreamId, i64>,
    /// Of the same streams.
    places: HashMap<StreamId, Place>,
    next_id: i64,
}

/// Where a stream is.
#[derive(Clone, Debug)]
struct Place {
    host: String,
    subnet: Option<String>,
    parent: Option<StreamId>,
}

impl Place {
    fn of(stream: &Stream) -> Self {
        let host = stream.device().to_owned();
        Self { subnet: subnet(&host), host, parent: stream.parent.clone() }
    }
}

/// How long after another stream's failure one is taken for its consequence: the next heartbeat of this stream, both
/// probes that confirm it, and the pause between them, but not less than a minute.
fn window(stream: &Stream) -> Duration {
    (stream.heartbeat + 3 * stream.timeout).max(Duration::from_secs(60))
}

impl Register {
    /// Goes on from an earlier run: its open incidents, and the number of the next new one. `streams` finds those that
    /// are still configured.
    pub fn restore<'a>(open: Vec<Incident>, next_id: i64, streams: impl Fn(&StreamId) -> Option<&'a Stream>) -> Self {
        let mut register = Self { next_id, ..Self::default() };
        for incident in open {
            for member in incident.members.iter().filter(|member| member.left_at.is_none()) {
                register.by_stream.insert(member.stream.clone(), incident.id);
                register.places.extend(streams(&member.stream).map(|s| (member.stream.clone(), Place::of(s))));
            }
            register.open.insert(incident.id, incident);
        }
        register
    }

    /// Open incidents of this severity.
    pub fn count(&self, health: Health) -> usize {
        self.open.values().filter(|incident| incident.health == health).count()
    }

    /// The open incident that a stream is in.
    pub fn of(&self, stream: &StreamId) -> Option<&Incident> {
        self.open.get(self.by_stream.get(stream)?)
    }

    /// Every open incident, for a store that has lost one.
    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        self.open.values()
    }

    /// What a person said of an incident, which those that hear of its changes hear, too: gives it as it is then, `None` when it is
    /// not open.
    pub fn remark(&mut self, said: &Incident) -> Option<Incident> {
        let incident = self.open.get_mut(&said.id)?;
        incident.acknowledged.clone_from(&said.acknowledged);
        incident.note.clone_from(&said.note);
        incident.action.clone_from(&said.action);
        Some(incident.clone())
    }

    /// A stream in an open incident has another address or parent now.
    pub fn move_to(&mut self, stream: &Stream) {
        if let Some(place) = self.places.get_mut(&stream.id) {
            *place = Place::of(stream);
        }
    }

    /// Takes a change; gives every incident that differs now, as it is now, those that ended included.
    pub fn change(&mut self, change: &Change<'_>) -> Vec<Incident> {
        // In `unknown` nothing is known, so what was goes on.
        if change.health == Health::Unknown {
            return Vec::new();
        }
        let id = &change.stream.id;
        let current = self.of(id).map(|incident| incident.health);
        let fails = matches!(change.health, Health::Down | Health::Degraded);
        let gets_worse = (current, change.health) == (Some(Health::Degraded), Health::Down);
        let is_muted = change.is_flapping && change.health != Health::Maintenance && !gets_worse;
        if current.is_some() && (current == Some(change.health) || is_muted) {
            return Vec::new();
        }
        let mut changed = self.leave(id, change.at);
        if fails {
            changed.extend(self.join(change));
        }
        changed
    }

    /// A stream is gone: removed or switched off.
    pub fn leave(&mut self, stream: &StreamId, at: Timestamp) -> Vec<Incident> {
        self.places.remove(stream);
        let Some(number) = self.by_stream.remove(stream) else { return Vec::new() };
        let Some(incident) = self.open.get_mut(&number) else { return Vec::new() };
        if let Some(member) = incident.member_mut(stream) {
            member.left_at = Some(at);
        }
        if incident.members.iter().all(|member| member.left_at.is_some()) {
            incident.closed_at = Some(at);
        }
        let changed = incident.clone();
        if !changed.is_open() {
            self.open.remove(&number);
        }
        vec![changed]
    }

    fn join(&mut self, change: &Change<'_>) -> Vec<Incident> {
        let stream = change.stream;
        let member = Member {
            stream: stream.id.clone(),
            reason: change.reason,
            stage: change.stage,
            began_at: change.began_at,
            joined_at: change.at,
            left_at: None,
        };
        let common = if change.health == Health::Down { self.common_cause(change) } else { None };
        self.places.insert(stream.id.clone(), Place::of(stream));
        let number = match common {
            Some((number, cause)) => {
                if let Some(incident) = self.open.get_mut(&number) {
                    incident.cause = cause;
                    incident.members.push(member);
                }
                number
            }
            None => {
                let number = self.next_id;
                self.next_id += 1;
                let incident = Incident {
                    id: number,
                    health: change.health,
                    cause: Cause::Stream,
                    reason: change.reason,
                    stage: change.stage,
                    detail: change.detail.to_owned(),
                    opened_at: change.at,
                    closed_at: None,
                    merged_into: None,
                    members: vec![member],
                    acknowledged: None,
                    note: None,
                    action: None,
                };
                self.open.insert(number, incident);
                number
            }
        };
        self.by_stream.insert(stream.id.clone(), number);
        let mut changed =
            if change.health == Health::Down { self.take_children(stream, change.at) } else { Vec::new() };
        changed.extend(self.open.get(&number).cloned());
        changed
    }

    /// The incident that explains a stream's failure, and what its cause is called then.
    fn common_cause(&self, change: &Change<'_>) -> Option<(i64, Cause)> {
        let stream = change.stream;
        if let Some(parent) = &stream.parent
            && let Some(incident) = self.of(parent).filter(|incident| incident.health == Health::Down)
        {
            let cause = match &incident.cause {
                Cause::Stream => Cause::Parent(parent.clone()),
                other => other.clone(),
            };
            return Some((incident.id, cause));
        }
        let window = window(stream);
        let is_near = |member: &&Member| {
            let apart = change.at.duration_since(member.joined_at).unsigned_abs();
            member.left_at.is_none() && apart <= window
        };
        let mut candidates: Vec<&Incident> = self.open.values().filter(|i| i.health == Health::Down).collect();
        candidates.sort_by_key(|incident| std::cmp::Reverse(incident.id));
        let near = |incident: &Incident, fits: &dyn Fn(&Member, &Place) -> bool| {
            let mut members = incident.members.iter().filter(is_near);
            members.any(|member| self.places.get(&member.stream).is_some_and(|place| fits(member, place)))
        };
        let device = stream.device();
        if let Some(incident) = candidates.iter().find(|incident| near(incident, &|_, place| place.host == device)) {
            let cause = match &incident.cause {
                Cause::Stream => Cause::Device(device.to_owned()),
                other => other.clone(),
            };
            return Some((incident.id, cause));
        }
        if !cannot_be_reached(change.reason) {
            return None;
        }
        let subnet = subnet(device)?;
        let fits =
            |member: &Member, place: &Place| cannot_be_reached(member.reason) && place.subnet.as_ref() == Some(&subnet);
        let incident = candidates.iter().find(|incident| near(incident, &fits))?;
        let cause = match &incident.cause {
            Cause::Parent(parent) => Cause::Parent(parent.clone()),
            _ => Cause::Subnet(subnet.clone()),
        };
        Some((incident.id, cause))
    }

    /// A parent is down: what its children opened a moment ago is the same incident.
    fn take_children(&mut self, parent: &Stream, at: Timestamp) -> Vec<Incident> {
        let Some(number) = self.by_stream.get(&parent.id).copied() else { return Vec::new() };
        let is_child =
            |stream: &StreamId| self.places.get(stream).is_some_and(|place| place.parent.as_ref() == Some(&parent.id));
        let children: Vec<i64> = self
            .open
            .values()
            .filter(|incident| incident.id != number && incident.health == Health::Down)
            .filter(|incident| at.duration_since(incident.opened_at).unsigned_abs() <= window(parent))
            .filter(|incident| incident.members.iter().all(|member| is_child(&member.stream)))
            .map(|incident| incident.id)
            .collect();
        children.into_iter().filter_map(|child| self.merge(child, number, &parent.id, at)).collect()
    }

    fn merge(&mut self, child: i64, into: i64, parent: &StreamId, at: Timestamp) -> Option<Incident> {
        let mut merged = self.open.remove(&child)?;
        let target = self.open.get_mut(&into)?;
        for member in merged.members.iter_mut().filter(|member| member.left_at.is_none()) {
            self.by_stream.insert(member.stream.clone(), into);
            target.members.push(member.clone());
            member.left_at = Some(at);
        }
        target.cause = Cause::Parent(parent.clone());
        merged.closed_at = Some(at);
        merged.merged_into = Some(into);
        Some(merged)
    }
}

/// The device does not answer at all, which the network before it may explain.
fn cannot_be_reached(reason: Reason) -> bool {
    matches!(reason, Reason::Unreachable | Reason::ConnectTimeout)
}

/// The network of a host that is written as an address: its /24, or its /64. `None` for a name.
fn subnet(host: &str) -> Option<String> {
    match host.split('%').next()?.parse::<IpAddr>().ok()? {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            Some(format!("{a}.{b}.{c}.0/24"))
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Some(format!("{}/64", std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
        }
    }
}

#[cfg(test)]
mod tests;
