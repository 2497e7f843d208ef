//! Waits that a client follows as tasks: what was asked and by whom. Whether it has come about is read from the journal, so that a
//! restart loses nothing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::Row;

use super::columns::{parse, parse_opt, parse_word, stamp, word};
use super::{Store, StoreError};
use crate::domain::CallId;

/// A wait for something to happen in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// Cannot be guessed.
    pub id: String,
    /// The name of the key that asked.
    pub actor: String,
    pub call_id: CallId,
    pub until: Until,
    /// For `Until::Event`: the last place of the journal that the asker has seen.
    pub after_seq: i64,
    pub created_at: Timestamp,
    pub cancelled_at: Option<Timestamp>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// Picked up, or over without that.
    Answered,
    Ended,
    /// Anything new.
    Event,
}

impl Store {
    /// Keeps a wait, and forgets those that are older than `forget_before`.
    pub async fn insert_wait(&self, wait: Wait, forget_before: Timestamp) -> Result<(), StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query("DELETE FROM waits WHERE created_at < ?")
                    .bind(stamp(forget_before))
                    .execute(&mut *connection)
                    .await?;
                sqlx::query(
                    "INSERT INTO waits (id, actor, call_id, until, after_seq, created_at) VALUES (?, ?, ?, ?, ?, ?)",
                )
                .bind(wait.id)
                .bind(wait.actor)
                .bind(wait.call_id.to_string())
                .bind(word(&wait.until))
                .bind(wait.after_seq)
                .bind(stamp(wait.created_at))
                .execute(connection)
                .await?;
                Ok(())
            })
        })
        .await
    }

    pub async fn wait(&self, id: &str) -> Result<Option<Wait>, StoreError> {
        const TABLE: &str = "waits";
        let id = id.to_owned();
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query("SELECT * FROM waits WHERE id = ?").bind(&id).fetch_optional(connection).await?;
                let Some(row) = row else { return Ok(None) };
                Ok(Some(Wait {
                    id,
                    actor: row.try_get("actor")?,
                    call_id: parse(row.try_get("call_id")?, TABLE)?,
                    until: parse_word(row.try_get("until")?, TABLE)?,
                    after_seq: row.try_get("after_seq")?,
                    created_at: parse(row.try_get("created_at")?, TABLE)?,
                    cancelled_at: parse_opt(row.try_get("cancelled_at")?, TABLE)?,
                }))
            })
        })
        .await
    }

    /// Ends the wait; the call goes on. Cancelling again changes nothing.
    pub async fn cancel_wait(&self, id: &str, now: Timestamp) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query("UPDATE waits SET cancelled_at = ? WHERE id = ? AND cancelled_at IS NULL")
                    .bind(stamp(now))
                    .bind(id)
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{at, call_id, store};

    #[tokio::test]
    async fn a_wait_is_cancelled_once_and_forgotten_when_old() {
        let store = store().await;
        let wait = Wait {
            id: "wait_1".to_owned(),
            actor: "dialer".to_owned(),
            call_id: call_id(1),
            until: Until::Ended,
            after_seq: 7,
            created_at: at(0),
            cancelled_at: None,
        };
        store.insert_wait(wait.clone(), at(-10)).await.unwrap();
        assert_eq!(store.wait("wait_1").await.unwrap(), Some(wait.clone()));
        store.cancel_wait("wait_1", at(5)).await.unwrap();
        store.cancel_wait("wait_1", at(6)).await.unwrap();
        assert_eq!(store.wait("wait_1").await.unwrap().unwrap().cancelled_at, Some(at(5)));
        let newer = Wait { id: "wait_2".to_owned(), created_at: at(9), ..wait };
        store.insert_wait(newer, at(8)).await.unwrap();
        assert_eq!(store.wait("wait_1").await.unwrap(), None);
        assert!(store.wait("wait_2").await.unwrap().is_some());
    }
}
