//! The voice and resume webhooks: Twilio asks what to do with a call and is answered with a document.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, RawPathParams, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri, header};
use serde::Deserialize;

use crate::app::{AnswerOrder, App};
use crate::domain::{AgentRef, CallId, Party};
use crate::protocol::twilio::forms::VoiceForm;
use crate::protocol::twilio::twiml::{HangUp, render};

use super::signed::SignedForm;
use super::{callbacks, deliveries};

#[derive(Debug, Deserialize)]
pub(super) struct VoiceQuery {
    #[serde(rename = "agentId")]
    agent_id: Option<String>,
}

/// An inbound call, or a replay of its webhook.
pub(super) async fn voice(
    State(app): State<Arc<App>>,
    Query(query): Query<VoiceQuery>,
    Extension(SignedForm(form)): Extension<SignedForm>,
) -> Response {
    let form = match VoiceForm::parse(&form) {
        Ok(form) => form,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let agent = match query.agent_id.as_deref().map(str::parse::<AgentRef>).transpose() {
        Ok(agent) => agent,
        Err(error) => {
            tracing::warn!(call.sid = %form.call_sid, %error, "the voice URL's agentId names no agent");
            return document(app.apology_document());
        }
    };
    let order = AnswerOrder {
        call_sid: form.call_sid,
        from: form.from.unwrap_or_else(|| Party::from("unknown")),
        to: form.to.unwrap_or_else(|| Party::from("unknown")),
        agent,
    };
    match app.answer_inbound(order).await {
        Ok(xml) => document(xml),
        Err(error) => {
            tracing::error!(%error, "an inbound call could not be written down");
            document(app.apology_document())
        }
    }
}

/// A call that we placed was picked up.
pub(super) async fn voice_of_call(
    State(app): State<Arc<App>>,
    Path(call_id): Path<String>,
    Extension(SignedForm(form)): Extension<SignedForm>,
) -> Response {
    let form = match VoiceForm::parse(&form) {
        Ok(form) => form,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let answered = match call_id.parse::<CallId>() {
        Ok(id) => app.answer_outbound(id, &form.call_sid).await,
        Err(_) => None,
    };
    if let Some(xml) = answered {
        document(xml)
    } else {
        tracing::warn!(call.sid = %form.call_sid, "a webhook for a call that is over or was never ours");
        document(render(&HangUp))
    }
}

/// What comes after a stream.
pub(super) async fn resume(
    State(app): State<Arc<App>>,
    path: RawPathParams,
    uri: Uri,
    headers: HeaderMap,
    Extension(SignedForm(form)): Extension<SignedForm>,
) -> Response {
    let delivery = deliveries::delivery(&headers, uri.path(), &form);
    let form = match VoiceForm::parse(&form) {
        Ok(form) => form,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    // After a restart our own id may be all that is known of a call.
    match callbacks::live_call(&app, &form.call_sid, &path) {
        Some(call) => {
            app.adopt_attempt(&call, &form.call_sid).await;
            document(app.resume(&call, delivery).await)
        }
        None => document(render(&HangUp)),
    }
}

pub(super) fn document(xml: String) -> Response {
    ([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], xml).into_response()
}
