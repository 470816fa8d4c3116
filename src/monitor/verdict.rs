//! One result of one stream: the picture, then health, then incidents, then on to the store; and when it is there, the
//! table, the events, a quick re-probe, whoever asked.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::accounts::Counted;
use super::notices::{self, Untold};
use super::{
    Committed, Done, Event, FAILING_STORE_DEADLINE, Figures, LastProbe, Monitor, RECENT_HEARTBEATS, STORE_DEADLINE,
    StreamStatus, Work, cases, status_json, within, within_deadline,
};
use crate::health::account::Moment;
use crate::health::{self, Step, Thresholds};
use crate::model::{
    Health, HealthState, Heartbeat, Incident, Outcome, ProbeReport, Reason, Snapshot, StreamId, Transition,
};
use crate::schedule::Completed;
use crate::store::Record;

/// An event of an incident with more streams than this names only the one that has changed.
const MAX_TOLD_MEMBERS: usize = 50;

/// What was decided.
#[derive(Debug)]
pub(super) struct Verdict {
    stream: StreamId,
    record: Record,
    /// Without what the store failed to take before.
    counted: Counted,
    /// Without what the store failed to take before.
    transitions: Vec<Transition>,
    changed: Vec<Incident>,
    announced: Vec<Transition>,
    maintenance_until: Option<Timestamp>,
    recheck: Option<Duration>,
}

impl Monitor {
    /// The picture, then health, then on to the store.
    pub(super) fn begin(&mut self, work: Work) {
        let id = work.stream().id.clone();
        // Removed or switched off meanwhile: whoever asked for the probe is told by the dropped reply.
        let Some(row) = self.watched(id.as_str()) else { return };
        let mut completed = match work {
            Work::Probe(completed) => Some(*completed),
            Work::Maintenance(_) => None,
        };
        let now = self.clock.now();
        let past = completed
            .as_mut()
            .and_then(|completed| self.looks.judge(&completed.stream, &mut completed.probed.report, now));
        let (verdict, joined) = self.judge(&row, completed.as_ref(), now);
        let evidence = joined.zip(completed.as_ref()).map(|(incident, completed)| {
            let probed = &completed.probed;
            (incident, cases::evidence(&row, &probed.report, probed.jpeg.as_ref(), completed.started_at))
        });
        let store = self.store.clone();
        let limit = if self.store_fails { FAILING_STORE_DEADLINE } else { STORE_DEADLINE };
        // First: a pause that is not remembered costs the camera a refused password more after a restart.
        let refusals = self.refusals.clone();
        self.busy.entry(id.clone()).or_default();
        self.commits.push(Box::pin(async move {
            refusals.store(&store).await;
            if let Some(past) = past
                && let Err(error) = within(limit, store.put_look(id, past)).await
            {
                tracing::error!(%error, "what is usual of the pictures is not remembered across a restart; check the disk");
            }
            let stored = within(limit, store.record(verdict.record.clone())).await;
            Some(Done::Committed(Box::new(Committed { completed, verdict, evidence, stored })))
        }));
    }

