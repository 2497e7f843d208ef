//! `twilio_record_call`: starts, pauses, resumes and stops the recording of a live call.

use serde_json::{Value, json};

use crate::app::RecordingError;
use crate::domain::access::Scope;

use super::super::args::{Kind, required};
use super::super::failure::Failure;
use super::super::output::{object, text};
use super::super::tool::{Answer, Asked, Hints, ToolSpec};

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "twilio_record_call",
    title: "Control a call's recording",
    description: "Starts, pauses, resumes or stops the recording of a live call at Twilio. Where the law asks that everybody knows, \
                  a notice is spoken first, and nothing is recorded unless it was heard. While paused, silence is recorded. \
                  The finished recording appears in get_call_status.",
    hints: Hints { open_world: true, ..Hints::RECORD },
    scopes: &[Scope::CallsControl, Scope::CallsWrite],
    fields: &[
        required("call_sid", Kind::Call, "The call, by Twilio's id or ours."),
        required("action", Kind::Word(&["start", "pause", "resume", "stop"]), "What to do."),
    ],
    output: schema,
    shows_numbers: false,
    run: |asked| Box::pin(run(asked)),
};

fn schema() -> Value {
    object([("call_id", text("the call")), ("action", text("what was done"))], [])
}

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let call = asked.live_call("call_sid").await?;
    let step = asked.args.word("action").ok_or_else(|| Failure::invalid_arguments(&[]))?;
    asked.app().steer_recording(&call, asked.actor(), step).await.map_err(|error| failure(&error))?;
    Ok(Answer::Done(json!({ "call_id": call.id, "action": asked.args.text("action") })))
}

fn failure(error: &RecordingError) -> Failure {
    match error {
        RecordingError::Control(error) => Failure::control(error),
        RecordingError::NoCarrier => Failure::no_carrier(),
        other => Failure::refusal("recording_refused", other.to_string(), "Nothing was changed. Read the message."),
    }
}
