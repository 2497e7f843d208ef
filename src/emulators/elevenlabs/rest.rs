//! The REST API: signed URLs, agents, voices, conversations; and the emulator's own controls.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::config::{AgentFaults, ElevenLabsEmulatorConfig};
use super::{World, lock, socket};

/// Voices of the library, as id and name.
const VOICES: [(&str, &str); 3] =
    [("cjVigY5qzO86Huf0OWal", "Eric"), ("21m00Tcm4TlvDq8ikWAM", "Rachel"), ("EXAVITQu4vr4xnSDxMaL", "Sarah")];

pub(super) fn router(world: Arc<World>) -> Router {
    let api = Router::new()
        .route("/v1/convai/conversation/get-signed-url", get(signed_url))
        .route("/v1/convai/conversation/get_signed_url", get(signed_url))
        .route("/v1/convai/agents/create", post(create_agent))
        .route("/v1/convai/agents", get(list_agents))
        .route("/v1/convai/agents/{id}", get(fetch_agent).patch(update_agent).delete(delete_agent))
        .route("/v2/voices", get(list_voices))
        .route("/v1/voices/{id}", get(fetch_voice))
        .route("/v1/convai/conversations", get(list_conversations))
        .route("/v1/convai/conversations/{id}", get(fetch_conversation))
        .layer(from_fn_with_state(Arc::clone(&world), require_key));
    Router::new()
        .route("/v1/convai/conversation", get(socket::conversation))
        .route("/_emulator/log", get(async |State(world): State<Arc<World>>| Json(world.log.since(0))))
        .route("/_emulator/faults", post(set_faults))
        .route("/_emulator/reset", post(reset))
        .merge(api)
        .layer(DefaultBodyLimit::max(1024 * 1024))
        .with_state(world)
}

/// The vendor's newer error shape.
fn failure(status: StatusCode, kind: &str, message: &str) -> Response {
    let detail = json!({"type": kind, "code": kind, "message": message, "status": kind,
        "request_id": Uuid::new_v4().simple().to_string(), "param": null});
    (status, Json(json!({ "detail": detail }))).into_response()
}

fn not_found(what: &str) -> Response {
    failure(StatusCode::NOT_FOUND, "not_found", &format!("{what} was not found"))
}

/// A field that is missing or of the wrong kind: 422 in the shape of the vendor's framework.
fn invalid(place: &[&str], message: &str) -> Response {
    let body = json!({"detail": [{"loc": place, "msg": message, "type": "value_error"}]});
    (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
}

async fn require_key(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    world.log.record("request", None, json!({"method": request.method().as_str(), "path": request.uri().path()}));
    if let Some(key) = &world.config.api_key
        && request.headers().get("xi-api-key").is_none_or(|given| given.as_bytes() != key.expose().as_bytes())
    {
        return failure(StatusCode::UNAUTHORIZED, "invalid_api_key", "Invalid API key");
    }
    next.run(request).await
}

#[derive(Deserialize)]
struct AgentQuery {
    agent_id: Option<String>,
}

async fn signed_url(State(world): State<Arc<World>>, Query(query): Query<AgentQuery>) -> Response {
    let Some(agent) = query.agent_id else { return invalid(&["query", "agent_id"], "Field required") };
    if !lock(&world.agents).contains_key(&agent) {
        return not_found("The agent");
    }
    let signature = Uuid::new_v4().simple().to_string();
    lock(&world.signatures).insert(signature.clone(), (agent.clone(), world.config.clock.now()));
    let url = format!("ws://{}/v1/convai/conversation?agent_id={agent}&conversation_signature={signature}", world.base);
    Json(json!({ "signed_url": url })).into_response()
}

/// The configured agents as resources.
pub(super) fn agent_resources(config: &ElevenLabsEmulatorConfig) -> BTreeMap<String, Value> {
    let agents = config.agents.iter().map(|(id, agent)| {
        let format = agent.format.as_str();
        let body = json!({
            "name": agent.name,
            "conversation_config": {
                "asr": {"user_input_audio_format": format},
                "tts": {"agent_output_audio_format": format, "voice_id": VOICES[0].0},
                "conversation": {"client_events": ["conversation_initiation_metadata", "ping", "audio", "interruption",
                    "user_transcript", "agent_response", "agent_response_correction", "client_tool_call",
                    "agent_tool_response", "agent_response_complete"]},
            },
            "platform_settings": {"auth": {"enable_auth": agent.is_private}},
        });
        (id.clone(), with_id(id, body, config))
    });
    agents.collect()
}

fn with_id(id: &str, mut body: Value, config: &ElevenLabsEmulatorConfig) -> Value {
    let created = config.clock.now().as_second();
    body["agent_id"] = id.into();
    body["metadata"] = json!({"created_at_unix_secs": created, "updated_at_unix_secs": created});
    if body["name"].is_null() {
        body["name"] = "New agent".into();
    }
    for section in ["conversation_config", "platform_settings"] {
        if body[section].is_null() {
            body[section] = json!({});
        }
    }
    body
}

fn parse_object(body: &[u8]) -> Result<Value, Response> {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) if value.is_object() => Ok(value),
        _ => Err(invalid(&["body"], "Input should be a valid dictionary")),
    }
}

