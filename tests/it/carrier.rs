//! A carrier by hand: signed requests, and sockets that say what a test wants, also what Twilio never would.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::{SinkExt as _, StreamExt as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha1::Sha1;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{ACCOUNT, AUTH_TOKEN, OFFICE, VISITOR, soon};

/// Twilio's signature (its "Security" page): HMAC-SHA1 over the URL and the sorted parameters.
fn signature(token: &str, url: &str, form: &[(&str, &str)]) -> String {
    let mut sorted = form.to_vec();
    sorted.sort_unstable();
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(url.as_bytes());
    for (name, value) in sorted {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    BASE64.encode(mac.finalize().into_bytes())
}

/// The right signature of a socket's upgrade.
pub(super) fn signature_of(url: &str) -> String {
    signature(AUTH_TOKEN, url, &[])
}

/// Posts a form, signed with this token. Status and text of the answer.
pub(super) async fn post_signed(token: &str, base: &str, path: &str, form: &[(&str, &str)]) -> (u16, String) {
    deliver(signed(token, base, path, form)).await
}

/// Posts a form as a delivery with this idempotency token.
pub(super) async fn post_as(delivery: &str, base: &str, path: &str, form: &[(&str, &str)]) -> (u16, String) {
    deliver(signed(AUTH_TOKEN, base, path, form).header("i-twilio-idempotency-token", delivery)).await
}

fn signed(token: &str, base: &str, path: &str, form: &[(&str, &str)]) -> reqwest::RequestBuilder {
    let url = format!("{base}{path}");
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    http.post(&url).header("x-twilio-signature", signature(token, &url, form)).form(form)
}

async fn deliver(request: reqwest::RequestBuilder) -> (u16, String) {
    let answer = soon("an answer to a webhook", request.send()).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

pub(super) async fn post(base: &str, path: &str, form: &[(&str, &str)]) -> (u16, String) {
    post_signed(AUTH_TOKEN, base, path, form).await
}

/// The form of an inbound call.
pub(super) fn inbound(sid: &str) -> [(&str, &str); 6] {
    [
        ("AccountSid", ACCOUNT),
        ("CallSid", sid),
        ("CallStatus", "ringing"),
        ("Direction", "inbound"),
        ("From", VISITOR),
        ("To", OFFICE),
    ]
}

/// An inbound call arrives. Returns the token of its stream.
pub(super) async fn call_in(base: &str, sid: &str) -> String {
    let (status, document) = post(base, "/webhooks/voice", &inbound(sid)).await;
    assert_eq!(status, 200, "{document}");
    token_in(&document)
}

/// The stream of a call broke. Returns the token of its next one.
pub(super) async fn resume(base: &str, sid: &str) -> String {
    let form = [("AccountSid", ACCOUNT), ("CallSid", sid), ("CallStatus", "in-progress")];
    let (status, document) = post(base, "/webhooks/resume", &form).await;
    assert_eq!(status, 200, "{document}");
    token_in(&document)
}

fn token_in(document: &str) -> String {
    let (_, rest) = document.split_once("name=\"token\" value=\"").expect("a document with a token");
    rest.split_once('"').unwrap().0.to_owned()
}

/// A media socket.
pub(super) struct Stream(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Stream {
    /// Opens a socket whose upgrade is signed.
    pub(super) async fn open(base: &str) -> Self {
        let url = format!("{}/media", base.replacen("http", "ws", 1));
        Self(Self::connect(&url, Some(&signature_of(&url))).await.unwrap())
    }

    /// The status with which an upgrade with this signature, or none, is refused.
    pub(super) async fn refusal(base: &str, signature: Option<&str>) -> u16 {
        let url = format!("{}/media", base.replacen("http", "ws", 1));
        match Self::connect(&url, signature).await {
            Err(Error::Http(response)) => response.status().as_u16(),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("the upgrade was accepted"),
        }
    }

    async fn connect(url: &str, signature: Option<&str>) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, Error> {
        let mut request = url.into_client_request().unwrap();
        if let Some(signature) = signature {
            request.headers_mut().insert("x-twilio-signature", signature.parse().unwrap());
        }
        soon("an upgrade", connect_async(request)).await.map(|(socket, _)| socket)
    }

    pub(super) async fn send(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    pub(super) async fn say(&mut self, message: &Value) {
        self.send(Message::text(message.to_string())).await;
    }

    /// `connected` and `start`, as Twilio says them.
    pub(super) async fn start(&mut self, call_sid: &str, parameters: Value) {
        self.say(&json!({"event": "connected", "protocol": "Call", "version": "1.0.0"})).await;
        let start = json!({
            "accountSid": ACCOUNT, "streamSid": "MZ00000000000000000000000000000001", "callSid": call_sid,
            "tracks": ["inbound"], "customParameters": parameters,
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        });
        let sid = "MZ00000000000000000000000000000001";
        self.say(&json!({"event": "start", "sequenceNumber": "1", "streamSid": sid, "start": start})).await;
    }

    /// One frame of caller audio.
    pub(super) async fn frame(&mut self, audio: &[u8]) {
        let media = json!({"track": "inbound", "chunk": "1", "timestamp": "0", "payload": BASE64.encode(audio)});
        let sid = "MZ00000000000000000000000000000001";
        self.say(&json!({"event": "media", "sequenceNumber": "2", "streamSid": sid, "media": media})).await;
    }

    /// The audio that comes until there are so many bytes of it.
    pub(super) async fn hear(&mut self, bytes: usize) -> Vec<u8> {
        let mut heard = Vec::new();
        let listening = async {
            while heard.len() < bytes {
                let message = self.0.next().await.expect("an open socket").unwrap();
                let Message::Text(text) = message else { continue };
                let message: Value = serde_json::from_str(&text).unwrap();
                if message["event"] == "media" {
                    heard.extend(BASE64.decode(message["media"]["payload"].as_str().unwrap()).unwrap());
                }
            }
        };
        soon("audio", listening).await;
        heard
    }

    /// The next message of this kind.
    pub(super) async fn wait_for(&mut self, event: &str) -> Value {
        let listening = async {
            loop {
                let message = self.0.next().await.expect("an open socket").unwrap();
                let Message::Text(text) = message else { continue };
                let message: Value = serde_json::from_str(&text).unwrap();
                if message["event"] == event {
                    return message;
                }
            }
        };
        soon(event, listening).await
    }

    /// Somebody presses a key.
    pub(super) async fn press(&mut self, key: char) {
        let sid = "MZ00000000000000000000000000000001";
        let dtmf = json!({"track": "inbound_track", "digit": key.to_string()});
        self.say(&json!({"event": "dtmf", "sequenceNumber": "5", "streamSid": sid, "dtmf": dtmf})).await;
    }

    /// Waits for the server's close, and its code. None where the connection just ended.
    pub(super) async fn close_code(&mut self) -> Option<u16> {
        let closing = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return None,
                }
            }
        };
        soon("the socket's close", closing).await
    }
}
