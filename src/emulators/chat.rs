//! A local chat endpoint that speaks `OpenAI`'s API: `POST /v1/chat/completions`, streamed or whole. It knows what to answer from the last
//! message alone.
//!
//! | the last message | the answer |
//! |---|---|
//! | `… use NAME {"a":1}` | a call of that tool with these arguments, in several parts |
//! | `… count` | a hundred words, one every 20 ms |
//! | a tool's result | `The tool said: …` |
//! | anything else | `You said: …` |
//!
//! `POST /_emulator/faults {"mode": "silent", "count": 1}` breaks the next answers: `status` (503), `unauthorised` (401), `quota` (429),
//! `silent` (no answer at all), `stall` (words, then nothing), `cut` (words, then the connection is gone), `garbage` (a page of HTML),
//! `whole` (no stream).

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::Clock;
use super::log::EventLog;
use super::server::{self, EmulatorError, Running};
use crate::domain::Secret;

/// From one word to the next of a long answer.
const PACE: Duration = Duration::from_millis(20);

/// The chat emulator.
#[derive(Debug)]
pub struct ChatEmulator;

#[derive(Debug)]
struct Emulation {
    api_key: Secret,
    fault: Mutex<Option<Fault>>,
    log: EventLog,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    mode: Mode,
    count: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Status,
    Unauthorised,
    Quota,
    Silent,
    Stall,
    Cut,
    Garbage,
    Whole,
}

impl ChatEmulator {
    /// Listens and serves until `shutdown`.
    pub async fn start(
        listen: SocketAddr,
        api_key: Secret,
        tracker: &TaskTracker,
        shutdown: CancellationToken,
    ) -> Result<Running, EmulatorError> {
        let (listener, addr) = server::bind(listen).await?;
        let log = EventLog::new(Clock::default());
        let emulation = Arc::new(Emulation { api_key, fault: Mutex::default(), log: log.clone() });
        let app = Router::new()
            .route("/v1/chat/completions", post(complete))
            .route("/_emulator/faults", post(set_fault))
            .with_state(emulation);
        Ok(server::serve(listener, app, (addr, log), tracker, shutdown))
    }
}

async fn set_fault(State(emulation): State<Arc<Emulation>>, Json(fault): Json<Fault>) -> StatusCode {
    *locked(&emulation.fault) = Some(fault);
    StatusCode::NO_CONTENT
}

async fn complete(State(emulation): State<Arc<Emulation>>, headers: HeaderMap, Json(asked): Json<Value>) -> Response {
    let wanted = format!("Bearer {}", emulation.api_key.expose());
    if headers.get(header::AUTHORIZATION).is_none_or(|given| given.as_bytes() != wanted.as_bytes()) {
        let given = headers.get(header::AUTHORIZATION).and_then(|given| given.to_str().ok()).unwrap_or_default();
        let message = format!("Incorrect API key provided: {}", given.trim_start_matches("Bearer "));
        return refusal(StatusCode::UNAUTHORIZED, &message, "invalid_api_key");
    }
    emulation.log.record("asked", None, asked.clone());
    let fault = emulation.next_fault();
    match fault {
        Some(Mode::Status) => {
            return refusal(StatusCode::SERVICE_UNAVAILABLE, "The engine is overloaded.", "overloaded");
        }
        Some(Mode::Unauthorised) => {
            return refusal(StatusCode::UNAUTHORIZED, "Incorrect API key provided.", "invalid_api_key");
        }
        Some(Mode::Quota) => {
            return refusal(StatusCode::TOO_MANY_REQUESTS, "You exceeded your current quota.", "insufficient_quota");
        }
        Some(Mode::Silent) => std::future::pending().await,
        Some(Mode::Garbage) => return ([(header::CONTENT_TYPE, "text/html")], "<html>welcome</html>").into_response(),
        Some(Mode::Stall | Mode::Cut | Mode::Whole) | None => {}
    }
    let Some(last) = asked["messages"].as_array().and_then(|messages| messages.last()) else {
        return refusal(StatusCode::BAD_REQUEST, "messages must not be empty", "invalid_request_error");
    };
    let model = asked["model"].as_str().unwrap_or_default().to_owned();
    let answer = Answer::to(last);
    if asked["stream"] != true || fault == Some(Mode::Whole) {
        return Json(answer.whole(&model)).into_response();
    }
    let (mut parts, pace) = answer.parts(&model);
    if matches!(fault, Some(Mode::Stall | Mode::Cut)) {
        // Its head, and two words.
        parts.truncate(3);
    }
    let guard = GivenUp { log: emulation.log.clone(), left: parts.len() };
    let words = stream::unfold((parts.into_iter(), guard), move |(mut parts, mut guard)| async move {
        if let Some(part) = parts.next() {
            tokio::time::sleep(pace).await;
            guard.left -= 1;
            return Some((Ok::<_, std::io::Error>(part), (parts, guard)));
        }
        match fault {
            Some(Mode::Stall) => std::future::pending().await,
            // What was sent before goes out before the connection is gone.
            Some(Mode::Cut) => {
                tokio::time::sleep(PACE).await;
                Some((Err(std::io::Error::other("cut")), (parts, guard)))
            }
            _ => None,
        }
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(words.fuse())).into_response()
}

/// Notes that the client left before the end.
struct GivenUp {
    log: EventLog,
    left: usize,
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        if self.left > 0 {
            self.log.record("given_up", None, json!({"parts_left": self.left}));
        }
    }
}

