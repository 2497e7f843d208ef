//! Agent dialects: what each vendor's agent socket speaks, to and from `domain::agent_link`. One file a dialect.
//!
//! A dialect is stateful: it learns the audio formats from the agent's first message and transcodes from then on, so that
//! everything beyond it only ever sees µ-law.

use bytes::{Bytes, BytesMut};

use crate::domain::agent_link::{AgentCommand, AgentEvent};

/// One conversation's codec.
#[derive(Debug)]
pub enum Dialect {}

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
    /// Reads one text message.
    pub fn decode(&mut self, _text: Bytes) -> Result<AgentEvent, DialectError> {
        match *self {}
    }

    /// Writes one command as a text message, appended to `out`.
    pub fn encode(&mut self, _command: &AgentCommand, _out: &mut BytesMut) {
        match *self {}
    }
}
