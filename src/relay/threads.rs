//! The threads that streams live on: one runtime each, and a stream stays where it began.
//!
//! A runtime that shares its work among threads wakes another one for almost every frame, which costs more than the frame itself
//! (`docs/performance.md`). So the data plane has runtimes of one thread, as many as there are cores. Both sockets of a stream and
//! its task are on one of them; only events, requests, commands and the timer's word cross over.
//!
//! Everything else steps back for them ([`step_back_for_audio`]): a commit of the journal can wait for a millisecond, a frame cannot.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// Up to so many streams a thread is not shared with another one. They are less than half of what a core can carry; and a thread
/// that is awake already takes a frame for less than one that has to be woken.
const FEW: usize = 400;

/// How much further back everything else is (`nice(2)`): on a processor that both want it gets a third of what audio gets.
#[cfg(target_os = "linux")]
const STEP_BACK: i32 = 5;

#[cfg(target_os = "linux")]
const FURTHEST_BACK: i32 = 19;

/// The runtimes of the data plane. Their threads end when this is dropped.
#[derive(Debug)]
pub struct MediaThreads {
    threads: Vec<MediaThread>,
    stop: CancellationToken,
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
    /// Starts so many threads, one at least, of the caller's own priority. Fails where the system gives no thread.
    pub fn start(count: usize) -> io::Result<Self> {
        let stop = CancellationToken::new();
        let start = |number| {
            // Not this thread, but those that wait for the system in its stead: names of hosts are looked up there.
            let runtime = Builder::new_current_thread().enable_all().on_thread_start(step_back_for_audio).build()?;
            let thread = MediaThread { runtime: runtime.handle().clone(), streams: Arc::default() };
            let stopped = stop.clone();
            std::thread::Builder::new()
                .name(format!("media-{number}"))
                .spawn(move || runtime.block_on(stopped.cancelled_owned()))?;
            Ok(thread)
        };
        let threads = (0..count.max(1)).map(start).collect::<io::Result<_>>()?;
        Ok(Self { threads, stop })
    }

    /// Cancelled, it ends the threads with all that they still carry: for when the process ends, since streams must not outlive those
    /// who look after them ([`Looks`](super::Looks)).
    pub fn stopper(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// A place for the next stream: on the first thread that has room, and on the one with the fewest when none has.
    pub fn place(&self) -> MediaPlace {
        let streams = |thread: &&MediaThread| thread.streams.load(Ordering::Relaxed);
        let with_room = self.threads.iter().find(|thread| streams(thread) < FEW);
        let thread = with_room.or_else(|| self.threads.iter().min_by_key(streams)).expect("there is one at least");
        // Of two that come at once both may take the same thread; one more or less does not matter.
        thread.streams.fetch_add(1, Ordering::Relaxed);
        MediaPlace { runtime: thread.runtime.clone(), streams: Arc::clone(&thread.streams) }
    }
}

/// Puts the calling thread, and those that it starts from now on, behind the media threads where they want the same processor. To be
/// called when these have begun: the way back takes a privilege. Only Linux has priorities of threads; elsewhere nothing happens.
pub fn step_back_for_audio() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{getpriority_process, setpriority_process};
        use std::sync::{Once, OnceLock};
        // The first caller has the process's own priority; who is started by one that has stepped back has stepped back.
        static BEHIND: OnceLock<i32> = OnceLock::new();
        static SAID: Once = Once::new();
        let stepped = getpriority_process(None).and_then(|now| {
            let behind = *BEHIND.get_or_init(|| (now + STEP_BACK).min(FURTHEST_BACK));
            setpriority_process(None, now.max(behind))
        });
        if let Err(error) = stepped {
            SAID.call_once(|| tracing::warn!(%error, "threads cannot be put behind those of the calls' audio"));
        }
    }
}

impl Drop for MediaThreads {
    fn drop(&mut self) {
        self.stop.cancel();
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
    async fn a_thread_takes_a_few_before_the_next_and_then_all_take_turns() {
        let threads = MediaThreads::start(2).unwrap();
        let _few: Vec<_> = (0..2 * FEW).map(|_| threads.place()).collect();
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
        let first = threads.place();
        let second = threads.place();
        assert_eq!([where_it_runs(&first).await, where_it_runs(&second).await], ["media-0", "media-1"]);
        drop(second);
        assert_eq!(where_it_runs(&threads.place()).await, "media-1");
        drop(first);
        assert_eq!(where_it_runs(&threads.place()).await, "media-0");
    }
}
