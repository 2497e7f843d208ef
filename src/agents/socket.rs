//! Opens an agent's WebSocket: the one way in which all dialects are dialled.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls_platform_verifier::ConfigVerifierExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::{TlsError, UrlError};
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::{MaybeTlsStream, client_async_with_config};

use crate::protocol::agent::elevenlabs_rest::excerpt;
use crate::websocket::{HeadFirst, WebSocket};

use super::{AgentError, DialledSocket};

/// Larger than any message of an agent; the official Python client of `ElevenLabs` has the same limit.
const MESSAGE_LIMIT: usize = 16 << 20;

/// Trusts whom the system trusts. Shared by all sockets of a client, so that their handshakes are resumed ones.
pub(super) fn tls() -> Result<Arc<rustls::ClientConfig>, String> {
    rustls::ClientConfig::with_platform_verifier().map(Arc::new).map_err(|error| error.to_string())
}

pub(super) async fn open(request: Request, tls: &Arc<rustls::ClientConfig>) -> Result<DialledSocket, AgentError> {
    let host = request.uri().host().unwrap_or_default().to_owned();
    match handshake(request, &host, tls).await {
        Ok(socket) => Ok(socket),
        Err(Error::Http(answer)) => {
            let body = answer.body().as_deref().unwrap_or_default();
            Err(AgentError::Refused { host, status: answer.status().as_u16(), excerpt: excerpt(body) })
        }
        Err(error) => Err(AgentError::Unreachable { host, reason: error.to_string() }),
    }
}

async fn handshake(request: Request, host: &str, tls: &Arc<rustls::ClientConfig>) -> Result<DialledSocket, Error> {
    let is_tls = match request.uri().scheme_str() {
        Some("wss") => true,
        Some("ws") => false,
        _ => return Err(Error::Url(UrlError::UnsupportedUrlScheme)),
    };
    let port = request.uri().port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    // An IPv6 address has brackets in a URL, and none elsewhere.
    let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let tcp = TcpStream::connect((&*name, port)).await?;
    tcp.set_nodelay(true)?;
    let stream = if is_tls {
        let name = ServerName::try_from(name).map_err(|_| Error::Tls(TlsError::InvalidDnsName))?;
        MaybeTlsStream::Rustls(TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await?)
    } else {
        MaybeTlsStream::Plain(tcp)
    };
    // No frame is read by what shakes hands.
    let unbuffered = WebSocketConfig::default().read_buffer_size(0);
    let (answered, _) = client_async_with_config(request, HeadFirst::new(stream), Some(unbuffered)).await?;
    let (stream, unread) = answered.into_inner().into_parts();
    let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_LIMIT)).max_frame_size(Some(MESSAGE_LIMIT));
    Ok(WebSocket::new(stream, &unread, Role::Client, config))
}
