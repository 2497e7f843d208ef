//! The dialect of the `ElevenLabs` conversation socket (`/v1/convai/conversation`).
//!
//! With µ-law on both sides a frame of audio crosses as the text it is. An agent on PCM is carried too, converted here.
//! The rule of interruptions (what of a void turn is dropped) is the session's; here a turn is just `event_id`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Deserialize;
use serde_json::Value;

use crate::domain::agent_link::{AgentCommand, AgentEvent, Initiation, ToolCall};
use crate::domain::audio::{AudioFormat, MulawChunk};
use crate::domain::ids::ConversationId;
use crate::protocol::transcode::{FromMulaw, ToMulaw};

use super::DialectError;
use super::elevenlabs_audio::find_audio;
use super::elevenlabs_wire as wire;

/// Decodes what any encoder writes, with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// One conversation's codec.
#[derive(Debug, Default)]
pub struct ElevenLabs {
    /// `None` until the agent told its formats.
    audio: Option<Carriage>,
    newest_turn: u64,
}

/// How audio crosses in either direction; `None` passes it through untouched.
#[derive(Debug)]
struct Carriage {
    from_caller: Option<FromMulaw>,
    from_agent: Option<ToMulaw>,
    /// Reused between frames: bytes before and after conversion.
    raw: Vec<u8>,
    converted: Vec<u8>,
}

impl ElevenLabs {
    /// Reads one text message.
    pub(super) fn decode(&mut self, text: Bytes) -> Result<AgentEvent, DialectError> {
        if let Some(audio) = find_audio(&text) {
            return self.agent_audio(text.slice(audio.base64), audio.turn);
        }
        let kind = read::<wire::Kind<'_>>(&text, "unknown")?.kind;
        match &*kind {
            "conversation_initiation_metadata" => self.ready(read(&text, "conversation_initiation_metadata")?),
            "ping" => Ok(AgentEvent::Ping { id: read::<wire::Ping>(&text, "ping")?.ping_event.event_id }),
            "error" | "client_error" => Ok(failed(read(&text, "error")?)),
            "queue_status" => Ok(queue_status(&read(&text, "queue_status")?)),
            kind if self.audio.is_none() && CONTENT.contains(&kind) => {
                Err(DialectError::Malformed(format!("{kind} came before conversation_initiation_metadata")))
            }
            "audio" => {
                let event = read::<wire::Audio<'_>>(&text, "audio")?.audio_event;
                self.agent_audio(paste_safe(&event.audio_base_64)?, event.event_id)
            }
            kind => self.content(kind, &text),
        }
    }

    /// Writes one command as a text message, appended to `out`; nothing where there is nothing to send.
    pub(super) fn encode(&mut self, command: &AgentCommand, out: &mut BytesMut) {
        let message = match command {
            AgentCommand::Audio(chunk) => return self.caller_audio(chunk, out),
            AgentCommand::Initiate(initiation) => initiate(initiation),
            AgentCommand::Pong { id } => wire::ClientMessage::Pong { event_id: *id },
            AgentCommand::ToolResult { id, result, is_error } => {
                wire::ClientMessage::ClientToolResult { tool_call_id: id, result, is_error: *is_error }
            }
            AgentCommand::Approval { id, approved } => {
                wire::ClientMessage::McpToolApprovalResult { tool_call_id: id, is_approved: *approved }
            }
            AgentCommand::Context { text } => wire::ClientMessage::ContextualUpdate { text },
            AgentCommand::UserMessage { text } => wire::ClientMessage::UserMessage { text },
            AgentCommand::Activity | AgentCommand::Key { .. } => wire::ClientMessage::UserActivity,
            // Its agents ping by themselves and send no marks.
            AgentCommand::Probe | AgentCommand::MarkPlayed { .. } => return,
        };
        serde_json::to_writer(out.writer(), &message)
            .expect("texts and numbers always serialise, and memory takes them");
    }

    fn ready(&mut self, message: wire::InitiationMetadata) -> Result<AgentEvent, DialectError> {
        if self.audio.is_some() {
            return Err(DialectError::Malformed("conversation_initiation_metadata came twice".to_owned()));
        }
        let event = message.conversation_initiation_metadata_event;
        let (Some(caller_audio), Some(agent_audio)) =
            (carried(&event.user_input_audio_format), carried(&event.agent_output_audio_format))
        else {
            return Err(unsupported(&event));
        };
        self.audio = Some(Carriage {
            from_caller: FromMulaw::new(caller_audio),
            from_agent: ToMulaw::new(agent_audio),
            raw: Vec::new(),
            converted: Vec::new(),
        });
        Ok(AgentEvent::Ready { conversation_id: ConversationId::new(event.conversation_id), caller_audio, agent_audio })
    }

