//! The one task that keeps the schedule: starts what the plan says, passes on what was found.

mod visits;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Completed;
use super::guard::{Verdict, not_asked};
use super::handle::{Answer, Command, ProbeNowError, Shared};
use super::measures::Meter;
use super::plan::Plan;
use super::start::{Cause, Found, Refused, Start};
use crate::clock::Clock;
use crate::config::Config;
use crate::model::{ProbeReport, Reason, Refusal, Stage, Stream, StreamId};
use crate::probe::{ProbeRequest, Probed, Prober};
use visits::Visits;

/// How long after a probe's own deadline the scheduler gives it up: a probe whose worker was lost is run again.
pub const GRACE: Duration = Duration::from_secs(25);

/// How long the probes that are cancelled at the end may take to let go.
const SHUTDOWN: Duration = Duration::from_secs(1);

/// The scheduler, before and while it runs.
pub struct Scheduler {
    config: watch::Receiver<Arc<Config>>,
    prober: Arc<dyn Prober>,
    clock: Arc<dyn Clock>,
    /// What holds when it is full is said at [`super::scheduler`].
    completed: mpsc::Sender<Completed>,
    commands: mpsc::Receiver<Command>,
    shared: Arc<Shared>,
    state: State,
}

/// What the loop changes.
struct State {
    plan: Plan,
    /// Zero of the plan's times.
    origin: Instant,
    current: Arc<Config>,
    probes: JoinSet<Probed>,
    /// Whose probe a task is: a task that panicked says nothing else.
    tasks: HashMap<Id, StreamId>,
    running: HashMap<StreamId, Running>,
    /// Probes that ended and wait for room in the channel to the monitor; never more than may be in flight.
    ended: VecDeque<(StreamId, Probed)>,
    waiters: HashMap<StreamId, Vec<oneshot::Sender<Answer>>>,
    visits: Visits,
    /// Each hands one report to everybody who asked; ends when the monitor answers or drops the question.
    answers: JoinSet<()>,
    /// Refusals of an earlier run, until it begins.
    remembered: Vec<Refusal>,
    /// Devices whose warning was logged under this configuration.
    warned: HashSet<Arc<str>>,
}

struct Running {
    stream: Arc<Stream>,
    started: Instant,
    started_at: Timestamp,
    lag: Duration,
    /// False: the camera was left alone.
    asked: bool,
}

impl Scheduler {
    pub(super) fn new(
        mut config: watch::Receiver<Arc<Config>>,
        prober: Arc<dyn Prober>,
        clock: Arc<dyn Clock>,
        completed: mpsc::Sender<Completed>,
        in_flight: usize,
        commands: mpsc::Receiver<Command>,
        shared: Arc<Shared>,
    ) -> Self {
        let current = config.borrow_and_update().clone();
        let state = State {
            plan: Plan::new(in_flight),
            origin: Instant::now(),
            current,
            probes: JoinSet::new(),
            tasks: HashMap::new(),
            running: HashMap::new(),
            ended: VecDeque::new(),
            waiters: HashMap::new(),
            visits: Visits::default(),
            answers: JoinSet::new(),
            remembered: Vec::new(),
            warned: HashSet::new(),
        };
        Self { config, prober, clock, completed, commands, shared, state }
    }

    /// With the refused accounts of an earlier run, whose pauses go on.
    #[must_use]
    pub fn remembering(mut self, refusals: Vec<Refusal>) -> Self {
        self.state.remembered = refusals;
        self
    }

