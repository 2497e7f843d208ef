//! The messages that ElevenLabs sends, by serde. Unknown kinds are data; a known kind without its parts is malformed.

use serde::Deserialize;
use serde_json::Value;

use super::DialectError;
use super::elevenlabs::tool_call;
use crate::domain::ConversationId;
use crate::domain::agent_link::AgentEvent;

/// A message, as far as its meaning does not depend on the conversation's formats.
#[derive(Debug)]
pub(super) enum Incoming {
    Metadata { conversation_id: ConversationId, caller_audio: String, agent_audio: String },
    Audio { base64: String, turn: u64 },
    Event(AgentEvent),
}

/// Every part that we use, all optional: which ones a kind needs is decided after its type is known.
#[derive(Debug, Deserialize)]
struct Message {
    #[serde(rename = "type")]
    kind: Option<String>,
    conversation_initiation_metadata_event: Option<Metadata>,
    audio_event: Option<Audio>,
    interruption_event: Option<Turn>,
    ping_event: Option<Turn>,
    user_transcription_event: Option<UserTranscript>,
    tentative_user_transcription_event: Option<UserTranscript>,
    agent_response_event: Option<AgentResponse>,
    agent_response_correction_event: Option<Correction>,
    agent_response_complete_event: Option<Turn>,
    client_tool_call: Option<ClientTool>,
    agent_tool_response: Option<ToolResponse>,
    mcp_tool_call: Option<McpTool>,
    error_event: Option<ErrorEvent>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    conversation_id: String,
    agent_output_audio_format: String,
    /// Older servers leave it out when it is the default.
    user_input_audio_format: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Audio {
    audio_base_64: String,
    event_id: u64,
}

#[derive(Debug, Deserialize)]
struct Turn {
    event_id: u64,
}

#[derive(Debug, Deserialize)]
struct UserTranscript {
    user_transcript: String,
}

#[derive(Debug, Deserialize)]
struct AgentResponse {
    agent_response: String,
    #[serde(default)]
    event_id: u64,
}

#[derive(Debug, Deserialize)]
struct Correction {
    corrected_agent_response: String,
    #[serde(default)]
    event_id: u64,
}

#[derive(Debug, Deserialize)]
struct ClientTool {
    tool_name: String,
    tool_call_id: String,
    parameters: Option<Value>,
    expects_response: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct ToolResponse {
    tool_name: String,
    #[serde(default)]
    is_called: bool,
    #[serde(default)]
    is_error: bool,
}

#[derive(Debug, Deserialize)]
struct McpTool {
    #[serde(default)]
    service_id: String,
    tool_call_id: String,
    tool_name: String,
    state: String,
}

#[derive(Debug, Deserialize)]
struct ErrorEvent {
    code: Option<Value>,
    message: Option<String>,
    error_type: Option<String>,
    reason: Option<String>,
}

/// The default of both directions (OpenAPI: `pcm_16000`).
const DEFAULT_FORMAT: &str = "pcm_16000";

pub(super) fn parse(text: &[u8]) -> Result<Incoming, DialectError> {
    let message: Message = serde_json::from_slice(text).map_err(|error| {
        // Only the place: the text may hold what somebody said.
        DialectError::Malformed(format!("not a message of this dialect (line {}, column {})", error.line(), error.column()))
    })?;
    let kind = message.kind.as_deref().ok_or_else(|| DialectError::Malformed("no `type`".to_owned()))?;
    let missing = || DialectError::Malformed(format!("`{}` without its content", kind.get(..40).unwrap_or(kind)));
    let event = match kind {
        "conversation_initiation_metadata" => {
            let metadata = message.conversation_initiation_metadata_event.ok_or_else(missing)?;
            return Ok(Incoming::Metadata {
                conversation_id: ConversationId::new(metadata.conversation_id),
                caller_audio: metadata.user_input_audio_format.unwrap_or_else(|| DEFAULT_FORMAT.to_owned()),
                agent_audio: metadata.agent_output_audio_format,
            });
        }
        "audio" => {
            let audio = message.audio_event.ok_or_else(missing)?;
            return Ok(Incoming::Audio { base64: audio.audio_base_64, turn: audio.event_id });
        }
        "interruption" => AgentEvent::Interrupted { turn: message.interruption_event.ok_or_else(missing)?.event_id },
        "ping" => AgentEvent::Ping { id: message.ping_event.ok_or_else(missing)?.event_id },
        "user_transcript" => {
            AgentEvent::CallerSaid { text: message.user_transcription_event.ok_or_else(missing)?.user_transcript }
        }
        "tentative_user_transcript" => {
            let tentative = message.tentative_user_transcription_event.ok_or_else(missing)?;
            AgentEvent::CallerSaying { text: tentative.user_transcript }
        }
        "agent_response" => {
            let said = message.agent_response_event.ok_or_else(missing)?;
            AgentEvent::AgentSaid { turn: said.event_id, text: said.agent_response }
        }
        "agent_response_correction" => {
            let correction = message.agent_response_correction_event.ok_or_else(missing)?;
            AgentEvent::AgentCorrected { turn: correction.event_id, text: correction.corrected_agent_response }
        }
        "agent_response_complete" => {
            AgentEvent::TurnComplete { turn: message.agent_response_complete_event.ok_or_else(missing)?.event_id }
        }
        "client_tool_call" => {
            let tool = message.client_tool_call.ok_or_else(missing)?;
            AgentEvent::ToolCall(tool_call(tool.tool_call_id, tool.tool_name, tool.parameters, tool.expects_response))
        }
        "agent_tool_response" => {
            let tool = message.agent_tool_response.ok_or_else(missing)?;
            let ends = tool.tool_name == "end_call" && tool.is_called && !tool.is_error;
            if ends { AgentEvent::EndCall } else { AgentEvent::Other }
        }
        "mcp_tool_call" => {
            let tool = message.mcp_tool_call.ok_or_else(missing)?;
            if tool.state != "awaiting_approval" {
                return Ok(Incoming::Event(AgentEvent::Other));
            }
            AgentEvent::ApprovalWanted { tool_call_id: tool.tool_call_id, service: tool.service_id, tool: tool.tool_name }
        }
        "error" | "client_error" => failed(message.error_event.ok_or_else(missing)?),
        _ => AgentEvent::Other,
    };
    Ok(Incoming::Event(event))
}

fn failed(error: ErrorEvent) -> AgentEvent {
    let code = match (error.error_type, error.code) {
        (Some(kind), _) => kind,
        (None, Some(Value::String(code))) => code,
        (None, Some(code)) => code.to_string(),
        (None, None) => "unknown".to_owned(),
    };
    AgentEvent::Failed { code, message: error.message.or(error.reason).unwrap_or_default() }
}
