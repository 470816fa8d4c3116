//! The incident register as the monitor keeps it: what changes, what the store does not have yet, and the evidence.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;

use super::StreamStatus;
use crate::config::Config;
use crate::health::incidents::{Change, Register};
use crate::model::{Health, HealthState, Heartbeat, Incident, ProbeReport, Reason, Stage, StreamId};
use crate::store::{Evidence, EvidenceKind};

/// Streams of one incident of which evidence is kept: those of a whole building would fill the disk.
const MEMBERS_WITH_EVIDENCE: usize = 10;

/// Every open incident, and every one that is not stored as it is.
#[derive(Debug, Default)]
pub(super) struct Cases {
    register: Register,
    unsaved: BTreeMap<i64, Incident>,
    opened_total: u64,
    /// The open incidents of an earlier run are known. Before that none is opened: it might be one of those.
    is_restored: bool,
}

/// What a verdict did to the incidents.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Those that are different now.
    pub(super) changed: Vec<Incident>,
    /// The one that the stream joined, when evidence of it is to be kept.
    pub(super) joined: Option<i64>,
}

impl Cases {
    /// Goes on from an earlier run.
    pub(super) fn restore(&mut self, open: Vec<Incident>, next_id: i64, config: &Config) {
        self.is_restored = true;
        self.register = Register::restore(open, next_id, |id| config.stream(id.as_str()).map(|stream| &**stream));
    }

    /// Streams that are removed or switched off have left their incidents.
    pub(super) fn configure(&mut self, config: &Config, now: Timestamp) -> Vec<Incident> {
        config.streams.iter().for_each(|stream| self.register.move_to(stream));
        let is_watched = |id: &StreamId| config.stream(id.as_str()).is_some_and(|stream| stream.enabled);
        let members = self.register.open().flat_map(|incident| &incident.members);
        let gone: Vec<StreamId> = members
            .filter(|member| member.left_at.is_none() && !is_watched(&member.stream))
            .map(|member| member.stream.clone())
            .collect();
        let changed: Vec<Incident> = gone.iter().flat_map(|id| self.register.leave(id, now)).collect();
        self.remember_unsaved(&changed);
        changed
    }

    /// What a person said of an incident; gives what is to be told of it. One that was open when that was stored and is over by
    /// now was told of already, and must not be open again for anyone.
    pub(super) fn remark(&mut self, said: Incident) -> Option<Incident> {
        self.register.remark(&said).or_else(|| Some(said).filter(|said| said.closed_at.is_some()))
    }

    /// Takes a verdict.
    pub(super) fn verdict(
        &mut self,
        row: &StreamStatus,
        state: &HealthState,
        report: Option<&ProbeReport>,
        now: Timestamp,
    ) -> Outcome {
        if !self.is_restored {
            return Outcome::default();
        }
        let detail = report.map(ProbeReport::message).unwrap_or_default();
        let change = Change {
            stream: &row.stream,
            health: state.health,
            reason: state.reason,
            stage: report.map_or(Stage::Picture, ProbeReport::stage),
            detail: &detail,
            began_at: began_at(row, state.health, now),
            at: now,
            is_flapping: state.flap.active,
        };
        let before = self.register.of(&row.stream.id).map(|incident| incident.id);
        let changed = self.register.change(&change);
        let after = self.register.of(&row.stream.id);
        let joined = after.filter(|incident| Some(incident.id) != before);
        if joined.is_some_and(|incident| incident.members.len() == 1) {
            self.opened_total += 1;
        }
        let joined = joined.filter(|i| i.members.len() <= MEMBERS_WITH_EVIDENCE).map(|incident| incident.id);
        Outcome { changed, joined }
    }

    /// What goes to the store with a record: what is different now, and what it failed to take before.
    pub(super) fn take_unsaved(&mut self, changed: &[Incident]) -> Vec<Incident> {
        let mut all = std::mem::take(&mut self.unsaved);
        all.extend(changed.iter().map(|incident| (incident.id, incident.clone())));
        all.into_values().collect()
    }

    /// The store did not take these.
    pub(super) fn remember_unsaved(&mut self, incidents: &[Incident]) {
        for incident in incidents {
            let kept = self.unsaved.entry(incident.id).or_insert_with(|| incident.clone());
            if progress(incident) > progress(kept) {
                kept.clone_from(incident);
            }
        }
    }

    /// Open incidents of this severity.
    pub(super) fn open(&self, health: Health) -> usize {
        self.register.count(health)
    }

    /// Incidents that were opened since the service started.
    pub(super) fn opened_total(&self) -> u64 {
        self.opened_total
    }
}

/// How far an incident has come: of two versions of one, the greater is the newer.
fn progress(incident: &Incident) -> (bool, usize, usize) {
    let left = incident.members.iter().filter(|member| member.left_at.is_some()).count();
    (incident.closed_at.is_some(), incident.members.len(), left)
}

/// When the run of bad heartbeats began that ends with now: at the good one before it, when that was not long before.
fn began_at(row: &StreamStatus, health: Health, now: Timestamp) -> Timestamp {
    let is_bad = |beat: &&Heartbeat| match health {
        Health::Degraded => beat.health == Health::Degraded || beat.reason != Reason::Ok,
        _ => beat.reason != Reason::Ok,
    };
    let first_bad = row.recent.iter().rev().take_while(is_bad).last().map_or(now, |beat| beat.at);
    let last_good = row.recent.iter().rev().find(|beat| !is_bad(beat)).map(|beat| beat.at);
    let long = 2 * row.stream.heartbeat + row.stream.timeout;
    last_good.filter(|at| first_bad.duration_since(*at).unsigned_abs() <= long).unwrap_or(first_bad)
}

/// What there is to show of a failure.
pub(super) fn evidence(
    row: &StreamStatus,
    report: &ProbeReport,
    jpeg: Option<&Bytes>,
    started_at: Timestamp,
) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    let mut add =
        |kind, taken_at, content: &Bytes| evidence.push(Evidence { kind, taken_at, content: content.clone() });
    // The snapshot is that of the last probe that gave a picture.
    let was_good = row.last_good.as_ref().is_some_and(|report| report.issues().is_empty());
    if let Some(snapshot) = row.snapshot.as_ref().filter(|_| was_good) {
        add(EvidenceKind::LastGood, snapshot.taken_at, &snapshot.jpeg);
    }
    if let Some(jpeg) = jpeg {
        add(EvidenceKind::FirstBad, started_at, jpeg);
    }
    if let Some(exchange) = &report.exchange {
        add(EvidenceKind::Exchange, started_at, &Bytes::copy_from_slice(exchange.as_bytes()));
    }
    evidence
}
