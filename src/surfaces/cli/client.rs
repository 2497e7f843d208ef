//! A client of a running server's REST API, for the operator's verbs.

use std::fmt::Write as _;

use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

use crate::domain::Secret;

/// Where a running server is and the key to it.
#[derive(Debug)]
pub struct ApiClient {
    base: String,
    key: Secret,
    http: reqwest::Client,
}

/// Why a request to a running server came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("set CLEARLINE_API_KEY to a key of the server (make one with `clearline keys create`)")]
    NoKey,
    #[error("no server answers at {0}: start one with `clearline serve`, or name it with --server")]
    Unreachable(String),
    #[error("{0}")]
    Refused(String),
    #[error("the server's answer cannot be read: {0}")]
    Unreadable(String),
}

/// An answer: its status and its JSON.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

impl ApiClient {
    pub fn new(base: String, key: Option<Secret>) -> Result<Self, ClientError> {
        let key = key.ok_or(ClientError::NoKey)?;
        Ok(Self { base: base.trim_end_matches('/').to_owned(), key, http: reqwest::Client::new() })
    }

    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        let answer = self.send(Method::GET, path, None).await?;
        answer.success()
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer, ClientError> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// An open stream of server-sent events.
    pub async fn stream(&self, path: &str) -> Result<Response, ClientError> {
        let response = self.request(Method::GET, path, None).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(read(response).await?.into_error())
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, ClientError> {
        read(self.request(method, path, body).await?).await
    }

    async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response, ClientError> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(self.key.expose());
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.map_err(|_| ClientError::Unreachable(self.base.clone()))
    }
}

async fn read(response: Response) -> Result<Answer, ClientError> {
    let status = response.status();
    let text = response.text().await.map_err(|error| ClientError::Unreadable(error.to_string()))?;
    let body = serde_json::from_str(&text).map_err(|error| ClientError::Unreadable(error.to_string()))?;
    Ok(Answer { status, body })
}

impl Answer {
    pub fn success(self) -> Result<Value, ClientError> {
        if self.status.is_success() { Ok(self.body) } else { Err(self.into_error()) }
    }

    fn into_error(self) -> ClientError {
        let title = self.body["title"].as_str().unwrap_or("the server refused");
        let mut text = format!("{title}: {}", self.body["detail"].as_str().unwrap_or_default());
        for problem in self.body["problems"].as_array().into_iter().flatten() {
            let _ =
                write!(text, "\n  {}: got {}, expected {}", problem["field"], problem["received"], problem["expected"]);
        }
        ClientError::Refused(text)
    }
}
