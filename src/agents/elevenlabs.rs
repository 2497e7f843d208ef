//! The ElevenLabs client: signed URLs, conversation sockets, agents, voices, conversations.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use url::Url;

use super::socket::{self, AgentError, AgentSocket, ClientSocket};
use crate::domain::Secret;
use crate::protocol::agent::Dialect;
use crate::protocol::agent::elevenlabs_rest::{ApiError, SignedUrl};

/// How long a REST request may take in all.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// How often a read is tried when the vendor is busy, and the first wait between two tries.
const TRIES: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// A client of one account. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ElevenLabsClient {
    api_url: Url,
    api_key: Option<Secret>,
    http: reqwest::Client,
}

impl ElevenLabsClient {
    /// `api_url` like `https://api.elevenlabs.io`; sockets use the same host. Without a key only public agents can be reached.
    pub fn new(api_url: &str, api_key: Option<Secret>) -> Result<Self, AgentError> {
        let api_url = Url::parse(api_url).map_err(|error| AgentError::Unreadable(error.to_string()))?;
        let http = reqwest::Client::builder()
            .timeout(REQUEST_LIMIT)
            .connect_timeout(Duration::from_secs(5))
            .build()
            .map_err(|error| AgentError::Unreachable(error.to_string()))?;
        Ok(Self { api_url, api_key, http })
    }

    /// Opens a conversation socket. With a key the URL is a signed one (good for 15 minutes, to start only).
    pub async fn connect(&self, agent_id: &str) -> Result<AgentSocket<ClientSocket>, AgentError> {
        let url = match &self.api_key {
            Some(_) => self.signed_url(agent_id).await?,
            None => self.public_url(agent_id),
        };
        let socket = socket::open(&url).await?;
        Ok(AgentSocket { socket, dialect: Dialect::elevenlabs() })
    }

    /// `wss` for `https`, `ws` for `http`, like the API itself.
    fn public_url(&self, agent_id: &str) -> String {
        let mut url = self.api_url.clone();
        url.set_path("/v1/convai/conversation");
        url.query_pairs_mut().clear().append_pair("agent_id", agent_id);
        url.as_str().replacen("http", "ws", 1)
    }

    async fn signed_url(&self, agent_id: &str) -> Result<String, AgentError> {
        let answer = self.get("/v1/convai/conversation/get-signed-url", &[("agent_id", agent_id)]).await?;
        let signed: SignedUrl =
            serde_json::from_value(answer).map_err(|error| AgentError::Unreadable(error.to_string()))?;
        let url = Url::parse(&signed.signed_url).map_err(|error| AgentError::Unreadable(error.to_string()))?;
        if self.may_dial(&url) { Ok(signed.signed_url) } else { Err(AgentError::ForeignHost) }
    }

    /// Our own host, in clear only where the API is in clear too, or the vendor's.
    fn may_dial(&self, url: &Url) -> bool {
        let same_host = url.host_str() == self.api_url.host_str()
            && url.port_or_known_default() == self.api_url.port_or_known_default();
        let vendors = url.host_str().is_some_and(|host| host == "elevenlabs.io" || host.ends_with(".elevenlabs.io"));
        match url.scheme() {
            "wss" => same_host || vendors,
            "ws" => same_host && self.api_url.scheme() == "http",
            _ => false,
        }
    }

    pub async fn agent(&self, id: &str) -> Result<Value, AgentError> {
        self.get(&format!("/v1/convai/agents/{}", segment(id)), &[]).await
    }

