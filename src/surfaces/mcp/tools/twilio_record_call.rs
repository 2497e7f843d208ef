//! `twilio_record_call`: starts, pauses, resumes and stops the recording of a live call.

use serde_json::{Value, json};

use crate::carrier::{RecordingChange, RecordingChannels, RecordingRequest};
use crate::domain::access::Scope;

use super::super::args::{Kind, required};
use super::super::failure::Failure;
use super::super::output::{self, object, text};
use super::super::tool::{Answer, Asked, Hints, ToolSpec};

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "twilio_record_call",
    title: "Control a call's recording",
    description: "Starts, pauses, resumes or stops the recording of a live call at Twilio. Starting works only where the server \
                  announces recordings at the start of calls (carrier.twilio.record), since many states want all parties to \
                  know. While paused, silence is recorded. Returns the recording's id and status; the finished recording \
                  appears in get_call_status.",
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
    object(
        [("call_id", text("the call")), ("recording_sid", text("Twilio's id of the recording"))],
        [("status", text("in-progress, paused, stopped, processing, completed or absent"))],
    )
}

async fn run(asked: &Asked) -> Result<Answer, Failure> {
    let call = asked.live_call("call_sid").await?;
    let app = asked.app();
    let carrier = app.carrier.as_ref().ok_or_else(Failure::no_carrier)?;
    let sid = call.sid().cloned().ok_or_else(|| {
        Failure::new(
            "not_at_carrier",
            "The carrier has not taken the call yet.",
            "Nothing was done. Try again in a second.",
        )
        .retryable()
    })?;
    let action = asked.args.text("action").unwrap_or_default();
    let change = match action {
        "pause" => RecordingChange::Pause,
        "resume" => RecordingChange::Resume,
        "stop" => RecordingChange::Stop,
        _ => {
            if !app.config.carrier.twilio.record {
                return Err(Failure::refusal(
                    "recording_not_announced",
                    "This server does not announce recordings, so none may be started in mid-call.",
                    "Nothing is recorded. The operator can set carrier.twilio.record: then every call says so at its start.",
                ));
            }
            let request = RecordingRequest {
                channels: RecordingChannels::Dual,
                status_callback: app.urls.recording_callback(call.id),
            };
            let started = carrier.start_recording(&sid, &request).await.map_err(|error| Failure::carrier(&error))?;
            return Ok(answer(&call.id.to_string(), &started.sid, started.status.as_deref()));
        }
    };
    let changed = carrier.update_recording(&sid, None, change).await.map_err(|error| Failure::carrier(&error))?;
    Ok(answer(&call.id.to_string(), &changed.sid, changed.status.as_deref()))
}

fn answer(call_id: &str, recording: &crate::domain::RecordingSid, status: Option<&str>) -> Answer {
    Answer::Done(output::compact(json!({ "call_id": call_id, "recording_sid": recording, "status": status })))
}
