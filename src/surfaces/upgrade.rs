//! The server's side of a WebSocket handshake (RFC 6455 section 4.2), giving the same socket type that the client's side has.

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::downcast;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::websocket::WebSocket;

/// A socket that a client opened to us.
pub(super) type ServerSocket = WebSocket<TcpStream>;

/// An upgrade that has been answered and whose socket is about to come.
pub(super) struct Upgrade {
    on_upgrade: hyper::upgrade::OnUpgrade,
    config: WebSocketConfig,
}

impl Upgrade {
    /// Reads the handshake. The response must be sent for [`Upgrade::socket`] to come; no extension is ever agreed to.
    pub(super) fn accept(mut request: Request, config: WebSocketConfig) -> Result<(Self, Response), Response> {
        let headers = request.headers();
        let wanted = has_token(headers, header::CONNECTION, "upgrade")
            && has_token(headers, header::UPGRADE, "websocket")
            && headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
        let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| wanted) else {
            let text = "this address is a WebSocket: open it with an upgrade, version 13\n";
            return Err((StatusCode::UPGRADE_REQUIRED, [(header::UPGRADE, "websocket")], text).into_response());
        };
        let accept = derive_accept_key(key.as_bytes());
        let on_upgrade = hyper::upgrade::on(&mut request);
        let response = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::CONNECTION, "upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_ACCEPT, accept)
            .body(Body::empty())
            .expect("the headers of a handshake are valid");
        Ok((Self { on_upgrade, config }, response))
    }

    /// The socket, once the response has gone out. It lives on the runtime on which this is awaited.
    ///
    /// What HTTP needed is left behind: the connection's buffers, its layers and the runtime that served it.
    pub(super) async fn socket(self) -> Result<ServerSocket, UpgradeError> {
        let parts = downcast::<TokioIo<TcpStream>>(self.on_upgrade.await?).map_err(|_| UpgradeError::NotTcp)?;
        let socket = TcpStream::from_std(parts.io.into_inner().into_std()?)?;
        Ok(WebSocket::new(socket, &parts.read_buf, Role::Server, self.config))
    }
}

/// Why an upgrade that was granted gave no socket.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpgradeError {
    #[error("the connection ended in its handshake")]
    Ended(#[from] hyper::Error),
    #[error("the connection is not one of TCP")]
    NotTcp,
    #[error("the socket could not be taken over")]
    Socket(#[from] std::io::Error),
}

fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}
