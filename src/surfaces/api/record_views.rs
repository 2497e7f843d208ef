//! What the API and exports show of records: leads, consents, refusals, and what operators did.

use serde_json::{Value, json};

use crate::domain::consent::Revocation;
use crate::domain::lead::Lead;
use crate::domain::{E164, Party};
use crate::store::{DncEntry, OperatorAction, OutboundStop, RecordedConsent};

use super::views::Numbers;

impl Numbers {
    fn of(self, number: &E164) -> String {
        self.show(&Party::from(number.clone()))
    }
}

/// A lead. Its free fields may hold numbers too.
pub fn lead(lead: &Lead, numbers: Numbers) -> Value {
    let mut value = numbers.show_all(json!(lead));
    value["id"] = lead.id.to_string().into();
    value["number"] = numbers.of(&lead.number).into();
    value["created_at"] = json!(lead.created_at);
    value["updated_at"] = json!(lead.updated_at);
    value
}

/// A consent, with who wrote it down and when.
pub fn consent(recorded: &RecordedConsent, numbers: Numbers) -> Value {
    let consent = &recorded.consent;
    json!({
        "id": consent.id,
        "number": numbers.of(&consent.number),
        "kind": consent.kind,
        "scope": consent.scope,
        "seller": consent.seller,
        "given_at": consent.given_at,
        "expires_at": consent.expires_at,
        "evidence": numbers.show_all(json!(consent.evidence)),
        "recorded_at": recorded.recorded_at,
        "recorded_by": recorded.recorded_by,
    })
}

/// A withdrawal of permission.
pub fn revocation(revocation: &Revocation, numbers: Numbers) -> Value {
    json!({
        "at": revocation.at,
        "channel": revocation.channel,
        "words": numbers.show_all(revocation.words.as_str().into()),
    })
}

/// A stay on the internal do-not-call list.
pub fn dnc_entry(entry: &DncEntry, numbers: Numbers) -> Value {
    let removed = entry.removed.as_ref();
    json!({
        "added_at": entry.added_at,
        "channel": entry.channel,
        "words": numbers.show_all(json!(entry.words)),
        "call_id": entry.call_id,
        "added_by": entry.added_by,
        "removed_at": removed.map(|removed| removed.at),
        "removed_by": removed.map(|removed| &removed.by),
        "removed_because": numbers.show_all(json!(removed.map(|removed| &removed.reason))),
    })
}

/// Whether outbound calls are stopped, since when, by whom and why.
pub fn outbound(stop: Option<&OutboundStop>) -> Value {
    json!({
        "stopped": stop.is_some(),
        "since": stop.map(|stop| stop.since),
        "by": stop.map(|stop| &stop.by),
        "reason": stop.map(|stop| &stop.reason),
    })
}

/// One thing that an operator did.
pub fn operator_action(entry: &OperatorAction) -> Value {
    json!({ "seq": entry.seq, "at": entry.at, "by": entry.by, "action": entry.action, "detail": entry.detail })
}
