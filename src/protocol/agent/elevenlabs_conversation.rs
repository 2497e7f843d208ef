//! A conversation as `ElevenLabs` recorded it: what `GET /v1/convai/conversations/{id}` answers and what the
//! `post_call_transcription` webhook brings.
//!
//! The vendor's object is large and grows; read is what we keep, and almost nothing of it is required.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::domain::ids::{CallId, ConversationId};

/// One conversation of an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct ConversationRecord {
    pub conversation_id: ConversationId,
    /// The vendor's id of the agent.
    pub agent_id: String,
    pub status: ConversationStatus,
    pub started_at: Option<Timestamp>,
    pub duration: Option<Duration>,
    /// Why it ended, in the vendor's words.
    pub termination_reason: Option<String>,
    /// The error that it ended with, in the vendor's words.
    pub error: Option<String>,
    pub transcript: Vec<TranscriptLine>,
    /// The verdict of the vendor's analysis: `success`, `failure`, `unknown`.
    pub call_successful: Option<String>,
    pub summary: Option<String>,
    /// The variables that the conversation started with, ours among them.
    pub dynamic_variables: BTreeMap<String, Value>,
    pub has_audio: bool,
}

/// How far the vendor is with it. A transcript is complete only when `Done`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConversationStatus {
    Initiated,
    InProgress,
    Processing,
    Done,
    Failed,
    /// A word that this version does not know.
    Unknown,
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TranscriptLine {
    pub speaker: Speaker,
    pub text: String,
    /// Since the start of the conversation, to the second.
    pub at: Duration,
    /// The caller talked over it; `text` is what was heard of it.
    pub interrupted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    Caller,
    Agent,
}

impl ConversationRecord {
    /// Reads the vendor's JSON object.
    pub fn parse(json: &[u8]) -> Result<Self, ConversationError> {
        serde_json::from_slice::<Wire>(json).map(Self::from).map_err(ConversationError::new)
    }

    pub(super) fn from_value(json: Value) -> Result<Self, ConversationError> {
        serde_json::from_value::<Wire>(json).map(Self::from).map_err(ConversationError::new)
    }

    /// The call that this was, where the conversation was started by us.
    pub fn call_id(&self) -> Option<CallId> {
        self.dynamic_variables.get("call_id")?.as_str()?.parse().ok()
    }
}

/// The JSON is not a conversation. Does not repeat what it holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a conversation of ElevenLabs: wrong or missing at line {line}, column {column}")]
pub struct ConversationError {
    line: usize,
    column: usize,
}

impl ConversationError {
    fn new(error: serde_json::Error) -> Self {
        Self { line: error.line(), column: error.column() }
    }
}

#[derive(Deserialize)]
struct Wire {
    conversation_id: String,
    agent_id: String,
    status: Option<String>,
    transcript: Option<Vec<WireLine>>,
    metadata: Option<WireMetadata>,
    analysis: Option<WireAnalysis>,
    conversation_initiation_client_data: Option<WireInitiation>,
    has_audio: Option<bool>,
}

#[derive(Deserialize)]
struct WireLine {
    role: Option<String>,
    message: Option<String>,
    time_in_call_secs: Option<f64>,
    interrupted: Option<bool>,
}

#[derive(Default, Deserialize)]
struct WireMetadata {
    start_time_unix_secs: Option<i64>,
    call_duration_secs: Option<f64>,
    termination_reason: Option<String>,
    error: Option<WireError>,
}

