//! How each target stands, for `/api/health` and `/metrics`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::config::{Recipient, Target};

/// What a target's task is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// It is switched off.
    #[default]
    Off,
    /// There is nothing to tell.
    Idle,
    /// Something is collected, or on its way.
    Waiting,
    /// The last try failed.
    Failing,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Idle => "idle",
            Self::Waiting => "waiting",
            Self::Failing => "failing",
        }
    }
}

#[derive(Clone, Debug, Default)]
struct One {
    /// Its place in the file.
    place: usize,
    kind: &'static str,
    to: String,
    state: State,
    since: Option<Timestamp>,
    waiting: u64,
    dropped_total: u64,
    delivered_total: u64,
    last_delivered_at: Option<Timestamp>,
    problem: Option<(String, String)>,
}

#[derive(Clone, Debug, Default)]
struct Watchdog {
    to: Option<String>,
    called_total: u64,
    last_called_at: Option<Timestamp>,
    not_called_because: Option<String>,
    problem: Option<(String, String)>,
}

#[derive(Debug, Default)]
struct Inner {
    targets: BTreeMap<String, One>,
    watchdog: Watchdog,
}

/// Figures of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetFigures {
    /// Its name.
    pub name: String,
    /// Messages that it has taken since the start.
    pub delivered_total: u64,
    /// Notices that wait for it.
    pub waiting: u64,
    /// Notices that were dropped, because it was away too long.
    pub dropped_total: u64,
    /// True while the last try failed.
    pub is_failing: bool,
}

/// How they stand. Cloning it is cheap and shares it.
#[derive(Clone, Debug, Default)]
pub struct NotifyHandle(Arc<Mutex<Inner>>);

impl NotifyHandle {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut One)) {
        if let Some(one) = self.inner().targets.get_mut(name) {
            change(one);
        }
    }

    /// For `/api/health`. Of an address scheme, host and port are in it, and nothing else.
    pub fn facts(&self) -> Value {
        let inner = self.inner();
        let words = |problem: &Option<(String, String)>| problem.clone().unzip();
        let mut targets: Vec<(&String, &One)> = inner.targets.iter().collect();
        targets.sort_by_key(|(_, one)| one.place);
        let target = |(name, one): (&String, &One)| {
            let (problem, next_step) = words(&one.problem);
            json!({
                "name": name,
                "kind": one.kind,
                "to": one.to,
                "state": one.state.as_str(),
                "since": one.since,
                "waiting": one.waiting,
                "dropped_total": one.dropped_total,
                "delivered_total": one.delivered_total,
                "last_delivered_at": one.last_delivered_at,
                "problem": problem,
                "next_step": next_step,
            })
        };
        let watchdog = &inner.watchdog;
        let (problem, next_step) = words(&watchdog.problem);
        json!({
            "targets": targets.into_iter().map(target).collect::<Vec<_>>(),
            "watchdog": {
                "enabled": watchdog.to.is_some(),
                "to": watchdog.to,
                "called_total": watchdog.called_total,
                "last_called_at": watchdog.last_called_at,
                "not_called_because": watchdog.not_called_because,
                "problem": problem,
                "next_step": next_step,
            },
        })
    }

    /// Of each target that is switched on, by name.
    pub fn figures(&self) -> Vec<TargetFigures> {
        let inner = self.inner();
        let on = inner.targets.iter().filter(|(_, one)| one.state != State::Off);
        on.map(|(name, one)| TargetFigures {
            name: name.clone(),
            delivered_total: one.delivered_total,
            waiting: one.waiting,
            dropped_total: one.dropped_total,
            is_failing: one.state == State::Failing,
        })
        .collect()
    }

    /// These are the targets now. What was counted of one of the same name stays.
    pub(super) fn configure(&self, targets: &[Arc<Target>], changed: &[String], now: Timestamp) {
        let mut inner = self.inner();
        inner.targets.retain(|name, _| targets.iter().any(|target| target.name == *name));
        for (place, target) in targets.iter().enumerate() {
            let is_new = !inner.targets.contains_key(&target.name);
            let one = inner.targets.entry(target.name.clone()).or_default();
            one.place = place;
            if is_new || changed.contains(&target.name) {
                one.kind = if matches!(target.to, Recipient::Mail(_)) { "mail" } else { "webhook" };
                one.to = target.to.to_string();
                (one.state, one.problem) = (if target.enabled { State::Idle } else { State::Off }, None);
                one.since = target.enabled.then_some(now);
                one.waiting = if target.enabled { one.waiting } else { 0 };
            }
        }
    }

    pub(super) fn set(&self, name: &str, state: State, now: Timestamp) {
        self.change(name, |one| {
            if one.state != state {
                (one.state, one.since) = (state, Some(now));
            }
            if state != State::Failing {
                one.problem = None;
            }
        });
    }

    /// Something is to be told; a target that fails goes on doing so until it takes a message.
    pub(super) fn set_unless_failing(&self, name: &str, now: Timestamp) {
        self.change(name, |one| {
            if !matches!(one.state, State::Failing | State::Waiting) {
                (one.state, one.since) = (State::Waiting, Some(now));
            }
        });
    }

    pub(super) fn count(&self, name: &str, waiting: u64, dropped_total: u64) {
        self.change(name, |one| (one.waiting, one.dropped_total) = (waiting, dropped_total));
    }

    pub(super) fn delivered(&self, name: &str, now: Timestamp) {
        self.change(name, |one| {
            one.delivered_total += 1;
            one.last_delivered_at = Some(now);
            one.problem = None;
        });
    }

    /// It failed: what and what to do. True when that is another problem than before.
    pub(super) fn fail(&self, name: &str, problem: (String, String), now: Timestamp) -> bool {
        let mut is_new = false;
        self.change(name, |one| {
            is_new = one.problem.as_ref() != Some(&problem);
            one.problem = Some(problem);
            if one.state != State::Failing {
                (one.state, one.since) = (State::Failing, Some(now));
            }
        });
        is_new
    }

    /// Where the watchdog calls; `None`: nowhere.
    pub(super) fn watch(&self, to: Option<String>) {
        let mut inner = self.inner();
        if inner.watchdog.to != to {
            inner.watchdog = Watchdog { to, ..Watchdog::default() };
        }
    }

    pub(super) fn watched(&self, now: Timestamp) {
        let watchdog = &mut self.inner().watchdog;
        watchdog.called_total += 1;
        watchdog.last_called_at = Some(now);
        (watchdog.problem, watchdog.not_called_because) = (None, None);
    }

    pub(super) fn not_watched(&self, because: String) -> bool {
        let watchdog = &mut self.inner().watchdog;
        let is_new = watchdog.not_called_because.as_ref() != Some(&because);
        watchdog.not_called_because = Some(because);
        is_new
    }

    /// True when that is another problem than before.
    pub(super) fn watch_failed(&self, problem: (String, String)) -> bool {
        let watchdog = &mut self.inner().watchdog;
        let is_new = watchdog.problem.as_ref() != Some(&problem);
        (watchdog.problem, watchdog.not_called_because) = (Some(problem), None);
        is_new
    }
}