enum Answer {
    Words(String),
    Tool { name: String, arguments: String },
}

impl Answer {
    fn to(last: &Value) -> Self {
        let content = last["content"].as_str().unwrap_or_default();
        if last["role"] == "tool" {
            return Self::Words(format!("The tool said: {content}"));
        }
        if let Some((_, wish)) = content.split_once("use ") {
            let (name, arguments) = wish.split_once(' ').unwrap_or((wish, "{}"));
            return Self::Tool { name: name.to_owned(), arguments: arguments.to_owned() };
        }
        if content.ends_with("count") {
            return Self::Words("one more ".repeat(50));
        }
        Self::Words(format!("You said: {content}"))
    }

    fn whole(&self, model: &str) -> Value {
        let (message, reason) = match self {
            Self::Words(text) => (json!({"role": "assistant", "content": text}), "stop"),
            Self::Tool { name, arguments } => {
                let call =
                    json!({"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}});
                (json!({"role": "assistant", "content": null, "tool_calls": [call]}), "tool_calls")
            }
        };
        json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": reason}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})
    }

    /// The events of the stream, and the time before each.
    fn parts(&self, model: &str) -> (Vec<String>, Duration) {
        let chunk = |delta: Value, reason: Option<&str>| {
            let chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model,
                "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]});
            format!("data: {chunk}\n\n")
        };
        let mut parts = vec![chunk(json!({"role": "assistant", "content": ""}), None)];
        let (pace, reason) = match self {
            Self::Words(text) => {
                parts.extend(text.split_inclusive(' ').map(|word| chunk(json!({"content": word}), None)));
                (if text.len() > 200 { PACE } else { Duration::ZERO }, "stop")
            }
            Self::Tool { name, arguments } => {
                let head = json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": name, "arguments": ""}});
                parts.push(chunk(json!({"tool_calls": [head]}), None));
                let tail = |part: &str| json!({"tool_calls": [{"index": 0, "function": {"arguments": part}}]});
                parts.extend(arguments.split_inclusive(':').map(|part| chunk(tail(part), None)));
                (Duration::ZERO, "tool_calls")
            }
        };
        parts.push(chunk(json!({}), Some(reason)));
        parts.push("data: [DONE]\n\n".to_owned());
        (parts, pace)
    }
}

impl Emulation {
    fn next_fault(&self) -> Option<Mode> {
        let mut fault = locked(&self.fault);
        let pending = fault.as_mut().filter(|fault| fault.count > 0)?;
        pending.count -= 1;
        Some(pending.mode)
    }
}

fn refusal(status: StatusCode, message: &str, code: &str) -> Response {
    (status, Json(json!({"error": {"message": message, "type": code, "code": code}}))).into_response()
}

/// What a panicked holder left is as good as any.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
