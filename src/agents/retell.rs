//! Retell's REST API as far as calls need it: register one, ask about it, stop it; and the audio WebSocket that Retell retired.

use std::sync::Arc;
use std::time::Duration;

use futures_util::SinkExt as _;
use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use url::Url;

use crate::domain::{AccountSid, ConversationId, Secret, StreamSid};
use crate::protocol::agent::Dialect;
use crate::protocol::agent::elevenlabs_rest::excerpt;
use crate::protocol::agent::retell::{AudioProtocol, Registration, RetellCall, parse_call};
use crate::protocol::agent::retell_web::RetellWeb;
use crate::protocol::agent::twilio_stream::TwilioStream;

use super::{AgentError, AgentSocket, DialledSocket, bearer, socket};

/// For one request. A caller hears nothing while a call is registered.
const LIMIT: Duration = Duration::from_secs(5);

/// Larger than any call with its transcript.
const ANSWER_LIMIT: usize = 16 << 20;

/// A client of one account.
#[derive(Debug, Clone)]
pub struct RetellClient {
    http: reqwest::Client,
    api: Url,
    key: Option<Secret>,
    tls: Arc<rustls::ClientConfig>,
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
            headers.insert(header::AUTHORIZATION, bearer(key)?);
        }
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .timeout(LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| AgentError::Unreachable { host: host_of(&api), reason: error.to_string() })?;
        let tls = socket::tls().map_err(|reason| AgentError::Unreachable { host: host_of(&api), reason })?;
        Ok(Self { http, api, key: key.cloned(), tls })
    }

    /// Announces a call to Retell. Returns its id there, which is good for a SIP call within five minutes.
    pub async fn register(&self, registration: &Registration<'_>) -> Result<String, AgentError> {
        let answer = self.request(Method::POST, &["v2", "register-phone-call"], Some(&registration.body())).await?;
        self.call_id(&answer)
    }

    fn call_id(&self, answer: &[u8]) -> Result<String, AgentError> {
        let call_id = self.parse(answer)?.call_id;
        // It becomes part of an address.
        if call_id.is_empty() || !call_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return Err(self.unexpected("its call_id is none"));
        }
        Ok(call_id)
    }

    /// The call as Retell knows it, and the whole of the answer.
    pub async fn fetch_call(&self, call_id: &str) -> Result<(RetellCall, Value), AgentError> {
        let answer = self.request(Method::GET, &["v2", "get-call", call_id], None).await?;
        Ok((self.parse(&answer)?, serde_json::from_slice(&answer).unwrap_or_default()))
    }

    /// Whether the account has this agent.
    pub async fn fetch_agent(&self, agent_id: &str) -> Result<Value, AgentError> {
        let answer = self.request(Method::GET, &["get-agent", agent_id], None).await?;
        serde_json::from_slice(&answer).map_err(|_| self.unexpected("it is no agent"))
    }

    /// The way in that Retell retired at the end of 2024: registers the call the old way and opens its audio WebSocket.
    pub async fn open_audio(
        &self,
        registration: &Registration<'_>,
        protocol: AudioProtocol,
        account_sid: &AccountSid,
    ) -> Result<AgentSocket<DialledSocket>, AgentError> {
        let answer = self.request(Method::POST, &["register-call"], Some(&registration.audio_body(protocol))).await?;
        let call_id = self.call_id(&answer)?;
        let mut url = self.socket_url(&["audio-websocket", &call_id])?;
        if protocol == AudioProtocol::Web {
            url.set_query(Some("enable_update=true"));
        }
        let request = url.as_str().into_client_request().map_err(|_| AgentError::ApiUrl(self.api.to_string()))?;
        let late = |_| AgentError::Timeout { host: host_of(&self.api), after: LIMIT };
        let opened = tokio::time::timeout(LIMIT, async {
            let mut socket = socket::open(request, &self.tls).await?;
            if protocol == AudioProtocol::Twilio {
                let said = socket.send(Message::text(TwilioStream::PREFACE)).await;
                let host = host_of(&self.api);
                said.map_err(|error| AgentError::Unreachable { host, reason: error.to_string() })?;
            }
            Ok::<_, AgentError>(socket)
        });
        let socket = opened.await.map_err(late)??;
        let dialect = match protocol {
            // Our stream to Retell goes by the id that Retell gave, so that the record knows the conversation by it.
            AudioProtocol::Twilio => {
                Dialect::TwilioStream(TwilioStream::new(account_sid.clone(), StreamSid::new(call_id)))
            }
            AudioProtocol::Web => Dialect::RetellWeb(RetellWeb::new(ConversationId::new(call_id))),
        };
        Ok(AgentSocket { socket, dialect })
    }

    /// Lets the agent of a running call know something; `is_answered`: it speaks to it at once.
    pub async fn message(&self, call_id: &str, text: &str, is_answered: bool) -> Result<(), AgentError> {
        let body = json!({"call_control": {"additional_context": text, "trigger_response": is_answered}});
        self.request(Method::PATCH, &["v2", "update-live-call", call_id], Some(&body)).await.map(drop)
    }

    /// Opens the socket on which Retell tells what is said in a call, from the moment when it is live.
    pub async fn monitor(&self, call_id: &str) -> Result<DialledSocket, AgentError> {
        let key = self.key.as_ref().ok_or(AgentError::NoRetellKey)?;
        let url = self.socket_url(&["v2", "monitor-call", call_id])?;
        let mut request = url.as_str().into_client_request().map_err(|_| AgentError::ApiUrl(self.api.to_string()))?;
        let mut protocols =
            HeaderValue::try_from(format!("bearer, {}", key.expose())).map_err(|_| AgentError::KeyText)?;
        protocols.set_sensitive(true);
        request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocols);
        let late = |_| AgentError::Timeout { host: host_of(&self.api), after: LIMIT };
        tokio::time::timeout(LIMIT, socket::open(request, &self.tls)).await.map_err(late)?
    }

    fn socket_url(&self, path: &[&str]) -> Result<Url, AgentError> {
        let mut url = self.api.clone();
        let scheme = if self.api.scheme() == "https" { "wss" } else { "ws" };
        url.set_scheme(scheme).map_err(|()| AgentError::ApiUrl(self.api.to_string()))?;
        url.path_segments_mut().expect("such URLs have a path").pop_if_empty().extend(path);
        Ok(url)
    }

    /// Ends the agent's side of a call.
    pub async fn stop_call(&self, call_id: &str) -> Result<(), AgentError> {
        self.request(Method::POST, &["v2", "stop-call", call_id], None).await.map(drop)
    }

    async fn request(&self, method: Method, path: &[&str], body: Option<&Value>) -> Result<Vec<u8>, AgentError> {
        if self.key.is_none() {
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
