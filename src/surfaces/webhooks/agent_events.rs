//! Webhooks of the agent vendors: what they say of a conversation after it, signed with a secret of its own.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};

use crate::app::App;
use crate::protocol::agent::elevenlabs_webhook as webhook;

pub(super) async fn elevenlabs(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Response {
    let secret = &app.config.agents.elevenlabs.webhook_secret;
    if secret.expose().is_empty() {
        let text = "set agents.elevenlabs.webhook_secret to the secret that ElevenLabs showed for this webhook\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    }
    let signature = headers.get(webhook::SIGNATURE_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if let Err(error) = webhook::verify(secret, signature, &body, app.clock.now()) {
        tracing::warn!(%error, "an ElevenLabs webhook was refused");
        return (StatusCode::UNAUTHORIZED, format!("{error}\n")).into_response();
    }
    match webhook::parse(&body) {
        Ok(event) => match app.store_post_call(event, &body).await {
            Ok(()) => StatusCode::OK.into_response(),
            Err(error) => {
                tracing::error!(%error, "a post-call webhook could not be stored");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        },
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}
