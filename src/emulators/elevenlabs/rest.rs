//! The REST API: agents, voices, conversations, signed URLs, and the vendor's shapes of errors.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode};
use jiff::ToSpan as _;
use serde_json::{Value, json};

use super::agents::Agent;
use super::faults::take_one;
use super::script::ScriptError;
use super::{Emulation, SignedUrl, control, locked, new_id, upgrade, voices};
use crate::emulators::speech::{self, Voice};

pub(super) type Shared = State<Arc<Emulation>>;

/// An error as the API tells it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ApiError {
    /// The newer shape, an object with type, code and message.
    Detail { http: StatusCode, kind: &'static str, code: &'static str, message: String },
    /// The shape of a validation error, 422.
    Invalid { loc: Vec<&'static str>, message: String, kind: &'static str },
}

impl ApiError {
    pub(super) fn not_found(code: &'static str, message: &str) -> Self {
        Self::Detail { http: StatusCode::NOT_FOUND, kind: "not_found", code, message: message.to_owned() }
    }

    fn agent_not_found(id: &str) -> Self {
        Self::not_found("agent_not_found", &format!("Agent with id {id} not found"))
    }

    fn missing(place: &'static str, field: &'static str) -> Self {
        Self::Invalid { loc: vec![place, field], message: "Field required".to_owned(), kind: "missing" }
    }
}

impl From<ScriptError> for ApiError {
    fn from(error: ScriptError) -> Self {
        Self::Invalid { loc: vec!["body", "tags"], message: error.to_string(), kind: "value_error" }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::Detail { http, kind, code, message } => {
                let detail = json!({"type": kind, "code": code, "message": message, "status": code,
                                    "request_id": new_id("req"), "param": null});
                (http, Json(json!({ "detail": detail }))).into_response()
            }
            Self::Invalid { loc, message, kind } => {
                let detail = json!([{"loc": loc, "msg": message, "type": kind}]);
                (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "detail": detail }))).into_response()
            }
        }
    }
}

pub(super) fn router(emulation: Arc<Emulation>) -> Router {
    let guarded = Router::new()
        .route("/v1/convai/conversation/get-signed-url", get(signed_url))
        .route("/v1/convai/conversation/get_signed_url", get(signed_url))
        .route("/v1/convai/agents/create", axum::routing::post(create_agent))
        .route("/v1/convai/agents", get(list_agents))
        .route("/v1/convai/agents/{id}", get(show_agent).patch(change_agent).delete(delete_agent))
        .route("/v1/convai/conversations", get(list_conversations))
        .route("/v1/convai/conversations/{id}", get(show_conversation).delete(delete_conversation))
        .route("/v2/voices", get(list_voices))
        .route("/v1/voices", get(list_all_voices))
        .route("/v1/voices/{id}", get(show_voice))
        .route("/v1/text-to-speech/{voice_id}/stream", axum::routing::post(speak))
        .route("/v1/user", get(user))
        .route("/v1/user/subscription", get(subscription))
        .fallback(async || ApiError::not_found("not_found", "Not Found"))
        .layer(middleware::from_fn_with_state(Arc::clone(&emulation), guard));
    guarded
        .merge(Router::new().route("/v1/convai/conversation", get(upgrade::converse)))
        .merge(control::router())
        .layer(DefaultBodyLimit::max(1024 * 1024))
        .with_state(emulation)
}

/// Logs each request and asks for the key.
async fn guard(State(emulation): Shared, headers: HeaderMap, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let known = headers.get("xi-api-key").is_some_and(|key| key.as_bytes() == emulation.api_key.expose().as_bytes());
    let limited = take_one(&mut locked(&emulation.faults).rate_limit_requests);
    let response = if !known {
        let message = "Invalid API key".to_owned();
        ApiError::Detail {
            http: StatusCode::UNAUTHORIZED,
            kind: "authentication_error",
            code: "invalid_api_key",
            message,
        }
        .into_response()
    } else if limited {
        let message = "Too many concurrent requests".to_owned();
        let code = "too_many_concurrent_requests";
        ApiError::Detail { http: StatusCode::TOO_MANY_REQUESTS, kind: "rate_limit_error", code, message }
            .into_response()
    } else {
        next.run(request).await
    };
    emulation.log.record(
        "request",
        None,
        json!({"method": method, "path": path, "status": response.status().as_u16()}),
    );
    response
}

/// The parameters of a query string.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(uri: &http::Uri) -> Self {
        Self(serde_urlencoded::from_str(uri.query().unwrap_or_default()).unwrap_or_default())
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }
}

