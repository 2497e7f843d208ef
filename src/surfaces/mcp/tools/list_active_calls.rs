//! `list_active_calls`: every call that has not ended.

use serde_json::{Value, json};

use crate::app::App;
use crate::domain::access::Scope;
use crate::surfaces::api::views::Numbers;

use super::super::output::{self, flag, integer, list, object};
use super::super::tool::{Answer, Hints, ToolSpec};

/// How many calls one answer shows.
const SHOWN: usize = 100;

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "list_active_calls",
    title: "List active calls",
    description: "Returns every call that has not ended (queued, dialing, ringing, in progress), newest first, at most 100, and \
                  how many there are in all. For calls that are over use get_call_history.",
    hints: Hints::READ,
    scopes: &[Scope::CallsRead],
    fields: &[],
    output: schema,
    shows_numbers: true,
    run: |asked| Box::pin(std::future::ready(Ok(Answer::Done(body(asked.app(), asked.numbers()))))),
};

fn schema() -> Value {
    object(
        [
            ("calls", list(output::call_schema(), "the calls, newest first")),
            ("count", integer("how many there are in all")),
            ("has_more", flag("whether some are not shown")),
        ],
        [],
    )
}

pub(in super::super) fn body(app: &App, numbers: Numbers) -> Value {
    let mut calls: Vec<_> = app.live.all().iter().map(|call| call.record()).collect();
    calls.sort_by_key(|call| std::cmp::Reverse(call.created_at));
    let count = calls.len();
    let shown: Vec<_> = calls.iter().take(SHOWN).map(|call| output::call(call, numbers)).collect();
    json!({ "calls": shown, "count": count, "has_more": count > SHOWN })
}
