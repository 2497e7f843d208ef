//! The documents that tell the carrier what to do with a call: one struct for each file in `twiml/`, and nothing else renders those.
//!
//! A missing variable does not compile, every value is escaped, and every document ends the call explicitly, so that a fall-through
//! is never a silent line. URLs are the caller's affair: absolute, `wss:` for streams (the carrier takes no other outside a test).
//! Source: Twilio, "TwiML for Programmable Voice".

use std::time::Duration;

use askama::Template;

use super::rest::RecordingRequest;
use crate::domain::E164;

/// A text for the carrier's own voice to speak. The carrier speaks up to 4096 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Say<'a> {
    pub text: &'a str,
    /// The carrier's name of a voice, `Polly.Joanna-Neural`; none for the account's default.
    pub voice: Option<&'a str>,
    /// `en-US`; none for the voice's own.
    pub language: Option<&'a str>,
}

impl<'a> Say<'a> {
    /// In the account's default voice and language.
    pub fn plainly(text: &'a str) -> Self {
        Self { text, voice: None, language: None }
    }
}

/// Connects the call with our media socket. When the stream is over, the carrier asks `resume_url` how to go on.
#[derive(Debug, Template)]
#[template(path = "connect_stream.xml")]
pub struct ConnectStream<'a> {
    /// Spoken before anything else.
    pub disclosure: Option<Say<'a>>,
    /// Starts after the disclosure, and goes on whatever document follows.
    pub recording: Option<&'a RecordingRequest>,
    /// Spoken once the recording runs, so that it holds the notice too.
    pub recorded_notice: Option<Say<'a>>,
    /// Without a query: the carrier strips it.
    pub stream_url: &'a str,
    pub stream_status_callback: &'a str,
    /// Given back in the stream's `start`, the token among them. Name and value under 500 characters together.
    pub parameters: &'a [(&'a str, &'a str)],
    pub resume_url: &'a str,
}

/// Sends the call's audio to an agent's SIP address; the call itself stays ours. When the other side is over, the carrier asks
/// `action_url` how to go on.
#[derive(Debug, Template)]
#[template(path = "hand_over.xml")]
pub struct HandOver<'a> {
    /// Spoken before anything else.
    pub disclosure: Option<Say<'a>>,
    /// Starts after the disclosure, and goes on whatever document follows.
    pub recording: Option<&'a RecordingRequest>,
    /// Spoken once the recording runs, so that it holds the notice too.
    pub recorded_notice: Option<Say<'a>>,
    pub action_url: &'a str,
    /// The longest that the two may talk.
    pub time_limit: Duration,
    pub sip_uri: &'a str,
}

/// Does not take an inbound call. Only of use as the first document: a call that is answered can only be hung up.
#[derive(Debug, Template)]
#[template(path = "reject.xml")]
pub struct Reject {
    pub reason: RejectReason,
}

/// What the caller hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectReason {
    /// That the number is not in service.
    Rejected,
    /// The busy tone.
    Busy,
}

impl RejectReason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Busy => "busy",
        }
    }
}

/// Ends the call without a word.
#[derive(Debug, Template)]
#[template(path = "hang_up.xml")]
pub struct HangUp;

/// Something of ours failed: says so and ends the call.
#[derive(Debug, Template)]
#[template(path = "apology.xml")]
pub struct Apology<'a> {
    pub say: Say<'a>,
}

/// Last words before the call is ended on purpose, after an opt-out above all.
#[derive(Debug, Template)]
#[template(path = "goodbye.xml")]
pub struct Goodbye<'a> {
    pub say: Say<'a>,
}

/// Leaves a message on an answering machine, a moment after its beep, and ends the call.
#[derive(Debug, Template)]
#[template(path = "voicemail.xml")]
pub struct Voicemail<'a> {
    pub say: Say<'a>,
}