async fn signed_url(State(emulation): Shared, headers: HeaderMap, uri: http::Uri) -> Result<Json<Value>, ApiError> {
    let query = Query::of(&uri);
    let agent_id = query.value("agent_id").ok_or_else(|| ApiError::missing("query", "agent_id"))?;
    if !locked(&emulation.agents).contains_key(agent_id) {
        return Err(ApiError::agent_not_found(agent_id));
    }
    let conversation_id = (query.value("include_conversation_id") == Some("true")).then(|| new_id("conv"));
    let now = emulation.clock.now();
    let signature = new_id("cvtkn");
    let url = SignedUrl {
        agent_id: agent_id.to_owned(),
        expires: now + 15.minutes(),
        conversation_id: conversation_id.clone(),
    };
    let mut urls = locked(&emulation.signed_urls);
    urls.retain(|_, url| url.expires > now);
    urls.insert(signature.clone(), url);
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
    let conversation = conversation_id.map(|id| format!("&conversation_id={id}")).unwrap_or_default();
    let url = format!(
        "ws://{host}/v1/convai/conversation?agent_id={agent_id}&conversation_signature={signature}{conversation}"
    );
    Ok(Json(json!({ "signed_url": url })))
}

fn read_object(body: &[u8]) -> Result<Value, ApiError> {
    let value: Value = serde_json::from_slice(body).map_err(|error| ApiError::Invalid {
        loc: vec!["body"],
        message: format!("JSON decode error: {error}"),
        kind: "json_invalid",
    })?;
    let kind = "model_attributes_type";
    let message = "Input should be a valid dictionary".to_owned();
    if value.is_object() { Ok(value) } else { Err(ApiError::Invalid { loc: vec!["body"], message, kind }) }
}

async fn create_agent(State(emulation): Shared, body: Bytes) -> Result<Json<Value>, ApiError> {
    let body = read_object(&body)?;
    if !body.get("conversation_config").is_some_and(Value::is_object) {
        return Err(ApiError::missing("body", "conversation_config"));
    }
    let id = new_id("agent");
    let agent = Agent::create(id.clone(), &body, emulation.clock.now())?;
    locked(&emulation.agents).insert(id.clone(), agent);
    Ok(Json(json!({ "agent_id": id })))
}

async fn list_agents(State(emulation): Shared, uri: http::Uri) -> Json<Value> {
    let query = Query::of(&uri);
    let search = query.value("search").unwrap_or_default().to_lowercase();
    let agents = locked(&emulation.agents);
    let found = agents.values().filter(|agent| agent.name.to_lowercase().contains(&search)).map(Agent::to_summary);
    Json(page("agents", found.collect(), &query, "cursor", "next_cursor", 30))
}

async fn show_agent(State(emulation): Shared, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let agents = locked(&emulation.agents);
    let agent = agents.get(&id).ok_or_else(|| ApiError::agent_not_found(&id))?;
    Ok(Json(agent.to_json()))
}

async fn change_agent(State(emulation): Shared, Path(id): Path<String>, body: Bytes) -> Result<Json<Value>, ApiError> {
    let body = read_object(&body)?;
    let mut agents = locked(&emulation.agents);
    let agent = agents.get_mut(&id).ok_or_else(|| ApiError::agent_not_found(&id))?;
    agent.update(&body, emulation.clock.now())?;
    Ok(Json(agent.to_json()))
}

async fn delete_agent(State(emulation): Shared, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    locked(&emulation.agents).remove(&id).ok_or_else(|| ApiError::agent_not_found(&id))?;
    Ok(Json(json!({})))
}

async fn list_conversations(State(emulation): Shared, uri: http::Uri) -> Json<Value> {
    let query = Query::of(&uri);
    let agent = query.value("agent_id");
    let records = emulation.records.all();
    let found = records.iter().filter(|record| agent.is_none_or(|agent| agent == record.agent_id));
    Json(page(
        "conversations",
        found.map(super::records::Record::to_summary).collect(),
        &query,
        "cursor",
        "next_cursor",
        30,
    ))
}

async fn show_conversation(State(emulation): Shared, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let record = emulation.records.find(&id);
    let missing = || ApiError::not_found("conversation_not_found", &format!("Conversation with id {id} not found"));
    record.map(|record| Json(record.to_json())).ok_or_else(missing)
}

async fn delete_conversation(State(emulation): Shared, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    if emulation.records.remove(&id) {
        return Ok(Json(json!({})));
    }
    Err(ApiError::not_found("conversation_not_found", &format!("Conversation with id {id} not found")))
}

