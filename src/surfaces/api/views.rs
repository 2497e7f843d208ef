//! What the API shows of a call. Numbers are masked unless the caller may read them.

use serde_json::{Value, json};

use crate::domain::decision::Outcome;
use crate::domain::event::{JournalEntry, StreamCounters};
use crate::domain::transcript::{self, TranscriptLine};
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

    /// The same for texts and values that may hold numbers: what was said, variables, the arguments of tools.
    pub fn show_all(self, value: Value) -> Value {
        match (self, value) {
            (Self::Masked, Value::String(text)) => mask_numbers(&text).into(),
            (Self::Masked, Value::Number(number)) if number.as_u64().is_some_and(|n| n >= 1_000_000_000) => {
                mask_numbers(&number.to_string()).into()
            }
            (Self::Masked, Value::Array(items)) => items.into_iter().map(|item| self.show_all(item)).collect(),
            (Self::Masked, Value::Object(members)) => {
                members.into_iter().map(|(name, value)| (name, self.show_all(value))).collect()
            }
            (_, value) => value,
        }
    }
}

/// Masks what reads like a telephone number: ten to fifteen digits, with or without + and separators, that are no part of a word.
fn mask_numbers(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        if first == ' ' {
            let (spaces, others) = rest.split_at(rest.len() - rest.trim_start_matches(' ').len());
            masked.push_str(spaces);
            (before, rest) = (' ', others);
            continue;
        }
        let run = &rest[..rest.find(|c: char| !is_of_number(c)).unwrap_or(rest.len())];
        let run = run.trim_end_matches(|c: char| !c.is_ascii_digit());
        let digits: String = run.chars().filter(char::is_ascii_digit).collect();
        let after = rest[run.len()..].chars().next().unwrap_or(' ');
        let is_encoded = masked.ends_with("%2B") || masked.ends_with("%2b");
        let stands_alone = (is_encoded || !before.is_alphanumeric()) && !after.is_alphanumeric();
        if stands_alone && (10..=15).contains(&digits.len()) {
            masked.push_str(&Party::from(format!("+{digits}")).masked());
            (before, rest) = ('0', &rest[run.len()..]);
        } else if stands_alone
            && digits.len() > 15
            && let Some(numbers) = numbers_in_a_row(run)
        {
            masked.push_str(&numbers.iter().map(|number| mask_numbers(number)).collect::<String>());
            (before, rest) = ('0', &rest[run.len()..]);
        } else {
            // A whole run of digits at a time, so that no tail of a longer one is taken for a number.
            let taken = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()).max(first.len_utf8());
            masked.push_str(&rest[..taken]);
            before = rest[..taken].chars().next_back().unwrap_or(first);
            rest = &rest[taken..];
        }
    }
    masked
}

/// Parts digits that are too many for one number, at spaces: after ten (or eleven that begin with a 1), and between dates. None where
/// nothing parts them; every part is shorter than the whole.
fn numbers_in_a_row(run: &str) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let (mut begin, mut digits, mut first) = (0, 0, None);
    let mut at = 0;
    for word in run.split_inclusive(' ') {
        let own = word.chars().filter(char::is_ascii_digit).count();
        let is_whole = digits >= 10 + usize::from(first == Some('1'));
        if own > 0 && (is_whole || (digits >= 8 && own >= 8)) {
            parts.push(&run[begin..at]);
            (begin, digits, first) = (at, 0, None);
        }
        digits += own;
        first = first.or_else(|| word.chars().find(char::is_ascii_digit));
        at += word.len();
    }
    parts.push(&run[begin..]);
    (parts.len() > 1).then_some(parts)
}

fn is_of_number(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | ' ' | '(' | ')')
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
        "ending_as": call.ending_as,
        "decision_id": call.decision_id,
        "lead_id": call.lead_id,
        "answered_by": call.answered_by,
        "conversation_id": call.conversation_id,
        "at_vendor": call.is_at_vendor(),
        "dynamic_variables": numbers.show_all(json!(call.dynamic_variables)),
        "recordings": call.recordings,
        "summary": numbers.show_all(json!(call.summary)),
        "counters": call.counters,
        "transfer": call.transfer.as_ref().map(|transfer| json!({
            "to": numbers.show(&transfer.to.to),
            "name": transfer.to.name,
            "is_connected": transfer.is_connected,
        })),
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
    if may_hold_numbers(&entry.event) {
        event = numbers.show_all(event);
    }
    if let (Numbers::Masked, CallEvent::Created(created)) = (numbers, &entry.event) {
        event["from"] = created.from.masked().into();
        event["to"] = created.to.masked().into();
    }
    json!({ "seq": entry.seq, "call_id": entry.call_id, "at": entry.at, "event": event })
}