    /// One page; `cursor` from the page before.
    pub async fn agents(&self, search: Option<&str>, cursor: Option<&str>) -> Result<Value, AgentError> {
        let query: Vec<_> = [("search", search), ("cursor", cursor)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        self.get("/v1/convai/agents", &query).await
    }

    /// `body` as the vendor documents it; the answer holds `agent_id`. Not repeated on failure: it may have worked.
    pub async fn create_agent(&self, body: &Value) -> Result<Value, AgentError> {
        self.send(self.request(Method::POST, "/v1/convai/agents/create").json(body)).await
    }

    /// Merges `body` into the agent's settings.
    pub async fn update_agent(&self, id: &str, body: &Value) -> Result<Value, AgentError> {
        self.send(self.request(Method::PATCH, &format!("/v1/convai/agents/{}", segment(id))).json(body)).await
    }

    pub async fn voices(&self, search: Option<&str>, page_token: Option<&str>) -> Result<Value, AgentError> {
        let query: Vec<_> = [("search", search), ("next_page_token", page_token)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        self.get("/v2/voices", &query).await
    }

    pub async fn voice(&self, id: &str) -> Result<Value, AgentError> {
        self.get(&format!("/v1/voices/{}", segment(id)), &[]).await
    }

    pub async fn conversation(&self, id: &str) -> Result<Value, AgentError> {
        self.get(&format!("/v1/convai/conversations/{}", segment(id)), &[]).await
    }

    /// Reads may be repeated when the vendor is busy or stumbles.
    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, AgentError> {
        let mut wait = FIRST_WAIT;
        for _ in 1..TRIES {
            match self.send(self.request(Method::GET, path).query(query)).await {
                Err(AgentError::SignedUrl(error)) if error.status == 429 || error.status >= 500 => {
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                answer => return answer,
            }
        }
        self.send(self.request(Method::GET, path).query(query)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut url = self.api_url.clone();
        url.set_path(path);
        let request = self.http.request(method, url);
        match &self.api_key {
            Some(key) => request.header("xi-api-key", key.expose()),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value, AgentError> {
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        let body = response.bytes().await.map_err(|error| unreachable(&error))?;
        if !status.is_success() {
            return Err(ApiError::parse(status.as_u16(), &body).into());
        }
        serde_json::from_slice(&body).map_err(|error| AgentError::Unreadable(error.to_string()))
    }
}

/// An id as one segment of a path: whatever it holds, it cannot lead elsewhere.
fn segment(id: &str) -> String {
    id.replace(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'), "%")
}

fn unreachable(error: &reqwest::Error) -> AgentError {
    if error.is_timeout() {
        return AgentError::TimedOut(REQUEST_LIMIT);
    }
    // The URL may hold an id; the cause says enough.
    let cause = std::error::Error::source(error).map_or_else(|| "no connection".to_owned(), ToString::to_string);
    AgentError::Unreachable(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(api_url: &str) -> ElevenLabsClient {
        // A second installation of the same provider is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        ElevenLabsClient::new(api_url, None).unwrap()
    }

    #[test]
    fn sockets_use_the_apis_host_and_its_security() {
        assert_eq!(
            client("https://api.elevenlabs.io").public_url("agent_1"),
            "wss://api.elevenlabs.io/v1/convai/conversation?agent_id=agent_1"
        );
        assert_eq!(
            client("http://127.0.0.1:4020").public_url("a b"),
            "ws://127.0.0.1:4020/v1/convai/conversation?agent_id=a+b"
        );
    }

    #[test]
    fn a_signed_url_may_not_lead_elsewhere() {
        let may = |api: &str, url: &str| client(api).may_dial(&Url::parse(url).unwrap());
        let vendor = "https://api.elevenlabs.io";
        assert!(may(vendor, "wss://api.elevenlabs.io/x") && may(vendor, "wss://api.us.elevenlabs.io/x"));
        assert!(!may(vendor, "ws://api.elevenlabs.io/x") && !may(vendor, "wss://elevenlabs.io.evil.example/x"));
        let local = "http://127.0.0.1:4020";
        assert!(may(local, "ws://127.0.0.1:4020/x") && !may(local, "ws://127.0.0.1:4021/x"));
    }

    #[test]
    fn an_id_cannot_leave_its_place_in_the_path() {
        assert_eq!(segment("agent_1-x"), "agent_1-x");
        assert_eq!(segment("../voices?x"), "%%%voices%x");
    }
}
