//! `get_call_history`: calls of all times, in pages.

use serde_json::{Value, json};

use crate::domain::access::Scope;
use crate::store::{CallFilter, Cursor};

use super::super::args::{Field, Kind, optional};
use super::super::failure::Failure;
use super::super::output::{self, flag, list, object, text};
use super::super::tool::{Answer, Asked, Hints, ToolSpec};

pub(super) const PAGE_MAX: i64 = 100;
const PAGE: i64 = 20;

const DISPOSITIONS: &[&str] = &[
    "completed",
    "busy",
    "no_answer",
    "failed",
    "canceled",
    "blocked",
    "machine",
    "opted_out",
    "agent_failed",
    "transferred",
    "rejected",
    "expired",
];

/// How many items a page has, and where it goes on: for every tool that lists.
pub(super) const LIMIT: Field =
    optional("limit", Kind::Integer { min: 1, max: PAGE_MAX }, "How many at most. Default 20.");
pub(super) const CURSOR: Field = optional("cursor", Kind::Text { max: 500 }, "next_cursor of the page before.");

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "get_call_history",
    title: "List past and present calls",
    description: "Returns calls, newest first, in pages: give next_cursor back as cursor until has_more is false. Every filter \
                  narrows. Blocked calls are in it too (disposition blocked). Shows records, not words: for those use \
                  get_call_transcript.",
    hints: Hints::READ,
    scopes: &[Scope::CallsRead],
    fields: &[
        optional(
            "state",
            Kind::Word(&["queued", "dialing", "ringing", "in_progress", "ended"]),
            "Only calls in this state.",
        ),
        optional("disposition", Kind::Word(DISPOSITIONS), "Only calls that ended so."),
        optional("direction", Kind::Word(&["inbound", "outbound"]), "Only calls of this direction."),
        optional("number", Kind::Number, "Only calls from or to this number."),
        optional("agent", Kind::Agent, "Only calls of this voice agent."),
        optional("lead_id", Kind::Lead, "Only calls to this lead."),
        optional("since", Kind::Instant, "Only calls created at this instant or later."),
        optional("until", Kind::Instant, "Only calls created before this instant."),
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
            ("calls", list(output::call_schema(), "the calls, newest first")),
            ("has_more", flag("whether there is another page")),
        ],
        [("next_cursor", text("pass this as cursor for the next page"))],
    )
}

/// The asker's place in a list.
pub(super) fn page(asked: &Asked) -> Result<(Option<Cursor>, u32), Failure> {
    let cursor = asked.args.text("cursor").map(str::parse).transpose()?;
    let limit = asked.args.integer("limit").unwrap_or(PAGE);
    Ok((cursor, u32::try_from(limit).unwrap_or(20)))
}

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let (cursor, limit) = page(asked)?;
    let filter = CallFilter {
        live: false,
        state: asked.args.word("state"),
        direction: asked.args.word("direction"),
        disposition: asked.args.word("disposition"),
        number: asked.args.number("number"),
        agent: asked.args.agent("agent"),
        lead: asked.args.lead("lead_id"),
        since: asked.args.instant("since"),
        until: asked.args.instant("until"),
    };
    let page = asked.app().store.list_calls(filter, cursor, limit).await?;
    let calls: Vec<_> = page.items.iter().map(|call| output::call(call, asked.numbers())).collect();
    let next = page.next.map(|cursor| cursor.to_string());
    Ok(Answer::Done(output::compact(json!({ "calls": calls, "has_more": next.is_some(), "next_cursor": next }))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Disposition;

    /// One that is not would be a filter that lets everything through.
    #[test]
    fn every_disposition_that_may_be_asked_for_is_one() {
        for word in DISPOSITIONS {
            let known: Disposition = serde_json::from_value(json!(word)).unwrap();
            assert_eq!(known.as_str(), *word);
        }
    }
}
