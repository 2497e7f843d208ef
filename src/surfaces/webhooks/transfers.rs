//! The webhooks of a transfer: the other leg picks up, hears its briefing, takes the call or not, ends. Those of the other leg come
//! under its own id, so the call is known by ours in the path alone.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri};

use crate::app::{App, LegEnded, LiveCall};
use crate::domain::CallId;
use crate::protocol::twilio::forms::{DialActionForm, FormError, StatusForm, VoiceForm};
use crate::protocol::twilio::twiml::{HangUp, render};

use super::deliveries;
use super::signed::SignedForm;
use super::voice::document;

/// `<Dial action>`: how does the call go on?
pub(super) async fn ended(
    State(app): State<Arc<App>>,
    Path(call_id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    Extension(SignedForm(form)): Extension<SignedForm>,
) -> Response {
    let delivery = deliveries::delivery(&headers, uri.path(), &form);
    let form = match DialActionForm::parse(&form) {
        Ok(form) => form,
        Err(error) => return bad_form(error),
    };
    let Some(call) = live(&app, &call_id).filter(|call| call.sid() == Some(&form.call_sid)) else {
        return document(render(&HangUp));
    };
    let leg = LegEnded { status: form.dial_status.known, bridged: form.bridged, call_sid: form.dial_call_sid };
    document(app.transfer_ended(&call, leg, delivery).await)
}

/// The other leg picked up.
pub(super) async fn answered(
    State(app): State<Arc<App>>,
    Path(call_id): Path<String>,
    Extension(SignedForm(form)): Extension<SignedForm>,
) -> Response {
    let form = match StatusForm::parse(&form) {
        Ok(form) => form,
        Err(error) => return bad_form(error),
    };
    if let Some(call) = live(&app, &call_id) {
        app.transfer_answered(&call, &form.call_sid).await;
    }
    StatusCode::NO_CONTENT.into_response()
}

/// What does the other leg hear first?
pub(super) async fn briefing(State(app): State<Arc<App>>, Path(call_id): Path<String>) -> Response {
    match live(&app, &call_id) {
        Some(call) => document(app.brief(&call).await),
        None => document(render(&HangUp)),
    }
}

/// A key was pressed after the briefing.
pub(super) async fn briefing_answer(
    State(app): State<Arc<App>>,
    Path(call_id): Path<String>,
    Extension(SignedForm(form)): Extension<SignedForm>,
) -> Response {
    let form = match VoiceForm::parse(&form) {
        Ok(form) => form,
        Err(error) => return bad_form(error),
    };
    match live(&app, &call_id) {
        Some(call) => document(app.briefing_answered(&call, form.digits.as_deref()).await),
        None => document(render(&HangUp)),
    }
}

fn live(app: &App, call_id: &str) -> Option<Arc<LiveCall>> {
    app.live.by_id(call_id.parse::<CallId>().ok()?).filter(|call| !call.is_over())
}

fn bad_form(error: FormError) -> Response {
    (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response()
}
