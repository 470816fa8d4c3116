//! Retained topics: what each is to hold, and what the broker does not have yet. The newest wins; what was never sent and is
//! not wanted any more is forgotten.

use std::collections::{HashMap, HashSet, VecDeque};

use bytes::Bytes;

/// What is to be on the board. An empty payload clears a topic.
#[derive(Debug, Default)]
pub(super) struct Board {
    topics: HashMap<String, Slot>,
    /// Topics whose message is to go, the one that waits longest first.
    due: VecDeque<String>,
}

#[derive(Debug)]
struct Slot {
    payload: Bytes,
    is_due: bool,
}

impl Board {
    /// The topic is to hold this. It goes also when it is the same as before: a reader may take it as a sign of life.
    pub(super) fn put(&mut self, topic: String, payload: Bytes) {
        match self.topics.get_mut(&topic) {
            Some(slot) => {
                slot.payload = payload;
                if !std::mem::replace(&mut slot.is_due, true) {
                    self.due.push_back(topic);
                }
            }
            None => {
                self.due.push_back(topic.clone());
                self.topics.insert(topic, Slot { payload, is_due: true });
            }
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
        self.change(topic, Bytes::new());
    }

    /// The next message that is to go.
    pub(super) fn next(&mut self) -> Option<(String, Bytes)> {
        let topic = self.due.pop_front()?;
        let slot = self.topics.get_mut(&topic)?;
        slot.is_due = false;
        Some((topic, slot.payload.clone()))
    }

    /// True while nothing is to go.
    pub(super) fn is_done(&self) -> bool {
        self.due.is_empty()
    }

    /// Everything is to go: to a broker that may have nothing of it.
    pub(super) fn start_over(&mut self) {
        self.due = self.topics.keys().cloned().collect();
        self.topics.values_mut().for_each(|slot| slot.is_due = true);
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
        board.start_over();
        assert_eq!(drain(&mut board), ["a=3"]);
    }
}
