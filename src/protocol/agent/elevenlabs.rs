//! The ElevenLabs dialect: the JSON messages of the conversation socket.
//!
//! With `ulaw_8000` in both directions audio passes through: its base64 text is found in place, cut out and framed anew, never
//! decoded. Other formats that we can carry are transcoded, with state kept across frames.
//! Source: ElevenLabs, AsyncAPI of the agent socket; "Agents WebSocket" in the API reference.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{BufMut as _, Bytes, BytesMut};
use serde_json::{Map, Value, json};

use super::DialectError;
use super::elevenlabs_messages::{self as messages, Incoming};
use crate::domain::agent_link::{AgentCommand, AgentEvent, Initiation, ToolCall};
use crate::domain::audio::{AudioFormat, MulawChunk};
use crate::protocol::json_scan::{Scanner, set_once};
use crate::protocol::transcode::{FromMulaw, ToMulaw};

/// Dynamic variables that start so are ElevenLabs' own and may not be sent.
const RESERVED_PREFIX: &str = "system__";

/// How deep the parts of an audio message that we skip (its alignment) may be nested.
const SKIP_DEPTH: u8 = 6;

/// The codec of one conversation.
#[derive(Debug, Default)]
pub struct ElevenLabs {
    to_mulaw: Option<Box<ToMulaw>>,
    from_mulaw: Option<Box<FromMulaw>>,
    buffer: Vec<u8>,
}

impl ElevenLabs {
    pub(super) fn decode(&mut self, text: Bytes) -> Result<AgentEvent, DialectError> {
        if let Some((payload, turn)) = find_audio(&text) {
            return self.audio(text.slice(payload), turn);
        }
        match messages::parse(&text)? {
            Incoming::Audio { base64, turn } => self.audio(base64.into(), turn),
            Incoming::Metadata { conversation_id, caller_audio, agent_audio } => {
                let (caller_audio, agent_audio) = (parse_format(&caller_audio), parse_format(&agent_audio));
                let (Some(caller_audio), Some(agent_audio)) = (caller_audio, agent_audio) else {
                    return Err(DialectError::UnsupportedFormat(UNSUPPORTED.to_owned()));
                };
                self.from_mulaw = is_pcm(caller_audio).then(|| Box::new(FromMulaw::new(caller_audio)));
                self.to_mulaw = is_pcm(agent_audio).then(|| Box::new(ToMulaw::new(agent_audio)));
                Ok(AgentEvent::Ready { conversation_id, caller_audio, agent_audio })
            }
            Incoming::Event(AgentEvent::Interrupted { turn }) => {
                if let Some(transcoder) = &mut self.to_mulaw {
                    transcoder.reset();
                }
                Ok(AgentEvent::Interrupted { turn })
            }
            Incoming::Event(event) => Ok(event),
        }
    }

    fn audio(&mut self, base64: Bytes, turn: u64) -> Result<AgentEvent, DialectError> {
        let Some(transcoder) = &mut self.to_mulaw else {
            return Ok(AgentEvent::Audio { chunk: MulawChunk::from_base64(base64), turn });
        };
        let pcm = BASE64.decode(&base64).map_err(|_| DialectError::Malformed("audio is not base64".to_owned()))?;
        self.buffer.clear();
        transcoder.push(&pcm, &mut self.buffer);
        Ok(AgentEvent::Audio { chunk: MulawChunk::from_base64(BASE64.encode(&self.buffer).into()), turn })
    }

    pub(super) fn encode(&mut self, command: &AgentCommand, out: &mut BytesMut) {
        match command {
            AgentCommand::Audio(chunk) => self.put_audio(chunk, out),
            AgentCommand::Initiate(initiation) => put_json(out, &initiate(initiation)),
            AgentCommand::Pong { id } => put_json(out, &json!({"type": "pong", "event_id": id})),
            AgentCommand::ToolResult { id, result, is_error } => put_json(
                out,
                &json!({"type": "client_tool_result", "tool_call_id": id, "result": result, "is_error": is_error}),
            ),
            AgentCommand::Approval { id, approved } => put_json(
                out,
                &json!({"type": "mcp_tool_approval_result", "tool_call_id": id, "is_approved": approved}),
            ),
            AgentCommand::Context { text } => put_json(out, &json!({"type": "contextual_update", "text": text})),
            AgentCommand::UserMessage { text } => put_json(out, &json!({"type": "user_message", "text": text})),
            AgentCommand::Activity => put_json(out, &json!({"type": "user_activity"})),
        }
    }

