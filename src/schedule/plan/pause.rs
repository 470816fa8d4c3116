//! What the lock-out guard means for the plan: whose camera is not asked, and who must wait for whose answer.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;

use super::Plan;
use crate::config::Config;
use crate::model::{CameraAccount, Refusal, Stream, StreamId};
use crate::schedule::device::Waiter;
use crate::schedule::guard::Verdict;

impl Plan {
    /// Takes over the refusals of an earlier run; before the first configuration.
    pub fn restore(&mut self, refusals: Vec<Refusal>, now: Duration, at: Timestamp) {
        self.guard.restore(refusals, now, at);
    }

    /// What is to be remembered of refused accounts, when that has changed since the last call.
    pub fn take_refusals(&mut self) -> Option<Vec<Refusal>> {
        std::mem::take(&mut self.refusals_changed).then(|| self.guard.refusals())
    }

    /// Streams whose account is left alone, and for how long from now.
    pub fn paused(&self, now: Duration) -> impl Iterator<Item = (&StreamId, Duration)> {
        self.streams.iter().filter_map(move |(id, planned)| {
            let until = self.paused_until(&planned.stream, now)?;
            Some((id, until.saturating_sub(now)))
        })
    }

    /// Until when the camera of a stream is not asked, because it refused the account.
    pub fn paused_until(&self, stream: &Stream, now: Duration) -> Option<Duration> {
        self.guard.paused_until(&CameraAccount::of(stream)?, now)
    }

    pub(super) fn configure_accounts(&mut self, config: &Config, now: Duration) {
        let configured: HashSet<_> = config.streams.iter().filter_map(|stream| CameraAccount::of(stream)).collect();
        self.refusals_changed |= self.guard.configure(configured, now);
    }

    /// The account that whoever waits would use.
    pub(super) fn account_of(&self, waiter: &Waiter) -> Option<CameraAccount> {
        match waiter {
            Waiter::Stream(id) => self.streams.get(id).and_then(|planned| CameraAccount::of(&planned.stream)),
            Waiter::Visit(id) => self.visits.account_of(*id).cloned(),
        }
    }

    /// True while as many probes and visits use device and user of this account as may be refused.
    pub(super) fn must_wait_for_account(&self, account: &CameraAccount, now: Duration) -> bool {
        if self.guard.paused_until(account, now).is_some() {
            return false;
        }
        let at_once = self.guard.at_once(account, now);
        let in_use = self.flights.values().filter_map(|flight| flight.account.as_ref()).chain(self.visits.accounts());
        at_once != usize::MAX && in_use.filter(|other| self.guard.competes(account, other)).count() >= at_once
    }

    /// A probe with this account ended.
    pub(super) fn learn_account(
        &mut self,
        account: Option<&CameraAccount>,
        verdict: Verdict,
        now: Duration,
        at: Timestamp,
    ) {
        let Some(account) = account else { return };
        self.refusals_changed |= self.guard.learn(account, verdict, now, at);
    }
}

#[cfg(test)]
mod tests;