async fn create_agent(State(world): State<Arc<World>>, body: Bytes) -> Response {
    let body = match parse_object(&body) {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    if !body["conversation_config"].is_object() {
        return invalid(&["body", "conversation_config"], "Field required");
    }
    let id = format!("agent_{}", Uuid::new_v4().simple());
    let resource = with_id(&id, body, &world.config);
    lock(&world.agents).insert(id.clone(), resource);
    Json(json!({ "agent_id": id })).into_response()
}

#[derive(Deserialize)]
struct ListQuery {
    search: Option<String>,
}

async fn list_agents(State(world): State<Arc<World>>, Query(query): Query<ListQuery>) -> Response {
    let wanted = query.search.unwrap_or_default().to_lowercase();
    let agents: Vec<_> = lock(&world.agents)
        .values()
        .filter(|agent| agent["name"].as_str().unwrap_or_default().to_lowercase().contains(&wanted))
        .map(|agent| {
            json!({"agent_id": agent["agent_id"], "name": agent["name"], "tags": [],
                "created_at_unix_secs": agent["metadata"]["created_at_unix_secs"],
                "access_info": {"is_creator": true, "creator_name": "emulator", "creator_email": "emulator@example.com",
                    "role": "admin"},
                "archived": false})
        })
        .collect();
    Json(json!({"agents": agents, "next_cursor": null, "has_more": false})).into_response()
}

async fn fetch_agent(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response {
    let found = lock(&world.agents).get(&id).cloned();
    found.map_or_else(|| not_found("The agent"), |agent| Json(agent).into_response())
}

async fn update_agent(State(world): State<Arc<World>>, Path(id): Path<String>, body: Bytes) -> Response {
    let change = match parse_object(&body) {
        Ok(change) => change,
        Err(refusal) => return refusal,
    };
    let mut agents = lock(&world.agents);
    let Some(agent) = agents.get_mut(&id) else { return not_found("The agent") };
    merge(agent, change);
    agent["agent_id"] = id.into();
    Json(agent.clone()).into_response()
}

async fn delete_agent(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response {
    match lock(&world.agents).remove(&id) {
        Some(_) => StatusCode::OK.into_response(),
        None => not_found("The agent"),
    }
}

/// A deep merge, as PATCH does it.
fn merge(target: &mut Value, change: Value) {
    match (target, change) {
        (Value::Object(target), Value::Object(change)) => {
            for (key, value) in change {
                merge(target.entry(key).or_insert(Value::Null), value);
            }
        }
        (target, change) => *target = change,
    }
}

fn voice(id: &str, name: &str) -> Value {
    json!({"voice_id": id, "name": name, "category": "premade", "labels": {"language": "en"},
        "description": "A voice of the emulator", "preview_url": null, "settings": null})
}

async fn list_voices(Query(query): Query<ListQuery>) -> Response {
    let wanted = query.search.unwrap_or_default().to_lowercase();
    let voices: Vec<_> = VOICES
        .iter()
        .filter(|(_, name)| name.to_lowercase().contains(&wanted))
        .map(|(id, name)| voice(id, name))
        .collect();
    let count = voices.len();
    Json(json!({"voices": voices, "has_more": false, "total_count": count, "next_page_token": null})).into_response()
}

async fn fetch_voice(Path(id): Path<String>) -> Response {
    let found = VOICES.iter().find(|(known, _)| *known == id);
    found.map_or_else(|| not_found("The voice"), |(id, name)| Json(voice(id, name)).into_response())
}

async fn list_conversations(State(world): State<Arc<World>>) -> Response {
    let conversations: Vec<_> = lock(&world.conversations)
        .values()
        .map(|conversation| {
            json!({"agent_id": conversation["agent_id"], "conversation_id": conversation["conversation_id"],
                "status": conversation["status"], "call_successful": "success", "message_count": 0,
                "start_time_unix_secs": conversation["metadata"]["start_time_unix_secs"],
                "call_duration_secs": conversation["metadata"]["call_duration_secs"]})
        })
        .collect();
    Json(json!({"conversations": conversations, "next_cursor": null, "has_more": false})).into_response()
}

async fn fetch_conversation(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response {
    let found = lock(&world.conversations).get(&id).cloned();
    found.map_or_else(|| not_found("The conversation"), |conversation| Json(conversation).into_response())
}

async fn set_faults(State(world): State<Arc<World>>, body: Bytes) -> Response {
    match serde_json::from_slice::<AgentFaults>(&body) {
        Ok(faults) => {
            *lock(&world.faults) = faults;
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

async fn reset(State(world): State<Arc<World>>) -> StatusCode {
    world.log.clear();
    *lock(&world.faults) = AgentFaults::default();
    StatusCode::NO_CONTENT
}
