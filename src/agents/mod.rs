//! Dials an agent's socket or REST API and hands back a socket with its dialect.

use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;

use http::HeaderValue;
use tokio::net::TcpStream;
use tokio_tungstenite::MaybeTlsStream;

use crate::domain::Secret;
use crate::protocol::agent::Dialect;
use crate::protocol::agent::chat::ChatFault;
use crate::protocol::agent::elevenlabs_rest::ErrorBody;
use crate::websocket::WebSocket;

pub mod accounts;
pub mod chat;
pub mod elevenlabs;
pub mod own;
pub mod retell;
mod socket;

/// An open socket to an agent, and what is spoken on it. Nothing has been said yet.
#[derive(Debug)]
pub struct AgentSocket<S> {
    pub socket: S,
    pub dialect: Dialect,
}

/// What dialling gives: TLS, or plain TCP to an emulator. Nagle's algorithm is off.
pub type DialledSocket = WebSocket<MaybeTlsStream<TcpStream>>;

/// Moves a socket to the runtime on which this is called: from then on that one's thread is woken when something comes.
///
/// To be used where a socket was opened on one runtime and is to be served on another, whatever is in its buffers.
pub fn move_here(socket: &mut DialledSocket) -> io::Result<()> {
    let tcp = match socket.get_mut() {
        MaybeTlsStream::Plain(tcp) => tcp,
        MaybeTlsStream::Rustls(tls) => tls.get_mut().0,
        _ => return Ok(()),
    };
    // A second handle to the same connection takes the first one's place, which leaves its runtime as it is dropped.
    let same = std::net::TcpStream::from(tcp.as_fd().try_clone_to_owned()?);
    *tcp = TcpStream::from_std(same)?;
    Ok(())
}

/// What an `Authorization` header says with this key. Never printed.
fn bearer(key: &Secret) -> Result<HeaderValue, AgentError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose())).map_err(|_| AgentError::KeyText)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Why an agent could not be reached, or refused. Texts hold no key, no signed URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    #[error("the agents' API URL `{0}` is not of the form https://HOST (or http://HOST for a local emulator)")]
    ApiUrl(String),
    #[error("an API key holds characters that no key has: look for a stray line break or quote in it")]
    KeyText,
    #[error("this needs an API key: set ELEVENLABS_API_KEY")]
    NoKey,
    #[error("there is no agent of your own named {0}: give it a section [agents.{0}]")]
    NotConfigured(String),
    #[error("Retell needs an API key: set RETELL_API_KEY")]
    NoRetellKey,
    #[error("Retell answered with status {status}{}: {excerpt}", retell_hint(*status))]
    Retell { status: u16, excerpt: String },
    #[error("the chat endpoint answered with status {status}{}: {excerpt}", chat_hint(*status))]
    Chat { status: u16, excerpt: String },
    #[error("{0}")]
    ChatStream(#[from] ChatFault),
    #[error("cannot reach {host}: {reason}")]
    Unreachable { host: String, reason: String },
    #[error("{host} did not answer within {} ms", after.as_millis())]
    Timeout { host: String, after: Duration },
    /// The socket's upgrade was refused.
    #[error("{host} refused the agent's socket with status {status}{}: {excerpt}", refusal_hint(*status))]
    Refused { host: String, status: u16, excerpt: String },
    #[error("ElevenLabs gave no signed URL for agent {agent_id}, status {status}{}: {body}", status_hint(*status))]
    SignedUrl { agent_id: String, status: u16, body: ErrorBody },
    /// The signed URL leads elsewhere. Not dialled: it would hand the caller's voice to whoever forged the answer.
    #[error(
        "the signed URL leads to {host}, which is neither the configured API host nor one of elevenlabs.io over TLS"
    )]
    ForeignHost { host: String },
    #[error("ElevenLabs answered with status {status}{}: {body}", status_hint(*status))]
    Api { status: u16, body: ErrorBody },
    #[error("the answer of {host} is not what its documentation says: {reason}")]
    UnexpectedAnswer { host: String, reason: String },
}

fn refusal_hint(status: u16) -> &'static str {
    match status {
        401 | 403 => " (a private agent needs ELEVENLABS_API_KEY; a public one may restrict who connects)",
        404 => " (is the agent id right, and of this region?)",
        _ => status_hint(status),
    }
}

fn retell_hint(status: u16) -> &'static str {
    match status {
        401 => " (check RETELL_API_KEY)",
        402 => " (the account has no valid payment)",
        404 | 422 => " (is the agent id right, and of this account?)",
        _ => status_hint(status),
    }
}

fn chat_hint(status: u16) -> &'static str {
    match status {
        401 | 403 => " (check agents.retell.llm.api_key)",
        404 => " (check agents.retell.llm.base_url, which ends before /chat/completions, and the model)",
        429 => " (too many requests, or the account's credits are used up)",
        500.. => " (trouble at the endpoint's side)",
        _ => "",
    }
}

fn status_hint(status: u16) -> &'static str {
    match status {
        401 => " (check ELEVENLABS_API_KEY, and that it belongs to this region's API)",
        402 => " (the account's credits are used up)",
        403 => " (the key lacks the permission)",
        404 => " (is the id right, and of this account?)",
        429 => " (too many requests or conversations at once)",
        500.. => " (trouble at the vendor's side: try again)",
        _ => "",
    }
}
