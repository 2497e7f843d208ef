//! Which webhooks were seen already: the carrier repeats them, under the same idempotency token.

use jiff::Timestamp;

use super::columns::stamp;
use super::{Store, StoreError};

impl Store {
    /// Whether this token is seen for the first time. From now on it is known, whatever becomes of the webhook.
    pub async fn first_time(&self, token: &str, now: Timestamp) -> Result<bool, StoreError> {
        let token = token.to_owned();
        self.write(move |connection| {
            Box::pin(async move {
                let inserted =
                    sqlx::query("INSERT INTO webhook_tokens (token, seen_at) VALUES (?, ?) ON CONFLICT DO NOTHING")
                        .bind(token)
                        .bind(stamp(now))
                        .execute(connection)
                        .await?;
                Ok(inserted.rows_affected() == 1)
            })
        })
        .await
    }

    /// Forgets tokens first seen before an instant. Gives how many.
    pub async fn prune_webhook_tokens(&self, before: Timestamp) -> Result<u64, StoreError> {
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
    async fn a_token_is_new_once_until_it_is_pruned() {
        let store = store().await;
        assert!(store.first_time("a", at(1)).await.unwrap());
        assert!(!store.first_time("a", at(5)).await.unwrap());
        assert!(store.first_time("b", at(2)).await.unwrap());
        assert_eq!(store.prune_webhook_tokens(at(2)).await.unwrap(), 1);
        assert!(store.first_time("a", at(6)).await.unwrap());
        assert!(!store.first_time("b", at(6)).await.unwrap());
    }
}
