//! What the bot says and hears in each of its two protocols. Pure; written from Twilio's documents and from ours.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

/// Which protocol a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::emulators) enum Personality {
    /// Twilio Media Streams, as a server of them.
    TwilioStream,
    /// Raw µ-law, with JSON words beside it.
    Binary,
    /// The `web` protocol of Retell's old audio WebSocket: raw µ-law, no start and no marks.
    RetellWeb,
}

/// Something that came.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    Audio(Vec<u8>),
    /// The message's name, and the message.
    Word(String, Value),
    Nonsense,
}

impl Personality {
    pub(super) fn hear(self, message: &Message) -> Heard {
        match (self, message) {
            (Self::Binary | Self::RetellWeb, Message::Binary(audio)) => Heard::Audio(audio.to_vec()),
            (Self::RetellWeb, Message::Text(text)) => Heard::Word(text.to_string(), Value::Null),
            (_, Message::Text(text)) => {
                let Ok(message) = serde_json::from_str::<Value>(text) else { return Heard::Nonsense };
                let field = if self == Self::TwilioStream { "event" } else { "type" };
                match message[field].as_str() {
                    Some("media") if self == Self::TwilioStream => message["media"]["payload"]
                        .as_str()
                        .and_then(|payload| STANDARD.decode(payload).ok())
                        .map_or(Heard::Nonsense, Heard::Audio),
                    Some(name) => Heard::Word(name.to_owned(), message),
                    None => Heard::Nonsense,
                }
            }
            _ => Heard::Nonsense,
        }
    }

    pub(super) fn audio(self, stream_sid: &str, mulaw: &[u8]) -> Message {
        match self {
            Self::TwilioStream => Message::text(
                json!({"event": "media", "streamSid": stream_sid, "media": {"payload": STANDARD.encode(mulaw)}})
                    .to_string(),
            ),
            Self::Binary | Self::RetellWeb => Message::binary(mulaw.to_vec()),
        }
    }

    /// None where the protocol has no marks.
    pub(super) fn mark(self, stream_sid: &str, name: &str) -> Option<Message> {
        let mark = match self {
            Self::TwilioStream => json!({"event": "mark", "streamSid": stream_sid, "mark": {"name": name}}),
            Self::Binary => json!({"type": "mark", "name": name}),
            Self::RetellWeb => return None,
        };
        Some(Message::text(mark.to_string()))
    }

    /// The words so far, of the caller or not; none where the protocol does not tell them.
    pub(super) fn words(self, lines: &[(bool, String)]) -> Option<Message> {
        let line = |(by_caller, text): &(bool, String)| json!({"role": if *by_caller { "user" } else { "agent" }, "content": text, "words": []});
        let lines: Vec<_> = lines.iter().map(line).collect();
        let words = json!({"event_type": "update", "transcript": lines});
        (self == Self::RetellWeb).then(|| Message::text(words.to_string()))
    }

    pub(super) fn clear(self, stream_sid: &str) -> Message {
        Message::text(match self {
            Self::TwilioStream => json!({"event": "clear", "streamSid": stream_sid}).to_string(),
            Self::Binary => json!({"type": "clear"}).to_string(),
            Self::RetellWeb => "clear".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_personalities_hear_audio_and_words() {
        let text = |value: Value| Message::text(value.to_string());
        let media = text(json!({"event": "media", "media": {"payload": "//8="}}));
        assert_eq!(Personality::TwilioStream.hear(&media), Heard::Audio(vec![0xFF, 0xFF]));
        assert_eq!(Personality::Binary.hear(&Message::binary(vec![1])), Heard::Audio(vec![1]));
        assert_eq!(Personality::TwilioStream.hear(&Message::binary(vec![1])), Heard::Nonsense);
        assert!(
            matches!(Personality::Binary.hear(&text(json!({"type": "start"}))), Heard::Word(name, _) if name == "start")
        );
        assert_eq!(Personality::Binary.hear(&Message::text("?")), Heard::Nonsense);
    }
}
