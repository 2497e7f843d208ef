//! The parts of `evidence.json`. Its keys are documented in `docs/evidence.md`.

use serde_json::{Value, json};

use crate::app::{Bundle, Entry, PersonRecords};
use crate::store::{Attempt, OperatorAction};
use crate::surfaces::api::record_views;
use crate::surfaces::api::views::{self, Numbers};

/// The first keys of the document, as an object of their own.
pub(super) fn head(bundle: &Bundle) -> String {
    json!({
        "clearline_evidence": 1,
        "made_at": bundle.made_at,
        "made_by": bundle.made_by,
        "program": env!("CARGO_PKG_VERSION"),
        "scope": bundle.scope.as_json(),
        "ledger": {
            "head": bundle.head.to_string(),
            "count": bundle.head.count,
            "hash": bundle.head.hash,
            "unbroken": bundle.fault.is_none(),
            "fault": bundle.fault,
        },
    })
    .to_string()
}

pub(super) fn entry(entry: &Entry) -> Value {
    let recorded = &entry.recorded;
    let mut value = views::decision(recorded.id, &recorded.decision);
    value["seq"] = recorded.seq.into();
    value["recorded_at"] = json!(recorded.recorded_at);
    value["asked_by"] = json!(recorded.actor);
    value["intent"] = json!(recorded.intent);
    value["purpose"] = json!(recorded.purpose);
    value["voice"] = json!(recorded.voice);
    value["call_id"] = json!(recorded.call_id);
    value["number"] = json!(recorded.subject.as_ref().map(|subject| &subject.number));
    value["lead_id"] = json!(recorded.subject.as_ref().and_then(|subject| subject.lead_id));
    value["erased"] = recorded.subject.is_none().into();
    value["evidence"] = json!(recorded.subject.as_ref().map(|subject| &subject.facts));
    value["reservation"] = json!(entry.slot);
    value["attempt"] = entry.attempt.as_ref().map_or(Value::Null, attempt);
    value["call"] = entry.call.as_ref().map_or(Value::Null, |call| views::call(call, Numbers::Full));
    value["replay"] = entry.replay.to_string().into();
    value["prev_hash"] = recorded.prev_hash.as_str().into();
    value["hash"] = recorded.hash.as_str().into();
    value["hashed_line"] = recorded.hashed_line.as_str().into();
    value
}

fn attempt(attempt: &Attempt) -> Value {
    json!({
        "id": attempt.id,
        "call_id": attempt.call_id,
        "state": attempt.state,
        "call_sid": attempt.call_sid,
        "started_at": attempt.started_at,
        "settled_at": attempt.settled_at,
        "finished_at": attempt.finished_at,
    })
}

pub(super) fn person(person: &PersonRecords) -> Value {
    json!({
        "number": person.number,
        "consents": person.consents.iter().map(|recorded| record_views::consent(recorded, Numbers::Full)).collect::<Vec<_>>(),
        "revocations": person.dnc.revocations,
        "do_not_call": person.dnc.entries.iter().map(|entry| record_views::dnc_entry(entry, Numbers::Full)).collect::<Vec<_>>(),
    })
}

pub(super) fn actions(entries: &[OperatorAction]) -> Value {
    entries.iter().map(record_views::operator_action).collect()
}
