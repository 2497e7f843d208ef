//! `elevenlabs_get_voice`: one voice.

use crate::domain::access::Scope;

use super::super::args::required;
use super::super::failure::Failure;
use super::super::tool::{Answer, Asked, Hints, ToolSpec};
use super::elevenlabs;

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "elevenlabs_get_voice",
    title: "Get a voice",
    description: "Returns one ElevenLabs voice: name, category, description, labels, and where to hear it.",
    hints: Hints::READ_OUTSIDE,
    scopes: &[Scope::CallsRead],
    fields: &[required("voice_id", elevenlabs::SHORT, "The vendor's id of the voice.")],
    output: elevenlabs::voice_schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let id = asked.args.text("voice_id").unwrap_or_default();
    let voice = asked.app().agents.main().fetch_voice(id).await.map_err(|error| elevenlabs::failure(&error))?;
    Ok(Answer::Done(elevenlabs::voice(&voice)))
}
