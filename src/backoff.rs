//! The one exponential back-off, with jitter so that a fleet does not knock in step.

use std::time::Duration;

/// Doubles from `first` to `longest`; every delay is drawn between half of it and all of it.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// A back-off that starts at `first` and never waits longer than `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// The next delay.
    pub fn delay(&mut self) -> Duration {
        let full = self.next;
        self.next = (self.next * 2).min(self.longest);
        full.mul_f64(0.5 + 0.5 * random_unit())
    }

    /// Begin again at `first`, after a success.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

fn random_unit() -> f64 {
    getrandom::u32().map_or(0.5, |n| f64::from(n) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_stay_bounded_and_begin_again() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        for full_ms in [100, 200, 350, 350] {
            let delay = backoff.delay();
            assert!(
                delay >= Duration::from_millis(full_ms / 2) && delay <= Duration::from_millis(full_ms),
                "{delay:?}"
            );
        }
        backoff.reset();
        assert!(backoff.delay() <= Duration::from_millis(100));
    }
}
