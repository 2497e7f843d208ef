//! `OpenAI`'s chat completions as everybody speaks them: the request for a streamed answer, and the reader of that stream.
//!
//! Sources: `OpenAI`'s API reference, "Create chat completion" and "Streaming"; the framing of server-sent events is the HTML standard's
//! (section 9.2). Many servers speak a subset of it, so little is required.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::agent_link::{ToolCall, ToolDefinition};

/// The longest line of the stream, in bytes. A usual one has some hundred.
const LINE_MAX: usize = 256 << 10;

/// The longest answer, in bytes: some ten minutes of speech.
const ANSWER_MAX: usize = 16 << 10;

/// Tools that one answer may ask for.
const TOOLS_MAX: usize = 8;

/// The body of `POST BASE/chat/completions`. `tools` are objects of the API's own form.
pub fn request(model: &str, messages: &[Value], tools: &[Value]) -> Value {
    let mut body = json!({"model": model, "messages": messages, "stream": true});
    if !tools.is_empty() {
        body["tools"] = tools.into();
    }
    body
}

/// A tool in the API's own form.
pub fn tool(tool: &ToolDefinition) -> Value {
    let ToolDefinition { name, description, parameters } = tool;
    json!({"type": "function", "function": {"name": name, "description": description, "parameters": parameters}})
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatPiece {
    Text(String),
    /// The answer is complete, with the tools that it asks for.
    Done(Vec<ToolCall>),
}

/// The stream is none of a chat endpoint's. Repeats nothing of what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChatFault {
    #[error("the chat endpoint sent what is no chunk of a completion")]
    Garbage,
    #[error("the chat endpoint reported an error in mid-answer")]
    Reported,
    #[error("the chat endpoint's answer is too long")]
    TooLong,
    #[error("the chat endpoint's answer ended before it was complete")]
    CutShort,
}

/// Reads the stream of one answer.
#[derive(Debug, Default)]
pub struct ChatReader {
    line: Vec<u8>,
    calls: Vec<PartialCall>,
    length: usize,
    is_done: bool,
}

#[derive(Debug, Default)]
struct PartialCall {
    id: String,
    name: String,
    arguments: String,
}

#[derive(Deserialize)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<String>,
    tool_calls: Option<Vec<CallDelta>>,
}

#[derive(Deserialize)]
struct CallDelta {
    #[serde(default)]
    index: usize,
    id: Option<String>,
    function: Option<FunctionDelta>,
}

#[derive(Deserialize)]
struct FunctionDelta {
    name: Option<String>,
    arguments: Option<String>,
}

