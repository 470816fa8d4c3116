//! The visits' part of the loop: who waits for an answer, who has a session.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::State;
use crate::clock::Clock;
use crate::schedule::handle::Shared;
use crate::schedule::plan::{Answered, NotAdmitted, VisitId, Visitor};
use crate::schedule::start::Found;
use crate::schedule::visit::{VisitError, VisitLease};

/// Where the answer to a visit goes.
pub(super) type Answer = oneshot::Sender<Result<VisitLease, VisitError>>;

/// The visits that the plan knows.
#[derive(Default)]
pub(super) struct Visits {
    waiting: HashMap<VisitId, Answer>,
    /// What tells each that its session is wanted.
    granted: HashMap<VisitId, CancellationToken>,
}

impl State {
    /// Takes back the sessions of the visits that are over, and forgets the visits that nobody waits for any more.
    pub(super) fn visits_left(&mut self, clock: &dyn Clock, shared: &Shared) {
        let mut left = shared.returned.take();
        let gave_up = self.visits.waiting.extract_if(|_, answer| answer.is_closed());
        left.extend(gave_up.map(|(id, _)| (id, Found::default())));
        if left.is_empty() {
            return;
        }
        for (id, found) in left {
            self.visits.granted.remove(&id);
            self.plan.left(id, self.now(), clock.now(), found);
        }
        if let Some(refusals) = self.new_refusals(clock, shared) {
            shared.refusals.send_replace(refusals);
        }
    }

    pub(super) fn visit(&mut self, visitor: Visitor, answer: Answer) {
        match self.plan.visit(visitor, self.now()) {
            Ok(id) => _ = self.visits.waiting.insert(id, answer),
            // Nobody to tell: the asker has gone.
            Err(refused) => _ = answer.send(Err(not_admitted(refused))),
        }
    }

    /// Tells the visits what the plan decided.
    pub(super) fn answer_visits(&mut self, shared: &Shared) {
        for answered in self.plan.answered() {
            match answered {
                Answered::Granted(id) => {
                    let lease = VisitLease::new(id, &shared.returned);
                    self.visits.granted.insert(id, lease.signal());
                    if let Some(answer) = self.visits.waiting.remove(&id) {
                        // An asker that has gone lets the lease drop, which gives the session back.
                        let _ = answer.send(Ok(lease));
                    }
                }
                Answered::Paused(id, left) => {
                    if let Some(answer) = self.visits.waiting.remove(&id) {
                        let _ = answer.send(Err(paused(left)));
                    }
                }
                Answered::Wanted(id) => {
                    if let Some(wanted) = self.visits.granted.get(&id) {
                        wanted.cancel();
                    }
                }
            }
        }
    }
}

fn not_admitted(refused: NotAdmitted) -> VisitError {
    match refused {
        NotAdmitted::Paused(left) => paused(left),
        NotAdmitted::Occupied => VisitError::Occupied,
        NotAdmitted::TooMany => VisitError::Busy,
    }
}

fn paused(left: Duration) -> VisitError {
    VisitError::Paused { minutes: left.as_secs().div_ceil(60) }
}
