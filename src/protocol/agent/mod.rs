//! Agent dialects: what each vendor's agent socket speaks, to and from `domain::agent_link`. One file a dialect.
//!
//! A dialect is stateful: it learns the audio formats from the agent's first message and transcodes from then on, so that
//! everything beyond it only ever sees µ-law.

use bytes::{Bytes, BytesMut};

use crate::domain::agent_link::{AgentCommand, AgentEvent};

use elevenlabs::ElevenLabs;

pub mod elevenlabs;
mod elevenlabs_audio;
pub mod elevenlabs_conversation;
pub mod elevenlabs_readiness;
pub mod elevenlabs_rest;
pub mod elevenlabs_webhook;
mod elevenlabs_wire;

/// One conversation's codec.
#[derive(Debug)]
pub enum Dialect {
    ElevenLabs(ElevenLabs),
}

/// Why a message from an agent could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialectError {
    /// Not a message of this dialect. Counted; the conversation goes on.
    #[error("malformed agent message: {0}")]
    Malformed(String),
    /// The agent speaks an audio format that we cannot carry. Final; the text says which settings to change.
    #[error("{0}")]
    UnsupportedFormat(String),
}

impl Dialect {
    /// A conversation with an `ElevenLabs` agent that has not said anything yet.
    pub fn elevenlabs() -> Self {
        Self::ElevenLabs(ElevenLabs::default())
    }

    /// Reads one text message.
    pub fn decode(&mut self, text: Bytes) -> Result<AgentEvent, DialectError> {
        match self {
            Self::ElevenLabs(dialect) => dialect.decode(text),
        }
    }

    /// Writes one command as a text message, appended to `out`.
    ///
    /// Appends nothing where there is nothing to send: caller's audio before the agent told its format, or so little of it
    /// that the converted part is still empty.
    pub fn encode(&mut self, command: &AgentCommand, out: &mut BytesMut) {
        match self {
            Self::ElevenLabs(dialect) => dialect.encode(command, out),
        }
    }
}
