//! Listening in: a copy of both sides of a stream for whoever wants one, off the path. Without listeners a frame costs a look.
//!
//! Bounded and lossy: a listener that falls behind loses the oldest frames and is told how many (`RecvError::Lagged`).

use std::sync::OnceLock;

use tokio::sync::broadcast;

use crate::domain::audio::MulawChunk;
use crate::domain::carrier_stream::CarrierCommand;

use super::meter::{Dial, Reading};

/// Frames that a listener may lag behind: some five seconds of both sides.
const LAG: usize = 512;

/// What a listener hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tapped {
    Caller(MulawChunk),
    /// What goes to the caller's ear, in bursts that play in their own time: the agent, or whoever speaks in its place.
    Agent(MulawChunk),
    /// What of the agent was not played yet never will be.
    Cleared,
}

/// The place on a call where one can listen in. Outlives its streams.
#[derive(Debug, Default)]
pub struct Tap {
    listeners: OnceLock<broadcast::Sender<Tapped>>,
    pub(super) dial: Dial,
}

impl Tap {
    /// Everything from now on.
    pub fn listen(&self) -> broadcast::Receiver<Tapped> {
        self.listeners.get_or_init(|| broadcast::channel(LAG).0).subscribe()
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.listeners.get().map_or(0, broadcast::Sender::receiver_count)
    }

    /// How loud it is on the call, and how fast it is carried. None at the first look after a while: readings are taken from then on,
    /// two a second.
    pub fn look(&self) -> Option<Reading> {
        self.dial.look()
    }

    pub(super) fn caller_said(&self, chunk: &MulawChunk) {
        if self.listeners() > 0 {
            self.give(Tapped::Caller(chunk.clone()));
        }
    }

    pub(super) fn caller_is_sent(&self, command: &CarrierCommand) {
        if self.listeners() == 0 {
            return;
        }
        match command {
            CarrierCommand::Media(chunk) => self.give(Tapped::Agent(chunk.clone())),
            CarrierCommand::Clear => self.give(Tapped::Cleared),
            CarrierCommand::Mark(_) => {}
        }
    }

    fn give(&self, tapped: Tapped) {
        if let Some(listeners) = self.listeners.get() {
            // The last one may have left just now.
            let _ = listeners.send(tapped);
        }
    }
}
