//! The carrier's REST bodies: the forms that ask for something, the JSON that tells of calls, recordings and the account.
//!
//! Requests are forms with `PascalCase` names, arrays as repeated names; answers are JSON with `snake_case` names, times in RFC 2822,
//! numbers as strings. Answers are read with tolerance: only what we need, and only the ids are required.
//! Source: Twilio, "Calls resource", "Recordings resource", "Accounts resource" (API version 2010-04-01).

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::words::Reported;
use crate::domain::call::AnsweredBy;
use crate::domain::{CallSid, CallStatus, E164, Party, RecordingSid};

/// How a call is to be placed. The number to ring is not part of it: that comes with the order to dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialRequest {
    /// The caller's number: one of the account's, or verified there.
    pub from: E164,
    /// Asked for the document when the call is answered.
    pub voice_url: String,
    /// Asked when `voice_url` fails.
    pub fallback_url: Option<String>,
    /// Told of every step of the call.
    pub status_callback: String,
    /// How long it may ring, up to 600 s; the carrier may add 5 s.
    pub ring_timeout: Duration,
    /// How long the call may last.
    pub time_limit: Option<Duration>,
    pub recording: Option<RecordingRequest>,
    pub machine_detection: Option<MachineDetection>,
}

/// How a call is to be recorded: both sides, from the answer on, silence kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingRequest {
    pub channels: RecordingChannels,
    /// Told when the recording begins, is there, or could not be made. Absolute.
    pub status_callback: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingChannels {
    Mono,
    /// One channel a side.
    Dual,
}

impl RecordingChannels {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mono => "mono",
            Self::Dual => "dual",
        }
    }
}

/// Answering-machine detection, always asynchronous: the synchronous kind keeps the called party waiting in silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineDetection {
    pub mode: MachineDetectionMode,
    /// Told the result, once at most.
    pub callback: String,
    /// 3 to 59 s; the carrier's own default is 30 s.
    pub timeout: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineDetectionMode {
    /// Tells as soon as it knows a machine.
    Enable,
    /// Of a machine, tells when its greeting is over.
    DetectMessageEnd,
}

type Form = Vec<(&'static str, String)>;

/// The repeated names that ask for every step of a call; without them only the end is told.
const PROGRESS_EVENTS: [&str; 4] = ["initiated", "ringing", "answered", "completed"];
const RECORDING_EVENTS: [&str; 3] = ["in-progress", "completed", "absent"];

impl DialRequest {
    /// The form that rings `to`.
    pub fn form(&self, to: &E164) -> Form {
        let mut form = vec![
            ("To", to.as_str().to_owned()),
            ("From", self.from.as_str().to_owned()),
            ("Url", self.voice_url.clone()),
            ("Method", "POST".to_owned()),
            ("StatusCallback", self.status_callback.clone()),
            ("StatusCallbackMethod", "POST".to_owned()),
        ];
        form.extend(PROGRESS_EVENTS.map(|event| ("StatusCallbackEvent", event.to_owned())));
        form.push(("Timeout", self.ring_timeout.as_secs().to_string()));
        if let Some(url) = &self.fallback_url {
            form.push(("FallbackUrl", url.clone()));
            form.push(("FallbackMethod", "POST".to_owned()));
        }
        if let Some(limit) = self.time_limit {
            form.push(("TimeLimit", limit.as_secs().to_string()));
        }
        if let Some(recording) = &self.recording {
            form.push(("Record", "true".to_owned()));
            form.extend(recording.form());
        }
        if let Some(detection) = &self.machine_detection {
            form.extend(detection.form());
        }
        form
    }
}

impl RecordingRequest {
    /// The form that starts a recording of a live call.
    pub fn form(&self) -> Form {
        let mut form = vec![
            ("RecordingChannels", self.channels.as_str().to_owned()),
            ("RecordingTrack", "both".to_owned()),
            ("Trim", "do-not-trim".to_owned()),
            ("RecordingStatusCallback", self.status_callback.clone()),
            ("RecordingStatusCallbackMethod", "POST".to_owned()),
        ];
        form.extend(RECORDING_EVENTS.map(|event| ("RecordingStatusCallbackEvent", event.to_owned())));
        form
    }
}

impl MachineDetection {
    fn form(&self) -> Form {
        let mode = match self.mode {
            MachineDetectionMode::Enable => "Enable",
            MachineDetectionMode::DetectMessageEnd => "DetectMessageEnd",
        };
        let mut form = vec![
            ("MachineDetection", mode.to_owned()),
            ("AsyncAmd", "true".to_owned()),
            ("AsyncAmdStatusCallback", self.callback.clone()),
            ("AsyncAmdStatusCallbackMethod", "POST".to_owned()),
        ];
        if let Some(timeout) = self.timeout {
            form.push(("MachineDetectionTimeout", timeout.as_secs().to_string()));
        }
        form
    }
}

/// What becomes of a running recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingChange {
    /// The gap is filled with silence, so that times still fit.
    Pause,
    Resume,
    Stop,
}

