//! Where in its interval a stream is probed: a fixed place, by a hash of its id.

use std::time::Duration;

use crate::model::StreamId;

/// The place of a stream within the interval, the same on every machine and after every restart.
pub fn phase(id: &StreamId, interval: Duration) -> Duration {
    Duration::from_nanos(hash(id.as_str()) % nanos(interval))
}

/// The first phase point that is not before `from`. Times count from the start of the plan.
pub fn next_point(phase: Duration, interval: Duration, from: Duration) -> Duration {
    let passed = nanos_or_zero(from.saturating_sub(phase)).div_ceil(nanos(interval));
    phase + Duration::from_nanos(passed.saturating_mul(nanos(interval)))
}

/// FNV-1a (draft-eastlake-fnv), then the finalizer of MurmurHash3: FNV alone leaves `cam-1`, `cam-2`, … at regular
/// distances, which a modulus can turn into clusters.
fn hash(text: &str) -> u64 {
    let fnv = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mixed = (fnv ^ (fnv >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}

fn nanos(interval: Duration) -> u64 {
    nanos_or_zero(interval).max(1)
}

fn nanos_or_zero(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(15);

    #[test]
    fn a_fleet_spreads_evenly() {
        for style in ["cam-{}", "camera{}", "site-a-gate-{}-main", "{}"] {
            let mut slots = [0; 15];
            for number in 0..1000 {
                let id = StreamId::from_name(&style.replace("{}", &number.to_string()));
                slots[usize::try_from(phase(&id, INTERVAL).as_secs()).unwrap()] += 1;
            }
            assert!(slots.iter().all(|count| (30..=110).contains(count)), "{style}: {slots:?}");
        }
    }

    #[test]
    fn a_phase_never_changes() {
        // Written down once: a change here would move every stream of every installation.
        assert_eq!(phase(&StreamId::from_name("gatecamera"), INTERVAL), Duration::from_nanos(11_303_081_204));
    }

    proptest! {
        #[test]
        fn the_next_point_is_the_nearest_one(
            phase_ms in 0_u64..15_000, interval_ms in 2_000_u64..3_600_000, from_ms in 0_u64..100_000_000
        ) {
            let ms = Duration::from_millis;
            let phase = ms(phase_ms % interval_ms);
            let point = next_point(phase, ms(interval_ms), ms(from_ms));
            prop_assert!(point >= ms(from_ms));
            prop_assert!(point == phase || point < ms(from_ms + interval_ms));
            prop_assert_eq!((point - phase).as_nanos() % ms(interval_ms).as_nanos(), 0);
        }
    }
}
