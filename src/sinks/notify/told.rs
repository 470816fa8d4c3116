//! What of the outbox a target is told, one thing for each incident and each change.

use std::collections::HashMap;

use jiff::Timestamp;

use super::message::Context;
use crate::config::{Recipient, Target, Template};
use crate::model::{Health, Incident, Notice, Reason, StreamId};
use crate::store::Queued;

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    /// An incident, as it is now: opened, or over, or both since anybody was told.
    Incident(Box<Incident>),
    /// The health of a stream.
    Transition { stream: StreamId, from: Health, to: Health, reason: Reason, message: String },
    /// A stream comes and goes, or is calm again.
    Flapping { stream: StreamId, active: bool, from: Health, to: Health },
}

/// One thing that a target is told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    /// Places of its first and last notice in the outbox.
    pub(super) first_seq: i64,
    pub(super) last_seq: i64,
    /// Of the last notice.
    pub(super) id: String,
    pub(super) at: Timestamp,
    pub(super) change: Change,
}

impl Told {
    pub(super) fn is_incident(&self) -> bool {
        matches!(self.change, Change::Incident(_))
    }
}

/// True for the target that keeps a state of every incident, and so must hear of each end.
pub(super) fn keeps_state(target: &Target) -> bool {
    matches!(&target.to, Recipient::Web(webhook) if webhook.template == Template::Alertmanager)
}

/// The incident that a notice is about.
pub(super) fn incident_of(notice: &Notice) -> Option<i64> {
    match notice {
        Notice::IncidentOpened { incident, .. } | Notice::IncidentClosed { incident, .. } => Some(*incident),
        Notice::Transition { .. } | Notice::Flapping { .. } | Notice::Unreadable { .. } => None,
    }
}

/// What the target is told of these notices, in the order of their last ones. `incidents` has those that they are about.
pub(super) fn told(
    queued: &[Queued],
    incidents: &HashMap<i64, Incident>,
    target: &Target,
    context: &Context<'_>,
) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    let mut places: HashMap<i64, usize> = HashMap::new();
    for Queued { seq, id, notice } in queued {
        let (seq, at) = (*seq, notice.at());
        if let Some(number) = incident_of(notice) {
            let Some(incident) = incidents.get(&number) else { continue };
            if !wants_incident(incident, notice, target, context) {
                continue;
            }
            if let Some(known) = places.get(&number).and_then(|place| told.get_mut(*place)) {
                (known.last_seq, known.id, known.at) = (seq, id.clone(), at);
                continue;
            }
            places.insert(number, told.len());
            let change = Change::Incident(Box::new(incident.clone()));
            told.push(Told { first_seq: seq, last_seq: seq, id: id.clone(), at, change });
        } else if let Some(change) = wanted_change(notice, target, context) {
            told.push(Told { first_seq: seq, last_seq: seq, id: id.clone(), at, change });
        }
    }
    told.sort_by_key(|told| told.last_seq);
    told
}

fn wants_incident(incident: &Incident, notice: &Notice, target: &Target, context: &Context<'_>) -> bool {
    let is_ended = matches!(notice, Notice::IncidentClosed { .. });
    // The one that took its streams over is told in its place.
    if incident.merged_into.is_some() && !(is_ended && keeps_state(target)) {
        return false;
    }
    target.incidents && concerns(incident, target, context)
}

/// Whether an incident is of the target's severities and groups.
pub(super) fn concerns(incident: &Incident, target: &Target, context: &Context<'_>) -> bool {
    target.severities.contains(&incident.health)
        && incident.members.iter().any(|member| context.is_told(&member.stream))
}

fn wanted_change(notice: &Notice, target: &Target, context: &Context<'_>) -> Option<Change> {
    if !target.transitions {
        return None;
    }
    let is_wanted = |stream: &StreamId, from: Health, to: Health| {
        context.is_told(stream) && [from, to].iter().any(|health| target.severities.contains(health))
    };
    match notice {
        Notice::Transition { stream, from, to, reason, message, announced: true, .. }
            if is_wanted(stream, *from, *to) =>
        {
            let (stream, message) = (stream.clone(), message.clone());
            Some(Change::Transition { stream, from: *from, to: *to, reason: *reason, message })
        }
        Notice::Flapping { stream, active, from, to, .. } if context.is_told(stream) => {
            Some(Change::Flapping { stream: stream.clone(), active: *active, from: *from, to: *to })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
