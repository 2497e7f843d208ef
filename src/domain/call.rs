//! `Call`: the record of one telephone call, as the fold over its events, and the states it goes through.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::{Actor, CallEvent, Created, OnMachine, StreamCounters, TransferStarted};
use super::ids::{AgentRef, CallId, CallSid, ConversationId, DecisionId, LeadId, RecordingSid};
use super::{Disposition, Party, Purpose};

/// Which way a call goes, from our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Inbound,
    Outbound,
}

/// Where a call is. Only ever moves to the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// Waiting for the gate or for a slot.
    Queued,
    Dialing,
    Ringing,
    InProgress,
    Ended,
}

impl CallState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Dialing => "dialing",
            Self::Ringing => "ringing",
            Self::InProgress => "in_progress",
            Self::Ended => "ended",
        }
    }
}

/// Twilio's words for a call's progress, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallStatus {
    Queued,
    Initiated,
    Ringing,
    InProgress,
    Completed,
    Busy,
    Failed,
    NoAnswer,
    Canceled,
}

impl CallStatus {
    /// `queued` 0, `initiated` 1, `ringing` 2, `in-progress` 3, every terminal status 4.
    pub fn rank(self) -> u8 {
        match self {
            Self::Queued => 0,
            Self::Initiated => 1,
            Self::Ringing => 2,
            Self::InProgress => 3,
            Self::Completed | Self::Busy | Self::Failed | Self::NoAnswer | Self::Canceled => 4,
        }
    }

    pub fn is_terminal(self) -> bool {
        self.rank() == 4
    }
}

/// Who or what picked up, in Twilio's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnsweredBy {
    Human,
    MachineStart,
    MachineEndBeep,
    MachineEndSilence,
    MachineEndOther,
    Fax,
    #[serde(other)]
    Unknown,
}

impl AnsweredBy {
    /// `unknown` counts as a person: better a few words to a machine than silence to a human.
    pub fn is_machine(self) -> bool {
        !matches!(self, Self::Human | Self::Unknown)
    }
}

/// The record of one call. Made by [`Call::new`] from its first event and kept by [`Call::apply`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    pub id: CallId,
    pub direction: Direction,
    pub from: Party,
    pub to: Party,
    pub agent: AgentRef,
    pub purpose: Option<Purpose>,
    pub lead_id: Option<LeadId>,
    pub dynamic_variables: BTreeMap<String, serde_json::Value>,
    /// None in records of versions that did not keep it.
    #[serde(default)]
    pub requested_by: Option<Actor>,
    pub state: CallState,
    /// Twilio's own status, the furthest one reported.
    pub carrier_status: Option<CallStatus>,
    pub call_sid: Option<CallSid>,
    pub decision_id: Option<DecisionId>,
    pub answered_by: Option<AnsweredBy>,
    /// None: what the settings say.
    #[serde(default)]
    pub on_machine: Option<OnMachine>,
    pub conversation_id: Option<ConversationId>,
    /// Whether the audio was sent to the agent's vendor last; see [`Call::is_at_vendor`].
    #[serde(default)]
    pub at_vendor: bool,
    pub disposition: Option<Disposition>,
    /// Set once somebody asked for the end; the disposition that the end will then have.
    pub ending_as: Option<Disposition>,
    pub recordings: Vec<Recording>,
    pub summary: Option<String>,
    pub counters: StreamCounters,
    /// Where the call is on its way to, or has gone.
    #[serde(default)]
    pub transfer: Option<Transfer>,
    /// Who muted the agent, or put the call on hold, and has not undone it: a stream that takes a broken one's place begins so.
    #[serde(default)]
    pub muted_by: Option<Actor>,
    #[serde(default)]
    pub held_by: Option<Actor>,
    /// Streams that started and have not ended; 0 or 1 in practice.
    pub open_streams: u32,
    pub streams: u32,
    /// Something that an agent said was heard to its end.
    #[serde(default)]
    pub agent_was_heard: bool,
    pub created_at: Timestamp,
    pub answered_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub updated_at: Timestamp,
}

/// A transfer that has not failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    #[serde(flatten)]
    pub to: TransferStarted,
    pub is_connected: bool,
}

/// A recording that the carrier keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    pub sid: RecordingSid,
    pub url: String,
    pub status: String,
    pub duration_s: Option<u32>,
}

impl Call {
    pub fn new(id: CallId, at: Timestamp, created: &Created) -> Self {
        Self {
            id,
            direction: created.direction,
            from: created.from.clone(),
            to: created.to.clone(),
            agent: created.agent.clone(),
            purpose: created.purpose,
            lead_id: created.lead_id,
            dynamic_variables: created.dynamic_variables.clone(),
            requested_by: Some(created.requested_by.clone()),
            state: CallState::Queued,
            carrier_status: None,
            call_sid: None,
            decision_id: None,
            answered_by: None,
            on_machine: None,
            conversation_id: None,
            at_vendor: false,
            disposition: None,
            ending_as: None,
            recordings: Vec::new(),
            summary: None,
            counters: StreamCounters::default(),
            transfer: None,
            muted_by: None,
            held_by: None,
            open_streams: 0,
            streams: 0,
            agent_was_heard: false,
            created_at: at,
            answered_at: None,
            ended_at: None,
            updated_at: at,
        }
    }

