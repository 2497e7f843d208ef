//! Webhook forms: what Twilio posts (or sends as a query) when something happens to a call.
//!
//! Twilio adds fields without notice, leaves out what it does not know, and SDK-made peers repeat names. So a form is read into
//! pairs first and each field is looked for: unknown ones are ignored, of repeated ones the first counts, a blank one counts as
//! not given, and a value that does not parse is as good as none. Only the ids that name the call (and recording) are required.
//! Sources: Twilio, "TwiML for Programmable Voice: request parameters", "Calls resource: `StatusCallback`", "Recording status
//! callbacks", "Answering Machine Detection", "TwiML `<Stream>`: statusCallback".

use std::str::FromStr;

use serde::de::DeserializeOwned;

use super::words::Reported;
use crate::domain::call::AnsweredBy;
use crate::domain::{AccountSid, CallSid, CallStatus, Party, RecordingSid, StreamSid};

/// Why a form cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    #[error("the form has no `{0}`: is this webhook called by Twilio?")]
    Missing(&'static str),
}

/// The decoded name and value pairs of a form body or query string, in their order. Never fails: what is odd is kept as text.
pub fn form_pairs(form: &[u8]) -> Vec<(String, String)> {
    serde_urlencoded::from_bytes(form).unwrap_or_default()
}

/// The voice webhook, and the resume webhook after `<Connect>`: Twilio asks what to do with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoiceForm {
    pub call_sid: CallSid,
    pub account_sid: Option<AccountSid>,
    pub from: Option<Party>,
    pub to: Option<Party>,
    pub status: Reported<CallStatus>,
    /// `inbound`, `outbound-api` or `outbound-dial`.
    pub direction: Option<String>,
    pub forwarded_from: Option<Party>,
    pub caller_name: Option<String>,
    /// The carrier's verdict on the caller's number, `TN-Validation-Passed-A` and the like.
    pub stir_verstat: Option<String>,
    /// With synchronous answering-machine detection only.
    pub answered_by: Reported<AnsweredBy>,
    /// After `<Gather>` or `<Record>`.
    pub digits: Option<String>,
    pub speech_result: Option<String>,
    /// On a fallback request: why the first document could not be used.
    pub error_code: Option<u32>,
}

impl VoiceForm {
    pub fn parse(form: &[u8]) -> Result<Self, FormError> {
        let fields = Fields::read(form);
        Ok(Self {
            call_sid: fields.call_sid()?,
            account_sid: fields.text("AccountSid").map(AccountSid::new),
            from: fields.text("From").map(Party::from),
            to: fields.text("To").map(Party::from),
            status: fields.word("CallStatus"),
            direction: fields.owned("Direction"),
            forwarded_from: fields.text("ForwardedFrom").map(Party::from),
            caller_name: fields.owned("CallerName"),
            stir_verstat: fields.owned("StirVerstat"),
            answered_by: fields.word("AnsweredBy"),
            digits: fields.owned("Digits"),
            speech_result: fields.owned("SpeechResult"),
            error_code: fields.error_code(),
        })
    }
}

/// `<Dial action>`: the other leg of a transfer ended, or never came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialActionForm {
    pub call_sid: CallSid,
    pub status: Reported<CallStatus>,
    pub dial_status: Reported<CallStatus>,
    pub dial_call_sid: Option<CallSid>,
    pub dial_duration_s: Option<u32>,
    /// Whether the two were connected.
    pub bridged: Option<bool>,
}

impl DialActionForm {
    pub fn parse(form: &[u8]) -> Result<Self, FormError> {
        let fields = Fields::read(form);
        Ok(Self {
            call_sid: fields.call_sid()?,
            status: fields.word("CallStatus"),
            dial_status: fields.word("DialCallStatus"),
            dial_call_sid: fields.text("DialCallSid").map(CallSid::new),
            dial_duration_s: fields.number("DialCallDuration"),
            bridged: fields.text("DialBridged").map(|text| text == "true"),
        })
    }
}

/// A call's progress. Best effort, possibly repeated and out of order: `sequence` (from 0) tells the true order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusForm {
    pub call_sid: CallSid,
    pub account_sid: Option<AccountSid>,
    pub from: Option<Party>,
    pub to: Option<Party>,
    pub status: Reported<CallStatus>,
    pub direction: Option<String>,
    pub sequence: Option<u32>,
    /// With a terminal status.
    pub duration_s: Option<u32>,
    /// With a terminal status: what the far network answered.
    pub sip_code: Option<u16>,
    pub answered_by: Reported<AnsweredBy>,
    pub error_code: Option<u32>,
}

