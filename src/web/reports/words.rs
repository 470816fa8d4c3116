//! Numbers as people write them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::Month;

/// Between a number and its unit: they stay on one line.
const NBSP: char = '\u{a0}';

/// `99.95 %`, `–` of nothing. Always rounded down, so that what is not whole never looks whole.
pub(super) fn percent(part: u64, whole: u64) -> String {
    match hundredths(part, whole, 100) {
        None => "–".to_owned(),
        Some(0) if part > 0 => format!("<{NBSP}0.01{NBSP}%"),
        Some(0) => format!("0{NBSP}%"),
        Some(10_000) => format!("100{NBSP}%"),
        Some(value) => format!("{}.{:02}{NBSP}%", value / 100, value % 100),
    }
}

/// The same for a program: four decimals at most, `None` of nothing.
#[expect(clippy::cast_precision_loss, reason = "a million at most")]
pub(super) fn percent_number(part: u64, whole: u64) -> Option<f64> {
    hundredths(part, whole, 10_000).map(|value| value as f64 / 10_000.0)
}

/// Percent times `scale`, rounded down. In whole numbers: as a float, 99.9999999 may be 100.
fn hundredths(part: u64, whole: u64, scale: u64) -> Option<u64> {
    let value = (u128::from(part) * 100 * u128::from(scale)).checked_div(u128::from(whole))?;
    u64::try_from(value).ok()
}

/// Seconds for a program, to the millisecond.
#[expect(clippy::cast_precision_loss, reason = "milliseconds below 2^52")]
pub(super) fn seconds(duration: Duration) -> f64 {
    // Not as_secs_f64: it adds two floats, and 6.403 becomes 6.4030000000000005.
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX) as f64 / 1000.0
}

/// `3 h 12 min`: the two largest units that say something.
pub(super) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds == 0 {
        return if duration.is_zero() { format!("0{NBSP}s") } else { format!("<{NBSP}1{NBSP}s") };
    }
    let units = [("d", 86_400, 3_600), ("h", 3_600, 60), ("min", 60, 1), ("s", 1, 1)];
    let smaller = ["h", "min", "s", "s"];
    let Some(index) = units.iter().position(|(_, size, _)| seconds >= *size) else { return String::new() };
    let (unit, size, next) = units[index];
    let rest = seconds % size / next;
    let first = format!("{}{NBSP}{unit}", seconds / size);
    if rest == 0 { first } else { format!("{first}{NBSP}{rest}{NBSP}{}", smaller[index]) }
}

/// `22 Nov 2026, 12:43`, local time.
pub(super) fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%-d %b %Y, %H:%M").to_string()
}

/// `22 Nov, 12:43`, local time, in the report of a month of the same year; else with the year.
pub(super) fn short_moment(at: Timestamp, zone: &TimeZone, month: Month) -> String {
    let local = at.to_zoned(zone.clone());
    let format = if month.is_of_year(local.year()) { "%-d %b, %H:%M" } else { "%-d %b %Y, %H:%M" };
    local.strftime(format).to_string().replace(' ', "\u{a0}")
}

/// The end of what began at `from`: `14:05` on the same day, else as [`short_moment`].
pub(super) fn end_moment(from: Timestamp, to: Timestamp, zone: &TimeZone, month: Month) -> String {
    let (from, end) = (from.to_zoned(zone.clone()), to.to_zoned(zone.clone()));
    if from.date() == end.date() { end.strftime("%H:%M").to_string() } else { short_moment(to, zone, month) }
}

/// `1 incident`, `2 incidents`.
pub(super) fn counted(count: usize, word: &str) -> String {
    format!("{count}{NBSP}{word}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_rounded_up() {
        let plain = |part, whole| percent(part, whole).replace(NBSP, " ");
        assert_eq!(plain(1, 1), "100 %");
        assert_eq!(plain(2_592_000_000, 2_592_000_000), "100 %");
        assert_eq!(plain(2_591_999_999, 2_592_000_000), "99.99 %", "a millisecond down");
        assert_eq!(plain(9_995, 10_000), "99.95 %");
        assert_eq!(plain(999, 1_000), "99.90 %");
        assert_eq!(plain(1, 3), "33.33 %");
        assert_eq!((plain(0, 5), plain(1, 1_000_000), plain(0, 0)), ("0 %".into(), "< 0.01 %".into(), "–".to_owned()));
        assert_eq!(percent_number(2_591_999_999, 2_592_000_000), Some(99.9999));
        assert_eq!(
            (percent_number(1, 1), percent_number(1, 3), percent_number(0, 0)),
            (Some(100.0), Some(33.3333), None)
        );
    }

    #[test]
    fn durations_are_written_as_people_do() {
        let plain = |millis| duration(Duration::from_millis(millis)).replace(NBSP, " ");
        let written = [
            (0, "0 s"),
            (400, "< 1 s"),
            (42_900, "42 s"),
            (60_000, "1 min"),
            (61_000, "1 min 1 s"),
            (11_520_000, "3 h 12 min"),
            (3_600_000, "1 h"),
            (3_630_000, "1 h"),
            (86_400_000, "1 d"),
            (190_800_000, "2 d 5 h"),
        ];
        for (millis, text) in written {
            assert_eq!(plain(millis), text);
        }
    }

    #[test]
    fn seconds_have_no_noise() {
        let text = |millis| seconds(Duration::from_millis(millis)).to_string();
        assert_eq!(
            (text(6_403), text(3_600_000), text(59_310_526)),
            ("6.403".into(), "3600".into(), "59310.526".to_owned())
        );
    }

    #[test]
    fn times_are_local() {
        let zone = TimeZone::get("Asia/Kolkata").unwrap();
        let [at, later, next_day] = ["2026-11-30T20:05:00Z", "2026-12-01T18:29:00Z", "2026-12-01T18:30:00Z"];
        let [at, later, next_day] = [at, later, next_day].map(|text| text.parse::<Timestamp>().unwrap());
        let [month, next_year] = ["2026-11", "2027-01"].map(|text| Month::parse(text).unwrap());
        assert_eq!(moment(at, &zone), "1 Dec 2026, 01:35");
        assert_eq!(short_moment(at, &zone, month).replace(NBSP, " "), "1 Dec, 01:35");
        assert_eq!(short_moment(at, &zone, next_year).replace(NBSP, " "), "1 Dec 2026, 01:35");
        assert_eq!(end_moment(at, later, &zone, month), "23:59");
        assert_eq!(end_moment(at, next_day, &zone, month).replace(NBSP, " "), "2 Dec, 00:00");
    }
}
