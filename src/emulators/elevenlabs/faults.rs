//! Trouble on demand: what the emulator does wrong, and how often. Set by `POST /_emulator/faults`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Faults of the `ElevenLabs` emulator. Switches stay until they are set again; counters say how many more times; times are for
/// the next conversation only, counted from its start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ElevenLabsFaults {
    /// So many REST requests are refused with 429.
    pub rate_limit_requests: u32,
    /// So many upgrades are refused with 503.
    pub refuse_upgrades: u32,
    /// So many conversations are closed with 1008 instead of being begun.
    pub refuse_by_close: u32,
    /// Metadata come so late.
    pub slow_metadata_ms: u64,
    /// An agent thinks so much longer before each line.
    pub slow_response_ms: u64,
    /// An event of an unknown type follows the metadata.
    pub unknown_event: bool,
    /// One more piece of audio of a turn comes after its interruption.
    pub late_audio: bool,
    /// The socket is cut without a close frame.
    pub drop_after_ms: Option<u64>,
    /// The socket is closed with `close_code` (1011) and `close_reason`.
    pub close_after_ms: Option<u64>,
    pub close_code: Option<u16>,
    pub close_reason: String,
    /// Nothing more is sent, not even pings; the socket stays open.
    pub go_silent_after_ms: Option<u64>,
    /// Something that is not JSON is sent.
    pub garbage_after_ms: Option<u64>,
}

/// What goes wrong at a moment of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mishap {
    Drop,
    Close { code: u16, reason: String },
    GoSilent,
    Garbage,
}

impl ElevenLabsFaults {
    /// Takes what is meant for the next conversation, in order of time.
    pub(super) fn take_for_conversation(&mut self) -> Vec<(Duration, Mishap)> {
        let close = Mishap::Close {
            code: self.close_code.take().unwrap_or(1011),
            reason: std::mem::take(&mut self.close_reason),
        };
        let mut mishaps: Vec<(Duration, Mishap)> = [
            (self.drop_after_ms.take(), Mishap::Drop),
            (self.close_after_ms.take(), close),
            (self.go_silent_after_ms.take(), Mishap::GoSilent),
            (self.garbage_after_ms.take(), Mishap::Garbage),
        ]
        .into_iter()
        .filter_map(|(after, mishap)| Some((Duration::from_millis(after?), mishap)))
        .collect();
        mishaps.sort_by_key(|(after, _)| *after);
        mishaps
    }
}

/// Counts one down; false when there was none left.
pub(super) fn take_one(counter: &mut u32) -> bool {
    let some_left = *counter > 0;
    *counter = counter.saturating_sub(1);
    some_left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_for_one_conversation_and_in_order() {
        let mut faults = ElevenLabsFaults {
            drop_after_ms: Some(900),
            garbage_after_ms: Some(100),
            late_audio: true,
            ..ElevenLabsFaults::default()
        };
        let ms = Duration::from_millis;
        assert_eq!(faults.take_for_conversation(), [(ms(100), Mishap::Garbage), (ms(900), Mishap::Drop)]);
        assert_eq!(faults.take_for_conversation(), []);
        assert!(faults.late_audio);
    }
}
