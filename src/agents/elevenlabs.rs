//! The `ElevenLabs` API: opens conversations, and manages agents and voices.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Uri, header};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use url::Url;

use crate::domain::Secret;
use crate::protocol::agent::Dialect;
use crate::protocol::agent::elevenlabs_conversation::ConversationRecord;
use crate::protocol::agent::elevenlabs_rest::{
    AgentPage, AgentsQuery, CreatedAgent, ErrorBody, SignedUrl, Voice, VoicePage, VoicesQuery,
};

use super::{AgentError, AgentSocket, DialledSocket, socket};

/// Larger than any transcript.
const ANSWER_LIMIT: usize = 32 << 20;

/// Connections for requests that are kept for the next ones.
const IDLE_CONNECTIONS: usize = 16;

/// How often a reading request is tried in all.
const TRIES: u32 = 3;

/// How long we wait for the vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For a conversation's socket, signed URL included: a caller is waiting.
    pub connect: Duration,
    /// For one try of a REST request.
    pub request: Duration,
    /// Before the second try of a reading request; doubled before the third.
    pub retry_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(15),
            retry_pause: Duration::from_millis(250),
        }
    }
}

/// A text on its way to being spoken.
#[derive(Debug)]
pub struct Speech {
    response: reqwest::Response,
    client: ElevenLabsClient,
}

impl Speech {
    /// The next piece of the audio, µ-law at 8 kHz; none at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, AgentError> {
        self.response.chunk().await.map_err(|error| self.client.transport(&error))
    }
}

/// A client of one account, or of public agents only where there is no key.
#[derive(Debug, Clone)]
pub struct ElevenLabsClient {
    http: reqwest::Client,
    api: Url,
    has_key: bool,
    limits: Limits,
    /// For the sockets: trusts whom the REST requests trust (the system's certificates), and is shared by all calls, so that their
    /// handshakes are resumed ones.
    tls: Arc<rustls::ClientConfig>,
}

