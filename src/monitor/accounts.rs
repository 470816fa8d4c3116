//! The account of every stream's time, and what of it the store does not have yet.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::health::account::{Account, Moment};
use crate::model::{Health, Span, Stream, StreamId};

/// Spans of a stream that wait for a store that fails. More are only counted in memory.
const MAX_WAITING: usize = 1000;

/// Beside two heartbeats and the deadline of a probe: what a re-probe, a queue at the device or a lost worker may take.
const SLACK: Duration = Duration::from_secs(30);

/// All accounts.
#[derive(Debug, Default)]
pub(super) struct Accounts(HashMap<StreamId, Entry>);

#[derive(Debug, Default)]
struct Entry {
    account: Account,
    waiting: Vec<Span>,
}

/// What the time since the last verdict came to.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// New spans.
    pub(super) spans: Vec<Span>,
    /// Those and the ones that the store failed to take before.
    pub(super) to_store: Vec<Span>,
}

impl Accounts {
    /// A stream goes on from an earlier run.
    pub(super) fn remember(&mut self, id: &StreamId, counted_until: Option<Timestamp>) {
        let entry = Entry { account: Account::from_memory(counted_until), waiting: Vec::new() };
        self.0.insert(id.clone(), entry);
    }

    /// Nobody watches this stream for now.
    pub(super) fn pause(&mut self, id: &StreamId) {
        if let Some(entry) = self.0.get_mut(id) {
            entry.account.pause();
        }
    }

    /// Streams that are not configured any more are forgotten.
    pub(super) fn retain(&mut self, is_configured: impl Fn(&StreamId) -> bool) {
        self.0.retain(|id, _| is_configured(id));
    }

    /// Counts up to now: `health` is the state since the last call.
    pub(super) fn advance(&mut self, stream: &Stream, now: Moment, health: Health) -> Counted {
        let entry = self.0.entry(stream.id.clone()).or_default();
        let patience = 2 * stream.heartbeat + stream.timeout + SLACK;
        let spans = entry.account.advance(now, health, patience);
        let mut to_store = std::mem::take(&mut entry.waiting);
        to_store.extend(&spans);
        Counted { spans, to_store }
    }

    /// The store did not take these.
    pub(super) fn put_back(&mut self, id: &StreamId, spans: Vec<Span>) {
        let Some(entry) = self.0.get_mut(id) else { return };
        let later = std::mem::replace(&mut entry.waiting, Vec::with_capacity(spans.len()));
        for span in spans.into_iter().chain(later) {
            let is_full = entry.waiting.len() >= MAX_WAITING;
            match entry.waiting.last_mut() {
                Some(last) if last.health == span.health && last.to == span.from => last.to = span.to,
                _ if is_full => {}
                _ => entry.waiting.push(span),
            }
        }
    }
}
