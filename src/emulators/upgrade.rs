//! The server's side of a WebSocket handshake (RFC 6455, section 4.2), by hand: it gives us the raw socket behind axum.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{
    CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use http::{HeaderMap, Method, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// A socket to a client.
pub(crate) type ServerSocket = WebSocketStream<TokioIo<Upgraded>>;

/// A request that asks for a WebSocket and may be granted one.
#[derive(Debug)]
pub(crate) struct Handshake {
    key: Vec<u8>,
    offered: Vec<String>,
    upgrade: OnUpgrade,
}

/// The request asks for no WebSocket, or not by the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this address speaks WebSocket: the request lacks {0}")]
pub(crate) struct NotAHandshake(&'static str);

impl Handshake {
    /// Reads the request's side.
    pub(crate) fn read(request: &mut Request) -> Result<Self, NotAHandshake> {
        let headers = request.headers();
        if request.method() != Method::GET {
            return Err(NotAHandshake("method GET"));
        }
        if !has_token(headers, &CONNECTION, "upgrade") || !has_token(headers, &UPGRADE, "websocket") {
            return Err(NotAHandshake("Connection: Upgrade and Upgrade: websocket"));
        }
        if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Err(NotAHandshake("Sec-WebSocket-Version: 13"));
        }
        let key = headers.get(SEC_WEBSOCKET_KEY).ok_or(NotAHandshake("Sec-WebSocket-Key"))?.as_bytes().to_vec();
        let offered = tokens(headers, &SEC_WEBSOCKET_PROTOCOL).map(str::to_owned).collect();
        Ok(Self { key, offered, upgrade: hyper::upgrade::on(request) })
    }

    /// Grants it. The answer names the subprotocol only if the client offered it; the socket is ready when the future is.
    pub(crate) fn accept(
        self,
        protocol: &'static str,
        config: WebSocketConfig,
    ) -> (Response, impl Future<Output = Result<ServerSocket, hyper::Error>> + Send + 'static) {
        let mut response = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header(CONNECTION, "upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_ACCEPT, derive_accept_key(&self.key));
        if self.offered.iter().any(|offer| offer == protocol) {
            response = response.header(SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        let response = response.body(Body::empty()).expect("a key hashed and written in base64 is a header value");
        let upgrade = self.upgrade;
        let socket = async move {
            let raw = TokioIo::new(upgrade.await?);
            Ok(WebSocketStream::from_raw_socket(raw, Role::Server, Some(config)).await)
        };
        (response, socket)
    }
}

fn tokens<'a>(headers: &'a HeaderMap, name: &'a HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

fn has_token(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    tokens(headers, name).any(|token| token.eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(edit: impl FnOnce(&mut HeaderMap)) -> Request {
        let mut request = Request::new(Body::empty());
        for (name, value) in [
            (CONNECTION, "keep-alive, Upgrade"),
            (UPGRADE, "websocket"),
            (SEC_WEBSOCKET_VERSION, "13"),
            (SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        edit(request.headers_mut());
        request
    }

    #[test]
    fn the_key_of_rfc_6455_is_answered_as_in_the_rfc() {
        let (response, _socket) =
            Handshake::read(&mut request(|_| {})).unwrap().accept("convai", WebSocketConfig::default());
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(response.headers()[SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(!response.headers().contains_key(SEC_WEBSOCKET_PROTOCOL));
    }

    #[test]
    fn a_subprotocol_is_named_only_when_it_was_offered() {
        let mut offering = request(|headers| {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, "bearer.x, convai".parse().unwrap());
        });
        let (response, _socket) = Handshake::read(&mut offering).unwrap().accept("convai", WebSocketConfig::default());
        assert_eq!(response.headers()[SEC_WEBSOCKET_PROTOCOL], "convai");
    }

    #[test]
    fn a_plain_request_is_no_handshake() {
        for missing in [CONNECTION, UPGRADE, SEC_WEBSOCKET_VERSION, SEC_WEBSOCKET_KEY] {
            assert!(Handshake::read(&mut request(|headers| drop(headers.remove(&missing)))).is_err(), "{missing}");
        }
    }
}
