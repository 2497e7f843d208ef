//! A local Twilio and local voice agents: real servers on loopback.
//!
//! Servers, not mocks: production clients reach them through a base URL. They know `domain` only and have their own wire
//! structures, written from the vendors' documents, so that emulator and product cannot be wrong together. Logic with time in it
//! (playback, scripts, voice activity, documents) is pure; the servers around it are thin.

pub mod bot;
pub mod chat;
pub mod clock;
pub mod elevenlabs;
pub mod log;
pub mod retell;
pub mod server;
pub mod speech;
pub mod twilio;

mod mulaw;
mod signature;
pub(crate) mod upgrade;
mod vad;

pub use bot::BotEmulator;
pub use chat::ChatEmulator;
pub use clock::Clock;
pub use elevenlabs::{ElevenLabsEmulator, ElevenLabsEmulatorConfig};
pub use log::{Entry, EventLog};
pub use retell::{RetellEmulator, RetellEmulatorConfig};
pub use server::{EmulatorError, Running};
pub use twilio::{TwilioEmulator, TwilioEmulatorConfig};

#[cfg(test)]
mod tests;