impl RecordingChange {
    pub fn form(self) -> Form {
        match self {
            Self::Pause => vec![("Status", "paused".to_owned()), ("PauseBehavior", "silence".to_owned())],
            Self::Resume => vec![("Status", "in-progress".to_owned())],
            Self::Stop => vec![("Status", "stopped".to_owned())],
        }
    }
}

/// Which calls to list, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
    pub to: Option<E164>,
    pub from: Option<E164>,
    pub status: Option<CallStatus>,
    /// 1 to 1000; the carrier's own default is 50.
    pub page_size: Option<u16>,
}

impl CallFilter {
    pub fn query(&self) -> Form {
        let mut query = Form::new();
        query.extend(self.to.as_ref().map(|to| ("To", to.as_str().to_owned())));
        query.extend(self.from.as_ref().map(|from| ("From", from.as_str().to_owned())));
        // The REST words are the webhooks' words.
        let status = self.status.and_then(|status| serde_json::to_value(status).ok());
        query.extend(status.as_ref().and_then(|status| status.as_str()).map(|word| ("Status", word.to_owned())));
        query.extend(self.page_size.map(|size| ("PageSize", size.to_string())));
        query
    }
}

/// A call as the carrier tells of it. The carrier's view lags behind its webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "WireCall")]
pub struct CallResource {
    pub sid: CallSid,
    pub status: Reported<CallStatus>,
    pub direction: Option<String>,
    pub from: Option<Party>,
    pub to: Option<Party>,
    pub answered_by: Reported<AnsweredBy>,
    pub created_at: Option<Timestamp>,
    /// None while the call is queued.
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub duration_s: Option<u32>,
    /// How long the call waited for the account's calls per second.
    pub queue_time_ms: Option<u32>,
}

/// One page of a list of calls.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CallList {
    pub calls: Vec<CallResource>,
    /// Whether there are more: relative to the API's host.
    #[serde(default)]
    pub next_page_uri: Option<String>,
}

/// A recording as the carrier tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "WireRecording")]
pub struct RecordingResource {
    pub sid: RecordingSid,
    pub call_sid: Option<CallSid>,
    /// `in-progress`, `paused`, `stopped`, `processing`, `completed` or `absent`.
    pub status: Option<String>,
    pub channels: Option<u8>,
    pub duration_s: Option<u32>,
}

/// The account as the carrier tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AccountResource {
    pub sid: String,
    #[serde(default)]
    pub friendly_name: Option<String>,
    /// `active`, `suspended` or `closed`.
    #[serde(default)]
    pub status: Option<String>,
    /// `Trial` or `Full`.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
}

impl AccountResource {
    /// Trial accounts have `<Stream>` stripped from every document: no call to an agent works on them.
    pub fn is_trial(&self) -> bool {
        self.kind.as_deref() == Some("Trial")
    }
}

/// A number that Twilio writes as a string, and others as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Text(String),
    Whole(u32),
    Other(serde::de::IgnoredAny),
}

impl Number {
    fn whole<T: TryFrom<u32>>(self) -> Option<T> {
        let number = match self {
            Self::Text(text) => text.parse().ok(),
            Self::Whole(number) => Some(number),
            Self::Other(_) => None,
        };
        number.and_then(|number: u32| number.try_into().ok())
    }
}

#[derive(Deserialize)]
struct WireCall {
    sid: CallSid,
    status: Option<String>,
    direction: Option<String>,
    from: Option<Party>,
    to: Option<Party>,
    answered_by: Option<String>,
    date_created: Option<String>,
    start_time: Option<String>,
    end_time: Option<String>,
    duration: Option<Number>,
    queue_time: Option<Number>,
}

impl From<WireCall> for CallResource {
    fn from(wire: WireCall) -> Self {
        let time = |text: Option<String>| Some(jiff::fmt::rfc2822::parse(&text?).ok()?.timestamp());
        Self {
            sid: wire.sid,
            status: Reported::parse(wire.status.as_deref().unwrap_or_default()),
            direction: wire.direction,
            from: wire.from,
            to: wire.to,
            answered_by: Reported::parse(wire.answered_by.as_deref().unwrap_or_default()),
            created_at: time(wire.date_created),
            started_at: time(wire.start_time),
            ended_at: time(wire.end_time),
            duration_s: wire.duration.and_then(Number::whole),
            queue_time_ms: wire.queue_time.and_then(Number::whole),
        }
    }
}

#[derive(Deserialize)]
struct WireRecording {
    sid: RecordingSid,
    call_sid: Option<CallSid>,
    status: Option<String>,
    channels: Option<Number>,
    duration: Option<Number>,
}