/// Connects the call with another number. This rings a phone: only the carrier room renders it, and only with an order to dial.
#[derive(Debug, Template)]
#[template(path = "dial.xml")]
pub(crate) struct Dial<'a> {
    announcement: Option<Say<'a>>,
    action_url: &'a str,
    answered_url: &'a str,
    briefing_url: Option<&'a str>,
    caller_id: &'a str,
    ring_timeout: Duration,
    time_limit: Duration,
    number: &'a str,
}

/// How a call is to be connected with another number.
#[derive(Debug, Clone, Copy)]
pub struct TransferRequest<'a> {
    /// What the other side sees as the caller.
    pub caller_id: &'a E164,
    /// The carrier may add 5 s.
    pub ring_timeout: Duration,
    /// The longest that the two may talk.
    pub time_limit: Duration,
    /// Asked how to go on when the other leg is over. Absolute, like the others.
    pub action_url: &'a str,
    /// Told when the other side picks up.
    pub answered_url: &'a str,
    /// Asked what the other side hears before the two are connected; none: they are connected at once.
    pub briefing_url: Option<&'a str>,
    /// Spoken to the one who is transferred.
    pub announcement: Option<Say<'a>>,
}

impl<'a> Dial<'a> {
    pub(crate) fn new(number: &'a E164, request: &TransferRequest<'a>) -> Self {
        // The fields are texts because a number prints itself masked.
        Self {
            announcement: request.announcement,
            action_url: request.action_url,
            answered_url: request.answered_url,
            briefing_url: request.briefing_url,
            caller_id: request.caller_id.as_str(),
            ring_timeout: request.ring_timeout,
            time_limit: request.time_limit,
            number: number.as_str(),
        }
    }
}

/// Tells somebody who picked up a transferred call what it is about, and waits for a key. Without one the line is dropped, and the
/// caller goes back to where they came from.
#[derive(Debug, Template)]
#[template(path = "briefing.xml")]
pub struct Briefing<'a> {
    pub say: Say<'a>,
    /// Told which key was pressed.
    pub answer_url: &'a str,
}

/// After a briefing: the two are connected. The one document that ends nothing, because the line goes on with the other one.
#[derive(Debug, Template)]
#[template(path = "take_call.xml")]
pub struct TakeCall;

/// The document as text, to be sent as `text/xml`. Characters that XML cannot hold at all are left out.
///
/// # Panics
///
/// Never with the documents of this file: they hold plain values, and writing to a string does not fail.
pub fn render(document: &impl Template) -> String {
    let mut text = document.render().expect("a document of plain values always renders");
    text.retain(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..));
    text
}

#[cfg(test)]
mod tests {
    use super::super::rest::RecordingChannels;
    use super::*;

    const NASTY: &str = "\"5 < 6\" & 'so' > \u{7}on ]]> José";

    fn numbers() -> (E164, E164) {
        ("+12125550113".parse().unwrap(), "+12125550100".parse().unwrap())
    }

    fn transfer<'a>(caller_id: &'a E164, url: &'a str) -> TransferRequest<'a> {
        TransferRequest {
            caller_id,
            ring_timeout: Duration::from_secs(25),
            time_limit: Duration::from_hours(1),
            action_url: url,
            answered_url: url,
            briefing_url: None,
            announcement: None,
        }
    }

