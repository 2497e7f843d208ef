//! The messages of a media stream (docs: media-streams/websocket-messages): what we send, and the strict reading of what we get.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// A message of the server that holds the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FromServer {
    Media(Vec<u8>),
    Mark(String),
    Clear,
}

/// Reads one text message. The error says what Twilio's warning 31951 is about.
pub(super) fn parse(text: &str, stream_sid: &str) -> Result<FromServer, String> {
    let message: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    let message = message.as_object().ok_or("not a JSON object")?;
    let event = message.get("event").and_then(Value::as_str).ok_or("no event")?;
    match message.get("streamSid").and_then(Value::as_str) {
        Some(sid) if sid == stream_sid => {}
        Some(_) => return Err("streamSid of another stream".to_owned()),
        None => return Err("no streamSid".to_owned()),
    }
    match event {
        "media" => {
            only(message, &["event", "streamSid", "media"])?;
            let payload = text_of(message, "media", "payload")?;
            STANDARD.decode(payload).map(FromServer::Media).map_err(|error| format!("media.payload: {error}"))
        }
        "mark" => {
            only(message, &["event", "streamSid", "mark"])?;
            text_of(message, "mark", "name").map(|name| FromServer::Mark(name.to_owned()))
        }
        "clear" => only(message, &["event", "streamSid"]).map(|()| FromServer::Clear),
        other => Err(format!("unknown event {other}")),
    }
}

fn only(object: &Map<String, Value>, allowed: &[&str]) -> Result<(), String> {
    match object.keys().find(|key| !allowed.contains(&key.as_str())) {
        Some(key) => Err(format!("unexpected field {key}")),
        None => Ok(()),
    }
}

/// The one text inside an object that has nothing else.
fn text_of<'a>(message: &'a Map<String, Value>, object: &str, field: &str) -> Result<&'a str, String> {
    let inner = message.get(object).and_then(Value::as_object).ok_or_else(|| format!("no {object} object"))?;
    only(inner, &[field])?;
    inner.get(field).and_then(Value::as_str).ok_or_else(|| format!("no text {object}.{field}"))
}

/// Writes the messages of one stream, numbering them.
#[derive(Debug)]
pub(super) struct Writer {
    account_sid: String,
    call_sid: String,
    stream_sid: String,
    sequence: u64,
    chunk: u64,
}

impl Writer {
    pub(super) fn new(account_sid: &str, call_sid: &str, stream_sid: &str) -> Self {
        Self {
            account_sid: account_sid.to_owned(),
            call_sid: call_sid.to_owned(),
            stream_sid: stream_sid.to_owned(),
            sequence: 0,
            chunk: 0,
        }
    }

    pub(super) fn connected() -> String {
        json!({"event": "connected", "protocol": "Call", "version": "1.0.0"}).to_string()
    }

    pub(super) fn start(&mut self, parameters: &[(String, String)]) -> String {
        let parameters: Map<String, Value> =
            parameters.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let start = json!({
            "accountSid": self.account_sid,
            "streamSid": self.stream_sid,
            "callSid": self.call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": parameters,
        });
        self.message("start", "start", start)
    }

    /// 20 ms of the called party. The first timestamp is 5, as in the documentation's example: nothing promises 0.
    pub(super) fn media(&mut self, audio: &[u8]) -> String {
        self.chunk += 1;
        let media = json!({
            "track": "inbound",
            "chunk": self.chunk.to_string(),
            "timestamp": ((self.chunk - 1) * 20 + 5).to_string(),
            "payload": STANDARD.encode(audio),
        });
        self.message("media", "media", media)
    }

    pub(super) fn mark(&mut self, name: &str) -> String {
        self.message("mark", "mark", json!({ "name": name }))
    }

    pub(super) fn dtmf(&mut self, digit: char) -> String {
        self.message("dtmf", "dtmf", json!({"track": "inbound_track", "digit": digit.to_string()}))
    }

    pub(super) fn stop(&mut self) -> String {
        let stop = json!({"accountSid": self.account_sid, "callSid": self.call_sid});
        self.message("stop", "stop", stop)
    }

    fn message(&mut self, event: &str, key: &str, body: Value) -> String {
        self.sequence += 1;
        json!({
            "event": event,
            "sequenceNumber": self.sequence.to_string(),
            "streamSid": self.stream_sid,
            key: body,
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_messages_are_read() {
        let read = |text| parse(text, "MZ1");
        assert_eq!(
            read(r#"{"event":"media","streamSid":"MZ1","media":{"payload":"/w=="}}"#),
            Ok(FromServer::Media(vec![255]))
        );
        assert_eq!(read(r#"{"event":"mark","streamSid":"MZ1","mark":{"name":"m"}}"#), Ok(FromServer::Mark("m".into())));
        assert_eq!(read(r#"{"event":"clear","streamSid":"MZ1"}"#), Ok(FromServer::Clear));
    }

    #[test]
    fn misuse_is_told_apart() {
        for (text, problem) in [
            ("{", "not JSON"),
            ("[]", "not a JSON object"),
            (r#"{"event":"media","stream_sid":"MZ1","media":{"payload":""}}"#, "no streamSid"),
            (r#"{"event":"clear","streamSid":"MZ2"}"#, "streamSid of another stream"),
            (r#"{"event":"mark","streamSid":"MZ1"}"#, "no mark object"),
            (r#"{"event":"mark","streamSid":"MZ1","mark":{}}"#, "no text mark.name"),
            (r#"{"event":"clear","streamSid":"MZ1","clear":{}}"#, "unexpected field clear"),
            (
                r#"{"event":"media","streamSid":"MZ1","media":{"payload":"","track":"outbound"}}"#,
                "unexpected field track",
            ),
            (r#"{"event":"media","streamSid":"MZ1","media":{"payload":"*"}}"#, "media.payload"),
            (r#"{"event":"hangup","streamSid":"MZ1"}"#, "unknown event hangup"),
        ] {
            let error = parse(text, "MZ1").unwrap_err();
            assert!(error.starts_with(problem), "{text}: {error}");
        }
    }

    #[test]
    fn counters_are_strings_that_start_at_one() {
        let mut writer = Writer::new("AC1", "CA1", "MZ1");
        let read = |text: String| serde_json::from_str::<Value>(&text).unwrap();
        let start = read(writer.start(&[("token".into(), "t".into())]));
        assert_eq!(
            (&start["sequenceNumber"], &start["start"]["customParameters"]["token"]),
            (&json!("1"), &json!("t"))
        );
        assert_eq!(start["start"]["mediaFormat"]["sampleRate"], json!(8000));
        read(writer.media(&[255; 160]));
        assert_eq!(
            read(writer.media(&[255])),
            json!({"event": "media", "sequenceNumber": "3", "streamSid": "MZ1",
                   "media": {"track": "inbound", "chunk": "2", "timestamp": "25", "payload": "/w=="}})
        );
        assert_eq!(read(writer.dtmf('5'))["dtmf"], json!({"track": "inbound_track", "digit": "5"}));
        assert_eq!(read(writer.stop())["stop"], json!({"accountSid": "AC1", "callSid": "CA1"}));
    }
}