impl From<WireRecording> for RecordingResource {
    fn from(wire: WireRecording) -> Self {
        Self {
            sid: wire.sid,
            call_sid: wire.call_sid,
            status: wire.status,
            channels: wire.channels.and_then(Number::whole),
            duration_s: wire.duration.and_then(Number::whole),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! fixture {
        ($name:literal) => {
            include_bytes!(concat!("../../../tests/fixtures/twilio/", $name)).trim_ascii_end()
        };
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn dial_request() -> DialRequest {
        DialRequest {
            from: "+12125550100".parse().unwrap(),
            voice_url: "https://voice.example.com/webhooks/voice/att_1".to_owned(),
            fallback_url: None,
            status_callback: "https://voice.example.com/webhooks/status-callback/att_1#rc=3&rp=5xx,ct,rt".to_owned(),
            ring_timeout: Duration::from_secs(30),
            time_limit: None,
            recording: None,
            machine_detection: None,
        }
    }

    #[test]
    fn a_plain_call_asks_for_every_step() {
        let form = dial_request().form(&"+12125550113".parse().unwrap());
        let text = serde_urlencoded::to_string(form).unwrap();
        assert_eq!(text.as_bytes(), fixture!("rest_create_call.form"));
    }

    #[test]
    fn a_full_call_asks_for_recording_detection_and_limits() {
        let request = DialRequest {
            fallback_url: Some("https://voice.example.com/webhooks/fallback".to_owned()),
            time_limit: Some(Duration::from_mins(30)),
            recording: Some(RecordingRequest {
                channels: RecordingChannels::Dual,
                status_callback: "https://voice.example.com/webhooks/recording-callback".to_owned(),
            }),
            machine_detection: Some(MachineDetection {
                mode: MachineDetectionMode::DetectMessageEnd,
                callback: "https://voice.example.com/webhooks/amd-callback".to_owned(),
                timeout: Some(Duration::from_secs(20)),
            }),
            ..dial_request()
        };
        let text = serde_urlencoded::to_string(request.form(&"+12125550113".parse().unwrap())).unwrap();
        assert_eq!(text.as_bytes(), fixture!("rest_create_call_full.form"));
    }

    #[test]
    fn a_new_call_and_a_finished_one_are_read() {
        let queued: CallResource = serde_json::from_slice(fixture!("rest_call_queued.json")).unwrap();
        assert_eq!(queued.sid.as_str(), "CA00000000000000000000000000000001");
        assert_eq!(queued.status.known, Some(CallStatus::Queued));
        assert_eq!((queued.started_at, queued.duration_s, queued.queue_time_ms), (None, None, Some(0)));
        let done: CallResource = serde_json::from_slice(fixture!("rest_call_completed.json")).unwrap();
        assert_eq!((done.status.known, done.duration_s), (Some(CallStatus::Completed), Some(42)));
        assert_eq!(done.answered_by.known, Some(AnsweredBy::Human));
        assert_eq!(done.to, Some("+12125550113".into()));
        assert_eq!(done.created_at, Some(at("2026-12-01T15:00:00Z")));
        assert_eq!(
            (done.started_at, done.ended_at),
            (Some(at("2026-12-01T15:00:05Z")), Some(at("2026-12-01T15:00:47Z")))
        );
        assert_eq!(done.queue_time_ms, Some(1_000));
    }

    #[test]
    fn lists_recordings_and_accounts_are_read() {
        let list: CallList = serde_json::from_slice(fixture!("rest_call_list.json")).unwrap();
        assert_eq!(list.calls.len(), 2);
        assert_eq!(list.calls[1].status, Reported { known: None, raw: "on-hold".to_owned() });
        assert!(list.next_page_uri.is_some());
        let recording: RecordingResource = serde_json::from_slice(fixture!("rest_recording.json")).unwrap();
        assert_eq!((recording.status.as_deref(), recording.channels), (Some("in-progress"), Some(2)));
        assert_eq!(recording.duration_s, None);
        let account: AccountResource = serde_json::from_slice(fixture!("rest_account_trial.json")).unwrap();
        assert!(account.is_trial());
    }

    #[test]
    fn only_the_id_is_required() {
        let call: CallResource = serde_json::from_str(r#"{"sid":"CA1","duration":{},"date_created":"soon"}"#).unwrap();
        assert_eq!((call.duration_s, call.created_at, call.status), (None, None, Reported::default()));
        assert!(serde_json::from_str::<CallResource>("{}").is_err());
    }

    #[test]
    fn filters_and_changes_use_the_carriers_words() {
        let filter = CallFilter {
            to: "+12125550113".parse().ok(),
            status: Some(CallStatus::InProgress),
            page_size: Some(1000),
            ..CallFilter::default()
        };
        let query = serde_urlencoded::to_string(filter.query()).unwrap();
        assert_eq!(query, "To=%2B12125550113&Status=in-progress&PageSize=1000");
        let pause = serde_urlencoded::to_string(RecordingChange::Pause.form()).unwrap();
        assert_eq!(pause, "Status=paused&PauseBehavior=silence");
    }
}
