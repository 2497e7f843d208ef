//! The `web` protocol of Retell's audio WebSocket, which Retell retired at the end of 2024: raw audio both ways in binary messages, the
//! text `clear` where the caller talks over the agent, texts `ping` and `pong`, and JSON with the words so far (`enable_update`).
//!
//! Source: Retell's page "Audio WebSocket (Deprecated)". Here the audio is µ-law, as it was registered.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Deserialize;

use crate::domain::ConversationId;
use crate::domain::agent_link::{AgentCommand, AgentEvent};
use crate::domain::audio::AudioFormat;

use super::binary::Binary;
use super::retell::WireLine;
use super::{DialectError, Frame};

/// One conversation's codec.
#[derive(Debug)]
pub struct RetellWeb {
    audio: Binary,
    /// Lines of the transcript that were passed on.
    told: usize,
}

#[derive(Deserialize)]
#[serde(tag = "event_type", rename_all = "snake_case")]
enum Word {
    Update {
        #[serde(default)]
        transcript: Vec<WireLine>,
    },
    #[serde(other)]
    Other,
}

impl RetellWeb {
    pub fn new(conversation_id: ConversationId) -> Self {
        Self { audio: Binary::new(conversation_id, AudioFormat::Ulaw8000), told: 0 }
    }

    pub(super) fn ready(&self) -> AgentEvent {
        self.audio.ready()
    }

    pub(super) fn decode_audio(&mut self, audio: &[u8]) -> AgentEvent {
        self.audio.decode_audio(audio)
    }

    pub(super) fn decode(&mut self, text: &Bytes) -> Result<AgentEvent, DialectError> {
        match &text[..] {
            b"clear" => return self.audio.decode(text),
            b"ping" => return Ok(AgentEvent::Ping { id: 0 }),
            b"pong" => return Ok(AgentEvent::Alive),
            _ => {}
        }
        let word: Word = serde_json::from_slice(text)
            .map_err(|error| DialectError::Malformed(format!("no known word, at column {}", error.column())))?;
        Ok(match word {
            Word::Update { transcript } => self.next_line(transcript),
            Word::Other => AgentEvent::Other,
        })
    }

    /// The next line that was not passed on and grows no more. An update comes with every few words, so that none waits for long.
    fn next_line(&mut self, transcript: Vec<WireLine>) -> AgentEvent {
        let mut lines = transcript.into_iter().filter_map(WireLine::line).skip(self.told);
        let (Some(line), Some(_)) = (lines.next(), lines.next()) else { return AgentEvent::Alive };
        self.told += 1;
        if line.by_caller {
            AgentEvent::CallerSaid { text: line.text }
        } else {
            AgentEvent::AgentSaid { turn: self.audio.turn(), text: line.text }
        }
    }

    pub(super) fn encode(&mut self, command: &AgentCommand, out: &mut BytesMut) -> Frame {
        match command {
            AgentCommand::Audio(_) => self.audio.encode(command, out),
            AgentCommand::Pong { .. } => {
                out.put_slice(b"pong");
                Frame::Text
            }
            // The protocol has no words for anything else.
            _ => Frame::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::audio::MulawChunk;

    #[test]
    fn audio_words_and_pings_cross() {
        let mut dialect = RetellWeb::new(ConversationId::new("c1"));
        assert!(
            matches!(dialect.ready(), AgentEvent::Ready { conversation_id, .. } if conversation_id.as_str() == "c1")
        );
        assert!(matches!(dialect.decode_audio(&[0xFF; 8]), AgentEvent::Audio { turn: 1, .. }));
        let mut hear = |text: &str| dialect.decode(&Bytes::copy_from_slice(text.as_bytes()));
        assert_eq!(hear("clear"), Ok(AgentEvent::Interrupted { turn: 1 }));
        assert_eq!(hear("ping"), Ok(AgentEvent::Ping { id: 0 }));
        assert_eq!(hear("pong"), Ok(AgentEvent::Alive));
        assert_eq!(hear(r#"{"event_type":"metadata","metadata":{}}"#), Ok(AgentEvent::Other));
        assert!(hear("%%%").is_err() && hear("{}").is_err());
        let mut out = BytesMut::new();
        assert_eq!(dialect.encode(&AgentCommand::Audio(MulawChunk::silence(160)), &mut out), Frame::Binary);
        assert_eq!(out.len(), 160);
        let mut out = BytesMut::new();
        assert_eq!((dialect.encode(&AgentCommand::Pong { id: 0 }, &mut out), &out[..]), (Frame::Text, &b"pong"[..]));
        let mut out = BytesMut::new();
        dialect.encode(&AgentCommand::Context { text: "x".to_owned() }, &mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn each_line_is_passed_on_once_when_it_is_complete() {
        let mut dialect = RetellWeb::new(ConversationId::new("c1"));
        dialect.decode_audio(&[0xFF; 8]);
        let mut update = |lines: &[(&str, &str)]| {
            let lines: Vec<_> = lines.iter().map(|(role, content)| json!({"role": role, "content": content})).collect();
            let text = json!({"event_type": "update", "transcript": lines}).to_string();
            dialect.decode(&Bytes::from(text)).unwrap()
        };
        let (hello, hi) = (("agent", "Hello."), ("user", "Hi."));
        assert_eq!(update(&[hello]), AgentEvent::Alive);
        assert_eq!(update(&[hello, hi]), AgentEvent::AgentSaid { turn: 1, text: "Hello.".to_owned() });
        assert_eq!(update(&[hello, hi]), AgentEvent::Alive);
        assert_eq!(update(&[hello, hi, ("agent", "So")]), AgentEvent::CallerSaid { text: "Hi.".to_owned() });
    }
}
