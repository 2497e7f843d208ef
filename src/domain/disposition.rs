//! `Disposition`: why a call ended, once and for all. Ours; Twilio's words for a call's progress are `CallStatus`.

use serde::{Deserialize, Serialize};

/// Why a call ended. A call gets exactly one, with its `Ended` event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// There was a conversation and one side ended it.
    Completed,
    Busy,
    NoAnswer,
    /// The carrier could not connect the call, or our side broke (a restart, a full journal, a stalled socket).
    Failed,
    /// Ended before it was answered.
    Canceled,
    /// The gate said no. Nothing was dialled.
    Blocked,
    /// An answering machine took the call and the route does not talk to machines.
    Machine,
    /// The called party asked not to be called again.
    OptedOut,
    /// The agent could not be reached, refused, or fell silent.
    AgentFailed,
    /// The call went on with somebody else.
    Transferred,
    /// An inbound call that was not taken.
    Rejected,
    /// The call waited for a slot for too long and was withdrawn.
    Expired,
}

impl Disposition {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Blocked => "blocked",
            Self::Machine => "machine",
            Self::OptedOut => "opted_out",
            Self::AgentFailed => "agent_failed",
            Self::Transferred => "transferred",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}
