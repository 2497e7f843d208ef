//! `get_lead`: one lead.

use serde_json::{Value, json};

use crate::domain::access::Scope;
use crate::domain::lead::Lead;
use crate::surfaces::api::views::Numbers;

use super::super::args::{Kind, required};
use super::super::failure::Failure;
use super::super::output::{self, instant, list, object, open_object, text};
use super::super::tool::{Answer, Asked, Hints, ToolSpec};
use super::whom;

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "get_lead",
    title: "Get a lead",
    description: "Returns one lead: name, number (masked unless the key may read numbers), address facts, status, source, tags and \
                  free fields. Calls to it are in get_call_history with lead_id.",
    hints: Hints::READ,
    scopes: &[Scope::CallsRead],
    fields: &[required("lead_id", Kind::Lead, "The lead.")],
    output: schema,
    shows_numbers: true,
    run: |asked| Box::pin(run(asked)),
};

pub(super) fn schema() -> Value {
    object(
        [
            ("lead_id", text("our id of the lead")),
            ("number", text("its number, masked unless the key may read numbers")),
            ("status", json!({"type": "string", "enum": ["new", "contacted", "qualified", "disqualified"]})),
            ("created_at", instant("when it was written first")),
            ("updated_at", instant("when it was last changed")),
        ],
        [
            ("first_name", text("first name")),
            ("last_name", text("last name")),
            ("email", text("e-mail address")),
            ("state", text("two letters, of a verified address")),
            ("time_zone", text("IANA name, of a verified address")),
            ("protected_line", json!({"type": "string", "enum": ["emergency_line", "patient_room"]})),
            ("source", text("where it came from")),
            ("tags", list(json!({"type": "string"}), "tags")),
            ("custom", open_object("whatever else is kept")),
        ],
    )
}

pub(super) fn body(lead: &Lead, numbers: Numbers) -> Value {
    let mut shown = json!(lead);
    if let Some(members) = shown.as_object_mut() {
        if let Some(id) = members.remove("id") {
            members.insert("lead_id".to_owned(), id);
        }
        members.retain(|_, value| value.as_str() != Some(""));
    }
    let mut shown = numbers.show_all(shown);
    shown["number"] = numbers.show(&lead.number.clone().into()).into();
    output::compact(shown)
}

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let id = asked.args.lead("lead_id").ok_or_else(|| Failure::invalid_arguments(&[]))?;
    let lead = asked.app().store.lead(id).await?.ok_or_else(|| whom::no_such_lead(id))?;
    Ok(Answer::Done(body(&lead, asked.numbers())))
}