impl ElevenLabsClient {
    /// `api_url` is `https://api.elevenlabs.io`, a residency's host, or an emulator's; the sockets use the same host.
    ///
    /// # Panics
    /// Where no TLS provider is installed for the process.
    pub fn new(api_url: &str, key: Option<&Secret>, limits: Limits) -> Result<Self, AgentError> {
        // What stands before an @ may be a password.
        let bad_url = || AgentError::ApiUrl(api_url.rsplit('@').next().unwrap_or_default().to_owned());
        let api = Url::parse(api_url).map_err(|_| bad_url())?;
        let plain = api.username().is_empty() && api.password().is_none() && api.query().is_none();
        if !["http", "https"].contains(&api.scheme()) || !plain {
            return Err(bad_url());
        }
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            let mut value = HeaderValue::from_str(key.expose()).map_err(|_| AgentError::KeyText)?;
            value.set_sensitive(true);
            headers.insert("xi-api-key", value);
        }
        let unreachable = |reason| AgentError::Unreachable { host: host_of(&api), reason };
        let tls = socket::tls().map_err(unreachable)?;
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .timeout(limits.request)
            // A burst of calls leaves as many connections behind; what a few of them save is enough.
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            // A redirect would carry the key elsewhere, and the environment's proxies are boot's to read.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| unreachable(innermost(&error)))?;
        Ok(Self { http, api, has_key: key.is_some(), limits, tls })
    }

    /// Whether more than public agents can be reached.
    pub fn has_key(&self) -> bool {
        self.has_key
    }

    /// Opens a conversation's socket: by a signed URL where there is a key, else as a public agent.
    ///
    /// Nothing is said on it: the first message is the caller's to send.
    pub async fn connect(&self, agent_id: &str) -> Result<AgentSocket<DialledSocket>, AgentError> {
        let opened = timeout(self.limits.connect, async {
            let url = if self.has_key { self.signed_url(agent_id).await? } else { self.public_url(agent_id) };
            self.dial(&url).await
        });
        let socket = opened.await.map_err(|_| self.too_late(self.limits.connect))??;
        Ok(AgentSocket { socket, dialect: Dialect::elevenlabs() })
    }

    /// A URL to start a conversation with, valid for 15 minutes. It is a credential.
    pub async fn signed_url(&self, agent_id: &str) -> Result<Secret, AgentError> {
        let path = ["v1", "convai", "conversation", "get-signed-url"];
        match self.read::<SignedUrl>(&path, &[("agent_id", agent_id)]).await {
            Ok(answer) => Ok(answer.signed_url),
            Err(AgentError::Api { status, body }) => {
                Err(AgentError::SignedUrl { agent_id: agent_id.to_owned(), status, body })
            }
            Err(other) => Err(other),
        }
    }

    /// `body` as `NewAgent::body` makes it, or any other of the vendor's objects.
    pub async fn create_agent(&self, body: &Value) -> Result<CreatedAgent, AgentError> {
        self.write(Method::POST, &["v1", "convai", "agents", "create"], body).await
    }

    /// Merges `body` into the agent's settings (lists are replaced as a whole), and gives the agent as it is then.
    pub async fn update_agent(&self, agent_id: &str, body: &Value) -> Result<Value, AgentError> {
        self.write(Method::PATCH, &["v1", "convai", "agents", agent_id], body).await
    }

    pub async fn fetch_agent(&self, agent_id: &str) -> Result<Value, AgentError> {
        self.read(&["v1", "convai", "agents", agent_id], &()).await
    }

    pub async fn list_agents(&self, query: &AgentsQuery) -> Result<AgentPage, AgentError> {
        self.read(&["v1", "convai", "agents"], query).await
    }

    pub async fn list_voices(&self, query: &VoicesQuery) -> Result<VoicePage, AgentError> {
        self.read(&["v2", "voices"], query).await
    }

    pub async fn fetch_voice(&self, voice_id: &str) -> Result<Voice, AgentError> {
        self.read(&["v1", "voices", voice_id], &()).await
    }

    /// The voice that an agent speaks with.
    pub async fn voice_of(&self, agent_id: &str) -> Result<String, AgentError> {
        let agent = self.fetch_agent(agent_id).await?;
        let voice = agent.pointer("/conversation_config/tts/voice_id").and_then(Value::as_str);
        voice.map(str::to_owned).ok_or_else(|| self.unexpected("the agent has no voice"))
    }

    /// Has a text spoken. The audio comes as it is made, µ-law at 8 kHz.
    pub async fn speak(&self, voice_id: &str, model: &str, text: &str) -> Result<Speech, AgentError> {
        self.key_given()?;
        let request = self
            .http
            .post(self.url(&["v1", "text-to-speech", voice_id, "stream"]))
            .query(&[("output_format", "ulaw_8000")])
            .json(&json!({"text": text, "model_id": model}));
        let response = request.send().await.map_err(|error| self.transport(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(Speech { response, client: self.clone() });
        }
        let body = response.bytes().await.map_err(|error| self.transport(&error))?;
        Err(AgentError::Api { status: status.as_u16(), body: ErrorBody::parse(&body) })
    }

    /// The record of a conversation. Its transcript is complete some time after the call only: see its status.
    pub async fn fetch_conversation(&self, conversation_id: &str) -> Result<ConversationRecord, AgentError> {
        let answer = self.read_bytes(&["v1", "convai", "conversations", conversation_id], &()).await?;
        ConversationRecord::parse(&answer).map_err(|error| self.unexpected(&error.to_string()))
    }

    async fn dial(&self, url: &Secret) -> Result<DialledSocket, AgentError> {
        let request = url.expose().into_client_request().map_err(|_| self.unexpected("the signed URL is no URL"))?;
        // Checked on what is dialled, not on another reading of the same text.
        may_dial(&self.api, request.uri())?;
        socket::open(request, &self.tls).await
    }

    fn public_url(&self, agent_id: &str) -> Secret {
        let mut url = self.url(&["v1", "convai", "conversation"]);
        url.query_pairs_mut().append_pair("agent_id", agent_id);
        // From http to ws, from https to wss.
        Secret::new(url.as_str().replacen("http", "ws", 1))
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.api.clone();
        url.path_segments_mut().expect("http and https URLs have a path").pop_if_empty().extend(path);
        url
    }

    async fn read<T: DeserializeOwned>(&self, path: &[&str], query: &impl Serialize) -> Result<T, AgentError> {
        let answer = self.read_bytes(path, query).await?;
        self.parse(&answer)
    }

    /// Reading again does no harm, so that a passing trouble (429, 5xx) is not told to the operator at once.
    async fn read_bytes(&self, path: &[&str], query: &impl Serialize) -> Result<Vec<u8>, AgentError> {
        self.key_given()?;
        let mut pause = self.limits.retry_pause;
        for _ in 1..TRIES {
            let request = self.http.get(self.url(path)).query(query);
            match self.answer(request).await {
                Err(AgentError::Api { status, .. }) if passing(status) => sleep(pause).await,
                result => return result,
            }
            pause *= 2;
        }
        self.answer(self.http.get(self.url(path)).query(query)).await
    }

    async fn write<T: DeserializeOwned>(&self, method: Method, path: &[&str], body: &Value) -> Result<T, AgentError> {
        self.key_given()?;
        let answer = self.answer(self.http.request(method, self.url(path)).json(body)).await?;
        self.parse(&answer)
    }

    fn key_given(&self) -> Result<(), AgentError> {
        if self.has_key { Ok(()) } else { Err(AgentError::NoKey) }
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Vec<u8>, AgentError> {
        let request = request.header(header::ACCEPT, "application/json");
        let mut response = request.send().await.map_err(|error| self.transport(&error))?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transport(&error))? {
            if body.len() + chunk.len() > ANSWER_LIMIT {
                return Err(self.unexpected("it is too large"));
            }
            body.extend_from_slice(&chunk);
        }
        match response.status() {
            status if status.is_success() => Ok(body),
            status => Err(AgentError::Api { status: status.as_u16(), body: ErrorBody::parse(&body) }),
        }
    }

    fn parse<T: DeserializeOwned>(&self, answer: &[u8]) -> Result<T, AgentError> {
        // The place only: the text may be a credential.
        serde_json::from_slice(answer)
            .map_err(|error| self.unexpected(&format!("wrong at line {}, column {}", error.line(), error.column())))
    }

    fn transport(&self, error: &reqwest::Error) -> AgentError {
        if error.is_timeout() {
            return self.too_late(self.limits.request);
        }
        AgentError::Unreachable { host: host_of(&self.api), reason: innermost(error) }
    }

    fn too_late(&self, after: Duration) -> AgentError {
        AgentError::Timeout { host: host_of(&self.api), after }
    }

    fn unexpected(&self, reason: &str) -> AgentError {
        AgentError::UnexpectedAnswer { host: host_of(&self.api), reason: reason.to_owned() }
    }
}

