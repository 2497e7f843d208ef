//! The nouns of the house: numbers, ids, calls, events, decisions. No async, no I/O, no clock.
//!
//! Every other room speaks these words. What two rooms must share but may not get from each other (the neutral words of a
//! carrier stream, of an agent link, of the carrier's control calls) lives here too.

pub mod access;
pub mod agent_link;
pub mod audio;
pub mod call;
pub mod carrier_stream;
pub mod consent;
pub mod decision;
pub mod disposition;
pub mod event;
pub mod ids;
pub mod keypad;
pub mod language;
pub mod lead;
pub mod party;
pub mod phone;
pub mod secret;
pub mod transcript;
pub mod turn_timed;

pub use call::{Call, CallState, CallStatus, Direction};
pub use decision::{Decision, Purpose, ReasonCode};
pub use disposition::Disposition;
pub use event::CallEvent;
pub use ids::{
    AccountSid, AgentRef, AgentRefError, AgentVendor, AttemptId, CallId, CallSid, ConsentId, ConversationId,
    DecisionId, KeyId, LeadId, RecordingSid, ReservationId, StreamSid,
};
pub use keypad::Keys;
pub use language::Language;
pub use lead::Lead;
pub use party::Party;
pub use phone::E164;
pub use secret::Secret;
pub use turn_timed::TurnTimed;
