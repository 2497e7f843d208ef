//! The threads that streams live on: one runtime each, and a stream stays where it began.
//!
//! A runtime that shares its work among threads wakes another one for almost every frame, which costs more than the frame itself
//! (`docs/performance.md`). So the data plane has runtimes of one thread, as many as there are cores. Both sockets of a stream, its
//! timer and its task are on one of them; only events, requests and commands cross over.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The runtimes of the data plane. Their threads end when this is dropped.
#[derive(Debug)]
pub struct MediaThreads {
    handles: Vec<Handle>,
    next: AtomicUsize,
    _stop: DropGuard,
}

impl MediaThreads {
    /// Starts so many threads, one at least. Fails where the system gives no thread.
    pub fn start(count: usize) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let start = |number| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let handle = runtime.handle().clone();
            let stopped = stop.clone();
            std::thread::Builder::new()
                .name(format!("media-{number}"))
                .spawn(move || runtime.block_on(stopped.cancelled_owned()))?;
            Ok(handle)
        };
        let handles = (0..count.max(1)).map(start).collect::<io::Result<_>>()?;
        Ok(Self { handles, next: AtomicUsize::new(0), _stop: stop.drop_guard() })
    }

    /// The thread for the next stream: each in its turn.
    pub fn pick(&self) -> &Handle {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        &self.handles[turn % self.handles.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn streams_take_turns_and_each_stays_on_its_thread() {
        let threads = MediaThreads::start(2).unwrap();
        let name = || std::thread::current().name().map(str::to_owned);
        let mut names = Vec::new();
        for _ in 0..4 {
            let task = async move {
                let before = name();
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                assert_eq!(before, name());
                before
            };
            names.push(threads.pick().spawn(task).await.unwrap().unwrap());
        }
        assert_eq!(names, ["media-0", "media-1", "media-0", "media-1"]);
    }
}