    fn agent_audio(&mut self, base64: Bytes, turn: u64) -> Result<AgentEvent, DialectError> {
        let Some(audio) = &mut self.audio else {
            return Err(DialectError::Malformed("audio came before conversation_initiation_metadata".to_owned()));
        };
        self.newest_turn = self.newest_turn.max(turn);
        let chunk = match &mut audio.from_agent {
            None => base64,
            Some(converter) => {
                audio.raw.clear();
                audio.converted.clear();
                BASE64
                    .decode_vec(&base64, &mut audio.raw)
                    .map_err(|_| DialectError::Malformed("audio is not base64".to_owned()))?;
                converter.push(&audio.raw, &mut audio.converted);
                BASE64.encode(&audio.converted).into()
            }
        };
        // The carrier objects to an empty payload.
        if chunk.is_empty() {
            return Ok(AgentEvent::Other);
        }
        Ok(AgentEvent::Audio { chunk: MulawChunk::from_base64(chunk), turn })
    }

    fn caller_audio(&mut self, chunk: &MulawChunk, out: &mut BytesMut) {
        let Some(audio) = &mut self.audio else { return };
        let Some(converter) = &mut audio.from_caller else {
            return user_audio_chunk(chunk.base64(), out);
        };
        audio.raw.clear();
        audio.converted.clear();
        // A carrier that sends broken base64 harms only itself.
        if BASE64.decode_vec(chunk.base64(), &mut audio.raw).is_err() {
            return;
        }
        converter.push(&audio.raw, &mut audio.converted);
        if !audio.converted.is_empty() {
            user_audio_chunk(BASE64.encode(&audio.converted).as_bytes(), out);
        }
    }

    /// The messages that make up the conversation, and those that we do not need.
    fn content(&mut self, kind: &str, text: &[u8]) -> Result<AgentEvent, DialectError> {
        let newest = self.newest_turn;
        Ok(match kind {
            "interruption" => {
                let turn = read::<wire::Interruption>(text, "interruption")?.interruption_event.event_id;
                // The last samples of a void turn must not leak into the next one.
                if let Some(converter) = self.audio.as_mut().and_then(|audio| audio.from_agent.as_mut()) {
                    converter.reset();
                }
                AgentEvent::Interrupted { turn }
            }
            "user_transcript" => {
                let event = read::<wire::UserTranscript>(text, "user_transcript")?.user_transcription_event;
                AgentEvent::CallerSaid { text: event.user_transcript }
            }
            "tentative_user_transcript" => {
                let message = read::<wire::TentativeUserTranscript>(text, "tentative_user_transcript")?;
                AgentEvent::CallerSaying { text: message.tentative_user_transcription_event.user_transcript }
            }
            "agent_response" => {
                let event = read::<wire::AgentResponse>(text, "agent_response")?.agent_response_event;
                AgentEvent::AgentSaid { turn: event.event_id.unwrap_or(newest), text: event.agent_response }
            }
            "agent_response_correction" => {
                let message = read::<wire::AgentResponseCorrection>(text, "agent_response_correction")?;
                let event = message.agent_response_correction_event;
                AgentEvent::AgentCorrected {
                    turn: event.event_id.unwrap_or(newest),
                    text: event.corrected_agent_response,
                }
            }
            "agent_response_complete" => {
                let message = read::<wire::AgentResponseComplete>(text, "agent_response_complete")?;
                AgentEvent::TurnComplete { turn: message.agent_response_complete_event.event_id.unwrap_or(newest) }
            }
            "client_tool_call" => tool_call(read(text, "client_tool_call")?),
            "agent_tool_response" | "agent_tool_response_full_payload" => {
                let event = read::<wire::AgentToolResponse>(text, "agent_tool_response")?.agent_tool_response;
                let ends = event.tool_name == "end_call" && event.is_called && !event.is_error;
                if ends { AgentEvent::EndCall } else { AgentEvent::Working }
            }
            "agent_tool_request" => AgentEvent::Working,
            "mcp_tool_call" => mcp_tool_call(read(text, "mcp_tool_call")?),
            _ => AgentEvent::Other,
        })
    }
}

