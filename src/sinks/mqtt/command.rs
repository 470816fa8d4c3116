//! What may be asked of us over the broker, and how often. Everybody who may write there is believed, so it is little:
//! a probe, and the announcement of work.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::time::Instant;

use crate::model::StreamId;

/// Between two commands to one stream.
const EACH: Duration = Duration::from_secs(5);
/// Commands to all streams together: so many at once, and one more after each of these times.
const BURST: u32 = 20;
const ALL: Duration = Duration::from_millis(200);
/// Longest announced work: a week. What is planned for longer has its place in the configuration.
const MAX_MINUTES: u32 = 7 * 24 * 60;
const MAX_NOTE_CHARS: usize = 500;

/// What is announced on `…/maintenance`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// It begins now and lasts this long.
    Begins { until: Timestamp, note: Option<String> },
    /// It is over.
    Ends,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Announcement {
    minutes: u32,
    note: Option<String>,
}

impl Work {
    /// Reads `60` (minutes), `{"minutes": 60, "note": "new lens"}`, or `off`.
    ///
    /// # Errors
    /// What is wrong with it, and the next step. The payload is not shown.
    pub(super) fn read(payload: &[u8], now: Timestamp) -> Result<Self, String> {
        let text = std::str::from_utf8(payload).map_err(|_| "is no text; send minutes, or off".to_owned())?.trim();
        if matches!(text.to_ascii_lowercase().as_str(), "off" | "0") {
            return Ok(Self::Ends);
        }
        let announcement = match text.parse() {
            Ok(minutes) => Announcement { minutes, note: None },
            Err(_) => serde_json::from_str(text)
                .map_err(|_| r#"is none of 60, {"minutes": 60, "note": "…"} and off"#.to_owned())?,
        };
        if announcement.minutes == 0 || announcement.minutes > MAX_MINUTES {
            return Err(format!("names {} minutes; send 1 to {MAX_MINUTES}", announcement.minutes));
        }
        let until = now
            .checked_add(SignedDuration::from_mins(i64::from(announcement.minutes)))
            .map_err(|_| "ends after the end of time".to_owned())?;
        let note = announcement.note.map(|note| note.chars().take(MAX_NOTE_CHARS).collect());
        Ok(Self::Begins { until, note })
    }
}

/// How often commands are obeyed.
#[derive(Debug)]
pub(super) struct Pace {
    newest: HashMap<StreamId, Instant>,
    /// The moment up to which the commands of all streams have used up their share.
    used_until: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { newest: HashMap::new(), used_until: now }
    }

    /// Whether a command to this stream may be obeyed now.
    pub(super) fn allows(&mut self, stream: &StreamId, now: Instant) -> bool {
        self.newest.retain(|_, at| now.duration_since(*at) < EACH);
        let used = self.used_until.saturating_duration_since(now);
        if self.newest.contains_key(stream) || used + ALL > ALL * BURST {
            return false;
        }
        self.used_until = self.used_until.max(now) + ALL;
        self.newest.insert(stream.clone(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announced_work_is_minutes_or_an_object_or_off() {
        let now: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
        let read = |payload: &[u8]| Work::read(payload, now);
        let until = "2026-11-26T13:00:00Z".parse().unwrap();
        assert_eq!(read(b"60\n"), Ok(Work::Begins { until, note: None }));
        let note = Some("new lens".to_owned());
        assert_eq!(read(br#"{"minutes": 60, "note": "new lens"}"#), Ok(Work::Begins { until, note }));
        for off in [&b"off"[..], b"OFF", b" 0 "] {
            assert_eq!(read(off), Ok(Work::Ends));
        }
        for bad in
            [&b""[..], b"on", b"-5", b"\xff", b"10081", b"1e9", br#"{"minutes": 0}"#, br#"{"hours": 1}"#, b"[60]"]
        {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_stream_is_asked_every_five_seconds_and_all_of_them_five_times_a_second() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        let stream = |i: u32| StreamId::new(&format!("s{i}")).unwrap();
        assert!(pace.allows(&stream(0), now));
        assert!(!pace.allows(&stream(0), now + Duration::from_millis(4_999)));
        assert!(pace.allows(&stream(0), now + EACH));
        let later = now + Duration::from_secs(60);
        assert_eq!((0..100).filter(|i| pace.allows(&stream(*i), later)).count(), 20);
        let allowed = (100..200).filter(|i| pace.allows(&stream(*i), later + Duration::from_secs(1))).count();
        assert_eq!(allowed, 5);
    }
}
