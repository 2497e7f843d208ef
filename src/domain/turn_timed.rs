//! `TurnTimed`: how long the first piece of a turn of the agent's took on its way to the caller, on each side.

use serde::{Deserialize, Serialize};

/// When the caller stopped speaking is not known: their words come as text, which the agent writes once it has noticed the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnTimed {
    pub turn: u64,
    /// From what the caller said, as text, to the piece. None where the agent spoke unasked, or into the caller's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_ms: Option<u32>,
    /// From then until the carrier's socket had taken it and all that came behind it meanwhile, µs; also what a sentence of ours kept it
    /// waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay_us: Option<u32>,
    /// From then until the carrier's report that it was played had come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub played_ms: Option<u32>,
    /// How long the audio is that had to be played for that: the piece, and by the clock what was still before it.
    pub audio_ms: u32,
}
