//! The conversation socket: admission, the conversation's two ends, and what comes after it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::{SinkExt as _, StreamExt as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use uuid::Uuid;

use super::config::{AgentFaults, AgentSettings, Behaviour};
use super::script::Script;
use super::talk::{Deed, Said, Talk, audio_message};
use super::{World, lock};
use crate::emulators::upgrade::{Handshake, ServerSocket};

/// How long a signed URL may be used.
const SIGNED_URL_LIFETIME: SignedDuration = SignedDuration::from_mins(15);

/// Without anything from the client for so long the conversation ends (`transport_receive_timeout`).
const SILENCE_LIMIT: Duration = Duration::from_mins(1);

#[derive(Deserialize)]
pub(super) struct ConversationQuery {
    agent_id: Option<String>,
    conversation_signature: Option<String>,
}

pub(super) async fn conversation(
    State(world): State<Arc<World>>,
    Query(query): Query<ConversationQuery>,
    mut request: Request,
) -> Response {
    let refuse = |status: StatusCode, why: &'static str| {
        world.log.record("refused", None, json!({"status": status.as_u16(), "why": why}));
        (status, why).into_response()
    };
    {
        let mut faults = lock(&world.faults);
        if faults.refuse_upgrades > 0 {
            faults.refuse_upgrades -= 1;
            let status = faults.refuse_status.and_then(|code| StatusCode::from_u16(code).ok());
            return refuse(status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE), "refused on demand");
        }
    }
    let agent_id = query.agent_id.unwrap_or_default();
    let Some(agent) = agent_of(&world, &agent_id) else { return refuse(StatusCode::NOT_FOUND, "no such agent") };
    let signed = query.conversation_signature.is_some_and(|signature| {
        let found = lock(&world.signatures).remove(&signature);
        found.is_some_and(|(of, at)| {
            of == agent_id && world.config.clock.now().duration_since(at) <= SIGNED_URL_LIFETIME
        })
    });
    if agent.is_private && !signed {
        return refuse(StatusCode::FORBIDDEN, "this agent needs a signed URL");
    }
    let handshake = match Handshake::read(&mut request) {
        Ok(handshake) => handshake,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    let (response, socket) = handshake.accept("convai", WebSocketConfig::default());
    let task = Arc::clone(&world);
    world.tracker.spawn(async move {
        let Ok(socket) = socket.await else { return };
        let shutdown = task.shutdown.clone();
        tokio::select! {
            () = Conversation::new(task, agent_id, agent).run(socket) => {}
            () = shutdown.cancelled() => {}
        }
    });
    response
}

/// A configured agent, or one made over REST, which talks like the receptionist.
fn agent_of(world: &World, id: &str) -> Option<AgentSettings> {
    if let Some(agent) = world.config.agents.get(id) {
        return Some(agent.clone());
    }
    lock(&world.agents).contains_key(id).then(AgentSettings::default)
}

struct Conversation {
    world: Arc<World>,
    id: String,
    agent_id: String,
    agent: AgentSettings,
    faults: AgentFaults,
    initiation: Value,
    began: Timestamp,
    echoed: u64,
}

/// Why a message of the client ends the conversation.
struct Violation {
    error_type: &'static str,
    message: String,
}

impl Violation {
    fn new(error_type: &'static str, message: impl Into<String>) -> Self {
        Self { error_type, message: message.into() }
    }
}

impl Conversation {
    fn new(world: Arc<World>, agent_id: String, agent: AgentSettings) -> Self {
        let faults = lock(&world.faults).clone();
        let began = world.config.clock.now();
        let id = format!("conv_{}", Uuid::new_v4().simple());
        Self { world, id, agent_id, agent, faults, initiation: Value::Null, began, echoed: 0 }
    }

    async fn run(mut self, mut socket: ServerSocket) {
        self.log("conversation_started", json!({"agent_id": self.agent_id}));
        let started = now();
        let transcript = match self.converse(&mut socket, started).await {
            Ok(transcript) => transcript,
            Err(violation) => {
                self.log("violation", json!({"error_type": violation.error_type, "message": violation.message}));
                let event = json!({"type": "error", "error_event": {"code": 1008, "error_type": violation.error_type,
                    "message": violation.message}});
                let _ = socket.send(Message::text(event.to_string())).await;
                close(&mut socket, 1008, violation.error_type).await;
                Vec::new()
            }
        };
        self.log("conversation_ended", Value::Null);
        self.after_call(&transcript).await;
    }

