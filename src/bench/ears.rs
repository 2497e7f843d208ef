//! Operators who listen in on calls while it counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::Context as _;
use memchr::memmem;
use tokio::io::AsyncReadExt as _;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::contender::Running;
use super::ends::{call_sid, open_socket};
use super::load::Load;

/// Both sides of a call in µ-law: 8,000 bytes a second each.
const BYTES_A_SECOND: u64 = 16_000;

/// One each on the first so many calls. They leave when this is dropped.
#[derive(Debug)]
pub(super) struct Ears(Vec<Ear>);

#[derive(Debug)]
struct Ear {
    bytes: Arc<AtomicU64>,
    missed: Arc<AtomicBool>,
    _reading: AbortOnDropHandle<()>,
}

impl Ears {
    pub(super) async fn open(
        running: &Running,
        load: &Load,
        count: usize,
        tasks: &TaskTracker,
    ) -> anyhow::Result<Self> {
        let mut ears = Vec::new();
        for index in 0..count.min(load.calls.len()) {
            let key = running.key.as_deref().context("only the product is listened to")?;
            let path = format!("/api/v1/calls/{}/listen", call_sid(load.sid_number(index)));
            let (mut socket, _) =
                open_socket(running.address, &path, &format!("authorization: Bearer {key}\r\n")).await?;
            let bytes = Arc::<AtomicU64>::default();
            let heard = Arc::clone(&bytes);
            let missed = Arc::<AtomicBool>::default();
            let is_told_off = Arc::clone(&missed);
            let reading = tasks.spawn(async move {
                let mut buffer = vec![0; 4096];
                while let Ok(length @ 1..) = socket.read(&mut buffer).await {
                    heard.fetch_add(length as u64, Ordering::Relaxed);
                    // The server says so when a listener was too slow.
                    is_told_off.fetch_or(memmem::find(&buffer[..length], b"missed").is_some(), Ordering::Relaxed);
                }
            });
            ears.push(Ear { bytes, missed, _reading: AbortOnDropHandle::new(reading) });
        }
        Ok(Self(ears))
    }

    /// How many of them were told that they missed something, or were sent less than both sides of so many seconds.
    pub(super) fn that_missed(&self, seconds: u32) -> u64 {
        let least = BYTES_A_SECOND * u64::from(seconds);
        let missed = |ear: &&Ear| ear.missed.load(Ordering::Relaxed) || ear.bytes.load(Ordering::Relaxed) < least;
        self.0.iter().filter(missed).count() as u64
    }
}
