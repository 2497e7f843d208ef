//! The least product that a call needs: documents, callbacks, a media socket that echoes, misbehaves, or relays to an agent.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::emulators::signature;
use crate::emulators::upgrade::{Handshake, ServerSocket};

const TOKEN: &str = "emulated-auth-token";

/// What the product does with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answering {
    Echo,
    CloseAtOnce,
    Misuse,
    Agent,
}

#[derive(Debug, Clone)]
pub(super) struct Product {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    answering: Answering,
    tracker: TaskTracker,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    forms: Vec<(String, HashMap<String, String>)>,
    media: Vec<String>,
    bad_signatures: usize,
    agents: String,
}

impl Product {
    pub(super) async fn start(answering: Answering, tracker: &TaskTracker, shutdown: CancellationToken) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { answering, tracker: tracker.clone(), seen: Mutex::default() });
        let product = Self { addr, shared };
        let app = Router::new()
            .route("/media", get(media))
            .route("/elevenlabs", post(post_call))
            .route("/{hook}", post(hook))
            .with_state(product.clone());
        tracker.spawn(async move {
            axum::serve(listener, app).with_graceful_shutdown(shutdown.cancelled_owned()).await.unwrap();
        });
        product
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    pub(super) fn use_agents(&self, base_url: &str) {
        self.seen(|seen| base_url.clone_into(&mut seen.agents));
    }

    /// Two fields of every form that came to a path.
    pub(super) fn forms(&self, path: &str, one: &str, other: &str) -> Vec<(String, String)> {
        let field = |form: &HashMap<String, String>, name: &str| form.get(name).cloned().unwrap_or_default();
        self.seen(|seen| {
            let forms = seen.forms.iter().filter(|(at, _)| at == path);
            forms.map(|(_, form)| (field(form, one), field(form, other))).collect()
        })
    }

    /// The stream's messages, by event; media left out.
    pub(super) fn media(&self) -> Vec<String> {
        self.seen(|seen| seen.media.clone())
    }

    pub(super) fn bad_signatures(&self) -> usize {
        self.seen(|seen| seen.bad_signatures)
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.shared.seen.lock().unwrap())
    }

    fn check(&self, headers: &HeaderMap, url: &str, params: &[(String, String)]) {
        let right =
            headers.get("x-twilio-signature").is_some_and(|sent| sent == &signature::twilio(TOKEN, url, params));
        self.seen(|seen| seen.bad_signatures += usize::from(!right));
    }
}

async fn hook(State(product): State<Product>, Path(hook): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let path = format!("/{hook}");
    let params: Vec<(String, String)> = serde_urlencoded::from_bytes(&body).unwrap();
    product.check(&headers, &product.url(&path), &params);
    product.seen(|seen| seen.forms.push((path, params.into_iter().collect())));
    if hook.starts_with("twiml") {
        return ([("content-type", "text/xml")], "<Response/>").into_response();
    }
    if hook != "voice" {
        return StatusCode::NO_CONTENT.into_response();
    }
    let document = format!(
        r#"<Response><Connect><Stream url="ws://{}/media" statusCallback="/stream"><Parameter name="token" value="t"/></Stream></Connect>
           <Say>Ok</Say><Hangup/></Response>"#,
        product.addr
    );
    ([("content-type", "text/xml")], document).into_response()
}

/// The post-call webhook: 200 only for a right signature.
async fn post_call(State(product): State<Product>, headers: HeaderMap, body: String) -> StatusCode {
    let header = headers["elevenlabs-signature"].to_str().unwrap();
    let time = header.strip_prefix("t=").and_then(|rest| rest.split_once(',')).unwrap().0.parse().unwrap();
    let right = header == signature::elevenlabs("wsec_test", time, &body);
    let event: Value = serde_json::from_str(&body).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let form = HashMap::from([
        ("type".to_owned(), text(&event["type"])),
        ("status".to_owned(), text(&event["data"]["status"])),
    ]);
    product.seen(|seen| seen.forms.push(("/elevenlabs".to_owned(), form)));
    if right { StatusCode::OK } else { StatusCode::UNAUTHORIZED }
}

async fn media(State(product): State<Product>, mut request: Request) -> Response {
    product.check(request.headers(), &format!("ws://{}/media", product.addr), &[]);
    let (response, socket) = Handshake::read(&mut request).unwrap().accept("none", WebSocketConfig::default());
    let tracker = product.shared.tracker.clone();
    tracker.spawn(async move {
        let socket = socket.await.unwrap();
        match product.shared.answering {
            Answering::Agent => relay(product, socket).await,
            _ => answer(product, socket).await,
        }
    });
    response
}

