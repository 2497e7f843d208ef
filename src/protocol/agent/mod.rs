//! Agent dialects: what each vendor's agent socket speaks, to and from `domain::agent_link`. One file a dialect.
//!
//! A dialect is stateful: it learns the audio formats from the agent's first message and transcodes from then on, so that
//! everything beyond it only ever sees µ-law.

use bytes::{Bytes, BytesMut};

use crate::domain::agent_link::{AgentCommand, AgentEvent};

use binary::Binary;
use elevenlabs::ElevenLabs;
use retell_web::RetellWeb;
use twilio_stream::TwilioStream;

pub mod binary;
pub mod chat;
pub mod elevenlabs;
mod elevenlabs_audio;
pub mod elevenlabs_conversation;
pub mod elevenlabs_readiness;
pub mod elevenlabs_rest;
pub mod elevenlabs_webhook;
mod elevenlabs_wire;
pub mod retell;
pub mod retell_llm;
pub mod retell_monitor;
pub mod retell_turns;
pub mod retell_web;
pub mod twilio_stream;

/// One conversation's codec.
#[derive(Debug)]
pub enum Dialect {
    ElevenLabs(ElevenLabs),
    TwilioStream(TwilioStream),
    Binary(Binary),
    RetellWeb(RetellWeb),
}

/// What kind of WebSocket message a command became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    Text,
    Binary,
    /// A ping of the WebSocket itself.
    Ping,
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
            Self::TwilioStream(dialect) => dialect.decode(text),
            Self::Binary(dialect) => dialect.decode(&text),
            Self::RetellWeb(dialect) => dialect.decode(&text),
        }
    }

    /// Reads one binary message.
    pub fn decode_binary(&mut self, data: &[u8]) -> Result<AgentEvent, DialectError> {
        match self {
            Self::ElevenLabs(_) | Self::TwilioStream(_) => {
                Err(DialectError::Malformed("a binary message, where all are texts".to_owned()))
            }
            Self::Binary(dialect) => Ok(dialect.decode_audio(data)),
            Self::RetellWeb(dialect) => Ok(dialect.decode_audio(data)),
        }
    }

    /// What an agent that says nothing of it counts as having said once it was initiated: that it took the conversation.
    pub fn ready_unasked(&self) -> Option<AgentEvent> {
        match self {
            Self::ElevenLabs(_) => None,
            Self::TwilioStream(dialect) => Some(dialect.ready()),
            Self::Binary(dialect) => Some(dialect.ready()),
            Self::RetellWeb(dialect) => Some(dialect.ready()),
        }
    }

    /// Whether an agent that listens says nothing at all, so that only the WebSocket's own pongs tell that it is there.
    pub fn lives_by_pongs(&self) -> bool {
        !matches!(self, Self::ElevenLabs(_))
    }

    /// Writes one command as a message, appended to `out`, and says of which kind it is.
    ///
    /// Appends nothing where there is nothing to send: caller's audio before the agent told its format, or so little of it
    /// that the converted part is still empty.
    pub fn encode(&mut self, command: &AgentCommand, out: &mut BytesMut) -> Frame {
        if *command == AgentCommand::Probe && self.lives_by_pongs() {
            out.extend_from_slice(b"?");
            return Frame::Ping;
        }
        match self {
            Self::ElevenLabs(dialect) => dialect.encode(command, out),
            Self::TwilioStream(dialect) => dialect.encode(command, out),
            Self::Binary(dialect) => return dialect.encode(command, out),
            Self::RetellWeb(dialect) => return dialect.encode(command, out),
        }
        Frame::Text
    }
}
