//! Agent dialects: what each vendor's agent socket speaks, to and from `domain::agent_link`. One file a dialect.
//!
//! A dialect is stateful: it learns the audio formats from the agent's first message and transcodes from then on, so that
//! everything beyond it only ever sees µ-law.

pub mod elevenlabs;
mod elevenlabs_messages;
pub mod elevenlabs_rest;
pub mod elevenlabs_webhook;

use bytes::{Bytes, BytesMut};

use crate::domain::agent_link::{AgentCommand, AgentEvent};

/// One conversation's codec.
#[derive(Debug)]
pub enum Dialect {
    ElevenLabs(Box<elevenlabs::ElevenLabs>),
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
    pub fn elevenlabs() -> Self {
        Self::ElevenLabs(Box::default())
    }

    /// Reads one text message.
    pub fn decode(&mut self, text: Bytes) -> Result<AgentEvent, DialectError> {
        match self {
            Self::ElevenLabs(codec) => codec.decode(text),
        }
    }

    /// Writes one command as a text message, appended to `out`. Writes nothing where the dialect has nothing to say for it
    /// (audio that does not fill a block yet).
    pub fn encode(&mut self, command: &AgentCommand, out: &mut BytesMut) {
        match self {
            Self::ElevenLabs(codec) => codec.encode(command, out),
        }
    }
}