async fn list_voices(uri: http::Uri) -> Json<Value> {
    let query = Query::of(&uri);
    let search = query.value("search").unwrap_or_default().to_lowercase();
    let named = |voice: &Value| voice["name"].as_str().unwrap_or_default().to_lowercase().contains(&search);
    let found: Vec<Value> = voices::all().into_iter().filter(named).collect();
    let total = found.len();
    let mut page = page("voices", found, &query, "next_page_token", "next_page_token", 10);
    page["total_count"] = total.into();
    Json(page)
}

async fn list_all_voices() -> Json<Value> {
    Json(json!({"voices": voices::all()}))
}

async fn show_voice(Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let voice = voices::all().into_iter().find(|voice| voice["voice_id"] == json!(id));
    let missing =
        || ApiError::not_found("voice_not_found", &format!("A voice with the voice_id '{id}' was not found."));
    voice.map(Json).ok_or_else(missing)
}

/// Text to speech: the shipped line of this text, or tones of its length.
async fn speak(
    State(emulation): Shared,
    Path(voice): Path<String>,
    uri: http::Uri,
    body: Bytes,
) -> Result<Response, ApiError> {
    let invalid = |loc, message: &str, kind| ApiError::Invalid { loc, message: message.to_owned(), kind };
    let format = Query::of(&uri).value("output_format").unwrap_or("mp3_44100_128").to_owned();
    if format != "ulaw_8000" {
        return Err(invalid(vec!["query", "output_format"], "The emulator speaks ulaw_8000 only", "enum"));
    }
    let body = read_object(&body)?;
    let text = body.get("text").and_then(Value::as_str).ok_or_else(|| ApiError::missing("body", "text"))?;
    if !voices::all().iter().any(|known| known["voice_id"] == json!(voice)) {
        let message = format!("A voice with the voice_id '{voice}' was not found.");
        return Err(ApiError::not_found("voice_not_found", &message));
    }
    let audio = speech::say(text, Voice::Agent);
    emulation.log.record("spoken", None, json!({"voice_id": voice, "text": text, "bytes": audio.len()}));
    Ok(([(http::header::CONTENT_TYPE, "audio/basic")], audio).into_response())
}

async fn user() -> Json<Value> {
    Json(json!({
        "user_id": "emulated_user",
        "subscription": subscription_json(),
        "is_new_user": false,
        "can_use_delayed_payment_methods": false,
        "is_onboarding_completed": true,
        "is_onboarding_checklist_completed": true,
        "first_name": "Emulated",
        "created_at": 1_767_225_600,
        "seat_type": "workspace_admin",
    }))
}

async fn subscription() -> Json<Value> {
    Json(subscription_json())
}

fn subscription_json() -> Value {
    json!({
        "tier": "creator",
        "status": "active",
        "currency": "usd",
        "character_count": 0,
        "character_limit": 100_000,
        "max_character_limit_extension": null,
        "max_credit_limit_extension": 0,
        "can_extend_character_limit": false,
        "allowed_to_extend_character_limit": false,
        "voice_slots_used": 0,
        "voice_limit": 30,
        "voice_add_edit_counter": 0,
        "professional_voice_slots_used": 0,
        "professional_voice_slots_used_in_workspace": 0,
        "professional_voice_limit": 1,
        "can_extend_voice_limit": false,
        "can_use_instant_voice_cloning": true,
        "can_use_professional_voice_cloning": false,
        "current_overage": {"amount": "0", "currency": "usd"},
        "open_invoices": [],
        "has_open_invoices": false,
    })
}

/// One page; the cursor is the number of items before it.
fn page(name: &str, items: Vec<Value>, query: &Query, cursor: &str, next_cursor: &str, default_size: usize) -> Value {
    let number = |name: &str| query.value(name).and_then(|text| text.parse::<usize>().ok());
    let (start, size) = (number(cursor).unwrap_or(0), number("page_size").unwrap_or(default_size).clamp(1, 100));
    let total = items.len();
    let shown: Vec<Value> = items.into_iter().skip(start).take(size).collect();
    let end = start.saturating_add(shown.len());
    let more = end < total;
    json!({name: shown, "has_more": more, next_cursor: more.then(|| end.to_string())})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_lead_to_each_other() {
        let items = || (0..5).map(Value::from).collect();
        let query = |text: &str| Query::of(&format!("/x?{text}").parse().unwrap());
        let first = page("agents", items(), &query("page_size=2"), "cursor", "next_cursor", 30);
        assert_eq!(first, json!({"agents": [0, 1], "has_more": true, "next_cursor": "2"}));
        let last = page("agents", items(), &query("page_size=2&cursor=4"), "cursor", "next_cursor", 30);
        assert_eq!(last, json!({"agents": [4], "has_more": false, "next_cursor": null}));
    }
}
