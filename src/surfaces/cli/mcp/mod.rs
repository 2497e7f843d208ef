//! `mcp`: a bridge for clients that speak MCP over standard input and output to a running server's `/mcp`.
//!
//! One JSON message a line each way. What the client sends is posted as it is; what the server answers is written as it comes. Of the
//! messages only what the transport needs is read: ids, method names, the session. The key comes from the environment, as the
//! specification has it for this transport.

mod message;
mod sse;

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::Secret;

use super::client::ClientError;
use message::Message;
use sse::Events;

const SESSION: &str = "mcp-session-id";

/// How many messages may wait for a client that does not read; then the server's streams wait.
const WAITING: usize = 256;

/// How long answers may still take when the client has closed its end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Before the stream of a session is opened again.
const REOPEN: Duration = Duration::from_secs(1);

/// Carries messages until standard input ends.
pub async fn bridge(base: &str, key: Option<Secret>) -> anyhow::Result<ExitCode> {
    let key = key.ok_or(ClientError::NoKey)?;
    let base = base.trim_end_matches('/');
    let http = reqwest::Client::new();
    let alive = http.get(format!("{base}/health")).timeout(LAST_WORDS).send().await;
    if !alive.is_ok_and(|answer| answer.status().is_success()) {
        return Err(ClientError::Unreachable(base.to_owned()).into());
    }
    let (out, mut lines) = mpsc::channel::<String>(WAITING);
    let tasks = TaskTracker::new();
    tasks.spawn(async move {
        let mut stdout = tokio::io::stdout();
        while let Some(mut line) = lines.recv().await {
            line.push('\n');
            // A client that has gone closes our input too, which ends the bridge.
            if stdout.write_all(line.as_bytes()).await.is_err() || stdout.flush().await.is_err() {
                return;
            }
        }
    });
    let bridge = Arc::new(Bridge {
        http,
        url: format!("{base}/mcp"),
        key,
        out,
        session: Mutex::default(),
        open: Mutex::default(),
        over: CancellationToken::new(),
        tasks: tasks.clone(),
    });
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = input.next_line().await? {
        if !line.trim().is_empty() {
            Arc::clone(&bridge).take(&line).await;
        }
    }
    bridge.end_session().await;
    drop(bridge);
    tasks.close();
    // Streams that never end are still open then.
    let _ = tokio::time::timeout(LAST_WORDS, tasks.wait()).await;
    Ok(ExitCode::SUCCESS)
}

struct Bridge {
    http: reqwest::Client,
    url: String,
    key: Secret,
    out: mpsc::Sender<String>,
    session: Mutex<Session>,
    /// Requests without an answer yet: closing their stream is how they are cancelled where there is no session.
    open: Mutex<HashMap<String, CancellationToken>>,
    over: CancellationToken,
    tasks: TaskTracker,
}

/// What a client of the handshake era agreed on with the server.
#[derive(Default, Clone)]
struct Session {
    id: Option<HeaderValue>,
    version: Option<String>,
    /// To open it anew when the server has forgotten it.
    initialize: Option<Value>,
}

/// Why a request got no answer of the server's own.
struct Unanswered(String);

