//! The audit log: who asked for what, when, through which door, and what came of it. Never changed, never deleted.

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::columns::{parse, parse_word, stamp, word};
use super::{Store, StoreError};
use crate::domain::event::Actor;

/// Something that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    pub at: Timestamp,
    pub by: Actor,
    /// What was asked for: `POST /api/v1/calls/{id}/end`, `sign in`, a tool's name.
    pub action: String,
    /// What it was about: a call's id, or the like. Never a number in full.
    pub target: String,
    /// More about it, for a person. Never a number in full.
    pub detail: String,
    /// What came of it: `done`, `refused`, `failed`.
    pub outcome: String,
}

/// An entry with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedAudit {
    pub id: i64,
    pub entry: AuditEntry,
}

impl Store {
    pub async fn record_audit(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO audit_log (at, door, actor, action, target, detail, outcome)
                     VALUES (?, ?, ?, ?, ?, ?, ?)",
                )
                .bind(stamp(entry.at))
                .bind(word(&entry.by.door))
                .bind(entry.by.name)
                .bind(entry.action)
                .bind(entry.target)
                .bind(entry.detail)
                .bind(entry.outcome)
                .execute(connection)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Entries older than the one with the id `before`, newest first; without it from the newest on.
    pub async fn list_audit(&self, before: Option<i64>, limit: u32) -> Result<Vec<RecordedAudit>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                sqlx::query("SELECT * FROM audit_log WHERE id < ? ORDER BY id DESC LIMIT ?")
                    .bind(before.unwrap_or(i64::MAX))
                    .bind(limit)
                    .fetch_all(connection)
                    .await?
                    .iter()
                    .map(read_entry)
                    .collect()
            })
        })
        .await
    }
}

fn read_entry(row: &SqliteRow) -> Result<RecordedAudit, StoreError> {
    let by = Actor { door: parse_word(row.try_get("door")?, "audit_log")?, name: row.try_get("actor")? };
    let entry = AuditEntry {
        at: parse(row.try_get("at")?, "audit_log")?,
        by,
        action: row.try_get("action")?,
        target: row.try_get("target")?,
        detail: row.try_get("detail")?,
        outcome: row.try_get("outcome")?,
    };
    Ok(RecordedAudit { id: row.try_get("id")?, entry })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{at, operator, store};

    #[tokio::test]
    async fn entries_come_back_newest_first_and_cannot_be_changed() {
        let store = store().await;
        for n in 1..=3 {
            let entry = AuditEntry {
                at: at(n),
                by: operator(),
                action: format!("action {n}"),
                target: "call_1".to_owned(),
                detail: String::new(),
                outcome: "done".to_owned(),
            };
            store.record_audit(entry).await.unwrap();
        }
        let newest = store.list_audit(None, 2).await.unwrap();
        assert_eq!(newest.iter().map(|e| e.entry.action.as_str()).collect::<Vec<_>>(), ["action 3", "action 2"]);
        assert_eq!((newest[0].entry.at, &newest[0].entry.by), (at(3), &operator()));
        let rest = store.list_audit(Some(newest[1].id), 2).await.unwrap();
        assert_eq!(rest.iter().map(|e| e.entry.action.as_str()).collect::<Vec<_>>(), ["action 1"]);
        for statement in ["UPDATE audit_log SET actor = ''", "DELETE FROM audit_log"] {
            let changed = store
                .write(move |connection| {
                    Box::pin(async move {
                        sqlx::query(statement).execute(connection).await?;
                        Ok(())
                    })
                })
                .await;
            assert!(changed.is_err(), "{statement}");
        }
    }
}
