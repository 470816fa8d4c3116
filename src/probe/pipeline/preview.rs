//! A live preview's way to its pictures: opened as a probe is, and then followed for as long as somebody watches.

use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use super::receive::{Events, Keyframe, Received, closed, explain, follow, open};
use super::timeline::Timeline;
use super::watch::{Seen, Watch};
use crate::model::{Stage, Transport};
use crate::probe::classify::End;
use crate::probe::exchange::Transcript;
use crate::probe::protocol::Target;

/// How often silence is looked for.
const LOOK: Duration = Duration::from_millis(250);

/// How long one session lasts.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For the first keyframe.
    pub deadline: Instant,
    /// For everything.
    pub until: Instant,
}

/// Opens the camera and stays until it ends, is cancelled, is silent for the target's timeout, or time is up, which counts
/// as cancelled. The access units go to the watch's tap. `on_end` is called before the camera is hung up on.
pub fn show(
    target: &Target,
    transport: Transport,
    limits: Limits,
    transcript: &Arc<Transcript>,
    on_watch: impl FnOnce(&Arc<Watch>),
    on_end: impl FnOnce(&Received),
) -> Received {
    let stay = |events: &Events, watch: &Watch, timeline: &mut Timeline| stay(events, watch, timeline, target, limits);
    open(target, transport, limits.deadline, transcript, on_watch, stay, on_end)
}

fn stay(
    events: &Events,
    watch: &Watch,
    timeline: &mut Timeline,
    target: &Target,
    limits: Limits,
) -> Result<Keyframe, (Stage, End)> {
    follow(events, watch, timeline, target, limits.deadline)?;
    loop {
        match events.recv_timeout(LOOK.min(limits.until.saturating_duration_since(Instant::now()))) {
            Ok((_, Seen::Ended(end))) => return Err((timeline.current, end)),
            Ok((_, Seen::Failed(facts))) => return Err(explain(&facts, watch, target, timeline.current)),
            Ok((_, Seen::EndOfStream)) => return Err((timeline.current, closed(watch))),
            Ok((_, Seen::Begins(_) | Seen::Connected(_) | Seen::Keyframe(_))) => {}
            Err(RecvTimeoutError::Disconnected) => return Err((timeline.current, End::Overloaded)),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let since_media = watch.since_media();
        if since_media.is_none_or(|pause| pause >= target.timeout) {
            return Err((Stage::Keyframe, End::Deadline { since_media }));
        }
        if Instant::now() >= limits.until {
            return Err((timeline.current, End::Cancelled));
        }
    }
}