impl Bridge {
    async fn take(self: Arc<Self>, line: &str) {
        let Some(message) = Message::parse(line) else {
            let error =
                json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "this is not JSON-RPC"}});
            return self.say(error.to_string()).await;
        };
        if let Some(id) = message.cancels() {
            let cancelled = lock(&self.open).get(&id).cloned();
            if !self.has_session()
                && let Some(cancelled) = cancelled
            {
                return cancelled.cancel();
            }
        }
        // The handshake, and what only tells something, keep their order; requests may overtake each other.
        if message.is_initialize() || !message.is_request() {
            self.exchange(&message).await;
        } else {
            let bridge = Arc::clone(&self);
            let cancelled = CancellationToken::new();
            lock(&self.open).insert(message.id_text(), cancelled.clone());
            self.tasks.spawn(async move {
                tokio::select! {
                    () = bridge.exchange(&message) => {}
                    () = cancelled.cancelled() => {}
                    () = bridge.over.cancelled() => {}
                }
                lock(&bridge.open).remove(&message.id_text());
            });
        }
    }

    /// Posts a message and passes on whatever comes back.
    async fn exchange(self: &Arc<Self>, message: &Message) {
        let outcome = match self.post(message).await {
            Ok(response) if response.status() == StatusCode::NOT_FOUND && self.was_forgotten(message) => {
                match self.reopen().await {
                    Ok(()) => self.post(message).await,
                    Err(error) => Err(error),
                }
            }
            outcome => outcome,
        };
        let answered = match outcome {
            Ok(response) => self.pass_on(message, response).await,
            Err(error) => Err(error),
        };
        if let Err(Unanswered(why)) = answered {
            tracing::warn!(method = message.method(), why, "a message was not carried");
            if message.is_request() {
                let error = json!({"code": -32603, "message": why});
                self.say(json!({"jsonrpc": "2.0", "id": message.id(), "error": error}).to_string()).await;
            }
        }
    }

    async fn post(&self, message: &Message) -> Result<Response, Unanswered> {
        let session = lock(&self.session).clone();
        let request = self
            .http
            .post(&self.url)
            .bearer_auth(self.key.expose())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, text/event-stream")
            .headers(message.headers(session.version.as_deref()));
        let request = match session.id.filter(|_| !message.is_initialize() && message.own_version().is_none()) {
            Some(id) => request.header(SESSION, id),
            None => request,
        };
        let sent = request.body(message.text().to_owned()).send().await;
        sent.map_err(|_| Unanswered(format!("{} cannot be reached", self.url)))
    }

    async fn pass_on(self: &Arc<Self>, message: &Message, response: Response) -> Result<(), Unanswered> {
        let (status, headers) = (response.status(), response.headers().clone());
        if status == StatusCode::ACCEPTED {
            return Ok(());
        }
        if is(&headers, "text/event-stream") {
            let mut events = Events::new(response);
            while let Some(data) = events.next().await.map_err(|_| Unanswered("the server broke off".to_owned()))? {
                self.learn(message, &headers, &data);
                self.say(data).await;
            }
            return Ok(());
        }
        let body = response.text().await.map_err(|_| Unanswered("the server broke off".to_owned()))?;
        let value: Option<Value> = serde_json::from_str(&body).ok();
        match value {
            Some(value) if value.get("jsonrpc").is_some() => {
                self.learn(message, &headers, &body);
                self.say(value.to_string()).await;
                Ok(())
            }
            Some(problem) if problem["detail"].is_string() => {
                Err(Unanswered(format!("{}: {}", problem["title"].as_str().unwrap_or_default(), problem["detail"])))
            }
            _ => {
                Err(Unanswered(format!("the server answered {status}: {}", body.chars().take(200).collect::<String>())))
            }
        }
    }

    /// Keeps what the answer to `initialize` says about the session, and listens to what the server has to say in it.
    fn learn(self: &Arc<Self>, message: &Message, headers: &HeaderMap, answer: &str) {
        let Some(id) = headers.get(SESSION).filter(|_| message.is_initialize()) else { return };
        let answer: Value = serde_json::from_str(answer).unwrap_or_default();
        let Some(version) = answer["result"]["protocolVersion"].as_str() else { return };
        *lock(&self.session) = Session {
            id: Some(id.clone()),
            version: Some(version.to_owned()),
            initialize: serde_json::from_str(message.text()).ok(),
        };
        let bridge = Arc::clone(self);
        let id = id.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = bridge.listen(id) => {}
                () = bridge.over.cancelled() => {}
            }
        });
    }

    /// The server's own messages, for as long as this is the session.
    async fn listen(&self, id: HeaderValue) {
        loop {
            let session = lock(&self.session).clone();
            if session.id.as_ref() != Some(&id) {
                return;
            }
            let request = self
                .http
                .get(&self.url)
                .bearer_auth(self.key.expose())
                .header(header::ACCEPT, "text/event-stream")
                .header("mcp-protocol-version", session.version.unwrap_or_default())
                .header(SESSION, &id);
            if let Ok(response) = request.send().await
                && response.status().is_success()
            {
                let mut events = Events::new(response);
                while let Ok(Some(data)) = events.next().await {
                    self.say(data).await;
                }
            }
            tokio::time::sleep(REOPEN).await;
        }
    }

    fn has_session(&self) -> bool {
        lock(&self.session).id.is_some()
    }

    /// Whether the server knew our session once and does so no longer, as after its restart.
    fn was_forgotten(&self, message: &Message) -> bool {
        !message.is_initialize() && message.own_version().is_none() && self.has_session()
    }

    async fn reopen(self: &Arc<Self>) -> Result<(), Unanswered> {
        let initialize = lock(&self.session).initialize.clone();
        let gone = || Unanswered("the server has forgotten the session".to_owned());
        let message = initialize.and_then(|value| Message::parse(&value.to_string())).ok_or_else(gone)?;
        let response = self.post(&message).await?;
        let headers = response.headers().clone();
        let mut events = Events::new(response);
        while let Ok(Some(data)) = events.next().await {
            self.learn(&message, &headers, &data);
        }
        let initialized =
            Message::parse(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).ok_or_else(gone)?;
        self.post(&initialized).await.map(drop)
    }

    /// Ends everything that would go on for ever.
    async fn end_session(&self) {
        let open: Vec<_> = lock(&self.open).values().cloned().collect();
        if !open.is_empty() {
            // What was asked last may still be answered.
            let answered = async {
                while !lock(&self.open).is_empty() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            let _ = tokio::time::timeout(LAST_WORDS, answered).await;
        }
        self.over.cancel();
        let session = lock(&self.session).clone();
        if let Some(id) = session.id {
            let request = self.http.delete(&self.url).bearer_auth(self.key.expose()).header(SESSION, id);
            let version = session.version.unwrap_or_default();
            // A session that is not ended ends by itself.
            let _ = request.header("mcp-protocol-version", version).timeout(LAST_WORDS).send().await;
        }
    }

    async fn say(&self, text: String) {
        // Only a writer whose client has gone does not take it.
        let _ = self.out.send(text).await;
    }
}

fn is(headers: &HeaderMap, content_type: &str) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(content_type.as_bytes()))
}

/// The data behind these locks is valid after every statement.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