impl StatusForm {
    pub fn parse(form: &[u8]) -> Result<Self, FormError> {
        let fields = Fields::read(form);
        Ok(Self {
            call_sid: fields.call_sid()?,
            account_sid: fields.text("AccountSid").map(AccountSid::new),
            from: fields.text("From").map(Party::from),
            to: fields.text("To").map(Party::from),
            status: fields.word("CallStatus"),
            direction: fields.owned("Direction"),
            sequence: fields.number("SequenceNumber"),
            duration_s: fields.number("CallDuration"),
            sip_code: fields.number("SipResponseCode"),
            answered_by: fields.word("AnsweredBy"),
            error_code: fields.error_code(),
        })
    }
}

/// A recording's progress. `call_sid` is always the parent leg's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingForm {
    pub call_sid: CallSid,
    pub recording_sid: RecordingSid,
    /// Without a suffix; `.wav` or `.mp3` may be added.
    pub url: Option<String>,
    /// `in-progress`, `completed` or `absent`.
    pub status: Option<String>,
    pub duration_s: Option<u32>,
    pub channels: Option<u8>,
    pub error_code: Option<u32>,
}

impl RecordingForm {
    pub fn parse(form: &[u8]) -> Result<Self, FormError> {
        let fields = Fields::read(form);
        Ok(Self {
            call_sid: fields.call_sid()?,
            recording_sid: fields
                .text("RecordingSid")
                .map(RecordingSid::new)
                .ok_or(FormError::Missing("RecordingSid"))?,
            url: fields.owned("RecordingUrl"),
            status: fields.owned("RecordingStatus"),
            duration_s: fields.number("RecordingDuration"),
            channels: fields.number("RecordingChannels"),
            error_code: fields.error_code(),
        })
    }
}

/// The result of asynchronous answering-machine detection. It names no numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmdForm {
    pub call_sid: CallSid,
    pub answered_by: Reported<AnsweredBy>,
    pub detection_ms: Option<u32>,
}

impl AmdForm {
    pub fn parse(form: &[u8]) -> Result<Self, FormError> {
        let fields = Fields::read(form);
        Ok(Self {
            call_sid: fields.call_sid()?,
            answered_by: fields.word("AnsweredBy"),
            detection_ms: fields.number("MachineDetectionDuration"),
        })
    }
}

/// A media stream's progress; the only place where a failed handshake shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamForm {
    pub call_sid: CallSid,
    pub stream_sid: Option<StreamSid>,
    /// `stream-started`, `stream-stopped` or `stream-error`.
    pub event: Option<String>,
    pub error: Option<String>,
}

impl StreamForm {
    pub fn parse(form: &[u8]) -> Result<Self, FormError> {
        let fields = Fields::read(form);
        Ok(Self {
            call_sid: fields.call_sid()?,
            stream_sid: fields.text("StreamSid").map(StreamSid::new),
            event: fields.owned("StreamEvent"),
            error: fields.owned("StreamError"),
        })
    }
}

