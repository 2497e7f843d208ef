//! Opening a WebSocket to an agent.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, http};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::protocol::agent::Dialect;
use crate::protocol::agent::elevenlabs_rest::ApiError;

/// A socket that we opened.
pub type ClientSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// An open socket to an agent and the codec of what is spoken on it. Nothing was said on it yet.
#[derive(Debug)]
pub struct AgentSocket<S> {
    pub socket: S,
    pub dialect: Dialect,
}

/// Why there is no socket to an agent.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error("the agent's host cannot be reached: {0}")]
    Unreachable(String),
    #[error("the agent's host did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("the agent refused the connection with status {status}: {body}")]
    Refused { status: u16, body: String },
    #[error("no signed URL for the agent: {0}")]
    SignedUrl(#[from] ApiError),
    #[error("the signed URL leads to another host than agents.elevenlabs.api_url; it is not dialled")]
    ForeignHost,
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
}

impl AgentError {
    /// Whether trying again could go better: the network may recover, a refusal will not.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TimedOut(_) => true,
            Self::Refused { status, .. } | Self::SignedUrl(ApiError { status, .. }) => *status >= 500 || *status == 429,
            Self::ForeignHost | Self::Unreadable(_) => false,
        }
    }
}

/// How long opening a socket may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// The largest message that an agent may send; the vendor's own client takes as much.
const MESSAGE_LIMIT: usize = 16 * 1024 * 1024;

/// Opens a socket with TCP_NODELAY and buffers for small frames. `url` may hold a signature, so it is never part of an error.
pub(super) async fn open(url: &str) -> Result<ClientSocket, AgentError> {
    let config = WebSocketConfig::default()
        .read_buffer_size(8 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(256 * 1024)
        .max_message_size(Some(MESSAGE_LIMIT))
        .max_frame_size(Some(MESSAGE_LIMIT));
    let opening = connect_async_with_config(url, Some(config), true);
    match tokio::time::timeout(CONNECT_LIMIT, opening).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(describe(error)),
        Err(_) => Err(AgentError::TimedOut(CONNECT_LIMIT)),
    }
}

fn describe(error: tungstenite::Error) -> AgentError {
    match error {
        tungstenite::Error::Http(response) => refusal(&response),
        other => AgentError::Unreachable(other.to_string()),
    }
}

fn refusal(response: &http::Response<Option<Vec<u8>>>) -> AgentError {
    let body = response.body().as_deref().unwrap_or_default();
    let body = String::from_utf8_lossy(body).chars().take(200).collect();
    AgentError::Refused { status: response.status().as_u16(), body }
}
