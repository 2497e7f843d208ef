//! The media stream codec: Twilio's JSON text messages to `CarrierEvent`s, `CarrierCommand`s to JSON.
//!
//! Fifty `media` messages a second and call come through [`decode`], so these are not parsed into a tree: a scanner walks the text
//! once, checks that it is exactly as simple as Twilio writes it, and hands the payload on as a slice of the message. Whatever is
//! not that simple (an escape, a repeated key, a nested value) goes to serde, which decides alone. The two never disagree; a
//! property test holds them to it.
//!
//! Binary frames are the caller's affair: Twilio neither sends nor takes them.
//! Source: Twilio, "Media Streams - WebSocket messages" (voice/media-streams/websocket-messages).

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use memchr::memchr2;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::domain::audio::MulawChunk;
use crate::domain::carrier_stream::{CarrierCommand, CarrierEvent, StreamStart};
use crate::domain::{AccountSid, CallSid, StreamSid};
use crate::protocol::plain_json::{has_controls, string_len};

/// Why a text message is not one of a media stream. Holds no part of the message: it may carry a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    #[error("media stream message is not JSON (line {line}, column {column})")]
    NotJson { line: usize, column: usize },
    #[error("media stream message `{event}` has no usable `{field}`")]
    Missing { event: &'static str, field: &'static str },
}

/// Reads one text message. A kind that is unknown, or the audio of the other direction, is [`CarrierEvent::Unknown`].
pub fn decode(text: Bytes) -> Result<CarrierEvent, MediaError> {
    if let Some(payload) = find_usual_media(&text) {
        return Ok(CarrierEvent::Media(MulawChunk::from_base64(text.slice(payload))));
    }
    match find_media(&text) {
        Some(found) if found.is_outbound => Ok(CarrierEvent::Unknown),
        Some(found) => Ok(CarrierEvent::Media(MulawChunk::from_base64(text.slice(found.payload)))),
        None => parse(&text),
    }
}

/// Appends one command as a text message, with exactly the documented keys: Twilio mutes a stream that sends others (31951).
pub fn encode(out: &mut BytesMut, stream_sid: &StreamSid, command: &CarrierCommand) {
    let event: &[u8] = match command {
        CarrierCommand::Media(_) => b"{\"event\":\"media\",\"streamSid\":",
        CarrierCommand::Mark(_) => b"{\"event\":\"mark\",\"streamSid\":",
        CarrierCommand::Clear => b"{\"event\":\"clear\",\"streamSid\":",
    };
    out.put_slice(event);
    put_json_text(out, stream_sid.as_str());
    match command {
        CarrierCommand::Media(chunk) => {
            out.put_slice(b",\"media\":{\"payload\":\"");
            out.put_slice(chunk.base64());
            out.put_slice(b"\"}}");
        }
        CarrierCommand::Mark(name) => {
            out.put_slice(b",\"mark\":{\"name\":");
            put_json_text(out, name);
            out.put_slice(b"}}");
        }
        CarrierCommand::Clear => out.put_u8(b'}'),
    }
}

/// A JSON string with its quotes and escapes.
fn put_json_text(out: &mut BytesMut, text: &str) {
    // A stream's id is of this kind, and goes with every frame.
    if is_plain_id(text.as_bytes()) {
        out.put_u8(b'"');
        out.put_slice(text.as_bytes());
        return out.put_u8(b'"');
    }
    serde_json::to_writer(out.writer(), text).expect("a string is always JSON and a buffer always takes it");
}

