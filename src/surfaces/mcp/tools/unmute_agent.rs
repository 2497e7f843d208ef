//! `unmute_agent`: the other person hears the voice agent again.

use crate::domain::access::Scope;

use super::super::failure::Failure;
use super::super::tool::{Answer, Asked, Hints, ToolSpec};
use super::stepping;

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "unmute_agent",
    title: "Let the voice agent be heard",
    description: "Ends the muting of the voice agent of a live call: the other person hears what it says from now on. Of an agent that \
                  is not muted it changes nothing. Returns when the step was handed over.",
    hints: Hints::STEP_IN,
    scopes: &[Scope::CallsControl],
    fields: &[stepping::CALL],
    output: stepping::schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let call = asked.live_call("call_id").await?;
    stepping::answer(&call, asked.app().unmute_agent(&call, asked.actor()).await)
}
