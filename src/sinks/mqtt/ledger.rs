//! What the store is told of the topics that a broker retains, beside the connection: it may be slow, or fail for a time.
//!
//! A topic is noted before something is retained there, so that it can be cleared whenever its stream is removed, also
//! while the service stands still.

use std::collections::{BTreeMap, HashSet};
use std::future::pending;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::feed::SINK;
use crate::store::{Store, StoreError};

/// A store that failed is asked again after this.
const ASK_AGAIN: Duration = Duration::from_secs(5);

type Running = Pin<Box<dyn Future<Output = Done> + Send>>;

enum Done {
    Opened(Result<(i64, HashSet<String>), StoreError>),
    Changed(BTreeMap<String, bool>, Result<(), StoreError>),
}

/// What came of a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The outbox is open, with everything delivered up to here; the topics are known.
    Opened(i64),
    /// These are noted.
    Noted(Vec<String>),
    /// It did not work, and is tried again: nothing should wait for it.
    Failed,
}

/// See the module.
pub(super) struct Ledger {
    store: Store,
    broker: String,
    /// The topics that the store knows; `None` until it was asked.
    noted: Option<HashSet<String>>,
    /// What is to be changed: noted (true) or forgotten.
    due: BTreeMap<String, bool>,
    running: Option<Running>,
    not_before: Instant,
    has_warned: bool,
}

impl Ledger {
    pub(super) fn new(store: Store, broker: String) -> Self {
        Self {
            store,
            broker,
            noted: None,
            due: BTreeMap::new(),
            running: None,
            not_before: Instant::now(),
            has_warned: false,
        }
    }

    /// Something is to be retained there; true when it is noted already.
    pub(super) fn note(&mut self, topic: &str) -> bool {
        let is_noted = self.noted.as_ref().is_some_and(|noted| noted.contains(topic));
        if is_noted && self.due.remove(topic).is_none() && self.running.is_none() {
            return true;
        }
        // While a change is under way it is not known what comes of it.
        self.due.insert(topic.to_owned(), true);
        false
    }

    /// It is clear.
    pub(super) fn forget(&mut self, topic: String) {
        self.due.insert(topic, false);
    }

    /// Topics that may hold something of ours.
    pub(super) fn topics(&self) -> impl Iterator<Item = &String> {
        self.noted.iter().flatten()
    }

    /// One step; for ever, when there is nothing to do. It can be broken off at any time and begun again.
    pub(super) async fn work(&mut self) -> Told {
        if self.running.is_none() {
            sleep_until(self.not_before).await;
            self.running = self.next();
        }
        let Some(running) = &mut self.running else { return pending().await };
        let done = running.await;
        self.running = None;
        match done {
            Done::Opened(Ok((delivered, noted))) => {
                self.noted = Some(noted);
                Told::Opened(delivered)
            }
            Done::Changed(changes, Ok(())) => {
                let noted = self.noted.get_or_insert_default();
                for (topic, is_noted) in &changes {
                    if *is_noted {
                        noted.insert(topic.clone())
                    } else {
                        noted.remove(topic)
                    };
                }
                Told::Noted(changes.into_iter().filter(|(_, is_noted)| *is_noted).map(|(topic, _)| topic).collect())
            }
            Done::Opened(Err(error)) => self.fail(&error),
            Done::Changed(changes, Err(error)) => {
                // What came meanwhile is newer.
                for (topic, is_noted) in changes {
                    self.due.entry(topic).or_insert(is_noted);
                }
                self.fail(&error)
            }
        }
    }

    fn fail(&mut self, error: &StoreError) -> Told {
        self.not_before = Instant::now() + ASK_AGAIN;
        if !std::mem::replace(&mut self.has_warned, true) {
            tracing::warn!(%error, "events for MQTT, and topics, are not kept until the database answers; check the disk");
        }
        Told::Failed
    }

    fn next(&mut self) -> Option<Running> {
        let (store, broker) = (self.store.clone(), self.broker.clone());
        if self.noted.is_none() {
            return Some(Box::pin(async move { Done::Opened(open(&store, &broker).await) }));
        }
        if self.due.is_empty() {
            return None;
        }
        let changes = std::mem::take(&mut self.due);
        Some(Box::pin(async move {
            let of = |wanted: bool| -> Vec<String> {
                changes.iter().filter(|(_, noted)| **noted == wanted).map(|(topic, _)| topic.clone()).collect()
            };
            let changed = store.change_retained_topics(&broker, of(true), of(false)).await;
            Done::Changed(changes, changed)
        }))
    }
}

async fn open(store: &Store, broker: &str) -> Result<(i64, HashSet<String>), StoreError> {
    store.open_sink(SINK).await?;
    let backlog = store.backlog(SINK).await?.unwrap_or_default();
    Ok((backlog.delivered, store.retained_topics(broker).await?))
}
