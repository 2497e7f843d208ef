//! What agents remember of a number from call to call: short texts by name, a bounded number of them.

use jiff::Timestamp;
use sqlx::Row as _;

use super::columns::{parse, stamp};
use super::{Store, StoreError};
use crate::domain::{CallId, E164};

/// The most that is remembered of one number. The oldest goes first.
pub const MEMORIES_MAX: u32 = 50;

/// Something remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    pub name: String,
    pub text: String,
    pub at: Timestamp,
}

impl Store {
    /// Remembers a text under a name, in the place of what was there.
    pub async fn remember(
        &self,
        number: &E164,
        name: &str,
        text: &str,
        call: CallId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (number, name, text) = (number.as_str().to_owned(), name.to_owned(), text.to_owned());
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO memories (number, name, text, call_id, at) VALUES (?, ?, ?, ?, ?)
                     ON CONFLICT (number, name) DO UPDATE SET text = excluded.text, call_id = excluded.call_id, at = excluded.at",
                )
                .bind(&number)
                .bind(name)
                .bind(text)
                .bind(call.to_string())
                .bind(stamp(now))
                .execute(&mut *connection)
                .await?;
                sqlx::query(
                    "DELETE FROM memories WHERE number = ?1 AND name NOT IN
                     (SELECT name FROM memories WHERE number = ?1 ORDER BY at DESC, name LIMIT ?2)",
                )
                .bind(&number)
                .bind(MEMORIES_MAX)
                .execute(connection)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// What is remembered of a number, newest first.
    pub async fn memories(&self, number: &E164) -> Result<Vec<Memory>, StoreError> {
        let number = number.as_str().to_owned();
        self.read(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query("SELECT name, text, at FROM memories WHERE number = ? ORDER BY at DESC, name")
                    .bind(number)
                    .fetch_all(connection)
                    .await?;
                rows.iter()
                    .map(|row| {
                        let at = parse(row.get("at"), "memories")?;
                        Ok(Memory { name: row.get("name"), text: row.get("text"), at })
                    })
                    .collect()
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{at, number, store};

    #[tokio::test]
    async fn the_newest_of_each_name_is_kept_and_the_oldest_names_go() {
        let store = store().await;
        let (ada, bob) = (number("+12125550113"), number("+12125550114"));
        let call = CallId::from_uuid(uuid::Uuid::from_u128(1));
        store.remember(&ada, "pet", "a dog", call, at(1)).await.unwrap();
        store.remember(&ada, "pet", "two dogs", call, at(2)).await.unwrap();
        store.remember(&bob, "pet", "none", call, at(1)).await.unwrap();
        assert_eq!(
            store.memories(&ada).await.unwrap(),
            [Memory { name: "pet".into(), text: "two dogs".into(), at: at(2) }]
        );
        for n in 0..MEMORIES_MAX {
            store.remember(&ada, &format!("n{n}"), "x", call, at(3)).await.unwrap();
        }
        let names: Vec<_> = store.memories(&ada).await.unwrap().into_iter().map(|memory| memory.name).collect();
        assert_eq!((names.len(), names.contains(&"pet".to_owned())), (50, false));
        assert_eq!(store.memories(&bob).await.unwrap().len(), 1);
    }
}
