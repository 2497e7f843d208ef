//! What operators switch while the server runs (the stop-all of outbound calls), and the store's own marks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::columns::{from_json, json};
use super::{Store, StoreError};
use crate::domain::event::Actor;

pub(super) const OUTBOUND_STOP: &str = "outbound_stop";

/// The highest journal place that was ever pruned.
pub(super) const JOURNAL_PRUNED_TO: &str = "journal_pruned_to";

/// Outbound calls are stopped: since when and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboundStop {
    pub since: Timestamp,
    pub by: Actor,
}

impl Store {
    /// Stops all outbound calls from the next decision on. Stopping again changes nothing: the first stop stands.
    pub async fn stop_outbound(&self, by: &Actor, now: Timestamp) -> Result<OutboundStop, StoreError> {
        let stop = json(&OutboundStop { since: now, by: by.clone() });
        self.write(move |connection| {
            Box::pin(async move {
                // The update that changes nothing makes a stop that stands come back too.
                let standing: String = sqlx::query_scalar(
                    "INSERT INTO settings (key, value) VALUES (?, ?)
                     ON CONFLICT (key) DO UPDATE SET value = value RETURNING value",
                )
                .bind(OUTBOUND_STOP)
                .bind(stop)
                .fetch_one(connection)
                .await?;
                from_json(&standing, "settings")
            })
        })
        .await
    }

    /// Lets outbound calls through again, as far as the gate does. Gives the stop that was lifted, if there was one.
    pub async fn resume_outbound(&self) -> Result<Option<OutboundStop>, StoreError> {
        self.write(|connection| {
            Box::pin(async move {
                let lifted = outbound_stop(connection).await?;
                sqlx::query("DELETE FROM settings WHERE key = ?").bind(OUTBOUND_STOP).execute(connection).await?;
                Ok(lifted)
            })
        })
        .await
    }

    pub async fn outbound_stop(&self) -> Result<Option<OutboundStop>, StoreError> {
        self.read(|connection| Box::pin(outbound_stop(connection))).await
    }
}

/// The highest place of the journal that was ever pruned, 0 for none.
pub(super) async fn journal_pruned_to(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    let mark = sqlx::query_scalar("SELECT CAST(value AS INTEGER) FROM settings WHERE key = ?")
        .bind(JOURNAL_PRUNED_TO)
        .fetch_optional(connection)
        .await?;
    Ok(mark.unwrap_or(0))
}

async fn outbound_stop(connection: &mut SqliteConnection) -> Result<Option<OutboundStop>, StoreError> {
    let value: Option<String> = sqlx::query_scalar("SELECT value FROM settings WHERE key = ?")
        .bind(OUTBOUND_STOP)
        .fetch_optional(connection)
        .await?;
    value.map(|value| from_json(&value, "settings")).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::Door;
    use crate::store::testing::{at, operator, store};

    #[tokio::test]
    async fn the_first_stop_stands_until_it_is_lifted() {
        let store = store().await;
        assert_eq!(store.outbound_stop().await.unwrap(), None);
        let stop = store.stop_outbound(&operator(), at(1)).await.unwrap();
        assert_eq!(stop, OutboundStop { since: at(1), by: operator() });
        let again = store.stop_outbound(&Actor::new(Door::Mcp, "agent"), at(2)).await.unwrap();
        assert_eq!(again, stop);
        assert_eq!(store.outbound_stop().await.unwrap(), Some(stop.clone()));
        assert_eq!(store.resume_outbound().await.unwrap(), Some(stop));
        assert_eq!(store.outbound_stop().await.unwrap(), None);
    }
}
