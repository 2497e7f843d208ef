//! Opens an agent's WebSocket: the one way in which all dialects are dialled.

use std::sync::Arc;

use rustls_platform_verifier::ConfigVerifierExt as _;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, connect_async_tls_with_config};

use crate::protocol::agent::elevenlabs_rest::excerpt;

use super::{AgentError, DialledSocket};

/// Larger than any message of an agent; the official Python client of `ElevenLabs` has the same limit.
const MESSAGE_LIMIT: usize = 16 << 20;

/// Trusts whom the system trusts. Shared by all sockets of a client, so that their handshakes are resumed ones.
pub(super) fn tls() -> Result<Arc<rustls::ClientConfig>, String> {
    rustls::ClientConfig::with_platform_verifier().map(Arc::new).map_err(|error| error.to_string())
}

pub(super) async fn open(request: Request, tls: &Arc<rustls::ClientConfig>) -> Result<DialledSocket, AgentError> {
    let host = request.uri().host().unwrap_or_default().to_owned();
    // Frames are some hundred bytes to some ten kilobytes, and each call has a socket.
    let config = WebSocketConfig::default()
        .read_buffer_size(2 << 10)
        .write_buffer_size(4 << 10)
        .max_write_buffer_size(1 << 20)
        .max_message_size(Some(MESSAGE_LIMIT))
        .max_frame_size(Some(MESSAGE_LIMIT));
    let disable_nagle = true;
    let connector = Connector::Rustls(Arc::clone(tls));
    match connect_async_tls_with_config(request, Some(config), disable_nagle, Some(connector)).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(answer)) => {
            let body = answer.body().as_deref().unwrap_or_default();
            Err(AgentError::Refused { host, status: answer.status().as_u16(), excerpt: excerpt(body) })
        }
        Err(error) => Err(AgentError::Unreachable { host, reason: error.to_string() }),
    }
}