/// The pairs of one form, looked up by name.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn read(form: &[u8]) -> Self {
        Self(form_pairs(form))
    }

    /// The first value of this name that is not blank.
    fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.trim()).find(|value| !value.is_empty())
    }

    fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    fn word<T: DeserializeOwned>(&self, name: &str) -> Reported<T> {
        Reported::parse(self.text(name).unwrap_or_default())
    }

    /// Recordings report success as error 0.
    fn error_code(&self) -> Option<u32> {
        self.number("ErrorCode").filter(|code| *code != 0)
    }

    fn call_sid(&self) -> Result<CallSid, FormError> {
        self.text("CallSid").map(CallSid::new).ok_or(FormError::Missing("CallSid"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    macro_rules! fixture {
        ($name:literal) => {
            include_bytes!(concat!("../../../tests/fixtures/twilio/", $name)).trim_ascii_end()
        };
    }

    const CALL: &str = "CA00000000000000000000000000000001";

    #[test]
    fn an_inbound_call_is_read() {
        let form = VoiceForm::parse(fixture!("voice_inbound.form")).unwrap();
        assert_eq!(form.call_sid.as_str(), CALL);
        assert_eq!(form.from, Some("+12125550113".into()));
        assert_eq!(form.to, Some("+12125550100".into()));
        assert_eq!(form.status.known, Some(CallStatus::Ringing));
        assert_eq!(form.direction.as_deref(), Some("inbound"));
        assert_eq!(form.caller_name.as_deref(), Some("José Ñandú"));
        assert_eq!(form.stir_verstat.as_deref(), Some("TN-Validation-Passed-A"));
        assert_eq!((form.forwarded_from, form.answered_by), (None, Reported::default()));
    }

    #[test]
    fn the_resume_and_the_dial_action_are_read() {
        let form = VoiceForm::parse(fixture!("resume.form")).unwrap();
        assert_eq!(form.status.known, Some(CallStatus::InProgress));
        assert_eq!(form.direction.as_deref(), Some("outbound-api"));
        let form = DialActionForm::parse(fixture!("dial_action.form")).unwrap();
        assert_eq!(form.dial_status.known, Some(CallStatus::NoAnswer));
        assert_eq!(form.dial_call_sid.unwrap().as_str(), "CA00000000000000000000000000000002");
        assert_eq!(form.dial_duration_s, None);
    }

    #[test]
    fn progress_is_read() {
        let form = StatusForm::parse(fixture!("status_ringing.form")).unwrap();
        assert_eq!((form.status.known, form.sequence), (Some(CallStatus::Ringing), Some(1)));
        assert_eq!((form.duration_s, form.sip_code), (None, None));
        let form = StatusForm::parse(fixture!("status_completed.form")).unwrap();
        assert_eq!((form.status.known, form.sequence), (Some(CallStatus::Completed), Some(3)));
        assert_eq!((form.duration_s, form.sip_code), (Some(42), Some(200)));
    }

    #[test]
    fn every_step_of_an_outbound_call_is_read() {
        let steps: [(&[u8], _, _); 4] = [
            (fixture!("status_initiated.form"), CallStatus::Initiated, 0),
            (fixture!("status_ringing.form"), CallStatus::Ringing, 1),
            (fixture!("status_answered.form"), CallStatus::InProgress, 2),
            (fixture!("status_no_answer.form"), CallStatus::NoAnswer, 2),
        ];
        for (form, status, sequence) in steps {
            let form = StatusForm::parse(form).unwrap();
            assert_eq!((form.status.known, form.sequence), (Some(status), Some(sequence)));
            assert_eq!((form.call_sid.as_str(), form.to), (CALL, Some("+12125550113".into())));
        }
        let form = VoiceForm::parse(fixture!("voice_outbound.form")).unwrap();
        assert_eq!((form.status.known, form.from), (Some(CallStatus::InProgress), Some("+12125550100".into())));
        let streams: [(&[u8], _); 2] =
            [(fixture!("stream_started.form"), "stream-started"), (fixture!("stream_stopped.form"), "stream-stopped")];
        for (form, event) in streams {
            let form = StreamForm::parse(form).unwrap();
            assert_eq!((form.event.as_deref(), form.error), (Some(event), None));
            assert_eq!(form.stream_sid.unwrap().as_str(), "MZ00000000000000000000000000000001");
        }
    }

    #[test]
    fn recording_detection_and_stream_callbacks_are_read() {
        let form = RecordingForm::parse(fixture!("recording_completed.form")).unwrap();
        assert_eq!(form.recording_sid.as_str(), "RE00000000000000000000000000000001");
        assert_eq!((form.status.as_deref(), form.duration_s, form.channels), (Some("completed"), Some(40), Some(2)));
        assert_eq!(form.error_code, None);
        assert!(form.url.unwrap().ends_with("/Recordings/RE00000000000000000000000000000001"));
        let form = AmdForm::parse(fixture!("amd.form")).unwrap();
        assert_eq!((form.answered_by.known, form.detection_ms), (Some(AnsweredBy::MachineStart), Some(3_200)));
        let form = StreamForm::parse(fixture!("stream_error.form")).unwrap();
        assert_eq!(form.event.as_deref(), Some("stream-error"));
        assert!(form.error.unwrap().contains("31920"));
    }

    #[test]
    fn unknown_repeated_blank_and_absurd_fields_do_no_harm() {
        let form = b"NewField=1&CallSid=CA1&CallSid=CA2&CallStatus=levitating&From=&To=sip%3Aa%40example.com&SequenceNumber=x&&flag";
        let form = StatusForm::parse(form).unwrap();
        assert_eq!(form.call_sid.as_str(), "CA1");
        assert_eq!((form.status.known, form.status.raw.as_str()), (None, "levitating"));
        assert_eq!((form.from, form.to, form.sequence), (None, Some("sip:a@example.com".into()), None));
    }

    #[test]
    fn a_form_without_its_ids_is_refused() {
        assert_eq!(VoiceForm::parse(b"From=%2B12125550113"), Err(FormError::Missing("CallSid")));
        assert_eq!(RecordingForm::parse(b"CallSid=CA1&RecordingSid="), Err(FormError::Missing("RecordingSid")));
    }

    proptest! {
        #[test]
        fn no_body_is_a_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = form_pairs(&body);
            let _ = VoiceForm::parse(&body);
        }

        #[test]
        fn pairs_survive_the_round_trip(pairs in proptest::collection::vec(("[A-Za-z.]{1,9}", any::<String>()), 0..8)) {
            let body = serde_urlencoded::to_string(&pairs).unwrap();
            prop_assert_eq!(form_pairs(body.as_bytes()), pairs);
        }
    }
}
