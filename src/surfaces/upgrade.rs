//! The server's side of a WebSocket handshake (RFC 6455 section 4.2), giving the same socket type that the client's side has.

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// A socket that a client opened to us.
pub(crate) type ServerSocket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// An upgrade that has been answered and whose socket is about to come.
pub(crate) struct Upgrade {
    on_upgrade: hyper::upgrade::OnUpgrade,
    config: WebSocketConfig,
}

impl Upgrade {
    /// Reads the handshake. The response must be sent for [`Upgrade::socket`] to come; no extension is ever agreed to.
    pub(crate) fn accept(mut request: Request, config: WebSocketConfig) -> Result<(Self, Response), Response> {
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

    /// The socket, once the response has gone out.
    pub(crate) async fn socket(self) -> Result<ServerSocket, hyper::Error> {
        let upgraded = self.on_upgrade.await?;
        Ok(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(self.config)).await)
    }
}

fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}
