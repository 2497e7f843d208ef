//! Listen in on a live call: both sides as they cross the house. The relay gives copies away and never waits for a listener.

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::relay::Tapped;

use super::App;
use super::live_calls::LiveCall;

/// Somebody who listens. Ends with the call; survives a stream that is taken up again.
#[derive(Debug)]
pub struct Listener {
    frames: Receiver<Tapped>,
    over: tokio_util::sync::CancellationToken,
    /// Frames that were lost because they were not taken in time.
    pub missed: u64,
}

impl App {
    /// Everything that is said from now on.
    pub fn listen(&self, call: &LiveCall) -> Listener {
        Listener { frames: call.tap.listen(), over: call.over.clone(), missed: 0 }
    }
}

impl Listener {
    /// The next piece of audio; none when the call is over. Safe to be dropped half-way.
    pub async fn next(&mut self) -> Option<Tapped> {
        loop {
            let received = tokio::select! {
                biased;
                received = self.frames.recv() => received,
                () = self.over.cancelled() => return None,
            };
            match received {
                Ok(tapped) => return Some(tapped),
                Err(RecvError::Lagged(frames)) => self.missed += frames,
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
