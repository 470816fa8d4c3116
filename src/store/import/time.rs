//! The times of the original: what Python's `datetime.isoformat()` writes, with an offset, or without one in old versions.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// So far the times of rows in order may go back at any hour: the original asked a time server for each, which told whole
/// seconds, and took its own clock when there was no answer.
const SLACK_MS: i64 = 5_000;

/// Milliseconds since 1970 of a time, or `None` when it is none. `zone` is that of a time without an offset; the hour
/// that comes twice when clocks are set back is then the one that does not go back behind `previous`.
pub(super) fn parse(text: &str, zone: &TimeZone, previous_ms: Option<i64>) -> Option<i64> {
    let text = text.trim();
    // A date alone is a time for the parser; it is none of a probe.
    if text.len() < "2025-11-03T18:04".len() {
        return None;
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_millisecond());
    }
    let time: DateTime = text.parse().ok()?;
    let ambiguous = zone.to_ambiguous_timestamp(time);
    let folded = matches!(ambiguous.offset(), AmbiguousOffset::Fold { .. });
    let earlier = ambiguous.compatible().ok()?.as_millisecond();
    if !folded {
        return Some(earlier);
    }
    let later = ambiguous.later().ok()?.as_millisecond();
    let goes_back = previous_ms.is_some_and(|previous| earlier < previous - SLACK_MS);
    Some(if goes_back { later } else { earlier })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn read(text: &str, zone_name: &str) -> Option<String> {
        parse(text, &zone(zone_name), None).map(|ms| Timestamp::from_millisecond(ms).unwrap().to_string())
    }

    #[test]
    fn every_form_is_read() {
        let cases = [
            ("2025-11-03T18:04:05+05:30", "2025-11-03T12:34:05Z"),
            ("2025-11-03T18:04:05.123456+05:30", "2025-11-03T12:34:05.123Z"),
            ("2025-11-03 18:04:05.5-08:00", "2025-11-04T02:04:05.5Z"),
            ("2025-11-03T18:04:05Z", "2025-11-03T18:04:05Z"),
            ("2025-11-03T18:04:05+00:00", "2025-11-03T18:04:05Z"),
            ("2025-11-03T18:04:05", "2025-11-03T12:34:05Z"),
            (" 2025-11-03 18:04:05.25 ", "2025-11-03T12:34:05.25Z"),
            ("2025-11-03T18:04", "2025-11-03T12:34:00Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text, "Asia/Kolkata").as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in
            ["", "never", "2025-11-03", "1762171445", "2025-13-03T18:04:05", "2025-11-03T18:04:05 or so", "None"]
        {
            assert_eq!(read(text, "UTC"), None, "{text}");
        }
    }

    #[test]
    fn an_offset_decides_in_the_hour_that_comes_twice() {
        assert_eq!(read("2025-10-26T02:30:00+02:00", "Europe/Berlin").unwrap(), "2025-10-26T00:30:00Z");
        assert_eq!(read("2025-10-26T02:30:00+01:00", "Europe/Berlin").unwrap(), "2025-10-26T01:30:00Z");
    }

    #[test]
    fn without_an_offset_the_order_of_the_rows_decides() {
        let berlin = zone("Europe/Berlin");
        let mut previous = None;
        let mut read = |text: &str| {
            previous = parse(text, &berlin, previous);
            Timestamp::from_millisecond(previous.unwrap()).unwrap().to_string()
        };
        assert_eq!(read("2025-10-26T01:59:50"), "2025-10-25T23:59:50Z");
        assert_eq!(read("2025-10-26T02:00:05"), "2025-10-26T00:00:05Z");
        assert_eq!(read("2025-10-26T02:00:04.5"), "2025-10-26T00:00:04.5Z");
        assert_eq!(read("2025-10-26T02:59:50"), "2025-10-26T00:59:50Z");
        assert_eq!(read("2025-10-26T02:00:05"), "2025-10-26T01:00:05Z");
        assert_eq!(read("2025-10-26T02:00:20"), "2025-10-26T01:00:20Z");
        assert_eq!(read("2025-10-26T02:59:50"), "2025-10-26T01:59:50Z");
        assert_eq!(read("2025-10-26T03:00:05"), "2025-10-26T02:00:05Z");
        // An hour that never was: as if the clock had not been set forward yet.
        assert_eq!(read("2026-03-29T02:30:00"), "2026-03-29T01:30:00Z");
    }
}
