//! What is thrown away by policy. Call records stay (16 CFR 310.5 asks five years for them), and so does all evidence: decisions,
//! attempts, consents, revocations and do-not-call entries are never pruned here.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::columns::stamp;
use super::settings::prune_mark;
use super::{Store, StoreError};

/// Events of one write. Some milliseconds' work, which is what a decision may have to wait.
const PIECE: i64 = 5_000;

impl Store {
    /// Deletes the events (what was said and done) of calls that ended before an instant; their records stay. Gives how many.
    pub async fn prune_events(&self, ended_before: Timestamp) -> Result<u64, StoreError> {
        let mut pruned = 0;
        loop {
            let piece = self
                .write(move |connection| Box::pin(async move { prune_piece(connection, ended_before).await }))
                .await?;
            pruned += piece;
            if piece == 0 {
                return Ok(pruned);
            }
        }
    }

    /// Deletes what vendors sent about conversations before an instant. Gives how many.
    pub async fn prune_conversations(&self, received_before: Timestamp) -> Result<u64, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                let pruned = sqlx::query("DELETE FROM conversations WHERE received_at < ?")
                    .bind(stamp(received_before))
                    .execute(connection)
                    .await?;
                Ok(pruned.rows_affected())
            })
        })
        .await
    }
}

async fn prune_piece(connection: &mut SqliteConnection, ended_before: Timestamp) -> Result<u64, StoreError> {
    let pruned: Vec<i64> = sqlx::query_scalar(
        "DELETE FROM call_events WHERE seq IN (
             SELECT seq FROM call_events JOIN calls ON calls.id = call_id WHERE ended_at < ? LIMIT ?)
         RETURNING seq",
    )
    .bind(stamp(ended_before))
    .bind(PIECE)
    .fetch_all(&mut *connection)
    .await?;
    if let Some(highest) = pruned.iter().max() {
        prune_mark(connection, *highest).await?;
    }
    Ok(pruned.len() as u64)
}

#[cfg(test)]
mod tests {
    use crate::domain::{CallEvent, Disposition};
    use crate::store::testing::{allow, at, call_id, created, gate_request, store};

    #[tokio::test]
    async fn only_events_of_calls_that_ended_long_ago_go() {
        let store = store().await;
        let ended = || CallEvent::Ended { disposition: Disposition::Completed, detail: String::new() };
        store
            .append(vec![
                (call_id(1), at(0), created("+12125550113")),
                (call_id(2), at(0), created("+12125550114")),
                (call_id(3), at(0), created("+12125550115")),
                (call_id(1), at(10), ended()),
                (call_id(2), at(20), ended()),
            ])
            .await
            .unwrap();
        let decided = store.decide(gate_request("+12125550113"), at(0), allow).await.unwrap();
        let record = store.call(call_id(1)).await.unwrap();

        assert_eq!(store.prune_events(at(15)).await.unwrap(), 2);
        assert_eq!(store.prune_events(at(15)).await.unwrap(), 0);
        assert!(store.events_of(call_id(1)).await.unwrap().is_empty());
        assert_eq!(store.events_of(call_id(2)).await.unwrap().len(), 2);
        assert_eq!(store.call(call_id(1)).await.unwrap(), record);
        assert!(store.decision(decided.decision_id).await.unwrap().is_some());

        let slice = store.events_after(0, 10).await.unwrap();
        assert_eq!(slice.oldest_seq, 5, "a reader that stopped at 3 has missed the fourth");
        assert!(!slice.continues(3) && slice.continues(4));

        // A late fact about a pruned call still goes into its record.
        let late = CallEvent::ConversationAnalysed {
            conversation_id: crate::domain::ConversationId::new("conv_1"),
            summary: Some("short".to_owned()),
            successful: None,
        };
        assert_eq!(store.append(vec![(call_id(1), at(30), late)]).await.unwrap(), [6]);
        assert_eq!(store.call(call_id(1)).await.unwrap().unwrap().summary.as_deref(), Some("short"));
    }
}
