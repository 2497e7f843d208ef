//! Any text from an agent is read or refused, never a panic: a line of the input is a message, of one conversation. Audio that passes
//! through is what serde finds in the message, and what we say of it is JSON of the documented keys.
#![no_main]

use bytes::{Bytes, BytesMut};
use clearline::domain::agent_link::{AgentCommand, AgentEvent};
use clearline::domain::audio::AudioFormat;
use clearline::protocol::agent::Dialect;
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

fuzz_target!(|text: &str| {
    let mut dialect = Dialect::elevenlabs();
    let mut passes = (true, true);
    for line in text.lines().take(16) {
        let Ok(event) = dialect.decode(Bytes::copy_from_slice(line.as_bytes())) else { continue };
        serde_json::from_str::<IgnoredAny>(line).expect("what is read is JSON");
        // A tree has limits (depth, range of numbers) that the codec does not need.
        let message = serde_json::from_str::<Value>(line).unwrap_or_default();
        let (command, expected) = match event {
            AgentEvent::Ready { caller_audio, agent_audio, .. } => {
                passes = (caller_audio == AudioFormat::Ulaw8000, agent_audio == AudioFormat::Ulaw8000);
                continue;
            }
            AgentEvent::Audio { chunk, turn } => {
                let event = &message["audio_event"];
                assert!(message.is_null() || event["event_id"] == turn);
                let payload = String::from_utf8(chunk.base64().to_vec()).expect("part of a text");
                assert!(!passes.1 || message.is_null() || event["audio_base_64"] == *payload);
                (AgentCommand::Audio(chunk), json!({ "user_audio_chunk": payload }))
            }
            AgentEvent::Ping { id } => (AgentCommand::Pong { id }, json!({ "type": "pong", "event_id": id })),
            AgentEvent::CallerSaid { text } | AgentEvent::AgentSaid { text, .. } => {
                let expected = json!({ "type": "contextual_update", "text": text });
                (AgentCommand::Context { text }, expected)
            }
            _ => continue,
        };
        let mut said = BytesMut::new();
        dialect.encode(&command, &mut said);
        let is_audio = matches!(command, AgentCommand::Audio(_));
        if is_audio && !passes.0 {
            // Transcoded: other audio, possibly none yet.
            assert!(said.is_empty() || serde_json::from_slice::<Value>(&said).is_ok());
            continue;
        }
        assert_eq!(serde_json::from_slice::<Value>(&said).expect("our own message is JSON"), expected);
    }
});
