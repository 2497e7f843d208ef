//! A message of the client's: what the HTTP transport has to know of it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

/// The first revision that wants the method and the name in headers.
const FIRST_WITH_NAMES: &str = "2026-07-28";

/// One JSON-RPC message, as text and as far as it is looked into.
#[derive(Debug)]
pub(super) struct Message {
    text: String,
    value: Value,
}

impl Message {
    pub(super) fn parse(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        value.is_object().then(|| Self { text: line.to_owned(), value })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn method(&self) -> &str {
        self.value["method"].as_str().unwrap_or_default()
    }

    pub(super) fn id(&self) -> &Value {
        &self.value["id"]
    }

    pub(super) fn id_text(&self) -> String {
        self.value["id"].to_string()
    }

    pub(super) fn is_request(&self) -> bool {
        !self.method().is_empty() && !self.id().is_null()
    }

    pub(super) fn is_initialize(&self) -> bool {
        self.method() == "initialize"
    }

    /// The id of the request that this takes back.
    pub(super) fn cancels(&self) -> Option<String> {
        (self.method() == "notifications/cancelled").then(|| self.value["params"]["requestId"].to_string())
    }

    /// The revision that a message without a session names itself.
    pub(super) fn own_version(&self) -> Option<&str> {
        self.value["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str()
    }

    /// The headers that repeat what stands in the message. `agreed` is the revision of the session.
    pub(super) fn headers(&self, agreed: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(&plain(value)) {
                headers.insert(name, value);
            }
        };
        let version = if self.is_initialize() { None } else { self.own_version().or(agreed) };
        if let Some(version) = version {
            set("mcp-protocol-version", version);
        }
        if version.is_some_and(|version| version >= FIRST_WITH_NAMES) {
            set("mcp-method", self.method());
            let params = &self.value["params"];
            let name = match self.method() {
                "tools/call" | "prompts/get" => params["name"].as_str(),
                "resources/read" => params["uri"].as_str(),
                "tasks/get" | "tasks/update" | "tasks/cancel" => params["taskId"].as_str(),
                _ => None,
            };
            if let Some(name) = name {
                set("mcp-name", name);
            }
        }
        headers
    }
}

/// A header's value: visible ASCII as it is, anything else in the form that the specification gives.
fn plain(text: &str) -> String {
    let visible = text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && text.trim() == text;
    if visible && !text.starts_with("=?base64?") {
        text.to_owned()
    } else {
        format!("=?base64?{}?=", BASE64_STANDARD.encode(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_without_a_session_repeats_itself_in_headers() {
        let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
        let text = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"end_call",{meta}}}}}"#);
        let headers = Message::parse(&text).unwrap().headers(None);
        assert_eq!(headers["mcp-protocol-version"], "2026-07-28");
        assert_eq!(
            (&headers["mcp-method"], &headers["mcp-name"]),
            (&"tools/call".parse().unwrap(), &"end_call".parse().unwrap())
        );
        assert_eq!(plain("grüße"), "=?base64?Z3LDvMOfZQ==?=");
    }

    #[test]
    fn a_message_of_a_session_names_the_agreed_revision_only() {
        let message = Message::parse(r#"{"jsonrpc":"2.0","id":"a","method":"tools/list"}"#).unwrap();
        let headers = message.headers(Some("2025-11-25"));
        assert_eq!((headers.len(), &headers["mcp-protocol-version"]), (1, &"2025-11-25".parse().unwrap()));
        assert!(message.is_request() && message.cancels().is_none());
        let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}"#;
        assert_eq!(Message::parse(cancel).unwrap().cancels(), Some(message.id_text()));
        let initialize = Message::parse(r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#).unwrap();
        assert!(initialize.headers(Some("2025-11-25")).is_empty());
        assert!(Message::parse("[]").is_none() && Message::parse("x").is_none());
    }
}
