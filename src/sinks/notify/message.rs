//! A message: what templates are filled with.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::facts::{CauseFacts, DigestFacts, IncidentFacts, StreamFacts, TransitionFacts};
use super::told::{Change, Told};
use super::words::{between, counted, duration, time};
use crate::config::Config;
use crate::model::{Acknowledgement, Cause, Incident, Reason, StreamId};

/// Streams that a message names; of more only the number is told.
const MAX_STREAMS: usize = 100;
/// Streams that the text of a message names.
const MAX_LINES: usize = 20;

/// What it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Incident,
    Reminder,
    Transition,
    Flapping,
    Digest,
    Test,
}

/// Whether something is wrong, is right again, or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Firing,
    Resolved,
    Info,
}

/// Who tells it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Service {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    pub(super) host: String,
}

impl Service {
    pub(super) fn new(host: String) -> Self {
        Self { name: "StreamPulse", version: env!("CARGO_PKG_VERSION"), host }
    }
}

/// One message.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Message {
    /// The same whenever it is sent again.
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) status: Status,
    /// `down` or `degraded`, where it is about one.
    pub(super) severity: Option<&'static str>,
    pub(super) title: String,
    pub(super) text: String,
    pub(super) at: Timestamp,
    pub(super) url: Option<String>,
    pub(super) service: Service,
    pub(super) incident: Option<IncidentFacts>,
    pub(super) transition: Option<TransitionFacts>,
    pub(super) digest: Option<DigestFacts>,
    /// All that it is about, for receivers that keep a state of each.
    #[serde(skip)]
    pub(super) incidents: Vec<IncidentFacts>,
}

/// What is needed for the words beside what happened.
pub(super) struct Context<'a> {
    pub(super) config: &'a Config,
    /// Streams of these groups; empty: all.
    pub(super) groups: &'a [String],
    pub(super) host: &'a str,
    pub(super) now: Timestamp,
}

