//! Twilio's callbacks: status, recording, answering machine, stream. Best effort, repeated and out of order, so each is
//! idempotent by what it says; a delivery that was done with is known by its token too, and is not looked at again.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{RawPathParams, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::app::{App, LiveCall};
use crate::domain::{Call, CallEvent, CallId, CallSid};
use crate::protocol::twilio::forms::{AmdForm, FormError, RecordingForm, StatusForm, StreamForm};
use crate::store::StoreError;

use super::signed::SignedForm;

/// Twilio was asked to retry on a server error.
fn try_again(error: &dyn std::error::Error) -> Response {
    tracing::error!(error = %error, "a callback could not be written down");
    (StatusCode::SERVICE_UNAVAILABLE, "try again\n").into_response()
}

fn bad_form(error: FormError) -> Response {
    (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response()
}

/// The live call of a webhook, by Twilio's id or by ours in the path (which may be all that is known so early).
pub(super) fn live_call(app: &App, sid: &CallSid, path: &RawPathParams) -> Option<Arc<LiveCall>> {
    if let Some(call) = app.live.by_sid(sid) {
        return Some(call);
    }
    let id = path.iter().find(|(name, _)| *name == "call_id").and_then(|(_, id)| id.parse::<CallId>().ok())?;
    let call = app.live.by_id(id)?;
    app.live.bind(sid, &call).then_some(call)
}

/// The record of a callback's call, also where the call is over.
async fn call_record(app: &App, sid: &CallSid, path: &RawPathParams) -> Result<Option<Call>, StoreError> {
    if let Some(call) = live_call(app, sid, path) {
        return Ok(Some(call.record()));
    }
    app.store.call_by_sid(sid).await
}

pub(super) async fn status(
    State(app): State<Arc<App>>,
    path: RawPathParams,
    Extension(SignedForm(form)): Extension<SignedForm>,
) -> Response {
    let form = match StatusForm::parse(&form) {
        Ok(form) => form,
        Err(error) => return bad_form(error),
    };
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
    Extension(SignedForm(form)): Extension<SignedForm>,
) -> Response {
    let form = match RecordingForm::parse(&form) {
        Ok(form) => form,
        Err(error) => return bad_form(error),
    };
    let call = match call_record(&app, &form.call_sid, &path).await {
        Ok(Some(call)) => call,
        Ok(None) => return StatusCode::NO_CONTENT.into_response(),
        Err(error) => return try_again(&error),
    };
    let status = form.status.unwrap_or_default();
    if call.recordings.iter().any(|kept| kept.sid == form.recording_sid && kept.status == status) {
        return StatusCode::NO_CONTENT.into_response();
    }
    let event = CallEvent::RecordingStored {
        recording_sid: form.recording_sid,
        url: form.url.unwrap_or_default(),
        status,
        duration_s: form.duration_s,
        channels: form.channels,
    };
    match app.journal.record_durably(call.id, event).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => try_again(&error),
    }
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
    let (Some(call), Some(answered_by)) = (live_call(&app, &form.call_sid, &path), form.answered_by.known) else {
        return StatusCode::NO_CONTENT.into_response();
    };
    match app.answered_by(&call, answered_by, form.detection_ms).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => try_again(&error),
    }
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
