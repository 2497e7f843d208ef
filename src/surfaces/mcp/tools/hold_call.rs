//! `hold_call`: puts a live call on hold.

use super::super::failure::Failure;
use super::super::tool::{Answer, Asked, ToolSpec};
use super::stepping;

pub(in super::super) const TOOL: ToolSpec = stepping::tool(
    "hold_call",
    "Put a call on hold",
    "Puts a live call on hold: the other person hears a soft tone and the voice agent silence, until resume_call. The line \
     stays open and goes on costing. Doing it twice is doing it once. Returns when the step was handed over.",
    |asked| Box::pin(run(asked)),
);

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let call = asked.live_call("call_id").await?;
    stepping::answer(&call, asked.app().hold_call(&call, asked.actor()).await)
}
