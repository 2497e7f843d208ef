//! The dialect of an agent that takes and gives raw audio: binary messages are audio both ways, text messages are JSON words beside it.
//!
//! | we say | the agent says |
//! |---|---|
//! | `{"type":"start","conversation_id","format","parameters":{},"so_far","tools":[]}` first | `{"type":"clear"}` or `clear`: the caller talked over it |
//! | binary: the caller's audio | binary: its own audio |
//! | `{"type":"key","key":"5"}` | `{"type":"mark","name"}`, returned as it was when everything before it was played |
//! | `{"type":"context","text"}`, `{"type":"user_message","text"}` | `{"type":"caller_said","text"}`, `{"type":"agent_said","text"}` |
//! | `{"type":"mark","name"}` | `{"type":"hang_up"}` |
//! | `{"type":"tool_result","id","result","is_error"}` | `{"type":"tool_call","id","name","arguments":{}}` |
//! | | `{"type":"working"}`: an answer is on its way |
//!
//! `tools` are what the agent may call, each with `name`, `description` and `parameters` (JSON Schema), as models take them.
//!
//! An agent that only knows audio ignores the texts, and nothing is missing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::ConversationId;
use crate::domain::agent_link::{AgentCommand, AgentEvent, Initiation, ToolCall, ToolDefinition};
use crate::domain::audio::{AudioFormat, MULAW_BYTES_PER_SECOND, MulawChunk};
use crate::protocol::transcode::{FromMulaw, ToMulaw};

use super::{DialectError, Frame};

/// A pause of the agent after which its audio is another turn, in bytes of the caller's µ-law.
const TURN_PAUSE: u64 = MULAW_BYTES_PER_SECOND;

/// One conversation's codec.
#[derive(Debug)]
pub struct Binary {
    conversation_id: ConversationId,
    format: AudioFormat,
    from_caller: Option<FromMulaw>,
    from_agent: Option<ToMulaw>,
    caller_bytes: u64,
    turn: u64,
    spoke_at: Option<u64>,
    /// Reused between frames.
    raw: Vec<u8>,
    converted: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Word {
    Clear,
    HangUp,
    Mark {
        name: String,
    },
    CallerSaid {
        text: String,
    },
    AgentSaid {
        text: String,
    },
    ToolCall {
        id: String,
        name: String,
        #[serde(default)]
        arguments: Value,
    },
    Working,
    #[serde(other)]
    Other,
}

impl Binary {
    pub fn new(conversation_id: ConversationId, format: AudioFormat) -> Self {
        Self {
            conversation_id,
            format,
            from_caller: FromMulaw::new(format),
            from_agent: ToMulaw::new(format),
            caller_bytes: 0,
            turn: 0,
            spoke_at: None,
            raw: Vec::new(),
            converted: Vec::new(),
        }
    }

    /// The agent takes the conversation without a word.
    pub(super) fn ready(&self) -> AgentEvent {
        let conversation_id = self.conversation_id.clone();
        AgentEvent::Ready { conversation_id, caller_audio: self.format, agent_audio: self.format }
    }

    pub(super) fn decode(&mut self, text: &[u8]) -> Result<AgentEvent, DialectError> {
        let word = match text {
            b"clear" => Word::Clear,
            text => serde_json::from_slice(text)
                .map_err(|error| DialectError::Malformed(format!("no known word, at column {}", error.column())))?,
        };
        Ok(match word {
            Word::Clear => {
                self.spoke_at = None;
                if let Some(converter) = &mut self.from_agent {
                    converter.reset();
                }
                AgentEvent::Interrupted { turn: self.turn }
            }
            Word::HangUp => AgentEvent::EndCall,
            Word::Mark { name } => {
                self.spoke_at = None;
                AgentEvent::Mark { name }
            }
            Word::CallerSaid { text } => AgentEvent::CallerSaid { text },
            // The text of a turn comes before its audio, or while it is spoken.
            Word::AgentSaid { text } => {
                let is_ahead = self.spoke_at.is_none();
                AgentEvent::AgentSaid { turn: self.turn + u64::from(is_ahead), text }
            }
            Word::ToolCall { id, name, arguments } => {
                AgentEvent::ToolCall(ToolCall { id, name, arguments, expects_answer: true })
            }
            Word::Working => AgentEvent::Working,
            Word::Other => AgentEvent::Other,
        })
    }

    /// The agent's turn: the one that it spoke last, or speaks.
    pub(super) fn turn(&self) -> u64 {
        self.turn
    }

    pub(super) fn decode_audio(&mut self, audio: &[u8]) -> AgentEvent {
        let mulaw = match &mut self.from_agent {
            None => audio,
            Some(converter) => {
                self.converted.clear();
                converter.push(audio, &mut self.converted);
                &self.converted
            }
        };
        if mulaw.is_empty() {
            return AgentEvent::Other;
        }
        let chunk = MulawChunk::from_base64(Bytes::from(STANDARD.encode(mulaw)));
        if self.spoke_at.is_none_or(|at| self.caller_bytes - at >= TURN_PAUSE) {
            self.turn += 1;
        }
        self.spoke_at = Some(self.caller_bytes);
        AgentEvent::Audio { chunk, turn: self.turn }
    }

