//! Whether a stream is being worked on, and until when.
//!
//! A window that comes again is laid out in the zone's own days: it takes place on the days on which it begins, between
//! two readings of the local clock. Where the clock is changed, [`begin_at`] and [`end_at`] say what a reading means; a
//! window that lies as a whole in an hour that is jumped over does not take place.

use std::sync::Arc;

use jiff::civil::Date;
use jiff::{SignedDuration, Span, Timestamp};

use crate::model::maintenance::{begin_at, end_at};
use crate::model::{Stream, When, Window};

/// Windows that follow each other without a gap are followed no further than this. All that recur come again within a
/// week, so what reaches so far is without end.
const HORIZON: SignedDuration = SignedDuration::from_hours(35 * 24);

/// Days around the local day of an instant on which a window may begin that is not over then: a window is not longer
/// than a day, and where clocks are turned back over midnight a day begins twice.
const BEFORE: i64 = 2;
const AFTER: i64 = 2;

/// Days within which a window begins again: a week, and another one when the first time falls into a missing hour.
const AHEAD: i64 = 16;

/// The end of the maintenance in which the stream is at `now`, or `None` when it is in none. Windows that overlap or
/// touch are one; maintenance without end (every day from 0:00 to 24:00) is told to end in some weeks.
pub fn until(windows: &[Window], stream: &Stream, now: Timestamp) -> Option<Timestamp> {
    let windows: Vec<&Window> = windows.iter().filter(|window| window.scope.covers(stream)).collect();
    let horizon = now.checked_add(HORIZON).unwrap_or(Timestamp::MAX);
    let mut end = now;
    while end < horizon {
        let covering = windows.iter().flat_map(|window| occurrences(&window.when, end, BEFORE, AFTER));
        match covering.filter(|one| one.begin <= end && end < one.end).map(|one| one.end).max() {
            Some(later) => end = later,
            None => break,
        }
    }
    (end > now).then_some(end)
}

/// The next instant after `now` at which a window of any of these streams begins or ends; `None` when there is none any
/// more. Nothing changes before it; with windows that overlap, nothing may change at it either.
pub fn next_change(windows: &[Window], streams: &[Arc<Stream>], now: Timestamp) -> Option<Timestamp> {
    let meant = windows.iter().filter(|window| streams.iter().any(|stream| window.scope.covers(stream)));
    meant
        .flat_map(|window| occurrences(&window.when, now, BEFORE, AHEAD))
        .flat_map(|one| [one.begin, one.end])
        .filter(|instant| *instant > now)
        .min()
}

/// One time that a window takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Occurrence {
    begin: Timestamp,
    end: Timestamp,
}

/// Those that begin on the local days around `at`, from so many days before to so many after.
fn occurrences(when: &When, at: Timestamp, before: i64, after: i64) -> Vec<Occurrence> {
    let (days, from, to, zone) = match when {
        When::Once { from, to } => return vec![Occurrence { begin: *from, end: *to }],
        When::Recurring { days, from, to, zone } => (days, *from, *to, zone),
    };
    let today = zone.to_datetime(at).date();
    let occurrence = |day: Date| {
        let last = if to > from { day } else { day.tomorrow().ok()? };
        let one =
            Occurrence { begin: begin_at(zone, day.to_datetime(from))?, end: end_at(zone, last.to_datetime(to))? };
        (one.begin < one.end).then_some(one)
    };
    (-before..=after)
        .filter_map(|offset| today.checked_add(Span::new().days(offset)).ok())
        .filter(|day| days.contains(day.weekday()))
        .filter_map(occurrence)
        .collect()
}

#[cfg(test)]
mod tests;
