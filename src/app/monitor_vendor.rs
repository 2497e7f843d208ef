//! Listens to what is said in a call at Retell, on Retell's monitor WebSocket, and writes it into the journal as it is said. Webhooks
//! and the call's resource tell the same; each line is written down once, whoever is first.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio_tungstenite::tungstenite::Message;

use crate::agents::{AgentError, DialledSocket};
use crate::domain::{CallEvent, ConversationId};
use crate::protocol::agent::retell_monitor::{Monitored, News, may_return};

use super::App;
use super::live_calls::LiveCall;

/// A call that is handed over is live at Retell some seconds later; and a socket may break.
const RETRY: Duration = Duration::from_millis(500);

/// How long after a call's end Retell may tell what was said last.
const LAST_WORDS: Duration = Duration::from_secs(5);

impl App {
    /// Follows the call until it leaves the vendor.
    pub(super) fn follow_at_vendor(self: &Arc<Self>, call: &Arc<LiveCall>, vendor_id: ConversationId) {
        let (app, call) = (Arc::clone(self), Arc::clone(call));
        self.tracker.spawn(async move {
            let is_there = |call: &LiveCall| {
                let record = call.record();
                record.is_at_vendor() && record.conversation_id.as_ref() == Some(&vendor_id)
            };
            while is_there(&call) {
                let left = async {
                    call.over.cancelled().await;
                    tokio::time::sleep(LAST_WORDS).await;
                };
                let listened = tokio::select! {
                    () = app.shutdown.cancelled() => return,
                    () = left => return,
                    listened = app.listen_at_vendor(&call, &vendor_id) => listened,
                };
                if !listened {
                    return;
                }
                tokio::select! {
                    () = app.shutdown.cancelled() => return,
                    () = call.over.cancelled() => return,
                    () = tokio::time::sleep(RETRY) => {}
                }
            }
        });
    }

    /// One socket, to its end. False where another would be of no use.
    async fn listen_at_vendor(&self, call: &LiveCall, vendor_id: &ConversationId) -> bool {
        match self.retell.monitor(vendor_id.as_str()).await {
            Ok(socket) => self.hear_vendor(call, vendor_id, socket).await,
            Err(error @ (AgentError::NoRetellKey | AgentError::Refused { status: 401 | 403 | 404, .. })) => {
                tracing::info!(call.id = %call.id, %error, "Retell does not let this call be followed: its webhooks tell of it");
                false
            }
            Err(_) => true,
        }
    }

    async fn hear_vendor(&self, call: &LiveCall, vendor_id: &ConversationId, mut socket: DialledSocket) -> bool {
        let mut monitored = Monitored::default();
        while let Some(message) = socket.next().await {
            let text = match message {
                Ok(Message::Text(text)) => text,
                Ok(Message::Close(frame)) => return may_return(frame.map(|frame| frame.code.into())),
                Ok(_) => continue,
                Err(_) => return true,
            };
            match monitored.take(text.as_bytes()) {
                Ok(News::Said) => self.write_monitored(call, vendor_id, &monitored, false).await,
                Ok(News::CallEnded) => {
                    self.write_monitored(call, vendor_id, &monitored, true).await;
                    return false;
                }
                Ok(News::Other) => {}
                Err(error) => {
                    tracing::debug!(call.id = %call.id, %error, "a message of Retell's monitor makes no sense");
                }
            }
        }
        true
    }

    async fn write_monitored(&self, call: &LiveCall, vendor_id: &ConversationId, monitored: &Monitored, is_over: bool) {
        let lines = monitored.lines();
        // The last line may still grow.
        let settled = if is_over { lines.len() } else { lines.len().saturating_sub(1) };
        if let Some(last) = lines.last().filter(|line| line.by_caller && !is_over) {
            let _ = self.journal.record(call.id, CallEvent::CallerSaying { text: last.text.clone() });
        }
        if let Err(error) = self.write_lines(call.id, vendor_id.as_str(), lines, settled).await {
            tracing::error!(call.id = %call.id, %error, "what was said could not be written down");
        }
    }
}
