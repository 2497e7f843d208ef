//! Any text from an agent is read or refused, never a panic: a line of the input is a message, of one conversation. Audio that passes
//! through is what serde finds in the message, and what we say of it is JSON of the documented keys.
#![no_main]

use bytes::{Bytes, BytesMut};
use clearline::domain::agent_link::{AgentCommand, AgentEvent};
use clearline::protocol::agent::Dialect;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|text: &str| {
    // Before the formats are known nothing else is read. An input that starts with the word is a conversation in PCM.
    let (format, text) = text.strip_prefix("pcm_16000\n").map_or(("ulaw_8000", text), |rest| ("pcm_16000", rest));
    let passes = format == "ulaw_8000";
    let mut dialect = Dialect::elevenlabs();
    dialect.decode(metadata(format)).expect("this is how a conversation starts");
    for line in text.lines().take(64) {
        let Ok(event) = dialect.decode(Bytes::copy_from_slice(line.as_bytes())) else { continue };
        // A tree has limits (depth, range of numbers) that the codec does not need.
        let message = serde_json::from_str::<Value>(line).unwrap_or_default();
        let (command, expected) = match event {
            AgentEvent::Audio { chunk, turn } => {
                let event = &message["audio_event"];
                assert!(message.is_null() || event["event_id"] == turn);
                let payload = String::from_utf8(chunk.base64().to_vec()).expect("part of a text");
                assert!(!passes || message.is_null() || event["audio_base_64"] == *payload);
                (AgentCommand::Audio(chunk), json!({ "user_audio_chunk": payload }))
            }
            AgentEvent::Ping { id } => (AgentCommand::Pong { id }, json!({ "type": "pong", "event_id": id })),
            AgentEvent::CallerSaid { text } | AgentEvent::AgentSaid { text, .. } => {
                let expected = json!({ "type": "contextual_update", "text": text });
                (AgentCommand::Context { text }, expected)
            }
            AgentEvent::ToolCall(call) => {
                let expected = json!({
                    "type": "client_tool_result", "tool_call_id": call.id, "result": call.name, "is_error": true
                });
                (AgentCommand::ToolResult { id: call.id, result: call.name, is_error: true }, expected)
            }
            _ => continue,
        };
        let mut said = BytesMut::new();
        dialect.encode(&command, &mut said);
        if matches!(command, AgentCommand::Audio(_)) && !passes {
            // Transcoded: other audio, possibly none yet.
            assert!(said.is_empty() || serde_json::from_slice::<Value>(&said).is_ok());
            continue;
        }
        assert_eq!(serde_json::from_slice::<Value>(&said).expect("our own message is JSON"), expected);
    }
});

fn metadata(format: &str) -> Bytes {
    let event = json!({
        "conversation_id": "conv_1", "agent_output_audio_format": format, "user_input_audio_format": format
    });
    let message = json!({
        "type": "conversation_initiation_metadata", "conversation_initiation_metadata_event": event
    });
    message.to_string().into()
}
