//! What waits until an agent is ready: what the caller says and presses, and what the agent itself has said too early.

use std::collections::VecDeque;

use super::early::Early;
use crate::domain::agent_link::AgentCommand;
use crate::domain::audio::MulawChunk;

/// Texts kept for an agent that is not ready yet, each key a text. More than a caller can press in that time.
const MAX_NOTES: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Waiting {
    audio: VecDeque<MulawChunk>,
    audio_bytes: u64,
    notes: Vec<AgentCommand>,
    /// What the agent has said already.
    pub(super) early: Early,
}

impl Waiting {
    pub(super) fn note(&mut self, command: AgentCommand) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(command);
        }
    }

    pub(super) fn audio_bytes(&self) -> u64 {
        self.audio_bytes
    }

    /// Keeps a chunk; returns how many bytes of the oldest had to go for it.
    pub(super) fn keep(&mut self, chunk: MulawChunk, limit: u64) -> u64 {
        self.audio_bytes += chunk.len() as u64;
        self.audio.push_back(chunk);
        let mut dropped = 0;
        while self.audio_bytes - dropped > limit
            && let Some(oldest) = self.audio.pop_front()
        {
            dropped += oldest.len() as u64;
        }
        self.audio_bytes -= dropped;
        dropped
    }

    /// All that waited, in the order in which the agent should hear it.
    pub(super) fn into_commands(self) -> impl Iterator<Item = AgentCommand> {
        self.notes.into_iter().chain(self.audio.into_iter().map(AgentCommand::Audio))
    }
}
