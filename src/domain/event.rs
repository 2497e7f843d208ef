//! `CallEvent`: everything that can happen to a call, in the past tense. The journal keeps them, a `Call` is their fold.
//!
//! Their JSON is a published schema: events are serialised here and nowhere else. They hold full numbers; surfaces mask them.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::audio::AudioFormat;
use super::call::{AnsweredBy, CallStatus, Direction};
use super::consent::OptOutChannel;
use super::decision::{Purpose, ReasonCode};
use super::ids::{AgentRef, AttemptId, CallId, CallSid, ConversationId, DecisionId, LeadId, RecordingSid, StreamSid};
use super::turn_timed::TurnTimed;
use super::{Disposition, Party};

/// An event with its place in the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Place in the whole journal; 0 for what is only shown live and never kept.
    pub seq: i64,
    pub call_id: CallId,
    pub at: Timestamp,
    pub event: CallEvent,
}

/// Something that happened to a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum CallEvent {
    Created(Created),
    /// The gate answered.
    Decided {
        decision_id: DecisionId,
        allowed: bool,
        reasons: Vec<ReasonCode>,
    },
    /// The call waits for a free slot of the account's calls per second.
    Queued {
        expires_at: Timestamp,
    },
    /// An attempt is about to leave. Durable before the request.
    Dialing {
        attempt_id: AttemptId,
    },
    /// The carrier took the attempt (or an inbound call came) under this id.
    CarrierAccepted {
        call_sid: CallSid,
    },
    /// The carrier refused the attempt for good.
    CarrierRefused {
        code: Option<u32>,
        message: String,
    },
    /// Nobody knows whether the attempt left. It is reconciled, never repeated.
    CarrierUncertain {
        message: String,
    },
    /// The carrier reported progress.
    CarrierStatus {
        status: CallStatus,
        #[serde(skip_serializing_if = "Option::is_none")]
        sequence: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        sip_code: Option<u16>,
        #[serde(skip_serializing_if = "Option::is_none")]
        duration_s: Option<u32>,
    },
    /// Answering-machine detection came to a result.
    AnsweredBy {
        answered_by: AnsweredBy,
        detection_ms: Option<u32>,
    },
    /// What is to be done if a machine picks up.
    MachinePlanned {
        plan: OnMachine,
    },
    /// A message is left on a machine.
    MessageLeft {
        text: String,
    },
    /// No message may be left; the call ends without one.
    MessageWithheld {
        reason: String,
    },
    StreamStarted {
        stream_sid: StreamSid,
    },
    AgentConnected {
        conversation_id: ConversationId,
        caller_audio: AudioFormat,
        agent_audio: AudioFormat,
        /// Whether the socket had been opened before the stream started.
        warmed: bool,
        /// From the stream's start to the agent's first message, ms.
        ready_ms: u32,
    },
    /// A connection to the agent broke, was refused, or was given up; `will_retry` says whether the same agent is tried again.
    AgentLost {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentRef>,
        reason: String,
        will_retry: bool,
    },
    /// The next agent of the call's list takes the place of the one that was lost.
    AgentReplaced {
        by: AgentRef,
    },
    /// The call's audio goes to the agent's vendor, not through us: what the two say comes from the vendor.
    HandedOver {
        conversation_id: ConversationId,
    },
    CallerSaid {
        text: String,
    },
    /// Live only: what the caller may be saying.
    CallerSaying {
        text: String,
    },
    /// What the agent set out to say.
    AgentSaid {
        turn: u64,
        text: String,
    },
    /// What the vendor believes was heard of an interrupted turn.
    AgentCorrected {
        turn: u64,
        text: String,
    },
    /// The caller talked over the agent. `heard_ms` of `sent_ms` were played; `heard` is that part of the text.
    BargeIn {
        turn: u64,
        heard_ms: u32,
        sent_ms: u32,
        heard: String,
    },
    /// The caller began to hear a turn, or it was lost before the carrier told so.
    TurnTimed(TurnTimed),
    /// A turn was played to its end.
    TurnHeard {
        turn: u64,
        heard_ms: u32,
    },
    DtmfReceived {
        digit: char,
    },
    /// Keys that the caller pressed one after the other, as the agent was told of them.
    KeysCollected {
        keys: String,
    },
    /// Somebody told the agent something, or spoke to it in the caller's place.
    AgentMessaged {
        by: Actor,
        kind: MessageKind,
        text: String,
    },
    /// The caller hears nothing of the agent, from now on.
    AgentMuted {
        by: Actor,
    },
    /// The caller hears again what the agent says from now on.
    AgentUnmuted {
        by: Actor,
    },
    /// The caller heard only this much of a turn, or nothing: the agent was muted, the call on hold or taken over.
    TurnWithheld {
        turn: u64,
        heard_ms: u32,
        heard: String,
    },
    /// Our own voice speaks to the caller. What of it was heard comes as `OwnAudioHeard`.
    HouseSpoke {
        utterance: u32,
        by: Actor,
        text: String,
    },
    /// Key tones go to the other side, in the voice band (ITU-T Q.23).
    KeysSent {
        utterance: u32,
        by: Actor,
        keys: String,
    },
    /// An utterance of ours was played: all of it, or as much as was played before it was cut off.
    OwnAudioHeard {
        utterance: u32,
        heard_ms: u32,
        sent_ms: u32,
    },
    /// The caller waits and hears the hold tone; the agent hears silence.
    Held {
        by: Actor,
    },
    Resumed {
        by: Actor,
    },
    /// An operator speaks with the caller in the agent's place.
    TakenOver {
        by: Actor,
    },
    HandedBack {
        by: Actor,
    },
    /// The call is on its way to somebody else: the carrier rings them. The conversation with the agent is over, or paused.
    TransferStarted(TransferStarted),
    /// The gate said no to ringing that number. The conversation goes on.
    TransferBlocked {
        decision_id: DecisionId,
        reasons: Vec<ReasonCode>,
    },
    /// The other one took the call.
    TransferConnected,
    /// Nobody took it: the caller comes back to the agent.
    TransferFailed {
        reason: TransferFailure,
    },
    /// The agent was told that the longest time of a call is nearly over.
    EndWarned {
        remaining_s: u32,
    },
    ToolCalled {
        tool_call_id: String,
        name: String,
        arguments: serde_json::Value,
    },
    /// The tool is one of an attached server's, which was sent the arguments.
    ToolSent {
        tool_call_id: String,
        /// The server by its name in the settings, and the tool by its name there.
        server: String,
        tool: String,
    },
    ToolAnswered {
        tool_call_id: String,
        name: String,
        is_error: bool,
        elapsed_ms: u32,
    },
    OptedOut {
        channel: OptOutChannel,
        words: String,
    },
    /// Somebody started, paused, resumed or stopped the recording at the carrier. `announced`: the other party was told first.
    RecordingSteered {
        by: Actor,
        step: RecordingStep,
        announced: bool,
    },
    RecordingStored {
        recording_sid: RecordingSid,
        url: String,
        status: String,
        duration_s: Option<u32>,
        channels: Option<u8>,
    },
    /// The agent vendor's analysis after the call.
    ConversationAnalysed {
        conversation_id: ConversationId,
        summary: Option<String>,
        successful: Option<String>,
    },
    /// The media stream ended; exactly one for every `StreamStarted`.
    StreamEnded {
        stream_sid: StreamSid,
        cause: StreamEnd,
        counters: StreamCounters,
    },
    /// The server came back and the carrier still holds the call: it waits for the resume webhook.
    ResumeAwaited {
        until: Timestamp,
    },
    /// We asked the carrier to end the call, and why.
    HangUpRequested {
        by: Actor,
        disposition: Disposition,
    },
    /// The end. Exactly one, and nothing that changes the record comes after it but late facts (recordings, analysis).
    Ended {
        disposition: Disposition,
        detail: String,
    },
}

