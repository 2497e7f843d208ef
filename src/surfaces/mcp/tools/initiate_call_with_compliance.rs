//! `initiate_call_with_compliance`: asks the gate and, if it allows, rings a phone.

use crate::app::PlaceCall;
use crate::domain::access::Scope;

use super::super::args::{Kind, optional};
use super::super::failure::Failure;
use super::super::tool::{Answer, Asked, Hints, ToolSpec};
use super::{placing, whom};

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "initiate_call_with_compliance",
    title: "Place a call",
    description: "Asks the compliance gate and, if it allows, rings a real phone and connects a voice agent. Costs carrier and \
                  agent minutes; cannot be taken back once somebody picks up. Returns within a second with call_id, before the \
                  phone is answered: go on with wait_for_call. A blocked call is an error that lists every reason with its law \
                  and when to try again; no phone rang. With dry_run nothing is placed and the decision is returned.",
    hints: Hints::REACH_OUT,
    scopes: &[Scope::CallsWrite],
    fields: &[
        optional("to", Kind::Number, "Whom to call, in E.164 form like +12125550113. Give this or lead_id."),
        whom::LEAD,
        placing::AGENT,
        whom::PURPOSE,
        placing::VARIABLES,
        placing::ON_MACHINE,
        placing::MACHINE_MESSAGE,
        optional("dry_run", Kind::Flag, "Only ask the gate: the decision is returned and nothing is placed."),
        placing::IDEMPOTENCY_KEY,
        placing::CONFIRM_TOKEN,
    ],
    output: placing::schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let (to, lead_id) = whom::number(asked, "to").await?;
    let request = PlaceCall {
        to,
        agent: asked.args.agent("agent"),
        purpose: placing::claim(asked, whom::purpose(asked))?,
        lead_id,
        dynamic_variables: asked.args.variables("dynamic_variables"),
        on_machine: placing::on_machine(asked)?,
    };
    if asked.args.flag("dry_run") {
        return placing::dry_run(asked, &request).await;
    }
    placing::place(asked, request).await
}
