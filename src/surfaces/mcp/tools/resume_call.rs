//! `resume_call`: takes a live call off hold.

use crate::domain::access::Scope;

use super::super::failure::Failure;
use super::super::tool::{Answer, Asked, Hints, ToolSpec};
use super::stepping;

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "resume_call",
    title: "Take a call off hold",
    description: "Takes a live call off hold: the other person and the voice agent hear each other again at once. Of a call that is not \
                  on hold it changes nothing. Returns when the step was handed over.",
    hints: Hints::STEP_IN,
    scopes: &[Scope::CallsControl],
    fields: &[stepping::CALL],
    output: stepping::schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let call = asked.live_call("call_id").await?;
    stepping::answer(&call, asked.app().resume_call(&call, asked.actor()).await)
}
