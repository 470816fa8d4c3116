//! Wrong passwords slow down, for one account from one address and for one address, never for everyone.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::accept::network_of;

/// Wrong passwords of one account from one address before the first wait.
const FREE_FOR_ACCOUNT: u32 = 5;
/// Wrong passwords from one address, whatever the account, before the first wait.
const FREE_FOR_ADDRESS: u32 = 30;
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);
/// After this long without a try all is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(900);
/// Entries kept; beyond it the oldest go.
const MAX_ENTRIES: usize = 8192;

type Key = (Option<String>, IpAddr);

/// Counts tries in memory.
#[derive(Debug, Default)]
pub(super) struct Slowdown {
    tries: Mutex<HashMap<Key, Tries>>,
}

#[derive(Clone, Copy, Debug)]
struct Tries {
    wrong: u32,
    last: Instant,
}

impl Slowdown {
    /// Takes a try, or says how long to wait. The try counts as wrong until [`Self::was_right`] says otherwise, so
    /// that many at once gain nothing.
    pub(super) fn admit(&self, username: &str, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = keys(username, address);
        for (key, free) in keys.iter().zip([FREE_FOR_ACCOUNT, FREE_FOR_ADDRESS]) {
            if let Some(past) = tries.get(key) {
                let wait = wait_after(past.wrong, free);
                let waited = now.saturating_duration_since(past.last);
                if waited < wait {
                    return Err(wait - waited);
                }
            }
        }
        if tries.len() + keys.len() > MAX_ENTRIES {
            tries.retain(|_, past| now.saturating_duration_since(past.last) < FORGOTTEN);
        }
        if tries.len() + keys.len() > MAX_ENTRIES {
            let oldest = tries.iter().min_by_key(|(_, past)| past.last).map(|(key, _)| key.clone());
            oldest.map(|key| tries.remove(&key));
        }
        for key in keys {
            let past = tries.entry(key).or_insert(Tries { wrong: 0, last: now });
            if now.saturating_duration_since(past.last) > FORGOTTEN {
                past.wrong = 0;
            }
            past.wrong = past.wrong.saturating_add(1);
            past.last = now;
        }
        Ok(())
    }

    /// The admitted try was the right password.
    pub(super) fn was_right(&self, username: &str, address: IpAddr) {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        let [account, address] = keys(username, address);
        tries.remove(&account);
        if let Some(past) = tries.get_mut(&address) {
            past.wrong = past.wrong.saturating_sub(1);
        }
    }
}

fn keys(username: &str, address: IpAddr) -> [Key; 2] {
    let address = network_of(address);
    [(Some(username.chars().take(64).collect()), address), (None, address)]
}

fn wait_after(wrong: u32, free: u32) -> Duration {
    if wrong < free { Duration::ZERO } else { Duration::from_secs(1 << (wrong - free).min(6)).min(LONGEST) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_passwords_wait_longer_and_longer_and_others_do_not() {
        let slowdown = Slowdown::default();
        let (home, elsewhere) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let start = Instant::now();
        for _ in 0..FREE_FOR_ACCOUNT {
            assert_eq!(slowdown.admit("anna", home, start), Ok(()));
        }
        assert_eq!(slowdown.admit("anna", home, start), Err(Duration::from_secs(1)));
        assert_eq!(slowdown.admit("anna", elsewhere, start), Ok(()));
        assert_eq!(slowdown.admit("bert", home, start), Ok(()));
        let later = start + Duration::from_secs(1);
        assert_eq!(slowdown.admit("anna", home, later), Ok(()));
        assert_eq!(slowdown.admit("anna", home, later), Err(Duration::from_secs(2)));
        slowdown.was_right("anna", home);
        assert_eq!(slowdown.admit("anna", home, later), Ok(()));
    }

    #[test]
    fn trying_many_names_from_one_address_is_slowed_down_too() {
        let slowdown = Slowdown::default();
        let (home, now) = (IpAddr::from([192, 0, 2, 1]), Instant::now());
        for i in 0..FREE_FOR_ADDRESS {
            assert_eq!(slowdown.admit(&format!("user{i}"), home, now), Ok(()));
        }
        assert!(slowdown.admit("another", home, now).is_err());
        assert_eq!(wait_after(u32::MAX, FREE_FOR_ACCOUNT), LONGEST);
    }
}
