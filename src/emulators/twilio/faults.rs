//! Trouble on demand: what the emulator does wrong, and how often. Set by `POST /_emulator/faults`.

use serde::{Deserialize, Serialize};

use super::lookups::LookupFault;

/// Faults of the Twilio emulator. Switches stay until they are set again; counters say how many more times.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TwilioFaults {
    /// Every status callback is sent twice.
    pub duplicate_callbacks: bool,
    /// Status callbacks change places in pairs.
    pub reorder_callbacks: bool,
    /// Status callbacks come so late.
    pub delay_callbacks_ms: u64,
    /// So many webhooks carry a wrong signature.
    pub wrong_signatures: u32,
    /// So many stream upgrades carry a wrong signature.
    pub wrong_stream_signatures: u32,
    /// So many calls ask for their first document twice.
    pub replay_voice_webhooks: u32,
    /// So many `POST Calls.json` are refused with 429 and error 20429, and no call is made.
    pub rate_limit_creates: u32,
    /// So many `POST Calls.json` fail with 503, and no call is made.
    pub fail_creates: u32,
    /// So many updates of calls (end, other document) are refused with 400, and nothing is changed.
    pub refuse_updates: u32,
    /// Calls stay queued so long before they are dialled, as when the account starts more than its calls per second.
    pub hold_queued_ms: u64,
    /// `POST Calls.json` waits so long before it makes the call. One whose client goes away meanwhile makes none.
    pub delay_creates_ms: u64,
    /// So many `POST Calls.json` make the call and never answer (504 after a minute).
    pub lose_create_answers: u32,
    /// The next stream's socket is cut, without `stop` or close frame, so long after its start.
    pub drop_media_after_ms: Option<u64>,
    /// The next stream stops reading its socket.
    pub stop_reading_after_ms: Option<u64>,
    /// The next stream sends a message that is not JSON, and a binary one.
    pub garbage_after_ms: Option<u64>,
    /// What is wrong with every lookup of a number.
    pub lookups: Option<LookupFault>,
    /// What machine detection says, whoever picked up.
    pub answered_by: Option<Detected>,
    /// It needs so much longer to know.
    pub delay_detection_ms: u64,
}

/// What machine detection can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detected {
    Human,
    MachineStart,
    MachineEndBeep,
    MachineEndSilence,
    MachineEndOther,
    Fax,
    Unknown,
}

impl Detected {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::MachineStart => "machine_start",
            Self::MachineEndBeep => "machine_end_beep",
            Self::MachineEndSilence => "machine_end_silence",
            Self::MachineEndOther => "machine_end_other",
            Self::Fax => "fax",
            Self::Unknown => "unknown",
        }
    }
}

/// What goes wrong on one stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamFaults {
    pub wrong_signature: bool,
    pub drop_after_ms: Option<u64>,
    pub stop_reading_after_ms: Option<u64>,
    pub garbage_after_ms: Option<u64>,
}

impl TwilioFaults {
    /// Takes what is meant for the next stream.
    pub fn take_for_stream(&mut self) -> StreamFaults {
        StreamFaults {
            wrong_signature: take_one(&mut self.wrong_stream_signatures),
            drop_after_ms: self.drop_media_after_ms.take(),
            stop_reading_after_ms: self.stop_reading_after_ms.take(),
            garbage_after_ms: self.garbage_after_ms.take(),
        }
    }
}

/// Counts one down; false when there was none left.
pub(super) fn take_one(counter: &mut u32) -> bool {
    let some_left = *counter > 0;
    *counter = counter.saturating_sub(1);
    some_left
}
