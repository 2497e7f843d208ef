//! Step into a conversation: messages to the agent, mute, hold. Each is handed to the call's stream, which writes it down.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::agents::AgentError;
use crate::domain::audio::MulawChunk;
use crate::domain::event::{Actor, MessageKind};
use crate::protocol::tones;
use crate::session::{Command, Steer};

use super::App;
use super::live_calls::LiveCall;

/// The longest message to an agent, in characters.
pub const MESSAGE_MAX: usize = 2_000;

/// How long a stream may take to take a command. One that takes longer is stuck.
const LANE_LIMIT: Duration = Duration::from_secs(5);

/// Why a step into a conversation was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("the call has no open conversation: it is not answered yet, on its way elsewhere, or over")]
    NotConversing,
    #[error(
        "the audio of this call is at the agent's vendor: message the agent, transfer, take over or end the call; all else needs \
         the audio here"
    )]
    AtVendor,
    #[error("the agent's vendor did not take the message: {0}")]
    Vendor(AgentError),
    #[error("the call's stream does not take commands at the moment: try again")]
    Stuck,
    #[error("a text has 1 to {max} characters")]
    TextLength { max: usize },
    #[error("{} has taken the call over already", operator.name)]
    TakenOver { operator: Actor },
    #[error("the agent is saying who calls, which the law wants said first: try again when it is through")]
    Opening,
    #[error("no sentence can be spoken in mid-call: {0}")]
    NoVoice(#[from] AgentError),
    #[error("the carrier refused: {0}")]
    Carrier(String),
}

impl App {
    /// Tells the agent something (`Context`), or speaks to it in the caller's place (`UserMessage`).
    pub async fn message_agent(
        &self,
        call: &LiveCall,
        by: Actor,
        kind: MessageKind,
        text: &str,
    ) -> Result<(), ControlError> {
        let text = checked_text(text, MESSAGE_MAX)?;
        if call.record().is_at_vendor() && !call.is_over() {
            return self.message_vendor(call, by, kind, text).await;
        }
        if kind == MessageKind::UserMessage {
            let_open(call)?;
        }
        steer(call, by, Steer::Message { kind, text }).await
    }

    /// The caller hears nothing of the agent from now on. What it says meanwhile is lost, and each turn is noted as withheld.
    pub async fn mute_agent(&self, call: &LiveCall, by: Actor) -> Result<(), ControlError> {
        let_open(call)?;
        steer(call, by, Steer::Mute).await
    }

    /// The caller hears again what the agent says from now on.
    pub async fn unmute_agent(&self, call: &LiveCall, by: Actor) -> Result<(), ControlError> {
        steer(call, by, Steer::Unmute).await
    }

    /// The caller hears a soft tone and the agent silence. The media stream stays, so that resuming takes no time.
    pub async fn hold_call(&self, call: &LiveCall, by: Actor) -> Result<(), ControlError> {
        let_open(call)?;
        steer(call, by, Steer::Hold { tone: chunk(&tones::hold()) }).await
    }

    pub async fn resume_call(&self, call: &LiveCall, by: Actor) -> Result<(), ControlError> {
        steer(call, by, Steer::Resume).await
    }
}

/// Refuses whatever would cut off an agent that says the opening disclosure, as nobody steps in either while the carrier says it.
pub(super) fn let_open(call: &LiveCall) -> Result<(), ControlError> {
    let is_due = call.opening().is_some() && !call.record().agent_was_heard;
    if is_due && !call.is_over() { Err(ControlError::Opening) } else { Ok(()) }
}

pub(super) async fn steer(call: &LiveCall, by: Actor, what: Steer) -> Result<(), ControlError> {
    send(call, Command::Steer { by, what }).await
}

/// Hands a command to the call's stream.
pub(super) async fn send(call: &LiveCall, command: Command) -> Result<(), ControlError> {
    let lane = call.commands().filter(|_| !call.is_over()).ok_or_else(|| no_lane(call))?;
    match tokio::time::timeout(LANE_LIMIT, lane.send(Box::new(command))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(ControlError::NotConversing),
        Err(_) => Err(ControlError::Stuck),
    }
}

/// Why nobody takes commands for the call.
pub(super) fn no_lane(call: &LiveCall) -> ControlError {
    if call.record().is_at_vendor() && !call.is_over() { ControlError::AtVendor } else { ControlError::NotConversing }
}

pub(super) fn checked_text(text: &str, max: usize) -> Result<String, ControlError> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > max {
        return Err(ControlError::TextLength { max });
    }
    Ok(text.to_owned())
}

/// Audio as it goes into a stream.
pub(super) fn chunk(mulaw: &[u8]) -> MulawChunk {
    MulawChunk::from_base64(STANDARD.encode(mulaw).into())
}
