//! Retell's side of the custom-LLM WebSocket: it dials the operator's server, tells it what is said, and asks it for words.
//!
//! `POST /_emulator/calls/{call_id}/llm {"url": "ws://HOST/agents/retell/llm/SECRET"}` dials. Then `…/llm/act` with one of
//! `{"say": "Hi"}` (the caller says this and has finished), `{"interrupt": "Wait"}` (the same over the agent's words, of which half were
//! heard), `{"remind": null}`, `{"send": "TEXT"}`, `{"binary": null}`, `{"drop": null}` (the connection is gone and dialled again). What
//! the server says is in the log: `llm_config`, `llm_pong`, `llm_words` (a part of an answer), `llm_said` (a whole one), `llm_stale`,
//! `llm_tool`, `llm_closed`; and `llm_asked` where it is asked.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use futures_util::{SinkExt as _, StreamExt as _};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{Emulation, Shared, locked, refusal};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How often Retell pings where the config asks for reconnects.
const PING_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dialling {
    url: String,
}

/// What happens in the call.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Act {
    Say(String),
    Interrupt(String),
    Remind(()),
    Send(String),
    Binary(()),
    Drop(()),
}

pub(super) async fn dial(
    State(emulation): Shared,
    Path(call_id): Path<String>,
    Json(dialling): Json<Dialling>,
) -> Response {
    let url = format!("{}/{call_id}", dialling.url);
    let socket = match open(&url).await {
        Ok(socket) => socket,
        Err(status) => return (StatusCode::BAD_GATEWAY, Json(json!({"status": status}))).into_response(),
    };
    let (acts, told) = mpsc::channel(64);
    locked(&emulation.llm).insert(call_id.clone(), acts);
    let conversation = Conversation {
        emulation: Arc::clone(&emulation),
        call_id,
        url,
        lines: Vec::new(),
        newest: 0,
        words: String::new(),
        pings: false,
    };
    emulation.tracker.clone().spawn(conversation.run(socket, told));
    StatusCode::NO_CONTENT.into_response()
}

pub(super) async fn act(State(emulation): Shared, Path(call_id): Path<String>, Json(act): Json<Act>) -> Response {
    let acts = locked(&emulation.llm).get(&call_id).cloned();
    match acts {
        Some(acts) if acts.send(act).await.is_ok() => StatusCode::NO_CONTENT.into_response(),
        _ => refusal(StatusCode::NOT_FOUND, "no LLM socket is open for this call"),
    }
}

/// The status of a refused upgrade is the error.
async fn open(url: &str) -> Result<Socket, Option<u16>> {
    match connect_async(url).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => Err(Some(answer.status().as_u16())),
        Err(_) => Err(None),
    }
}

