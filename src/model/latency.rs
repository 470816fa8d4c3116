//! The buckets that latencies of good probes are counted in: database and metrics have the same.

use std::time::Duration;

/// Upper bounds; a last bucket holds what is above them.
pub const LATENCY_BOUNDS: [Duration; 7] = [
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// How many buckets there are. Their numbers are columns of the database: never change the bounds.
pub const LATENCY_BUCKETS: usize = LATENCY_BOUNDS.len() + 1;

/// The bucket of a latency in milliseconds.
pub fn latency_bucket(latency_ms: u32) -> usize {
    let latency = Duration::from_millis(u64::from(latency_ms));
    LATENCY_BOUNDS.iter().position(|bound| latency <= *bound).unwrap_or(LATENCY_BOUNDS.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let buckets = [0, 100, 101, 1_000, 10_000, 10_001, u32::MAX].map(latency_bucket);
        assert_eq!(buckets, [0, 0, 1, 3, 6, 7, 7]);
    }
}
