//! Dials an agent's socket or REST API and hands back a socket with its dialect.

mod elevenlabs;
mod socket;

pub use elevenlabs::ElevenLabsClient;
pub use socket::{AgentError, AgentSocket, ClientSocket};
