//! Which deliveries of webhooks were done with: the carrier repeats one whose answer it did not get.

use jiff::Timestamp;

use super::columns::stamp;
use super::{Store, StoreError};

impl Store {
    /// Whether this delivery was done with before. `delivery` is whatever tells it from others, like its token.
    pub async fn is_done_with(&self, delivery: &str) -> Result<bool, StoreError> {
        let delivery = delivery.to_owned();
        self.read(move |connection| {
            Box::pin(async move {
                let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM webhook_tokens WHERE token = ?")
                    .bind(delivery)
                    .fetch_optional(connection)
                    .await?;
                Ok(known.is_some())
            })
        })
        .await
    }

    /// Writes down that a delivery is done with. Only to be called after the work: one that failed must be able to come again.
    pub async fn record_done_with(&self, delivery: &str, now: Timestamp) -> Result<(), StoreError> {
        let delivery = delivery.to_owned();
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query("INSERT INTO webhook_tokens (token, seen_at) VALUES (?, ?) ON CONFLICT DO NOTHING")
                    .bind(delivery)
                    .bind(stamp(now))
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// Forgets deliveries that were done with before an instant. Gives how many.
    pub async fn prune_deliveries(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                let pruned = sqlx::query("DELETE FROM webhook_tokens WHERE seen_at < ?")
                    .bind(stamp(before))
                    .execute(connection)
                    .await?;
                Ok(pruned.rows_affected())
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use crate::store::testing::{at, store};

    #[tokio::test]
    async fn a_delivery_is_done_with_until_it_is_pruned() {
        let store = store().await;
        assert!(!store.is_done_with("a").await.unwrap());
        store.record_done_with("a", at(1)).await.unwrap();
        store.record_done_with("a", at(5)).await.unwrap();
        store.record_done_with("b", at(2)).await.unwrap();
        assert!(store.is_done_with("a").await.unwrap());
        assert_eq!(store.prune_deliveries(at(2)).await.unwrap(), 1);
        assert!(!store.is_done_with("a").await.unwrap() && store.is_done_with("b").await.unwrap());
    }
}
