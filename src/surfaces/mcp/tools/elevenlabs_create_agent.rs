//! `elevenlabs_create_agent`: a new voice agent, ready for the telephone.

use crate::domain::access::Scope;
use crate::protocol::agent::elevenlabs_rest::NewAgent;

use super::super::args::required;
use super::super::failure::Failure;
use super::super::tool::{Answer, Asked, Hints, ToolSpec};
use super::elevenlabs;

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "elevenlabs_create_agent",
    title: "Create a voice agent",
    description: "Creates an ElevenLabs voice agent that is ready for telephone calls: audio formats, events and the ability to \
                  hang up are set. Returns the agent with its agent_id; use elevenlabs:AGENT_ID as the agent of a call. Creating \
                  twice makes two agents.",
    hints: Hints { read_only: false, destructive: false, idempotent: false, open_world: true },
    scopes: &[Scope::CallsWrite],
    fields: &[
        required("name", elevenlabs::SHORT, "A name to find it by."),
        required("prompt", elevenlabs::PROMPT, "Its instructions. {{name}} stands for a dynamic variable."),
        elevenlabs::FIRST_MESSAGE,
        elevenlabs::LANGUAGE,
        elevenlabs::VOICE_ID,
        elevenlabs::LLM,
    ],
    output: elevenlabs::agent_schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let text = |name: &str| asked.args.text(name).map(str::to_owned);
    let new = NewAgent {
        name: text("name").unwrap_or_default(),
        prompt: text("prompt").unwrap_or_default(),
        first_message: text("first_message").unwrap_or_default(),
        language: text("language"),
        voice_id: text("voice_id"),
        llm: text("llm"),
    };
    let agents = asked.app().agents.main();
    let created = agents.create_agent(&new.body()).await.map_err(|error| elevenlabs::failure(&error))?;
    let agent = agents.fetch_agent(&created.agent_id).await.map_err(|error| elevenlabs::failure(&error))?;
    Ok(Answer::Done(elevenlabs::agent(&agent)))
}
