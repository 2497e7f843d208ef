//! The messages of a conversation socket (the vendor's AsyncAPI): the strict reading of what clients send, and what we send.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// What a client says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ClientMessage {
    Initiation(Map<String, Value>),
    /// In the agent's input format.
    Audio(Vec<u8>),
    Pong(i64),
    ToolResult {
        id: String,
        is_error: bool,
    },
    UserMessage(String),
    /// Accepted and logged, without effect.
    Noted {
        kind: String,
        text: Option<String>,
    },
}

/// Reads one text message. The error is the reason of the close with code 1008.
pub(super) fn parse(text: &str) -> Result<ClientMessage, String> {
    let Ok(Value::Object(message)) = serde_json::from_str(text) else {
        return Err("invalid_message: not a JSON object".to_owned());
    };
    let Some(kind) = message.get("type") else {
        let chunk = text_field(&message, "user_audio_chunk")?;
        only(&message, &["user_audio_chunk"])?;
        let audio = STANDARD.decode(chunk).map_err(|_| invalid("user_audio_chunk is not base64"))?;
        return Ok(ClientMessage::Audio(audio));
    };
    let kind = kind.as_str().ok_or_else(|| invalid("type is not a text"))?;
    match kind {
        "conversation_initiation_client_data" => {
            only(
                &message,
                &[
                    "type",
                    "conversation_config_override",
                    "custom_llm_extra_body",
                    "dynamic_variables",
                    "user_id",
                    "source_info",
                    "branch_id",
                    "environment",
                    "starting_workflow_node_id",
                    "procedure_ids",
                    "tool_mock_config",
                ],
            )?;
            Ok(ClientMessage::Initiation(message))
        }
        "pong" => {
            only(&message, &["type", "event_id"])?;
            let id = message.get("event_id").and_then(Value::as_i64);
            id.map(ClientMessage::Pong).ok_or_else(|| invalid("event_id is not an integer"))
        }
        "client_tool_result" => {
            only(&message, &["type", "tool_call_id", "result", "is_error"])?;
            text_field(&message, "result")?;
            let id = text_field(&message, "tool_call_id")?.to_owned();
            let is_error = message.get("is_error").and_then(Value::as_bool);
            is_error
                .map(|is_error| ClientMessage::ToolResult { id, is_error })
                .ok_or_else(|| invalid("is_error is not a boolean"))
        }
        "user_message" => {
            only(&message, &["type", "text", "rich_content_id"])?;
            text_field(&message, "text").map(|text| ClientMessage::UserMessage(text.to_owned()))
        }
        "contextual_update" => {
            only(&message, &["type", "text", "context_id"])?;
            let text = text_field(&message, "text")?.to_owned();
            Ok(ClientMessage::Noted { kind: kind.to_owned(), text: Some(text) })
        }
        "mcp_tool_approval_result" => {
            only(&message, &["type", "tool_call_id", "is_approved"])?;
            text_field(&message, "tool_call_id")?;
            Ok(ClientMessage::Noted { kind: kind.to_owned(), text: None })
        }
        "user_activity" | "feedback" | "multimodal_message" => {
            Ok(ClientMessage::Noted { kind: kind.to_owned(), text: None })
        }
        other => Err(invalid(&format!("unknown type {other}"))),
    }
}

fn invalid(what: &str) -> String {
    format!("invalid_message: {what}")
}

fn only(message: &Map<String, Value>, allowed: &[&str]) -> Result<(), String> {
    match message.keys().find(|key| !allowed.contains(&key.as_str())) {
        Some(key) => Err(invalid(&format!("unexpected field {key}"))),
        None => Ok(()),
    }
}

fn text_field<'a>(message: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    message.get(name).and_then(Value::as_str).ok_or_else(|| invalid(&format!("{name} is not a text")))
}

