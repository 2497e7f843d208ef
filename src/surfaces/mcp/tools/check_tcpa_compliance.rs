//! `check_tcpa_compliance`: the gate's answer, recorded as an inquiry; nothing is dialled or reserved.

use crate::app::GateQuestion;
use crate::domain::access::Scope;

use super::super::args::{Kind, optional};
use super::super::failure::Failure;
use super::super::output;
use super::super::tool::{Answer, Asked, Hints, ToolSpec};
use super::whom;

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "check_tcpa_compliance",
    title: "Check whether a number may be called",
    description: "Asks the compliance gate whether an AI voice may call a number now (or at another time), without calling. A \
                  denial is a normal result: allowed false, every reason with its law, and next_permissible_at where waiting \
                  helps. Recorded in the decision ledger as an inquiry; reserves nothing, and the call itself is decided anew.",
    hints: Hints::READ,
    scopes: &[Scope::ComplianceRead],
    fields: &[
        whom::NUMBER,
        whom::LEAD,
        whom::PURPOSE,
        optional("at", Kind::Instant, "Ask about this instant instead of now."),
    ],
    output: output::decision_schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let (number, lead_id) = whom::number(asked, "number").await?;
    let question = GateQuestion {
        lead_id,
        at: asked.args.instant("at"),
        ..GateQuestion::about(number.as_str(), whom::purpose(asked), asked.actor())
    };
    let answer = asked.app().inquire(&question).await?;
    Ok(Answer::Done(output::decision(answer.decision_id, &answer.decision)))
}
