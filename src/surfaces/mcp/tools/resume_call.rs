//! `resume_call`: takes a live call off hold.

use super::super::failure::Failure;
use super::super::tool::{Answer, Asked, ToolSpec};
use super::stepping;

pub(in super::super) const TOOL: ToolSpec = stepping::tool(
    "resume_call",
    "Take a call off hold",
    "Takes a live call off hold: the other person and the voice agent hear each other again at once. Of a call that is not \
     on hold it changes nothing. Returns when the step was handed over.",
    |asked| Box::pin(run(asked)),
);

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let call = asked.live_call("call_id").await?;
    stepping::answer(&call, asked.app().resume_call(&call, asked.actor()).await)
}
