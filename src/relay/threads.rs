//! The threads that streams live on: one runtime each, and a stream stays where it began.
//!
//! A runtime that shares its work among threads wakes another one for almost every frame, which costs more than the frame itself
//! (`docs/performance.md`). So the data plane has runtimes of one thread, as many as there are cores. Both sockets of a stream, its
//! timer and its task are on one of them; only events, requests and commands cross over.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Streams on one thread before the next one gets any. Together they find more to do in each wake-up; so many take about half a
/// core, so none waits long for the others.
const COMPANY: usize = 400;

/// The runtimes of the data plane. Their threads end when this is dropped.
#[derive(Debug)]
pub struct MediaThreads {
    threads: Vec<MediaThread>,
    _stop: DropGuard,
}

#[derive(Debug)]
struct MediaThread {
    runtime: Handle,
    streams: Arc<AtomicUsize>,
}

/// One stream's place on a thread, free again when dropped.
#[derive(Debug)]
pub struct MediaPlace {
    pub runtime: Handle,
    streams: Arc<AtomicUsize>,
}

impl MediaThreads {
    /// Starts so many threads, one at least. Fails where the system gives no thread.
    pub fn start(count: usize) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let start = |number| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let thread = MediaThread { runtime: runtime.handle().clone(), streams: Arc::default() };
            let stopped = stop.clone();
            std::thread::Builder::new()
                .name(format!("media-{number}"))
                .spawn(move || runtime.block_on(stopped.cancelled_owned()))?;
            Ok(thread)
        };
        let threads = (0..count.max(1)).map(start).collect::<io::Result<_>>()?;
        Ok(Self { threads, _stop: stop.drop_guard() })
    }

    /// A place for the next stream: on the first thread that is not full, else on the one with the fewest.
    pub fn place(&self) -> MediaPlace {
        let streams = |thread: &&MediaThread| thread.streams.load(Ordering::Relaxed);
        let thread = self.threads.iter().find(|thread| streams(thread) < COMPANY);
        let thread = thread.or_else(|| self.threads.iter().min_by_key(streams)).expect("there is one at least");
        // Two that come at once may both take the last place; the bound is no promise.
        thread.streams.fetch_add(1, Ordering::Relaxed);
        MediaPlace { runtime: thread.runtime.clone(), streams: Arc::clone(&thread.streams) }
    }
}

impl Drop for MediaPlace {
    fn drop(&mut self) {
        self.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn streams_fill_one_thread_after_the_other_and_each_stays_where_it_is() {
        let threads = MediaThreads::start(2).unwrap();
        let name = || std::thread::current().name().map(str::to_owned);
        let where_it_runs = async |place: &MediaPlace| {
            let task = async move {
                let before = name();
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                assert_eq!(before, name());
                before.unwrap()
            };
            place.runtime.spawn(task).await.unwrap()
        };
        let mut places: Vec<_> = (0..2 * COMPANY).map(|_| threads.place()).collect();
        assert_eq!(where_it_runs(&places[0]).await, "media-0");
        assert_eq!(where_it_runs(&places[COMPANY - 1]).await, "media-0");
        assert_eq!(where_it_runs(&places[COMPANY]).await, "media-1");
        // All full: the next two do not go to the same one.
        let more = [threads.place(), threads.place()];
        assert_ne!(where_it_runs(&more[0]).await, where_it_runs(&more[1]).await);
        drop(more);
        places.truncate(COMPANY + 1);
        places.remove(0);
        assert_eq!(where_it_runs(&threads.place()).await, "media-0");
    }
}
