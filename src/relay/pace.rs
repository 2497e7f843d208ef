//! How long the relay's wake-ups take, of some of them: a small histogram with four steps to each doubling, so a percentile is at most
//! a fifth off.

use std::time::Duration;

/// Up to 2^26 µs, a minute; four steps a doubling.
const STEPS: usize = 26 * 4;

/// One wake-up in so many is timed: a second look at the clock and at this memory, which has gone cold by then, is what it costs. Odd,
/// since wake-ups often take turns, the carrier's and the agent's.
const TIMED: u8 = 7;

#[derive(Debug)]
pub(super) struct Pace {
    wakes: u8,
    counts: Box<[u32; STEPS]>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { wakes: 0, counts: Box::new([0; STEPS]) }
    }
}

impl Pace {
    /// Whether this wake-up is one to be timed. Not the first one, which is admission's.
    pub(super) fn is_due(&mut self) -> bool {
        self.wakes = (self.wakes + 1) % TIMED;
        self.wakes == 0
    }

    pub(super) fn record(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.counts[step(us)] += 1;
    }

    /// The upper edge of the step that the share of all wake-ups falls in, in µs.
    pub(super) fn percentile_us(&self, percent: u32) -> u32 {
        let total: u64 = self.counts.iter().copied().map(u64::from).sum();
        let wanted = (total * u64::from(percent)).div_ceil(100);
        let mut seen = 0_u64;
        for (step, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted && seen > 0 {
                return upper_edge(step);
            }
        }
        0
    }
}

/// Four steps to each doubling, by the two bits after the first.
fn step(us: u64) -> usize {
    let us = us.max(1) << 2;
    let doubling = us.ilog2() - 2;
    let quarter = usize::try_from(us >> doubling & 3).expect("two bits");
    (doubling as usize * 4 + quarter).min(STEPS - 1)
}

fn upper_edge(step: usize) -> u32 {
    let (doubling, quarter) = (step / 4, u32::try_from(step % 4).expect("0 to 3"));
    ((4 + quarter + 1) << doubling) / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_wake_ups_are_timed_and_not_the_first() {
        let mut pace = Pace::default();
        let timed: Vec<_> = (1..=15).filter(|_| pace.is_due()).collect();
        assert_eq!(timed, [7, 14]);
    }

    #[test]
    fn percentiles_are_a_fifth_off_at_most() {
        let mut pace = Pace::default();
        for us in 1..=1_000 {
            pace.record(Duration::from_micros(us));
        }
        let (p50, p99) = (pace.percentile_us(50), pace.percentile_us(99));
        assert!((500..=625).contains(&p50), "{p50}");
        assert!((990..=1_250).contains(&p99), "{p99}");
        assert_eq!(Pace::default().percentile_us(99), 0);
    }
}