/// How a call came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Created {
    pub direction: Direction,
    pub from: Party,
    pub to: Party,
    pub agent: AgentRef,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_id: Option<LeadId>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dynamic_variables: BTreeMap<String, serde_json::Value>,
    pub requested_by: Actor,
}

/// Who asked for something: the door it came through and the name behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    pub door: Door,
    /// The API key's name, the operator, the agent; never a secret.
    pub name: String,
}

impl Actor {
    pub fn new(door: Door, name: impl Into<String>) -> Self {
        Self { door, name: name.into() }
    }

    /// The API key whose limits count what is done: it was shown at a door that takes keys, a browser's included.
    pub fn key(&self) -> Option<&str> {
        matches!(self.door, Door::Api | Door::Mcp | Door::Console).then_some(self.name.as_str())
    }
}

impl fmt::Display for Actor {
    /// `operator (cli)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.door)
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A way into the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    Carrier,
    Agent,
    Api,
    Mcp,
    Cli,
    Console,
    Demo,
    /// Clearline itself: a watchdog, a shutdown, a restart.
    System,
}

impl Door {
    /// Every door. The integration tests show for each of them that nothing is dialled behind the gate's back.
    pub const ALL: [Self; 8] =
        [Self::Carrier, Self::Agent, Self::Api, Self::Mcp, Self::Cli, Self::Console, Self::Demo, Self::System];
}

