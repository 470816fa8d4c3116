//! A month of the calendar, and from when to when it is somewhere.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};

/// A month of the years 1970 to 9999, as a calendar on the wall has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(Date);

impl Month {
    /// Reads `2026-11`, exactly so.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |index: usize, byte: u8| if index == 4 { byte == b'-' } else { byte.is_ascii_digit() };
        if text.len() != 7 || !text.bytes().enumerate().all(|(index, byte)| is_digit(index, byte)) {
            return None;
        }
        let (year, month) = (text[..4].parse().ok()?, text[5..].parse().ok()?);
        Date::new(year, month, 1).ok().filter(|first| first.year() >= 1970).map(Self)
    }

    /// The month that a moment falls into in a time zone.
    pub fn of(at: Timestamp, zone: &TimeZone) -> Self {
        Self(at.to_zoned(zone.clone()).date().first_of_month())
    }

    /// Its first moment in a time zone, and that of the next month. A month in which the clock is changed is an hour
    /// shorter or longer. `None` where the calendar of this machine ends.
    pub fn bounds(self, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        // Where midnight itself is skipped, the day begins with its first moment.
        let start = |date: Date| date.to_zoned(zone.clone()).ok().map(|start| start.timestamp());
        Some((start(self.0)?, start(self.next()?.0)?))
    }

    /// The month after it.
    pub fn next(self) -> Option<Self> {
        self.0.last_of_month().tomorrow().ok().map(Self)
    }

    /// The month before it.
    pub fn previous(self) -> Option<Self> {
        self.0.yesterday().ok().map(|last| Self(last.first_of_month()))
    }

    /// True when it is a month of this year.
    pub fn is_of_year(self, year: i16) -> bool {
        self.0.year() == year
    }

    /// For a heading: `November 2026`.
    pub fn in_words(self) -> String {
        self.0.strftime("%B %Y").to_string()
    }
}

/// `2026-11`.
impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.year(), self.0.month())
    }
}

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(month: &str, zone: &str) -> i64 {
        let zone = TimeZone::get(zone).unwrap();
        let (from, to) = Month::parse(month).unwrap().bounds(&zone).unwrap();
        assert_eq!(Month::of(from, &zone).to_string(), month);
        assert_ne!(Month::of(to, &zone).to_string(), month);
        to.duration_since(from).as_hours()
    }

    #[test]
    fn only_months_are_months() {
        for bad in [
            "", "2026", "2026-13", "2026-00", "2026-1", "2026-011", "1969-12", "+026-11", "2026-+1", "2026/11",
            "２026-1",
        ] {
            assert_eq!(Month::parse(bad), None, "{bad}");
        }
        let month = Month::parse("2026-12").unwrap();
        assert_eq!((month.to_string(), month.in_words()), ("2026-12".to_owned(), "December 2026".to_owned()));
        assert_eq!(month.next().unwrap().to_string(), "2027-01");
        assert_eq!(Month::parse("2026-01").unwrap().previous().unwrap().to_string(), "2025-12");
        assert_eq!(Month::parse("9999-12").unwrap().bounds(&TimeZone::UTC), None);
    }

    #[test]
    fn the_clock_is_changed_in_some_months() {
        assert_eq!(hours("2026-03", "Europe/Berlin"), 743);
        assert_eq!(hours("2026-10", "Europe/Berlin"), 745);
        assert_eq!(hours("2026-11", "Europe/Berlin"), 720);
        assert_eq!(hours("2026-02", "Asia/Kolkata"), 672);
        let kolkata = TimeZone::get("Asia/Kolkata").unwrap();
        let (from, _) = Month::parse("2026-02").unwrap().bounds(&kolkata).unwrap();
        assert_eq!(from.to_string(), "2026-01-31T18:30:00Z");
    }

    #[test]
    fn a_month_may_begin_after_midnight() {
        // Paraguay went to summer time in the first moment of October 2017.
        let zone = TimeZone::get("America/Asuncion").unwrap();
        let (from, _) = Month::parse("2017-10").unwrap().bounds(&zone).unwrap();
        assert_eq!(from.to_zoned(zone).strftime("%d %H:%M").to_string(), "01 01:00");
    }
}
