//! A local Retell, as far as calls that are handed over need it: registering, asking and stopping over REST, and signed webhooks of a
//! call that is told to happen. The SIP side is the carrier's: seat a phone at `sip:SIP_DOMAIN` in the Twilio emulator.
//!
//! `POST /_emulator/calls/{call_id}/tell {"events": ["call_ended"], "transcript": [["agent", "Hello"], ["user", "Hi"]]}` sends webhooks
//! in the given order, or with `"silently": true` none.
//!
//! `POST /_emulator/faults {"refuse_register": n, "status": 429}` refuses so many registrations (402 where no status is given);
//! `{"refuse_register": n, "how": "silent"}` never answers them, `"garbage"` answers with something else.

mod audio;
mod llm;
mod monitor;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::clock::Clock;
use super::log::EventLog;
use super::server::{self, EmulatorError, Running};
use crate::domain::Secret;

/// Settings of the Retell emulator. The defaults run as they are.
#[derive(Debug, Clone)]
pub struct RetellEmulatorConfig {
    /// Port 0 picks a free one.
    pub listen: SocketAddr,
    pub api_key: Secret,
    /// Where webhooks go.
    pub webhook_url: Option<String>,
    pub clock: Clock,
}

impl Default for RetellEmulatorConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            api_key: Secret::new("emulated-retell-key"),
            webhook_url: None,
            clock: Clock::default(),
        }
    }
}

/// The Retell emulator.
#[derive(Debug)]
pub struct RetellEmulator;

#[derive(Debug)]
struct Emulation {
    api_key: Secret,
    webhook_url: Mutex<Option<String>>,
    calls: Mutex<BTreeMap<String, Value>>,
    faults: Mutex<Faults>,
    /// Fields of agents that are not as the usual one.
    agents: Mutex<BTreeMap<String, Value>>,
    /// Calls with an open LLM socket.
    llm: Mutex<BTreeMap<String, mpsc::Sender<llm::Act>>>,
    /// A call's id, and the call as it is told to be.
    told: broadcast::Sender<(String, Value)>,
    client: reqwest::Client,
    clock: Clock,
    log: EventLog,
    tracker: TaskTracker,
}

/// What goes wrong with the next registrations, of either kind.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Faults {
    refuse_register: u32,
    /// 402 where none is given.
    status: Option<u16>,
    how: Refusal,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Refusal {
    #[default]
    Status,
    Silent,
    Garbage,
}

type Shared = State<Arc<Emulation>>;

impl RetellEmulator {
    /// Listens and serves until `shutdown`.
    pub async fn start(
        config: RetellEmulatorConfig,
        tracker: &TaskTracker,
        shutdown: CancellationToken,
    ) -> Result<Running, EmulatorError> {
        let client = server::http_client("Retell/1.0")?;
        let (listener, addr) = server::bind(config.listen).await?;
        let log = EventLog::new(config.clock.clone());
        let emulation = Arc::new(Emulation {
            api_key: config.api_key,
            webhook_url: Mutex::new(config.webhook_url),
            calls: Mutex::default(),
            faults: Mutex::default(),
            agents: Mutex::default(),
            llm: Mutex::default(),
            told: broadcast::channel(64).0,
            client,
            clock: config.clock,
            log: log.clone(),
            tracker: tracker.clone(),
        });
        let api = Router::new()
            .route("/v2/register-phone-call", post(register))
            .route("/register-call", post(audio::register))
            .route("/get-agent/{agent_id}", get(fetch_agent))
            .route("/v2/get-call/{call_id}", get(fetch))
            .route("/v2/update-live-call/{call_id}", patch(update_live))
            .route("/v2/stop-call/{call_id}", post(stop))
            .layer(middleware::from_fn_with_state(Arc::clone(&emulation), require_key));
        let control = Router::new()
            // Whoever knows the call's id may open it, as at Retell.
            .route("/v2/monitor-call/{call_id}", get(monitor::follow))
            .route("/audio-websocket/{call_id}", get(audio::converse))
            .route("/_emulator/calls/{call_id}/tell", post(tell))
            .route("/_emulator/agents/{agent_id}", post(set_agent))
            .route("/_emulator/calls/{call_id}/llm", post(llm::dial))
            .route("/_emulator/calls/{call_id}/llm/act", post(llm::act))
            .route("/_emulator/log", get(show_log))
            .route("/_emulator/faults", post(set_faults))
            .route("/_emulator/webhook", post(set_webhook));
        Ok(server::serve(listener, api.merge(control).with_state(emulation), (addr, log), tracker, shutdown))
    }
}

