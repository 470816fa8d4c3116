//! Places for listeners of `/api/events`: a number in all, and a number for one account, so that none takes them all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Listeners at once.
const MAX_LISTENERS: usize = 64;
/// Of one account: a dashboard has one in each of its tabs.
const MAX_OF_ACCOUNT: usize = 16;

/// Counts them. Cloning is cheap and shares the counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Listeners(Arc<Mutex<HashMap<String, usize>>>);

/// One place, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    listeners: Listeners,
    username: String,
}

impl Listeners {
    /// A place, or none when too many listen already.
    pub(super) fn take(&self, username: &str) -> Option<Seat> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let of_account = taken.get(username).copied().unwrap_or(0);
        if all >= MAX_LISTENERS || of_account >= MAX_OF_ACCOUNT {
            return None;
        }
        taken.insert(username.to_owned(), of_account + 1);
        Some(Seat { listeners: self.clone(), username: username.to_owned() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.listeners.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.username) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.username);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_its_share_and_all_have_a_bound() {
        let listeners = Listeners::default();
        let take = |username: &str, count: usize| -> Vec<_> {
            std::iter::from_fn(|| listeners.take(username)).take(count).collect()
        };
        let mut anna = take("anna", usize::MAX);
        assert_eq!(anna.len(), MAX_OF_ACCOUNT);
        let others: Vec<_> = (0..10).flat_map(|number| take(&format!("user{number}"), MAX_OF_ACCOUNT)).collect();
        assert_eq!(anna.len() + others.len(), MAX_LISTENERS);
        anna.pop();
        assert!(take("anna", 2).len() == 1 && take("bert", 1).len() == 1);
        drop((anna, others));
        assert!(listeners.0.lock().unwrap().is_empty());
    }
}
