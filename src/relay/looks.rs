//! When a stream is looked at to which nothing comes.
//!
//! A session says when its next deadline is, and whatever wakes its stream looks whether that has come. The caller's audio does so
//! every 20 ms, so no deadline needs a timer of its own, which the system would set and stop again around most frames. Only where
//! nothing comes there is something to wait for; that takes a second at most, and another thread does the waiting. So the threads of
//! the audio have no timers while a call is on and sleep until there is audio (`docs/performance.md` has what that saves).

use std::future::Future as _;
use std::pin::Pin;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::time::Sleep;

use super::clock;
use super::wakes::{Source, Wakes};

/// Streams are looked at in steps of this, all at the same moments, so that the thread that waits for them sleeps in between.
const STEP: Duration = Duration::from_millis(500);

/// Who waits for all streams, and since when the steps are counted.
#[derive(Debug, Clone)]
pub struct Looks {
    runtime: Handle,
    since: Instant,
}

impl Looks {
    /// With the timers of that runtime, best not one of the audio's.
    pub fn new(runtime: Handle) -> Self {
        Self { runtime, since: clock() }
    }

    pub(super) fn begin(&self, now: Instant) -> Look {
        let at = second_step(self.since, now);
        let _entered = self.runtime.enter();
        Look { at, since: self.since, timer: Box::pin(tokio::time::sleep_until(at.into())) }
    }
}

/// One stream's next look.
#[derive(Debug)]
pub(super) struct Look {
    /// Between one and two steps from the last time that something came.
    at: Instant,
    since: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Look {
    /// Puts the next look off, since this is one. `true` when its time has come all the same.
    pub(super) fn poll(&mut self, wakes: &Wakes, now: Instant) -> bool {
        if self.at.saturating_duration_since(now) < STEP {
            self.at = second_step(self.since, now);
            self.timer.as_mut().reset(self.at.into());
        }
        wakes.take(Source::Timer) && self.timer.as_mut().poll(&mut wakes.context(Source::Timer)).is_ready()
    }
}

/// The step after the next one.
fn second_step(since: Instant, now: Instant) -> Instant {
    let into_step = now.saturating_duration_since(since).as_nanos() % STEP.as_nanos();
    now + STEP + Duration::from_nanos_u128(STEP.as_nanos() - into_step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_streams_are_looked_at_at_the_same_moments() {
        let since = clock();
        for (now, step) in [(0, 1_000), (1, 1_000), (499, 1_000), (500, 1_500), (86_400_700, 86_401_500)] {
            let at = second_step(since, since + Duration::from_millis(now));
            assert_eq!(at, since + Duration::from_millis(step), "{now}");
        }
    }
}
