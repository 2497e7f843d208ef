//! `verify_consent`: which permissions there are for a number, and what became of them.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::domain::access::Scope;
use crate::domain::consent::{Consent, ConsentKind};

use super::super::failure::Failure;
use super::super::output::{self, flag, instant, list, object, open_object, text};
use super::super::tool::{Answer, Asked, Hints, ToolSpec};
use super::whom;

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "verify_consent",
    title: "Look up consent",
    description: "Returns every consent on record for a number, whether it is in force now (given, not expired, not withdrawn \
                  since), and every withdrawal. Consent alone does not allow a call: check_tcpa_compliance weighs it with \
                  everything else.",
    hints: Hints::READ,
    scopes: &[Scope::ComplianceRead],
    fields: &[whom::NUMBER, whom::LEAD],
    output: schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

fn schema() -> Value {
    let consent = object(
        [
            ("consent_id", text("the record")),
            ("kind", json!({"type": "string", "enum": ["express", "written"]})),
            ("scope", list(json!({"type": "string"}), "what it covers")),
            ("seller", text("who may call")),
            ("given_at", instant("when it was given")),
            ("in_force", flag("whether it counts now")),
            ("recorded_at", instant("when it was written down")),
        ],
        [
            ("expires_at", instant("when it ends")),
            ("method", text("how it was given")),
            ("text_sha256", text("SHA-256 of the words agreed to")),
        ],
    );
    object(
        [
            ("has_consent", flag("whether any consent is in force")),
            ("has_written_consent", flag("whether a written one is")),
            ("consents", list(consent, "every consent, oldest first")),
            ("revocations", list(open_object("at and channel"), "every withdrawal, oldest first")),
        ],
        [],
    )
}

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let (number, _) = whom::number(asked, "number").await?;
    let app = asked.app();
    let (consents, revocations) = (app.store.consents_of(&number).await?, app.store.revocations_of(&number).await?);
    let (now, revoked_at) = (app.clock.now(), revocations.iter().map(|revocation| revocation.at).max());
    let in_force = |kind: Option<ConsentKind>| {
        consents.iter().any(|record| {
            kind.is_none_or(|kind| record.consent.kind == kind) && is_in_force(&record.consent, revoked_at, now)
        })
    };
    let shown: Vec<_> = consents
        .iter()
        .map(|record| {
            let consent = &record.consent;
            let evidence = &consent.evidence;
            let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            json!({
                "consent_id": consent.id, "kind": consent.kind, "scope": consent.scope, "seller": consent.seller,
                "given_at": consent.given_at, "expires_at": consent.expires_at, "recorded_at": record.recorded_at,
                "in_force": is_in_force(consent, revoked_at, now),
                "method": given(&evidence.method), "text_sha256": given(&evidence.text_sha256),
            })
        })
        .collect();
    let withdrawn: Vec<_> = revocations.iter().map(|r| json!({ "at": r.at, "channel": r.channel })).collect();
    Ok(Answer::Done(output::compact(json!({
        "has_consent": in_force(None),
        "has_written_consent": in_force(Some(ConsentKind::Written)),
        "consents": shown,
        "revocations": withdrawn,
    }))))
}

/// Given already, not over, and newer than the last withdrawal, as the gate sees it.
fn is_in_force(consent: &Consent, revoked_at: Option<Timestamp>, now: Timestamp) -> bool {
    consent.given_at <= now
        && consent.expires_at.is_none_or(|end| now < end)
        && revoked_at.is_none_or(|revoked| revoked < consent.given_at)
}