async fn require_key(State(emulation): Shared, request: Request, next: Next) -> Response {
    let wanted = format!("Bearer {}", emulation.api_key.expose());
    if request.headers().get(header::AUTHORIZATION).is_none_or(|given| given.as_bytes() != wanted.as_bytes()) {
        return refusal(StatusCode::UNAUTHORIZED, "API key is invalid");
    }
    next.run(request).await
}

async fn register(State(emulation): Shared, Json(wish): Json<Value>) -> Response {
    if let Some(refused) = emulation.refused().await {
        return refused;
    }
    new_call(&emulation, &wish, &[])
}

/// Registers a call with the usual fields of the wish, and these.
fn new_call(emulation: &Emulation, wish: &Value, more: &[&str]) -> Response {
    let Some(agent_id) = wish["agent_id"].as_str() else {
        return refusal(StatusCode::UNPROCESSABLE_ENTITY, "agent_id is required");
    };
    let call_id = format!("call_{}", Uuid::new_v4().simple());
    let mut call = json!({"call_type": "phone_call", "call_id": call_id, "call_status": "registered", "agent_id": agent_id,
        "agent_version": 0, "transcript_object": []});
    let usual = ["direction", "from_number", "to_number", "metadata", "retell_llm_dynamic_variables"];
    for field in usual.iter().chain(more).copied() {
        if let Some(value) = wish.get(field) {
            call[field] = value.clone();
        }
    }
    locked(&emulation.calls).insert(call_id.clone(), call.clone());
    emulation.log.record("registered", Some(&call_id), json!({"agent_id": agent_id, "metadata": call["metadata"]}));
    (StatusCode::CREATED, Json(call)).into_response()
}

/// Agents named `agent_of_nobody…` are not there; all others are.
async fn fetch_agent(State(emulation): Shared, Path(agent_id): Path<String>) -> Response {
    if agent_id.starts_with("agent_of_nobody") {
        return refusal(StatusCode::NOT_FOUND, "Agent not found");
    }
    let mut agent = json!({"agent_id": agent_id, "agent_name": "Emulated", "version": 0, "is_published": true,
        "voice_id": "11labs-Adrian", "language": "en-US", "webhook_url": locked(&emulation.webhook_url).clone(),
        "response_engine": {"type": "retell-llm", "llm_id": "llm_1"}});
    if let Some(Value::Object(own)) = locked(&emulation.agents).get(&agent_id).cloned() {
        for (field, value) in own {
            agent[field] = value;
        }
    }
    Json(agent).into_response()
}

async fn set_agent(State(emulation): Shared, Path(agent_id): Path<String>, Json(own): Json<Value>) -> StatusCode {
    locked(&emulation.agents).insert(agent_id, own);
    StatusCode::NO_CONTENT
}

async fn fetch(State(emulation): Shared, Path(call_id): Path<String>) -> Response {
    match locked(&emulation.calls).get(&call_id) {
        Some(call) => Json(call.clone()).into_response(),
        None => refusal(StatusCode::NOT_FOUND, "Call not found"),
    }
}

async fn stop(State(emulation): Shared, Path(call_id): Path<String>) -> Response {
    let mut calls = locked(&emulation.calls);
    let Some(call) = calls.get_mut(&call_id) else { return refusal(StatusCode::NOT_FOUND, "Call not found") };
    call["call_status"] = "ended".into();
    call["disconnection_reason"] = "manual_stopped".into();
    emulation.log.record("stopped", Some(&call_id), Value::Null);
    StatusCode::NO_CONTENT.into_response()
}

