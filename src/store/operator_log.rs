//! What operators did that no call's journal tells: stops of outbound calls, imports, erasures. Appended, never changed.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::columns::{from_json, json, parse, parse_word, stamp, word};
use super::{Store, StoreError};
use crate::domain::event::Actor;

const TABLE: &str = "operator_log";

/// One thing that an operator did.
#[derive(Debug, Clone, PartialEq)]
pub struct OperatorAction {
    pub seq: i64,
    pub at: Timestamp,
    pub by: Actor,
    /// `outbound_stopped`, `outbound_released`, `leads_imported`, `consents_imported`, `number_facts_recorded`,
    /// `person_erased`, `evidence_expired`.
    pub action: String,
    /// Counts and reasons. It names nobody.
    pub detail: Value,
}

/// Which entries. What is `None` does not matter.
#[derive(Debug, Clone, Default)]
pub struct ActionFilter {
    /// Actions that begin so: `outbound_`.
    pub action_prefix: Option<&'static str>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

impl Store {
    /// Entries, newest first.
    pub async fn operator_actions(&self, filter: ActionFilter, limit: u32) -> Result<Vec<OperatorAction>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM operator_log WHERE true");
                if let Some(prefix) = filter.action_prefix {
                    query.push(" AND instr(action, ").push_bind(prefix).push(") = 1");
                }
                if let Some(since) = filter.since {
                    query.push(" AND at >= ").push_bind(stamp(since));
                }
                if let Some(until) = filter.until {
                    query.push(" AND at < ").push_bind(stamp(until));
                }
                query.push(" ORDER BY seq DESC LIMIT ").push_bind(limit);
                let rows = query.build().fetch_all(connection).await?;
                rows.iter()
                    .map(|row| {
                        let door = parse_word(row.try_get("door")?, TABLE)?;
                        Ok(OperatorAction {
                            seq: row.try_get("seq")?,
                            at: parse(row.try_get("at")?, TABLE)?,
                            by: Actor::new(door, row.try_get::<String, _>("actor")?),
                            action: row.try_get("action")?,
                            detail: from_json(row.try_get("detail")?, TABLE)?,
                        })
                    })
                    .collect()
            })
        })
        .await
    }
}

/// Writes an entry within the transaction of what it tells.
pub(super) async fn record_action(
    connection: &mut SqliteConnection,
    action: &str,
    detail: &Value,
    by: &Actor,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO operator_log (at, door, actor, action, detail) VALUES (?, ?, ?, ?, ?)")
        .bind(stamp(now))
        .bind(word(&by.door))
        .bind(&by.name)
        .bind(action)
        .bind(json(detail))
        .execute(connection)
        .await?;
    Ok(())
}