/// A signed URL is dialled at the API's own host, or at a host of the vendor's over TLS; never with less protection than the API.
fn may_dial(api: &Url, target: &Uri) -> Result<(), AgentError> {
    let host = target.host().unwrap_or_default().to_ascii_lowercase();
    let protected = target.scheme_str() == Some("wss");
    let plain_allowed = target.scheme_str() == Some("ws") && api.scheme() == "http";
    let same = Some(host.as_str()) == api.host_str() && (protected || plain_allowed);
    let vendor = (host == "elevenlabs.io" || host.ends_with(".elevenlabs.io")) && protected;
    if same || vendor { Ok(()) } else { Err(AgentError::ForeignHost { host }) }
}

fn passing(status: u16) -> bool {
    StatusCode::from_u16(status).is_ok_and(|status| status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error())
}

fn host_of(api: &Url) -> String {
    api.host_str().unwrap_or_default().to_owned()
}

/// The reason beneath the reasons, such as `Connection refused`; what stands above it only repeats the URL.
fn innermost(error: &reqwest::Error) -> String {
    let mut reason = error.source();
    while let Some(deeper) = reason.and_then(std::error::Error::source) {
        reason = Some(deeper);
    }
    reason.map_or_else(|| "the request failed".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::extract::State;
    use axum::http::{Request, Response};
    use bytes::BytesMut;
    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;
    use tokio::sync::oneshot;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::handshake::server as handshake;
    use tokio_tungstenite::{MaybeTlsStream, accept_hdr_async};
    use tokio_util::task::TaskTracker;

    use crate::domain::agent_link::{AgentCommand, AgentEvent};
    use crate::protocol::agent::elevenlabs_rest::NewAgent;

    use super::*;

    macro_rules! fixture {
        ($name:literal) => {
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/elevenlabs/", $name))
        };
    }

    const KEY: &str = "sk_fixture_key";

    fn client(api_url: &str, key: Option<&str>, limits: Limits) -> ElevenLabsClient {
        // Whichever test comes first installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        ElevenLabsClient::new(api_url, key.map(Secret::new).as_ref(), limits).unwrap()
    }

    fn quick() -> Limits {
        Limits { retry_pause: Duration::from_millis(1), ..Limits::default() }
    }

    /// A request as the vendor's server saw it.
    #[derive(Debug, Clone, PartialEq)]
    struct Seen {
        line: String,
        key: Option<String>,
        body: Value,
    }

    /// A REST server that answers with what it was told, in order, and keeps what it was asked.
    #[derive(Clone, Default)]
    struct Vendor {
        answers: Arc<Mutex<VecDeque<(u16, String)>>>,
        seen: Arc<Mutex<Vec<Seen>>>,
    }

    impl Vendor {
        async fn start(tasks: &TaskTracker, answers: &[(u16, &str)]) -> (Self, String) {
            let vendor = Self::default();
            vendor.answers.lock().unwrap().extend(answers.iter().map(|(status, body)| (*status, (*body).to_owned())));
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let app = Router::new().fallback(Self::answer).with_state(vendor.clone());
            tasks.spawn(async move { axum::serve(listener, app).await });
            (vendor, url)
        }

        async fn answer(State(vendor): State<Self>, request: Request<axum::body::Body>) -> Response<String> {
            let (head, body) = request.into_parts();
            let body: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            vendor.seen.lock().unwrap().push(Seen {
                line: format!("{} {}", head.method, head.uri),
                key: head.headers.get("xi-api-key").map(|key| key.to_str().unwrap().to_owned()),
                body: serde_json::from_slice(&body).unwrap_or_default(),
            });
            let (status, body) = vendor.answers.lock().unwrap().pop_front().expect("a request more than was told");
            Response::builder().status(status).header("location", "/elsewhere").body(body).unwrap()
        }

        fn seen(&self) -> Vec<Seen> {
            self.seen.lock().unwrap().clone()
        }

        fn lines(&self) -> Vec<String> {
            self.seen().into_iter().map(|seen| seen.line).collect()
        }
    }

    /// An agent that takes one conversation: tells the upgrade's URI and key, says its metadata, and gives back the first message.
    async fn agent(tasks: &TaskTracker) -> (u16, oneshot::Receiver<(String, Option<HeaderValue>, String)>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, told) = oneshot::channel();
        tasks.spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (mut uri, mut key) = (String::new(), None);
            let note = |request: &handshake::Request, response: handshake::Response| {
                uri = request.uri().to_string();
                key = request.headers().get("xi-api-key").cloned();
                Ok(response)
            };
            let mut socket = accept_hdr_async(stream, note).await.unwrap();
            let metadata = fixture!("server_messages.jsonl").lines().next().unwrap();
            socket.send(Message::text(metadata)).await.unwrap();
            let first = socket.next().await.unwrap().unwrap().into_text().unwrap().to_string();
            tell.send((uri, key, first)).unwrap();
        });
        (port, told)
    }

    /// Speaks with the agent until it is ready.
    async fn converse(mut agent: AgentSocket<DialledSocket>) {
        let mut out = BytesMut::new();
        agent.dialect.encode(&AgentCommand::Initiate(Box::default()), &mut out);
        agent.socket.send(Message::text(String::from_utf8(out.to_vec()).unwrap())).await.unwrap();
        let message = agent.socket.next().await.unwrap().unwrap();
        let event = agent.dialect.decode(message.into_data()).unwrap();
        assert!(matches!(event, AgentEvent::Ready { .. }), "{event:?}");
        let MaybeTlsStream::Plain(stream) = agent.socket.get_mut() else { panic!("no TLS on loopback") };
        assert!(stream.nodelay().unwrap());
    }

    #[tokio::test]
    async fn a_public_agent_is_dialled_without_a_key() {
        let tasks = TaskTracker::new();
        let (port, told) = agent(&tasks).await;
        let client = client(&format!("http://127.0.0.1:{port}"), None, Limits::default());
        converse(client.connect("agent_1").await.unwrap()).await;
        let (uri, key, first) = told.await.unwrap();
        assert_eq!(uri, "/v1/convai/conversation?agent_id=agent_1");
        assert_eq!((key, first.as_str()), (None, r#"{"type":"conversation_initiation_client_data"}"#));
    }

    #[tokio::test]
    async fn with_a_key_the_signed_url_is_dialled_as_it_is_and_the_key_stays_here() {
        let tasks = TaskTracker::new();
        let (port, told) = agent(&tasks).await;
        let signed = "/v1/convai/conversation?agent_id=agent_1&conversation_signature=cvtkn_%2Fx";
        let answer = json!({"signed_url": format!("ws://127.0.0.1:{port}{signed}")}).to_string();
        let (vendor, url) = Vendor::start(&tasks, &[(200, &answer)]).await;
        converse(client(&url, Some(KEY), Limits::default()).connect("agent_1").await.unwrap()).await;
        let (uri, key, _) = told.await.unwrap();
        assert_eq!((uri, key), (signed.to_owned(), None));
        let seen = vendor.seen();
        assert_eq!(seen[0].line, "GET /v1/convai/conversation/get-signed-url?agent_id=agent_1");
        assert_eq!(seen[0].key.as_deref(), Some(KEY));
    }

    #[tokio::test]
    async fn a_signed_url_that_leads_elsewhere_is_not_dialled() {
        let tasks = TaskTracker::new();
        let (vendor, url) =
            Vendor::start(&tasks, &[(200, r#"{"signed_url":"wss://elevenlabs.io.example.com/v1?x=secret"}"#)]).await;
        let error = client(&url, Some(KEY), Limits::default()).connect("agent_1").await.unwrap_err();
        assert_eq!(error, AgentError::ForeignHost { host: "elevenlabs.io.example.com".to_owned() });
        assert!(!error.to_string().contains("secret"));
        assert_eq!(vendor.seen().len(), 1);
    }

    #[test]
    fn where_a_signed_url_may_lead() {
        let may = |api: &str, target: &str| may_dial(&Url::parse(api).unwrap(), &target.parse().unwrap()).is_ok();
        for (api, target) in [
            ("https://api.elevenlabs.io", "wss://api.elevenlabs.io/v1/convai/conversation?x=1"),
            ("https://api.elevenlabs.io", "wss://API.us.ElevenLabs.io/v1"),
            ("https://agents.example.com", "wss://agents.example.com:8443/v1"),
            ("http://127.0.0.1:4000", "ws://127.0.0.1:4001/v1"),
            ("http://[::1]:4000", "ws://[::1]:4000/v1"),
        ] {
            assert!(may(api, target), "{api} to {target}");
        }
        for (api, target) in [
            ("https://api.elevenlabs.io", "ws://api.elevenlabs.io/v1"),
            ("https://agents.example.com", "ws://agents.example.com/v1"),
            ("http://127.0.0.1:4000", "ws://api.elevenlabs.io/v1"),
            ("http://127.0.0.1:4000", "ws://127.0.0.2:4000/v1"),
            ("https://api.elevenlabs.io", "wss://evilelevenlabs.io/v1"),
            ("https://api.elevenlabs.io", "wss://api.elevenlabs.io@example.com/v1"),
            ("https://api.elevenlabs.io", "https://api.elevenlabs.io/v1"),
            ("https://api.elevenlabs.io", "/v1"),
        ] {
            assert!(!may(api, target), "{api} to {target}");
        }
    }

    #[tokio::test]
    async fn a_refused_upgrade_says_what_the_server_said() {
        let tasks = TaskTracker::new();
        let (vendor, url) = Vendor::start(&tasks, &[(403, fixture!("rest/error_string.json"))]).await;
        let error = client(&url, None, Limits::default()).connect("agent_1").await.unwrap_err();
        let AgentError::Refused { status: 403, .. } = &error else { panic!("{error:?}") };
        let text = error.to_string();
        assert!(text.contains("Not Found") && text.contains("ELEVENLABS_API_KEY"), "{text}");
        assert_eq!(vendor.lines(), ["GET /v1/convai/conversation?agent_id=agent_1"]);
    }

    #[tokio::test]
    async fn a_refused_signed_url_says_why() {
        let tasks = TaskTracker::new();
        let (_, url) = Vendor::start(&tasks, &[(401, fixture!("rest/error_new.json"))]).await;
        let error = client(&url, Some(KEY), Limits::default()).connect("agent_1").await.unwrap_err();
        let AgentError::SignedUrl { status: 401, body, .. } = &error else { panic!("{error:?}") };
        assert_eq!(body.code.as_deref(), Some("invalid_api_key"));
        assert!(!error.to_string().contains(KEY));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_does_not_answer_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        for key in [None, Some(KEY)] {
            let error = client(&url, key, Limits::default()).connect("agent_1").await.unwrap_err();
            let after = Duration::from_secs(5);
            assert_eq!(error, AgentError::Timeout { host: "127.0.0.1".to_owned(), after });
        }
        let error = client(&url, Some(KEY), Limits::default()).fetch_agent("agent_1").await.unwrap_err();
        assert!(matches!(error, AgentError::Timeout { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_closed_port_is_unreachable() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        for key in [None, Some(KEY)] {
            let error = client(&url, key, Limits::default()).connect("agent_1").await.unwrap_err();
            let AgentError::Unreachable { host, reason } = error else { panic!("{error:?}") };
            assert_eq!(host, "127.0.0.1");
            assert!(reason.contains("refused"), "{reason}");
        }
    }

    #[tokio::test]
    async fn an_https_api_is_dialled_over_tls() {
        let tasks = TaskTracker::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let hello = tasks.spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_u8().await.unwrap()
        });
        let error = client(&url, None, Limits::default()).connect("agent_1").await.unwrap_err();
        assert!(matches!(error, AgentError::Unreachable { .. }), "{error:?}");
        // RFC 8446, 5.1: a record of type handshake.
        assert_eq!(hello.await.unwrap(), 22);
    }

    #[tokio::test]
    async fn agents_and_voices_are_managed_by_the_documented_requests() {
        let tasks = TaskTracker::new();
        let answers = [
            fixture!("rest/created_agent.json"),
            fixture!("rest/agent.json"),
            fixture!("rest/agent.json"),
            fixture!("rest/agents.json"),
            fixture!("rest/voices.json"),
            fixture!("rest/voice.json"),
            fixture!("rest/conversation.json"),
        ];
        let (vendor, url) = Vendor::start(&tasks, &answers.map(|answer| (200, answer))).await;
        let client = client(&format!("{url}/"), Some(KEY), quick());
        let body = NewAgent { name: "Ada".to_owned(), ..NewAgent::default() }.body();
        assert_eq!(client.create_agent(&body).await.unwrap().agent_id, "agent_fixture");
        let patch = json!({"name": "Grace"});
        assert_eq!(client.update_agent("agent_fixture", &patch).await.unwrap()["name"], "Ada");
        assert_eq!(client.fetch_agent("agent/../1").await.unwrap()["agent_id"], "agent_fixture");
        let query = AgentsQuery { page_size: Some(2), cursor: Some("cur_1".to_owned()), ..AgentsQuery::default() };
        assert_eq!(client.list_agents(&query).await.unwrap().agents.len(), 2);
        let query = VoicesQuery { search: Some("calm voice".to_owned()), ..VoicesQuery::default() };
        assert_eq!(client.list_voices(&query).await.unwrap().voices.len(), 2);
        assert_eq!(client.fetch_voice("voice_1").await.unwrap().voice_id, "voice_1");
        assert_eq!(client.fetch_conversation("conv_fixture_1").await.unwrap().transcript.len(), 3);

        let seen = vendor.seen();
        assert!(seen.iter().all(|seen| seen.key.as_deref() == Some(KEY)));
        assert_eq!((&seen[0].body, &seen[1].body), (&body, &patch));
        assert_eq!(
            vendor.lines(),
            [
                "POST /v1/convai/agents/create",
                "PATCH /v1/convai/agents/agent_fixture",
                "GET /v1/convai/agents/agent%2F..%2F1",
                "GET /v1/convai/agents?page_size=2&cursor=cur_1",
                "GET /v2/voices?search=calm+voice",
                "GET /v1/voices/voice_1",
                "GET /v1/convai/conversations/conv_fixture_1",
            ]
        );
    }

    #[tokio::test]
    async fn reading_is_tried_again_and_writing_is_not() {
        let tasks = TaskTracker::new();
        let busy = (429, fixture!("rest/error_old.json"));
        let (vendor, url) = Vendor::start(&tasks, &[busy, (502, "<html>"), (200, fixture!("rest/agent.json"))]).await;
        assert!(client(&url, Some(KEY), quick()).fetch_agent("a").await.is_ok());
        assert_eq!(vendor.seen().len(), 3);

        let (vendor, url) = Vendor::start(&tasks, &[busy, busy, busy]).await;
        let error = client(&url, Some(KEY), quick()).fetch_agent("a").await.unwrap_err();
        assert!(matches!(error, AgentError::Api { status: 429, .. }), "{error:?}");
        assert_eq!(vendor.seen().len(), 3);

        let (vendor, url) = Vendor::start(&tasks, &[(422, fixture!("rest/error_422.json"))]).await;
        let error = client(&url, Some(KEY), quick()).fetch_agent("a").await.unwrap_err();
        assert!(error.to_string().contains("conversation_config.tts.stability"), "{error}");
        assert_eq!(vendor.seen().len(), 1);

        let (vendor, url) = Vendor::start(&tasks, &[(503, "")]).await;
        let error = client(&url, Some(KEY), quick()).create_agent(&json!({})).await.unwrap_err();
        assert!(matches!(error, AgentError::Api { status: 503, .. }), "{error:?}");
        assert_eq!(vendor.seen().len(), 1);
    }

    #[tokio::test]
    async fn an_answer_that_is_not_as_documented_is_not_repeated() {
        let tasks = TaskTracker::new();
        let (_, url) = Vendor::start(&tasks, &[(200, r#"{"signed_url":["wss://secret"]}"#)]).await;
        let error = client(&url, Some(KEY), quick()).connect("a").await.unwrap_err();
        assert!(matches!(error, AgentError::UnexpectedAnswer { .. }), "{error:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[tokio::test]
    async fn a_redirect_does_not_take_the_key_along() {
        let tasks = TaskTracker::new();
        let (vendor, url) = Vendor::start(&tasks, &[(307, "moved")]).await;
        let error = client(&url, Some(KEY), quick()).fetch_agent("a").await.unwrap_err();
        assert!(matches!(error, AgentError::Api { status: 307, .. }), "{error:?}");
        assert_eq!(vendor.seen().len(), 1);
    }

    #[tokio::test]
    async fn without_a_key_the_account_is_not_asked() {
        let client = client("https://api.elevenlabs.io", None, Limits::default());
        assert_eq!(client.fetch_agent("a").await, Err(AgentError::NoKey));
        assert_eq!(client.create_agent(&json!({})).await, Err(AgentError::NoKey));
        let url = client.public_url("a b&c");
        assert_eq!(url.expose(), "wss://api.elevenlabs.io/v1/convai/conversation?agent_id=a+b%26c");
    }

    #[test]
    fn settings_that_cannot_be_right_are_refused() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let new =
            |url: &str, key: &str| ElevenLabsClient::new(url, Some(&Secret::new(key)), Limits::default()).unwrap_err();
        for url in
            ["", "api.elevenlabs.io", "wss://api.elevenlabs.io", "https://user:pw@api.elevenlabs.io", "https://x/?a=1"]
        {
            let error = new(url, KEY);
            assert!(matches!(error, AgentError::ApiUrl(_)) && !error.to_string().contains("pw"), "{error}");
        }
        assert_eq!(new("https://api.elevenlabs.io", "sk\n"), AgentError::KeyText);
        let client = client("https://api.elevenlabs.io", Some(KEY), Limits::default());
        assert!(!format!("{client:?}").contains(KEY), "{client:?}");
    }
}
