//! A histogram of times that several threads may fill at once: sixteen steps to a doubling, so a percentile is at most 6 % off.

use std::sync::atomic::{AtomicU64, Ordering};

/// Up to 2^40 ns, some twenty minutes.
const DOUBLINGS: usize = 40;
const STEPS: usize = 16;

#[derive(Debug)]
pub(super) struct Histogram {
    counts: Vec<AtomicU64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: (0..DOUBLINGS * STEPS).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Histogram {
    pub(super) fn record(&self, ns: u64) {
        self.counts[step(ns)].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn clear(&self) {
        self.counts.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }

    /// Adds all of another one.
    pub(super) fn add(&self, other: &Self) {
        for (count, more) in self.counts.iter().zip(&other.counts) {
            count.fetch_add(more.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// The upper edge of the step that this share (0 to 1) of all values is in, in µs; 0 of an empty one.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count"
    )]
    pub(super) fn quantile_us(&self, share: f64) -> f64 {
        let wanted = (self.len() as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (step, count) in self.counts.iter().enumerate() {
            seen += count.load(Ordering::Relaxed);
            if seen >= wanted && seen > 0 {
                return upper_edge(step) as f64 / 1000.0;
            }
        }
        0.0
    }
}

fn step(ns: u64) -> usize {
    let ns = ns.max(STEPS as u64);
    let doubling = ns.ilog2() as usize;
    let within = usize::try_from(ns >> (doubling - 4)).unwrap_or(0) % STEPS;
    ((doubling - 4) * STEPS + within).min(DOUBLINGS * STEPS - 1)
}

fn upper_edge(step: usize) -> u64 {
    let (doubling, within) = (step / STEPS, (step % STEPS) as u64);
    (STEPS as u64 + within + 1) << doubling
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_a_sixteenth_off_at_most() {
        let histogram = Histogram::default();
        (1..=1000).for_each(|us| histogram.record(us * 1000));
        for (share, exact) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0)] {
            let got = histogram.quantile_us(share);
            assert!((exact..=exact * 1.07).contains(&got), "{share}: {got}");
        }
        assert_eq!(Histogram::default().quantile_us(0.5).to_bits(), 0.0_f64.to_bits());
    }
}