    /// Probes until it is cancelled; probes in flight are then dropped.
    pub async fn run(self, cancel: CancellationToken) {
        let Self { mut config, prober, clock, completed, mut commands, shared, mut state } = self;
        state.origin = Instant::now();
        state.plan.restore(std::mem::take(&mut state.remembered), Duration::ZERO, clock.now());
        state.reconfigure(&*clock, &shared);
        let mut config_lives = true;
        let mut commands_live = true;
        while !cancel.is_cancelled() {
            state.visits_left(&*clock, &shared);
            for start in state.plan.due(state.now()) {
                state.start(start, &*clock, &prober, &shared);
            }
            state.answer_visits(&shared);
            state.publish(&shared);
            let wake = state.plan.next_wake().map(|at| state.origin + at);
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                Some(joined) = state.probes.join_next_with_id() => state.joined(joined),
                () = shared.returned.changed() => {}
                room = completed.reserve(), if !state.ended.is_empty() => state.deliver(room.ok(), &*clock, &shared),
                command = commands.recv(), if commands_live => match command {
                    Some(command) => state.obey(command, &*clock, &shared),
                    None => commands_live = false,
                },
                changed = config.changed(), if config_lives => match changed {
                    Ok(()) => {
                        state.current = config.borrow_and_update().clone();
                        state.reconfigure(&*clock, &shared);
                    }
                    Err(_) => config_lives = false,
                },
                Some(_) = state.answers.join_next() => {}
                () = tokio::time::sleep_until(wake.unwrap_or(state.origin)), if wake.is_some() => {}
            }
        }
        state.probes.abort_all();
        let drained = async { while state.probes.join_next().await.is_some() {} };
        if tokio::time::timeout(SHUTDOWN, drained).await.is_err() {
            tracing::warn!("a probe did not let go at the end");
        }
    }
}

impl State {
    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    fn start(&mut self, start: Start, clock: &dyn Clock, prober: &Arc<dyn Prober>, shared: &Shared) {
        let Start { stream, cause, due } = start;
        let lag = if cause == Cause::Heartbeat { self.now().saturating_sub(due) } else { Duration::ZERO };
        if cause == Cause::Heartbeat {
            lock(shared).lag(lag);
        }
        let paused_for = self.plan.paused_until(&stream, self.now()).map(|until| until.saturating_sub(self.now()));
        let task = match paused_for {
            Some(left) => {
                let report = not_asked(&stream, clock.now(), left);
                self.probes.spawn(std::future::ready(Probed { report, jpeg: None }))
            }
            None => {
                let request = ProbeRequest::for_stream(&stream, &self.current.probe);
                self.probes.spawn(bounded(prober.clone(), request))
            }
        };
        self.tasks.insert(task.id(), stream.id.clone());
        let running = Running {
            started: Instant::now(),
            started_at: clock.now(),
            lag,
            asked: paused_for.is_none(),
            stream: stream.clone(),
        };
        self.running.insert(stream.id.clone(), running);
    }

    fn joined(&mut self, joined: Result<(Id, Probed), JoinError>) {
        let task = joined.as_ref().map_or_else(JoinError::id, |(task, _)| *task);
        let Some(id) = self.tasks.remove(&task) else { return };
        let probed = match joined {
            Ok((_, probed)) => probed,
            Err(error) => {
                tracing::error!(stream = %id, %error, "a probe ended without a report");
                let latency = self.running.get(&id).map_or(Duration::ZERO, |running| running.started.elapsed());
                failed(Reason::WorkerCrashed, "the probe ended without a report".to_owned(), latency)
            }
        };
        self.ended.push_back((id, probed));
    }

    /// Passes on the oldest probe that ended; without a monitor the result is dropped.
    fn deliver(&mut self, room: Option<mpsc::Permit<'_, Completed>>, clock: &dyn Clock, shared: &Shared) {
        let Some((id, probed)) = self.ended.pop_front() else { return };
        let Some(running) = self.running.remove(&id) else { return };
        let mut found = Found::of(&probed.report);
        if !running.asked {
            found.account = Verdict::Unknown;
        }
        let cause = self.plan.finished(&id, self.now(), clock.now(), found);
        lock(shared).probed(&id);
        let Some((cause, room)) = cause.zip(room) else { return };
        let reply = self.waiters.remove(&id).map(|waiters| self.answer_all(waiters));
        let Running { stream, started_at, lag, .. } = running;
        let refusals = self.new_refusals(clock, shared);
        if let Some(refusals) = &refusals {
            // So that no older list comes after this one; nobody need be told of it twice.
            shared.refusals.send_if_modified(|newest| {
                newest.clone_from(refusals);
                false
            });
        }
        room.send(Completed { refusals, stream, started_at, scheduled: cause.is_scheduled(), lag, probed, reply });
    }

    /// What is to be remembered of refused accounts, when that has changed; others then read who is left alone.
    fn new_refusals(&mut self, clock: &dyn Clock, shared: &Shared) -> Option<Vec<Refusal>> {
        let refusals = self.plan.take_refusals()?;
        self.publish_paused(clock, shared);
        Some(refusals)
    }

