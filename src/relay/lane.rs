//! The lanes: what waits for a socket that is not ready to be written, each with its bound and what may overtake.

use std::collections::VecDeque;

use crate::domain::agent_link::AgentCommand;
use crate::domain::audio::MulawChunk;
use crate::domain::carrier_stream::CarrierCommand;
use crate::session::ShortQueue;

/// The most that waits for the carrier, in bytes of base64: about three minutes of speech. Twilio reads as fast as the network does,
/// so a lane that fills is a carrier that does not read, or an agent gone mad.
pub(super) const CARRIER_LANE_BYTES: usize = 2 << 20;

/// The most that waits for the agent beside audio.
pub(super) const AGENT_CONTROL_MAX: usize = 256;

/// What a mark counts for in the carrier's lane, bytes.
const MARK_BYTES: usize = 64;

/// The lane is full of what must not be dropped.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overflow;

/// Agent to carrier: audio and marks in their order. `clear` overtakes them and voids them.
#[derive(Debug, Default)]
pub(super) struct CarrierLane {
    clear: bool,
    queue: ShortQueue<CarrierCommand>,
    queued_bytes: usize,
}

impl CarrierLane {
    pub(super) fn push(&mut self, command: CarrierCommand) -> Result<(), Overflow> {
        if command == CarrierCommand::Clear {
            self.clear = true;
            self.queue.clear();
            self.queued_bytes = 0;
            return Ok(());
        }
        self.queued_bytes += cost(&command);
        if self.queued_bytes > CARRIER_LANE_BYTES {
            return Err(Overflow);
        }
        self.queue.push(command);
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.clear && self.queue.is_empty()
    }

    pub(super) fn pop(&mut self) -> Option<CarrierCommand> {
        if std::mem::take(&mut self.clear) {
            return Some(CarrierCommand::Clear);
        }
        let command = self.queue.pop()?;
        self.queued_bytes -= cost(&command);
        Some(command)
    }
}

fn cost(command: &CarrierCommand) -> usize {
    match command {
        CarrierCommand::Media(chunk) => chunk.base64().len(),
        CarrierCommand::Mark(_) => MARK_BYTES,
        CarrierCommand::Clear => 0,
    }
}

/// Caller to agent: whatever is not audio goes first and is never dropped; of the audio the oldest is.
#[derive(Debug)]
pub(super) struct AgentLane {
    control: VecDeque<AgentCommand>,
    audio: ShortQueue<MulawChunk>,
    audio_bytes: u64,
    audio_bytes_max: u64,
}

impl AgentLane {
    /// Holds so many bytes of µ-law.
    pub(super) fn new(audio_bytes_max: u64) -> Self {
        Self { control: VecDeque::new(), audio: ShortQueue::default(), audio_bytes: 0, audio_bytes_max }
    }

    /// Returns how many bytes of µ-law had to go.
    pub(super) fn push(&mut self, command: AgentCommand) -> Result<u64, Overflow> {
        let AgentCommand::Audio(chunk) = command else {
            if self.control.len() == AGENT_CONTROL_MAX {
                return Err(Overflow);
            }
            self.control.push_back(command);
            return Ok(0);
        };
        self.audio_bytes += chunk.len() as u64;
        self.audio.push(chunk);
        let mut dropped = 0;
        while self.audio_bytes > self.audio_bytes_max
            && let Some(oldest) = self.audio.pop()
        {
            self.audio_bytes -= oldest.len() as u64;
            dropped += oldest.len() as u64;
        }
        Ok(dropped)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.control.is_empty() && self.audio.is_empty()
    }

    pub(super) fn pop(&mut self) -> Option<AgentCommand> {
        self.control.pop_front().or_else(|| {
            let chunk = self.audio.pop()?;
            self.audio_bytes -= chunk.len() as u64;
            Some(AgentCommand::Audio(chunk))
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn chunk(name: &str) -> MulawChunk {
        MulawChunk::from_base64(Bytes::from(name.repeat(40)))
    }

    #[test]
    fn marks_keep_their_place_and_clear_voids_what_waits() {
        let mut lane = CarrierLane::default();
        let (media, mark) =
            (|name| CarrierCommand::Media(chunk(name)), |name: &str| CarrierCommand::Mark(name.to_owned()));
        for command in [media("a"), mark("m1"), CarrierCommand::Clear, media("b"), mark("m2"), media("c")] {
            lane.push(command).unwrap();
        }
        let out: Vec<_> = std::iter::from_fn(|| lane.pop()).collect();
        assert_eq!(out, [CarrierCommand::Clear, media("b"), mark("m2"), media("c")]);
        assert_eq!(lane.queued_bytes, 0);
    }

    #[test]
    fn the_carriers_lane_overflows_rather_than_drop() {
        let mut lane = CarrierLane::default();
        let fits = CARRIER_LANE_BYTES / 40;
        for _ in 0..fits {
            lane.push(CarrierCommand::Media(chunk("a"))).unwrap();
        }
        assert_eq!(lane.push(CarrierCommand::Media(chunk("a"))), Err(Overflow));
        assert_eq!(std::iter::from_fn(|| lane.pop()).count(), fits);
    }

    #[test]
    fn the_agents_lane_drops_the_oldest_audio_and_nothing_else() {
        // 30 bytes of µ-law a chunk.
        let mut lane = AgentLane::new(60);
        let dropped: u64 =
            ["a", "b", "c"].map(|name| lane.push(AgentCommand::Audio(chunk(name))).unwrap()).iter().sum();
        assert_eq!(dropped, 30);
        assert_eq!(lane.push(AgentCommand::Pong { id: 1 }), Ok(0));
        let out: Vec<_> = std::iter::from_fn(|| lane.pop()).collect();
        let audio = |name| AgentCommand::Audio(chunk(name));
        assert_eq!(out, [AgentCommand::Pong { id: 1 }, audio("b"), audio("c")]);
        for _ in 0..AGENT_CONTROL_MAX {
            lane.push(AgentCommand::Activity).unwrap();
        }
        assert_eq!(lane.push(AgentCommand::Activity), Err(Overflow));
    }
}
