//! Retained topics: what each is to hold, and what the broker does not have yet. The newest wins.

use std::collections::{HashMap, HashSet, VecDeque};

use bytes::Bytes;

/// What is to be on the board. An empty payload clears a topic.
#[derive(Debug, Default)]
pub(super) struct Board {
    topics: HashMap<String, Slot>,
    /// Topics whose message is to go, the one that waits longest first.
    due: VecDeque<String>,
    /// Topics for which something has to be done before anything goes there.
    on_hold: HashSet<String>,
    /// Counts the topics.
    last_number: u64,
}

#[derive(Debug)]
struct Slot {
    payload: Bytes,
    is_due: bool,
    /// Greater than that of every topic that was there before.
    number: u64,
}

impl Board {
    /// The topic is to hold this. It goes also when it is the same as before: a reader may take it as a sign of life.
    pub(super) fn put(&mut self, topic: String, payload: Bytes) {
        let number = self.last_number + 1;
        let slot = self.topics.entry(topic.clone()).or_insert_with(|| {
            self.last_number = number;
            Slot { payload: Bytes::new(), is_due: false, number }
        });
        slot.payload = payload;
        if !std::mem::replace(&mut slot.is_due, true) && !self.on_hold.contains(&topic) {
            self.due.push_back(topic);
        }
    }

    /// As [`Self::put`], but only when it is something else.
    pub(super) fn change(&mut self, topic: String, payload: Bytes) {
        if self.topics.get(&topic).is_none_or(|slot| slot.payload != payload) {
            self.put(topic, payload);
        }
    }

    /// The topic is to hold nothing.
    pub(super) fn clear(&mut self, topic: String) {
        let is_clear = self.topics.get(&topic).is_some_and(|slot| slot.payload.is_empty());
        if !is_clear {
            self.put(topic, Bytes::new());
        }
    }

    /// Nothing goes there until it is released.
    pub(super) fn hold(&mut self, topic: &str) {
        self.on_hold.insert(topic.to_owned());
    }

    /// What waited for it goes.
    pub(super) fn release(&mut self, topic: &str) {
        if self.on_hold.remove(topic) && self.topics.get(topic).is_some_and(|slot| slot.is_due) {
            self.due.push_back(topic.to_owned());
        }
    }

    /// The same for every topic that is held.
    pub(super) fn release_all(&mut self) {
        let mut held: Vec<String> = self.on_hold.iter().cloned().collect();
        held.sort_by_key(|topic| self.topics.get(topic).map(|slot| slot.number));
        held.iter().for_each(|topic| self.release(topic));
    }

    /// The next message that is to go.
    pub(super) fn next(&mut self) -> Option<(String, Bytes)> {
        while let Some(topic) = self.due.pop_front() {
            // It may have been forgotten, or be held, since it came here.
            let is_held = self.on_hold.contains(&topic);
            if let Some(slot) = self.topics.get_mut(&topic).filter(|slot| slot.is_due && !is_held) {
                slot.is_due = false;
                return Some((topic, slot.payload.clone()));
            }
        }
        None
    }

    /// It did not go, for want of room.
    pub(super) fn give_back(&mut self, topic: String) {
        if let Some(slot) = self.topics.get_mut(&topic)
            && !std::mem::replace(&mut slot.is_due, true)
        {
            self.due.push_front(topic);
        }
    }

    /// True while nothing is to go.
    pub(super) fn is_done(&self) -> bool {
        self.due.is_empty()
    }

    /// Everything is to go, to a broker that may have nothing of it: by rank, and within one in the order in which the topics
    /// came. `rank` gets the topic and whether it is cleared.
    pub(super) fn start_over(&mut self, rank: impl Fn(&str, bool) -> u8) {
        self.topics.values_mut().for_each(|slot| slot.is_due = true);
        let going = self.topics.iter().filter(|(topic, _)| !self.on_hold.contains(*topic));
        let mut due: Vec<((u8, u64), String)> =
            going.map(|(topic, slot)| ((rank(topic, slot.payload.is_empty()), slot.number), topic.clone())).collect();
        due.sort();
        self.due = due.into_iter().map(|(_, topic)| topic).collect();
    }

    /// Topics that hold something.
    pub(super) fn held(&self) -> HashSet<&str> {
        self.topics.iter().filter(|(_, slot)| !slot.payload.is_empty()).map(|(topic, _)| topic.as_str()).collect()
    }

    /// The broker has cleared this one; true when it is still to be clear.
    pub(super) fn forget_cleared(&mut self, topic: &str) -> bool {
        let is_clear = self.topics.get(topic).is_some_and(|slot| slot.payload.is_empty() && !slot.is_due);
        if is_clear {
            self.topics.remove(topic);
        }
        is_clear
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(board: &mut Board) -> Vec<String> {
        std::iter::from_fn(|| board.next())
            .map(|(topic, payload)| format!("{topic}={}", String::from_utf8_lossy(&payload)))
            .collect()
    }

    #[test]
    fn the_newest_wins_and_keeps_its_place() {
        let mut board = Board::default();
        board.put("a".into(), "1".into());
        board.put("b".into(), "1".into());
        board.put("a".into(), "2".into());
        assert_eq!(drain(&mut board), ["a=2", "b=1"]);
        board.change("a".into(), "2".into());
        assert!(board.is_done());
        board.put("a".into(), "2".into());
        assert_eq!(drain(&mut board), ["a=2"]);
    }

    #[test]
    fn a_topic_that_is_cleared_goes_once_and_is_forgotten() {
        let mut board = Board::default();
        board.put("a".into(), "1".into());
        drain(&mut board);
        board.clear("a".into());
        board.clear("old".into());
        assert!(board.held().is_empty());
        assert_eq!(drain(&mut board), ["a=", "old="]);
        assert!(board.forget_cleared("old"));
        // It came back before the broker said that it was gone.
        board.put("a".into(), "3".into());
        assert!(!board.forget_cleared("a"));
        assert_eq!(drain(&mut board), ["a=3"]);
        board.put("b".into(), "1".into());
        board.put("c".into(), "1".into());
        board.clear("c".into());
        drain(&mut board);
        board.start_over(|topic, is_clear| if is_clear { 0 } else { u8::from(topic == "a") + 1 });
        assert_eq!(drain(&mut board), ["c=", "b=1", "a=3"]);
    }

    #[test]
    fn what_is_held_goes_when_it_is_released() {
        let mut board = Board::default();
        board.hold("a");
        board.put("a".into(), "1".into());
        board.put("b".into(), "1".into());
        board.put("a".into(), "2".into());
        assert_eq!(drain(&mut board), ["b=1"]);
        board.start_over(|_, _| 0);
        assert_eq!(drain(&mut board), ["b=1"]);
        board.release("a");
        board.release("unknown");
        assert_eq!(drain(&mut board), ["a=2"]);
        board.put("a".into(), "3".into());
        board.hold("a");
        assert_eq!(drain(&mut board), [""; 0], "it was on its way when it was held");
        board.release_all();
        let (topic, _) = board.next().unwrap();
        board.put("b".into(), "2".into());
        board.give_back(topic);
        assert_eq!(drain(&mut board), ["a=3", "b=2"]);
    }
}