    /// The conversation to its end. The transcript comes back where there was one.
    async fn converse(&mut self, socket: &mut ServerSocket, started: Instant) -> Result<Vec<Said>, Violation> {
        let Some(first) = self.first_message(socket).await? else { return Ok(Vec::new()) };
        self.initiation = first;
        if self.faults.mute {
            while socket.next().await.is_some_and(|message| message.is_ok()) {}
            return Ok(Vec::new());
        }
        tokio::time::sleep(Duration::from_millis(self.faults.delay_ms)).await;
        if self.faults.garble {
            let _ = socket.send(Message::text("{not json")).await;
        }
        let format = self.agent.format.as_str();
        let metadata = json!({"type": "conversation_initiation_metadata", "conversation_initiation_metadata_event":
            {"conversation_id": self.id, "agent_output_audio_format": format, "user_input_audio_format": format}});
        self.send(socket, &metadata).await;
        let script = match &self.agent.behaviour {
            Behaviour::Script(_) => self.world.scripts.get(&self.agent_id).cloned(),
            Behaviour::Echo | Behaviour::Silent => Some(Script { steps: Vec::new() }),
        };
        let fallback = || super::config::SHIPPED[1].1.parse().expect("a test parses the shipped scripts");
        let mut talk = Talk::new(script.unwrap_or_else(fallback), self.agent.format, now());
        let mut last_input = now();
        loop {
            while let Some(deed) = talk.poll_deed() {
                match deed {
                    Deed::Send(message) => self.send(socket, &message).await,
                    Deed::Close { code, reason } => {
                        close(socket, code, reason).await;
                        return Ok(talk.transcript);
                    }
                }
            }
            let mut wake = talk.poll_timeout().min(last_input + SILENCE_LIMIT);
            for limit in [self.faults.drop_after_ms, self.faults.close_after_ms].into_iter().flatten() {
                wake = wake.min(started + Duration::from_millis(limit));
            }
            tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        last_input = now();
                        self.take(socket, &mut talk, text.as_str()).await?;
                    }
                    Some(Ok(Message::Binary(_))) => return Err(Violation::new("invalid_message", "binary message")),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(talk.transcript),
                    Some(Ok(_)) => {}
                },
                () = tokio::time::sleep_until(wake.into()) => {
                    if self.ended_by_fault(socket, started).await {
                        return Ok(talk.transcript);
                    }
                    if now() >= last_input + SILENCE_LIMIT {
                        close(socket, 1002, "transport_receive_timeout").await;
                        return Ok(talk.transcript);
                    }
                    talk.handle_time(now());
                }
            }
        }
    }

    /// The client speaks first. None when it went away.
    async fn first_message(&self, socket: &mut ServerSocket) -> Result<Option<Value>, Violation> {
        let text = loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => break text,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return Ok(None),
            }
        };
        let message = parse(text.as_str())?;
        if message["type"] != "conversation_initiation_client_data" {
            return Err(Violation::new(
                "invalid_message",
                "the first message must be conversation_initiation_client_data",
            ));
        }
        let variables = &message["dynamic_variables"];
        if variables.as_object().is_some_and(|map| map.keys().any(|name| name.starts_with("system__"))) {
            return Err(Violation::new("value_error", "names that start with system__ are reserved"));
        }
        if let Some(name) = self.agent.required_variables.iter().find(|name| variables[name.as_str()].is_null()) {
            return Err(Violation::new("missing_dynamic_variable", format!("missing dynamic variable {name}")));
        }
        Ok(Some(message))
    }

    async fn ended_by_fault(&self, socket: &mut ServerSocket, started: Instant) -> bool {
        let passed = |limit: Option<u64>| limit.is_some_and(|ms| now() >= started + Duration::from_millis(ms));
        if passed(self.faults.close_after_ms) {
            close(socket, self.faults.close_code.unwrap_or(1011), "closed on demand").await;
            return true;
        }
        passed(self.faults.drop_after_ms)
    }

    /// One message of the client.
    async fn take(&mut self, socket: &mut ServerSocket, talk: &mut Talk, text: &str) -> Result<(), Violation> {
        let message = parse(text)?;
        if let Some(audio) = message.get("user_audio_chunk") {
            let audio = audio.as_str().and_then(|text| BASE64.decode(text).ok());
            let audio = audio.ok_or(Violation::new("invalid_message", "user_audio_chunk is not base64"))?;
            match self.agent.behaviour {
                Behaviour::Echo => {
                    self.echoed += 1;
                    self.send(socket, &audio_message(&audio, self.echoed)).await;
                }
                Behaviour::Script(_) => talk.hear(&audio, now()),
                Behaviour::Silent => {}
            }
            return Ok(());
        }
        match message["type"].as_str().unwrap_or_default() {
            "pong" if message["event_id"].is_u64() => self.log("pong", message),
            "client_tool_result" if message["tool_call_id"].is_string() && message["result"].is_string() => {
                let id = message["tool_call_id"].as_str().unwrap_or_default();
                talk.tool_result(id, message["is_error"] == true, now());
                self.log("tool_result", json!({"tool_call_id": id, "is_error": message["is_error"]}));
            }
            "user_message" if message["text"].is_string() => {
                talk.user_message(message["text"].as_str().unwrap_or_default(), now());
            }
            kind @ ("contextual_update" | "user_activity" | "feedback" | "mcp_tool_approval_result") => {
                self.log("message", json!({"type": kind}));
            }
            kind => return Err(Violation::new("invalid_message", format!("unknown or incomplete message `{kind}`"))),
        }
        Ok(())
    }

    async fn send(&self, socket: &mut ServerSocket, message: &Value) {
        if message["type"] != "audio" {
            self.log("sent", json!({"type": message["type"]}));
        }
        // A client that went away is noticed when we read.
        let _ = socket.send(Message::text(message.to_string())).await;
    }

    fn log(&self, event: &'static str, detail: Value) {
        self.world.log.record(event, Some(&self.id), detail);
    }

    /// The conversation becomes a resource, and the webhook is told.
    async fn after_call(&self, transcript: &[Said]) {
        let lines: Vec<_> = transcript
            .iter()
            .map(|said| json!({"role": if said.by_agent { "agent" } else { "user" }, "message": said.text}))
            .collect();
        let duration = self.world.config.clock.now().duration_since(self.began).as_secs();
        let resource = json!({
            "agent_id": self.agent_id, "conversation_id": self.id, "status": "done", "transcript": lines,
            "metadata": {"start_time_unix_secs": self.began.as_second(), "call_duration_secs": duration},
            "analysis": {"call_successful": "success", "transcript_summary":
                format!("A scripted conversation of {} lines.", lines.len())},
            "conversation_initiation_client_data": self.initiation,
            "has_audio": false, "has_user_audio": false, "has_response_audio": false,
        });
        lock(&self.world.conversations).insert(self.id.clone(), resource.clone());
        if self.world.config.webhook_url.is_empty() {
            return;
        }
        let at = self.world.config.clock.now().as_second();
        let body = json!({"type": "post_call_transcription", "event_timestamp": at, "data": resource}).to_string();
        let key = self.world.config.webhook_secret.expose().as_bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(format!("{at}.{body}").as_bytes());
        let signature = mac.finalize().into_bytes().iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let sent = self
            .world
            .http
            .post(&self.world.config.webhook_url)
            .header("ElevenLabs-Signature", format!("t={at},v0={signature}"))
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await;
        let status = sent.map_or(0, |response| response.status().as_u16());
        self.log("webhook", json!({"status": status}));
    }
}

fn parse(text: &str) -> Result<Value, Violation> {
    serde_json::from_str::<Value>(text)
        .ok()
        .filter(Value::is_object)
        .ok_or(Violation::new("invalid_message", "not a JSON object"))
}

/// Says why, and gives the client a moment to answer.
async fn close(socket: &mut ServerSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code: code.into(), reason: reason.into() };
    if socket.send(Message::Close(Some(frame))).await.is_err() {
        return;
    }
    let answered = async { while socket.next().await.is_some_and(|message| message.is_ok()) {} };
    let _ = tokio::time::timeout(Duration::from_secs(2), answered).await;
}

#[expect(clippy::disallowed_methods, reason = "the emulator's conversations run on tokio's clock")]
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
