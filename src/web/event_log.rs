//! The events of `/api/events` with their numbers, and the last of them, so that a listener whose connection broke misses
//! nothing.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::model::{Incident, StreamId, Transition};
use crate::monitor::Event;

/// Events that are kept for a listener that comes again. 1,000 streams have as many heartbeats in 15 seconds.
const KEPT: usize = 2_048;

/// Events that a listener may be behind; when it is more, it is told to read everything again.
const QUEUE: usize = 1_024;

/// What is kept of an event: a heartbeat is told with the row as it is then, so none is kept, with its picture, for that.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    /// A stream was probed.
    Heartbeat(StreamId),
    /// A change of health.
    Transition(Transition),
    /// It comes and goes, or no longer does.
    Flapping(StreamId, bool),
    /// It is different now.
    Incident(Arc<Incident>),
    /// Read the list again.
    StreamsChanged,
}

impl Kept {
    fn of(event: &Event) -> Self {
        match event {
            Event::Heartbeat(row) => Self::Heartbeat(row.stream.id.clone()),
            Event::Transition(transition) => Self::Transition(transition.clone()),
            Event::Flapping { stream, active } => Self::Flapping(stream.clone(), *active),
            Event::Incident(incident) => Self::Incident(incident.clone()),
            Event::StreamsChanged => Self::StreamsChanged,
        }
    }
}

/// The last events.
#[derive(Debug)]
pub(super) struct EventLog {
    /// Tells this run's numbers from those of another.
    run: String,
    last: Mutex<Last>,
    listeners: broadcast::Sender<(u64, Event)>,
}

#[derive(Debug, Default)]
struct Last {
    /// Number of the newest event.
    number: u64,
    /// Without gaps up to the newest.
    kept: VecDeque<Kept>,
}

/// What a listener gets first.
pub(super) enum Missed {
    /// Nothing: it was not there before.
    Nothing,
    /// These, the oldest first.
    Events(Vec<Kept>),
    /// More than is kept.
    TooMuch,
}

impl EventLog {
    /// A log that knows of nothing yet.
    pub(super) fn new(started_at: Timestamp) -> Self {
        let (listeners, _) = broadcast::channel(QUEUE);
        Self { run: format!("{:x}", started_at.as_millisecond()), last: Mutex::default(), listeners }
    }

    /// Numbers what is told, until it is cancelled.
    pub(super) async fn follow(&self, mut events: broadcast::Receiver<Event>, cancel: CancellationToken) {
        loop {
            let event = tokio::select! {
                () = cancel.cancelled() => return,
                event = events.recv() => event,
            };
            match event {
                Ok(event) => self.put(event),
                // Whoever listens reads everything again.
                Err(RecvError::Lagged(_)) => self.put(Event::StreamsChanged),
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn put(&self, event: Event) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.number += 1;
        if last.kept.len() == KEPT {
            last.kept.pop_front();
        }
        last.kept.push_back(Kept::of(&event));
        // Fails only when nobody listens.
        let _ = self.listeners.send((last.number, event));
    }

    /// The text of a number, for `id:`.
    pub(super) fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.run)
    }

    /// From now on, with the number of the newest event, and what came since the one of this id.
    pub(super) fn listen(&self, last_id: Option<&str>) -> (u64, Missed, broadcast::Receiver<(u64, Event)>) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = self.listeners.subscribe();
        (last.number, self.missed(&last, last_id), receiver)
    }

    fn missed(&self, last: &Last, last_id: Option<&str>) -> Missed {
        let Some(id) = last_id else { return Missed::Nothing };
        let number = id.split_once('-').filter(|(run, _)| *run == self.run).and_then(|(_, number)| number.parse().ok());
        let Some(behind) = number.and_then(|number: u64| last.number.checked_sub(number)) else {
            return Missed::TooMuch;
        };
        let behind = usize::try_from(behind).unwrap_or(usize::MAX);
        if behind > last.kept.len() {
            return Missed::TooMuch;
        }
        let mut seen = HashSet::new();
        // Of a stream's heartbeats the last one tells all.
        let mut events: Vec<Kept> = last.kept.iter().skip(last.kept.len() - behind).rev().cloned().collect();
        events.retain(|event| if let Kept::Heartbeat(id) = event { seen.insert(id.clone()) } else { true });
        events.reverse();
        Missed::Events(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flapping(id: &str) -> Event {
        Event::Flapping { stream: StreamId::new(id).unwrap(), active: true }
    }

    fn names(missed: Missed) -> Option<Vec<String>> {
        match missed {
            Missed::Nothing => Some(Vec::new()),
            Missed::TooMuch => None,
            Missed::Events(events) => Some(
                events
                    .into_iter()
                    .map(|event| if let Kept::Flapping(id, _) = event { id.to_string() } else { format!("{event:?}") })
                    .collect(),
            ),
        }
    }

    #[test]
    fn who_comes_again_gets_what_was_missed_or_is_told_that_it_is_too_much() {
        let log = EventLog::new(Timestamp::UNIX_EPOCH);
        let (number, missed, _) = log.listen(None);
        assert_eq!((number, names(missed)), (0, Some(vec![])));
        for id in ["a", "b", "c"] {
            log.put(flapping(id));
        }
        let missed = |id: &str| names(log.listen(Some(id)).1);
        assert_eq!(missed(&log.id(1)), Some(vec!["b".to_owned(), "c".to_owned()]));
        assert_eq!(missed(&log.id(3)), Some(vec![]));
        for strange in ["", "3", "0-4", "ff-2", "0-x", "0--1"] {
            assert_eq!(missed(strange), None, "{strange}");
        }
        for _ in 0..KEPT {
            log.put(flapping("d"));
        }
        assert_eq!(missed(&log.id(2)), None, "one is not kept any more");
        assert_eq!(missed(&log.id(3)).unwrap().len(), KEPT);
    }

    #[test]
    fn a_listener_gets_every_event_once() {
        let log = EventLog::new(Timestamp::UNIX_EPOCH);
        log.put(flapping("a"));
        let (number, _, mut events) = log.listen(None);
        log.put(flapping("b"));
        assert_eq!(number, 1);
        assert_eq!(events.try_recv().unwrap().0, 2);
        assert!(events.try_recv().is_err());
    }
}