async fn update_live(State(emulation): Shared, Path(call_id): Path<String>, Json(wish): Json<Value>) -> Response {
    let calls = locked(&emulation.calls);
    let Some(call) = calls.get(&call_id) else { return refusal(StatusCode::NOT_FOUND, "Call not found") };
    if call["call_status"] == "ended" {
        return refusal(StatusCode::BAD_REQUEST, "Call is not live");
    }
    emulation.log.record("updated", Some(&call_id), wish);
    Json(call.clone()).into_response()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Telling {
    events: Vec<String>,
    #[serde(default)]
    transcript: Vec<(String, String)>,
    /// It happens, and no webhook tells of it.
    #[serde(default)]
    silently: bool,
}

/// A call happens as it is told: its resource changes, and its webhooks are sent one after the other.
async fn tell(State(emulation): Shared, Path(call_id): Path<String>, Json(telling): Json<Telling>) -> Response {
    let lines: Vec<Value> = telling
        .transcript
        .iter()
        .map(|(role, content)| json!({"role": role, "content": content, "words": []}))
        .collect();
    for event in telling.events {
        let call = {
            let mut calls = locked(&emulation.calls);
            let Some(call) = calls.get_mut(&call_id) else { return refusal(StatusCode::NOT_FOUND, "Call not found") };
            call["transcript_object"] = lines.clone().into();
            match event.as_str() {
                "call_ended" => {
                    call["call_status"] = "ended".into();
                    call["disconnection_reason"] = "user_hangup".into();
                }
                "call_analyzed" => {
                    call["call_analysis"] =
                        json!({"call_summary": "A call of the emulator's.", "call_successful": true});
                }
                _ => call["call_status"] = "ongoing".into(),
            }
            call.clone()
        };
        if telling.silently {
            continue;
        }
        // Nobody may follow it.
        let _ = emulation.told.send((call_id.clone(), call.clone()));
        let status = emulation.post_webhook(&json!({"event": event, "call": call})).await;
        emulation.log.record("webhook", Some(&call_id), json!({"event_sent": event, "status": status}));
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn show_log(State(emulation): Shared) -> Json<Value> {
    Json(json!(emulation.log.since(0)))
}

async fn set_faults(State(emulation): Shared, Json(faults): Json<Faults>) -> StatusCode {
    *locked(&emulation.faults) = faults;
    StatusCode::NO_CONTENT
}

async fn set_webhook(State(emulation): Shared, Json(wish): Json<Value>) -> StatusCode {
    *locked(&emulation.webhook_url) = wish["url"].as_str().map(str::to_owned);
    StatusCode::NO_CONTENT
}

impl Emulation {
    /// What the next registration meets instead of an answer.
    async fn refused(&self) -> Option<Response> {
        let (how, status) = {
            let mut faults = locked(&self.faults);
            if faults.refuse_register == 0 {
                return None;
            }
            faults.refuse_register -= 1;
            (faults.how, faults.status)
        };
        self.log.record("register_refused", None, Value::Null);
        match how {
            Refusal::Silent => std::future::pending().await,
            Refusal::Garbage => Some("<html>welcome</html>".into_response()),
            Refusal::Status => {
                let status = status.and_then(|status| StatusCode::from_u16(status).ok());
                Some(refusal(status.unwrap_or(StatusCode::PAYMENT_REQUIRED), "No call for you"))
            }
        }
    }

    /// Signs and sends. The status of the answer, if there was one.
    async fn post_webhook(&self, content: &Value) -> Option<u16> {
        let url = locked(&self.webhook_url).clone()?;
        let body = content.to_string();
        let time = self.clock.now().as_millisecond();
        let mut mac = Hmac::<Sha256>::new_from_slice(self.api_key.expose().as_bytes()).expect("HMAC takes any key");
        mac.update(format!("{body}{time}").as_bytes());
        let digest = mac.finalize().into_bytes().iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let request = self.client.post(url).header("x-retell-signature", format!("v={time},d={digest}"));
        let answer = request.header(header::CONTENT_TYPE, "application/json").body(body).send().await.ok()?;
        Some(answer.status().as_u16())
    }
}

fn refusal(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"status": "error", "message": message}))).into_response()
}

/// What a panicked holder left is as good as any.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
