//! What an agent vendor says of a conversation after it: kept whole, and the summary joined to the call.

use crate::domain::{CallEvent, CallId, CallSid};
use crate::protocol::agent::elevenlabs_conversation::ConversationRecord;
use crate::protocol::agent::elevenlabs_webhook::Webhook;
use crate::store::{StoreError, StoredConversation};

use super::App;

impl App {
    /// Stores a post-call event. Idempotent by conversation; one of a conversation that is not ours is kept too.
    pub async fn store_post_call(&self, event: Webhook, body: &[u8]) -> Result<(), StoreError> {
        match event {
            Webhook::Transcription(record) => self.store_transcription(*record, body).await,
            Webhook::Audio { conversation_id, mp3, .. } => {
                // The recording stays with the vendor, where `GET /v1/convai/conversations/{id}/audio` gives it.
                tracing::info!(%conversation_id, bytes = mp3.len(), "a conversation's recording came; it is not kept");
                Ok(())
            }
            Webhook::InitiationFailure { conversation_id, reason, .. } => {
                tracing::warn!(%conversation_id, reason, "the vendor could not start a conversation");
                Ok(())
            }
            Webhook::Other { kind } => {
                tracing::debug!(kind, "a webhook of a kind that this version does not know");
                Ok(())
            }
        }
    }

    async fn store_transcription(&self, record: ConversationRecord, body: &[u8]) -> Result<(), StoreError> {
        let id = record.conversation_id.clone();
        let call_id = self.call_of(&record).await?;
        let first = self.store.conversation(&id).await?.is_none();
        let payload = serde_json::from_slice(body).unwrap_or_default();
        let stored = StoredConversation { id: id.clone(), call_id, payload, received_at: self.clock.now() };
        self.store.store_conversation(stored).await?;
        let Some(call_id) = call_id.filter(|_| first) else { return Ok(()) };
        let analysed = CallEvent::ConversationAnalysed {
            conversation_id: id,
            summary: record.summary,
            successful: record.call_successful,
        };
        if let Err(error) = self.journal.record_durably(call_id, analysed).await {
            tracing::error!(%call_id, %error, "a post-call summary could not be written down");
        }
        Ok(())
    }

    /// The call that a conversation was part of, by our own dynamic variables.
    async fn call_of(&self, record: &ConversationRecord) -> Result<Option<CallId>, StoreError> {
        if let Some(id) = record.call_id() {
            return Ok(self.store.call(id).await?.map(|call| call.id));
        }
        match record.dynamic_variables.get("call_sid").and_then(serde_json::Value::as_str) {
            Some(sid) => Ok(self.store.call_by_sid(&CallSid::new(sid)).await?.map(|call| call.id)),
            None => Ok(None),
        }
    }
}
