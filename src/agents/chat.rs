//! An OpenAI-compatible chat endpoint: asked with a conversation, it answers in a stream of words.

use std::collections::VecDeque;
use std::time::Duration;

use http::{HeaderMap, header};
use serde_json::Value;
use tokio::time::timeout;
use url::Url;

use crate::domain::Secret;
use crate::protocol::agent::chat::{ChatPiece, ChatReader};
use crate::protocol::agent::elevenlabs_rest::excerpt;

use super::{AgentError, bearer};

/// How much of a refusal is read, in bytes.
const REFUSAL_LIMIT: usize = 4 << 10;

/// A client of one endpoint.
#[derive(Debug, Clone)]
pub struct ChatClient {
    http: reqwest::Client,
    url: Url,
    key: Option<Secret>,
    /// The longest that the caller waits for the next words: until the answer begins, and from one part of it to the next.
    patience: Duration,
}

/// An answer on its way. Dropping it ends the request.
#[derive(Debug)]
pub struct ChatAnswer {
    response: reqwest::Response,
    reader: ChatReader,
    waiting: VecDeque<ChatPiece>,
    host: String,
    patience: Duration,
}

impl ChatClient {
    /// `base_url` is what other clients call the base URL, like `https://api.openai.com/v1`.
    pub fn new(base_url: &str, key: Option<&Secret>, patience: Duration) -> Result<Self, AgentError> {
        let bad_url = || AgentError::ApiUrl(base_url.to_owned());
        let mut url = Url::parse(base_url).map_err(|_| bad_url())?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(bad_url());
        }
        url.path_segments_mut().map_err(|()| bad_url())?.pop_if_empty().extend(["chat", "completions"]);
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            headers.insert(header::AUTHORIZATION, bearer(key)?);
        }
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| AgentError::Unreachable { host: host_of(&url), reason: error.to_string() })?;
        Ok(Self { http, url, key: key.cloned(), patience })
    }

    /// Asks. Comes back when the endpoint begins to answer.
    pub async fn ask(&self, body: &Value) -> Result<ChatAnswer, AgentError> {
        let (host, patience) = (host_of(&self.url), self.patience);
        let request = self.http.post(self.url.clone()).header(header::ACCEPT, "text/event-stream").json(body);
        let late = |_| AgentError::Timeout { host: host.clone(), after: patience };
        let response = timeout(patience, request.send()).await.map_err(late)?;
        let mut response = response.map_err(|error| transport(&host, &error))?;
        if response.status().is_success() {
            return Ok(ChatAnswer {
                response,
                reader: ChatReader::default(),
                waiting: VecDeque::new(),
                host,
                patience,
            });
        }
        let mut refusal = Vec::new();
        while refusal.len() < REFUSAL_LIMIT
            && let Ok(Ok(Some(part))) = timeout(patience, response.chunk()).await
        {
            refusal.extend_from_slice(&part);
        }
        let mut excerpt = excerpt(&refusal);
        if let Some(key) = &self.key {
            // Some endpoints repeat the key that they refuse.
            excerpt = excerpt.replace(key.expose(), "•••");
        }
        Err(AgentError::Chat { status: response.status().as_u16(), excerpt })
    }
}

impl ChatAnswer {
    /// The next piece. [`ChatPiece::Done`] is the last one.
    pub async fn next(&mut self) -> Result<ChatPiece, AgentError> {
        // Comments keep a connection alive and say nothing, so the limit is around the wait for words.
        let (host, after) = (self.host.clone(), self.patience);
        timeout(after, self.read()).await.unwrap_or(Err(AgentError::Timeout { host, after }))
    }

    async fn read(&mut self) -> Result<ChatPiece, AgentError> {
        loop {
            if let Some(piece) = self.waiting.pop_front() {
                return Ok(piece);
            }
            match self.response.chunk().await.map_err(|error| transport(&self.host, &error))? {
                Some(part) => self.waiting.extend(self.reader.push(&part)?),
                None => self.waiting.extend(self.reader.finish()?),
            }
        }
    }
}

/// Says nothing of the address, which an operator may have put a key into.
fn transport(host: &str, error: &reqwest::Error) -> AgentError {
    let reason = if error.is_connect() { "no connection" } else { "the request broke off" };
    AgentError::Unreachable { host: host.to_owned(), reason: reason.to_owned() }
}

fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}
