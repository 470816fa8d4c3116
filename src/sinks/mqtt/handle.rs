//! How the connection to the broker stands, for `/api/health` and `/metrics`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::store::Backlog;

/// What the connection is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// MQTT is switched off.
    #[default]
    Off,
    /// The first try of these settings.
    Connecting,
    /// The broker has us.
    Connected,
    /// It failed; it is tried again.
    Failed,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug, Default)]
struct Inner {
    state: State,
    since: Option<Timestamp>,
    broker: String,
    problem: Option<(String, String)>,
    published_total: u64,
    last_published_at: Option<Timestamp>,
    backlog: Backlog,
    refused_total: u64,
}

/// How it stands. Cloning it is cheap and shares it.
#[derive(Clone, Debug, Default)]
pub struct MqttHandle(Arc<Mutex<Inner>>);

impl MqttHandle {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For `/api/health`. The address of the broker is in it, and no account.
    pub fn facts(&self) -> Value {
        let inner = self.inner();
        let (problem, next_step) = inner.problem.as_ref().map(|(problem, next_step)| (problem, next_step)).unzip();
        json!({
            "enabled": inner.state != State::Off,
            "state": inner.state.as_str(),
            "since": inner.since,
            "broker": inner.broker,
            "problem": problem,
            "next_step": next_step,
            "published_total": inner.published_total,
            "last_published_at": inner.last_published_at,
            "events_waiting": inner.backlog.transitions,
            "events_dropped_total": inner.backlog.dropped_total,
            "refused_total": inner.refused_total,
            "oldest_event_at": inner.backlog.oldest,
        })
    }

    /// Whether a broker has us; `None` while MQTT is switched off.
    pub fn is_connected(&self) -> Option<bool> {
        let state = self.inner().state;
        (state != State::Off).then_some(state == State::Connected)
    }

    /// Messages that a broker has got since the start.
    pub fn published_total(&self) -> u64 {
        self.inner().published_total
    }

    pub(super) fn set(&self, state: State, broker: String, now: Timestamp) {
        let mut inner = self.inner();
        inner.since = (state != State::Off).then_some(now);
        (inner.state, inner.broker, inner.problem) = (state, broker, None);
    }

    /// It failed: what and what to do. True when that is another problem than before.
    pub(super) fn fail(&self, problem: (String, String), now: Timestamp) -> bool {
        let mut inner = self.inner();
        if inner.state != State::Failed {
            (inner.state, inner.since) = (State::Failed, Some(now));
        }
        let is_new = inner.problem.as_ref() != Some(&problem);
        inner.problem = Some(problem);
        is_new
    }

    /// Events that wait for the broker, and those that were dropped because it was away for too long.
    pub fn backlog(&self) -> (u64, u64) {
        let backlog = self.inner().backlog;
        (backlog.transitions, backlog.dropped_total)
    }

    pub(super) fn waiting(&self, backlog: Backlog) {
        self.inner().backlog = backlog;
    }

    /// The broker has us and does not take a message: what and what to do. True when that is another problem than before.
    pub(super) fn refused(&self, problem: (String, String)) -> bool {
        let mut inner = self.inner();
        inner.refused_total += 1;
        let is_new = inner.problem.as_ref() != Some(&problem);
        inner.problem = Some(problem);
        is_new
    }

    pub(super) fn published(&self, messages: usize, now: Timestamp) {
        let mut inner = self.inner();
        inner.published_total += messages as u64;
        inner.last_published_at = Some(now);
    }
}