/// Events with texts from outside. The others hold ids, times and counts, which must stay as they are.
fn may_hold_numbers(event: &CallEvent) -> bool {
    matches!(
        event,
        CallEvent::Created(_)
            | CallEvent::CarrierRefused { .. }
            | CallEvent::CarrierUncertain { .. }
            | CallEvent::AgentLost { .. }
            | CallEvent::CallerSaid { .. }
            | CallEvent::CallerSaying { .. }
            | CallEvent::AgentSaid { .. }
            | CallEvent::AgentCorrected { .. }
            | CallEvent::BargeIn { .. }
            | CallEvent::KeysCollected { .. }
            | CallEvent::AgentMessaged { .. }
            | CallEvent::TurnWithheld { .. }
            | CallEvent::HouseSpoke { .. }
            | CallEvent::MachinePlanned { .. }
            | CallEvent::MessageLeft { .. }
            | CallEvent::TransferStarted(_)
            | CallEvent::KeysSent { .. }
            | CallEvent::ToolCalled { .. }
            | CallEvent::OptedOut { .. }
            | CallEvent::ConversationAnalysed { .. }
            | CallEvent::Ended { .. }
    )
}

/// What was said and heard, see [`transcript::lines`].
pub fn transcript(entries: &[JournalEntry], numbers: Numbers) -> Vec<TranscriptLine> {
    let lines = transcript::lines(entries).into_iter();
    match numbers {
        Numbers::Full => lines.collect(),
        Numbers::Masked => lines.map(|line| TranscriptLine { text: mask_numbers(&line.text), ..line }).collect(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_like_a_number_is_masked_wherever_it_stands() {
        for (text, wanted) in [
            ("+12125550113", "+1212•••0113"),
            ("call +1 (212) 555-0113, please", "call +1212•••0113, please"),
            ("on 2026-12-01T14:00:00Z", "on 2026-12-01T14:00:00Z"),
            ("call_00000000000000000000000000000007", "call_00000000000000000000000000000007"),
            ("in 15 minutes, room 12", "in 15 minutes, room 12"),
            ("éé 12345678901234567890", "éé 12345678901234567890"),
            ("2125550113 2125550114", "+212•••0113 +212•••0114"),
            ("212-555-0113. 646-555-0114 or 1 212 555 0115", "+212•••0113. +646•••0114 or +1212•••0115"),
            ("212 555 0113 646 555 0114", "+212•••0113 +646•••0114"),
            ("from 2026-11-21 - 2026-11-28", "from 2026-11-21 - 2026-11-28"),
            ("2026-11-21 2026-11-28", "2026-11-21 2026-11-28"),
            ("room 5 12345678901234567890", "room 5 12345678901234567890"),
            ("open 10 - 12345678901234567", "open 10 - 12345678901234567"),
            ("on 2026-11-21 12125550113", "on 2026-11-21 +1212•••0113"),
            ("+65 81234567 +65 87654321", "+658•••4567 +658•••4321"),
            ("2125550113 +65 81234567", "+212•••0113 +658•••4567"),
            ("2125550113 +49 30 12345678", "+212•••0113 +4930•••5678"),
            ("https://example.com/?phone=%2B12125550113&x=1", "https://example.com/?phone=%2B+1212•••0113&x=1"),
        ] {
            assert_eq!(mask_numbers(text), wanted);
        }
        assert!(!mask_numbers("212.555.0113").contains("5550113") && !mask_numbers("2125550113").contains("555"));
        let value = json!({"phone": 12_125_550_113_u64, "list": ["+12125550113"], "turn": 3});
        let shown = Numbers::Masked.show_all(value.clone());
        assert_eq!(shown, json!({"phone": "+1212•••0113", "list": ["+1212•••0113"], "turn": 3}));
        assert_eq!(Numbers::Full.show_all(value.clone()), value);
    }
}
