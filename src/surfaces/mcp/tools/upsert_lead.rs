//! `upsert_lead`: writes a lead, a new one or over an old one.

use serde_json::{Value, json};

use crate::domain::LeadId;
use crate::domain::access::Scope;
use crate::domain::lead::{Lead, LeadStatus};
use crate::store::LeadFilter;

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
    scopes: &[Scope::CallsWrite],
    fields: &[
        optional("lead_id", Kind::Lead, "The lead to change."),
        optional("number", Kind::Number, "Its number."),
        optional("first_name", NAME, "First name."),
        optional("last_name", NAME, "Last name."),
        optional("email", NAME, "E-mail address."),
        optional("state", Kind::Text { max: 2 }, "Two letters, of a verified address."),
        optional("time_zone", Kind::Text { max: 60 }, "IANA name like America/New_York, of a verified address."),
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
    let (app, args) = (asked.app(), &asked.args);
    let known = match (args.lead("lead_id"), args.number("number")) {
        (Some(id), _) => Some(app.store.lead(id).await?.ok_or_else(|| whom::no_such_lead(id))?),
        (None, Some(number)) => {
            let filter = LeadFilter { number: Some(number), ..LeadFilter::default() };
            app.store.list_leads(filter, None, 1).await?.items.pop()
        }
        (None, None) => {
            return Err(Failure::invalid_argument("number", "nothing", "a number like +12125550113, or a lead_id"));
        }
    };
    let created = known.is_none();
    let lead = change(asked, known);
    let Some(lead) = lead else { return Err(Failure::invalid_argument("number", "nothing", "a number")) };
    app.store.upsert_leads(vec![lead.clone()]).await?;
    Ok(Answer::Done(json!({ "lead": get_lead::body(&lead, asked.numbers()), "created": created })))
}

fn change(asked: &Asked, known: Option<Lead>) -> Option<Lead> {
    let args = &asked.args;
    let now = asked.app().clock.now();
    let text = |name: &str| args.text(name).map(str::to_owned);
    let mut lead = match known {
        Some(lead) => lead,
        None => Lead {
            id: LeadId::from_uuid(uuid::Uuid::new_v4()),
            number: args.number("number")?,
            first_name: String::new(),
            last_name: String::new(),
            email: None,
            state: None,
            time_zone: None,
            source: None,
            status: LeadStatus::New,
            tags: Vec::new(),
            custom: std::collections::BTreeMap::new(),
            created_at: now,
            updated_at: now,
        },
    };
    lead.updated_at = now;
    lead.number = args.number("number").unwrap_or(lead.number);
    lead.first_name = text("first_name").unwrap_or(lead.first_name);
    lead.last_name = text("last_name").unwrap_or(lead.last_name);
    lead.email = text("email").or(lead.email);
    lead.state = text("state").or(lead.state);
    lead.time_zone = text("time_zone").or(lead.time_zone);
    lead.source = text("source").or(lead.source);
    lead.status = args.word("status").unwrap_or(lead.status);
    let tags = args.texts("tags");
    if !tags.is_empty() {
        lead.tags = tags;
    }
    lead.custom.extend(args.variables("custom"));
    Some(lead)
}