    pub(super) fn encode(&mut self, command: &AgentCommand, out: &mut BytesMut) -> Frame {
        let word = match command {
            AgentCommand::Audio(chunk) => {
                self.caller_audio(chunk, out);
                return Frame::Binary;
            }
            AgentCommand::Initiate(initiation) => self.start(initiation),
            AgentCommand::Key { key } => json!({"type": "key", "key": key.to_string()}),
            AgentCommand::Context { text } => json!({"type": "context", "text": text}),
            AgentCommand::UserMessage { text } => json!({"type": "user_message", "text": text}),
            AgentCommand::MarkPlayed { name } => json!({"type": "mark", "name": name}),
            AgentCommand::ToolResult { id, result, is_error } => {
                json!({"type": "tool_result", "id": id, "result": result, "is_error": is_error})
            }
            AgentCommand::Pong { .. }
            | AgentCommand::Approval { .. }
            | AgentCommand::Probe
            | AgentCommand::Activity => return Frame::Text,
        };
        out.put_slice(word.to_string().as_bytes());
        Frame::Text
    }

    fn start(&self, initiation: &Initiation) -> Value {
        let tool = |tool: &ToolDefinition| json!({"name": tool.name, "description": tool.description, "parameters": tool.parameters});
        json!({
            "type": "start", "conversation_id": self.conversation_id.as_str(), "format": self.format.as_str(),
            "parameters": initiation.dynamic_variables, "so_far": initiation.so_far,
            "tools": initiation.tools.iter().map(tool).collect::<Vec<_>>(),
        })
    }

    fn caller_audio(&mut self, chunk: &MulawChunk, out: &mut BytesMut) {
        self.caller_bytes += chunk.len() as u64;
        self.raw.clear();
        // A carrier that sends broken base64 harms only itself.
        if STANDARD.decode_vec(chunk.base64(), &mut self.raw).is_err() {
            return;
        }
        match &mut self.from_caller {
            None => out.put_slice(&self.raw),
            Some(converter) => {
                self.converted.clear();
                converter.push(&self.raw, &mut self.converted);
                out.put_slice(&self.converted);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(format: AudioFormat) -> Binary {
        Binary::new(ConversationId::new("c1"), format)
    }

    fn said(dialect: &mut Binary, command: &AgentCommand) -> (Frame, Vec<u8>) {
        let mut out = BytesMut::new();
        let frame = dialect.encode(command, &mut out);
        (frame, out.to_vec())
    }

    #[test]
    fn audio_is_binary_in_the_format_that_was_set() {
        for (format, bytes) in [(AudioFormat::Ulaw8000, 160), (AudioFormat::Pcm8000, 320), (AudioFormat::Pcm16000, 640)]
        {
            let mut dialect = agent(format);
            let (frame, audio) = said(&mut dialect, &AgentCommand::Audio(MulawChunk::silence(160)));
            assert_eq!((frame, audio.len()), (Frame::Binary, bytes), "{format:?}");
            let AgentEvent::Audio { chunk, turn: 1 } = dialect.decode_audio(&audio) else { panic!("{format:?}") };
            assert_eq!(chunk.len(), 160);
        }
        assert_eq!(agent(AudioFormat::Pcm16000).decode_audio(b""), AgentEvent::Other);
    }

    #[test]
    fn words_are_understood_and_said() {
        let mut dialect = agent(AudioFormat::Ulaw8000);
        dialect.decode_audio(&[0xFF; 8]);
        for (word, event) in [
            ("clear", AgentEvent::Interrupted { turn: 1 }),
            (r#"{"type":"clear"}"#, AgentEvent::Interrupted { turn: 1 }),
            (r#"{"type":"agent_said","text":"Hi"}"#, AgentEvent::AgentSaid { turn: 2, text: "Hi".to_owned() }),
            (r#"{"type":"caller_said","text":"Hi"}"#, AgentEvent::CallerSaid { text: "Hi".to_owned() }),
            (r#"{"type":"mark","name":"m"}"#, AgentEvent::Mark { name: "m".to_owned() }),
            (r#"{"type":"hang_up"}"#, AgentEvent::EndCall),
            (r#"{"type":"level","db":3}"#, AgentEvent::Other),
        ] {
            assert_eq!(dialect.decode(word.as_bytes()), Ok(event), "{word}");
        }
        for bad in ["", "x", "[]", r#"{"type":"mark"}"#] {
            assert!(dialect.decode(bad.as_bytes()).is_err(), "{bad}");
        }
        let (frame, start) = said(&mut dialect, &AgentCommand::Initiate(Box::default()));
        let start: Value = serde_json::from_slice(&start).unwrap();
        assert_eq!(frame, Frame::Text);
        assert_eq!((&start["type"], &start["format"]), (&json!("start"), &json!("ulaw_8000")));
        assert_eq!(said(&mut dialect, &AgentCommand::Activity).1, b"");
    }
}