    /// Decides everything of a result; gives the incident that the stream joined as well.
    fn judge(&mut self, row: &StreamStatus, completed: Option<&Completed>, now: Timestamp) -> (Verdict, Option<i64>) {
        let id = &row.stream.id;
        let moment = Moment { wall: now, elapsed: self.clock.monotonic().saturating_duration_since(self.origin) };
        let counted = self.accounts.advance(&row.stream, moment, row.state.health);
        let maintenance_until = self.maintenance.until(&row.stream, now);
        let report = completed.map(|completed| &completed.probed.report);
        let steps = self.steps(&row.state, report, maintenance_until.is_some(), now);
        let state = steps.last().map_or_else(|| row.state.clone(), |step| step.state.clone());
        let transitions = |changes: &mut dyn Iterator<Item = (&Step, (Health, Health))>| -> Vec<Transition> {
            let transition = |(step, (from, to)): (&Step, _)| Transition {
                stream: id.clone(),
                at: now,
                from,
                to,
                reason: step.state.reason,
            };
            changes.map(transition).collect()
        };
        let changed = transitions(&mut steps.iter().filter_map(|step| Some((step, step.transition?))));
        let announced = transitions(&mut steps.iter().filter_map(|step| Some((step, step.announce?))));
        let heartbeat = completed.map(|completed| heartbeat(completed, state.health));
        let Untold { transitions: late, mut notices } = self.untold.remove(id).unwrap_or_default();
        let message = || report.map(|report| status_json::for_strangers(row, report)).unwrap_or_default();
        notices.extend(notices::of_steps(id, &row.state, &steps, report, message, now));
        let cases = self.cases.verdict(row, &state, report, now);
        let ended = state.health == Health::Unknown && row.state.health == Health::Maintenance;
        let recheck = if ended && completed.is_none() {
            Some(Duration::ZERO)
        } else {
            steps.last().is_some_and(|step| step.recheck).then_some(self.current.probe.retry_after)
        };
        let record = Record {
            stream: id.clone(),
            heartbeat,
            state,
            late_transitions: late.len(),
            transitions: late.into_iter().chain(changed.iter().cloned()).collect(),
            spans: counted.to_store.clone(),
            incidents: self.cases.take_unsaved(&cases.changed),
            notices,
        };
        let verdict = Verdict {
            stream: id.clone(),
            record,
            counted,
            transitions: changed,
            changed: cases.changed,
            announced,
            maintenance_until,
            recheck,
        };
        (verdict, cases.joined)
    }

    /// Into announced work or out of it, then the probe.
    fn steps(
        &self,
        state: &HealthState,
        report: Option<&ProbeReport>,
        is_announced: bool,
        now: Timestamp,
    ) -> Vec<Step> {
        let mut steps = Vec::with_capacity(2);
        match (is_announced, state.health == Health::Maintenance) {
            (true, false) => steps.push(health::begin_maintenance(state, now)),
            (false, true) => steps.push(health::end_maintenance(state, now)),
            _ => {}
        }
        if let Some(report) = report {
            let thresholds = Thresholds {
                failures_to_down: self.current.probe.failures_to_down,
                successes_to_up: self.current.probe.successes_to_up,
            };
            let before = steps.last().map_or(state, |step| &step.state);
            steps.push(health::step(before, report, now, thresholds));
        }
        steps
    }

    /// The commit is done: status, events, re-probe, reply, and the next result of this stream.
    pub(super) fn committed(&mut self, committed: Committed) {
        let Committed { completed, verdict, evidence, stored } = committed;
        let id = verdict.stream.clone();
        if let Some((incident, evidence)) = evidence.filter(|(_, evidence)| !evidence.is_empty() && stored.is_ok()) {
            let (store, id) = (self.store.clone(), id.clone());
            self.commits.push(Box::pin(async move {
                if let Err(error) = within_deadline(store.put_evidence(incident, id, evidence)).await {
                    tracing::warn!(%error, incident, "the evidence of an incident is not kept; check the disk");
                }
                None
            }));
        }
        if stored.is_err() {
            self.accounts.put_back(&id, verdict.counted.to_store.clone());
            self.cases.remember_unsaved(&verdict.record.incidents);
            let Record { transitions, notices, .. } = &verdict.record;
            if !transitions.is_empty() || !notices.is_empty() {
                self.untold.insert(id.clone(), Untold::of(transitions.clone(), notices.clone()));
            }
        }
        self.watch_store(stored);
        if let Some(row) = self.status.get(id.as_str()) {
            self.tell(&row, completed, verdict);
        }
        self.show_figures();
        let next = self.busy.get_mut(&id).and_then(VecDeque::pop_front);
        match next {
            Some(next) => {
                self.queued -= 1;
                self.begin_or_release(next);
            }
            None => _ = self.busy.remove(&id),
        }
    }

