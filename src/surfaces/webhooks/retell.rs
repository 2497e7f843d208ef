//! Retell's webhooks, signed with the API key, and the carrier's word on the end of a call that was handed over.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri};

use crate::app::App;
use crate::domain::CallId;
use crate::protocol::agent::retell::{SIGNATURE_HEADER, parse_webhook, verify};
use crate::protocol::twilio::forms::DialActionForm;
use crate::protocol::twilio::twiml::{HangUp, render};

use super::deliveries;
use super::signed::SignedForm;
use super::voice::document;

/// The longest body, in bytes: an hour's transcript, twice (with and without tool calls), with the times of its words.
pub(super) const BODY_LIMIT: usize = 8 << 20;

pub(super) async fn event(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Response {
    let key = &app.config.agents.retell.api_key;
    if key.expose().is_empty() {
        let text = "set agents.retell.api_key (RETELL_API_KEY): Retell signs its webhooks with it\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    }
    let signature = headers.get(SIGNATURE_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if let Err(error) = verify(key, signature, &body, app.clock.now()) {
        tracing::warn!(%error, "a Retell webhook was refused");
        return (StatusCode::UNAUTHORIZED, format!("{error}\n")).into_response();
    }
    let webhook = match parse_webhook(&body) {
        Ok(webhook) => webhook,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    match app.retell_told(webhook, &body).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => {
            tracing::error!(%error, "a Retell webhook could not be stored");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// `<Dial action>` of a call that was handed over.
pub(super) async fn hand_over_ended(
    State(app): State<Arc<App>>,
    Path(call_id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    Extension(SignedForm(form)): Extension<SignedForm>,
) -> Response {
    let delivery = deliveries::delivery(&headers, uri.path(), &form);
    let form = match DialActionForm::parse(&form) {
        Ok(form) => form,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let call = call_id.parse::<CallId>().ok().and_then(|id| app.live.by_id(id));
    match call.filter(|call| !call.is_over() && call.sid() == Some(&form.call_sid)) {
        Some(call) => document(app.hand_over_ended(&call, form.dial_status.known, delivery).await),
        None => document(render(&HangUp)),
    }
}
