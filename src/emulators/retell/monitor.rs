//! `GET /v2/monitor-call/{call_id}`: what is said in a call, as it is told to happen. The key comes as a WebSocket subprotocol.

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use futures_util::SinkExt as _;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};

use super::{Shared, locked, refusal};
use crate::emulators::upgrade::Handshake;

/// Not live yet.
const NOT_YET: u16 = 4004;

pub(super) async fn follow(State(emulation): Shared, Path(call_id): Path<String>, mut request: Request) -> Response {
    let wanted = format!("bearer, {}", emulation.api_key.expose());
    if request.headers().get(header::SEC_WEBSOCKET_PROTOCOL).is_none_or(|given| given.as_bytes() != wanted.as_bytes()) {
        return refusal(StatusCode::UNAUTHORIZED, "API key is invalid");
    }
    let handshake = match Handshake::read(&mut request) {
        Ok(handshake) => handshake,
        Err(error) => return (StatusCode::UPGRADE_REQUIRED, error.to_string()).into_response(),
    };
    // What is told from now on is heard, whatever is known by then.
    let told = emulation.told.subscribe();
    let call = locked(&emulation.calls).get(&call_id).cloned();
    let (mut response, socket) = handshake.accept("retell", WebSocketConfig::default());
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("bearer"));
    emulation.log.record(
        "monitored",
        Some(&call_id),
        json!({"status": call.as_ref().map(|call| &call["call_status"])}),
    );
    emulation.tracker.spawn(async move {
        if let Ok(socket) = socket.await {
            let _ = tell(call, &call_id, told, socket).await;
        }
    });
    response
}

async fn tell<S>(
    call: Option<Value>,
    call_id: &str,
    mut told: Receiver<(String, Value)>,
    mut socket: S,
) -> Result<(), S::Error>
where
    S: futures_util::Sink<Message> + Unpin,
{
    let close = |code: u16| Message::Close(Some(CloseFrame { code: code.into(), reason: "".into() }));
    let Some(call) = call.filter(|call| call["call_status"] == "ongoing") else {
        return socket.send(close(NOT_YET)).await;
    };
    let snapshot = json!({"type": "transcript_snapshot", "transcript": entries(&call)});
    socket.send(Message::text(snapshot.to_string())).await?;
    while let Ok((of, call)) = told.recv().await {
        if of != call_id {
            continue;
        }
        let update = json!({"type": "transcript_updated", "transcript": entries(&call)});
        socket.send(Message::text(update.to_string())).await?;
        if call["call_status"] == "ended" {
            socket.send(Message::text(json!({"type": "call_ended"}).to_string())).await?;
            return socket.send(close(1000)).await;
        }
    }
    Ok(())
}

/// The conversation, each line with an id.
fn entries(call: &Value) -> Vec<Value> {
    let lines = call["transcript_object"].as_array().cloned().unwrap_or_default();
    let with_id = |(place, line): (usize, Value)| json!({"id": format!("u{place}"), "role": line["role"], "content": line["content"]});
    lines.into_iter().enumerate().map(with_id).collect()
}
