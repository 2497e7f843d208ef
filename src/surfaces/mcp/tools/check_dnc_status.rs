//! `check_dnc_status`: on which do-not-call lists a number stands.

use serde_json::{Value, json};

use crate::app::GateQuestion;
use crate::domain::access::Scope;
use crate::domain::decision::ReasonCode;

use super::super::failure::Failure;
use super::super::output::{self, flag, instant, list, object, text};
use super::super::tool::{Answer, Asked, Hints, ToolSpec};
use super::whom;

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "check_dnc_status",
    title: "Look up do-not-call status",
    description: "Returns whether a number is on the seller's own do-not-call list, with since when and how, and what the gate \
                  says of the national, state and litigator lists and of the age of their data. blocked true means that no \
                  telemarketing call will be placed for one of these reasons.",
    hints: Hints::READ,
    scopes: &[Scope::ComplianceRead],
    fields: &[whom::NUMBER, whom::LEAD],
    output: schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

fn schema() -> Value {
    let entry = object(
        [("added_at", instant("since when")), ("channel", text("how the request came"))],
        [("removed_at", instant("until when")), ("removed_because", text("why it was taken off"))],
    );
    object(
        [
            ("listed_internally", flag("whether it is on the seller's own list")),
            ("blocked", flag("whether a do-not-call reason stands against a telemarketing call")),
            ("reasons", list(output::reason_schema(), "those reasons")),
            ("decision_id", text("the inquiry in the decision ledger")),
            ("entries", list(entry, "its stays on the seller's own list, oldest first")),
        ],
        [],
    )
}

/// What the gate says about lists, and about data it lacks to say it.
fn is_about_lists(code: ReasonCode) -> bool {
    matches!(
        code,
        ReasonCode::InternalDnc
            | ReasonCode::NationalDnc
            | ReasonCode::StateDnc
            | ReasonCode::LitigatorList
            | ReasonCode::DncDataStale
            | ReasonCode::FactUnknown
    )
}

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let (number, lead_id) = whom::number(asked, "number").await?;
    let app = asked.app();
    let history = app.store.dnc_history(&number).await?;
    let question = GateQuestion {
        lead_id,
        ..GateQuestion::about(number.as_str(), crate::domain::Purpose::Telemarketing, asked.actor())
    };
    let answer = app.inquire(&question).await?;
    let reasons: Vec<_> = answer.decision.reasons().iter().filter(|reason| is_about_lists(reason.code)).collect();
    let entries: Vec<_> = history
        .entries
        .iter()
        .map(|entry| {
            let removed = entry.removed.as_ref();
            json!({
                "added_at": entry.added_at, "channel": entry.channel,
                "removed_at": removed.map(|removal| removal.at),
                "removed_because": removed.map(|removal| &removal.reason),
            })
        })
        .collect();
    Ok(Answer::Done(output::compact(json!({
        "listed_internally": history.is_listed(),
        "blocked": !reasons.is_empty(),
        "reasons": reasons,
        "decision_id": answer.decision_id,
        "entries": entries,
    }))))
}