/// The messages that make no sense before the formats are known. The metadata is documented to come first.
const CONTENT: [&str; 12] = [
    "audio",
    "interruption",
    "user_transcript",
    "tentative_user_transcript",
    "agent_response",
    "agent_response_correction",
    "agent_response_complete",
    "client_tool_call",
    "agent_tool_request",
    "agent_tool_response",
    "agent_tool_response_full_payload",
    "mcp_tool_call",
];

/// What an operator can do about an error that a conversation ended with, by its `error_type` or the text of its close frame.
///
/// Source: the vendor's `AsyncAPI` (`ErrorType`, `WebSocketCloseCode`).
pub fn advice(code_or_reason: &str) -> Option<&'static str> {
    const ADVICE: [(&str, &str); 9] = [
        (
            "override",
            "The agent does not allow a value that was sent to be overridden: enable it in the agent's Security settings, or stop sending it.",
        ),
        (
            "missing_dynamic_variable",
            "The agent's prompt names a variable that was not sent: send it with the call, or give it a default in the agent.",
        ),
        ("quota", "The ElevenLabs account is out of credits or over its quota: check the subscription."),
        (
            "max_duration",
            "The agent's own limit ended the call: raise conversation.max_duration_seconds (600 by default).",
        ),
        ("transport_receive_timeout", "The agent heard nothing for 60 seconds, not even silence."),
        ("custom_llm", "The agent's custom language model failed or was too slow: check its server."),
        ("llm_timeout", "The agent's language model took more than 20 seconds: choose a faster one."),
        ("mcp_https", "One of the agent's MCP servers is not reached by https."),
        ("telephony_agent_error", "The agent only listens, it cannot hold a call: choose another agent."),
    ];
    let text = code_or_reason.to_ascii_lowercase();
    ADVICE.into_iter().find_map(|(word, advice)| text.contains(word).then_some(advice))
}

/// The error names the message and the place, never its content: that may be what somebody said.
fn read<'a, T: Deserialize<'a>>(text: &'a [u8], kind: &str) -> Result<T, DialectError> {
    serde_json::from_slice(text).map_err(|error| {
        let wrong = match error.classify() {
            serde_json::error::Category::Data => "lacks a documented field or has another type in it",
            _ => "is not JSON",
        };
        DialectError::Malformed(format!("a message of kind {kind} {wrong}, at column {}", error.column()))
    })
}

/// Audio that came with escaped characters goes on the carrier's wire between two quotes, so none may close them.
fn paste_safe(base64: &str) -> Result<Bytes, DialectError> {
    if base64.bytes().any(|byte| byte == b'"' || byte == b'\\' || byte < b' ') {
        return Err(DialectError::Malformed("audio is not base64".to_owned()));
    }
    Ok(Bytes::copy_from_slice(base64.as_bytes()))
}

fn carried(format: &str) -> Option<AudioFormat> {
    [AudioFormat::Ulaw8000, AudioFormat::Pcm8000, AudioFormat::Pcm16000, AudioFormat::Pcm24000]
        .into_iter()
        .find(|known| known.as_str() == format)
}

fn unsupported(event: &wire::InitiationMetadataEvent) -> DialectError {
    let name =
        |format: &str| format.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(24).collect::<String>();
    DialectError::UnsupportedFormat(format!(
        "the agent listens in {} and speaks in {}, one of which a phone call cannot carry: in the agent's settings, set \
         asr.user_input_audio_format and tts.agent_output_audio_format to ulaw_8000 (or pcm_8000, pcm_16000, pcm_24000)",
        name(&event.user_input_audio_format),
        name(&event.agent_output_audio_format),
    ))
}

fn tool_call(message: wire::ClientToolCall) -> AgentEvent {
    let call = message.client_tool_call;
    AgentEvent::ToolCall(ToolCall {
        id: call.tool_call_id,
        name: call.tool_name,
        arguments: if call.parameters.is_null() { Value::Object(serde_json::Map::new()) } else { call.parameters },
        // An answer that nobody waits for does no harm; a missing one stalls the agent.
        expects_answer: call.expects_response.unwrap_or(true),
    })
}

fn mcp_tool_call(message: wire::McpToolCall) -> AgentEvent {
    let call = message.mcp_tool_call;
    if call.state != "awaiting_approval" {
        return AgentEvent::Other;
    }
    AgentEvent::ApprovalWanted { tool_call_id: call.tool_call_id, service: call.service_id, tool: call.tool_name }
}

