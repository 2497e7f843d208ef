//! Step into a call whose audio is at its agent's vendor: tell the agent something, bring the call here for an operator, hand it back,
//! end it from the other side.

use std::sync::Arc;

use crate::carrier::NextDocument;
use crate::domain::event::{Actor, MessageKind};
use crate::domain::{CallEvent, ConversationId};
use crate::protocol::agent::retell_turns::Message;

use super::App;
use super::live_calls::LiveCall;
use super::steer_call::ControlError;

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
        let document = self.stream_document(call, None);
        let sent = carrier.redirect(sid, NextDocument::Inline(&document)).await;
        sent.map_err(|error| ControlError::Carrier(error.to_string()))
    }

    /// The operator leaves: the vendor gets the call anew, and is told what was said. False where the carrier does not send it there.
    pub(super) async fn hand_back_to_vendor(self: &Arc<Self>, call: &Arc<LiveCall>, by: &Actor) -> bool {
        let _one_at_a_time = call.redirecting.lock().await;
        let (Some(carrier), Some(sid)) = (&self.carrier, call.sid()) else { return false };
        if call.is_over() || call.record().transfer.is_some() {
            return false;
        }
        let _ = self.journal.record_durably(call.id, CallEvent::HandedBack { by: by.clone() }).await;
        call.release_operator();
        // A stream that the carrier has not opened yet would come too late.
        call.revoke_token();
        let so_far = self.conversation_so_far(call).await;
        call.leave_note(format!("A person spoke with the caller and has handed the call back to you. Go on. {so_far}"));
        let document = self.hand_over_document(call, None, None).await;
        match carrier.redirect(sid, NextDocument::Inline(&document)).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(call.id = %call.id, %error, "a call could not be handed back to its agent's vendor");
                false
            }
        }
    }

    /// The carrier did not end the call: its agent is ended, and the carrier sees the other leg go.
    pub(super) async fn end_at_vendor(&self, call: &LiveCall) {
        let record = call.record();
        let vendor_id: Option<ConversationId> = record.conversation_id.filter(|_| record.at_vendor);
        if let Some(vendor_id) = vendor_id
            && let Err(error) = self.retell.stop_call(vendor_id.as_str()).await
        {
            tracing::warn!(call.id = %call.id, %error, "the agent's vendor did not end a call when asked");
        }
    }
}
