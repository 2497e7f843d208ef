//! Closing a WebSocket from our side, within a bounded time.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::Socket;

/// How long the peer may take to answer a close. Then the connection is dropped.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(1);

/// Says goodbye with this code, waits a moment for the answer, and drops the socket. Also right when the peer closed first.
pub(super) async fn close<S: Socket>(mut socket: S, code: u16) {
    let handshake = async {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        // An error means that the peer was faster; reading on still sends our answer.
        let _ = socket.send(Message::Close(Some(frame))).await;
        while let Some(Ok(_)) = socket.next().await {}
    };
    // A peer that does not answer is left alone.
    let _ = tokio::time::timeout(HANDSHAKE_LIMIT, handshake).await;
}