    fn answer_all(&mut self, waiters: Vec<oneshot::Sender<Answer>>) -> oneshot::Sender<Arc<ProbeReport>> {
        let (reply, report) = oneshot::channel();
        self.answers.spawn(async move {
            // Without an answer the waiters are dropped, which says the same.
            if let Ok(report) = report.await {
                for waiter in waiters {
                    let _ = waiter.send(Ok(Arc::clone(&report)));
                }
            }
        });
        reply
    }

    fn obey(&mut self, command: Command, clock: &dyn Clock, shared: &Shared) {
        let now = self.now();
        match command {
            Command::ProbeSoon { id, after } => self.plan.probe_soon(&id, after, now),
            Command::ProbeNow { id, answer } => match self.plan.probe_now(&id, now) {
                Ok(()) => self.waiters.entry(id).or_default().push(answer),
                Err(refused) => _ = answer.send(Err(refusal(refused, id))),
            },
            // Fails only when nobody waits for it any more.
            Command::Ping { answer } => _ = answer.send(()),
            Command::Visit { visitor, answer } => {
                // What the asker gave back before it asked is free by now.
                self.visits_left(clock, shared);
                self.visit(visitor, answer);
            }
        }
    }

    fn reconfigure(&mut self, clock: &dyn Clock, shared: &Shared) {
        self.plan.reconfigure(&self.current, self.now());
        self.publish_paused(clock, shared);
        lock(shared).configure(self.current.streams.iter().map(|stream| &stream.id));
        self.warned.clear();
        let current = &self.current;
        let gone = self.waiters.extract_if(|id, _| !current.stream(id.as_str()).is_some_and(|s| s.enabled));
        for (id, waiters) in gone {
            let refused = if current.contains(&id) { Refused::Disabled } else { Refused::Unknown };
            for waiter in waiters {
                let _ = waiter.send(Err(refusal(refused, id.clone())));
            }
        }
    }

    /// Lets others read who is left alone.
    fn publish_paused(&self, clock: &dyn Clock, shared: &Shared) {
        let now = clock.now();
        let until = |left: Duration| now.checked_add(left).unwrap_or(now);
        let paused = self.plan.paused(self.now()).map(|(id, left)| (id.clone(), until(left))).collect();
        *shared.paused.lock().unwrap_or_else(PoisonError::into_inner) = paused;
    }

    /// Lets others read how it goes.
    fn publish(&mut self, shared: &Shared) {
        {
            let mut meter = lock(shared);
            for id in self.plan.take_missed() {
                tracing::debug!(stream = %id, "heartbeat missed: the one before still waits or runs");
                meter.missed(&id);
            }
            meter.load(self.plan.in_flight(), self.plan.waiting());
        }
        let warnings = self.plan.warnings();
        for (host, warning) in warnings {
            if self.warned.insert(host.clone()) {
                tracing::warn!("{warning}");
            }
        }
        let mut shown = shared.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if !shown.iter().eq(warnings.values()) {
            *shown = warnings.values().cloned().collect();
        }
    }
}

/// Probes; a prober that does not keep its deadline is given up.
async fn bounded(prober: Arc<dyn Prober>, request: ProbeRequest) -> Probed {
    let limit = request.timeout + GRACE;
    match tokio::time::timeout(limit, prober.probe(request)).await {
        Ok(probed) => probed,
        Err(_) => failed(Reason::WorkerTimeout, format!("no report after {} s", limit.as_secs()), limit),
    }
}

fn failed(reason: Reason, detail: String, latency: Duration) -> Probed {
    Probed { report: ProbeReport::failed(Stage::Resolve, reason, detail, latency), jpeg: None }
}

fn refusal(refused: Refused, id: StreamId) -> ProbeNowError {
    match refused {
        Refused::Unknown => ProbeNowError::Unknown(id),
        Refused::Disabled => ProbeNowError::Disabled(id),
        Refused::Paused(left) => ProbeNowError::Paused { id, minutes: left.as_secs().div_ceil(60) },
    }
}

fn lock(shared: &Shared) -> std::sync::MutexGuard<'_, Meter> {
    shared.meter.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
