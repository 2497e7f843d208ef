//! `upsert_lead`: writes a lead, a new one or over an old one.

use serde_json::{Value, json};

use crate::app::{LeadError, LeadPatch, ProtectedLines};
use crate::domain::access::Scope;

use super::super::args::{Kind, optional};
use super::super::failure::Failure;
use super::super::output::{flag, object};
use super::super::tool::{Answer, Asked, Hints, ToolSpec};
use super::{get_lead, whom};

const NAME: Kind = Kind::Text { max: 200 };

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "upsert_lead",
    title: "Write a lead",
    description: "Writes what is known of a person who may be called. With lead_id, or with the number of a lead that exists, it \
                  changes what is given and keeps the rest; else it makes a new lead, which needs a number. state and time_zone \
                  only of a verified address: the gate relies on them. A lead is no consent. Returns the lead.",
    hints: Hints { destructive: true, ..Hints::RECORD },
    scopes: &[Scope::ComplianceWrite],
    fields: &[
        optional("lead_id", Kind::Lead, "The lead to change."),
        optional("external_id", NAME, "Your own id of it: keeps two people with one number apart."),
        optional("number", Kind::Number, "Its number."),
        optional("first_name", NAME, "First name."),
        optional("last_name", NAME, "Last name."),
        optional("email", NAME, "E-mail address."),
        optional("state", Kind::Text { max: 2 }, "Two letters, of a verified address."),
        optional("time_zone", Kind::Text { max: 60 }, "IANA name like America/New_York, of a verified address."),
        optional(
            "protected_line",
            Kind::Word(&["emergency_line", "patient_room"]),
            "An emergency line, or a room in a hospital or a home for the elderly: an AI voice may call it with consent only. \
             Once said it stays.",
        ),
        optional("source", NAME, "Where the lead came from."),
        optional("status", Kind::Word(&["new", "contacted", "qualified", "disqualified"]), "How far it has come."),
        optional("tags", Kind::Texts { max: 50 }, "Tags, in place of the old ones."),
        optional("custom", Kind::Variables, "Other fields by name: they are set, others stay."),
    ],
    output: schema,
    shows_numbers: true,
    run: |asked| Box::pin(run(asked)),
};

fn schema() -> Value {
    object([("lead", get_lead::schema()), ("created", flag("whether it is new"))], [])
}

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let args = &asked.args;
    let text = |name: &str| args.text(name).map(str::to_owned);
    let tags = args.texts("tags");
    let patch = LeadPatch {
        id: args.lead("lead_id"),
        external_id: text("external_id"),
        number: args.number("number"),
        first_name: text("first_name"),
        last_name: text("last_name"),
        email: text("email"),
        state: text("state"),
        time_zone: text("time_zone"),
        protected_line: args.word("protected_line"),
        line_type: None,
        last_purchase_on: None,
        last_inquiry_on: None,
        source: text("source"),
        status: args.word("status"),
        tags: (!tags.is_empty()).then_some(tags),
        custom: args.variables("custom"),
    };
    if patch.id.is_none() && patch.external_id.is_none() && patch.number.is_none() {
        let expected = "a number like +12125550113, or the lead_id or external_id of a lead";
        return Err(Failure::invalid_argument("number", "nothing", expected));
    }
    let may_clear = asked.principal.may(Scope::CallsControl);
    let protected = if may_clear { ProtectedLines::MayBeCleared } else { ProtectedLines::Stay };
    let (lead, created) = asked.app().upsert_lead(patch, protected, &asked.actor()).await.map_err(failure)?;
    Ok(Answer::Done(json!({ "lead": get_lead::body(&lead, asked.numbers()), "created": created })))
}

fn failure(error: LeadError) -> Failure {
    match error {
        LeadError::Invalid(faults) => Failure::invalid_fields(&faults),
        LeadError::NoSuchLead(id) => whom::no_such_lead(id),
        LeadError::Store(error) => error.into(),
    }
}
