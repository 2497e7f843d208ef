//! `GET /agents/retell/llm/{secret}/{call_id}`: Retell opens its custom-LLM WebSocket. It sends no credentials, so the path has a secret.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use subtle::ConstantTimeEq as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::app::App;
use crate::surfaces::upgrade::Upgrade;

/// The longest message, in bytes: the words of an hour with their times.
const MESSAGE_LIMIT: usize = 8 << 20;

pub(super) async fn converse(
    State(app): State<Arc<App>>,
    Path((secret, call_id)): Path<(String, String)>,
    request: Request,
) -> Response {
    let wanted = app.config.agents.retell.llm.secret.expose().as_bytes();
    let is_right = bool::from(wanted.ct_eq(secret.as_bytes()));
    let Some(chat) = app.chat.clone().filter(|_| is_right) else {
        tracing::warn!("an LLM socket was refused: agents.retell.llm.secret is another, or not set");
        return StatusCode::NOT_FOUND.into_response();
    };
    let Some(call) = app.call_at_retell(&call_id) else {
        tracing::warn!("an LLM socket was refused: no live call is at Retell under its id");
        return (StatusCode::NOT_FOUND, "no call of this server's is at Retell under this id\n").into_response();
    };
    let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_LIMIT)).max_frame_size(Some(MESSAGE_LIMIT));
    let (upgrade, response) = match Upgrade::accept(request, config) {
        Ok(accepted) => accepted,
        Err(refusal) => return refusal,
    };
    let tracker = app.tracker.clone();
    tracker.spawn(async move {
        match upgrade.socket().await {
            Ok(socket) => app.run_llm_socket(&call, chat, socket).await,
            Err(error) => tracing::debug!(%error, "an LLM socket broke in its handshake"),
        }
    });
    response
}
