//! A stream that comes and goes: its transitions are recorded as ever and announced no more.

use crate::model::{Flap, Health, HealthState, Verdict};

/// Heartbeats that are looked at; one fewer changes lie between them.
pub const WINDOW: u32 = 21;

/// From this many changes of the verdict on a stream is flapping: 30 % of those that the window has room for.
const STARTS: u32 = 6;

/// With so few it is not any more: 20 %. The gap keeps flapping itself from flapping.
const ENDS: u32 = 4;

/// Counts the verdict of a heartbeat. One without a verdict says nothing of the camera and is passed over.
pub fn count(flap: &mut Flap, verdict: Option<Verdict>) {
    let Some(verdict) = verdict else { return };
    let changed = flap.last.replace(verdict).is_some_and(|last| last != verdict);
    flap.changes = (flap.changes << 1 | u32::from(changed)) & ((1 << (WINDOW - 1)) - 1);
    let changes = flap.changes.count_ones();
    flap.active = if flap.active { changes > ENDS } else { changes >= STARTS };
}

/// The share of changes over the last [`WINDOW`] heartbeats, 0 to 1.
pub fn share(flap: &Flap) -> f64 {
    f64::from(flap.changes.count_ones()) / f64::from(WINDOW - 1)
}

/// What is to be announced of a state, and notes that it was. While the stream is flapping, nothing but that it became
/// unknown or is worked on.
pub fn announce(state: &mut HealthState) -> Option<(Health, Health)> {
    let before = state.flap.announced;
    let is_muted = state.flap.active && !matches!(state.health, Health::Unknown | Health::Maintenance);
    if is_muted || before == state.health {
        return None;
    }
    state.flap.announced = state.health;
    Some((before, state.health))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `active` after each verdict of `text`: g good, p poor, n none, . no verdict.
    fn run(text: &str) -> String {
        let mut flap = Flap::default();
        let verdict = |c| match c {
            'g' => Some(Verdict::Good),
            'p' => Some(Verdict::Poor),
            'n' => Some(Verdict::None),
            _ => None,
        };
        text.chars()
            .map(|c| {
                count(&mut flap, verdict(c));
                if flap.active { 'F' } else { '-' }
            })
            .collect()
    }

    #[test]
    fn six_changes_in_twenty_one_heartbeats_begin_it_and_four_end_it() {
        assert_eq!(run("gngngngg"), "------FF");
        assert_eq!(run("gpgpgp."), "-------");
        assert_eq!(run("gnnngggnnngggnnngggg"), "----------------FFFF");
        // Six changes, then quiet: the first two leave the window after twenty-one heartbeats.
        let quiet = format!("gngngng{}", "g".repeat(20));
        assert_eq!(run(&quiet), format!("------{}-----", "F".repeat(16)));
        // What says nothing of the camera is passed over.
        assert_eq!(run("g.n.g.n.g.n.g"), "------------F");
    }
}
