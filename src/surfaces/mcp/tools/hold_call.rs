//! `hold_call`: puts a live call on hold.

use crate::domain::access::Scope;

use super::super::failure::Failure;
use super::super::tool::{Answer, Asked, Hints, ToolSpec};
use super::stepping;

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "hold_call",
    title: "Put a call on hold",
    description: "Puts a live call on hold: the other person hears a soft tone and the voice agent silence, until resume_call. The line \
                  stays open and goes on costing. Doing it twice is doing it once. Returns when the step was handed over.",
    hints: Hints::STEP_IN,
    scopes: &[Scope::CallsControl],
    fields: &[stepping::CALL],
    output: stepping::schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let call = asked.live_call("call_id").await?;
    stepping::answer(&call, asked.app().hold_call(&call, asked.actor()).await)
}
