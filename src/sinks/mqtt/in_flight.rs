//! Messages that the broker has not acknowledged: packet ids, and until when each is waited for.

use std::collections::{HashMap, VecDeque};

use tokio::time::Instant;

use super::session::Ticket;

/// Messages that may wait for their acknowledgement at once. At a hundred milliseconds to a broker far away that is a
/// thousand a second; some brokers hang up on more.
const MAX_IN_FLIGHT: u16 = 100;

/// A packet id is taken from when its packet is made until the acknowledgement comes.
#[derive(Debug)]
pub(super) struct InFlight {
    limit: u16,
    last_id: u16,
    waiting: HashMap<u16, Waiting>,
    /// Packet ids in the order of their deadlines; some are acknowledged by now.
    order: VecDeque<(u16, Instant)>,
}

#[derive(Debug)]
enum Waiting {
    Message { ticket: Ticket, topic: String },
    Subscription,
}

impl Default for InFlight {
    fn default() -> Self {
        Self { limit: MAX_IN_FLIGHT, last_id: 0, waiting: HashMap::new(), order: VecDeque::new() }
    }
}

impl InFlight {
    /// The broker takes no more at once.
    pub(super) fn limit(&mut self, limit: u16) {
        self.limit = limit.clamp(1, MAX_IN_FLIGHT);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < usize::from(self.limit)
    }

    /// A packet id for a message; `None` while there is no room.
    pub(super) fn begin(&mut self, ticket: Ticket, topic: &str, until: Instant) -> Option<u16> {
        if !self.has_room() {
            return None;
        }
        self.enter(Waiting::Message { ticket, topic: topic.to_owned() }, until)
    }

    /// A packet id for a subscription.
    pub(super) fn begin_subscription(&mut self, until: Instant) -> Option<u16> {
        self.enter(Waiting::Subscription, until)
    }

    fn enter(&mut self, waiting: Waiting, until: Instant) -> Option<u16> {
        // MQTT 3.1.1, 2.3.1: never zero, never one that is in use.
        let free = (1..=u16::MAX).map(|step| self.last_id.wrapping_add(step));
        let id = free.take(1_000).find(|id| *id != 0 && !self.waiting.contains_key(id))?;
        self.last_id = id;
        self.waiting.insert(id, waiting);
        self.order.push_back((id, until));
        Some(id)
    }

    /// Until when the oldest is waited for.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.order.front().map(|(_, until)| *until)
    }

    /// Whether a message has this id.
    pub(super) fn has(&self, packet_id: u16) -> bool {
        matches!(self.waiting.get(&packet_id), Some(Waiting::Message { .. }))
    }

    /// The message with this id has arrived; `None` when there is none.
    pub(super) fn acknowledge(&mut self, packet_id: u16) -> Option<(Ticket, String)> {
        if !matches!(self.waiting.get(&packet_id)?, Waiting::Message { .. }) {
            return None;
        }
        let Some(Waiting::Message { ticket, topic }) = self.remove(packet_id) else { return None };
        Some((ticket, topic))
    }

    /// The subscription with this id was answered; false when there is none.
    pub(super) fn subscribed(&mut self, packet_id: u16) -> bool {
        matches!(self.waiting.get(&packet_id), Some(Waiting::Subscription)) && self.remove(packet_id).is_some()
    }

    fn remove(&mut self, packet_id: u16) -> Option<Waiting> {
        let waiting = self.waiting.remove(&packet_id);
        // An id is used again only after it was taken off here.
        if let Some(i) = self.order.iter().position(|(id, _)| *id == packet_id) {
            self.order.remove(i);
        }
        waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ids_are_not_used_twice_at_once_and_acknowledged_in_any_order() {
        let mut in_flight = InFlight::default();
        in_flight.limit(3);
        let at = |seconds| Instant::now() + std::time::Duration::from_secs(seconds);
        in_flight.last_id = u16::MAX - 1;
        let ids: Vec<_> = (0..4).map(|i| in_flight.begin(Ticket(i), "t", at(i))).collect();
        assert_eq!(ids, [Some(u16::MAX), Some(1), Some(2), None], "zero is none, and there is room for three");
        assert_eq!(in_flight.oldest(), Some(at(0)));
        assert_eq!(in_flight.acknowledge(1), Some((Ticket(1), "t".to_owned())));
        assert_eq!(in_flight.acknowledge(1), None, "twice");
        assert_eq!(in_flight.acknowledge(u16::MAX), Some((Ticket(0), "t".to_owned())));
        assert_eq!(in_flight.oldest(), Some(at(2)));
        let subscription = in_flight.begin_subscription(at(9)).unwrap();
        assert_eq!(in_flight.acknowledge(subscription), None, "it is no message");
        assert!(!in_flight.subscribed(2), "it is no subscription");
        assert!(in_flight.subscribed(subscription));
        assert!(!in_flight.is_empty());
        assert!(in_flight.acknowledge(2).is_some() && in_flight.is_empty());
        assert_eq!(in_flight.oldest(), None);
    }
}