impl ChatReader {
    /// Takes the next bytes and gives the pieces that they complete. Nothing follows [`ChatPiece::Done`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<ChatPiece>, ChatFault> {
        let mut pieces = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if self.line.len() > LINE_MAX {
                return Err(ChatFault::TooLong);
            }
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                self.read_line(line.trim_ascii(), &mut pieces)?;
            }
        }
        Ok(pieces)
    }

    /// The stream is at its end. Servers that send no last newline are as good.
    pub fn finish(&mut self) -> Result<Vec<ChatPiece>, ChatFault> {
        let mut pieces = Vec::new();
        let line = std::mem::take(&mut self.line);
        self.read_line(line.trim_ascii(), &mut pieces)?;
        if self.is_done { Ok(pieces) } else { Err(ChatFault::CutShort) }
    }

    fn read_line(&mut self, line: &[u8], pieces: &mut Vec<ChatPiece>) -> Result<(), ChatFault> {
        if self.is_done || line.is_empty() || line.starts_with(b":") {
            return Ok(());
        }
        let Some(data) = line.strip_prefix(b"data:") else {
            // Other fields of an event mean nothing here; anything else is no event stream at all.
            let is_field = [&b"event:"[..], b"id:", b"retry:"].iter().any(|field| line.starts_with(field));
            return if is_field { Ok(()) } else { Err(ChatFault::Garbage) };
        };
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            self.complete(pieces);
            return Ok(());
        }
        let chunk: Chunk = serde_json::from_slice(data).map_err(|_| ChatFault::Garbage)?;
        if chunk.error.is_some() {
            return Err(ChatFault::Reported);
        }
        // A chunk with the usage has no choices.
        let Some(choice) = chunk.choices.ok_or(ChatFault::Garbage)?.into_iter().next() else { return Ok(()) };
        self.take(choice.delta, pieces)?;
        if choice.finish_reason.is_some() {
            self.complete(pieces);
        }
        Ok(())
    }

    fn take(&mut self, delta: Delta, pieces: &mut Vec<ChatPiece>) -> Result<(), ChatFault> {
        if let Some(text) = delta.content.filter(|text| !text.is_empty()) {
            self.length += text.len();
            pieces.push(ChatPiece::Text(text));
        }
        for part in delta.tool_calls.into_iter().flatten() {
            if part.index >= TOOLS_MAX {
                return Err(ChatFault::TooLong);
            }
            if self.calls.len() <= part.index {
                self.calls.resize_with(part.index + 1, PartialCall::default);
            }
            let call = &mut self.calls[part.index];
            if let Some(id) = part.id {
                call.id = id;
            }
            if let Some(function) = part.function {
                let arguments = function.arguments.unwrap_or_default();
                self.length += arguments.len();
                call.name.push_str(&function.name.unwrap_or_default());
                call.arguments.push_str(&arguments);
            }
        }
        if self.length > ANSWER_MAX { Err(ChatFault::TooLong) } else { Ok(()) }
    }

    fn complete(&mut self, pieces: &mut Vec<ChatPiece>) {
        self.is_done = true;
        let calls = std::mem::take(&mut self.calls).into_iter().enumerate().filter(|(_, call)| !call.name.is_empty());
        let calls = calls.map(|(place, call)| ToolCall {
            // Some servers give no ids; within one answer the place will do.
            id: if call.id.is_empty() { format!("tool_{place}") } else { call.id },
            name: call.name,
            // What is no JSON has no arguments in it, and the tool says which one it misses.
            arguments: serde_json::from_str(&call.arguments).unwrap_or_default(),
            expects_answer: true,
        });
        pieces.push(ChatPiece::Done(calls.collect()));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(stream: &str) -> Result<Vec<ChatPiece>, ChatFault> {
        let mut reader = ChatReader::default();
        let mut pieces = reader.push(stream.as_bytes())?;
        if !matches!(pieces.last(), Some(ChatPiece::Done(_))) {
            pieces.extend(reader.finish()?);
        }
        Ok(pieces)
    }

    const ANSWER: &str = concat!(
        ": keep-alive\r\n\r\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"Good \"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"m\\u00f6rning\"},\"finish_reason\":null}]}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"total_tokens\":9}}\n\ndata: [DONE]\n\n",
    );

    fn text(text: &str) -> ChatPiece {
        ChatPiece::Text(text.to_owned())
    }

    #[test]
    fn an_answer_comes_in_pieces_and_is_done_once() {
        assert_eq!(read(ANSWER), Ok(vec![text("Good "), text("mörning"), ChatPiece::Done(vec![])]));
        assert_eq!(
            read("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\ndata:[DONE]"),
            Ok(vec![text("x"), ChatPiece::Done(vec![])])
        );
    }

    #[test]
    fn tools_are_put_together_from_their_parts() {
        let stream = concat!(
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"take_note\",\"arguments\":\"\"}}]}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"text\\\":\"}}]}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\\\"x\\\"}\"}},{\"index\":1,\"function\":{\"name\":\"hang_up\",\"arguments\":\"{\"}}]}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n",
        );
        let call = |id: &str, name: &str, arguments| ToolCall {
            id: id.to_owned(),
            name: name.to_owned(),
            arguments,
            expects_answer: true,
        };
        let calls = vec![call("a", "take_note", json!({"text": "x"})), call("tool_1", "hang_up", Value::Null)];
        assert_eq!(read(stream), Ok(vec![ChatPiece::Done(calls)]));
    }

    #[test]
    fn what_is_no_answer_is_told_apart() {
        let long =
            format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n", "x".repeat(ANSWER_MAX + 1));
        for (stream, fault) in [
            ("", ChatFault::CutShort),
            ("data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n", ChatFault::CutShort),
            ("<html>", ChatFault::Garbage),
            ("{\"id\":\"chatcmpl-1\",\"choices\":[{\"message\":{\"content\":\"x\"}}]}", ChatFault::Garbage),
            ("data: not JSON\n", ChatFault::Garbage),
            ("data: {}\n", ChatFault::Garbage),
            ("event: error\ndata: {\"error\":{\"message\":\"secret\"}}\n\n", ChatFault::Reported),
            ("data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":8}]}}]}\n", ChatFault::TooLong),
            (long.as_str(), ChatFault::TooLong),
        ] {
            assert_eq!(read(stream), Err(fault), "{stream:.80}");
        }
        assert_eq!(ChatReader::default().push(&vec![b'x'; LINE_MAX + 1]), Err(ChatFault::TooLong));
    }

    proptest! {
        #[test]
        fn how_the_stream_is_cut_into_parts_changes_nothing(cuts in prop::collection::vec(0..ANSWER.len(), 0..12)) {
            let mut cuts = cuts;
            cuts.extend([0, ANSWER.len()]);
            cuts.sort_unstable();
            let mut reader = ChatReader::default();
            let mut pieces = Vec::new();
            for pair in cuts.windows(2) {
                pieces.extend(reader.push(&ANSWER.as_bytes()[pair[0]..pair[1]]).unwrap());
            }
            prop_assert_eq!(pieces, read(ANSWER).unwrap());
        }
    }
}