    /// Takes one more event into the record. Total: duplicates and disorder change nothing that is already settled.
    pub fn apply(&mut self, at: Timestamp, event: &CallEvent) {
        self.updated_at = self.updated_at.max(at);
        match event {
            CallEvent::Decided { decision_id, .. } => self.decision_id = Some(*decision_id),
            CallEvent::Dialing { .. } => self.advance(CallState::Dialing, at),
            CallEvent::CarrierAccepted { call_sid } => {
                self.call_sid.get_or_insert_with(|| call_sid.clone());
                self.advance(CallState::Dialing, at);
            }
            CallEvent::CarrierStatus { status, .. } => self.apply_status(*status, at),
            CallEvent::AnsweredBy { answered_by, .. } => {
                self.answered_by.get_or_insert(*answered_by);
            }
            CallEvent::MachinePlanned { plan } => {
                self.on_machine.get_or_insert_with(|| plan.clone());
            }
            CallEvent::StreamStarted { .. } => {
                self.open_streams += 1;
                self.streams += 1;
                self.at_vendor = false;
                self.advance(CallState::InProgress, at);
            }
            CallEvent::HandedOver { conversation_id } => self.hand_over(at, conversation_id),
            CallEvent::AgentReplaced { by } => self.agent = by.clone(),
            CallEvent::AgentConnected { conversation_id, .. } => self.conversation_id = Some(conversation_id.clone()),
            CallEvent::RecordingStored { recording_sid, url, status, duration_s, .. } => {
                self.recordings.retain(|kept| kept.sid != *recording_sid);
                self.recordings.push(Recording {
                    sid: recording_sid.clone(),
                    url: url.clone(),
                    status: status.clone(),
                    duration_s: *duration_s,
                });
            }
            CallEvent::TurnHeard { .. } => self.agent_was_heard = true,
            CallEvent::ConversationAnalysed { summary, .. } => self.summary.clone_from(summary),
            CallEvent::StreamEnded { counters, .. } => {
                self.open_streams = self.open_streams.saturating_sub(1);
                self.counters.add(counters);
            }
            CallEvent::HangUpRequested { disposition, .. } => {
                self.ending_as.get_or_insert(*disposition);
            }
            CallEvent::Ended { disposition, .. } => {
                self.disposition.get_or_insert(*disposition);
                self.ended_at.get_or_insert(at);
                self.advance(CallState::Ended, at);
            }
            CallEvent::AgentMuted { by } => self.muted_by = Some(by.clone()),
            CallEvent::AgentUnmuted { .. } => self.muted_by = None,
            CallEvent::Held { by } => self.held_by = Some(by.clone()),
            CallEvent::Resumed { .. } => self.held_by = None,
            CallEvent::TransferStarted(to) => self.begin_transfer(to),
            CallEvent::TransferConnected => {
                if let Some(transfer) = &mut self.transfer {
                    transfer.is_connected = true;
                }
                self.ending_as.get_or_insert(Disposition::Transferred);
            }
            CallEvent::TransferFailed { .. } => self.transfer = None,
            // What happens within a conversation and at the carrier stays in the journal alone.
            _ => {}
        }
    }

    fn hand_over(&mut self, at: Timestamp, conversation_id: &ConversationId) {
        if self.is_ended() {
            return;
        }
        self.conversation_id = Some(conversation_id.clone());
        self.at_vendor = true;
        // There is neither at the vendor's.
        (self.muted_by, self.held_by) = (None, None);
        self.advance(CallState::InProgress, at);
    }

    fn begin_transfer(&mut self, to: &TransferStarted) {
        self.transfer = Some(Transfer { to: to.clone(), is_connected: false });
        // If nobody takes it the caller comes back to an agent, who is to speak.
        (self.muted_by, self.held_by) = (None, None);
    }

    /// Whether the audio is at the agent's vendor, so that it does not pass through us.
    pub fn is_at_vendor(&self) -> bool {
        self.at_vendor && self.transfer.is_none() && !self.is_ended()
    }

    pub fn is_ended(&self) -> bool {
        self.state == CallState::Ended
    }

    /// The first terminal status wins, and a status never goes back.
    fn apply_status(&mut self, status: CallStatus, at: Timestamp) {
        if self.carrier_status.is_some_and(|known| known.rank() >= status.rank()) {
            return;
        }
        self.carrier_status = Some(status);
        match status {
            CallStatus::Queued | CallStatus::Initiated => self.advance(CallState::Dialing, at),
            CallStatus::Ringing => self.advance(CallState::Ringing, at),
            CallStatus::InProgress => self.advance(CallState::InProgress, at),
            // The end is an event of its own: it needs a disposition.
            CallStatus::Completed
            | CallStatus::Busy
            | CallStatus::Failed
            | CallStatus::NoAnswer
            | CallStatus::Canceled => {}
        }
    }

    fn advance(&mut self, state: CallState, at: Timestamp) {
        if state > self.state {
            self.state = state;
            if state == CallState::InProgress {
                self.answered_at = Some(at);
            }
        }
    }
}

impl StreamCounters {
    fn add(&mut self, more: &Self) {
        self.caller_bytes += more.caller_bytes;
        self.agent_bytes += more.agent_bytes;
        self.caller_dropped_bytes += more.caller_dropped_bytes;
        self.agent_void_bytes += more.agent_void_bytes;
        self.agent_withheld_bytes += more.agent_withheld_bytes;
        self.own_bytes += more.own_bytes;
        self.operator_dropped_bytes += more.operator_dropped_bytes;
        self.heard_ms += more.heard_ms;
        self.barge_ins += more.barge_ins;
        self.unknown_messages += more.unknown_messages;
        self.malformed_messages += more.malformed_messages;
        // Of several streams the worst one tells.
        self.relay_p50_us = self.relay_p50_us.max(more.relay_p50_us);
        self.relay_p99_us = self.relay_p99_us.max(more.relay_p99_us);
    }
}
