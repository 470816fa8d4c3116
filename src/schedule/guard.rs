//! The lock-out guard: an account whose password a device refused is left alone, because cameras lock accounts.
//!
//! What a camera counts is how often it refused a *user*, with whatever password. So refusals are counted for each
//! account (device and user) over half an hour, and each password of it is judged by that count:
//!
//! - from two on, a password that was refused in that time is not asked;
//! - up to the third, one that was not refused yet is;
//! - a fourth is risked only on one that was written into the configuration since the last refusal.
//!
//! So a device never sees more than four refusals of one user in half an hour, whatever is configured; and whoever
//! corrects a password sees at once whether it is right. An accepted password is asked as always.
//!
//! Pure. Times count from the start of the plan; wall times are only for the memory across restarts.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{CameraAccount, ProbeReport, Reason, Refusal, Stage, Stream};

/// From so many refusals of an account on, its refused passwords are left alone.
pub const REFUSALS: u32 = 2;

/// So many refusals of an account are risked on passwords that were not refused yet.
const UNTRIED_REFUSALS: u32 = 3;

/// And so many on a password that was written since the last refusal. Common limits of cameras begin at five.
pub const MOST_REFUSALS: u32 = 4;

/// How long a refused password is left alone before one probe asks again, and how long a refusal counts.
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

/// A password that was refused last.
#[derive(Clone, Copy, Debug)]
struct Standing {
    fingerprint: u16,
    /// In a row; after a pause it goes on with [`REFUSALS`], so that one more refusal begins the pause anew.
    count: u32,
    last_at: Timestamp,
    /// Half an hour after the last.
    until: Duration,
}

/// Device and user.
type Owner = (String, String);

fn owner(account: &CameraAccount) -> Owner {
    (account.host.clone(), account.username.clone())
}

/// Every password that was refused last, and what else is known of the accounts.
#[derive(Debug, Default)]
pub struct Guard {
    refused: HashMap<Owner, Vec<Standing>>,
    /// Passwords that were accepted since the start: their streams need not wait for one another.
    accepted: HashSet<CameraAccount>,
    /// All that are configured, and since when, for those that were not in the first configuration.
    configured: HashMap<CameraAccount, Option<Duration>>,
}

impl Guard {
    /// Takes over what was remembered. A wall clock that was set back does not lengthen a pause.
    pub fn restore(&mut self, refusals: Vec<Refusal>, now: Duration, at: Timestamp) {
        for Refusal { account, count, last_at } in refusals {
            let passed = Duration::try_from(at.duration_since(last_at)).unwrap_or_default();
            let until = now + PAUSE.saturating_sub(passed);
            let standing = Standing { fingerprint: account.fingerprint, count, last_at, until };
            self.refused.entry(owner(&account)).or_default().push(standing);
        }
    }

    /// A probe with this account ended. True when there is something new to remember.
    pub fn learn(&mut self, account: &CameraAccount, verdict: Verdict, now: Duration, at: Timestamp) -> bool {
        let own = |standing: &Standing| standing.fingerprint == account.fingerprint;
        match verdict {
            Verdict::Unknown => false,
            Verdict::Accepted => {
                if !self.accepted.contains(account) {
                    self.accepted.insert(account.clone());
                }
                let Some(standings) = self.refused.get_mut(&owner(account)) else { return false };
                let before = standings.len();
                standings.retain(|standing| !own(standing));
                standings.len() != before
            }
            Verdict::Refused => {
                self.accepted.remove(account);
                let standings = self.refused.entry(owner(account)).or_default();
                let count = match standings.iter().find(|standing| own(standing)) {
                    Some(standing) if now < standing.until => standing.count.saturating_add(1),
                    Some(_) => REFUSALS,
                    None => 1,
                };
                standings.retain(|standing| !own(standing));
                let fingerprint = account.fingerprint;
                standings.push(Standing { fingerprint, count, last_at: at, until: now + PAUSE });
                true
            }
        }
    }

