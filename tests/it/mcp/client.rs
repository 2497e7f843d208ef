//! A client of the protocol revision 2026-07-28: every message says all about itself, there are no sessions.

use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::soon;

pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    key: String,
    capabilities: Value,
    headers: Vec<(&'static str, String)>,
}

/// Status, headers and body of an answer.
pub(super) struct Answer {
    pub status: u16,
    pub challenge: String,
    pub body: Value,
}

impl Client {
    pub(super) fn new(base: &str, key: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, url: format!("{base}/mcp"), key: key.to_owned(), capabilities: json!({}), headers: Vec::new() }
    }

    pub(super) fn able_to(self, capabilities: Value) -> Self {
        Self { capabilities, ..self }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(super) async fn send(&self, method: &str, params: Value) -> Answer {
        let response = self.post(method, params).await;
        let status = response.status().as_u16();
        let challenge = response.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
        let text = response.text().await.unwrap();
        // A stream's last event is the answer.
        let data = text.lines().rev().find_map(|line| line.strip_prefix("data:")).unwrap_or(&text);
        let body = serde_json::from_str(data).unwrap_or(Value::String(text));
        Answer { status, challenge: challenge.unwrap_or_default(), body }
    }

    async fn post(&self, method: &str, mut params: Value) -> reqwest::Response {
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
        let name = ["name", "uri", "taskId"].iter().find_map(|key| params[key].as_str()).map(str::to_owned);
        let mut request = self
            .http
            .post(&self.url)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method);
        if let Some(name) = name {
            request = request.header("mcp-name", name);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if !self.key.is_empty() {
            request = request.bearer_auth(&self.key);
        }
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        soon("an answer over MCP", request.json(&message).send()).await.unwrap()
    }

    /// A tool's result, whatever it is.
    pub(super) async fn result(&self, tool: &str, arguments: Value) -> Value {
        let answer = self.send("tools/call", json!({"name": tool, "arguments": arguments})).await;
        assert_eq!(answer.status, 200, "{tool}: {}", answer.body);
        answer.body["result"].clone()
    }

    /// What a tool returns when it does what it is asked.
    pub(super) async fn call(&self, tool: &str, arguments: Value) -> Value {
        let result = self.result(tool, arguments).await;
        assert_eq!(result["isError"], false, "{tool}: {result}");
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, result["structuredContent"], "{tool}: text and structure say the same");
        text
    }

    /// What a tool says when it does not.
    pub(super) async fn error(&self, tool: &str, arguments: Value) -> Value {
        let result = self.result(tool, arguments).await;
        assert_eq!(result["isError"], true, "{tool}: {result}");
        let body: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(body["success"], false);
        assert!(body["error"]["hint"].as_str().is_some_and(|hint| hint.len() > 5), "{body}");
        body["error"].clone()
    }

    /// Opens `subscriptions/listen` on these resources and waits for the acknowledgement.
    pub(super) async fn listen(&self, uris: &[&str]) -> Stream {
        let response =
            self.post("subscriptions/listen", json!({"notifications": {"resourceSubscriptions": uris}})).await;
        let mut stream = Stream { body: Box::pin(response.bytes_stream()), text: String::new() };
        let first = stream.next().await.expect("an acknowledgement");
        assert_eq!(first["method"], "notifications/subscriptions/acknowledged", "{first}");
        stream
    }
}

pub(super) struct Stream {
    body: std::pin::Pin<Box<dyn futures_util::Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    text: String,
}

impl Stream {
    /// The next message; none at the end.
    pub(super) async fn next(&mut self) -> Option<Value> {
        let read = async {
            loop {
                while let Some(end) = self.text.find('\n') {
                    let line: String = self.text.drain(..=end).collect();
                    let message: Option<Value> =
                        line.strip_prefix("data:").and_then(|data| serde_json::from_str(data).ok());
                    if message.is_some() {
                        return message;
                    }
                }
                let chunk = self.body.next().await?.ok()?;
                self.text.push_str(std::str::from_utf8(&chunk).unwrap());
            }
        };
        soon("a message of a stream", read).await
    }
}
