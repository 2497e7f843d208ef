//! The circuit breaker: a vendor that fails again and again is left alone for a while, so that calls are denied at once instead of
//! after a time-out each, and the vendor can recover.
//!
//! Closed, it lets every request through. After `FAILURES` failures in a row it opens and lets none through for `PAUSE`; then one
//! request a pause probes. An answer closes it. A probe that fails, or of which nothing more is heard, leaves it open.

use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row that open it.
pub(super) const FAILURES: u32 = 5;

/// How long it lets nothing through, and how often a probe is let through after that.
pub(super) const PAUSE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breaker {
    Closed {
        failures: u32,
    },
    /// Nothing passes until then; the first request after it is the probe.
    Open {
        until: Instant,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// Whether a request may be sent now.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        match self {
            Self::Closed { .. } => true,
            Self::Open { until } if now < *until => false,
            Self::Open { until } => {
                // The others wait for what becomes of this probe, which may never be reported.
                *until = now + PAUSE;
                true
            }
        }
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub(super) fn failed(&mut self, now: Instant) {
        *self = match *self {
            Self::Closed { failures } if failures + 1 < FAILURES => Self::Closed { failures: failures + 1 },
            Self::Closed { .. } | Self::Open { .. } => Self::Open { until: now + PAUSE },
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an origin to count virtual time from")]
    fn origin() -> Instant {
        Instant::now()
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_with_an_answer() {
        let start = origin();
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES - 1 {
            breaker.failed(start);
        }
        breaker.succeeded();
        for _ in 0..FAILURES - 1 {
            breaker.failed(start);
            assert!(breaker.admits(start), "an answer in between starts the count anew");
        }
        breaker.failed(start);
        assert!(!breaker.admits(start));
        assert!(!breaker.admits(start + PAUSE - Duration::from_millis(1)));
        assert!(breaker.admits(start + PAUSE), "the probe");
        assert!(!breaker.admits(start + PAUSE), "one probe at a time");
        breaker.succeeded();
        assert!(breaker.admits(start + PAUSE));
    }

    #[test]
    fn a_probe_that_fails_or_vanishes_keeps_it_open() {
        let start = origin();
        let mut breaker = Breaker::Open { until: start };
        assert!(breaker.admits(start));
        breaker.failed(start + Duration::from_secs(3));
        assert!(!breaker.admits(start + PAUSE));
        assert!(breaker.admits(start + PAUSE + Duration::from_secs(3)), "a pause after the failure");
        // Nobody reports what became of this one.
        assert!(breaker.admits(start + PAUSE * 3));
    }
}
