//! Where Twilio and the agents speak to us. Every request of Twilio's is signed; the signature is checked before anything is read.

mod agent_events;
mod callbacks;
mod deliveries;
mod media;
mod retell;
mod retell_llm;
mod signed;
mod transfers;
mod voice;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, post};
use axum::{Extension, Router};

use crate::app::App;

/// Twilio's forms are a few kilobytes.
const FORM_LIMIT: usize = 64 * 1024;

pub(super) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    let callbacks = Router::new()
        .route("/webhooks/status-callback", any(callbacks::status))
        .route("/webhooks/status-callback/{call_id}", any(callbacks::status))
        .route("/webhooks/recording-callback", any(callbacks::recording))
        .route("/webhooks/recording-callback/{call_id}", any(callbacks::recording))
        .route("/webhooks/amd-callback", any(callbacks::amd))
        .route("/webhooks/amd-callback/{call_id}", any(callbacks::amd))
        .route("/webhooks/stream-callback", any(callbacks::stream))
        .route("/webhooks/stream-callback/{call_id}", any(callbacks::stream))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(app), deliveries::once));
    let carrier = Router::new()
        .route("/webhooks/voice", any(voice::voice))
        .route("/webhooks/voice/{call_id}", any(voice::voice_of_call))
        .route("/webhooks/conversation-relay", any(voice::voice))
        .route("/webhooks/resume", any(voice::resume))
        .route("/webhooks/resume/{call_id}", any(voice::resume))
        .route("/webhooks/transfer/{call_id}", any(transfers::ended))
        .route("/webhooks/transfer-answered/{call_id}", any(transfers::answered))
        .route("/webhooks/briefing/{call_id}", any(transfers::briefing))
        .route("/webhooks/briefing-answer/{call_id}", any(transfers::briefing_answer))
        .route("/webhooks/hand-over/{call_id}", any(retell::hand_over_ended))
        .merge(callbacks)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(app), signed::require_signature))
        .layer(DefaultBodyLimit::max(FORM_LIMIT));
    let agents = Router::new()
        .route("/webhooks/elevenlabs", post(agent_events::elevenlabs))
        .layer(Extension(agent_events::Places::default()))
        .route("/webhooks/retell", post(retell::event).layer(DefaultBodyLimit::max(retell::BODY_LIMIT)))
        .route("/agents/retell/llm/{secret}/{call_id}", get(retell_llm::converse));
    carrier.merge(agents).route("/media", get(media::media))
}