    fn tell(&mut self, row: &StreamStatus, completed: Option<Completed>, verdict: Verdict) {
        let Verdict { stream: id, record, counted, transitions, changed, announced, maintenance_until, recheck } =
            verdict;
        let was_flapping = row.state.flap.active;
        let mut row = StreamStatus { state: record.state, maintenance_until, ..row.clone() };
        let is_flapping = row.state.flap.active;
        row.tally.time(&counted.spans);
        let reply = completed.and_then(|completed| enter(&mut row, completed, record.heartbeat));
        let report = row.last.as_ref().map(|last| last.report.clone());
        self.status.replace(row);
        for transition in &transitions {
            let message = report.as_ref().map(|report| report.message()).unwrap_or_default();
            tracing::info!(stream = %id, from = transition.from.as_str(), to = transition.to.as_str(),
                reason = transition.reason.as_str(), "{message}");
        }
        if was_flapping != is_flapping {
            let says =
                if is_flapping { "it flaps: its changes are recorded, not announced" } else { "it is calm again" };
            tracing::info!(stream = %id, "{says}");
            self.status.tell(Event::Flapping { stream: id.clone(), active: is_flapping });
        }
        announced.into_iter().for_each(|transition| self.status.tell(Event::Transition(transition)));
        for mut incident in changed {
            // Thousands of streams that go together must not tell of each other thousands of times.
            if incident.members.len() > MAX_TOLD_MEMBERS {
                incident.members.retain(|member| member.stream == id);
            }
            self.status.tell(Event::Incident(Arc::new(incident)));
        }
        if let Some(after) = recheck {
            self.scheduler.probe_soon(&id, after);
        }
        if let Some((reply, report)) = reply.zip(report) {
            // Fails only when whoever asked went away.
            let _ = reply.send(report);
        }
    }

    /// The row of a stream that is configured and switched on.
    fn watched(&self, id: &str) -> Option<Arc<StreamStatus>> {
        self.status.get(id).filter(|row| row.stream.enabled)
    }

    /// As [`Self::begin`]; a stream that was removed meanwhile is not busy any more.
    fn begin_or_release(&mut self, work: Work) {
        let id = work.stream().id.clone();
        if self.watched(id.as_str()).is_some() {
            self.begin(work);
        } else if let Some(rest) = self.busy.remove(&id) {
            self.queued -= rest.len();
        }
    }

    /// What holds of the whole.
    pub(super) fn show_figures(&self) {
        self.status.set_figures(Figures {
            open_down: self.cases.open(Health::Down),
            open_degraded: self.cases.open(Health::Degraded),
            opened_total: self.cases.opened_total(),
            is_recording: !self.store_fails,
        });
    }

    /// One line when the store begins to fail and one when it is well again, not one a heartbeat.
    fn watch_store(&mut self, stored: Result<(), String>) {
        match stored {
            Ok(()) if self.store_fails => {
                self.store_fails = false;
                tracing::info!("heartbeats are recorded again");
            }
            Err(error) if !self.store_fails => {
                self.store_fails = true;
                tracing::error!(%error, "heartbeats are not recorded; probing and the dashboard go on; check the disk");
            }
            _ => {}
        }
    }
}

fn heartbeat(completed: &Completed, health: Health) -> Heartbeat {
    let report = &completed.probed.report;
    Heartbeat {
        at: completed.started_at,
        reason: report.reason(),
        stage: report.stage(),
        latency_ms: u32::try_from(report.latency.as_millis()).unwrap_or(u32::MAX),
        health,
    }
}

/// Enters a probe into the stream's row; gives whoever waits for it.
fn enter(
    row: &mut StreamStatus,
    completed: Completed,
    heartbeat: Option<Heartbeat>,
) -> Option<tokio::sync::oneshot::Sender<Arc<ProbeReport>>> {
    let Completed { started_at, probed, reply, .. } = completed;
    let report = Arc::new(probed.report);
    row.tally.probe(&report);
    match report.reason() {
        Reason::Ok => {
            row.last_ok_at = Some(started_at);
            row.ok_since = row.ok_since.or(Some(started_at));
            row.last_good = Some(report.clone());
        }
        // Our own fault says nothing of the camera.
        reason if reason.is_ours() => {}
        _ => row.ok_since = None,
    }
    if let Some(jpeg) = probed.jpeg.filter(|_| report.outcome == Outcome::Ok) {
        let taken_at = started_at.checked_add(report.latency).unwrap_or(started_at);
        let snapshot = Snapshot { jpeg, taken_at };
        if report.issues().is_empty() {
            row.usual = Some(snapshot.clone());
        }
        row.snapshot = Some(snapshot);
    }
    row.last = Some(LastProbe { at: started_at, report });
    if row.recent.len() >= RECENT_HEARTBEATS {
        row.recent.pop_front();
    }
    row.recent.extend(heartbeat);
    reply
}