    /// Every document there is, by the name of its file, with values that need escaping wherever there is room for one.
    fn every_document() -> Vec<(&'static str, String)> {
        let say = Say { text: NASTY, voice: Some(NASTY), language: Some("en-US") };
        let recording = RecordingRequest {
            channels: RecordingChannels::Dual,
            status_callback: format!("https://a.example.com/{NASTY}"),
        };
        let connect = ConnectStream {
            disclosure: Some(say),
            recording: Some(&recording),
            recorded_notice: Some(say),
            stream_url: NASTY,
            stream_status_callback: NASTY,
            parameters: &[("token", "tok_1"), (NASTY, NASTY)],
            resume_url: NASTY,
        };
        let hand_over = HandOver {
            disclosure: Some(say),
            recording: Some(&recording),
            recorded_notice: Some(say),
            action_url: NASTY,
            time_limit: Duration::from_mins(1),
            sip_uri: NASTY,
        };
        let (number, caller_id) = numbers();
        let request =
            TransferRequest { briefing_url: Some(NASTY), announcement: Some(say), ..transfer(&caller_id, NASTY) };
        let dial = Dial::new(&number, &request);
        vec![
            ("connect_stream.xml", render(&connect)),
            ("reject.xml", render(&Reject { reason: RejectReason::Busy })),
            ("hang_up.xml", render(&HangUp)),
            ("apology.xml", render(&Apology { say })),
            ("goodbye.xml", render(&Goodbye { say })),
            ("voicemail.xml", render(&Voicemail { say })),
            ("dial.xml", render(&dial)),
            ("briefing.xml", render(&Briefing { say, answer_url: NASTY })),
            ("take_call.xml", render(&TakeCall)),
            ("hand_over.xml", render(&hand_over)),
        ]
    }