/// The caller's audio in the very words and order in which Twilio documents it, a third of what the scanner takes. None means "scan".
fn find_usual_media(text: &[u8]) -> Option<Range<usize>> {
    let mut rest = text;
    for before_digits in [
        &br#"{"event":"media","sequenceNumber":""#[..],
        br#"","media":{"track":"inbound","chunk":""#,
        br#"","timestamp":""#,
    ] {
        rest = rest.strip_prefix(before_digits)?;
        rest = &rest[rest.iter().take_while(|byte| byte.is_ascii_digit()).count()..];
    }
    rest = rest.strip_prefix(br#"","payload":""#)?;
    let begins = text.len() - rest.len();
    let length = memchr2(b'"', b'\\', rest)?;
    let (payload, behind) = rest.split_at(length);
    let sid = behind.strip_prefix(br#""},"streamSid":""#)?.strip_suffix(br#""}"#)?;
    (is_plain_id(sid) && !has_controls(payload)).then_some(begins..begins + length)
}

/// Looks at every byte, so that the compiler can take many of them at a time.
fn is_plain_id(text: &[u8]) -> bool {
    text.iter().filter(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count() == text.len()
}

/// Where the audio of a `media` message is.
struct FoundMedia {
    payload: Range<usize>,
    is_outbound: bool,
}

/// The hot path: finds the payload of a plainly written `media` message. None means "ask serde", never "malformed".
fn find_media(text: &[u8]) -> Option<FoundMedia> {
    let mut scanner = Scanner { text, at: 0, has_controls: has_controls(text) };
    let mut event = None;
    let mut media = None;
    scanner.object(|scanner, key| match key {
        b"event" => set_once(&mut event, scanner.string()?),
        b"media" => set_once(&mut media, scanner.media_body()?),
        _ => scanner.skip_scalar(),
    })?;
    scanner.skip_space();
    let is_whole = scanner.at == text.len();
    (is_whole && &text[event?] == b"media").then_some(())?;
    media
}

/// A key that comes twice is for serde to judge.
fn set_once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.is_none().then(|| *slot = Some(value))
}

/// Walks JSON of the simplest kind. Every method gives up with `None` at the first thing it does not expect.
struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    /// A control character is somewhere in the text; between its parts, it may be white space.
    has_controls: bool,
}

impl<'a> Scanner<'a> {
    /// An object, whose members `member` reads: it gets the key and must consume the value.
    fn object(&mut self, mut member: impl FnMut(&mut Self, &'a [u8]) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        loop {
            let key = self.string()?;
            self.expect(b':')?;
            member(self, &self.text[key])?;
            if self.peek()? == b',' {
                self.at += 1;
            } else {
                return self.expect(b'}');
            }
        }
    }

    fn media_body(&mut self) -> Option<FoundMedia> {
        let mut payload = None;
        let mut track = None;
        self.object(|scanner, key| match key {
            b"payload" => set_once(&mut payload, scanner.string()?),
            b"track" => set_once(&mut track, scanner.string()?),
            _ => scanner.skip_scalar(),
        })?;
        let is_outbound = track.is_some_and(|track| &self.text[track] == OUTBOUND);
        Some(FoundMedia { payload: payload?, is_outbound })
    }

    /// A string without escapes and control characters; the range between its quotes.
    fn string(&mut self) -> Option<Range<usize>> {
        self.expect(b'"')?;
        let rest = &self.text[self.at..];
        let len = string_len(rest).filter(|end| rest[*end] == b'"')?;
        let range = self.at..self.at + len;
        self.at = range.end + 1;
        (!self.has_controls || !has_controls(&self.text[range.clone()])).then_some(range)
    }

    /// A string or a plain whole number.
    fn skip_scalar(&mut self) -> Option<()> {
        if self.peek()? == b'"' {
            return self.string().map(drop);
        }
        let digits = self.text[self.at..].iter().take_while(|b| b.is_ascii_digit()).count();
        let has_leading_zero = digits > 1 && self.text[self.at] == b'0';
        self.at += digits;
        (digits > 0 && !has_leading_zero).then_some(())
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        self.skip_space();
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
    }
}

const OUTBOUND: &[u8] = b"outbound";

/// The way for everything but plain audio.
fn parse(text: &[u8]) -> Result<CarrierEvent, MediaError> {
    let message: EventMessage = json(text)?;
    let event = message.event.and_then(Scalar::into_text).ok_or(MediaError::Missing { event: "?", field: "event" })?;
    match event.as_str() {
        "connected" => Ok(CarrierEvent::Connected),
        "start" => parse_start(text).map(CarrierEvent::Start),
        "media" => parse_media(text),
        "mark" => {
            let mark = json::<MarkMessage>(text)?.mark;
            let name = mark.and_then(|mark| mark.name).and_then(Scalar::into_text);
            name.map(CarrierEvent::Mark).ok_or(MediaError::Missing { event: "mark", field: "mark.name" })
        }
        "dtmf" => {
            let dtmf = json::<DtmfMessage>(text)?.dtmf;
            let digit = dtmf.and_then(|dtmf| dtmf.digit).and_then(Scalar::into_text);
            digit
                .and_then(|digit| digit.parse().ok())
                .map(CarrierEvent::Dtmf)
                .ok_or(MediaError::Missing { event: "dtmf", field: "dtmf.digit" })
        }
        "stop" => Ok(CarrierEvent::Stop),
        _ => Ok(CarrierEvent::Unknown),
    }
}

fn parse_media(text: &[u8]) -> Result<CarrierEvent, MediaError> {
    let missing = MediaError::Missing { event: "media", field: "media.payload" };
    let body = json::<MediaMessage>(text)?.media.ok_or(missing.clone())?;
    let payload = body.payload.and_then(Scalar::into_text).and_then(MulawChunk::from_unescaped).ok_or(missing)?;
    let track = body.track.and_then(Scalar::into_text);
    if track.is_some_and(|track| track.as_bytes() == OUTBOUND) {
        return Ok(CarrierEvent::Unknown);
    }
    Ok(CarrierEvent::Media(payload))
}

fn parse_start(text: &[u8]) -> Result<StreamStart, MediaError> {
    let need = |value: Option<Scalar>, field| {
        value
            .and_then(Scalar::into_text)
            .filter(|text| !text.is_empty())
            .ok_or(MediaError::Missing { event: "start", field })
    };
    let message: StartMessage = json(text)?;
    let start = message.start.ok_or(MediaError::Missing { event: "start", field: "start" })?;
    let format = start.media_format.ok_or(MediaError::Missing { event: "start", field: "start.mediaFormat" })?;
    let sample_rate = need(format.sample_rate, "start.mediaFormat.sampleRate")?;
    let parameters = start.custom_parameters.unwrap_or_default();
    Ok(StreamStart {
        account_sid: AccountSid::new(need(start.account_sid, "start.accountSid")?),
        call_sid: CallSid::new(need(start.call_sid, "start.callSid")?),
        stream_sid: StreamSid::new(need(start.stream_sid.or(message.stream_sid), "start.streamSid")?),
        encoding: need(format.encoding, "start.mediaFormat.encoding")?,
        sample_rate: sample_rate
            .parse()
            .map_err(|_| MediaError::Missing { event: "start", field: "start.mediaFormat.sampleRate" })?,
        parameters: parameters.into_iter().filter_map(|(name, value)| Some((name, value.into_text()?))).collect(),
    })
}

fn json<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, MediaError> {
    serde_json::from_slice(text).map_err(|error| MediaError::NotJson { line: error.line(), column: error.column() })
}

/// Twilio writes numbers as strings, others as numbers; anything else counts as not given.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(serde_json::Number),
    Other(IgnoredAny),
}

