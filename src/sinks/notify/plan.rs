//! Which messages are sent of what is told: one for each, or one digest for all.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::facts::DigestFacts;
use super::message::{Context, Kind, Message};
use super::told::{Change, Told, concerns};
use super::words::{between, counted};
use crate::config::Target;
use crate::model::{Health, Incident};

/// More messages than these after an outage are one digest.
const MAX_AFTER_OUTAGE: usize = 5;
/// More incidents than these at once are one digest.
const MAX_AT_ONCE: usize = 10;
/// Lines of a digest.
const MAX_LINES: usize = 20;
/// Incidents in a message to a receiver that keeps a state of each.
const MAX_IN_ONE: usize = 100;

/// A message, and what the cursor may go to when it is delivered.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub(super) message: Message,
    pub(super) then: i64,
}

/// What decides about a digest beside what is told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Situation {
    /// The target, or this service, was away.
    pub(super) after_outage: bool,
    /// The receiver keeps a state of each incident.
    pub(super) keeps_state: bool,
    /// Notices that were dropped since anybody was told.
    pub(super) dropped: u64,
    /// The place of the last notice that was looked at.
    pub(super) end: i64,
}

/// The messages, in their order.
pub(super) fn plan(told: &[Told], situation: Situation, context: &Context<'_>) -> Vec<Planned> {
    if situation.keeps_state {
        return chunks(told, situation, context);
    }
    let incidents = told.iter().filter(|told| told.is_incident()).count();
    let is_flood = incidents > MAX_AT_ONCE || (situation.after_outage && told.len() > MAX_AFTER_OUTAGE);
    if is_flood || (situation.dropped > 0 && !told.is_empty()) {
        let id = told.last().map(|last| last.id.clone()).unwrap_or_default();
        return vec![Planned { message: context.digest(id, digest(told, situation, context)), then: situation.end }];
    }
    let planned = told
        .iter()
        .enumerate()
        .map(|(i, one)| Planned { message: context.message(one), then: cursor(&told[i + 1..], situation.end) });
    planned.collect()
}

/// Where the cursor may go while these are not delivered.
fn cursor(rest: &[Told], end: i64) -> i64 {
    rest.iter().map(|told| told.first_seq - 1).min().unwrap_or(end)
}

/// As few messages as there can be, and in them the state of every incident.
fn chunks(told: &[Told], situation: Situation, context: &Context<'_>) -> Vec<Planned> {
    let mut planned = Vec::new();
    let mut rest = told;
    while let [first, ..] = rest {
        let (chunk, after) = rest.split_at(rest.len().min(MAX_IN_ONE));
        rest = after;
        let mut message = match chunk {
            [_] => context.message(first),
            _ => {
                let id = chunk.last().map(|last| last.id.clone()).unwrap_or_default();
                context.digest(id, digest(chunk, situation, context))
            }
        };
        message.incidents = chunk
            .iter()
            .filter_map(|told| {
                if let Change::Incident(incident) = &told.change { Some(context.incident(incident)) } else { None }
            })
            .collect();
        planned.push(Planned { message, then: cursor(rest, situation.end) });
    }
    planned
}

/// Counts, and the lines that matter most: what is open, the gravest first, then what is newest.
fn digest(told: &[Told], situation: Situation, context: &Context<'_>) -> DigestFacts {
    let incidents: Vec<&Incident> = told
        .iter()
        .filter_map(|told| if let Change::Incident(incident) = &told.change { Some(incident.as_ref()) } else { None })
        .collect();
    let open = incidents.iter().filter(|incident| incident.is_open()).count();
    let weight = |told: &&Told| {
        let of_incident = match &told.change {
            Change::Incident(incident) if incident.is_open() && incident.health == Health::Down => 0,
            Change::Incident(incident) if incident.is_open() => 1,
            Change::Incident(_) => 2,
            _ => 3,
        };
        (of_incident, std::cmp::Reverse(told.last_seq))
    };
    let mut sorted: Vec<&Told> = told.iter().collect();
    sorted.sort_by_key(weight);
    DigestFacts {
        first_at: told.iter().map(|told| told.at).min(),
        last_at: told.iter().map(|told| told.at).max(),
        incidents: incidents.len(),
        open,
        over: incidents.len() - open,
        transitions: told.len() - incidents.len(),
        lines: sorted.iter().take(MAX_LINES).map(|told| context.line(told)).collect(),
        more: told.len().saturating_sub(MAX_LINES),
        dropped: situation.dropped,
    }
}

/// What a target was told again.
pub(super) struct Reminded<'a> {
    pub(super) every: Duration,
    /// What was due before that is not told: it was, or nobody wanted it.
    pub(super) since: Timestamp,
    /// How often, by incident.
    pub(super) rounds: &'a HashMap<i64, u64>,
}

/// The open incidents that are to be told again, each with how often that is: counted from its opening, so that a restart
/// does not matter.
pub(super) fn due<'a>(
    open: &'a [Incident],
    reminded: &Reminded<'_>,
    target: &Target,
    context: &Context<'_>,
) -> Vec<(u64, &'a Incident)> {
    let round = |incident: &Incident, at| between(incident.opened_at, at).as_secs() / reminded.every.as_secs().max(1);
    let wanted = |incident: &&Incident| incident.acknowledged.is_none() && concerns(incident, target, context);
    let is_due = |(now, incident): &(u64, &Incident)| {
        let told = reminded.rounds.get(&incident.id).copied();
        *now > told.unwrap_or_else(|| round(incident, reminded.since))
    };
    open.iter().filter(wanted).map(|incident| (round(incident, context.now), incident)).filter(is_due).collect()
}

/// Reminders of these incidents; more than after an outage are one message.
pub(super) fn reminders(due: &[(u64, &Incident)], keeps_state: bool, context: &Context<'_>) -> Vec<Message> {
    let one = |(round, incident): &(u64, &Incident)| {
        context.of_incident(format!("reminder-{}-{round}", incident.id), Kind::Reminder, incident)
    };
    if due.len() <= MAX_AFTER_OUTAGE && !keeps_state {
        return due.iter().map(one).collect();
    }
    let together = |due: &[(u64, &Incident)]| {
        let first = due.first()?;
        let mut message = one(first);
        if due.len() > 1 {
            message.title = format!("{} are still open", counted(due.len(), "incident"));
            let lines =
                due.iter().take(MAX_LINES).map(|(_, incident)| format!("- {}", context.incident(incident).title));
            let more = due.len().saturating_sub(MAX_LINES);
            let more = (more > 0).then(|| format!("- and {more} more"));
            message.text = lines.chain(more).collect::<Vec<_>>().join("\n");
            message.incident = None;
            message.url = context.link("incidents");
        }
        message.incidents = due.iter().map(|(_, incident)| context.incident(incident)).collect();
        Some(message)
    };
    due.chunks(if keeps_state { MAX_IN_ONE } else { usize::MAX }).filter_map(together).collect()
}
