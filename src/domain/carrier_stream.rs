//! The neutral words of one media stream between the carrier and us. Codecs translate them, sessions think in them.

use std::collections::BTreeMap;

use super::audio::MulawChunk;
use super::ids::{AccountSid, CallSid, StreamSid};

/// What the carrier says on a media stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CarrierEvent {
    /// The socket speaks the protocol. Carries nothing.
    Connected,
    Start(StreamStart),
    /// The caller's audio.
    Media(MulawChunk),
    /// Everything sent before the mark of this name was played, or was discarded by a `clear`.
    Mark(String),
    Dtmf(char),
    Stop,
    /// A message of a kind that this version does not know. Counted, never an error.
    Unknown,
}

/// What the carrier says of a stream at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamStart {
    pub account_sid: AccountSid,
    pub call_sid: CallSid,
    pub stream_sid: StreamSid,
    /// `audio/x-mulaw` as far as anyone has seen; read, not assumed.
    pub encoding: String,
    /// In Hz.
    pub sample_rate: u32,
    /// The `<Parameter>`s of our own document, among them the token.
    pub parameters: BTreeMap<String, String>,
}

/// What we say on a media stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CarrierCommand {
    /// Audio to play after all that was sent before.
    Media(MulawChunk),
    /// Ask to be told when everything before this point was played.
    Mark(String),
    /// Throw away what was sent and not yet played. All pending marks come back.
    Clear,
}
