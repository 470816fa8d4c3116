//! What is told of a verdict to whoever waits in the outbox.

use jiff::Timestamp;

use crate::health::Step;
use crate::model::{HealthState, Notice, ProbeReport, StreamId, Transition};

/// Notices, and transitions, that the store did not take: they go with the stream's next record, so that each comes and
/// in order.
#[derive(Debug, Default)]
pub(super) struct Untold {
    pub(super) transitions: Vec<Transition>,
    pub(super) notices: Vec<Notice>,
}

/// Of each stream; with a change every few heartbeats, that is a disk which was full for hours.
const MAX_UNTOLD: usize = 200;

impl Untold {
    /// Keeps what was not stored, but for the oldest when there is too much.
    pub(super) fn of(mut transitions: Vec<Transition>, mut notices: Vec<Notice>) -> Self {
        if notices.len() > MAX_UNTOLD {
            tracing::warn!("the database has taken nothing for too long: the oldest events of a stream are dropped");
        }
        transitions.drain(..transitions.len().saturating_sub(MAX_UNTOLD));
        notices.drain(..notices.len().saturating_sub(MAX_UNTOLD));
        Self { transitions, notices }
    }
}

/// Of the steps from one state to the next. `message`: what was seen, without addresses; asked for a change only.
pub(super) fn of_steps(
    stream: &StreamId,
    before: &HealthState,
    steps: &[Step],
    report: Option<&ProbeReport>,
    message: impl Fn() -> String,
    at: Timestamp,
) -> Vec<Notice> {
    let mut notices = Vec::new();
    let mut was = before;
    for step in steps {
        if let Some((from, to)) = step.transition {
            notices.push(Notice::Transition {
                stream: stream.clone(),
                at,
                from,
                to,
                reason: step.state.reason,
                issues: report.map(|report| report.issues().to_vec()).unwrap_or_default(),
                message: message(),
                announced: step.announce == step.transition,
            });
        }
        let is_late = step.announce.is_some() && step.announce != step.transition;
        if was.flap.active != step.state.flap.active || is_late {
            let (from, to) = step.announce.unwrap_or((step.state.flap.announced, step.state.health));
            let active = step.state.flap.active;
            notices.push(Notice::Flapping { stream: stream.clone(), at, active, from, to });
        }
        was = &step.state;
    }
    notices
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::health::{Thresholds, step};
    use crate::model::{Outcome, Reason, Stage};

    /// What is told of these reports, one after the other.
    fn told(reports: &str) -> Vec<String> {
        let at = Timestamp::UNIX_EPOCH;
        let stream = StreamId::new("gate").unwrap();
        let mut state = HealthState::new(at);
        let mut told = Vec::new();
        for c in reports.chars() {
            let report = match c {
                'g' => ProbeReport { outcome: Outcome::Ok, ..failed() },
                _ => failed(),
            };
            let thresholds = Thresholds { failures_to_down: 1, successes_to_up: 1 };
            let next = step(&state, &report, at, thresholds);
            let notices = of_steps(&stream, &state, std::slice::from_ref(&next), Some(&report), String::new, at);
            state = next.state;
            told.extend(notices.into_iter().map(|notice| match notice {
                Notice::Transition { from, to, announced, .. } => {
                    format!("{}→{}{}", from.as_str(), to.as_str(), if announced { "" } else { " (quiet)" })
                }
                Notice::Flapping { active, from, to, .. } => {
                    format!("{} {}→{}", if active { "flaps" } else { "calm" }, from.as_str(), to.as_str())
                }
                other => format!("{other:?}"),
            }));
        }
        told
    }

    fn failed() -> ProbeReport {
        ProbeReport::failed(Stage::Connect, Reason::Unreachable, "", Duration::from_millis(5))
    }

    #[test]
    fn every_change_is_told_and_which_of_them_are_announced() {
        assert_eq!(told("ggn"), ["unknown→up", "up→down"]);
        let flaps = told("gngngng");
        assert_eq!(flaps[flaps.len() - 2..], ["down→up (quiet)", "flaps down→up"]);
        // It stays down, and at last it is calm: what nobody heard before is told with that.
        let calm = told(&format!("gngngngn{}", "n".repeat(20)));
        assert_eq!(calm.last().unwrap(), "calm down→down");
        let calm = told(&format!("gngngng{}", "g".repeat(20)));
        assert_eq!(calm.last().unwrap(), "calm down→up");
    }
}
