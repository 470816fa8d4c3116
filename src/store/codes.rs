//! The small integers that stand for words in the database. Never change one, never use one again.

use jiff::Timestamp;
use rusqlite::Error;

use crate::model::{Health, Reason, Stage, Verdict};

pub(super) const MS_PER_HOUR: i64 = 3_600_000;

pub(super) fn health_code(health: Health) -> u8 {
    match health {
        Health::Up => 0,
        Health::Degraded => 1,
        Health::Down => 2,
        Health::Unknown => 3,
        Health::Maintenance => 4,
    }
}

pub(super) fn health(code: u8) -> rusqlite::Result<Health> {
    known(Health::ALL.into_iter().find(|health| health_code(*health) == code), code)
}

pub(super) fn verdict_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Good => 0,
        Verdict::Poor => 1,
        Verdict::None => 2,
    }
}

pub(super) fn verdict(code: u8) -> rusqlite::Result<Verdict> {
    let all = [Verdict::Good, Verdict::Poor, Verdict::None];
    known(all.into_iter().find(|verdict| verdict_code(*verdict) == code), code)
}

pub(super) fn stage_code(stage: Stage) -> u8 {
    match stage {
        Stage::Resolve => 0,
        Stage::Connect => 1,
        Stage::Tls => 2,
        Stage::Options => 3,
        Stage::Describe => 4,
        Stage::Setup => 5,
        Stage::Play => 6,
        Stage::Request => 7,
        Stage::FirstPacket => 8,
        Stage::Keyframe => 9,
        Stage::Decode => 10,
        Stage::Picture => 11,
    }
}

pub(super) fn stage(code: u8) -> rusqlite::Result<Stage> {
    known(Stage::ALL.into_iter().find(|stage| stage_code(*stage) == code), code)
}

pub(super) fn reason(code: u8) -> rusqlite::Result<Reason> {
    known(Reason::from_code(code), code)
}

pub(super) fn time(ms: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_millisecond(ms).map_err(|_| Error::IntegralValueOutOfRange(0, ms))
}

fn known<T>(value: Option<T>, code: u8) -> rusqlite::Result<T> {
    value.ok_or(Error::IntegralValueOutOfRange(0, i64::from(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_comes_back() {
        for one in Health::ALL {
            assert_eq!(health(health_code(one)).unwrap(), one);
        }
        for one in Stage::ALL {
            assert_eq!(stage(stage_code(one)).unwrap(), one);
        }
        assert!(health(200).is_err() && stage(200).is_err() && reason(200).is_err());
    }
}
