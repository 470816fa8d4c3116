//! Whether a stream's picture stands still while its clock runs on.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::look::{GRAIN_SAMPLES, Samples};
use crate::model::{Look, StreamClock};

/// Luma by which a sample must differ to have moved.
const MOVED_LUMA: u8 = 2;

/// A picture is the same when fewer samples moved than this: a clock in a corner of it may run on.
const MOVED_SAMPLES: usize = GRAIN_SAMPLES * 3 / 200;

/// A picture with less contrast than this may well be the same twice: it is not called frozen.
const FLAT_LUMA: u8 = 24;

/// So long must a picture have stood: a server that keeps its last keyframe for whoever joins sends the same one until the
/// next comes, which is seconds, and some give it a new RTP time for each.
const STANDS: Duration = Duration::from_secs(60);

/// The picture before, and how long it has stood.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Stillness {
    grain: Option<Samples<GRAIN_SAMPLES>>,
    clock: StreamClock,
    /// How often in a row a picture was the same as the one before.
    same_in_row: u32,
}

impl Stillness {
    /// Holds a picture against the one before.
    pub(super) fn see(&mut self, look: &Look) {
        if look.clock == StreamClock::None {
            // The same picture twice may be the same moment twice.
            *self = Self::default();
            return;
        }
        let stands =
            self.grain.as_ref().is_some_and(|grain| moved(grain.as_slice(), look.grain.as_slice()) < MOVED_SAMPLES);
        let same_time = matches!(look.clock, StreamClock::Rtp(_)) && look.clock == self.clock;
        if stands && same_time {
            // The very picture of before, kept by the camera for whoever joins: it says nothing.
            return;
        }
        let same = stands && look.luma_range() >= FLAT_LUMA;
        self.same_in_row = if same { self.same_in_row.saturating_add(1) } else { 0 };
        (self.grain, self.clock) = (Some(look.grain.clone()), look.clock);
    }

    /// True when so many pictures in a row were the same, and for as long as [`STANDS`].
    pub(super) fn is_frozen(&self, pictures: u32, heartbeat: Duration) -> bool {
        let intervals = STANDS.as_millis().div_ceil(heartbeat.as_millis().max(1));
        let intervals = u32::try_from(intervals).unwrap_or(u32::MAX);
        self.same_in_row >= pictures.saturating_sub(1).max(intervals).max(1)
    }
}

fn moved(before: &[u8], now: &[u8]) -> usize {
    before.iter().zip(now).filter(|(a, b)| a.abs_diff(**b) >= MOVED_LUMA).count()
}
