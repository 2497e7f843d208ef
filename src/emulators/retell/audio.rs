//! The audio WebSocket that Retell retired at the end of 2024, with the registration that went with it. Agents named `agent_BEHAVIOUR`
//! behave like the bots of that name; all others talk.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::{Shared, locked, new_call, refusal};
use crate::emulators::bot::Bot;
use crate::emulators::bot::wire::Personality;
use crate::emulators::upgrade::Handshake;

/// What an agent's name may say of it.
const BEHAVIOURS: [&str; 7] = ["talk", "echo", "silent", "garbage", "hang-up", "drop", "refuse"];

/// `POST /register-call`.
pub(super) async fn register(State(emulation): Shared, Json(wish): Json<Value>) -> Response {
    let fits = matches!(wish["audio_websocket_protocol"].as_str(), Some("twilio" | "web"))
        && wish["audio_encoding"] == "mulaw"
        && wish["sample_rate"] == 8000;
    if !fits {
        let message = "audio_websocket_protocol, audio_encoding and sample_rate are required (here: mulaw at 8000)";
        return refusal(StatusCode::UNPROCESSABLE_ENTITY, message);
    }
    if let Some(refused) = emulation.refused().await {
        return refused;
    }
    new_call(&emulation, &wish, &["audio_websocket_protocol", "audio_encoding", "sample_rate"])
}

/// `GET /audio-websocket/{call_id}`.
pub(super) async fn converse(State(emulation): Shared, Path(call_id): Path<String>, mut request: Request) -> Response {
    let Some(call) = locked(&emulation.calls).get(&call_id).cloned() else {
        return refusal(StatusCode::NOT_FOUND, "Call not found");
    };
    let personality = match call["audio_websocket_protocol"].as_str() {
        Some("twilio") => Personality::TwilioStream,
        Some("web") => Personality::RetellWeb,
        _ => return refusal(StatusCode::BAD_REQUEST, "this call was not registered for the audio WebSocket"),
    };
    let named = call["agent_id"].as_str().and_then(|id| id.strip_prefix("agent_")).unwrap_or_default();
    let behaviour = if BEHAVIOURS.contains(&named) { named } else { "talk" }.to_owned();
    if behaviour == "refuse" {
        return refusal(StatusCode::FORBIDDEN, "this agent takes no calls");
    }
    let handshake = match Handshake::read(&mut request) {
        Ok(handshake) => handshake,
        Err(error) => return (StatusCode::UPGRADE_REQUIRED, error.to_string()).into_response(),
    };
    let (response, socket) = handshake.accept("audio.twilio.com", WebSocketConfig::default());
    emulation.log.record("audio_opened", Some(&call_id), json!({"query": request.uri().query()}));
    let log = emulation.log.clone();
    emulation.tracker.spawn(async move {
        match socket.await {
            Ok(socket) => Bot::new(personality, behaviour, log, socket).run().await,
            Err(error) => tracing::debug!(%error, "an upgrade was not completed"),
        }
    });
    response
}
