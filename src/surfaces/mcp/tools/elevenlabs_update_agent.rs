//! `elevenlabs_update_agent`: changes a voice agent, or mends what does not suit telephone calls.

use serde_json::{Value, json};

use crate::domain::access::Scope;
use crate::protocol::agent::elevenlabs_readiness::mending_patch;

use super::super::args::{Kind, optional, required};
use super::super::failure::Failure;
use super::super::tool::{Answer, Asked, Hints, ToolSpec};
use super::elevenlabs;

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "elevenlabs_update_agent",
    title: "Change a voice agent",
    description: "Changes the settings given of an ElevenLabs agent and leaves the others alone; with make_ready it also sets the \
                  audio formats and events that telephone calls need. Calls that run keep the old settings; later ones have the \
                  new. Returns the agent as it is then.",
    hints: Hints { open_world: true, ..Hints::WITHDRAW },
    scopes: &[Scope::CallsWrite],
    fields: &[
        required("agent_id", elevenlabs::AGENT_ID, "The vendor's id of the agent."),
        optional("name", elevenlabs::SHORT, "A new name."),
        optional("prompt", elevenlabs::PROMPT, "New instructions, in place of the old ones."),
        elevenlabs::FIRST_MESSAGE,
        elevenlabs::LANGUAGE,
        elevenlabs::VOICE_ID,
        elevenlabs::LLM,
        optional("make_ready", Kind::Flag, "Set the audio formats and events that calls need."),
    ],
    output: elevenlabs::agent_schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

/// Where each argument stands in the vendor's object.
const PLACES: [(&str, &[&str]); 6] = [
    ("name", &["name"]),
    ("prompt", &["conversation_config", "agent", "prompt", "prompt"]),
    ("first_message", &["conversation_config", "agent", "first_message"]),
    ("language", &["conversation_config", "agent", "language"]),
    ("voice_id", &["conversation_config", "tts", "voice_id"]),
    ("llm", &["conversation_config", "agent", "prompt", "llm"]),
];

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let id = asked.args.text("agent_id").unwrap_or_default();
    let agents = asked.app().agents.of(id);
    let mut body = json!({});
    if asked.args.flag("make_ready") {
        let agent = agents.fetch_agent(id).await.map_err(|error| elevenlabs::failure(&error))?;
        body = mending_patch(&agent).unwrap_or(body);
    }
    for (name, place) in PLACES {
        if let Some(text) = asked.args.text(name) {
            *place.iter().fold(&mut body, |object, step| &mut object[*step]) = Value::from(text);
        }
    }
    let agent = if body == json!({}) { agents.fetch_agent(id).await } else { agents.update_agent(id, &body).await };
    Ok(Answer::Done(elevenlabs::agent(&agent.map_err(|error| elevenlabs::failure(&error))?)))
}