async fn answer(product: Product, mut socket: ServerSocket) {
    let mut frames = 0;
    while let Some(Ok(message)) = socket.next().await {
        if message.is_close() {
            return;
        }
        let message = message.to_text().ok().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let Some(message) = message else {
            product.seen(|seen| seen.media.push("garbage".to_owned()));
            continue;
        };
        let sid = message["streamSid"].clone();
        note(&product, &message);
        match (message["event"].as_str().unwrap(), product.shared.answering) {
            ("start", Answering::CloseAtOnce) => {
                let _ = socket.close(None).await;
            }
            ("start", Answering::Misuse) => {
                for wrong in [
                    Message::text("{"),
                    Message::text(json!({"event": "clear", "stream_sid": sid}).to_string()),
                    Message::Binary(vec![1, 2].into()),
                ] {
                    socket.send(wrong).await.unwrap();
                }
            }
            ("media", Answering::Echo) => {
                frames += 1;
                let media =
                    json!({"event": "media", "streamSid": sid, "media": {"payload": message["media"]["payload"]}});
                let mark = json!({"event": "mark", "streamSid": sid, "mark": {"name": format!("frame-{frames}")}});
                // The call may be over already.
                if socket.send(Message::text(media.to_string())).await.is_err() {
                    return;
                }
                let _ = socket.send(Message::text(mark.to_string())).await;
            }
            _ => {}
        }
    }
}

fn note(product: &Product, message: &Value) {
    let event = message["event"].as_str().unwrap();
    let event = match event {
        "media" => return,
        "dtmf" => format!("dtmf {}", message["dtmf"]["digit"].as_str().unwrap()),
        other => other.to_owned(),
    };
    product.seen(|seen| seen.media.push(event));
}

/// Carries audio between the stream and an agent, as the real product does, without any of its care.
async fn relay(product: Product, mut carrier: ServerSocket) {
    let agents = product.seen(|seen| seen.agents.clone());
    let http = reqwest::Client::new();
    let url = format!("{agents}/v1/convai/conversation/get-signed-url?agent_id=agent_1");
    let signed: Value =
        http.get(url).header("xi-api-key", "emulated-api-key").send().await.unwrap().json().await.unwrap();
    let (mut agent, _) = tokio_tungstenite::connect_async(signed["signed_url"].as_str().unwrap()).await.unwrap();
    let initiation = json!({"type": "conversation_initiation_client_data", "dynamic_variables": {"call_sid": "CA"}});
    agent.send(Message::text(initiation.to_string())).await.unwrap();
    let mut stream = Value::Null;
    let mut ending = false;
    loop {
        tokio::select! {
            message = carrier.next() => {
                let Some(Ok(Message::Text(text))) = message else { return };
                let message: Value = serde_json::from_str(&text).unwrap();
                note(&product, &message);
                match message["event"].as_str().unwrap() {
                    "start" => stream = message["streamSid"].clone(),
                    "media" => {
                        let chunk = json!({"user_audio_chunk": message["media"]["payload"]});
                        if agent.send(Message::text(chunk.to_string())).await.is_err() && !ending {
                            return;
                        }
                    }
                    "mark" if ending => return drop(carrier.close(None).await),
                    "stop" => return drop(agent.close(None).await),
                    _ => {}
                }
            }
            message = agent.next(), if !ending => {
                let Some(Ok(Message::Text(text))) = message else { return };
                let message: Value = serde_json::from_str(&text).unwrap();
                let to_carrier = match message["type"].as_str().unwrap() {
                    "audio" => Some(json!({"event": "media", "streamSid": stream,
                                           "media": {"payload": message["audio_event"]["audio_base_64"]}})),
                    "interruption" => Some(json!({"event": "clear", "streamSid": stream})),
                    "agent_tool_response" if message["agent_tool_response"]["tool_name"] == "end_call" => {
                        ending = true;
                        Some(json!({"event": "mark", "streamSid": stream, "mark": {"name": "bye"}}))
                    }
                    "ping" => {
                        let pong = json!({"type": "pong", "event_id": message["ping_event"]["event_id"]});
                        agent.send(Message::text(pong.to_string())).await.unwrap();
                        None
                    }
                    "client_tool_call" => {
                        let id = &message["client_tool_call"]["tool_call_id"];
                        let result = json!({"type": "client_tool_result", "tool_call_id": id, "result": "{}", "is_error": false});
                        agent.send(Message::text(result.to_string())).await.unwrap();
                        None
                    }
                    _ => None,
                };
                if let Some(message) = to_carrier {
                    carrier.send(Message::text(message.to_string())).await.unwrap();
                }
            }
        }
    }
}

/// Opens a conversation, says one thing, and returns the code and reason of the close.
pub(super) async fn talk_once(url: &str, message: &Value) -> (u16, String) {
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    socket.send(Message::text(message.to_string())).await.unwrap();
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Close(Some(frame)) = message {
            return (frame.code.into(), frame.reason.to_string());
        }
    }
    (0, String::new())
}
