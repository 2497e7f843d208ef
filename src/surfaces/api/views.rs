//! What the API shows of a call. Numbers are masked unless the caller may read them.

use serde::Serialize;
use serde_json::{Value, json};

use crate::domain::decision::Outcome;
use crate::domain::event::{JournalEntry, StreamCounters};
use crate::domain::{Call, CallEvent, Decision, DecisionId, Party};

/// Whether numbers are shown in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    Full,
    Masked,
}

impl Numbers {
    pub fn show(self, party: &Party) -> String {
        match self {
            Self::Full => party.as_str().to_owned(),
            Self::Masked => party.masked(),
        }
    }
}

/// A call as JSON.
pub fn call(call: &Call, numbers: Numbers) -> Value {
    let duration_s =
        call.answered_at.map(|from| call.ended_at.unwrap_or(call.updated_at).duration_since(from).as_secs());
    json!({
        "id": call.id,
        "call_sid": call.call_sid,
        "direction": call.direction,
        "from": numbers.show(&call.from),
        "to": numbers.show(&call.to),
        "agent": call.agent,
        "purpose": call.purpose,
        "state": call.state,
        "carrier_status": call.carrier_status,
        "disposition": call.disposition,
        "decision_id": call.decision_id,
        "lead_id": call.lead_id,
        "answered_by": call.answered_by,
        "conversation_id": call.conversation_id,
        "dynamic_variables": call.dynamic_variables,
        "recordings": call.recordings,
        "summary": call.summary,
        "counters": call.counters,
        "created_at": call.created_at,
        "answered_at": call.answered_at,
        "ended_at": call.ended_at,
        "updated_at": call.updated_at,
        "duration_s": duration_s,
    })
}

/// A journal entry as JSON.
pub fn entry(entry: &JournalEntry, numbers: Numbers) -> Value {
    let mut event = serde_json::to_value(&entry.event).expect("events serialise");
    if let (Numbers::Masked, CallEvent::Created(created)) = (numbers, &entry.event) {
        event["from"] = created.from.masked().into();
        event["to"] = created.to.masked().into();
    }
    json!({ "seq": entry.seq, "call_id": entry.call_id, "at": entry.at, "event": event })
}

/// One line of a transcript.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TranscriptLine {
    pub seq: i64,
    pub at: jiff::Timestamp,
    pub role: &'static str,
    pub text: String,
    /// For the agent: whether all of it was played. What was not heard is not in `text`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<bool>,
}

/// What was said and heard. A line that the caller talked over holds only the part that was played.
pub fn transcript(entries: &[JournalEntry]) -> Vec<TranscriptLine> {
    let mut lines: Vec<(Option<u64>, TranscriptLine)> = Vec::new();
    for entry in entries {
        let line = |role, text: &str, interrupted| TranscriptLine {
            seq: entry.seq,
            at: entry.at,
            role,
            text: text.to_owned(),
            interrupted,
        };
        match &entry.event {
            CallEvent::CallerSaid { text } => lines.push((None, line("caller", text, None))),
            CallEvent::AgentSaid { turn, text } => lines.push((Some(*turn), line("agent", text, Some(false)))),
            CallEvent::BargeIn { turn, heard, .. } => {
                // Everything up to the interrupted turn is settled; later texts of the same turn were never heard.
                if let Some((_, said)) = lines.iter_mut().rev().find(|(of, _)| *of == Some(*turn)) {
                    said.text.clone_from(heard);
                    said.interrupted = Some(true);
                }
            }
            _ => {}
        }
    }
    lines.into_iter().map(|(_, line)| line).filter(|line| !line.text.is_empty()).collect()
}

/// What the relay took from reading a frame to having written it, for a person.
pub fn latency_text(counters: &StreamCounters) -> String {
    format!("added by Clearline: {} µs at the median, {} µs at p99", counters.relay_p50_us, counters.relay_p99_us)
}

/// A decision of the gate as JSON, with the id it has in the ledger. The words are those of `check --jsonl`: `decision`,
/// `reason_code`, `reasons`, `next_permissible_at`; here the reasons carry their law and a sentence each.
pub fn decision(id: DecisionId, decision: &Decision) -> Value {
    let mut value = serde_json::to_value(decision).expect("decisions serialise");
    let outcome = value.as_object_mut().and_then(|fields| fields.remove("outcome")).unwrap_or_default();
    if let (Some(fields), Value::Object(outcome)) = (value.as_object_mut(), outcome) {
        fields.extend(outcome);
        fields.remove("code");
    }
    value["reason_code"] = match &decision.outcome {
        Outcome::Allow { code } => json!(code),
        Outcome::Deny { reasons, .. } => json!(reasons.first().map(|reason| reason.code)),
    };
    value["decision_id"] = id.to_string().into();
    value
}
