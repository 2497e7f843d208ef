//! Opening the socket of a media stream: which URL, how it is signed, and which error a failure is.

use std::time::Duration;

use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::Error;
use url::{Host, Url};

use super::interpreter::Interpreter;
use super::stream::Socket;
use super::{Emulation, twiml};
use crate::emulators::signature;

/// How long a handshake may take. Twilio documents no limit.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Twilio's code (docs: api/errors) and what happened.
pub(super) type StreamError = (u16, String);

impl Emulation {
    pub(super) async fn connect_stream(
        &self,
        call_sid: &str,
        stream: &twiml::Stream,
        interpreter: &Interpreter,
        wrong_signature: bool,
    ) -> Result<Socket, StreamError> {
        let url = stream_url(&stream.url, interpreter)?;
        let asked = stream.url.split(['?', '#']).next().unwrap_or_default();
        if asked.len() != stream.url.len() {
            self.warning(call_sid, 31920, "the query string of the <Stream> URL is not sent");
        }
        let token = if wrong_signature { "another token" } else { self.auth_token.expose() };
        let signature = signature::twilio(token, &url, &[]);
        let mut request =
            url.as_str().into_client_request().map_err(|_| (31920, format!("`{url}` is not a WebSocket URL")))?;
        let value = signature.parse().map_err(|_| (31920, "the signature is no header".to_owned()))?;
        request.headers_mut().insert("x-twilio-signature", value);
        // Boxed: the handshake of a TLS socket is a large future, and every call would carry it about.
        let handshake = Box::pin(connect_async_with_config(request, None, true));
        match tokio::time::timeout(HANDSHAKE, handshake).await {
            Err(_) => Err((31901, "the connection request got no response".to_owned())),
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(error)) => Err(classify(&error)),
        }
    }
}

/// The URL to be dialled and signed: `wss`, or `ws` to this machine; without query string, which Twilio does not send.
fn stream_url(url: &str, interpreter: &Interpreter) -> Result<String, StreamError> {
    let bad = || (31920, format!("`{url}` is not a WebSocket URL"));
    let absolute = if url.contains("://") {
        url.to_owned()
    } else {
        // Relative to an http or https document: ws or wss.
        interpreter.resolve(url).ok_or_else(bad)?.replacen("http", "ws", 1)
    };
    let absolute = absolute.split(['?', '#']).next().unwrap_or_default().to_owned();
    let parsed = Url::parse(&absolute).map_err(|_| bad())?;
    let loopback = match parsed.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    match parsed.scheme() {
        "wss" => Ok(absolute),
        "ws" if loopback => Ok(absolute),
        scheme => Err((31922, format!("the scheme must be wss (ws only to this machine), not {scheme}"))),
    }
}

fn classify(error: &Error) -> StreamError {
    match error {
        Error::Http(response) => (31920, format!("the server answered {} instead of 101", response.status().as_u16())),
        Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => (31902, "connection refused".to_owned()),
        Error::Tls(_) => (31910, "TLS failed".to_owned()),
        Error::Io(_) => (31901, "the connection request got no response".to_owned()),
        other => (31920, other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::twiml::Document;
    use super::*;

    #[test]
    fn only_wss_or_loopback_and_no_query() {
        let document = || Document::parse("<Response/>").unwrap();
        let inline = Interpreter::new(document(), None);
        let fetched = Interpreter::new(document(), Some("https://a.example/webhooks/voice".to_owned()));
        assert_eq!(stream_url("wss://a.example/media?token=x", &inline), Ok("wss://a.example/media".to_owned()));
        assert_eq!(stream_url("ws://127.0.0.1:3333/media", &inline), Ok("ws://127.0.0.1:3333/media".to_owned()));
        assert_eq!(stream_url("/media", &fetched), Ok("wss://a.example/media".to_owned()));
        assert_eq!(stream_url("ws://a.example/media", &inline).unwrap_err().0, 31922);
        assert_eq!(stream_url("https://a.example/media", &inline).unwrap_err().0, 31922);
        assert_eq!(stream_url("/media", &inline).unwrap_err().0, 31920);
    }
}