fn failed(message: wire::ErrorMessage) -> AgentEvent {
    let event = message.error_event;
    let code = event.error_type.unwrap_or_else(|| match event.code {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text,
        _ => "unknown".to_owned(),
    });
    let mut message = event.message.or(event.reason).unwrap_or_else(|| "the agent reported an error".to_owned());
    if let Some(advice) = advice(&code).or_else(|| advice(&message)) {
        message = format!("{}. {advice}", message.trim_end_matches('.'));
    }
    AgentEvent::Failed { code, message }
}

/// Calls beyond the account's concurrency wait in a queue, before the metadata. Only its end matters.
fn queue_status(message: &wire::QueueStatus) -> AgentEvent {
    if message.queue_status_event.status != "timed_out" {
        return AgentEvent::Other;
    }
    AgentEvent::Failed {
        code: "queue_timed_out".to_owned(),
        message: "The agent had no free slot in time: raise the account's or the agent's concurrency limit.".to_owned(),
    }
}

fn initiate(initiation: &Initiation) -> wire::ClientMessage<'_> {
    let dynamic_variables: BTreeMap<_, _> = initiation
        .dynamic_variables
        .iter()
        // The vendor reserves `system__` and takes texts, numbers and booleans only; anything else would end the session.
        .filter(|(name, value)| {
            !name.starts_with("system__") && matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_))
        })
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    let conversation_config_override = initiation
        .first_message
        .as_deref()
        .map(|first_message| wire::ConfigOverride { agent: wire::AgentOverride { first_message } });
    wire::ClientMessage::ConversationInitiationClientData { conversation_config_override, dynamic_variables }
}

