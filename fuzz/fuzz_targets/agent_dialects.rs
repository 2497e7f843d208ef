//! Any message of an agent of the smaller dialects is read or refused, never a panic. The first line of the input names the dialect, every
//! other is a message of one conversation; `audio:` before it makes it a binary one. What is read is JSON, turns never go back, audio
//! that passes through is what was sent, and what we say is JSON of the documented keys.
#![no_main]

use bytes::{Bytes, BytesMut};
use clearline::domain::agent_link::{AgentCommand, AgentEvent};
use clearline::domain::audio::{AudioFormat, MulawChunk};
use clearline::domain::{AccountSid, ConversationId, StreamSid};
use clearline::protocol::agent::binary::Binary;
use clearline::protocol::agent::retell_web::RetellWeb;
use clearline::protocol::agent::twilio_stream::TwilioStream;
use clearline::protocol::agent::{Dialect, Frame};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

/// Words that are no JSON.
const PLAIN: [&str; 3] = ["clear", "ping", "pong"];

fuzz_target!(|text: &str| {
    let Some((name, text)) = text.split_once('\n') else { return };
    let id = || ConversationId::new("conv_1");
    let mut dialect = match name {
        "twilio-stream" => Dialect::TwilioStream(TwilioStream::new(AccountSid::new("AC1"), StreamSid::new("MZ1"))),
        "retell-web" => Dialect::RetellWeb(RetellWeb::new(id())),
        "binary pcm" => Dialect::Binary(Binary::new(id(), AudioFormat::Pcm16000)),
        _ => Dialect::Binary(Binary::new(id(), AudioFormat::Ulaw8000)),
    };
    assert!(dialect.ready_unasked().is_some());
    let mut turn = 0;
    for line in text.lines().take(64) {
        let sent = line.strip_prefix("audio:").map(str::as_bytes);
        let event = match sent {
            Some(audio) => dialect.decode_binary(audio),
            None => dialect.decode(Bytes::copy_from_slice(line.as_bytes())),
        };
        let Ok(event) = event else { continue };
        if sent.is_none() && !PLAIN.contains(&line) {
            serde_json::from_str::<IgnoredAny>(line).expect("what is read is JSON");
        }
        if let AgentEvent::Audio { turn: now, .. } = &event {
            assert!(*now >= turn && *now > 0);
            turn = *now;
        }
        answer(&mut dialect, event, (line, sent), name == "binary pcm");
        // Time goes on by the caller's audio.
        say(&mut dialect, &AgentCommand::Audio(MulawChunk::silence(line.len() * 16)));
    }
});

fn say(dialect: &mut Dialect, command: &AgentCommand) -> (Frame, Vec<u8>) {
    let mut said = BytesMut::new();
    let frame = dialect.encode(command, &mut said);
    (frame, said.to_vec())
}

/// Gives back what came, and looks at it on the wire.
fn answer(dialect: &mut Dialect, event: AgentEvent, (line, sent): (&str, Option<&[u8]>), is_transcoded: bool) {
    let speaks_json = !matches!(dialect, Dialect::RetellWeb(_));
    let is_stream = matches!(dialect, Dialect::TwilioStream(_));
    let (command, expected) = match event {
        AgentEvent::Audio { chunk, .. } => {
            let payload = String::from_utf8(chunk.base64().to_vec()).expect("part of a text");
            // A tree has limits (depth, range of numbers) that the codec does not need.
            let message = serde_json::from_str::<Value>(line).unwrap_or_default();
            if let (None, Value::String(told)) = (sent, &message["media"]["payload"]) {
                assert_eq!(*told, payload);
            }
            let (frame, said) = say(dialect, &AgentCommand::Audio(chunk));
            if is_stream {
                assert_eq!(json_of(&said)["media"]["payload"], payload);
            } else {
                assert!(frame == Frame::Binary && (is_transcoded || Some(&said[..]) == sent));
            }
            return;
        }
        AgentEvent::Mark { name } => {
            let expected = if is_stream { json!({ "name": name }) } else { json!({"type": "mark", "name": name}) };
            (AgentCommand::MarkPlayed { name }, expected)
        }
        AgentEvent::CallerSaid { text } | AgentEvent::AgentSaid { text, .. } => {
            let expected = json!({"type": "context", "text": text});
            (AgentCommand::Context { text }, expected)
        }
        AgentEvent::ToolCall(call) => {
            let expected = json!({"type": "tool_result", "id": call.id, "result": call.name, "is_error": true});
            (AgentCommand::ToolResult { id: call.id, result: call.name, is_error: true }, expected)
        }
        AgentEvent::Ping { id } => {
            assert_eq!(say(dialect, &AgentCommand::Pong { id }).1, b"pong");
            return;
        }
        _ => return,
    };
    let (frame, said) = say(dialect, &command);
    assert_eq!(frame, Frame::Text);
    match (speaks_json, is_stream) {
        (false, _) => assert!(said.is_empty(), "the protocol has no words"),
        (true, true) => assert_eq!(json_of(&said)["mark"], expected),
        (true, false) => assert_eq!(json_of(&said), expected),
    }
}

fn json_of(said: &[u8]) -> Value {
    serde_json::from_slice(said).expect("our own message is JSON")
}
