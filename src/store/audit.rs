//! The audit trail of programs and agents: who did what, was refused what, and read whose number. Appended, never changed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::columns::{parse, parse_opt, parse_word, stamp, word};
use super::{Store, StoreError};
use crate::domain::event::Actor;
use crate::domain::{CallId, DecisionId};

/// One thing that somebody did or tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    pub at: Timestamp,
    pub actor: Actor,
    /// The tool or use case, by its published name.
    pub action: String,
    pub outcome: AuditOutcome,
    /// The code of the refusal or failure.
    pub code: Option<String>,
    pub call_id: Option<CallId>,
    pub decision_id: Option<DecisionId>,
    /// SHA-256 of the arguments in lower-case hex: proves what was asked without keeping it.
    pub arguments_sha256: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    Done,
    Refused,
    Failed,
    /// Something was read in which numbers stand in full.
    ReadNumbers,
}

impl Store {
    pub async fn record_audit(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO audit (at, door, actor, action, outcome, code, call_id, decision_id, arguments_sha256)
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                )
                .bind(stamp(entry.at))
                .bind(word(&entry.actor.door))
                .bind(entry.actor.name)
                .bind(entry.action)
                .bind(word(&entry.outcome))
                .bind(entry.code)
                .bind(entry.call_id.map(|id| id.to_string()))
                .bind(entry.decision_id.map(|id| id.to_string()))
                .bind(entry.arguments_sha256)
                .execute(connection)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// The newest entries, newest first.
    pub async fn list_audit(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query("SELECT * FROM audit ORDER BY seq DESC LIMIT ?")
                    .bind(limit)
                    .fetch_all(connection)
                    .await?;
                rows.iter().map(read_entry).collect()
            })
        })
        .await
    }

    /// Entries older than the one at place `before` (without it, from the newest on), newest first, each with its place.
    pub async fn audit_page(&self, before: Option<i64>, limit: u32) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query("SELECT * FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?")
                    .bind(before.unwrap_or(i64::MAX))
                    .bind(limit)
                    .fetch_all(connection)
                    .await?;
                rows.iter().map(|row| Ok((row.try_get("seq")?, read_entry(row)?))).collect()
            })
        })
        .await
    }
}

fn read_entry(row: &SqliteRow) -> Result<AuditEntry, StoreError> {
    const TABLE: &str = "audit";
    Ok(AuditEntry {
        at: parse(row.try_get("at")?, TABLE)?,
        actor: Actor::new(parse_word(row.try_get("door")?, TABLE)?, row.try_get::<String, _>("actor")?),
        action: row.try_get("action")?,
        outcome: parse_word(row.try_get("outcome")?, TABLE)?,
        code: row.try_get("code")?,
        call_id: parse_opt(row.try_get("call_id")?, TABLE)?,
        decision_id: parse_opt(row.try_get("decision_id")?, TABLE)?,
        arguments_sha256: row.try_get("arguments_sha256")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::Door;
    use crate::store::testing::{at, call_id, store};

    #[tokio::test]
    async fn entries_stay_as_they_were_written() {
        let store = store().await;
        let entry = AuditEntry {
            at: at(1),
            actor: Actor::new(Door::Mcp, "dialer"),
            action: "end_call".to_owned(),
            outcome: AuditOutcome::Refused,
            code: Some("missing_scope".to_owned()),
            call_id: Some(call_id(1)),
            decision_id: None,
            arguments_sha256: "ab".to_owned(),
        };
        store.record_audit(entry.clone()).await.unwrap();
        let newer = AuditEntry { outcome: AuditOutcome::Done, code: None, at: at(2), ..entry.clone() };
        store.record_audit(newer.clone()).await.unwrap();
        assert_eq!(store.list_audit(10).await.unwrap(), [newer.clone(), entry]);
        assert_eq!(store.list_audit(1).await.unwrap(), std::slice::from_ref(&newer));
        let page = store.audit_page(None, 1).await.unwrap();
        assert_eq!(page[0].1, newer);
        let rest = store.audit_page(Some(page[0].0), 5).await.unwrap();
        assert_eq!((rest.len(), rest[0].1.at), (1, at(1)));
        let changed = store
            .write(|connection| {
                Box::pin(async move {
                    sqlx::query("UPDATE audit SET actor = 'nobody'").execute(connection).await?;
                    Ok(())
                })
            })
            .await;
        assert!(changed.is_err());
    }
}