/// The only client message without a `type`.
fn user_audio_chunk(base64: &[u8], out: &mut BytesMut) {
    const HEAD: &[u8] = br#"{"user_audio_chunk":""#;
    const TAIL: &[u8] = br#""}"#;
    out.reserve(HEAD.len() + base64.len() + TAIL.len());
    out.put_slice(HEAD);
    out.put_slice(base64);
    out.put_slice(TAIL);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const SERVER: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/elevenlabs/server_messages.jsonl"));
    const CLIENT: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/elevenlabs/client_messages.jsonl"));

    fn metadata(caller: &str, agent: &str) -> Bytes {
        let event = json!({
            "conversation_id": "conv_1", "user_input_audio_format": caller, "agent_output_audio_format": agent
        });
        let message =
            json!({"type": "conversation_initiation_metadata", "conversation_initiation_metadata_event": event});
        message.to_string().into()
    }

    fn talking(caller: &str, agent: &str) -> ElevenLabs {
        let mut dialect = ElevenLabs::default();
        dialect.decode(metadata(caller, agent)).unwrap();
        dialect
    }

    fn audio(base64: &str, turn: u64) -> Bytes {
        json!({"type": "audio", "audio_event": {"audio_base_64": base64, "event_id": turn}}).to_string().into()
    }

    fn chunk(base64: &'static str) -> MulawChunk {
        MulawChunk::from_base64(Bytes::from_static(base64.as_bytes()))
    }

    fn encoded(dialect: &mut ElevenLabs, command: &AgentCommand) -> String {
        let mut out = BytesMut::new();
        dialect.encode(command, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    fn said(turn: u64, text: &str) -> AgentEvent {
        AgentEvent::AgentSaid { turn, text: text.to_owned() }
    }

    /// What the fixture means, leaving out what a phone call does not need.
    fn meaning() -> Vec<AgentEvent> {
        use AgentEvent as E;
        let tool = |id: &str, name: &str, arguments, expects_answer| {
            E::ToolCall(ToolCall { id: id.to_owned(), name: name.to_owned(), arguments, expects_answer })
        };
        vec![
            E::Ready {
                conversation_id: ConversationId::new("conv_fixture_1"),
                caller_audio: AudioFormat::Ulaw8000,
                agent_audio: AudioFormat::Ulaw8000,
            },
            E::Ping { id: 1 },
            said(2, "Hello, this is Ada from Harbor Dental."),
            E::Audio { chunk: chunk("/////w=="), turn: 2 },
            E::Audio { chunk: chunk("fn5+fg=="), turn: 2 },
            E::Ping { id: 3 },
            E::Interrupted { turn: 4 },
            E::AgentCorrected { turn: 4, text: "Hello, this is Ada...".to_owned() },
            E::CallerSaying { text: "Is it".to_owned() },
            E::CallerSaid { text: "Is it \"you\" again?".to_owned() },
            tool("tool_1", "find_booking", json!({"name": "Jo", "party": 3}), true),
            tool("tool_2", "take_note", json!({}), false),
            E::ApprovalWanted {
                tool_call_id: "mcptool_1".to_owned(),
                service: "mcp_1".to_owned(),
                tool: "send_invoice".to_owned(),
            },
            said(10, "Goodbye!"),
            E::TurnComplete { turn: 10 },
            E::EndCall,
            E::Failed {
                code: "override_error".to_owned(),
                message: "Override for field 'first_message' is not allowed by config. The agent does not allow a value that \
                          was sent to be overridden: enable it in the agent's Security settings, or stop sending it."
                    .to_owned(),
            },
            E::Failed { code: "1011".to_owned(), message: "the agent reported an error".to_owned() },
            E::Failed {
                code: "queue_timed_out".to_owned(),
                message: "The agent had no free slot in time: raise the account's or the agent's concurrency limit."
                    .to_owned(),
            },
        ]
    }

    #[test]
    fn every_documented_server_message_is_understood() {
        let mut dialect = ElevenLabs::default();
        let events = SERVER.lines().map(|line| dialect.decode(Bytes::from_static(line.as_bytes())).expect(line));
        let (unneeded, needed): (Vec<_>, Vec<_>) =
            events.partition(|event| matches!(event, AgentEvent::Other | AgentEvent::Working));
        assert_eq!(needed, meaning());
        assert_eq!(unneeded.len(), SERVER.lines().count() - needed.len());
    }

    #[test]
    fn every_command_is_written_as_documented() {
        let mut dialect = talking("ulaw_8000", "ulaw_8000");
        let variables = [
            ("call_id", json!("call_00000000000000000000000000000007")),
            ("n", json!(3)),
            ("vip", json!(true)),
            // Reserved, or of a type that the vendor refuses.
            ("system__caller_id", json!("x")),
            ("nothing", json!(null)),
            ("list", json!([1])),
        ];
        let initiation = Initiation {
            dynamic_variables: variables.map(|(name, value)| (name.to_owned(), value)).into(),
            first_message: Some("Good morning!".to_owned()),
            so_far: None,
            ..Initiation::default()
        };
        let text = |text: &str| text.to_owned();
        let commands = [
            AgentCommand::Initiate(Box::default()),
            AgentCommand::Initiate(Box::new(initiation)),
            AgentCommand::Audio(chunk("/////w==")),
            AgentCommand::Pong { id: 7 },
            AgentCommand::ToolResult { id: text("tool_1"), result: text(r#"{"at":"15:00"}"#), is_error: false },
            AgentCommand::ToolResult { id: text("tool_2"), result: text("timed out"), is_error: true },
            AgentCommand::Approval { id: text("mcptool_1"), approved: false },
            AgentCommand::Context { text: text("The caller pressed 5.\nOnce.") },
            AgentCommand::UserMessage { text: text("Say \"yes\"") },
            AgentCommand::Activity,
        ];
        let written: Vec<_> = commands.iter().map(|command| encoded(&mut dialect, command)).collect();
        assert_eq!(written, CLIENT.lines().collect::<Vec<_>>());
    }

    #[test]
    fn commands_are_appended() {
        let mut out = BytesMut::from("before");
        ElevenLabs::default().encode(&AgentCommand::Activity, &mut out);
        assert_eq!(out, r#"before{"type":"user_activity"}"#);
    }

    #[test]
    fn mulaw_passes_through_without_a_copy() {
        let mut dialect = talking("ulaw_8000", "ulaw_8000");
        let message = audio("/////w==", 5);
        let AgentEvent::Audio { chunk, turn: 5 } = dialect.decode(message.clone()).unwrap() else { panic!() };
        assert!(message.as_ptr_range().contains(&chunk.base64().as_ptr()));
    }

    #[test]
    fn escaped_audio_is_unescaped_but_cannot_break_out_of_its_quotes() {
        let mut dialect = talking("ulaw_8000", "ulaw_8000");
        let message = r#"{"type":"audio","audio_event":{"audio_base_64":"\/\/8=","event_id":1}}"#;
        let event = dialect.decode(Bytes::from_static(message.as_bytes())).unwrap();
        assert_eq!(event, AgentEvent::Audio { chunk: chunk("//8="), turn: 1 });
        for text in ["a\"b", "a\\b", "a\nb"] {
            assert!(matches!(dialect.decode(audio(text, 1)), Err(DialectError::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn an_empty_chunk_is_nothing_to_play() {
        assert_eq!(talking("ulaw_8000", "ulaw_8000").decode(audio("", 1)), Ok(AgentEvent::Other));
        // Half a sample, and less than a millisecond.
        assert_eq!(talking("ulaw_8000", "pcm_16000").decode(audio("AA==", 1)), Ok(AgentEvent::Other));
    }

    #[test]
    fn formats_are_taken_for_each_direction() {
        let mut dialect = talking("pcm_16000", "ulaw_8000");
        assert_eq!(dialect.decode(audio("/////w==", 1)), Ok(AgentEvent::Audio { chunk: chunk("/////w=="), turn: 1 }));
        let silence = MulawChunk::from_base64(BASE64.encode([0xFF; 160]).into());
        let message: Value = serde_json::from_str(&encoded(&mut dialect, &AgentCommand::Audio(silence))).unwrap();
        let pcm = BASE64.decode(message["user_audio_chunk"].as_str().unwrap()).unwrap();
        assert_eq!(pcm, [0; 640]);

        let mut dialect = talking("ulaw_8000", "pcm_8000");
        let AgentEvent::Audio { chunk, turn: 1 } = dialect.decode(audio(&BASE64.encode([0; 320]), 1)).unwrap() else {
            panic!()
        };
        assert_eq!(BASE64.decode(chunk.base64()).unwrap(), [0xFF; 160]);
    }

    #[test]
    fn a_format_that_cannot_be_carried_names_the_two_settings() {
        for (caller, agent) in [("pcm_44100", "ulaw_8000"), ("ulaw_8000", "opus\"_48000"), ("", "pcm_22050")] {
            let error = ElevenLabs::default().decode(metadata(caller, agent)).unwrap_err();
            let DialectError::UnsupportedFormat(text) = error else { panic!("{error}") };
            for part in ["asr.user_input_audio_format", "tts.agent_output_audio_format", "ulaw_8000"] {
                assert!(text.contains(part), "{text}");
            }
        }
    }

    #[test]
    fn before_the_metadata_only_pings_errors_and_trifles_count() {
        let early = |line: &str| ElevenLabs::default().decode(Bytes::copy_from_slice(line.as_bytes()));
        for line in SERVER.lines().skip(1) {
            let kind = serde_json::from_str::<Value>(line).unwrap()["type"].as_str().unwrap().to_owned();
            let result = early(line);
            match &*kind {
                "ping" => assert!(matches!(result, Ok(AgentEvent::Ping { .. }))),
                "error" => assert!(matches!(result, Ok(AgentEvent::Failed { .. }))),
                "queue_status" => assert!(matches!(result, Ok(AgentEvent::Other | AgentEvent::Failed { .. }))),
                kind if CONTENT.contains(&kind) => {
                    assert!(matches!(result, Err(DialectError::Malformed(_))), "{line}");
                }
                _ => assert!(matches!(result, Ok(AgentEvent::Other | AgentEvent::Working)), "{line}"),
            }
        }
        let nothing = encoded(&mut ElevenLabs::default(), &AgentCommand::Audio(chunk("/////w==")));
        assert_eq!(nothing, "");
    }

    #[test]
    fn metadata_counts_once() {
        let mut dialect = talking("ulaw_8000", "ulaw_8000");
        assert!(matches!(dialect.decode(metadata("pcm_16000", "pcm_16000")), Err(DialectError::Malformed(_))));
        assert!(matches!(dialect.decode(audio("/////w==", 1)), Ok(AgentEvent::Audio { .. })));
    }

    #[test]
    fn a_response_without_event_id_belongs_to_the_newest_turn() {
        let mut dialect = talking("ulaw_8000", "ulaw_8000");
        dialect.decode(audio("/////w==", 9)).unwrap();
        let message = r#"{"type":"agent_response","agent_response_event":{"agent_response":"Hi"}}"#;
        assert_eq!(dialect.decode(Bytes::from_static(message.as_bytes())), Ok(said(9, "Hi")));
    }

    #[test]
    fn only_an_end_call_that_was_carried_out_ends_the_call() {
        let mut dialect = talking("ulaw_8000", "ulaw_8000");
        let mut answer = |name: &str, called: bool, error: bool| {
            let event = json!({"tool_name": name, "tool_call_id": "t", "tool_type": "system", "is_called": called, "is_error": error, "event_id": 1});
            let message = json!({"type": "agent_tool_response", "agent_tool_response": event});
            dialect.decode(message.to_string().into()).unwrap()
        };
        assert_eq!(answer("end_call", true, false), AgentEvent::EndCall);
        assert_eq!(answer("end_call", false, false), AgentEvent::Working);
        assert_eq!(answer("end_call", true, true), AgentEvent::Working);
        assert_eq!(answer("skip_turn", true, false), AgentEvent::Working);
    }

    #[test]
    fn errors_do_not_repeat_what_was_said() {
        let mut dialect = talking("ulaw_8000", "ulaw_8000");
        for message in [
            r#"{"type":"ping","ping_event":{"event_id":"+12125550113"}}"#,
            r#"{"type":"user_transcript","user_transcription_event":"+12125550113"}"#,
            r#"{"type":["+12125550113"]}"#,
            r#"{"type":"user_transcript" +12125550113"#,
            "+12125550113",
        ] {
            let error = dialect.decode(Bytes::from_static(message.as_bytes())).unwrap_err();
            assert!(matches!(error, DialectError::Malformed(_)));
            assert!(!error.to_string().contains("555"), "{error}");
        }
    }

    #[test]
    fn quota_shows_only_in_words() {
        assert!(advice("This request exceeds your quota limit.").is_some_and(|advice| advice.contains("credits")));
        assert_eq!(advice("unknown"), None);
    }

    proptest! {
        #[test]
        fn in_place_and_by_tree_give_the_same(audio_text in "[A-Za-z0-9+/]{1,400}={0,2}", turn in 0_u64..1 << 50) {
            let message = audio(&audio_text, turn);
            // An escape that changes nothing sends the same message through the general reader.
            let escaped = String::from_utf8(message.to_vec()).unwrap().replacen("audio_event", "audio_even\\u0074", 1);
            prop_assert!(find_audio(&message).is_some() && find_audio(escaped.as_bytes()).is_none());
            let in_place = talking("ulaw_8000", "ulaw_8000").decode(message);
            prop_assert_eq!(in_place, talking("ulaw_8000", "ulaw_8000").decode(escaped.into()));
        }

        #[test]
        fn pcm_frames_join_to_one_stream(
            format in proptest::sample::select(&["pcm_8000", "pcm_16000", "pcm_24000"][..]),
            pcm in proptest::collection::vec(any::<u8>(), 0..2_000),
            cut in any::<proptest::sample::Index>(),
        ) {
            let mulaw = |dialect: &mut ElevenLabs, pcm: &[u8]| match dialect.decode(audio(&BASE64.encode(pcm), 1)).unwrap() {
                AgentEvent::Audio { chunk, .. } => BASE64.decode(chunk.base64()).unwrap(),
                _ => Vec::new(),
            };
            let whole = mulaw(&mut talking("ulaw_8000", format), &pcm);
            let (head, tail) = pcm.split_at(cut.index(pcm.len() + 1));
            let mut dialect = talking("ulaw_8000", format);
            let mut pieces = mulaw(&mut dialect, head);
            pieces.extend(mulaw(&mut dialect, tail));
            prop_assert_eq!(pieces, whole);
        }

        #[test]
        fn nothing_makes_it_panic(messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..120), 1..4)) {
            let mut dialect = talking("pcm_16000", "pcm_24000");
            for message in messages {
                let _ = dialect.decode(message.clone().into());
                let _ = encoded(&mut dialect, &AgentCommand::Audio(MulawChunk::from_base64(message.into())));
            }
        }

        #[test]
        fn no_altered_message_makes_it_panic(
            line in proptest::sample::select(SERVER.lines().collect::<Vec<_>>()),
            at in any::<proptest::sample::Index>(),
            byte: u8,
        ) {
            let mut message = line.as_bytes().to_vec();
            let at = at.index(message.len());
            message[at] = byte;
            let _ = talking("ulaw_8000", "pcm_16000").decode(message.clone().into());
            message.truncate(at);
            let _ = ElevenLabs::default().decode(message.into());
        }
    }
}