impl Context<'_> {
    /// The name of a stream; one that is not configured any more has its id.
    pub(super) fn name(&self, id: &StreamId) -> String {
        self.config.stream(id.as_str()).map_or_else(|| id.to_string(), |stream| stream.name.clone())
    }

    fn group(&self, id: &StreamId) -> Option<String> {
        self.config.stream(id.as_str()).and_then(|stream| stream.group.clone())
    }

    /// Whether the target is told of this stream.
    pub(super) fn is_told(&self, id: &StreamId) -> bool {
        self.groups.is_empty() || self.group(id).is_some_and(|group| self.groups.contains(&group))
    }

    fn zone(&self) -> &TimeZone {
        &self.config.timezone
    }

    /// Of a page of the dashboard.
    pub(super) fn link(&self, path: &str) -> Option<String> {
        self.config.notify.dashboard_url.as_ref().map(|url| format!("{url}/#/{path}"))
    }

    /// Nothing but its words.
    pub(super) fn plain(&self, id: String, kind: Kind, title: String, text: String) -> Message {
        Message {
            id,
            kind,
            status: Status::Info,
            severity: None,
            title,
            text,
            at: self.now,
            url: self.link(""),
            service: Service::new(self.host.to_owned()),
            incident: None,
            transition: None,
            digest: None,
            incidents: Vec::new(),
        }
    }

    /// Of one thing that happened.
    pub(super) fn message(&self, told: &Told) -> Message {
        match &told.change {
            Change::Incident(incident) => self.of_incident(told.id.clone(), Kind::Incident, incident),
            Change::Transition { stream, from, to, reason, message } => {
                let title = format!("{}: {} → {}", self.name(stream), from.as_str(), to.as_str());
                let text = without_address(message, *reason);
                let facts = self.transition(stream, (from.as_str(), to.as_str()), false, Some((*reason, text.clone())));
                let text = format!("{text}\n{}", time(told.at, self.zone()));
                self.of_transition(told, Kind::Transition, title, text, facts)
            }
            Change::Flapping { stream, active, from, to } => {
                let name = self.name(stream);
                let (title, text) = if *active {
                    let text = "Its changes are recorded and not told one by one until it is calm again.";
                    (format!("{name} comes and goes"), text.to_owned())
                } else {
                    (format!("{name} is calm again: {}", to.as_str()), "It stays as it is.".to_owned())
                };
                let facts = self.transition(stream, (from.as_str(), to.as_str()), *active, None);
                self.of_transition(told, Kind::Flapping, title, text, facts)
            }
        }
    }

    fn transition(
        &self,
        stream: &StreamId,
        (from, to): (&'static str, &'static str),
        flapping: bool,
        seen: Option<(Reason, String)>,
    ) -> TransitionFacts {
        let (reason, message) = seen.unzip();
        let (name, group) = (self.name(stream), self.group(stream));
        TransitionFacts { id: stream.clone(), name, group, from, to, flapping, reason, message }
    }

    fn of_transition(&self, told: &Told, kind: Kind, title: String, text: String, facts: TransitionFacts) -> Message {
        let status = match facts.to {
            "down" | "degraded" => Status::Firing,
            "up" if kind == Kind::Transition => Status::Resolved,
            _ => Status::Info,
        };
        let severity = ["down", "degraded"].into_iter().find(|word| *word == facts.to);
        let url = self.link(&format!("streams/{}", facts.id));
        let plain = self.plain(told.id.clone(), kind, title, text);
        Message { status, severity, at: told.at, url, transition: Some(facts), ..plain }
    }

    /// Of an incident as it is now; a reminder says for how long.
    pub(super) fn of_incident(&self, id: String, kind: Kind, incident: &Incident) -> Message {
        let facts = self.incident(incident);
        let status = if facts.open { Status::Firing } else { Status::Resolved };
        let title = match kind {
            Kind::Reminder => format!("{} (for {})", facts.title.replacen(" is ", " is still ", 1), {
                duration(between(incident.opened_at, self.now))
            }),
            _ => facts.title.clone(),
        };
        let plain = self.plain(id, kind, title, facts.text.clone());
        let at = if kind == Kind::Reminder { self.now } else { incident.closed_at.unwrap_or(incident.opened_at) };
        let url = self.link(&format!("incidents/{}", incident.id));
        let severity = Some(facts.state);
        Message { status, severity, at, url, incident: Some(facts.clone()), incidents: vec![facts], ..plain }
    }

    /// Facts and words of an incident.
    pub(super) fn incident(&self, incident: &Incident) -> IncidentFacts {
        let told: Vec<_> = incident.members.iter().filter(|member| self.is_told(&member.stream)).collect();
        let streams: Vec<_> = told
            .iter()
            .take(MAX_STREAMS)
            .map(|member| StreamFacts {
                id: member.stream.clone(),
                name: self.name(&member.stream),
                group: self.group(&member.stream),
                reason: member.reason,
                began_at: member.began_at,
                left_at: member.left_at,
            })
            .collect();
        let (state, open) = (incident.health.as_str(), incident.is_open());
        let lasted = between(incident.opened_at, incident.closed_at.unwrap_or(self.now));
        // What was seen at a camera of another group is not for this target.
        let is_led = incident.members.first().is_none_or(|first| self.is_told(&first.stream));
        let (reason, message) = match told.first() {
            Some(first) if !is_led => (first.reason, first.reason.sentence().to_owned()),
            _ => (incident.reason, without_address(&incident.detail, incident.reason)),
        };
        let cause_name = match &incident.cause {
            Cause::Parent(parent) => self.is_told(parent).then(|| self.name(parent)),
            cause => cause.name().map(str::to_owned),
        };
        let facts = IncidentFacts {
            id: incident.id,
            state,
            open,
            opened_at: incident.opened_at,
            closed_at: incident.closed_at,
            duration_seconds: lasted.as_secs(),
            reason,
            message,
            next_step: reason.next_step(),
            cause: CauseFacts { kind: incident.cause.kind(), name: cause_name },
            acknowledged: incident.acknowledged.clone(),
            streams_total: told.len(),
            title: String::new(),
            text: String::new(),
            streams,
        };
        let (title, text) = (self.title(&facts), self.text(&facts));
        IncidentFacts { title, text, ..facts }
    }

    fn title(&self, facts: &IncidentFacts) -> String {
        let (subject, verb) = match facts.streams.as_slice() {
            [one] if facts.streams_total == 1 => (one.name.clone(), "is"),
            [] => (format!("Incident {}", facts.id), "is"),
            _ => (counted(facts.streams_total, "stream"), "are"),
        };
        let cause = match (&facts.cause.name, facts.streams_total) {
            (Some(name), 2..) => format!(" ({} {name})", facts.cause.kind),
            _ => String::new(),
        };
        let state = if facts.open { facts.state.to_owned() } else { format!("no longer {}", facts.state) };
        format!("{subject} {verb} {state}{cause}")
    }

    fn text(&self, facts: &IncidentFacts) -> String {
        let mut lines = Vec::new();
        let opened = time(facts.opened_at, self.zone());
        let lasted = duration(std::time::Duration::from_secs(facts.duration_seconds));
        match facts.closed_at {
            Some(closed_at) => {
                lines.push(format!("It lasted {lasted}, from {opened} to {}.", time(closed_at, self.zone())));
                lines.push(facts.message.clone());
            }
            None => {
                lines.push(facts.message.clone());
                lines.extend(facts.next_step.map(str::to_owned));
                lines.push(format!("Since {opened}."));
            }
        }
        if let Some(Acknowledgement { by, .. }) = &facts.acknowledged {
            lines.push(format!("Acknowledged by {by}."));
        }
        if facts.streams_total > 1 {
            lines.extend(facts.streams.iter().take(MAX_LINES).map(|stream| {
                let back = if stream.left_at.is_some() && facts.open { " (no longer)" } else { "" };
                format!("- {}: {}{back}", stream.name, stream.reason.sentence())
            }));
            if facts.streams_total > MAX_LINES {
                lines.push(format!("- and {} more", facts.streams_total - MAX_LINES));
            }
        }
        lines.retain(|line| !line.is_empty());
        lines.join("\n")
    }

    /// What stands for one thing in a digest.
    pub(super) fn line(&self, told: &Told) -> String {
        let title = match &told.change {
            Change::Incident(incident) => {
                let facts = self.incident(incident);
                let lasted = duration(std::time::Duration::from_secs(facts.duration_seconds));
                if facts.open {
                    format!("{}, for {lasted}", facts.title)
                } else {
                    format!("{}, it lasted {lasted}", facts.title)
                }
            }
            _ => self.message(told).title,
        };
        format!("{}: {title}", time(told.at, self.zone()))
    }

    /// The message of a digest.
    pub(super) fn digest(&self, id: String, facts: DigestFacts) -> Message {
        let mut parts = Vec::new();
        if facts.incidents > 0 {
            parts.push(format!("{} ({} open, {} over)", counted(facts.incidents, "incident"), facts.open, facts.over));
        }
        if facts.transitions > 0 {
            parts.push(counted(facts.transitions, "change"));
        }
        let title = if parts.is_empty() { "What happened meanwhile".to_owned() } else { parts.join(", ") };
        let mut lines = Vec::new();
        if let (Some(first), Some(last)) = (facts.first_at, facts.last_at) {
            lines.push(format!("From {} to {}:", time(first, self.zone()), time(last, self.zone())));
        }
        lines.extend(facts.lines.iter().map(|line| format!("- {line}")));
        if facts.more > 0 {
            lines.push(format!("- and {} more", facts.more));
        }
        if facts.dropped > 0 {
            let what = if facts.dropped == 1 {
                "1 older notice was".to_owned()
            } else {
                format!("{} older notices were", facts.dropped)
            };
            lines.push(format!("{what} dropped: they waited too long."));
        }
        let status = if facts.open > 0 { Status::Firing } else { Status::Info };
        let at = facts.last_at.unwrap_or(self.now);
        let plain = self.plain(id, Kind::Digest, title, lines.join("\n"));
        Message { status, at, digest: Some(facts), ..plain }
    }
}

/// What was seen; an address that a camera may have written into it is for nobody outside.
fn without_address(message: &str, reason: Reason) -> String {
    if message.is_empty() || message.contains("://") { reason.sentence().to_owned() } else { message.to_owned() }
}
