//! Retell's REST API, as far as a call that is handed over needs it: register it, ask about it, stop it.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::Value;
use url::Url;

use crate::domain::Secret;
use crate::protocol::agent::elevenlabs_rest::excerpt;
use crate::protocol::agent::retell::{Registration, RetellCall, parse_call};

use super::AgentError;

/// For one request. A caller hears nothing while a call is registered.
const LIMIT: Duration = Duration::from_secs(5);

/// Larger than any call with its transcript.
const ANSWER_LIMIT: usize = 16 << 20;

/// A client of one account.
#[derive(Debug, Clone)]
pub struct RetellClient {
    http: reqwest::Client,
    api: Url,
    has_key: bool,
}

impl RetellClient {
    /// `api_url` is `https://api.retellai.com`, or an emulator's.
    pub fn new(api_url: &str, key: Option<&Secret>) -> Result<Self, AgentError> {
        let api = Url::parse(api_url).map_err(|_| AgentError::ApiUrl(api_url.to_owned()))?;
        if !["http", "https"].contains(&api.scheme()) {
            return Err(AgentError::ApiUrl(api_url.to_owned()));
        }
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let bearer = format!("Bearer {}", key.expose());
            let mut value = HeaderValue::from_str(&bearer).map_err(|_| AgentError::KeyText)?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .timeout(LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| AgentError::Unreachable { host: host_of(&api), reason: error.to_string() })?;
        Ok(Self { http, api, has_key: key.is_some() })
    }

    /// Announces a call to Retell. Returns its id there, which is good for a SIP call within five minutes.
    pub async fn register(&self, registration: &Registration<'_>) -> Result<String, AgentError> {
        let answer = self.request(Method::POST, &["v2", "register-phone-call"], Some(&registration.body())).await?;
        let call_id = self.parse(&answer)?.call_id;
        // It becomes part of a SIP address.
        if call_id.is_empty() || !call_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return Err(self.unexpected("its call_id is none"));
        }
        Ok(call_id)
    }

    pub async fn fetch_call(&self, call_id: &str) -> Result<RetellCall, AgentError> {
        let answer = self.request(Method::GET, &["v2", "get-call", call_id], None).await?;
        self.parse(&answer)
    }

    /// Ends the agent's side of a call.
    pub async fn stop_call(&self, call_id: &str) -> Result<(), AgentError> {
        self.request(Method::POST, &["v2", "stop-call", call_id], None).await.map(drop)
    }

    async fn request(&self, method: Method, path: &[&str], body: Option<&Value>) -> Result<Vec<u8>, AgentError> {
        if !self.has_key {
            return Err(AgentError::NoRetellKey);
        }
        let mut url = self.api.clone();
        url.path_segments_mut().expect("http and https URLs have a path").pop_if_empty().extend(path);
        let mut request = self.http.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut response = request.send().await.map_err(|error| self.transport(&error))?;
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transport(&error))? {
            if answer.len() + chunk.len() > ANSWER_LIMIT {
                return Err(self.unexpected("it is too large"));
            }
            answer.extend_from_slice(&chunk);
        }
        if response.status().is_success() {
            return Ok(answer);
        }
        Err(AgentError::Retell { status: response.status().as_u16(), excerpt: excerpt(&answer) })
    }

    fn parse(&self, answer: &[u8]) -> Result<RetellCall, AgentError> {
        parse_call(answer).map_err(|error| self.unexpected(&error.to_string()))
    }

    fn transport(&self, error: &reqwest::Error) -> AgentError {
        let host = host_of(&self.api);
        if error.is_timeout() {
            return AgentError::Timeout { host, after: LIMIT };
        }
        AgentError::Unreachable { host, reason: "the request failed".to_owned() }
    }

    fn unexpected(&self, reason: &str) -> AgentError {
        AgentError::UnexpectedAnswer { host: host_of(&self.api), reason: reason.to_owned() }
    }
}

fn host_of(api: &Url) -> String {
    api.host_str().unwrap_or_default().to_owned()
}
