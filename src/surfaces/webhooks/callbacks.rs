//! Twilio's callbacks: status, recording, answering machine, stream. Best effort, repeated and out of order, so each is
//! idempotent; all are answered at once with an empty 204.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{RawPathParams, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};

use crate::app::{App, LiveCall};
use crate::domain::{CallEvent, CallId, CallSid};
use crate::protocol::twilio::forms::{AmdForm, FormError, RecordingForm, StatusForm, StreamForm};

use super::signed::SignedForm;

/// Twilio repeats this on a retry of the same delivery.
const IDEMPOTENCY_HEADER: &str = "i-twilio-idempotency-token";

/// Whether this delivery was seen before. A token that cannot be looked up counts as new: handlers are idempotent anyway.
async fn is_repeated(app: &App, headers: &HeaderMap) -> bool {
    let Some(token) = headers.get(IDEMPOTENCY_HEADER).and_then(|value| value.to_str().ok()) else { return false };
    match app.store.first_time(token, app.clock.now()).await {
        Ok(first) => !first,
        Err(error) => {
            tracing::warn!(%error, "an idempotency token could not be looked up");
            false
        }
    }
}

fn bad_form(error: FormError) -> Response {
    (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response()
}

/// The live call of a callback, by Twilio's id or by ours in the path (which may be all that is known so early).
fn live_call(app: &App, sid: &CallSid, path: &RawPathParams) -> Option<Arc<LiveCall>> {
    if let Some(call) = app.live.by_sid(sid) {
        return Some(call);
    }
    let id = path.iter().find(|(name, _)| *name == "call_id").and_then(|(_, id)| id.parse::<CallId>().ok())?;
    let call = app.live.by_id(id)?;
    app.live.bind(sid, &call).then_some(call)
}

/// Our id of a call, also where it is over.
async fn call_id(app: &App, sid: &CallSid, path: &RawPathParams) -> Option<CallId> {
    if let Some(call) = live_call(app, sid, path) {
        return Some(call.id);
    }
    match app.store.call_by_sid(sid).await {
        Ok(call) => call.map(|call| call.id),
        Err(error) => {
            tracing::error!(%error, "a callback's call could not be looked up");
            None
        }
    }
}

fn record(app: &App, call_id: CallId, event: CallEvent) -> Response {
    match app.journal.record(call_id, event) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        // Twilio was asked to retry on a server error.
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

pub(super) async fn status(
    State(app): State<Arc<App>>,
    path: RawPathParams,
    headers: HeaderMap,
    Extension(SignedForm(form)): Extension<SignedForm>,
) -> Response {
    let form = match StatusForm::parse(&form) {
        Ok(form) => form,
        Err(error) => return bad_form(error),
    };
    if is_repeated(&app, &headers).await {
        return StatusCode::NO_CONTENT.into_response();
    }
    let Some(call) = live_call(&app, &form.call_sid, &path) else {
        tracing::debug!(call.sid = %form.call_sid, "a status of a call that is over or not ours");
        return StatusCode::NO_CONTENT.into_response();
    };
    app.adopt_attempt(&call, &form.call_sid).await;
    if let Some(status) = form.status.known {
        app.carrier_status(&call, status, form.sequence, form.sip_code, form.duration_s).await;
    }
    StatusCode::NO_CONTENT.into_response()
}

pub(super) async fn recording(
    State(app): State<Arc<App>>,
    path: RawPathParams,
    headers: HeaderMap,
    Extension(SignedForm(form)): Extension<SignedForm>,
) -> Response {
    let form = match RecordingForm::parse(&form) {
        Ok(form) => form,
        Err(error) => return bad_form(error),
    };
    if is_repeated(&app, &headers).await {
        return StatusCode::NO_CONTENT.into_response();
    }
    let Some(id) = call_id(&app, &form.call_sid, &path).await else { return StatusCode::NO_CONTENT.into_response() };
    let event = CallEvent::RecordingStored {
        recording_sid: form.recording_sid,
        url: form.url.unwrap_or_default(),
        status: form.status.unwrap_or_default(),
        duration_s: form.duration_s,
        channels: form.channels,
    };
    record(&app, id, event)
}

pub(super) async fn amd(
    State(app): State<Arc<App>>,
    path: RawPathParams,
    Extension(SignedForm(form)): Extension<SignedForm>,
) -> Response {
    let form = match AmdForm::parse(&form) {
        Ok(form) => form,
        Err(error) => return bad_form(error),
    };
    if let (Some(call), Some(answered_by)) = (live_call(&app, &form.call_sid, &path), form.answered_by.known) {
        app.answered_by(&call, answered_by, form.detection_ms).await;
    }
    StatusCode::NO_CONTENT.into_response()
}

/// Tells why a stream did not come about: our own handler never ran then.
pub(super) async fn stream(Extension(SignedForm(form)): Extension<SignedForm>) -> Response {
    match StreamForm::parse(&form) {
        Ok(form) => {
            if let Some(error) = &form.error {
                tracing::warn!(call.sid = %form.call_sid, error, "Twilio reports trouble with a stream");
            } else {
                tracing::debug!(call.sid = %form.call_sid, event = ?form.event, "stream callback");
            }
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => bad_form(error),
    }
}