    /// Until when an account is left alone, with the password it has.
    pub fn paused_until(&self, account: &CameraAccount, now: Duration) -> Option<Duration> {
        if self.may_be_asked(account, now) {
            return None;
        }
        let mut ends: Vec<_> = self.standings(account).iter().map(|standing| standing.until).collect();
        ends.sort_unstable();
        ends.into_iter().find(|end| *end > now && self.may_be_asked(account, *end))
    }

    fn may_be_asked(&self, account: &CameraAccount, now: Duration) -> bool {
        if self.accepted.contains(account) {
            return true;
        }
        let standings = self.standings(account);
        let refused = standings.iter().any(|s| s.fingerprint == account.fingerprint && now < s.until);
        let limit = match self.configured.get(account) {
            _ if refused => REFUSALS,
            Some(Some(since)) if standings.iter().all(|s| s.until <= *since + PAUSE) => MOST_REFUSALS,
            _ => UNTRIED_REFUSALS,
        };
        self.count(account, now) < limit
    }

    fn standings(&self, account: &CameraAccount) -> &[Standing] {
        self.refused.get(&owner(account)).map_or(&[], Vec::as_slice)
    }

    /// Refusals of device and user that count at this time.
    fn count(&self, account: &CameraAccount, now: Duration) -> u32 {
        self.standings(account).iter().filter(|s| now < s.until).fold(0, |sum, s| sum.saturating_add(s.count))
    }

    /// How many probes may use device and user at once, so that not more than [`REFUSALS`] can be refused.
    pub fn at_once(&self, account: &CameraAccount, now: Duration) -> usize {
        if self.accepted.contains(account) {
            return usize::MAX;
        }
        // What was refused before a pause is asked once after it.
        let before = self.standings(account).iter().map(|standing| standing.count).max().unwrap_or(0);
        REFUSALS.saturating_sub(self.count(account, now).max(before)).max(1) as usize
    }

    /// True when a probe with `other` may use up what [`Self::at_once`] grants to `account`.
    pub fn competes(&self, account: &CameraAccount, other: &CameraAccount) -> bool {
        account.host == other.host && account.username == other.username && !self.accepted.contains(other)
    }

    /// Takes over which accounts are configured. A refusal counts for its half hour, whatever is configured then;
    /// afterwards it is forgotten with the password. True when there is something new to remember.
    pub fn configure(&mut self, configured: HashSet<CameraAccount>, now: Duration) -> bool {
        let first = self.configured.is_empty();
        let since = |account: CameraAccount| {
            let since = self.configured.get(&account).copied().unwrap_or((!first).then_some(now));
            (account, since)
        };
        self.configured = configured.into_iter().map(since).collect();
        self.accepted.retain(|account| self.configured.contains_key(account));
        let mut changed = false;
        for ((host, username), standings) in &mut self.refused {
            let before = standings.len();
            standings.retain(|standing| {
                let account =
                    CameraAccount { host: host.clone(), username: username.clone(), fingerprint: standing.fingerprint };
                now < standing.until || self.configured.contains_key(&account)
            });
            changed |= standings.len() != before;
        }
        self.refused.retain(|_, standings| !standings.is_empty());
        changed
    }

    /// What is to be remembered across a restart.
    pub fn refusals(&self) -> Vec<Refusal> {
        let refusal = |((host, username), standing): (&Owner, &Standing)| Refusal {
            account: CameraAccount {
                host: host.clone(),
                username: username.clone(),
                fingerprint: standing.fingerprint,
            },
            count: standing.count,
            last_at: standing.last_at,
        };
        self.refused.iter().flat_map(|(owner, all)| all.iter().map(move |one| (owner, one))).map(refusal).collect()
    }
}

/// For how long an account is still left alone by what a running service remembers.
pub fn left_alone_for(account: &CameraAccount, refusals: Vec<Refusal>, at: Timestamp) -> Option<Duration> {
    let mut guard = Guard::default();
    guard.restore(refusals, Duration::ZERO, at);
    guard.paused_until(account, Duration::ZERO)
}

