//! `/api/v1/calls/{id}/…`: stepping into a live call. Each answers 202 when the step was handed to the call's stream; what came of it
//! is in the events.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{App, ControlError, LiveCall, RecordingError};
use crate::domain::access::Scope;
use crate::domain::event::{Door, MessageKind, RecordingStep};
use crate::domain::{CallSid, Keys};
use crate::surfaces::auth::Caller;
use crate::surfaces::live_audio;
use crate::surfaces::problem::{ArgumentProblem, Problem};
use crate::surfaces::upgrade::Upgrade;

use super::calls::parse_json;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MessageBody {
    text: String,
    kind: Option<MessageKind>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SayBody {
    text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeysBody {
    keys: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordingBody {
    step: RecordingStep,
}

/// `POST …/message`: tells the agent something (`kind: context`, the default) or speaks in the caller's place (`user_message`).
pub(super) async fn message(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    may_work(&caller)?;
    let body: MessageBody = parse_json(&body)?;
    let call = live(&app, &id)?;
    let kind = body.kind.unwrap_or(MessageKind::Context);
    app.message_agent(&call, caller.actor(Door::Api), kind, &body.text).await.map_err(problem)?;
    Ok(accepted(&call, json!({ "kind": kind })))
}

/// `POST …/dtmf`: sends keys to the other side as tones.
pub(super) async fn keys(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    may_work(&caller)?;
    let body: KeysBody = parse_json(&body)?;
    let Ok(keys) = body.keys.parse::<Keys>() else {
        let received = body.keys.chars().take(40).collect();
        let expected = "1 to 32 of 0-9, *, #, A-D, and w for half a second's wait";
        return Err(Problem::invalid_arguments(&[ArgumentProblem { field: "keys", received, expected }]));
    };
    let call = live(&app, &id)?;
    let utterance = app.send_keys(&call, caller.actor(Door::Api), &keys).await.map_err(problem)?;
    Ok(accepted(&call, json!({ "utterance": utterance })))
}

/// `POST …/say`: speaks a sentence to the caller.
pub(super) async fn say(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    caller.must(Scope::CallsControl)?;
    let body: SayBody = parse_json(&body)?;
    let call = live(&app, &id)?;
    let utterance = app.say(&call, caller.actor(Door::Api), &body.text).await.map_err(problem)?;
    Ok(accepted(&call, json!({ "utterance": utterance })))
}

/// `POST …/mute`
pub(super) async fn mute(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    caller.must(Scope::CallsControl)?;
    let call = live(&app, &id)?;
    app.mute_agent(&call, caller.actor(Door::Api)).await.map_err(problem)?;
    Ok(accepted(&call, json!({})))
}

/// `POST …/unmute`
pub(super) async fn unmute(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    caller.must(Scope::CallsControl)?;
    let call = live(&app, &id)?;
    app.unmute_agent(&call, caller.actor(Door::Api)).await.map_err(problem)?;
    Ok(accepted(&call, json!({})))
}

/// `POST …/hold`
pub(super) async fn hold(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    caller.must(Scope::CallsControl)?;
    let call = live(&app, &id)?;
    app.hold_call(&call, caller.actor(Door::Api)).await.map_err(problem)?;
    Ok(accepted(&call, json!({})))
}

/// `POST …/resume`
pub(super) async fn resume(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    caller.must(Scope::CallsControl)?;
    let call = live(&app, &id)?;
    app.resume_call(&call, caller.actor(Door::Api)).await.map_err(problem)?;
    Ok(accepted(&call, json!({})))
}

/// `POST …/recording`: `{"step": "start" | "pause" | "resume" | "stop"}`. A start answers when the notice was heard.
pub(super) async fn recording(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    may_work(&caller)?;
    let body: RecordingBody = parse_json(&body)?;
    let call = live(&app, &id)?;
    app.steer_recording(&call, caller.actor(Door::Api), body.step).await.map_err(recording_problem)?;
    Ok(accepted(&call, json!({ "step": body.step })))
}

/// `GET …/listen` (WebSocket): both sides of the call, see `live_audio`.
pub(super) async fn listen(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    caller.must(Scope::CallsControl)?;
    let call = live(&app, &id)?;
    let (upgrade, response) = match Upgrade::accept(request, live_audio::socket_config()) {
        Ok(accepted) => accepted,
        Err(refusal) => return Ok(refusal),
    };
    tracing::info!(call.id = %call.id, by = caller.name, "listening in");
    let listener = app.listen(&call);
    app.tracker.clone().spawn(async move {
        if let Ok(socket) = upgrade.socket().await {
            tokio::select! {
                () = live_audio::listen(Arc::clone(&app), listener, socket) => {}
                () = caller.loses_access(&app) => {}
            }
        }
    });
    Ok(response)
}

/// `GET …/take-over` (WebSocket): the operator speaks in the agent's place until the socket closes, see `live_audio`.
pub(super) async fn take_over(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    caller.must(Scope::CallsControl)?;
    let call = live(&app, &id)?;
    let (upgrade, response) = match Upgrade::accept(request, live_audio::socket_config()) {
        Ok(accepted) => accepted,
        Err(refusal) => return Ok(refusal),
    };
    let operator = app.take_over(&call, caller.actor(Door::Api)).await.map_err(problem)?;
    app.tracker.clone().spawn(async move {
        // A socket that does not come hands the call back too.
        if let Ok(socket) = upgrade.socket().await {
            tokio::select! {
                () = live_audio::take_over(Arc::clone(&app), operator, socket) => {}
                // Which hands the call back.
                () = caller.loses_access(&app) => {}
            }
        }
    });
    Ok(response)
}

/// Agents that place calls may work them too: tell, press, transfer. Stepping between agent and caller is for operators.
pub(super) fn may_work(caller: &Caller) -> Result<(), Problem> {
    if caller.may(Scope::CallsWrite) { Ok(()) } else { caller.must(Scope::CallsControl) }
}

/// A call that is not over, by our id or Twilio's.
pub(super) fn live(app: &App, id: &str) -> Result<Arc<LiveCall>, Problem> {
    let found = match id.parse() {
        Ok(id) => app.live.by_id(id),
        Err(_) => app.live.by_sid(&CallSid::new(id)),
    };
    found.filter(|call| !call.is_over()).ok_or_else(|| {
        let detail = "There is no live call with this id: it is over, or never was.";
        Problem::new(StatusCode::NOT_FOUND, "not-live", "The call is not live", detail)
    })
}

pub(super) fn accepted(call: &LiveCall, mut body: Value) -> Response {
    body["call_id"] = call.id.to_string().into();
    (StatusCode::ACCEPTED, Json(body)).into_response()
}

pub(super) fn problem(error: ControlError) -> Problem {
    let text = error.to_string();
    match error {
        ControlError::NotConversing => {
            Problem::new(StatusCode::CONFLICT, "not-conversing", "The call has no open conversation", text)
        }
        ControlError::AtVendor => {
            Problem::new(StatusCode::CONFLICT, "at-vendor", "The audio is at the agent's vendor", text)
        }
        ControlError::Vendor(_) => {
            Problem::new(StatusCode::BAD_GATEWAY, "vendor-refused", "The agent's vendor refused", text)
        }
        ControlError::Stuck => Problem::unavailable(text),
        ControlError::TextLength { .. } => Problem::bad_request(text),
        ControlError::TakenOver { .. } => {
            Problem::new(StatusCode::CONFLICT, "taken-over", "Somebody else has the call", text)
        }
        ControlError::Opening => Problem::new(StatusCode::CONFLICT, "opening", "The disclosure is being said", text),
        ControlError::NoVoice(_) => {
            Problem::new(StatusCode::CONFLICT, "no-voice", "The sentence could not be spoken", text)
        }
        ControlError::Carrier(_) => {
            Problem::new(StatusCode::BAD_GATEWAY, "carrier-refused", "The carrier refused", text)
        }
    }
}

fn recording_problem(error: RecordingError) -> Problem {
    let text = error.to_string();
    let conflict = |kind, title| Problem::new(StatusCode::CONFLICT, kind, title, text.clone());
    match error {
        RecordingError::Control(error) => problem(error),
        RecordingError::NoCarrier => conflict("not-configured", "The server is not set up for recordings"),
        RecordingError::Recording => conflict("recording", "The call is being recorded already"),
        RecordingError::NoticeNeeded { .. } => conflict("notice-needed", "Nothing is recorded without a notice"),
        RecordingError::NoticeNotHeard => conflict("notice-not-heard", "Nothing is recorded without a notice"),
        RecordingError::Journal(error) => Problem::internal(&error),
    }
}
