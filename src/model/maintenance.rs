//! Announced work: when streams are in `maintenance`, and which.

use jiff::Timestamp;
use jiff::civil::{DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::stream::{Stream, StreamId};

/// A maintenance window: failures of these streams in this time are expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// For people.
    pub name: Option<String>,
    /// Which streams.
    pub scope: Scope,
    /// When.
    pub when: When,
}

/// The streams of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every stream.
    All,
    /// Streams that are named, are in one of the groups, or have one of the tags. With three empty lists it is none at
    /// all, never every stream: that is what is left of a window whose streams were removed.
    Of {
        /// Ids.
        streams: Vec<StreamId>,
        /// Groups, exactly as in the streams.
        groups: Vec<String>,
        /// Tags, exactly as in the streams.
        tags: Vec<String>,
    },
}

impl Scope {
    /// True when the stream is one of these.
    pub fn covers(&self, stream: &Stream) -> bool {
        match self {
            Self::All => true,
            Self::Of { streams, groups, tags } => {
                streams.contains(&stream.id)
                    || stream.group.as_ref().is_some_and(|group| groups.contains(group))
                    || stream.tags.iter().any(|tag| tags.contains(tag))
            }
        }
    }
}

/// The time of a window. It begins at `from` and is over at `to`.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// One time.
    Once {
        /// Begin.
        from: Timestamp,
        /// End, later than the begin.
        to: Timestamp,
    },
    /// On some days of every week.
    Recurring {
        /// The days on which it begins.
        days: Weekdays,
        /// Begin, time of day in the zone.
        from: Time,
        /// End, time of day in the zone; on the next day when it is not later than the begin.
        to: Time,
        /// Whose days and times these are.
        zone: TimeZone,
    },
}

/// A set of days of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weekdays(u8);

impl Weekdays {
    /// No day.
    pub const NONE: Self = Self(0);
    /// Every day.
    pub const ALL: Self = Self(0b111_1111);

    /// These and one more.
    #[must_use]
    pub fn with(self, day: Weekday) -> Self {
        Self(self.0 | Self::bit(day))
    }

    /// True when the day is one of these.
    pub fn contains(self, day: Weekday) -> bool {
        self.0 & Self::bit(day) != 0
    }

    /// True when there is none.
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    fn bit(day: Weekday) -> u8 {
        1 << day.to_monday_zero_offset()
    }
}

impl FromIterator<Weekday> for Weekdays {
    fn from_iter<I: IntoIterator<Item = Weekday>>(days: I) -> Self {
        days.into_iter().fold(Self::NONE, Self::with)
    }
}

/// When a window that begins at this local time begins. Where the clock shows the time twice it is the first; where it
/// jumps over the time it is the jump. `None` outside the years that a [`Timestamp`] knows.
pub fn begin_at(zone: &TimeZone, local: DateTime) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
            offset.to_timestamp(local).ok()
        }
        AmbiguousOffset::Gap { before, .. } => jump(zone, before.to_timestamp(local).ok()?),
    }
}

/// When a window that ends at this local time is over. Where the clock shows the time twice it is the second, so that
/// no window ends early; where it jumps over the time it is the jump. `None` as with [`begin_at`].
pub fn end_at(zone: &TimeZone, local: DateTime) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { after: offset, .. } => {
            offset.to_timestamp(local).ok()
        }
        AmbiguousOffset::Gap { before, .. } => jump(zone, before.to_timestamp(local).ok()?),
    }
}

/// The last change of the clock that is not after `reached`, the instant at which a clock that did not jump would show
/// the time that is jumped over.
fn jump(zone: &TimeZone, reached: Timestamp) -> Option<Timestamp> {
    // What precedes is strictly before, and a time at the very begin of the gap is reached with the jump itself.
    let after = reached.checked_add(jiff::SignedDuration::from_nanos(1)).ok()?;
    zone.preceding(after).next().map(|transition| transition.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        jiff::tz::TimeZoneDatabase::bundled().get(name).unwrap()
    }

    fn instants(zone_name: &str, local: &str) -> (String, String) {
        let (zone, local) = (zone(zone_name), local.parse().unwrap());
        (begin_at(&zone, local).unwrap().to_string(), end_at(&zone, local).unwrap().to_string())
    }

    #[test]
    fn times_that_the_clock_jumps_over_are_the_jump() {
        // Berlin: 02:00 to 03:00 is missing on 2026-03-29; Lord Howe jumps by half an hour, Casablanca backwards to
        // its Ramadan time, so that the jump comes after it.
        for (name, local, instant) in [
            ("Europe/Berlin", "2026-03-29T01:59", "2026-03-29T00:59:00Z"),
            ("Europe/Berlin", "2026-03-29T02:00", "2026-03-29T01:00:00Z"),
            ("Europe/Berlin", "2026-03-29T02:59:59", "2026-03-29T01:00:00Z"),
            ("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00:00Z"),
            ("America/New_York", "2026-03-08T02:30", "2026-03-08T07:00:00Z"),
            ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30:00Z"),
            ("Africa/Casablanca", "2026-03-22T02:30", "2026-03-22T02:00:00Z"),
            // Samoa went over the date line: the whole day is missing.
            ("Pacific/Apia", "2011-12-30T03:00", "2011-12-30T10:00:00Z"),
        ] {
            assert_eq!(instants(name, local), (instant.to_owned(), instant.to_owned()), "{name} {local}");
        }
    }

    #[test]
    fn times_that_the_clock_shows_twice_are_the_first_and_the_second() {
        for (name, local, first, second) in [
            ("Europe/Berlin", "2026-10-25T02:00", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"),
            ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
            ("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00:00Z", "2026-10-25T02:00:00Z"),
            ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"),
            ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"),
            ("Asia/Kolkata", "2026-10-25T02:30", "2026-10-24T21:00:00Z", "2026-10-24T21:00:00Z"),
        ] {
            assert_eq!(instants(name, local), (first.to_owned(), second.to_owned()), "{name} {local}");
        }
    }

    #[test]
    fn a_set_of_days() {
        let days: Weekdays = [Weekday::Monday, Weekday::Sunday].into_iter().collect();
        assert!(days.contains(Weekday::Sunday) && !days.contains(Weekday::Tuesday) && !days.is_empty());
        assert_eq!(Weekday::Monday.cycle_forward().take(7).collect::<Weekdays>(), Weekdays::ALL);
        assert!(Weekdays::NONE.is_empty());
    }

    #[test]
    fn the_ends_of_time_are_no_panic() {
        for local in [DateTime::MIN, DateTime::MAX] {
            for name in ["Europe/Berlin", "Pacific/Apia", "UTC"] {
                let _ = (begin_at(&zone(name), local), end_at(&zone(name), local));
            }
        }
    }
}
