//! A bridge as one writes it first: axum, tokio-tungstenite as it comes, `serde_json` values, a task for each direction. It admits
//! anyone, records nothing and keeps no books; it is here to show what the care in `relay` is worth.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures_util::{SinkExt as _, StreamExt as _};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_util::task::TaskTracker;

use crate::emulators::upgrade::{Handshake, ServerSocket};
use crate::surfaces::cli::out::line;

struct Bridge {
    to: SocketAddr,
    tasks: TaskTracker,
}

/// Serves until it is killed.
pub(super) async fn run(to: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen on loopback")?;
    line(format!("listening on http://{}", listener.local_addr()?));
    let bridge = Arc::new(Bridge { to, tasks: TaskTracker::new() });
    Ok(axum::serve(listener, Router::new().route("/media", get(media)).with_state(bridge)).await?)
}

async fn media(State(bridge): State<Arc<Bridge>>, mut request: Request) -> Response {
    let handshake = match Handshake::read(&mut request) {
        Ok(handshake) => handshake,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    let (response, upgrade) = handshake.accept("", WebSocketConfig::default());
    let tasks = bridge.tasks.clone();
    tasks.spawn(async move {
        if let Ok(carrier) = upgrade.await
            && let Err(error) = relay(carrier, &bridge).await
        {
            tracing::warn!(%error, "a call of the plain bridge broke");
        }
    });
    response
}

async fn relay(carrier: ServerSocket, bridge: &Bridge) -> anyhow::Result<()> {
    let (agent, _) = connect_async(format!("ws://{}/v1/convai/conversation", bridge.to)).await?;
    let (mut to_carrier, mut from_carrier) = carrier.split();
    let (mut to_agent, mut from_agent) = agent.split();
    let (said, mut to_say) = tokio::sync::mpsc::channel::<Value>(64);
    let (stream, mut stream_sid) = tokio::sync::oneshot::channel::<String>();
    let writer = async {
        while let Some(message) = to_say.recv().await {
            to_agent.send(Message::text(message.to_string())).await?;
        }
        anyhow::Ok(())
    };
    let from_caller = async {
        let mut stream = Some(stream);
        while let Some(Ok(message)) = from_carrier.next().await {
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text)?;
            match message["event"].as_str() {
                Some("start") => {
                    if let Some(stream) = stream.take() {
                        let _ = stream.send(message["streamSid"].as_str().unwrap_or_default().to_owned());
                    }
                    let variables = json!({"call_sid": message["start"]["callSid"]});
                    said.send(json!({"type": "conversation_initiation_client_data", "dynamic_variables": variables}))
                        .await?;
                }
                Some("media") => said.send(json!({"user_audio_chunk": message["media"]["payload"]})).await?,
                Some("stop") => return Ok(()),
                _ => {}
            }
        }
        anyhow::Ok(())
    };
    let pongs = said.clone();
    let from_agent = async {
        let stream_sid = (&mut stream_sid).await?;
        while let Some(Ok(message)) = from_agent.next().await {
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text)?;
            let out = match message["type"].as_str() {
                Some("audio") => {
                    let media = json!({"payload": message["audio_event"]["audio_base_64"]});
                    json!({"event": "media", "streamSid": stream_sid, "media": media})
                }
                Some("interruption") => json!({"event": "clear", "streamSid": stream_sid}),
                Some("ping") => {
                    pongs.send(json!({"type": "pong", "event_id": message["ping_event"]["event_id"]})).await?;
                    continue;
                }
                _ => continue,
            };
            to_carrier.send(Message::text(out.to_string())).await?;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        ended = writer => ended,
        ended = from_caller => ended,
        ended = from_agent => ended,
    }
}