/// What is said of a stream whose camera is not asked: the verdict stands.
pub fn not_asked(stream: &Stream, now: Timestamp, left: Duration) -> ProbeReport {
    let minutes = left.as_secs().div_ceil(60);
    let stage = if stream.url.scheme().is_rtsp() { Stage::Describe } else { Stage::Request };
    let until = now.checked_add(left).unwrap_or(now).strftime("%H:%M UTC").to_string();
    let detail = format!("not asked again before {until}, in {minutes} min, so that it does not lock the account");
    ProbeReport::failed(stage, Reason::AuthFailed, detail, Duration::ZERO)
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
        assert_eq!(guard.at_once(&admin, SEC(0)), 2);
        assert!(guard.learn(&admin, Verdict::Refused, SEC(10), at(10)));
        assert_eq!((guard.paused_until(&admin, SEC(10)), guard.at_once(&admin, SEC(10))), (None, 1));
        assert!(!guard.learn(&admin, Verdict::Unknown, SEC(20), at(20)));
        assert!(guard.learn(&admin, Verdict::Refused, SEC(30), at(30)));
        assert_eq!(guard.paused_until(&admin, SEC(31)), Some(SEC(30) + PAUSE));
        assert_eq!(guard.paused_until(&account("viewer"), SEC(31)), None);
        assert_eq!((guard.paused_until(&admin, SEC(30) + PAUSE), guard.at_once(&admin, SEC(30) + PAUSE)), (None, 1));
        assert!(guard.learn(&admin, Verdict::Refused, SEC(3000), at(3000)));
        assert_eq!(guard.paused_until(&admin, SEC(3001)), Some(SEC(3000) + PAUSE));
        assert!(guard.learn(&admin, Verdict::Accepted, SEC(6000), at(6000)));
        assert_eq!((guard.paused_until(&admin, SEC(6001)), guard.at_once(&admin, SEC(6001))), (None, usize::MAX));
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
    fn the_passwords_of_one_user_share_the_count() {
        let password = |fingerprint| CameraAccount { fingerprint, ..account("admin") };
        let mut guard = Guard::default();
        guard.configure((1..=4).map(password).collect(), SEC(0));
        for fingerprint in [1, 2] {
            guard.learn(&password(fingerprint), Verdict::Refused, SEC(u64::from(fingerprint)), at(0));
        }
        let paused = |guard: &Guard, fingerprint| guard.paused_until(&password(fingerprint), SEC(10)).is_some();
        assert!(paused(&guard, 1) && paused(&guard, 2) && !paused(&guard, 3));
        assert_eq!(guard.at_once(&password(3), SEC(10)), 1);
        guard.learn(&password(3), Verdict::Refused, SEC(3), at(0));
        assert!(paused(&guard, 3) && paused(&guard, 4), "a third is enough for what was there all along");
        assert_eq!(guard.paused_until(&password(4), SEC(10)), Some(SEC(1) + PAUSE), "until the first counts no more");
        guard.configure((3..=6).map(password).collect(), SEC(5));
        assert!(!paused(&guard, 5) && !paused(&guard, 6), "what was written since is tried");
        guard.learn(&password(5), Verdict::Refused, SEC(6), at(0));
        guard.configure((6..=9).map(password).collect(), SEC(7));
        assert!((1..=9).all(|fingerprint| paused(&guard, fingerprint)), "four are the most");
        assert!(!paused(&guard, 1) || guard.paused_until(&account("viewer"), SEC(10)).is_none());
        guard.learn(&password(6), Verdict::Accepted, SEC(8), at(0));
        assert!(!paused(&guard, 6) && paused(&guard, 7), "an accepted one is asked as always");
    }

    #[test]
    fn what_is_not_configured_is_forgotten_when_it_counts_no_more() {
        let (mut guard, admin) = (Guard::default(), account("admin"));
        guard.learn(&admin, Verdict::Refused, SEC(0), at(0));
        let other = CameraAccount { fingerprint: 8, ..admin.clone() };
        assert!(!guard.configure(HashSet::from([other.clone()]), SEC(10)), "the camera counts it all the same");
        assert!(!guard.configure(HashSet::from([admin]), PAUSE));
        assert!(guard.configure(HashSet::from([other]), PAUSE));
        assert!(guard.refusals().is_empty());
    }
}
