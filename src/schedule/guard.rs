//! The lock-out guard: an account whose password a device refused is left alone, because cameras lock accounts.
//!
//! Pure. Times count from the start of the plan; wall times are only for the memory across restarts.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{CameraAccount, Refusal};

/// After so many refused probes in a row the account is paused.
pub const REFUSALS: u32 = 2;

/// How long it is left alone before one probe asks again.
pub const PAUSE: Duration = Duration::from_secs(30 * 60);

/// What a probe says of the account it used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: the camera was not asked, or did not ask.
    #[default]
    Unknown,
    /// The camera took the password.
    Accepted,
    /// The camera refused it.
    Refused,
}

#[derive(Clone, Copy, Debug)]
struct Standing {
    count: u32,
    last_at: Timestamp,
    until: Duration,
}

/// Every account that was refused last.
#[derive(Debug, Default)]
pub struct Guard {
    refused: HashMap<CameraAccount, Standing>,
    /// Accounts that were accepted since the start: their streams need not wait for one another.
    accepted: HashSet<CameraAccount>,
}

impl Guard {
    /// Takes over what was remembered. A wall clock that was set back does not lengthen a pause.
    pub fn restore(&mut self, refusals: Vec<Refusal>, now: Duration, at: Timestamp) {
        for Refusal { account, count, last_at } in refusals {
            let passed = Duration::try_from(at.duration_since(last_at)).unwrap_or_default();
            let left = if count >= REFUSALS { PAUSE.saturating_sub(passed) } else { Duration::ZERO };
            self.refused.insert(account, Standing { count, last_at, until: now + left });
        }
    }

    /// A probe with this account ended. True when there is something new to remember.
    pub fn learn(&mut self, account: &CameraAccount, verdict: Verdict, now: Duration, at: Timestamp) -> bool {
        match verdict {
            Verdict::Unknown => false,
            Verdict::Accepted => {
                if !self.accepted.contains(account) {
                    self.accepted.insert(account.clone());
                }
                self.refused.remove(account).is_some()
            }
            Verdict::Refused => {
                self.accepted.remove(account);
                let count = self.refused.get(account).map_or(0, |standing| standing.count).saturating_add(1);
                let until = if count >= REFUSALS { now + PAUSE } else { now };
                self.refused.insert(account.clone(), Standing { count, last_at: at, until });
                true
            }
        }
    }

    /// Until when an account is left alone.
    pub fn paused_until(&self, account: &CameraAccount, now: Duration) -> Option<Duration> {
        self.refused.get(account).filter(|s| s.count >= REFUSALS && now < s.until).map(|standing| standing.until)
    }

    /// How many probes may use an account at once, so that not more than [`REFUSALS`] can be refused.
    pub fn at_once(&self, account: &CameraAccount) -> usize {
        if self.accepted.contains(account) {
            return usize::MAX;
        }
        let refused = self.refused.get(account).map_or(0, |standing| standing.count);
        REFUSALS.saturating_sub(refused).max(1) as usize
    }

    /// Forgets accounts that are configured no more.
    pub fn retain(&mut self, configured: &HashSet<CameraAccount>) -> bool {
        let before = self.refused.len();
        self.refused.retain(|account, _| configured.contains(account));
        self.accepted.retain(|account| configured.contains(account));
        self.refused.len() != before
    }

    /// What is to be remembered across a restart.
    pub fn refusals(&self) -> Vec<Refusal> {
        let refusal = |(account, standing): (&CameraAccount, &Standing)| Refusal {
            account: account.clone(),
            count: standing.count,
            last_at: standing.last_at,
        };
        self.refused.iter().map(refusal).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEC: fn(u64) -> Duration = Duration::from_secs;

    fn account(username: &str) -> CameraAccount {
        CameraAccount { host: "cam".to_owned(), username: username.to_owned(), fingerprint: 7 }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).expect("time")
    }

    #[test]
    fn two_refusals_pause_the_account_and_one_acceptance_ends_it() {
        let (mut guard, admin) = (Guard::default(), account("admin"));
        assert_eq!(guard.at_once(&admin), 2);
        assert!(guard.learn(&admin, Verdict::Refused, SEC(10), at(10)));
        assert_eq!((guard.paused_until(&admin, SEC(10)), guard.at_once(&admin)), (None, 1));
        assert!(!guard.learn(&admin, Verdict::Unknown, SEC(20), at(20)));
        assert!(guard.learn(&admin, Verdict::Refused, SEC(30), at(30)));
        assert_eq!(guard.paused_until(&admin, SEC(31)), Some(SEC(30) + PAUSE));
        assert_eq!(guard.paused_until(&account("viewer"), SEC(31)), None);
        assert_eq!((guard.paused_until(&admin, SEC(30) + PAUSE), guard.at_once(&admin)), (None, 1));
        assert!(guard.learn(&admin, Verdict::Refused, SEC(3000), at(3000)));
        assert_eq!(guard.paused_until(&admin, SEC(3001)), Some(SEC(3000) + PAUSE));
        assert!(guard.learn(&admin, Verdict::Accepted, SEC(6000), at(6000)));
        assert_eq!((guard.paused_until(&admin, SEC(6001)), guard.at_once(&admin)), (None, usize::MAX));
        assert!(guard.refusals().is_empty());
    }

    #[test]
    fn a_restart_does_not_shorten_the_pause() {
        let (mut guard, admin) = (Guard::default(), account("admin"));
        guard.learn(&admin, Verdict::Refused, SEC(0), at(0));
        guard.learn(&admin, Verdict::Refused, SEC(5), at(5));
        let restarted = |wall: Timestamp| {
            let mut guard_after = Guard::default();
            guard_after.restore(guard.refusals(), SEC(1), wall);
            guard_after.paused_until(&admin, SEC(1))
        };
        assert_eq!(restarted(at(65)), Some(SEC(1) + PAUSE - SEC(60)));
        assert_eq!(restarted(at(-86_400)), Some(SEC(1) + PAUSE), "the clock was set back");
        assert_eq!(restarted(at(3600)), None);
    }

    #[test]
    fn what_is_not_configured_is_forgotten() {
        let (mut guard, admin) = (Guard::default(), account("admin"));
        guard.learn(&admin, Verdict::Refused, SEC(0), at(0));
        assert!(!guard.retain(&HashSet::from([admin.clone()])));
        assert!(guard.retain(&HashSet::from([CameraAccount { fingerprint: 8, ..admin }])));
        assert!(guard.refusals().is_empty());
    }
}
