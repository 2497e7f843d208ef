//! `get_call_status`: the record of one call as it stands.

use crate::domain::access::Scope;

use super::super::args::{Kind, required};
use super::super::failure::Failure;
use super::super::output;
use super::super::tool::{Answer, Asked, Hints, ToolSpec};

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "get_call_status",
    title: "Get a call's status",
    description: "Returns the record of one call, live or over: state, disposition, times, agent, decision_id, recordings, \
                  summary. Answers at once. To wait for a change use wait_for_call instead of asking again and again; for what \
                  was said use get_call_transcript.",
    hints: Hints::READ,
    scopes: &[Scope::CallsRead],
    fields: &[required("call_id", Kind::Call, "The call, by our id or Twilio's.")],
    output: output::call_schema,
    shows_numbers: true,
    run: |asked| Box::pin(run(asked)),
};

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    Ok(Answer::Done(output::call(&asked.call("call_id").await?, asked.numbers())))
}
