//! What an agent says before its conversation begins. One that takes a conversation without a word may greet as soon as it is
//! connected, while it is still being found out who the caller is, or who picked up.

use std::collections::VecDeque;
use std::time::Instant;

use super::Desk;
use super::stream::{Flow, Phase, Stream};
use crate::domain::agent_link::AgentEvent;
use crate::domain::audio::mulaw_bytes;

/// More messages than so much audio comes in.
const MOST: usize = 4_096;

/// In the order in which it came.
#[derive(Debug, Default)]
pub(super) struct Early {
    events: VecDeque<AgentEvent>,
    audio_bytes: u64,
}

impl Early {
    /// The agent was talked over, up to this turn; returns how many bytes of audio nobody will hear for it.
    fn interrupt(&mut self, through: u64) -> u64 {
        let before = self.audio_bytes;
        let bytes = &mut self.audio_bytes;
        self.events.retain(|event| match event {
            AgentEvent::Audio { chunk, turn } if *turn <= through => {
                *bytes -= chunk.len() as u64;
                false
            }
            _ => true,
        });
        before - self.audio_bytes
    }
}

impl Stream {
    /// Keeps what can wait until the conversation begins. Gives back what cannot, and what there is no room for.
    pub(super) fn keep_early(&mut self, event: AgentEvent) -> Option<AgentEvent> {
        let Phase::ConnectingAgent(waiting) = &mut self.phase else { return Some(event) };
        let limit = mulaw_bytes(self.config.agent_wait);
        let bytes = match &event {
            AgentEvent::Ready { .. } | AgentEvent::Ping { .. } | AgentEvent::Alive | AgentEvent::Failed { .. } => {
                return Some(event);
            }
            AgentEvent::Interrupted { turn } => {
                self.counters.agent_void_bytes += waiting.early.interrupt(*turn);
                self.playout.void(self.agent.turn_base.saturating_add(*turn));
                return None;
            }
            AgentEvent::Audio { chunk, .. } => chunk.len() as u64,
            _ => 0,
        };
        let early = &mut waiting.early;
        if early.events.len() >= MOST || early.audio_bytes + bytes > limit {
            return Some(event);
        }
        early.audio_bytes += bytes;
        early.events.push_back(event);
        None
    }

    /// The conversation begins with it.
    pub(super) fn hear_early(&mut self, desk: &mut Desk, now: Instant, early: Early) -> Flow {
        early.events.into_iter().try_for_each(|event| self.handle_agent(desk, now, event))
    }

    /// The agent who said it is gone, or will not be heard.
    pub(super) fn void_early(&mut self) {
        if let Phase::ConnectingAgent(waiting) = &mut self.phase {
            self.counters.agent_void_bytes += std::mem::take(&mut waiting.early).audio_bytes;
        }
    }
}
