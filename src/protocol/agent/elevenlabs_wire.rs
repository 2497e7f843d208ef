//! The messages of the `ElevenLabs` conversation socket as they stand in JSON, as far as a phone call needs them.
//!
//! Source: the vendor's `AsyncAPI` of the agent socket (August 2026). Fields that nobody reads are not named, so that a change in
//! them cannot hurt.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What every message of the server has.
#[derive(Debug, Deserialize)]
pub(super) struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Cow<'a, str>,
}

/// Declares a message: its payload key, and the payload's fields.
macro_rules! server_messages {
    ($($message:ident { $key:ident: $payload:ident { $($(#[$attr:meta])* $field:ident: $type:ty,)* } })*) => {$(
        #[derive(Debug, Deserialize)]
        pub(super) struct $message {
            pub(super) $key: $payload,
        }

        #[derive(Debug, Deserialize)]
        pub(super) struct $payload {
            $($(#[$attr])* pub(super) $field: $type,)*
        }
    )*};
}

server_messages! {
    InitiationMetadata {
        conversation_initiation_metadata_event: InitiationMetadataEvent {
            conversation_id: String,
            agent_output_audio_format: String,
            // Required by the specification; where it is missing all the same, the default of the agent's settings holds.
            #[serde(default = "default_format")]
            user_input_audio_format: String,
        }
    }
    Interruption { interruption_event: InterruptionEvent { event_id: u64, } }
    Ping { ping_event: PingEvent { event_id: u64, } }
    UserTranscript { user_transcription_event: UserTranscriptionEvent { user_transcript: String, } }
    TentativeUserTranscript {
        tentative_user_transcription_event: TentativeUserTranscriptionEvent { user_transcript: String, }
    }
    AgentResponse {
        agent_response_event: AgentResponseEvent { agent_response: String, event_id: Option<u64>, }
    }
    AgentResponseCorrection {
        agent_response_correction_event: AgentResponseCorrectionEvent {
            corrected_agent_response: String,
            event_id: Option<u64>,
        }
    }
    AgentResponseComplete {
        agent_response_complete_event: AgentResponseCompleteEvent { event_id: Option<u64>, }
    }
    ClientToolCall {
        client_tool_call: ClientToolCallEvent {
            tool_name: String,
            tool_call_id: String,
            #[serde(default)]
            parameters: Value,
            expects_response: Option<bool>,
        }
    }
    McpToolCall {
        mcp_tool_call: McpToolCallEvent {
            service_id: String,
            tool_call_id: String,
            tool_name: String,
            state: String,
        }
    }
    QueueStatus { queue_status_event: QueueStatusEvent { status: String, } }
}

fn default_format() -> String {
    "pcm_16000".to_owned()
}

#[derive(Debug, Deserialize)]
pub(super) struct Audio<'a> {
    #[serde(borrow)]
    pub(super) audio_event: AudioEvent<'a>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AudioEvent<'a> {
    #[serde(borrow)]
    pub(super) audio_base_64: Cow<'a, str>,
    pub(super) event_id: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct AgentToolResponse {
    #[serde(alias = "agent_tool_response_full_payload")]
    pub(super) agent_tool_response: AgentToolResponseEvent,
}

#[derive(Debug, Deserialize)]
pub(super) struct AgentToolResponseEvent {
    pub(super) tool_name: String,
    #[serde(default)]
    pub(super) is_error: bool,
    /// Required by the specification; an answer that leaves it out is still the answer of a tool that ran.
    #[serde(default = "called")]
    pub(super) is_called: bool,
}

fn called() -> bool {
    true
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorMessage {
    #[serde(default)]
    pub(super) error_event: ErrorEvent,
}

/// Of its texts the one without sensitive details (`reason`) is the second choice, `debug_message` none.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorEvent {
    #[serde(default)]
    pub(super) code: Value,
    pub(super) error_type: Option<String>,
    pub(super) message: Option<String>,
    pub(super) reason: Option<String>,
}

/// What we send, but for audio.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ClientMessage<'a> {
    ConversationInitiationClientData {
        #[serde(skip_serializing_if = "Option::is_none")]
        conversation_config_override: Option<ConfigOverride<'a>>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        dynamic_variables: BTreeMap<&'a str, &'a Value>,
    },
    Pong {
        event_id: u64,
    },
    ClientToolResult {
        tool_call_id: &'a str,
        result: &'a str,
        is_error: bool,
    },
    McpToolApprovalResult {
        tool_call_id: &'a str,
        is_approved: bool,
    },
    ContextualUpdate {
        text: &'a str,
    },
    UserMessage {
        text: &'a str,
    },
    UserActivity,
}

#[derive(Debug, Serialize)]
pub(super) struct ConfigOverride<'a> {
    pub(super) agent: AgentOverride<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct AgentOverride<'a> {
    pub(super) first_message: &'a str,
}
