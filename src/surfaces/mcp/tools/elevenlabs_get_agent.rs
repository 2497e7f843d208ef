//! `elevenlabs_get_agent`: one voice agent, and whether it suits telephone calls.

use crate::domain::access::Scope;

use super::super::args::required;
use super::super::failure::Failure;
use super::super::tool::{Answer, Asked, Hints, ToolSpec};
use super::elevenlabs;

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "elevenlabs_get_agent",
    title: "Get a voice agent",
    description: "Returns an ElevenLabs agent: prompt, first message, voice, model, and findings about what in its settings does \
                  not suit telephone calls, each with its remedy.",
    hints: Hints::READ_OUTSIDE,
    scopes: &[Scope::CallsRead],
    fields: &[required("agent_id", elevenlabs::AGENT_ID, "The vendor's id of the agent.")],
    output: elevenlabs::agent_schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let id = asked.args.text("agent_id").unwrap_or_default();
    let agent = asked.app().agents.of(id).fetch_agent(id).await.map_err(|error| elevenlabs::failure(&error))?;
    Ok(Answer::Done(elevenlabs::agent(&agent)))
}
