//! What the agents' vendors send after a conversation (transcript, analysis), kept as it came.

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::columns::{from_json, json, parse, parse_opt, stamp};
use super::{Store, StoreError};
use crate::domain::{CallId, ConversationId};

/// A vendor's account of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredConversation {
    pub id: ConversationId,
    pub call_id: Option<CallId>,
    pub payload: serde_json::Value,
    pub received_at: Timestamp,
}

impl Store {
    /// Keeps the newest account of each conversation.
    pub async fn store_conversation(&self, conversation: StoredConversation) -> Result<(), StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO conversations (id, call_id, payload, received_at) VALUES (?, ?, ?, ?)
                     ON CONFLICT (id) DO UPDATE SET call_id = coalesce(excluded.call_id, call_id),
                         payload = excluded.payload, received_at = excluded.received_at",
                )
                .bind(conversation.id.as_str())
                .bind(conversation.call_id.map(|id| id.to_string()))
                .bind(json(&conversation.payload))
                .bind(stamp(conversation.received_at))
                .execute(connection)
                .await?;
                Ok(())
            })
        })
        .await
    }

    pub async fn conversation(&self, id: &ConversationId) -> Result<Option<StoredConversation>, StoreError> {
        let id = id.clone();
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query("SELECT * FROM conversations WHERE id = ?")
                    .bind(id.as_str())
                    .fetch_optional(connection)
                    .await?;
                row.as_ref().map(read_conversation).transpose()
            })
        })
        .await
    }

    /// The conversations of a call, oldest first: one, unless the agent was changed in mid-call.
    pub async fn conversations_of(&self, call: CallId) -> Result<Vec<StoredConversation>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query("SELECT * FROM conversations WHERE call_id = ? ORDER BY received_at, id")
                    .bind(call.to_string())
                    .fetch_all(connection)
                    .await?;
                rows.iter().map(read_conversation).collect()
            })
        })
        .await
    }
}

fn read_conversation(row: &SqliteRow) -> Result<StoredConversation, StoreError> {
    Ok(StoredConversation {
        id: ConversationId::new(row.try_get::<String, _>("id")?),
        call_id: parse_opt(row.try_get("call_id")?, "conversations")?,
        payload: from_json(row.try_get("payload")?, "conversations")?,
        received_at: parse(row.try_get("received_at")?, "conversations")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{at, call_id, store};

    #[tokio::test]
    async fn the_newest_account_stands_and_stays_with_its_call() {
        let store = store().await;
        let first = StoredConversation {
            id: ConversationId::new("conv_1"),
            call_id: Some(call_id(1)),
            payload: serde_json::json!({"transcript": []}),
            received_at: at(1),
        };
        store.store_conversation(first.clone()).await.unwrap();
        let newer = serde_json::json!({"transcript": [{"role": "user"}]});
        let second = StoredConversation { call_id: None, payload: newer, received_at: at(2), ..first.clone() };
        store.store_conversation(second.clone()).await.unwrap();
        let kept = StoredConversation { call_id: Some(call_id(1)), ..second };
        assert_eq!(store.conversation(&kept.id).await.unwrap(), Some(kept.clone()));
        assert_eq!(store.conversations_of(call_id(1)).await.unwrap(), [kept]);
        assert_eq!(store.conversations_of(call_id(2)).await.unwrap(), []);
    }
}
