//! Which of a stream's sources has something. Each wakes the task by a waker of its own, so that a frame on one socket does not
//! cost a look at the other one, at the commands and at the timer (`docs/performance.md`).

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    Commands,
    Agent,
    Carrier,
    Timer,
}

const SOURCES: [Source; 4] = [Source::Commands, Source::Agent, Source::Carrier, Source::Timer];

#[derive(Debug)]
pub(super) struct Wakes {
    shared: Arc<Shared>,
    wakers: [Waker; SOURCES.len()],
}

#[derive(Debug)]
struct Shared {
    /// A bit for each source that woke the task, or has not been looked at yet.
    woken: AtomicU8,
    task: Mutex<Waker>,
}

#[derive(Debug)]
struct SourceWaker {
    source: Source,
    shared: Arc<Shared>,
}

impl Wakes {
    pub(super) fn new() -> Self {
        let shared = Arc::new(Shared { woken: AtomicU8::new(u8::MAX), task: Mutex::new(Waker::noop().clone()) });
        let wakers = SOURCES.map(|source| Waker::from(Arc::new(SourceWaker { source, shared: Arc::clone(&shared) })));
        Self { shared, wakers }
    }

    /// From now on the sources wake this task. Before they are looked at: what they say from then on must not go elsewhere.
    pub(super) fn belong_to(&self, cx: &Context<'_>) {
        let mut task = self.shared.task();
        if !task.will_wake(cx.waker()) {
            task.clone_from(cx.waker());
        }
    }

    /// Whether to look at this source. It then wakes the task again only by the waker that it is given in [`Self::context`].
    pub(super) fn take(&self, source: Source) -> bool {
        self.shared.woken.load(Ordering::Relaxed) & bit(source) != 0
            && self.shared.woken.fetch_and(!bit(source), Ordering::AcqRel) & bit(source) != 0
    }

    /// This source is to be looked at, though nothing woke it.
    pub(super) fn mark(&self, source: Source) {
        self.shared.woken.fetch_or(bit(source), Ordering::AcqRel);
    }

    /// What to poll this source with.
    pub(super) fn context(&self, source: Source) -> Context<'_> {
        Context::from_waker(&self.wakers[source as usize])
    }
}

impl Shared {
    fn task(&self) -> MutexGuard<'_, Waker> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for SourceWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.shared.woken.fetch_or(bit(self.source), Ordering::AcqRel);
        // Taken after the bit is set: a task that came in between has looked at the bit after it came.
        self.shared.task().wake_by_ref();
    }
}

fn bit(source: Source) -> u8 {
    1 << source as u8
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn every_source_is_looked_at_once_and_then_when_it_wakes_the_task() {
        let (wakes, count) = (Wakes::new(), Arc::new(Count::default()));
        let task = Waker::from(Arc::clone(&count));
        wakes.belong_to(&Context::from_waker(&task));
        assert_eq!(SOURCES.map(|source| wakes.take(source)), [true; 4]);
        assert_eq!(SOURCES.map(|source| wakes.take(source)), [false; 4]);
        wakes.context(Source::Carrier).waker().wake_by_ref();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(SOURCES.map(|source| wakes.take(source)), [false, false, true, false]);
        wakes.mark(Source::Timer);
        assert_eq!(SOURCES.map(|source| wakes.take(source)), [false, false, false, true]);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_source_wakes_the_task_that_came_last() {
        let (wakes, counts) = (Wakes::new(), [Arc::new(Count::default()), Arc::new(Count::default())]);
        for count in &counts {
            wakes.belong_to(&Context::from_waker(&Waker::from(Arc::clone(count))));
        }
        wakes.context(Source::Agent).waker().wake_by_ref();
        assert_eq!(counts.map(|count| count.0.load(Ordering::Relaxed)), [0, 1]);
    }
}
