//! What each stage of a probe took.

use std::time::Instant;

use crate::model::{Phases, Stage};

/// When each stage began.
pub struct Timeline {
    phases: Phases,
    /// The stage that is in progress.
    pub current: Stage,
    since: Instant,
}

impl Timeline {
    /// Resolving begins now.
    pub fn new() -> Self {
        Self { phases: Phases::default(), current: Stage::Resolve, since: Instant::now() }
    }

    /// A stage begins, and the one before has ended.
    pub fn begin(&mut self, stage: Stage, at: Instant) {
        self.phases.add(self.current, at.saturating_duration_since(self.since));
        self.current = stage;
        self.since = at;
    }

    /// The last one ends: the time of each.
    pub fn finish(&mut self, at: Instant) -> Phases {
        self.phases.add(self.current, at.saturating_duration_since(self.since));
        self.phases
    }
}