    /// Checks that a text is well-formed, and gives its tags, attribute values and texts back unescaped, one after the other.
    fn read_xml(document: &str) -> Vec<String> {
        let mut parts = Vec::new();
        let mut open = Vec::new();
        let mut rest = document.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").unwrap();
        while let Some((text, after)) = rest.split_once('<') {
            parts.extend(Some(unescape(text)).filter(|text| !text.trim().is_empty()));
            let (tag, after) = after.split_once('>').unwrap();
            rest = after;
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop().as_deref(), Some(name));
                continue;
            }
            let (name, attributes) =
                tag.trim_end_matches('/').split_once(' ').unwrap_or((tag.trim_end_matches('/'), ""));
            parts.push(format!("<{name}>"));
            let quoted: Vec<_> = attributes.split('"').collect();
            assert_eq!(quoted.len() % 2, 1, "{tag}");
            for pair in quoted.chunks_exact(2) {
                parts.push(format!("{}{}", pair[0].trim(), unescape(pair[1])));
            }
            if !tag.ends_with('/') {
                open.push(name.to_owned());
            }
        }
        assert!(open.is_empty() && rest.trim().is_empty(), "{document}");
        parts
    }

    /// Panics on what XML does not allow: a bare `&` or an entity that only HTML knows.
    fn unescape(text: &str) -> String {
        let mut parts = text.split('&');
        let mut plain = parts.next().unwrap().to_owned();
        for part in parts {
            let (entity, after) = part.split_once(';').unwrap();
            plain.push(match entity.strip_prefix('#') {
                Some(code) => char::from_u32(code.parse().unwrap()).unwrap(),
                None => match entity {
                    "amp" => '&',
                    "lt" => '<',
                    "gt" => '>',
                    "quot" => '"',
                    "apos" => '\'',
                    _ => panic!("{entity} is no entity of XML"),
                },
            });
            plain.push_str(after);
        }
        plain
    }

    #[test]
    fn every_file_has_its_document_and_every_document_ends_the_call() {
        let documents = every_document();
        let mut files: Vec<_> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/twiml"))
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        let mut names: Vec<_> = documents.iter().map(|(name, _)| (*name).to_owned()).collect();
        files.sort();
        names.sort();
        assert_eq!(files, names);
        for (name, document) in documents {
            let parts = read_xml(&document);
            let verbs: Vec<_> = parts.iter().filter(|part| part.starts_with('<')).collect();
            let last = verbs.last().unwrap().as_str();
            let ends_nothing = name == "take_call.xml";
            assert!(ends_nothing || last == "<Hangup>" || last == "<Reject>", "{name} ends with {last}");
            assert!(document.ends_with("</Response>"), "{name}");
        }
    }

    #[test]
    fn values_come_through_unchanged_but_for_what_xml_cannot_hold() {
        let allowed = NASTY.replace('\u{7}', "");
        for (name, document) in every_document() {
            let parts = read_xml(&document);
            let escaped = parts.iter().filter(|part| part.ends_with(&allowed)).count();
            let expected = match name {
                "connect_stream.xml" => 10,
                "hand_over.xml" => 7,
                "dial.xml" => 5,
                "briefing.xml" => 3,
                "apology.xml" | "goodbye.xml" | "voicemail.xml" => 2,
                _ => 0,
            };
            assert_eq!(escaped, expected, "{name}: {document}");
        }
    }

    #[test]
    fn a_call_is_connected_and_resumed() {
        let document = ConnectStream {
            disclosure: None,
            recording: None,
            recorded_notice: None,
            stream_url: "wss://voice.example.com/media",
            stream_status_callback: "https://voice.example.com/webhooks/stream-callback",
            parameters: &[("token", "tok_1")],
            resume_url: "https://voice.example.com/webhooks/resume",
        };
        insta::assert_snapshot!(render(&document), @r#"
<?xml version="1.0" encoding="UTF-8"?>
<Response>
  <Connect>
    <Stream url="wss://voice.example.com/media" statusCallback="https://voice.example.com/webhooks/stream-callback" statusCallbackMethod="POST">
      <Parameter name="token" value="tok_1"/>
    </Stream>
  </Connect>
  <Redirect method="POST">https://voice.example.com/webhooks/resume</Redirect>
  <Hangup/>
</Response>
"#);
    }

    #[test]
    fn a_call_is_disclosed_and_recorded_first() {
        let recording = RecordingRequest {
            channels: RecordingChannels::Dual,
            status_callback: "https://voice.example.com/webhooks/recording-callback".to_owned(),
        };
        let document = ConnectStream {
            disclosure: Some(Say {
                language: Some("en-US"),
                ..Say::plainly("This call is recorded & may be monitored.")
            }),
            recording: Some(&recording),
            recorded_notice: Some(Say::plainly("This call is being recorded.")),
            stream_url: "wss://voice.example.com/media",
            stream_status_callback: "https://voice.example.com/webhooks/stream-callback",
            parameters: &[],
            resume_url: "https://voice.example.com/webhooks/resume",
        };
        insta::assert_snapshot!(render(&document), @r#"
<?xml version="1.0" encoding="UTF-8"?>
<Response>
  <Say language="en-US">This call is recorded &#38; may be monitored.</Say>
  <Start>
    <Recording channels="dual" track="both" trim="do-not-trim" recordingStatusCallback="https://voice.example.com/webhooks/recording-callback" recordingStatusCallbackMethod="POST" recordingStatusCallbackEvent="in-progress completed absent"/>
  </Start>
  <Say>This call is being recorded.</Say>
  <Connect>
    <Stream url="wss://voice.example.com/media" statusCallback="https://voice.example.com/webhooks/stream-callback" statusCallbackMethod="POST">
    </Stream>
  </Connect>
  <Redirect method="POST">https://voice.example.com/webhooks/resume</Redirect>
  <Hangup/>
</Response>
"#);
    }

    #[test]
    fn a_transfer_names_the_full_numbers() {
        let (number, caller_id) = numbers();
        let dial = Dial::new(&number, &transfer(&caller_id, "https://voice.example.com/webhooks/x"));
        insta::assert_snapshot!(render(&dial), @r#"
<?xml version="1.0" encoding="UTF-8"?>
<Response>
  <Dial action="https://voice.example.com/webhooks/x" method="POST" callerId="+12125550100" timeout="25" timeLimit="3600" answerOnBridge="true">
    <Number statusCallback="https://voice.example.com/webhooks/x" statusCallbackMethod="POST" statusCallbackEvent="answered">+12125550113</Number>
  </Dial>
  <Hangup/>
</Response>
"#);
    }

    #[test]
    fn a_rejected_caller_hears_the_reason() {
        let busy = render(&Reject { reason: RejectReason::Busy });
        assert_eq!(read_xml(&busy), ["<Response>", "<Reject>", "reason=busy"]);
    }
}
