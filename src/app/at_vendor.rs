//! Step into a call whose audio is at its agent's vendor: tell the agent something, bring the call here for an operator, hand it back,
//! end it from the other side.

use std::sync::Arc;
use std::time::Duration;

use crate::carrier::NextDocument;
use crate::domain::event::{Actor, MessageKind};
use crate::domain::{CallEvent, ConversationId};
use crate::protocol::agent::retell_turns::Message;

use super::App;
use super::live_calls::{LiveCall, Next};
use super::steer_call::ControlError;

/// How long a call waits for what was said at the vendor before it goes back there.
const HEAR_OUT_LIMIT: Duration = Duration::from_secs(2);

impl App {
    /// Where the agent's words are ours (the custom-LLM socket) its chat is told, else the vendor.
    pub(super) async fn message_vendor(
        &self,
        call: &LiveCall,
        by: Actor,
        kind: MessageKind,
        text: String,
    ) -> Result<(), ControlError> {
        let Some(vendor_id) = call.record().conversation_id else { return Err(ControlError::NotConversing) };
        let message = match kind {
            MessageKind::Context => Message::Note(text.clone()),
            MessageKind::UserMessage => Message::ForCaller(text.clone()),
        };
        if call.llm.tell(&vendor_id, message).is_err() {
            let is_answered = kind == MessageKind::UserMessage;
            self.retell.message(vendor_id.as_str(), &text, is_answered).await.map_err(ControlError::Vendor)?;
        }
        // Told is told: a journal that is full ends calls by itself.
        let _ = self.journal.record_durably(call.id, CallEvent::AgentMessaged { by, kind, text }).await;
        Ok(())
    }

    /// The carrier is told to send the audio here, to a stream that begins as its operator's. The vendor's side ends with that.
    pub(super) async fn bring_from_vendor(&self, call: &LiveCall) -> Result<(), ControlError> {
        let (Some(carrier), Some(sid)) = (&self.carrier, call.sid()) else { return Err(ControlError::NotConversing) };
        if is_ending(call) {
            return Err(ControlError::NotConversing);
        }
        // As long as nothing was said, what the law wants said first may not have been either.
        let is_new = self.conversation_so_far(call).await.is_empty();
        let disclosure = if is_new { self.disclosure(call).await } else { None };
        let document = self.stream_document(call, disclosure);
        let sent = carrier.redirect(sid, NextDocument::Inline(&document)).await;
        sent.map_err(|error| {
            // The carrier may have taken it all the same: then it is to come back and ask.
            call.revoke_token();
            ControlError::Carrier(error.to_string())
        })
    }

    /// The operator leaves: the vendor gets the call anew, and is told what was said. False where the call does not go there: it is
    /// ending, with somebody else, or the carrier refuses.
    pub(super) async fn hand_back_to_vendor(self: &Arc<Self>, call: &Arc<LiveCall>, by: &Actor) -> bool {
        let (Some(carrier), Some(sid)) = (&self.carrier, call.sid()) else { return false };
        // A stream that the carrier has not opened yet would come too late.
        call.revoke_token();
        if is_ending(call) || call.record().transfer.is_some() {
            return false;
        }
        if let Some(vendor_id) = call.record().conversation_id {
            self.hear_vendor_out(call, &vendor_id).await;
        }
        let so_far = self.conversation_so_far(call).await;
        call.leave_note(format!("A person spoke with the caller and has handed the call back to you. Go on. {so_far}"));
        // A stand-in of the vendor's gets a stream, which is not to begin as an operator's.
        call.release_operator(by);
        let document = self.hand_over_document(call, None, None).await;
        if is_ending(call) {
            return false;
        }
        if let Err(error) = carrier.redirect(sid, NextDocument::Inline(&document)).await {
            tracing::warn!(call.id = %call.id, %error, "a call could not be handed back to its agent's vendor");
            return false;
        }
        let _ = self.journal.record_durably(call.id, CallEvent::HandedBack { by: by.clone() }).await;
        true
    }

    /// Writes down what was said at the vendor before the call left it, which its webhooks may not have told yet.
    async fn hear_vendor_out(&self, call: &LiveCall, vendor_id: &ConversationId) {
        let told = tokio::time::timeout(HEAR_OUT_LIMIT, self.retell.fetch_call(vendor_id.as_str())).await;
        if let Ok(Ok((told, _))) = told {
            let settled = told.lines.len();
            if let Err(error) = self.write_lines(call.id, vendor_id.as_str(), told.lines, settled).await {
                tracing::error!(call.id = %call.id, %error, "what was said at the vendor could not be written down");
            }
        }
    }

    /// The carrier did not end the call: its agent is ended, and the carrier sees the other leg go.
    pub(super) async fn end_at_vendor(&self, call: &LiveCall) {
        let record = call.record();
        let vendor_id: Option<ConversationId> = record.conversation_id.clone().filter(|_| record.is_at_vendor());
        if let Some(vendor_id) = vendor_id
            && let Err(error) = self.retell.stop_call(vendor_id.as_str()).await
        {
            tracing::warn!(call.id = %call.id, %error, "the agent's vendor did not end a call when asked");
        }
    }
}

/// Its end was asked for, or the last words are being said.
fn is_ending(call: &LiveCall) -> bool {
    call.is_over() || call.ending_as().is_some() || call.next_document() != Next::Reconnect
}
