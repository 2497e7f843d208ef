//! The codec of Retell's custom-LLM WebSocket, which Retell dials: text JSON both ways, with the words of the call and never its audio.
//!
//! Source: Retell's page "LLM WebSocket". The server speaks first (config, then the first words with response id 0); of the answers
//! only those to the newest response id count.

use serde::Deserialize;
use serde_json::{Number, Value, json};

use super::retell::{Line, RetellError, WireLine};

/// What Retell says.
#[derive(Debug, Clone, PartialEq)]
pub enum LlmEvent {
    /// To be answered with [`pong`] at once.
    Ping { timestamp: Number },
    /// What was said so far. `caller_took_turn`: the caller speaks now, over the agent if it was speaking.
    Heard { lines: Vec<Line>, caller_took_turn: bool },
    /// The agent is to say something: an answer, or, where nobody said anything for a while, a reminder.
    Asked { response_id: u64, lines: Vec<Line>, is_reminder: bool },
    /// The call's details, or a message that this version does not know.
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "interaction_type", rename_all = "snake_case")]
enum Wire {
    PingPong {
        timestamp: Number,
    },
    UpdateOnly {
        #[serde(default)]
        transcript: Vec<WireLine>,
        turntaking: Option<String>,
    },
    ResponseRequired {
        response_id: u64,
        #[serde(default)]
        transcript: Vec<WireLine>,
    },
    ReminderRequired {
        response_id: u64,
        #[serde(default)]
        transcript: Vec<WireLine>,
    },
    #[serde(other)]
    Other,
}

/// Reads a text message of Retell's.
pub fn parse(text: &[u8]) -> Result<LlmEvent, RetellError> {
    let lines = |transcript: Vec<WireLine>| transcript.into_iter().filter_map(WireLine::line).collect();
    Ok(match serde_json::from_slice(text)? {
        Wire::PingPong { timestamp } => LlmEvent::Ping { timestamp },
        Wire::UpdateOnly { transcript, turntaking } => {
            LlmEvent::Heard { lines: lines(transcript), caller_took_turn: turntaking.as_deref() == Some("user_turn") }
        }
        Wire::ResponseRequired { response_id, transcript } => {
            LlmEvent::Asked { response_id, lines: lines(transcript), is_reminder: false }
        }
        Wire::ReminderRequired { response_id, transcript } => {
            LlmEvent::Asked { response_id, lines: lines(transcript), is_reminder: true }
        }
        Wire::Other => LlmEvent::Other,
    })
}

/// The first message: Retell is to ping, to dial again where the socket breaks, and to tell of the call.
pub fn config() -> Value {
    let config = json!({"auto_reconnect": true, "call_details": true, "transcript_with_tool_calls": false});
    json!({"response_type": "config", "config": config})
}

pub fn pong(timestamp: &Number) -> Value {
    json!({"response_type": "ping_pong", "timestamp": timestamp})
}

/// What the agent does when its words are spoken. One thing at most; a caller who interrupts prevents it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    GoOn,
    HangUp,
    Press(char),
}

/// What words of the agent's are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Retell's question of this number.
    To(u64),
    /// Nobody asked: the agent speaks up by itself, for this time.
    Unasked(u64),
}

/// A part of an answer.
pub fn response(reply: Reply, content: &str) -> Value {
    let (kind, name, number) = match reply {
        Reply::To(number) => ("response", "response_id", number),
        Reply::Unasked(number) => ("agent_interrupt", "interrupt_id", number),
    };
    json!({"response_type": kind, name: number, "content": content, "content_complete": false})
}

/// The last part of an answer, which may be empty.
pub fn last_response(reply: Reply, content: &str, then: &Then) -> Value {
    let mut message = response(reply, content);
    message["content_complete"] = true.into();
    match then {
        Then::GoOn => {}
        Then::HangUp => message["end_call"] = true.into(),
        Then::Press(key) => message["digit_to_press"] = key.to_string().into(),
    }
    message
}

/// For Retell's own transcript: a tool was called.
pub fn tool_called(id: &str, name: &str, arguments: &Value) -> Value {
    let arguments = arguments.to_string();
    json!({"response_type": "tool_call_invocation", "tool_call_id": id, "name": name, "arguments": arguments})
}

/// For Retell's own transcript: what the tool answered.
pub fn tool_answered(id: &str, content: &str, successful: bool) -> Value {
    json!({"response_type": "tool_call_result", "tool_call_id": id, "content": content, "successful": successful})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_documented_message_is_read() {
        let transcript = json!([{"role": "agent", "content": "Hello", "words": [{"word": "Hello", "start": 0.1, "end": 0.4}]},
            {"role": "user", "content": "Hi"}, {"role": "transfer_target", "content": "x"}, {"role": "agent", "content": ""}]);
        let lines =
            vec![Line { by_caller: false, text: "Hello".to_owned() }, Line { by_caller: true, text: "Hi".to_owned() }];
        let asked = |is_reminder| LlmEvent::Asked { response_id: 3, lines: lines.clone(), is_reminder };
        let heard = |caller_took_turn| LlmEvent::Heard { lines: lines.clone(), caller_took_turn };
        for (message, event) in [
            (
                json!({"interaction_type": "ping_pong", "timestamp": 1_700_000_000_000_u64}),
                LlmEvent::Ping { timestamp: 1_700_000_000_000_u64.into() },
            ),
            (json!({"interaction_type": "call_details", "call": {"call_id": "c1"}}), LlmEvent::Other),
            (json!({"interaction_type": "update_only", "transcript": transcript}), heard(false)),
            (
                json!({"interaction_type": "update_only", "transcript": transcript, "turntaking": "user_turn"}),
                heard(true),
            ),
            (
                json!({"interaction_type": "update_only", "transcript": transcript, "turntaking": "agent_turn"}),
                heard(false),
            ),
            (
                json!({"interaction_type": "response_required", "response_id": 3, "transcript": transcript}),
                asked(false),
            ),
            (json!({"interaction_type": "reminder_required", "response_id": 3, "transcript": transcript}), asked(true)),
            (json!({"interaction_type": "of_next_year", "x": 1}), LlmEvent::Other),
        ] {
            assert_eq!(parse(message.to_string().as_bytes()), Ok(event), "{message}");
        }
        for bad in
            ["", "[]", "{}", r#"{"interaction_type":"response_required"}"#, r#"{"interaction_type":"ping_pong"}"#]
        {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_answer_says_what_follows_it() {
        let last = |then| last_response(Reply::To(3), "Bye", &then);
        assert_eq!(last(Then::HangUp)["end_call"], true);
        assert_eq!(last(Then::Press('#'))["digit_to_press"], "#");
        assert_eq!(
            last(Then::GoOn),
            json!({"response_type": "response", "response_id": 3, "content": "Bye", "content_complete": true})
        );
        assert_eq!(response(Reply::To(3), "By")["content_complete"], false);
        assert_eq!(
            response(Reply::Unasked(1), "By"),
            json!({"response_type": "agent_interrupt", "interrupt_id": 1, "content": "By", "content_complete": false})
        );
        assert_eq!(tool_called("t", "n", &json!({"a": 1}))["arguments"], "{\"a\":1}");
    }
}