#[derive(Deserialize)]
struct WireError {
    code: Option<Value>,
    reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct WireAnalysis {
    call_successful: Option<String>,
    transcript_summary: Option<String>,
}

#[derive(Deserialize)]
struct WireInitiation {
    dynamic_variables: Option<BTreeMap<String, Value>>,
}

impl From<Wire> for ConversationRecord {
    fn from(wire: Wire) -> Self {
        let metadata = wire.metadata.unwrap_or_default();
        let analysis = wire.analysis.unwrap_or_default();
        Self {
            conversation_id: ConversationId::new(wire.conversation_id),
            agent_id: wire.agent_id,
            status: status(wire.status.as_deref()),
            started_at: metadata.start_time_unix_secs.and_then(|seconds| Timestamp::from_second(seconds).ok()),
            duration: metadata.call_duration_secs.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            termination_reason: metadata.termination_reason.filter(|reason| !reason.is_empty()),
            error: metadata.error.and_then(|error| error.reason.or_else(|| Some(error.code?.to_string()))),
            transcript: wire.transcript.unwrap_or_default().into_iter().filter_map(line).collect(),
            call_successful: analysis.call_successful,
            summary: analysis.transcript_summary.filter(|summary| !summary.is_empty()),
            dynamic_variables: wire
                .conversation_initiation_client_data
                .and_then(|data| data.dynamic_variables)
                .unwrap_or_default(),
            has_audio: wire.has_audio.unwrap_or(false),
        }
    }
}

fn status(word: Option<&str>) -> ConversationStatus {
    match word {
        Some("initiated") => ConversationStatus::Initiated,
        Some("in-progress") => ConversationStatus::InProgress,
        Some("processing") => ConversationStatus::Processing,
        Some("done") => ConversationStatus::Done,
        Some("failed") => ConversationStatus::Failed,
        _ => ConversationStatus::Unknown,
    }
}

/// Lines without words (tool calls have some) are not part of what was said.
fn line(wire: WireLine) -> Option<TranscriptLine> {
    let speaker = match wire.role?.as_str() {
        "user" => Speaker::Caller,
        "agent" => Speaker::Agent,
        _ => return None,
    };
    Some(TranscriptLine {
        speaker,
        text: wire.message.filter(|text| !text.is_empty())?,
        at: wire.time_in_call_secs.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or_default(),
        interrupted: wire.interrupted.unwrap_or(false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONVERSATION: &[u8] =
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/elevenlabs/rest/conversation.json"));

    #[test]
    fn a_finished_conversation_is_read() {
        let record = ConversationRecord::parse(CONVERSATION).unwrap();
        let said = |speaker, text: &str, at, interrupted| TranscriptLine {
            speaker,
            text: text.to_owned(),
            at: Duration::from_secs(at),
            interrupted,
        };
        let transcript = vec![
            said(Speaker::Agent, "Hello, this is Ada...", 0, true),
            said(Speaker::Caller, "When is my appointment?", 2, false),
            said(Speaker::Agent, "Tomorrow at three. Goodbye!", 7, false),
        ];
        assert_eq!(record.call_id(), Some("call_00000000000000000000000000000007".parse().unwrap()));
        let expected = ConversationRecord {
            conversation_id: ConversationId::new("conv_fixture_1"),
            agent_id: "agent_fixture".to_owned(),
            status: ConversationStatus::Done,
            started_at: Some("2026-05-04T10:00:00Z".parse().unwrap()),
            duration: Some(Duration::from_secs(14)),
            termination_reason: Some("end_call tool was called".to_owned()),
            error: None,
            transcript,
            call_successful: Some("success".to_owned()),
            summary: Some("The caller asked for the time of an appointment.".to_owned()),
            dynamic_variables: record.dynamic_variables.clone(),
            has_audio: true,
        };
        assert_eq!(record, expected);
    }

    #[test]
    fn two_ids_are_enough() {
        let record = ConversationRecord::parse(br#"{"conversation_id":"c","agent_id":"a","transcript":null}"#).unwrap();
        assert_eq!((record.status, record.call_id()), (ConversationStatus::Unknown, None));
    }

    #[test]
    fn a_broken_one_is_not_repeated_in_the_error() {
        let error = ConversationRecord::parse(br#"{"conversation_id":{"+12125550113":1}}"#).unwrap_err();
        assert!(!error.to_string().contains("555"), "{error}");
    }
}
