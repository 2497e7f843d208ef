//! A program that talks to the server's REST API, and follows its events.

use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::soon;

/// A WebSocket of the API.
pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

#[derive(Clone)]
pub(super) struct Api {
    http: reqwest::Client,
    base: String,
    key: String,
}

/// Status, content type and body of an answer.
pub(super) struct Answer {
    pub status: u16,
    pub content_type: String,
    pub body: Value,
}

impl Api {
    pub(super) fn new(base: &str, key: &str) -> Self {
        // The emulators did this already where they run first; the provider is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, base: base.to_owned(), key: key.to_owned() }
    }

    /// The same server, another key.
    pub(super) fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    pub(super) fn move_to(&mut self, base: &str) {
        base.clone_into(&mut self.base);
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(self.http.get(format!("{}{path}", self.base))).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.http.post(format!("{}{path}", self.base)).json(body)).await
    }

    /// The same for a server that may vanish: none where no whole answer came.
    pub(super) async fn try_post(&self, path: &str, body: &Value) -> Option<Answer> {
        let request = self.http.post(format!("{}{path}", self.base)).json(body);
        self.try_send(request).await.ok()
    }

    /// The first event of this kind of a call, past or to come.
    pub(super) async fn event_of(&self, call_id: &str, kind: &str) -> Value {
        let is_it = |entry: &Value| entry["call_id"] == call_id && entry["event"]["type"] == kind;
        self.event(kind, is_it).await["event"].clone()
    }

    /// Opens a WebSocket of the API.
    pub(super) async fn socket(&self, path: &str) -> Result<Socket, u16> {
        let url = format!("{}{path}", self.base.replacen("http", "ws", 1));
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {}", self.key).parse().unwrap());
        match soon("an upgrade", connect_async(request)).await {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// `POST /api/v1/calls` under an idempotency key.
    pub(super) async fn place_once(&self, body: &Value, key: &str) -> Answer {
        let request = self.http.post(format!("{}/api/v1/calls", self.base)).header("idempotency-key", key);
        self.send(request.json(body)).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        self.try_send(request).await.unwrap()
    }

    async fn try_send(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
        let request = if self.key.is_empty() { request } else { request.bearer_auth(&self.key) };
        let answer = soon("an answer of the server", request.send()).await?;
        let status = answer.status().as_u16();
        let header = |name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let content_type = header("content-type").unwrap_or_default();
        let text = answer.text().await?;
        Ok(Answer { status, content_type, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
    }

    /// The first entry of the journal that fits, past or to come.
    pub(super) async fn event(&self, what: &str, mut fits: impl FnMut(&Value) -> bool) -> Value {
        let request = self.http.get(format!("{}/api/v1/events?after_seq=0", self.base)).bearer_auth(&self.key);
        let search = async {
            let mut body = request.send().await.unwrap().bytes_stream();
            let mut text = String::new();
            loop {
                let chunk = body.next().await.expect("events went on").expect("events went on");
                text.push_str(std::str::from_utf8(&chunk).unwrap());
                while let Some((line, rest)) = text.split_once('\n') {
                    let entry: Option<Value> =
                        line.strip_prefix("data:").map(|json| serde_json::from_str(json).unwrap());
                    text = rest.to_owned();
                    if let Some(entry) = entry.filter(|entry| fits(entry)) {
                        return entry;
                    }
                }
            }
        };
        soon(what, search).await
    }

    /// Waits until the journal holds so many conversations of a call.
    pub(super) async fn conversing(&self, call_id: &str, times: usize) {
        let mut seen = 0;
        self.event("a conversation in the journal", |entry| {
            seen += usize::from(entry["call_id"] == call_id && entry["event"]["type"] == "agent_connected");
            seen == times
        })
        .await;
    }

    /// Waits until so many calls have ended.
    pub(super) async fn all_ended(&self, calls: usize) {
        let mut ended = 0;
        self.event("the end of all calls", |entry| {
            ended += usize::from(entry["event"]["type"] == "ended");
            ended == calls
        })
        .await;
    }

    /// Our id of a call that the carrier knows as `sid`.
    pub(super) async fn call_of(&self, sid: &str) -> String {
        let is_it = |entry: &Value| entry["event"]["type"] == "carrier_accepted" && entry["event"]["call_sid"] == sid;
        self.event("the call in the journal", is_it).await["call_id"].as_str().unwrap().to_owned()
    }

    /// Everything that happened to a call, up to its end.
    pub(super) async fn story(&self, call_id: &str) -> Vec<Value> {
        let mut told = Vec::new();
        self.event("the end of the call", |entry| {
            let of_call = entry["call_id"] == call_id;
            if of_call {
                told.push(entry["event"].clone());
            }
            of_call && entry["event"]["type"] == "ended"
        })
        .await;
        told
    }

    /// The call, once it has ended.
    pub(super) async fn ended(&self, call_id: &str) -> Value {
        let is_it = |entry: &Value| entry["event"]["type"] == "ended" && entry["call_id"] == call_id;
        self.event("the end of the call", is_it).await;
        self.get(&format!("/api/v1/calls/{call_id}")).await.body
    }

    /// How many calls are not over.
    pub(super) async fn live(&self) -> usize {
        self.get("/api/v1/calls?state=live").await.body["calls"].as_array().unwrap().len()
    }
}
