//! The dialect of a bot that speaks Twilio Media Streams: to it we are Twilio.
//!
//! Source: Twilio's page "Media Streams – WebSocket Messages". The bot's audio is µ-law in base64 and crosses as the text it is. The
//! protocol knows no turns: a turn begins here after a `clear`, a mark, or a second without audio from the bot, told by the
//! caller's audio, which never stops. `connected` is said by whoever opens the socket ([`TwilioStream::PREFACE`]).

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::agent_link::{AgentCommand, AgentEvent, Initiation};
use crate::domain::audio::{AudioFormat, MULAW_BYTES_PER_SECOND, MulawChunk};
use crate::domain::{AccountSid, ConversationId, StreamSid};

use super::DialectError;

/// A pause of the bot after which its audio is another turn, in bytes of the caller's µ-law.
const TURN_PAUSE: u64 = MULAW_BYTES_PER_SECOND;

/// One conversation's codec.
#[derive(Debug)]
pub struct TwilioStream {
    account_sid: AccountSid,
    stream_sid: StreamSid,
    /// Messages sent, `connected` not counted (it has no number).
    sequence: u64,
    /// Media messages sent.
    chunk: u64,
    /// Bytes of the caller's audio so far: the time base.
    caller_bytes: u64,
    turn: u64,
    /// Where the caller's audio was when the bot last spoke; none when its turn is over.
    spoke_at: Option<u64>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    media: Option<Media<'a>>,
    mark: Option<Mark>,
}

#[derive(Deserialize)]
struct Media<'a> {
    #[serde(borrow)]
    payload: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Mark {
    name: String,
}

impl TwilioStream {
    /// The first message of every stream.
    pub const PREFACE: &str = r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#;

    /// `stream_sid` is one of our own making: the bot's stream is not the carrier's.
    pub fn new(account_sid: AccountSid, stream_sid: StreamSid) -> Self {
        Self { account_sid, stream_sid, sequence: 0, chunk: 0, caller_bytes: 0, turn: 0, spoke_at: None }
    }

    /// A bot takes the stream without a word.
    pub(super) fn ready(&self) -> AgentEvent {
        AgentEvent::Ready {
            conversation_id: ConversationId::new(self.stream_sid.as_str()),
            caller_audio: AudioFormat::Ulaw8000,
            agent_audio: AudioFormat::Ulaw8000,
        }
    }

    pub(super) fn decode(&mut self, text: Bytes) -> Result<AgentEvent, DialectError> {
        let malformed = |what: &str| DialectError::Malformed(what.to_owned());
        let message: Message<'_> = serde_json::from_slice(&text)
            .map_err(|error| malformed(&format!("no message of a media stream, at column {}", error.column())))?;
        Ok(match &*message.event {
            "media" => {
                let payload = message.media.ok_or_else(|| malformed("media without `media`"))?.payload;
                let chunk = match payload {
                    Cow::Borrowed(payload) => MulawChunk::from_base64(text.slice_ref(payload.as_bytes())),
                    Cow::Owned(payload) => {
                        MulawChunk::from_unescaped(payload).ok_or_else(|| malformed("audio is not base64"))?
                    }
                };
                if chunk.is_empty() {
                    return Ok(AgentEvent::Other);
                }
                AgentEvent::Audio { chunk, turn: self.speaking() }
            }
            "mark" => {
                let name = message.mark.ok_or_else(|| malformed("mark without `mark`"))?.name;
                self.spoke_at = None;
                AgentEvent::Mark { name }
            }
            "clear" => {
                self.spoke_at = None;
                AgentEvent::Interrupted { turn: self.turn }
            }
            _ => AgentEvent::Other,
        })
    }