    /// The only message without a `type`.
    fn put_audio(&mut self, chunk: &MulawChunk, out: &mut BytesMut) {
        let head = b"{\"user_audio_chunk\":\"";
        let Some(transcoder) = &mut self.from_mulaw else {
            out.put_slice(head);
            out.put_slice(chunk.base64());
            out.put_slice(b"\"}");
            return;
        };
        // The carrier's base64 is broken or the block is not full: there is nothing to send.
        let Ok(mulaw) = BASE64.decode(chunk.base64()) else { return };
        self.buffer.clear();
        transcoder.push(&mulaw, &mut self.buffer);
        if !self.buffer.is_empty() {
            out.put_slice(head);
            out.put_slice(BASE64.encode(&self.buffer).as_bytes());
            out.put_slice(b"\"}");
        }
    }
}

/// What the operator is told when the agent's formats cannot be carried.
const UNSUPPORTED: &str = "the agent speaks an audio format that Clearline does not carry: set the agent's \
     `conversation_config.asr.user_input_audio_format` and `conversation_config.tts.agent_output_audio_format` to `ulaw_8000` \
     (pcm_8000, pcm_16000 and pcm_24000 work too, at the cost of transcoding)";

fn parse_format(name: &str) -> Option<AudioFormat> {
    [AudioFormat::Ulaw8000, AudioFormat::Pcm8000, AudioFormat::Pcm16000, AudioFormat::Pcm24000]
        .into_iter()
        .find(|format| format.as_str() == name)
}

fn is_pcm(format: AudioFormat) -> bool {
    format != AudioFormat::Ulaw8000
}

/// The hot path: finds payload and turn of a plainly written `audio` message. None means "ask serde".
fn find_audio(text: &[u8]) -> Option<(std::ops::Range<usize>, u64)> {
    let mut scanner = Scanner::new(text);
    let (mut kind, mut payload, mut turn) = (None, None, None);
    scanner.object(|scanner, key| match key {
        b"type" => set_once(&mut kind, scanner.string()?),
        b"audio_event" => scanner.object(|scanner, key| match key {
            b"audio_base_64" => set_once(&mut payload, scanner.string()?),
            b"event_id" => set_once(&mut turn, scanner.number()?),
            _ => scanner.skip_value(SKIP_DEPTH),
        }),
        _ => scanner.skip_value(SKIP_DEPTH),
    })?;
    (scanner.is_at_end() && scanner.slice(kind?) == b"audio").then_some(())?;
    Some((payload?, turn?))
}

fn initiate(initiation: &Initiation) -> Value {
    let mut message = Map::new();
    message.insert("type".to_owned(), "conversation_initiation_client_data".into());
    let variables: Map<_, _> = initiation
        .dynamic_variables
        .iter()
        .filter(|(name, value)| {
            !name.starts_with(RESERVED_PREFIX) && (value.is_string() || value.is_number() || value.is_boolean())
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if !variables.is_empty() {
        message.insert("dynamic_variables".to_owned(), variables.into());
    }
    if let Some(text) = &initiation.first_message {
        message.insert("conversation_config_override".to_owned(), json!({"agent": {"first_message": text}}));
    }
    Value::Object(message)
}

fn put_json(out: &mut BytesMut, message: &Value) {
    serde_json::to_writer(out.writer(), message).expect("a JSON value is always JSON and a buffer always takes it");
}

/// A tool call's arguments where the agent sent none.
pub(super) fn tool_call(id: String, name: String, arguments: Option<Value>, expects_answer: Option<bool>) -> ToolCall {
    let arguments = arguments.unwrap_or_else(|| Value::Object(Map::new()));
    ToolCall { id, name, arguments, expects_answer: expects_answer.unwrap_or(true) }
}

#[cfg(test)]
mod tests;
