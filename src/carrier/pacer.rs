//! `Pacer`: holds dialling to the account's calls per second and to its number of calls at once, in the order of asking.
//!
//! The carrier does not refuse calls that come too fast: it queues them for up to a day, and a person's phone rings at an hour for
//! which nobody asked the gate. So we wait here, and ask the gate when the slot is there.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Paces one account's outbound calls. Share it by `Arc`.
#[derive(Debug)]
pub struct Pacer {
    calls: Arc<Semaphore>,
    pace: Mutex<Pace>,
}

/// Leave to dial now, and the place of that call among those at once. Keep it until the call has ended.
#[derive(Debug)]
pub struct Slot {
    _place: OwnedSemaphorePermit,
}

impl Pacer {
    /// `calls_per_second` may be below one. A rate that is not positive, or no calls at all, lets nothing through.
    pub fn new(calls_per_second: f64, max_concurrent: Option<usize>) -> Self {
        let places = max_concurrent.unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        let interval = Duration::try_from_secs_f64(calls_per_second.recip());
        let places = if interval.is_ok() { places } else { 0 };
        Self { calls: Arc::new(Semaphore::new(places)), pace: Mutex::new(Pace::new(interval.unwrap_or_default())) }
    }

    /// Waits for the next slot. First come, first served; giving up waiting costs nobody anything.
    ///
    /// # Panics
    ///
    /// Never: the semaphore lives as long as the pacer and is not closed.
    pub async fn acquire(&self) -> Slot {
        let place = self.place().await;
        // Both the semaphore and the mutex serve in the order of asking. The turn is taken only after the wait, without a further
        // await, so that a caller who gives up has taken nothing.
        let mut turn = self.pace.lock().await;
        if let Some(due) = turn.due {
            tokio::time::sleep_until(due).await;
        }
        #[expect(clippy::disallowed_methods, reason = "the adapter that waits is where the next turn is counted from")]
        turn.take(Instant::now());
        Slot { _place: place }
    }

    /// A place for a call that has been dialled already, before a restart: it waits for no turn. Where more calls are on than may
    /// be, it waits until one has ended, before any call that is dialled later.
    pub async fn take_place(&self) -> Slot {
        Slot { _place: self.place().await }
    }

    async fn place(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.calls).acquire_owned().await.expect("the semaphore is never closed")
    }

    /// How many calls may still be made at once, waiting ones not counted.
    pub fn free_places(&self) -> usize {
        self.calls.available_permits()
    }
}

/// A bucket of one token: a turn is due an interval after the one before. No bursts, since the carrier counts each second.
#[derive(Debug)]
struct Pace {
    interval: Duration,
    /// When the next turn may be taken; none before the first.
    due: Option<Instant>,
}

impl Pace {
    fn new(interval: Duration) -> Self {
        Self { interval, due: None }
    }

    /// Takes the turn that is due. Time that went by unused is not saved up.
    fn take(&mut self, now: Instant) {
        self.due = now.checked_add(self.interval);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::poll;
    use tokio::time::{advance, sleep};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[expect(clippy::disallowed_methods, reason = "the test's clock is paused")]
    fn now() -> Instant {
        Instant::now()
    }

    #[tokio::test(start_paused = true)]
    async fn calls_are_spaced_by_the_rate_and_idle_time_is_not_saved_up() {
        let pacer = Pacer::new(2.0, None);
        let start = now();
        for expected_ms in [0, 500, 1_000] {
            pacer.acquire().await;
            assert_eq!((now() - start).as_millis(), expected_ms);
        }
        sleep(10 * SECOND).await;
        pacer.acquire().await;
        assert_eq!(now() - start, 11 * SECOND);
        pacer.acquire().await;
        assert_eq!(now() - start, 11 * SECOND + SECOND / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_again_when_its_call_is_over() {
        let pacer = Pacer::new(1_000.0, Some(2));
        let first = pacer.acquire().await;
        let _second = pacer.acquire().await;
        assert_eq!(pacer.free_places(), 0);
        let mut third = pin!(pacer.acquire());
        assert!(poll!(&mut third).is_pending());
        advance(60 * SECOND).await;
        assert!(poll!(&mut third).is_pending());
        drop(first);
        assert!(poll!(&mut third).is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_are_on_already_take_their_places_first_and_wait_for_no_turn() {
        let pacer = Pacer::new(1.0, Some(2));
        let start = now();
        let (one, two) = (pacer.take_place().await, pacer.take_place().await);
        let mut over_the_limit = pin!(pacer.take_place());
        assert!(poll!(&mut over_the_limit).is_pending());
        let mut new = pin!(pacer.acquire());
        assert!(poll!(&mut new).is_pending());
        drop(one);
        assert!(poll!(&mut new).is_pending());
        assert!(poll!(&mut over_the_limit).is_ready());
        drop(two);
        assert!(poll!(&mut new).is_ready());
        assert_eq!(now(), start);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_to_ask_is_served_first() {
        let pacer = Pacer::new(1.0, None);
        pacer.acquire().await;
        let (mut early, mut late) = (pin!(pacer.acquire()), pin!(pacer.acquire()));
        assert!(poll!(&mut early).is_pending() && poll!(&mut late).is_pending());
        advance(SECOND).await;
        assert!(poll!(&mut late).is_pending());
        assert!(poll!(&mut early).is_ready());
        advance(SECOND).await;
        assert!(poll!(&mut late).is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_waiting_takes_nothing() {
        let pacer = Pacer::new(1.0, Some(2));
        let start = now();
        let _first = pacer.acquire().await;
        {
            let mut given_up = pin!(pacer.acquire());
            assert!(poll!(&mut given_up).is_pending());
            advance(SECOND / 2).await;
            assert!(poll!(&mut given_up).is_pending());
        }
        let _second = pacer.acquire().await;
        assert_eq!(now() - start, SECOND);
        assert_eq!(pacer.free_places(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_of_nothing_lets_nothing_through() {
        for rate in [0.0, -1.0, f64::NAN] {
            let pacer = Pacer::new(rate, None);
            let mut never = pin!(pacer.acquire());
            assert!(poll!(&mut never).is_pending());
            advance(3_600 * SECOND).await;
            assert!(poll!(&mut never).is_pending());
        }
    }
}
