//! `mute_agent`: the other person no longer hears the voice agent.

use crate::domain::access::Scope;

use super::super::failure::Failure;
use super::super::tool::{Answer, Asked, Hints, ToolSpec};
use super::stepping;

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "mute_agent",
    title: "Mute the voice agent",
    description: "Mutes the voice agent of a live call: the other person no longer hears it, while it still hears them and goes on \
                  talking unheard, until unmute_agent. Doing it twice is doing it once. Returns when the step was handed over.",
    hints: Hints::STEP_IN,
    scopes: &[Scope::CallsControl],
    fields: &[stepping::CALL],
    output: stepping::schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let call = asked.live_call("call_id").await?;
    stepping::answer(&call, asked.app().mute_agent(&call, asked.actor()).await)
}