impl Scalar {
    fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(number) => Some(number.to_string()),
            Self::Other(_) => None,
        }
    }
}

#[derive(Deserialize)]
struct EventMessage {
    event: Option<Scalar>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StartMessage {
    stream_sid: Option<Scalar>,
    start: Option<StartBody>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StartBody {
    account_sid: Option<Scalar>,
    stream_sid: Option<Scalar>,
    call_sid: Option<Scalar>,
    media_format: Option<MediaFormat>,
    custom_parameters: Option<BTreeMap<String, Scalar>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MediaFormat {
    encoding: Option<Scalar>,
    sample_rate: Option<Scalar>,
}

#[derive(Deserialize)]
struct MediaMessage {
    media: Option<MediaBody>,
}

#[derive(Deserialize)]
struct MediaBody {
    track: Option<Scalar>,
    payload: Option<Scalar>,
}

#[derive(Deserialize)]
struct MarkMessage {
    mark: Option<MarkBody>,
}

#[derive(Deserialize)]
struct MarkBody {
    name: Option<Scalar>,
}

#[derive(Deserialize)]
struct DtmfMessage {
    dtmf: Option<DtmfBody>,
}

#[derive(Deserialize)]
struct DtmfBody {
    digit: Option<Scalar>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    macro_rules! fixture {
        ($name:literal) => {
            include_str!(concat!("../../../tests/fixtures/twilio/", $name))
        };
    }

    fn decoded(text: &str) -> Result<CarrierEvent, MediaError> {
        decode(Bytes::copy_from_slice(text.as_bytes()))
    }

    fn encoded(command: &CarrierCommand) -> String {
        let mut out = BytesMut::new();
        encode(&mut out, &StreamSid::new("MZ00000000000000000000000000000001"), command);
        String::from_utf8(out.to_vec()).unwrap()
    }

    fn chunk(base64: &str) -> MulawChunk {
        MulawChunk::from_base64(Bytes::copy_from_slice(base64.as_bytes()))
    }

    #[test]
    fn documented_messages_are_understood() {
        assert_eq!(decoded(fixture!("stream_connected.json")), Ok(CarrierEvent::Connected));
        let CarrierEvent::Start(start) = decoded(fixture!("stream_start.json")).unwrap() else { panic!("not a start") };
        assert_eq!(start.account_sid.as_str(), "AC00000000000000000000000000000001");
        assert_eq!(start.call_sid.as_str(), "CA00000000000000000000000000000001");
        assert_eq!(start.stream_sid.as_str(), "MZ00000000000000000000000000000001");
        assert_eq!((start.encoding.as_str(), start.sample_rate), ("audio/x-mulaw", 8_000));
        let expected = [("greeting", "a \"quoted\" & <marked> word"), ("token", "tok_documentation")];
        assert_eq!(start.parameters, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        let CarrierEvent::Media(heard) = decoded(fixture!("stream_media.json")).unwrap() else { panic!("not media") };
        assert_eq!((heard.len(), heard.base64().len()), (160, 216));
        assert_eq!(decoded(fixture!("stream_dtmf.json")), Ok(CarrierEvent::Dtmf('1')));
        assert_eq!(decoded(fixture!("stream_mark.json")), Ok(CarrierEvent::Mark("turn-7 \"end\"".to_owned())));
        assert_eq!(decoded(fixture!("stream_stop.json")), Ok(CarrierEvent::Stop));
        assert_eq!(decoded(fixture!("stream_unknown.json")), Ok(CarrierEvent::Unknown));
    }

    #[test]
    fn documented_audio_takes_the_fast_path() {
        let spaced = fixture!("stream_media.json");
        let packed: String = spaced.split_whitespace().collect();
        let sorted = serde_json::from_str::<serde_json::Value>(spaced).unwrap().to_string();
        for text in [spaced, &packed, &sorted] {
            assert!(find_media(text.as_bytes()).is_some(), "{text}");
        }
        let usual = find_usual_media(packed.as_bytes()).unwrap();
        assert_eq!(Some(usual), find_media(packed.as_bytes()).map(|found| found.payload));
    }

    #[test]
    fn commands_are_written_with_exactly_the_documented_keys() {
        assert_eq!(encoded(&CarrierCommand::Media(chunk("////"))), fixture!("stream_out_media.json").trim_end());
        let mark = CarrierCommand::Mark("turn-7 \"end\"".to_owned());
        assert_eq!(encoded(&mark), fixture!("stream_out_mark.json").trim_end());
        assert_eq!(encoded(&CarrierCommand::Clear), fixture!("stream_out_clear.json").trim_end());
    }

    #[test]
    fn what_is_not_plain_is_left_to_serde_and_still_understood() {
        let odd = [
            r#"{"event":"media","media":{"payload":"\/\/\/\/"}}"#,
            r#"{"\u0065vent":"media","media":{"payload":"////"}}"#,
            r#"{"event":"media","extra":{"deep":[1,2]},"media":{"payload":"////"}}"#,
            r#"{"event":"media","flag":true,"media":{"chunk":-1.5e3,"payload":"////"}}"#,
        ];
        for text in odd {
            assert!(find_media(text.as_bytes()).is_none(), "{text}");
            assert_eq!(decoded(text), Ok(CarrierEvent::Media(chunk("////"))), "{text}");
        }
    }

    #[test]
    fn numbers_may_be_strings_and_strings_numbers() {
        let media = r#"{"event":"media","sequenceNumber":3,"media":{"chunk":1,"timestamp":5,"payload":"/w=="}}"#;
        assert_eq!(decoded(media), Ok(CarrierEvent::Media(chunk("/w=="))));
        assert_eq!(decoded(r#"{"event":"dtmf","dtmf":{"digit":5}}"#), Ok(CarrierEvent::Dtmf('5')));
        let start = fixture!("stream_start.json").replace(": 8000", ": \"8000\"");
        assert!(start.contains(": \"8000\""));
        assert_eq!(decoded(&start), decoded(fixture!("stream_start.json")));
    }

    #[test]
    fn our_own_voice_is_not_taken_for_the_callers() {
        let plain = r#"{"event":"media","media":{"track":"outbound","payload":"////"}}"#;
        let escaped = r#"{"event":"media","media":{"track":"outb\u006fund","payload":"////"}}"#;
        assert_eq!(decoded(plain), Ok(CarrierEvent::Unknown));
        assert_eq!(decoded(escaped), Ok(CarrierEvent::Unknown));
    }

    #[test]
    fn malformed_messages_say_what_is_missing_and_repeat_nothing() {
        let cases = [
            ("", "not JSON"),
            ("{\"event\":\"media\"", "not JSON"),
            ("{\"event\":\"media\"} x", "not JSON"),
            (r#"{"event":"media","media":{"payload":"////"}} x"#, "not JSON"),
            (r#"{"event":"media","media":{"payload":"////","chunk":01}}"#, "not JSON"),
            (r#"{"event":"media","media":{"payload":"////","chunk":}}"#, "not JSON"),
            (r#"{"event":"media","media":{"payload":"////"},}"#, "not JSON"),
            ("{\"event\":\"media\",\"media\":{\"payload\":\"a\nb\"}}", "not JSON"),
            ("{}", "`event`"),
            (r#"{"event":"media"}"#, "`media.payload`"),
            (r#"{"event":"media","media":{"payload":null}}"#, "`media.payload`"),
            (r#"{"event":"media","media":{"payload":"\"},\"x\":{\""}}"#, "`media.payload`"),
            (r#"{"event":"mark"}"#, "`mark.name`"),
            (r#"{"event":"dtmf","dtmf":{"digit":"12"}}"#, "`dtmf.digit`"),
            (r#"{"event":"start","start":{"customParameters":{"token":"hush"}}}"#, "`start.mediaFormat`"),
        ];
        for (text, part) in cases {
            let message = decoded(text).unwrap_err().to_string();
            assert!(message.contains(part) && !message.contains("hush"), "{text} gave {message}");
        }
    }

    /// JSON text near to and far from what Twilio writes, as strings.
    fn near_messages() -> impl Strategy<Value = String> {
        let space = "[ \n\t]{0,2}";
        let scalar = r#"("[ -~]{0,6}"|"\\\\u0041"|[0-9]{1,3}|null|true|-1|[{][}]|\[\])"#;
        let track = prop_oneof![Just("inbound"), Just("outbound"), Just("in\\u0062ound")];
        let event = prop_oneof![4 => Just("media"), 1 => Just("mark"), 1 => Just("m\\u0065dia")];
        let inner = (track, "[A-Za-z0-9+/=]{0,32}", scalar, space)
            .prop_map(|(track, payload, chunk, space)| {
                vec![
                    format!("\"track\":{space}\"{track}\""),
                    format!("\"payload\"{space}:\"{payload}\""),
                    format!("\"chunk\":{chunk}{space}"),
                ]
            })
            .prop_flat_map(|members| proptest::sample::subsequence(members, 0..=3).prop_shuffle());
        (event, inner, scalar, space)
            .prop_flat_map(|(event, inner, sequence, space)| {
                let members = vec![
                    format!("\"event\"{space}:\"{event}\""),
                    format!("\"media\":{space}{{{}}}", inner.join(",")),
                    format!("\"sequenceNumber\":{sequence}"),
                    format!("\"streamSid\":\"MZ1\"{space}"),
                    "\"event\":\"media\"".to_owned(),
                ];
                proptest::sample::subsequence(members, 0..=5).prop_shuffle()
            })
            .prop_map(|members| format!("{{{}}}", members.join(",")))
    }

    /// What serde alone makes of a text.
    fn slowly(text: &str) -> Result<CarrierEvent, MediaError> {
        parse(text.as_bytes())
    }

    proptest! {
        #[test]
        fn fast_and_slow_agree(text in near_messages()) {
            prop_assert_eq!(decoded(&text), slowly(&text));
        }

        #[test]
        fn fast_and_slow_agree_on_damaged_text(text in near_messages(), at in any::<prop::sample::Index>(), put in "[ -~\n]?") {
            let at = at.index(text.len());
            let damaged = format!("{}{put}{}", &text[..at], &text[at + 1..]);
            prop_assert_eq!(decoded(&damaged), slowly(&damaged));
        }

        #[test]
        fn fast_and_slow_agree_on_all_that_is_nearly_as_documented(
            payload in "[A-Za-z0-9+/]{0,40}={0,2}", at in any::<prop::sample::Index>(), put in "[ -~\n]{0,2}",
        ) {
            let usual = format!(
                r#"{{"event":"media","sequenceNumber":"3","media":{{"track":"inbound","chunk":"1","timestamp":"5","payload":"{payload}"}},"streamSid":"MZ1"}}"#
            );
            prop_assert_eq!(decoded(&usual), slowly(&usual));
            let at = at.index(usual.len());
            let damaged = format!("{}{put}{}", &usual[..at], &usual[at + 1..]);
            prop_assert_eq!(decoded(&damaged), slowly(&damaged));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(bytes.into());
        }

        #[test]
        fn audio_survives_the_round_trip(payload in "[A-Za-z0-9+/]{0,400}={0,2}") {
            let command = CarrierCommand::Media(chunk(&payload));
            prop_assert_eq!(decoded(&encoded(&command)), Ok(CarrierEvent::Media(chunk(&payload))));
        }

        #[test]
        fn mark_names_survive_the_round_trip(name in any::<String>()) {
            prop_assert_eq!(decoded(&encoded(&CarrierCommand::Mark(name.clone()))), Ok(CarrierEvent::Mark(name)));
        }
    }
}
