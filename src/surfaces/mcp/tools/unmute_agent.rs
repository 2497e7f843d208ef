//! `unmute_agent`: the other person hears the voice agent again.

use super::super::failure::Failure;
use super::super::tool::{Answer, Asked, ToolSpec};
use super::stepping;

pub(in super::super) const TOOL: ToolSpec = stepping::tool(
    "unmute_agent",
    "Let the voice agent be heard",
    "Ends the muting of the voice agent of a live call: the other person hears what it says from now on. Of an agent that \
     is not muted it changes nothing. Returns when the step was handed over.",
    |asked| Box::pin(run(asked)),
);

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let call = asked.live_call("call_id").await?;
    stepping::answer(&call, asked.app().unmute_agent(&call, asked.actor()).await)
}