/// What is done with a recording of a live call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingStep {
    Start,
    Pause,
    Resume,
    Stop,
}

/// What is done if a machine picks up a call of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum OnMachine {
    /// The agent talks to it.
    Release,
    HangUp,
    /// This is said after the beep, with all that the law wants said around it.
    Message {
        text: String,
    },
}

/// To whom a call is to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferStarted {
    pub by: Actor,
    pub to: Party,
    /// The name under which the operator's settings hold this number; none for an outside number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the other one hears before they take the call. None: they are connected at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub briefing: Option<String>,
    /// An outside number's clearance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision_id: Option<DecisionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_id: Option<AttemptId>,
}

/// Why nobody took a transferred call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferFailure {
    Busy,
    NoAnswer,
    /// They heard the briefing and did not take the call.
    Declined,
    Failed,
}

/// How an agent is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Something to know, without making it speak.
    Context,
    /// Answered as if the caller had said it.
    UserMessage,
}

/// Why a media stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamEnd {
    /// The carrier said `stop`: the far side hung up, or we asked the carrier to end or redirect the call.
    CarrierStop,
    /// The carrier's socket closed without `stop`.
    CarrierClosed,
    /// The carrier stopped reading, or broke the protocol.
    CarrierFault,
    /// The agent ended the conversation and its last words were played.
    AgentEnded,
    /// The agent could not be reached, broke off, or said nothing at all for too long.
    AgentFailed,
    /// No audio from the carrier for too long.
    Silence,
    MaxDuration,
    /// An operator, a tool or a shutdown ended it.
    HungUp,
    /// The journal could not take a life-cycle event.
    JournalFull,
    /// Our server stopped in the middle of it. Written by the next one, which does not know what the stream had carried by then.
    ServerLost,
}

impl StreamEnd {
    /// What a call ends as whose stream ended so. None where the carrier, or whoever asked for the end, says that.
    pub fn disposition(self) -> Option<Disposition> {
        match self {
            Self::AgentFailed => Some(Disposition::AgentFailed),
            Self::JournalFull | Self::CarrierFault | Self::Silence => Some(Disposition::Failed),
            Self::MaxDuration | Self::AgentEnded => Some(Disposition::Completed),
            Self::HungUp | Self::CarrierStop | Self::CarrierClosed | Self::ServerLost => None,
        }
    }
}

/// What one media stream carried. Bytes are µ-law bytes (8,000 a second).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamCounters {
    pub caller_bytes: u64,
    pub agent_bytes: u64,
    /// Caller audio dropped because the agent did not read fast enough, oldest first.
    pub caller_dropped_bytes: u64,
    /// Agent audio that came for a turn already interrupted.
    pub agent_void_bytes: u64,
    /// Agent audio that came while the agent was muted, the call on hold or taken over.
    #[serde(skip_serializing_if = "is_zero")]
    pub agent_withheld_bytes: u64,
    /// Audio of ours that the caller was sent: sentences, key tones, the hold tone, an operator's voice.
    #[serde(skip_serializing_if = "is_zero")]
    pub own_bytes: u64,
    /// An operator's voice that came faster than it could be played.
    #[serde(skip_serializing_if = "is_zero")]
    pub operator_dropped_bytes: u64,
    pub heard_ms: u64,
    pub barge_ins: u32,
    pub unknown_messages: u32,
    pub malformed_messages: u32,
    /// How long the relay took from waking with something to read to having written it, in µs: median and 99th percentile.
    pub relay_p50_us: u32,
    pub relay_p99_us: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference in")]
fn is_zero(bytes: &u64) -> bool {
    *bytes == 0
}

impl CallEvent {
    /// Whether this is only shown live and not kept.
    pub fn is_interim(&self) -> bool {
        matches!(self, Self::CallerSaying { .. })
    }
}
