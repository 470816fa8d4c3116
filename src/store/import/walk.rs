//! From the rows of one table to heartbeats and spans, row by row and without a look at our own database.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::contents::OldRow;
use super::time;
use super::verdict::{health, verdict};
use crate::model::{Health, Heartbeat, Reason, Span};

/// How long a row speaks for the time after it: the longest back-off of the original is 90 s, its probe and the wait for
/// its turn come on top. What is longer was watched by nobody.
const HOLDS_MS: i64 = 180_000;

/// A time so far ahead of this machine's clock comes of a clock that was wrong.
const AHEAD_MS: i64 = 60_000;

/// When rows go back so far, those before them came of a clock that was wrong.
const WRONG_CLOCK_MS: i64 = 25 * 3_600_000;

/// What of the rows is wanted.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Zone of times without an offset.
    pub(super) zone: TimeZone,
    pub(super) now_ms: i64,
    /// Rows from then on are kept one by one.
    pub(super) heartbeats_from_ms: i64,
    /// Rows from then on are counted.
    pub(super) rollups_from_ms: i64,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// No time, or one that is to come.
    Unreadable,
    /// Older than what is kept.
    TooOld,
    Sample(Sample),
}

/// A row that counts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) heartbeat: Heartbeat,
    /// Young enough to be kept one by one.
    pub(super) raw: bool,
    /// Not before any row before it, so that what is counted at this time already was not counted by this table.
    pub(super) forward: bool,
    /// The time since the row before, as far as that one speaks for it.
    pub(super) span: Option<Span>,
    /// The original called it ok.
    pub(super) was_ok: bool,
}

/// Where the walk is.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    limits: Limits,
    previous: Option<(i64, Health)>,
    latest_ms: Option<i64>,
}

impl Walk {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, previous: None, latest_ms: None }
    }

    /// Takes the next row.
    pub(super) fn step(&mut self, row: &OldRow) -> Step {
        let Some(at_ms) = time::parse(&row.ts, &self.limits.zone, self.previous.map(|(ms, _)| ms)) else {
            return Step::Unreadable;
        };
        let Ok(at) = Timestamp::from_millisecond(at_ms) else { return Step::Unreadable };
        if at_ms > self.limits.now_ms + AHEAD_MS {
            return Step::Unreadable;
        }
        let (stage, reason) = verdict(&row.status, &row.message);
        let health = health(reason);
        let previous = self.previous.replace((at_ms, health));
        let latest_ms = self.latest_ms.filter(|latest| at_ms >= latest - WRONG_CLOCK_MS);
        let forward = latest_ms.is_none_or(|latest| at_ms >= latest);
        self.latest_ms = Some(latest_ms.map_or(at_ms, |latest| latest.max(at_ms)));
        if at_ms < self.limits.rollups_from_ms {
            return Step::TooOld;
        }
        Step::Sample(Sample {
            heartbeat: Heartbeat { at, reason, stage, latency_ms: row.latency_ms, health },
            raw: at_ms >= self.limits.heartbeats_from_ms,
            forward,
            span: previous.and_then(|(from_ms, health)| self.span(from_ms, at_ms, health)),
            was_ok: row.status.trim().eq_ignore_ascii_case("ok"),
        })
    }

    /// The last row of all speaks for no time: nobody knows yet when the next one comes.
    fn span(&self, from_ms: i64, to_ms: i64, health: Health) -> Option<Span> {
        let to_ms = to_ms.min(from_ms + HOLDS_MS);
        let from_ms = from_ms.max(self.limits.rollups_from_ms);
        let (from, to) = (Timestamp::from_millisecond(from_ms).ok()?, Timestamp::from_millisecond(to_ms).ok()?);
        (from_ms < to_ms).then_some(Span { health, from, to })
    }
}

/// True when a row that the original called ok is none for us.
pub(super) fn is_ok_no_more(sample: &Sample) -> bool {
    sample.was_ok && sample.heartbeat.reason != Reason::Ok
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 24 * 3_600_000;
    const NOW_MS: i64 = 1_760_011_200_000;

    fn walk() -> Walk {
        Walk::new(Limits {
            zone: TimeZone::UTC,
            now_ms: NOW_MS,
            heartbeats_from_ms: NOW_MS - DAY_MS,
            rollups_from_ms: NOW_MS - 10 * DAY_MS,
        })
    }

    fn row(seconds_ago: i64, status: &str, message: &str) -> OldRow {
        let ts = Timestamp::from_millisecond(NOW_MS - seconds_ago * 1000).unwrap().to_string();
        OldRow { id: 1, ts, status: status.into(), latency_ms: 7, message: message.into() }
    }

    fn sample(step: Step) -> Sample {
        match step {
            Step::Sample(sample) => sample,
            other => panic!("{other:?}"),
        }
    }

    fn seconds(sample: &Sample) -> Option<(Health, i64, i64)> {
        let ago = |at: Timestamp| (NOW_MS - at.as_millisecond()) / 1000;
        sample.span.map(|span| (span.health, ago(span.from), ago(span.to)))
    }

    #[test]
    fn a_row_holds_until_the_next_and_three_minutes_at_most() {
        let mut walk = walk();
        assert_eq!(seconds(&sample(walk.step(&row(1000, "ok", "RTSP 200")))), None);
        assert_eq!(seconds(&sample(walk.step(&row(985, "fail", "timeout")))), Some((Health::Up, 1000, 985)));
        assert_eq!(seconds(&sample(walk.step(&row(600, "ok", "RTSP 200")))), Some((Health::Down, 985, 805)));
    }

    #[test]
    fn a_clock_that_goes_back_counts_no_time_twice() {
        let mut walk = walk();
        walk.step(&row(1000, "ok", "RTSP 200"));
        let back = sample(walk.step(&row(1010, "ok", "RTSP 200")));
        assert_eq!((back.forward, seconds(&back)), (false, None));
        // The store cuts off what is counted already.
        let on = sample(walk.step(&row(995, "ok", "RTSP 200")));
        assert_eq!((on.forward, seconds(&on)), (true, Some((Health::Up, 1010, 995))));
        // A clock that was two days ahead.
        let corrected = sample(walk.step(&row(995 + 2 * 86_400, "ok", "RTSP 200")));
        assert!(corrected.forward);
    }

    #[test]
    fn old_and_unreadable_rows_are_told_apart() {
        let mut walk = walk();
        assert_eq!(walk.step(&row(-3600, "ok", "RTSP 200")), Step::Unreadable);
        assert_eq!(walk.step(&OldRow { ts: "soon".into(), ..row(0, "ok", "") }), Step::Unreadable);
        assert_eq!(walk.step(&row(10 * 86_400 + 5, "ok", "RTSP 200")), Step::TooOld);
        let first = sample(walk.step(&row(10 * 86_400 - 5, "ok", "RTSP 401 Unauthorized")));
        assert_eq!(seconds(&first), Some((Health::Up, 10 * 86_400, 10 * 86_400 - 5)));
        assert!(!first.raw && is_ok_no_more(&first));
        assert!(sample(walk.step(&row(86_400, "ok", "RTSP 200"))).raw);
    }
}