/// What a server says. Each has the name by which an agent's `client_events` lets it through.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ServerMessage {
    Metadata { conversation_id: String, agent_output: String, user_input: String },
    Audio { audio: Vec<u8>, event_id: u64 },
    Interruption { event_id: u64 },
    Ping { event_id: u64, ping_ms: Option<u64> },
    UserTranscript { text: String, event_id: u64 },
    TentativeUserTranscript { text: String, event_id: u64 },
    AgentResponse { text: String, event_id: u64 },
    AgentResponseCorrection { original: String, corrected: String, event_id: u64 },
    AgentResponseComplete { event_id: u64 },
    ClientToolCall { name: String, id: String, parameters: Value, event_id: u64 },
    AgentToolRequest { name: String, id: String, tool_type: &'static str, event_id: u64 },
    AgentToolResponse { name: String, id: String, tool_type: &'static str, is_error: bool, event_id: u64 },
    Error { code: u16, error_type: String, message: String },
}

impl ServerMessage {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Metadata { .. } => "conversation_initiation_metadata",
            Self::Audio { .. } => "audio",
            Self::Interruption { .. } => "interruption",
            Self::Ping { .. } => "ping",
            Self::UserTranscript { .. } => "user_transcript",
            Self::TentativeUserTranscript { .. } => "tentative_user_transcript",
            Self::AgentResponse { .. } => "agent_response",
            Self::AgentResponseCorrection { .. } => "agent_response_correction",
            Self::AgentResponseComplete { .. } => "agent_response_complete",
            Self::ClientToolCall { .. } => "client_tool_call",
            Self::AgentToolRequest { .. } => "agent_tool_request",
            Self::AgentToolResponse { .. } => "agent_tool_response",
            Self::Error { .. } => "error",
        }
    }

    /// The name in `client_events`, which differs for errors only. Metadata and pings always pass.
    pub(super) fn passes(&self, client_events: &[String]) -> bool {
        let name = match self {
            Self::Metadata { .. } | Self::Ping { .. } => return true,
            Self::Error { .. } => "client_error",
            other => other.kind(),
        };
        client_events.iter().any(|event| event == name)
    }

    pub(super) fn to_json(&self) -> Value {
        let (key, body) = self.body();
        json!({"type": self.kind(), key: body})
    }

    fn body(&self) -> (&'static str, Value) {
        match self {
            Self::Metadata { conversation_id, agent_output, user_input } => (
                "conversation_initiation_metadata_event",
                json!({"conversation_id": conversation_id, "agent_output_audio_format": agent_output,
                       "user_input_audio_format": user_input}),
            ),
            Self::Audio { audio, event_id } => {
                ("audio_event", json!({"audio_base_64": STANDARD.encode(audio), "event_id": event_id}))
            }
            Self::Interruption { event_id } => ("interruption_event", json!({ "event_id": event_id })),
            Self::Ping { event_id, ping_ms } => ("ping_event", json!({"event_id": event_id, "ping_ms": ping_ms})),
            Self::UserTranscript { text, event_id } => {
                ("user_transcription_event", json!({"user_transcript": text, "event_id": event_id}))
            }
            Self::TentativeUserTranscript { text, event_id } => {
                ("tentative_user_transcription_event", json!({"user_transcript": text, "event_id": event_id}))
            }
            Self::AgentResponse { text, event_id } => {
                ("agent_response_event", json!({"agent_response": text, "event_id": event_id}))
            }
            Self::AgentResponseCorrection { original, corrected, event_id } => (
                "agent_response_correction_event",
                json!({"original_agent_response": original, "corrected_agent_response": corrected, "event_id": event_id}),
            ),
            Self::AgentResponseComplete { event_id } => {
                ("agent_response_complete_event", json!({ "event_id": event_id }))
            }
            Self::ClientToolCall { name, id, parameters, event_id } => (
                "client_tool_call",
                json!({"tool_name": name, "tool_call_id": id, "parameters": parameters, "event_id": event_id,
                       "expects_response": true}),
            ),
            Self::AgentToolRequest { name, id, tool_type, event_id } => (
                "agent_tool_request",
                json!({"tool_name": name, "tool_call_id": id, "tool_type": tool_type, "event_id": event_id}),
            ),
            Self::AgentToolResponse { name, id, tool_type, is_error, event_id } => (
                "agent_tool_response",
                json!({"tool_name": name, "tool_call_id": id, "tool_type": tool_type, "is_error": is_error,
                       "is_called": true, "event_id": event_id}),
            ),
            Self::Error { code, error_type, message } => {
                ("error_event", json!({"code": code, "error_type": error_type, "message": message}))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_may_say() {
        let read = |text: &str| parse(text).unwrap();
        assert_eq!(read(r#"{"user_audio_chunk":"/38="}"#), ClientMessage::Audio(vec![255, 127]));
        assert_eq!(read(r#"{"type":"pong","event_id":7}"#), ClientMessage::Pong(7));
        assert!(matches!(read(r#"{"type":"conversation_initiation_client_data"}"#), ClientMessage::Initiation(_)));
        let result = r#"{"type":"client_tool_result","tool_call_id":"call_1","result":"{}","is_error":true}"#;
        assert_eq!(read(result), ClientMessage::ToolResult { id: "call_1".into(), is_error: true });
        for noted in ["contextual_update\",\"text\":\"x", "user_activity"] {
            assert!(matches!(read(&format!(r#"{{"type":"{noted}"}}"#)), ClientMessage::Noted { .. }));
        }
    }

    #[test]
    fn anything_else_is_an_invalid_message() {
        for text in [
            "x",
            "[]",
            "{}",
            r#"{"user_audio_chunk":"*"}"#,
            r#"{"user_audio_chunk":"/w==","event_id":1}"#,
            r#"{"type":"user_audio_chunk","user_audio_chunk":"/w=="}"#,
            r#"{"type":"pong","event_id":"7"}"#,
            r#"{"type":"client_tool_result","tool_call_id":"1","result":{},"is_error":false}"#,
            r#"{"type":"conversation_initiation_client_data","dynamicVariables":{}}"#,
            r#"{"type":"hello"}"#,
        ] {
            assert!(parse(text).unwrap_err().starts_with("invalid_message"), "{text}");
        }
    }

    #[test]
    fn only_metadata_and_pings_pass_without_being_asked_for() {
        let interruption = ServerMessage::Interruption { event_id: 3 };
        assert_eq!(interruption.to_json(), json!({"type": "interruption", "interruption_event": {"event_id": 3}}));
        assert!(!interruption.passes(&["audio".to_owned()]));
        assert!(interruption.passes(&["interruption".to_owned()]));
        assert!(ServerMessage::Ping { event_id: 1, ping_ms: None }.passes(&[]));
    }
}
