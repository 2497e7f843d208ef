//! `/_emulator/…`: what the vendor does not have. Faults, the log, scripts of agents, where post-call webhooks go.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Json;
use axum::routing::{get, post};
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::config::WebhookConfig;
use super::rest::{Query, Shared};
use super::script::Script;
use super::{ElevenLabsFaults, Emulation, locked};

type Refusal = (StatusCode, Json<Value>);

pub(super) fn router() -> Router<Arc<Emulation>> {
    Router::new()
        .route("/_emulator/faults", get(show_faults).post(set_faults))
        .route("/_emulator/log", get(show_log))
        .route("/_emulator/reset", post(reset))
        .route("/_emulator/scripts", post(set_script))
        .route("/_emulator/webhook", post(set_webhook))
}

async fn show_faults(State(emulation): Shared) -> Json<ElevenLabsFaults> {
    Json(locked(&emulation.faults).clone())
}

/// Replaces all faults: what is not named is off.
async fn set_faults(State(emulation): Shared, body: Bytes) -> Result<Json<ElevenLabsFaults>, Refusal> {
    let faults: ElevenLabsFaults = read(&body)?;
    locked(&emulation.faults).clone_from(&faults);
    Ok(Json(faults))
}

async fn show_log(State(emulation): Shared, uri: http::Uri) -> Json<Value> {
    let since = Query::of(&uri).value("since").and_then(|text| text.parse().ok()).unwrap_or(0);
    Json(json!(emulation.log.since(since)))
}

/// Forgets the log and the faults. Conversations go on.
async fn reset(State(emulation): Shared) -> StatusCode {
    *locked(&emulation.faults) = ElevenLabsFaults::default();
    emulation.log.clear();
    StatusCode::NO_CONTENT
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetScript {
    agent_id: String,
    script: String,
}

async fn set_script(State(emulation): Shared, body: Bytes) -> Result<StatusCode, Refusal> {
    let wish: SetScript = read(&body)?;
    let script = Script::parse(&wish.script).map_err(|error| refuse(&error.to_string()))?;
    let mut agents = locked(&emulation.agents);
    let agent = agents.get_mut(&wish.agent_id).ok_or_else(|| refuse("no such agent"))?;
    agent.script = script;
    Ok(StatusCode::NO_CONTENT)
}

/// `{"url", "secret"}`, or `null` for none.
async fn set_webhook(State(emulation): Shared, body: Bytes) -> Result<StatusCode, Refusal> {
    *locked(&emulation.webhook) = read::<Option<WebhookConfig>>(&body)?;
    Ok(StatusCode::NO_CONTENT)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| refuse(&error.to_string()))
}

fn refuse(why: &str) -> Refusal {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": why })))
}
