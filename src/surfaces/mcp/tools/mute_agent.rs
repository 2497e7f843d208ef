//! `mute_agent`: the other person no longer hears the voice agent.

use super::super::failure::Failure;
use super::super::tool::{Answer, Asked, ToolSpec};
use super::stepping;

pub(in super::super) const TOOL: ToolSpec = stepping::tool(
    "mute_agent",
    "Mute the voice agent",
    "Mutes the voice agent of a live call: the other person no longer hears it, while it still hears them and goes on \
     talking unheard, until unmute_agent. Doing it twice is doing it once. Returns when the step was handed over.",
    |asked| Box::pin(run(asked)),
);

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let call = asked.live_call("call_id").await?;
    stepping::answer(&call, asked.app().mute_agent(&call, asked.actor()).await)
}