struct Conversation {
    emulation: Arc<Emulation>,
    call_id: String,
    url: String,
    /// Role and text.
    lines: Vec<(&'static str, String)>,
    /// The newest response id.
    newest: u64,
    /// What came of the newest answer so far.
    words: String,
    pings: bool,
}

impl Conversation {
    async fn run(mut self, mut socket: Socket, mut told: mpsc::Receiver<Act>) {
        let mut ping = tokio::time::interval(PING_EVERY);
        let mut is_told = true;
        loop {
            let goes_on = tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => { self.hear(&text); Some(()) }
                    Some(Ok(Message::Close(frame))) => {
                        self.log("llm_closed", json!({"code": frame.map(|frame| u16::from(frame.code))}));
                        None
                    }
                    Some(Ok(_)) => Some(()),
                    Some(Err(_)) | None => { self.log("llm_closed", json!({"code": null})); None }
                },
                act = told.recv(), if is_told => match act {
                    Some(Act::Drop(())) => {
                        // Gone without a close, and dialled again.
                        drop(socket);
                        let Ok(again) = open(&self.url).await else { return };
                        socket = again;
                        self.log("llm_reconnected", Value::Null);
                        Some(())
                    }
                    Some(act) => self.act(act, &mut socket).await,
                    // Dialled a second time: the server is to end this one.
                    None => { is_told = false; Some(()) }
                },
                _ = ping.tick(), if self.pings => {
                    let timestamp = self.emulation.clock.now().as_millisecond();
                    say(&mut socket, &json!({"interaction_type": "ping_pong", "timestamp": timestamp})).await
                }
            };
            if goes_on.is_none() {
                return;
            }
        }
    }

    fn hear(&mut self, text: &str) {
        let Ok(message) = serde_json::from_str::<Value>(text) else {
            return self.log("warning", json!({"what": "no JSON on the LLM socket"}));
        };
        match message["response_type"].as_str() {
            Some("config") => {
                self.pings = message["config"]["auto_reconnect"] == true;
                self.log("llm_config", message["config"].clone());
            }
            Some("ping_pong") => self.log("llm_pong", json!({"timestamp": message["timestamp"]})),
            Some("response") if message["response_id"] != self.newest => self.log("llm_stale", message),
            Some("response" | "agent_interrupt") => self.speak(&message),
            Some("tool_call_invocation" | "tool_call_result") => self.log("llm_tool", message),
            other => self.log("warning", json!({"what": format!("unknown response_type {other:?}")})),
        }
    }

    /// The agent's words, spoken as they come.
    fn speak(&mut self, message: &Value) {
        if self.words.is_empty() {
            self.lines.push(("agent", String::new()));
        }
        let content = message["content"].as_str().unwrap_or_default();
        if !content.is_empty() {
            self.log("llm_words", json!({"response_id": message["response_id"]}));
        }
        self.words.push_str(content);
        if let Some((_, line)) = self.lines.last_mut() {
            line.clone_from(&self.words);
        }
        if message["content_complete"] == true {
            let text = std::mem::take(&mut self.words);
            if text.is_empty() {
                self.lines.pop();
            }
            let (end_call, digit) = (&message["end_call"], &message["digit_to_press"]);
            let (response, interrupt) = (&message["response_id"], &message["interrupt_id"]);
            let said = json!({"response_id": response, "interrupt_id": interrupt, "text": text, "end_call": end_call, "digit": digit});
            self.log("llm_said", said);
        }
    }

    async fn act(&mut self, act: Act, socket: &mut Socket) -> Option<()> {
        match act {
            Act::Say(text) => {
                self.words.clear();
                self.lines.push(("user", text));
                say(socket, &self.update("user_turn")).await?;
                self.ask("response_required", socket).await
            }
            Act::Interrupt(text) => {
                self.words.clear();
                if let Some((role, line)) = self.lines.last_mut()
                    && *role == "agent"
                {
                    let half = line.chars().count() / 2;
                    *line = line.chars().take(half).collect();
                }
                self.lines.push(("user", text));
                say(socket, &self.update("user_turn")).await?;
                self.ask("response_required", socket).await
            }
            Act::Remind(()) => self.ask("reminder_required", socket).await,
            Act::Send(text) => socket.send(Message::text(text)).await.ok(),
            Act::Binary(()) => socket.send(Message::binary(vec![0])).await.ok(),
            Act::Drop(()) => Some(()),
        }
    }

    fn update(&self, turn: &str) -> Value {
        json!({"interaction_type": "update_only", "transcript": self.transcript(), "turntaking": turn})
    }

    async fn ask(&mut self, kind: &str, socket: &mut Socket) -> Option<()> {
        self.newest += 1;
        let (id, transcript) = (self.newest, self.transcript());
        self.log("llm_asked", json!({"response_id": id}));
        say(socket, &json!({"interaction_type": kind, "response_id": id, "transcript": transcript})).await
    }

    fn transcript(&self) -> Vec<Value> {
        self.lines.iter().map(|(role, content)| json!({"role": role, "content": content, "words": []})).collect()
    }

    fn log(&self, event: &'static str, detail: Value) {
        self.emulation.log.record(event, Some(&self.call_id), detail);
    }
}

async fn say(socket: &mut Socket, message: &Value) -> Option<()> {
    socket.send(Message::text(message.to_string())).await.ok()
}
