//! Whatever Retell says on the LLM socket is read or refused, never a panic, and its conversation holds to its rules. A line of the input
//! is a message of Retell's; `chat:TEXT` a piece of the chat's answer, `done` its end, `use:NAME` its end with a tool, `fail` none,
//! `tool:ID` a tool's answer, `note:TEXT` and `told:TEXT` messages of an operator, `open` another socket.
#![no_main]

use std::collections::BTreeSet;

use clearline::domain::agent_link::ToolCall;
use clearline::protocol::agent::chat::ChatPiece;
use clearline::protocol::agent::retell_llm::{LlmEvent, parse};
use clearline::protocol::agent::retell_turns::{Input, Message, Output, Persona, Turns};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

/// What the rules are about.
#[derive(Default)]
struct Seen {
    /// The newest question to the chat.
    ask: u64,
    /// The newest question of Retell's that was answered in part or whole.
    answered: u64,
    /// Those that were answered to their end.
    complete: BTreeSet<u64>,
}

fuzz_target!(|text: &str| {
    let persona = Persona {
        greeting: "Hello.".to_owned(),
        sorry: "Pardon?".to_owned(),
        apology: "Goodbye.".to_owned(),
        ..Persona::default()
    };
    let mut turns = Turns::new(persona, false);
    let mut seen = Seen::default();
    turns.handle(Input::Opened);
    drain(&mut turns, &mut seen);
    for line in text.lines().take(64) {
        let ask = seen.ask;
        let (word, rest) = line.split_once(':').unwrap_or((line, ""));
        let piece = |piece| Input::Chat { ask, piece };
        turns.handle(match word {
            "chat" => piece(ChatPiece::Text(rest.to_owned())),
            "done" => piece(ChatPiece::Done(Vec::new())),
            "use" => piece(ChatPiece::Done(vec![ToolCall {
                id: "t1".to_owned(),
                name: rest.to_owned(),
                arguments: json!({"keys": "5"}),
                expects_answer: true,
            }])),
            "fail" => Input::ChatFailed { ask, reason: rest.to_owned() },
            "tool" => Input::ToolAnswered { id: rest.to_owned(), result: "done".to_owned(), is_error: false },
            "note" => Input::Told(Message::Note(rest.to_owned())),
            "told" => Input::Told(Message::ForCaller(rest.to_owned())),
            "open" => Input::Opened,
            _ => Input::Text(line.as_bytes()),
        });
        let sent = drain(&mut turns, &mut seen);
        if let Ok(LlmEvent::Ping { timestamp }) = parse(line.as_bytes()) {
            assert_eq!(sent, [json!({"response_type": "ping_pong", "timestamp": timestamp})]);
        }
    }
});

fn drain(turns: &mut Turns, seen: &mut Seen) -> Vec<Value> {
    let mut sent = Vec::new();
    while let Some(output) = turns.poll_output() {
        match output {
            Output::Ask { ask, body } => {
                assert!(ask > seen.ask && body["stream"] == true);
                seen.ask = ask;
            }
            Output::Send(message) => {
                if message["response_type"] == "response" {
                    look_at_answer(&message, seen);
                }
                sent.push(message);
            }
            Output::Close { code } => assert_eq!(code, 1007),
            Output::Void | Output::RunTool(_) | Output::Heard { .. } | Output::HangsUp | Output::Failed { .. } => {}
        }
    }
    assert!(sent.len() <= 8, "{sent:?}");
    sent
}

/// Only the newest question is answered, and nothing follows the end of an answer. (The greeting and a first question may both be 0.)
fn look_at_answer(message: &Value, seen: &mut Seen) {
    let id = message["response_id"].as_u64().expect("a number");
    assert!(id >= seen.answered, "{message}");
    seen.answered = id;
    assert!(id == 0 || !seen.complete.contains(&id), "{message}");
    if message["content_complete"] == true {
        seen.complete.insert(id);
    }
}
