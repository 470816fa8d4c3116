//! Events from the outbox to the broker, in order, and the note of how far that is.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::session::Ticket;
use crate::store::{Queued, Store, StoreError};

/// The name of this sink in the outbox.
pub(in crate::sinks) const SINK: &str = "mqtt";
/// Notices that are read at once.
const PAGE: usize = 500;
/// A store that cannot be read is asked again after this.
const ASK_AGAIN: Duration = Duration::from_secs(5);

type Reading = Pin<Box<dyn Future<Output = Result<Vec<Queued>, StoreError>> + Send>>;
type Noting = Pin<Box<dyn Future<Output = (i64, Result<(), StoreError>)> + Send>>;

/// The way of the events.
pub(super) struct Feed {
    store: Store,
    changes: watch::Receiver<u64>,
    reading: Option<Reading>,
    noting: Option<Noting>,
    /// Read and not yet handed over.
    waiting: VecDeque<Queued>,
    /// The newest that was read.
    read: i64,
    /// Handed over, oldest first; without a ticket when it has arrived or is none of ours.
    under_way: VecDeque<(i64, Option<Ticket>)>,
    /// Everything up to here has arrived.
    arrived: i64,
    /// The store knows that everything up to here has arrived.
    noted: i64,
    /// The store failed: nothing is asked of it before this.
    not_before: Instant,
}

impl Feed {
    /// What comes behind this place.
    pub(super) fn new(store: Store, delivered: i64) -> Self {
        let mut changes = store.outbox_changes();
        changes.mark_changed();
        Self {
            store,
            changes,
            reading: None,
            noting: None,
            waiting: VecDeque::new(),
            read: delivered,
            under_way: VecDeque::new(),
            arrived: delivered,
            noted: delivered,
            not_before: Instant::now(),
        }
    }

    /// A new connection: what did not arrive goes once more.
    pub(super) fn rewind(&mut self) {
        self.waiting.clear();
        self.under_way.clear();
        self.reading = None;
        self.read = self.arrived;
        self.changes.mark_changed();
    }

    /// The next one that is to go. [`Self::handed_over`] or [`Self::passed_over`] must follow.
    pub(super) fn next(&mut self) -> Option<Queued> {
        self.waiting.pop_front()
    }

    /// It did not go, for want of room.
    pub(super) fn give_back(&mut self, queued: Queued) {
        self.waiting.push_front(queued);
    }

    pub(super) fn has_next(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn handed_over(&mut self, seq: i64, ticket: Ticket) {
        self.under_way.push_back((seq, Some(ticket)));
    }

    /// It is nothing for this sink.
    pub(super) fn passed_over(&mut self, seq: i64) {
        self.under_way.push_back((seq, None));
        self.settle();
    }

    /// The broker has these messages; some of them are events.
    pub(super) fn delivered(&mut self, tickets: &[Ticket]) {
        for (_, ticket) in &mut self.under_way {
            if ticket.is_some_and(|ticket| tickets.contains(&ticket)) {
                *ticket = None;
            }
        }
        self.settle();
    }

    /// What arrived before one that did not is not noted: it comes once more after a restart, in its order.
    fn settle(&mut self) {
        while let Some((seq, None)) = self.under_way.front() {
            self.arrived = *seq;
            self.under_way.pop_front();
        }
    }

    /// The store is told how far it is.
    pub(super) async fn note_arrived(&mut self) {
        if self.arrived > self.noted && self.store.delivered(SINK, self.arrived).await.is_ok() {
            self.noted = self.arrived;
        }
    }

    /// Reads and notes, one step; for ever, when there is nothing to do. It can be broken off at any time and begun again.
    pub(super) async fn work(&mut self) {
        sleep_until(self.not_before).await;
        if self.noting.is_none() && self.arrived > self.noted {
            let (store, seq) = (self.store.clone(), self.arrived);
            self.noting = Some(Box::pin(async move { (seq, store.delivered(SINK, seq).await) }));
        }
        if self.reading.is_none() && self.waiting.is_empty() && self.changes.has_changed().unwrap_or(false) {
            self.changes.mark_unchanged();
            let (store, read) = (self.store.clone(), self.read);
            self.reading = Some(Box::pin(async move { store.outbox_after(read, PAGE).await }));
        }
        let may_read = self.reading.is_none() && self.waiting.is_empty();
        tokio::select! {
            (seq, noted) = step(&mut self.noting) => {
                // What could not be noted goes with the next.
                match noted {
                    Ok(()) => self.noted = self.noted.max(seq),
                    Err(_) => self.not_before = Instant::now() + ASK_AGAIN,
                }
            }
            page = step(&mut self.reading) => match page {
                Ok(page) => {
                    if page.len() == PAGE {
                        self.changes.mark_changed();
                    }
                    self.read = page.last().map_or(self.read, |queued| queued.seq);
                    self.waiting.extend(page);
                }
                Err(error) => {
                    tracing::debug!(%error, "events cannot be read");
                    self.changes.mark_changed();
                    self.not_before = Instant::now() + ASK_AGAIN;
                }
            },
            changed = self.changes.changed(), if may_read => match changed {
                Ok(()) => self.changes.mark_changed(),
                // The store is closed.
                Err(_) => pending().await,
            },
        }
    }
}

/// What the future gives, once; never, while there is none.
async fn step<T>(running: &mut Option<Pin<Box<dyn Future<Output = T> + Send>>>) -> T {
    match running {
        Some(future) => {
            let done = future.await;
            *running = None;
            done
        }
        None => pending().await,
    }
}
