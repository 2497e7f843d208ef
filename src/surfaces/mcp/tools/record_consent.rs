//! `record_consent`: writes a permission to call down.

use serde_json::{Value, json};

use crate::app::NewConsent;
use crate::domain::access::Scope;
use crate::domain::consent::{ConsentEvidence, ConsentKind};

use super::super::args::{Kind, optional, required};
use super::super::failure::Failure;
use super::super::output::{object, text};
use super::super::tool::{Answer, Asked, Hints, ToolSpec};

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "record_consent",
    title: "Record consent",
    description: "Writes down that somebody agreed to be called by this seller. Only record what really happened and can be \
                  proved: the record is evidence and can never be changed or deleted. A consent does not lift a do-not-call \
                  request that came after it. Returns consent_id.",
    hints: Hints { idempotent: false, ..Hints::RECORD },
    scopes: &[Scope::ComplianceWrite],
    fields: &[
        required("number", Kind::Number, "The number that may be called."),
        required(
            "kind",
            Kind::Word(&["express", "written"]),
            "written: signed, as telemarketing by an AI voice needs.",
        ),
        required("scope", Kind::Texts { max: 20 }, "What it covers, like telemarketing or appointment."),
        required("given_at", Kind::Instant, "When it was given."),
        optional("expires_at", Kind::Instant, "When it ends, if it does."),
        required("method", Kind::Text { max: 100 }, "How it was given: web_form, paper, voice, …"),
        required("text", Kind::Text { max: 5_000 }, "The words that the person agreed to."),
        optional("url", Kind::Text { max: 1_000 }, "Where it was given."),
    ],
    output: schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

fn schema() -> Value {
    object([("consent_id", text("the record")), ("number", text("the number, masked"))], [])
}

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let args = &asked.args;
    let text = |name: &str| args.text(name).map(str::to_owned);
    let (number, kind, given_at) = (args.number("number"), args.word::<ConsentKind>("kind"), args.instant("given_at"));
    let (Some(number), Some(kind), Some(given_at)) = (number, kind, given_at) else {
        return Err(Failure::invalid_arguments(&[]));
    };
    let masked = number.masked();
    let consent = NewConsent {
        number,
        kind,
        scope: args.texts("scope"),
        given_at,
        seller: None,
        expires_at: args.instant("expires_at"),
        evidence: ConsentEvidence {
            method: text("method").unwrap_or_default(),
            text: text("text").unwrap_or_default(),
            url: text("url"),
            ..ConsentEvidence::default()
        },
        rnd_checked_on: None,
    };
    let faults = consent.problems(asked.app().clock.now());
    if !faults.is_empty() {
        return Err(Failure::invalid_fields(&faults));
    }
    let id = asked.app().record_consent(consent, &asked.actor()).await?;
    Ok(Answer::Done(json!({ "consent_id": id, "number": masked })))
}
