//! `search_leads`: leads, in pages.

use serde_json::{Value, json};

use crate::domain::access::Scope;
use crate::store::LeadFilter;

use super::super::args::{Kind, optional};
use super::super::failure::Failure;
use super::super::output::{self, flag, list, object, text};
use super::super::tool::{Answer, Asked, Hints, ToolSpec};
use super::get_call_history::{CURSOR, LIMIT, page};
use super::get_lead;

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "search_leads",
    title: "Search leads",
    description: "Returns leads, newest first, in pages: give next_cursor back as cursor until has_more is false. Every filter \
                  narrows; text looks at names, e-mail addresses and tags.",
    hints: Hints::READ,
    scopes: &[Scope::CallsRead],
    fields: &[
        optional("text", Kind::Text { max: 200 }, "Part of a name, an e-mail address or a tag."),
        optional("number", Kind::Number, "Only leads with this number."),
        optional(
            "status",
            Kind::Word(&["new", "contacted", "qualified", "disqualified"]),
            "Only leads of this status.",
        ),
        LIMIT,
        CURSOR,
    ],
    output: schema,
    shows_numbers: true,
    run: |asked| Box::pin(run(asked)),
};

fn schema() -> Value {
    object(
        [
            ("leads", list(get_lead::schema(), "the leads, newest first")),
            ("has_more", flag("whether there is another page")),
        ],
        [("next_cursor", text("pass this as cursor for the next page"))],
    )
}

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let (cursor, limit) = page(asked)?;
    let filter = LeadFilter {
        number: asked.args.number("number"),
        status: asked.args.word("status"),
        text: asked.args.text("text").map(str::to_owned),
    };
    let page = asked.app().store.list_leads(filter, cursor, limit).await?;
    let leads: Vec<_> = page.items.iter().map(|lead| get_lead::body(lead, asked.numbers())).collect();
    let next = page.next.map(|cursor| cursor.to_string());
    Ok(Answer::Done(output::compact(json!({ "leads": leads, "has_more": next.is_some(), "next_cursor": next }))))
}