    pub(super) fn encode(&mut self, command: &AgentCommand, out: &mut BytesMut) {
        match command {
            AgentCommand::Audio(chunk) => self.media(chunk, out),
            AgentCommand::Initiate(initiation) => {
                let (parameters, call_sid) = parameters(initiation);
                let start = json!({
                    "accountSid": self.account_sid.as_str(), "streamSid": self.stream_sid.as_str(), "callSid": call_sid,
                    "tracks": ["inbound"], "customParameters": parameters,
                    "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                });
                self.tell("start", start, out);
            }
            AgentCommand::Key { key } => {
                self.tell("dtmf", json!({"track": "inbound_track", "digit": key.to_string()}), out);
            }
            AgentCommand::MarkPlayed { name } => self.tell("mark", json!({ "name": name }), out),
            // The protocol has no words for these.
            AgentCommand::Pong { .. }
            | AgentCommand::ToolResult { .. }
            | AgentCommand::Approval { .. }
            | AgentCommand::Context { .. }
            | AgentCommand::UserMessage { .. }
            | AgentCommand::Probe
            | AgentCommand::Activity => {}
        }
    }

    fn speaking(&mut self) -> u64 {
        if self.spoke_at.is_none_or(|at| self.caller_bytes - at >= TURN_PAUSE) {
            self.turn += 1;
        }
        self.spoke_at = Some(self.caller_bytes);
        self.turn
    }

    fn media(&mut self, chunk: &MulawChunk, out: &mut BytesMut) {
        self.sequence += 1;
        self.chunk += 1;
        let (sequence, number, at) = (self.sequence, self.chunk, self.caller_bytes * 1_000 / MULAW_BYTES_PER_SECOND);
        self.caller_bytes += chunk.len() as u64;
        let head = format_args!(
            r#"{{"event":"media","sequenceNumber":"{sequence}","media":{{"track":"inbound","chunk":"{number}","timestamp":"{at}","payload":""#
        );
        std::fmt::Write::write_fmt(out, head).expect("memory takes it");
        out.put_slice(chunk.base64());
        out.put_slice(br#""},"streamSid":""#);
        out.put_slice(self.stream_sid.as_str().as_bytes());
        out.put_slice(br#""}"#);
    }

    fn tell(&mut self, event: &str, what: Value, out: &mut BytesMut) {
        self.sequence += 1;
        let mut message = json!({
            "event": event, "sequenceNumber": self.sequence.to_string(), "streamSid": self.stream_sid.as_str(),
        });
        message[event] = what;
        out.put_slice(message.to_string().as_bytes());
    }
}

/// What a document's `<Parameter>`s would be, all texts, and the call's id at the carrier.
fn parameters(initiation: &Initiation) -> (BTreeMap<&str, String>, String) {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut parameters: BTreeMap<&str, String> =
        initiation.dynamic_variables.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
    if let Some(so_far) = &initiation.so_far {
        parameters.insert("conversation_so_far", so_far.clone());
    }
    let call_sid = parameters.get("call_sid").cloned().unwrap_or_default();
    (parameters, call_sid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> TwilioStream {
        TwilioStream::new(AccountSid::new("AC1"), StreamSid::new("MZ1"))
    }

    fn said(dialect: &mut TwilioStream, command: &AgentCommand) -> String {
        let mut out = BytesMut::new();
        dialect.encode(command, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    fn audio(bytes: usize) -> AgentCommand {
        AgentCommand::Audio(MulawChunk::silence(bytes))
    }

    #[test]
    fn it_says_what_twilio_says() {
        let mut dialect = stream();
        let dynamic_variables = [("call_sid", json!("CA1")), ("vip", json!(true))];
        let dynamic_variables = dynamic_variables.map(|(name, value)| (name.to_owned(), value)).into();
        let so_far = Some("Caller: Hi".to_owned());
        let start = AgentCommand::Initiate(Box::new(Initiation { dynamic_variables, so_far, ..Initiation::default() }));
        let start: Value = serde_json::from_str(&said(&mut dialect, &start)).unwrap();
        assert_eq!(start["start"]["customParameters"]["conversation_so_far"], "Caller: Hi");
        assert_eq!(start["start"]["customParameters"]["vip"], "true");
        assert_eq!((&start["start"]["callSid"], &start["sequenceNumber"]), (&json!("CA1"), &json!("1")));
        let lines =
            [audio(3), AgentCommand::Key { key: '5' }, AgentCommand::MarkPlayed { name: "m".to_owned() }, audio(3)]
                .map(|command| said(&mut dialect, &command));
        let expected = [
            r#"{"event":"media","sequenceNumber":"2","media":{"track":"inbound","chunk":"1","timestamp":"0","payload":"////"},"streamSid":"MZ1"}"#,
            r#"{"dtmf":{"digit":"5","track":"inbound_track"},"event":"dtmf","sequenceNumber":"3","streamSid":"MZ1"}"#,
            r#"{"event":"mark","mark":{"name":"m"},"sequenceNumber":"4","streamSid":"MZ1"}"#,
            r#"{"event":"media","sequenceNumber":"5","media":{"track":"inbound","chunk":"2","timestamp":"0","payload":"////"},"streamSid":"MZ1"}"#,
        ];
        let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(lines.map(|line| parsed(&line)), expected.map(parsed));
        assert_eq!(said(&mut dialect, &AgentCommand::Context { text: "x".to_owned() }), "");
        assert!(serde_json::from_str::<Value>(TwilioStream::PREFACE).unwrap()["event"] == "connected");
    }

    #[test]
    fn it_hears_what_twilio_hears_and_counts_turns() {
        let mut dialect = stream();
        let mut hear = |text: &str, caller_ms: usize| {
            let event = dialect.decode(Bytes::copy_from_slice(text.as_bytes()));
            if caller_ms > 0 {
                said(&mut dialect, &audio(caller_ms * 8));
            }
            event
        };
        let media = r#"{"event":"media","streamSid":"MZ1","media":{"payload":"//8="}}"#;
        let turn = |event| match event {
            Ok(AgentEvent::Audio { turn, chunk }) => {
                assert_eq!(chunk.len(), 2);
                turn
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(turn(hear(media, 900)), 1);
        assert_eq!(turn(hear(media, 1_000)), 1);
        assert_eq!(turn(hear(media, 0)), 2);
        assert_eq!(hear(r#"{"event":"clear","streamSid":"MZ1"}"#, 0), Ok(AgentEvent::Interrupted { turn: 2 }));
        assert_eq!(turn(hear(media, 0)), 3);
        let mark = hear(r#"{"event":"mark","streamSid":"MZ1","mark":{"name":"end \"1\""}}"#, 0);
        assert_eq!(mark, Ok(AgentEvent::Mark { name: "end \"1\"".to_owned() }));
        assert_eq!(turn(hear(r#"{"event":"media","media":{"payload":"\/\/8="}}"#, 0)), 4);
        assert_eq!(hear(r#"{"event":"transcript"}"#, 0), Ok(AgentEvent::Other));
        for bad in
            ["", "[]", r#"{"event":"media"}"#, r#"{"event":"mark"}"#, r#"{"event":"media","media":{"payload":"a\"b"}}"#]
        {
            assert!(matches!(hear(bad, 0), Err(DialectError::Malformed(_))), "{bad}");
        }
    }
}
