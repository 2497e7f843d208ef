//! What operators switch while the server runs (the stop-all of outbound calls), and the store's own marks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::columns::{from_json, json};
use super::operator_log::record_action;
use super::{Store, StoreError};
use crate::domain::event::Actor;

pub(super) const OUTBOUND_STOP: &str = "outbound_stop";

/// The highest journal place that was ever pruned.
const JOURNAL_PRUNED_TO: &str = "journal_pruned_to";

/// Outbound calls are stopped: since when, by whom and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboundStop {
    pub since: Timestamp,
    pub by: Actor,
    #[serde(default)]
    pub reason: String,
}

impl Store {
    /// Stops all outbound calls: nothing is dialled any more, also not what waits with a clearance. Stopping again changes
    /// nothing: the first stop stands. Gives the stop that is in force.
    pub async fn stop_outbound(&self, reason: &str, by: &Actor, now: Timestamp) -> Result<OutboundStop, StoreError> {
        let stop = OutboundStop { since: now, by: by.clone(), reason: reason.to_owned() };
        self.write(move |connection| {
            Box::pin(async move {
                if let Some(standing) = outbound_stop(connection).await? {
                    return Ok(standing);
                }
                sqlx::query("INSERT INTO settings (key, value) VALUES (?, ?)")
                    .bind(OUTBOUND_STOP)
                    .bind(json(&stop))
                    .execute(&mut *connection)
                    .await?;
                let detail = serde_json::json!({ "reason": stop.reason });
                record_action(connection, "outbound_stopped", &detail, &stop.by, now).await?;
                Ok(stop)
            })
        })
        .await
    }

    /// Lets outbound calls through again, as far as the gate does. Gives the stop that was lifted, if there was one.
    pub async fn release_outbound(
        &self,
        reason: &str,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Option<OutboundStop>, StoreError> {
        let (reason, by) = (reason.to_owned(), by.clone());
        self.write(move |connection| {
            Box::pin(async move {
                let Some(lifted) = outbound_stop(connection).await? else { return Ok(None) };
                sqlx::query("DELETE FROM settings WHERE key = ?").bind(OUTBOUND_STOP).execute(&mut *connection).await?;
                let detail = serde_json::json!({ "reason": reason, "stopped_since": lifted.since });
                record_action(connection, "outbound_released", &detail, &by, now).await?;
                Ok(Some(lifted))
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

/// Notes that the journal has gaps up to this place.
pub(super) async fn prune_mark(connection: &mut SqliteConnection, highest: i64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO settings (key, value) VALUES (?1, ?2)
         ON CONFLICT DO UPDATE SET value = max(CAST(value AS INTEGER), ?2)",
    )
    .bind(JOURNAL_PRUNED_TO)
    .bind(highest)
    .execute(connection)
    .await?;
    Ok(())
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
    use crate::store::ActionFilter;
    use crate::store::testing::{at, operator, store};

    #[tokio::test]
    async fn the_first_stop_stands_until_it_is_lifted() {
        let store = store().await;
        assert_eq!(store.outbound_stop().await.unwrap(), None);
        let stop = store.stop_outbound("a wrong list", &operator(), at(1)).await.unwrap();
        assert_eq!(stop, OutboundStop { since: at(1), by: operator(), reason: "a wrong list".to_owned() });
        let again = store.stop_outbound("me too", &Actor::new(Door::Mcp, "agent"), at(2)).await.unwrap();
        assert_eq!(again, stop);
        assert_eq!(store.outbound_stop().await.unwrap(), Some(stop.clone()));
        assert_eq!(store.release_outbound("mended", &operator(), at(3)).await.unwrap(), Some(stop));
        assert_eq!(store.release_outbound("again", &operator(), at(4)).await.unwrap(), None);
        assert_eq!(store.outbound_stop().await.unwrap(), None);
        let filter = ActionFilter { action_prefix: Some("outbound_"), ..ActionFilter::default() };
        let told: Vec<_> =
            store.operator_actions(filter, 9).await.unwrap().into_iter().map(|e| (e.action, e.at)).collect();
        assert_eq!(told, [("outbound_released".to_owned(), at(3)), ("outbound_stopped".to_owned(), at(1))]);
    }
}
