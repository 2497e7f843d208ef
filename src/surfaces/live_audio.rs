//! The sockets on which a call is listened to and taken over: binary messages of one byte for the track and µ-law at 8 kHz.
//!
//! | byte | direction | audio |
//! |---|---|---|
//! | 0 | to the client | what the caller says |
//! | 1 | to the client | what the caller is sent: in bursts, to be played one after the other |
//! | 2 | to the client | none: what was sent on track 1 and not played yet never will be |
//! | 3 | to the server | what the operator says, on take-over; at least every ten seconds something, or the call is handed back |
//!
//! Text messages tell what was lost: `{"type":"missed","frames":n}` in all, on the way to a slow client, and
//! `{"type":"dropped","frames":n}` of the operator's own.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};

use crate::app::{App, Listener, TakeOver};
use crate::relay::Tapped;

use super::upgrade::ServerSocket;

const CALLER: u8 = 0;
const AGENT: u8 = 1;
const CLEARED: u8 = 2;
const OPERATOR: u8 = 3;

/// An operator who sends nothing for so long is gone.
const OPERATOR_SILENCE: Duration = Duration::from_secs(10);

/// How long a client may take to read one message. One that takes longer is gone.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// The largest message that a client may send: a second of audio, and some.
const MESSAGE_LIMIT: usize = 16 * 1024;

pub(super) fn socket_config() -> WebSocketConfig {
    WebSocketConfig::default().max_message_size(Some(MESSAGE_LIMIT)).max_frame_size(Some(MESSAGE_LIMIT))
}

/// Lets the client listen until it leaves or the call is over.
pub(super) async fn listen(app: Arc<App>, mut listener: Listener, mut socket: ServerSocket) {
    let mut told = 0;
    loop {
        let tapped = tokio::select! {
            tapped = listener.next() => tapped,
            // What a listener says is not for us.
            message = socket.next() => match message {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
            () = app.shutdown.cancelled() => None,
        };
        let Some(tapped) = tapped else { break };
        if !give(&mut socket, &tapped, listener.missed, &mut told).await {
            return;
        }
    }
    close(socket).await;
}

/// Lets the operator speak and listen. The call is handed back when the client leaves, falls silent, or the call is over.
pub(super) async fn take_over(app: Arc<App>, mut operator: TakeOver, mut socket: ServerSocket) {
    let mut told = 0;
    let mut told_dropped = 0;
    let mut silence = Box::pin(tokio::time::sleep(OPERATOR_SILENCE));
    loop {
        let tapped = tokio::select! {
            tapped = operator.listener.next() => tapped,
            message = socket.next() => {
                silence.as_mut().set(tokio::time::sleep(OPERATOR_SILENCE));
                match message {
                    Some(Ok(Message::Binary(bytes))) => {
                        if let Some((&OPERATOR, audio)) = bytes.split_first() {
                            operator.speak(audio);
                        }
                        continue;
                    }
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => continue,
                }
            }
            () = &mut silence => None,
            () = app.shutdown.cancelled() => None,
        };
        let Some(tapped) = tapped else { break };
        if operator.dropped > told_dropped {
            told_dropped = operator.dropped;
            if !send(&mut socket, lost("dropped", told_dropped)).await {
                return;
            }
        }
        if !give(&mut socket, &tapped, operator.listener.missed, &mut told).await {
            return;
        }
    }
    operator.hand_back();
    close(socket).await;
}

/// Sends a piece of audio, and what was missed before it. False when the client is gone.
async fn give(socket: &mut ServerSocket, tapped: &Tapped, missed: u64, told: &mut u64) -> bool {
    if missed > *told {
        *told = missed;
        if !send(socket, lost("missed", missed)).await {
            return false;
        }
    }
    let (track, chunk) = match tapped {
        Tapped::Caller(chunk) => (CALLER, Some(chunk)),
        Tapped::Agent(chunk) => (AGENT, Some(chunk)),
        Tapped::Cleared => (CLEARED, None),
    };
    let mut bytes = vec![track];
    // An agent may send what is no base64: there is nothing to hear in it.
    if chunk.is_some_and(|chunk| STANDARD.decode_vec(chunk.base64(), &mut bytes).is_err()) {
        return true;
    }
    send(socket, Message::binary(bytes)).await
}

fn lost(kind: &str, frames: u64) -> Message {
    Message::text(json!({"type": kind, "frames": frames}).to_string())
}

async fn send(socket: &mut ServerSocket, message: Message) -> bool {
    matches!(tokio::time::timeout(WRITE_LIMIT, socket.send(message)).await, Ok(Ok(())))
}

async fn close(mut socket: ServerSocket) {
    let frame = CloseFrame { code: CloseCode::Normal, reason: "the call is over".into() };
    let handshake = async {
        // A client that was faster is as good.
        let _ = socket.send(Message::Close(Some(frame))).await;
        while let Some(Ok(_)) = socket.next().await {}
    };
    let _ = tokio::time::timeout(WRITE_LIMIT, handshake).await;
}
