//! The list of known TCPA litigators: imported whole, replaced whole.
//!
//! An import is a generation of rows, written piece by piece so that calls are decided in between, and made current by one last
//! write. A half-finished one is never seen; its rows are cleared away by the next.

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::Row;

use super::columns::{json, parse, stamp};
use super::{Store, StoreError};
use crate::domain::E164;

/// Numbers of one write. Some milliseconds' work, which is what a decision may have to wait.
const PIECE: usize = 5_000;

/// The litigator list in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LitigatorList {
    pub source: String,
    /// The publisher's date.
    pub as_of: Date,
    pub numbers: i64,
    pub imported_at: Timestamp,
}

impl Store {
    /// Replaces the litigator list. The new one binds from the next decision on.
    pub async fn import_litigators(
        &self,
        source: &str,
        as_of: Date,
        numbers: impl IntoIterator<Item = E164>,
        now: Timestamp,
    ) -> Result<LitigatorList, StoreError> {
        let generation = self.begin_import(source, as_of, now).await?;
        let mut numbers = numbers.into_iter();
        loop {
            let piece: Vec<String> = numbers.by_ref().take(PIECE).map(String::from).collect();
            if piece.is_empty() {
                break;
            }
            self.write(move |connection| {
                Box::pin(async move {
                    sqlx::query(
                        "INSERT OR IGNORE INTO litigators (number, generation) SELECT value, ? FROM json_each(?)",
                    )
                    .bind(generation)
                    .bind(json(&piece))
                    .execute(connection)
                    .await?;
                    Ok(())
                })
            })
            .await?;
        }
        let numbers = self.finish_import(generation, now).await?;
        self.clear_other_generations(generation).await?;
        Ok(LitigatorList { source: source.to_owned(), as_of, numbers, imported_at: now })
    }

    pub async fn litigator_list(&self) -> Result<Option<LitigatorList>, StoreError> {
        self.read(|connection| {
            Box::pin(async move {
                let row = sqlx::query(
                    "SELECT source, as_of, numbers, imported_at FROM list_imports
                     WHERE list = 'litigator' AND imported_at IS NOT NULL ORDER BY generation DESC LIMIT 1",
                )
                .fetch_optional(connection)
                .await?;
                row.map(|row| {
                    Ok(LitigatorList {
                        source: row.try_get("source")?,
                        as_of: parse(row.try_get("as_of")?, "list_imports")?,
                        numbers: row.try_get("numbers")?,
                        imported_at: parse(row.try_get("imported_at")?, "list_imports")?,
                    })
                })
                .transpose()
            })
        })
        .await
    }

    /// Whether a number is on the list in force; `None` where no list was ever imported.
    pub async fn is_litigator(&self, number: &E164) -> Result<Option<bool>, StoreError> {
        let number = number.clone();
        self.read(move |connection| {
            Box::pin(async move {
                let listed = sqlx::query_scalar(
                    "SELECT EXISTS (SELECT 1 FROM litigators WHERE number = ? AND generation = list.generation)
                     FROM list_imports AS list WHERE list.list = 'litigator' AND list.imported_at IS NOT NULL
                     ORDER BY list.generation DESC LIMIT 1",
                )
                .bind(number.as_str())
                .fetch_optional(connection)
                .await?;
                Ok(listed)
            })
        })
        .await
    }

    async fn begin_import(&self, source: &str, as_of: Date, now: Timestamp) -> Result<i64, StoreError> {
        let source = source.to_owned();
        self.write(move |connection| {
            Box::pin(async move {
                let begun = sqlx::query(
                    "INSERT INTO list_imports (list, source, as_of, numbers, started_at) VALUES ('litigator', ?, ?, 0, ?)",
                )
                .bind(source)
                .bind(as_of.to_string())
                .bind(stamp(now))
                .execute(connection)
                .await?;
                Ok(begun.last_insert_rowid())
            })
        })
        .await
    }

    async fn finish_import(&self, generation: i64, now: Timestamp) -> Result<i64, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                let numbers = sqlx::query_scalar(
                    "UPDATE list_imports SET imported_at = ?2,
                         numbers = (SELECT count(*) FROM litigators WHERE generation = ?1)
                     WHERE generation = ?1 RETURNING numbers",
                )
                .bind(generation)
                .bind(stamp(now))
                .fetch_one(connection)
                .await?;
                Ok(numbers)
            })
        })
        .await
    }

    /// Older lists, and what unfinished imports left. An import that another process has begun since is left alone.
    async fn clear_other_generations(&self, current: i64) -> Result<(), StoreError> {
        loop {
            let cleared = self
                .write(move |connection| {
                    Box::pin(async move {
                        let cleared = sqlx::query(
                            "DELETE FROM litigators WHERE (number, generation) IN
                                 (SELECT number, generation FROM litigators WHERE generation < ? LIMIT ?)",
                        )
                        .bind(current)
                        .bind(i64::try_from(PIECE).expect("a small constant"))
                        .execute(connection)
                        .await?;
                        Ok(cleared.rows_affected())
                    })
                })
                .await?;
            if cleared == 0 {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{at, gate_request, number, store};

    async fn is_litigator(store: &Store, text: &str) -> Option<bool> {
        let request = gate_request(text);
        store
            .read(move |connection| {
                Box::pin(async move {
                    Ok(crate::store::stored_facts::gather(connection, &request, at(50)).await?.0.litigator)
                })
            })
            .await
            .unwrap()
    }

    fn some_numbers() -> impl Iterator<Item = E164> {
        (0..PIECE + 10).map(|n| number(&format!("+1212{:07}", 5_550_000 + n)))
    }

    #[tokio::test]
    async fn no_list_is_not_an_empty_list() {
        let store = store().await;
        assert_eq!(is_litigator(&store, "+12125550113").await, None);
        assert_eq!(store.litigator_list().await.unwrap(), None);
        store.import_litigators("vendor", "2026-11-01".parse().unwrap(), [], at(1)).await.unwrap();
        assert_eq!(is_litigator(&store, "+12125550113").await, Some(false));
    }

    #[tokio::test]
    async fn a_new_list_replaces_the_old_one_whole() {
        let store = store().await;
        let first =
            store.import_litigators("vendor", "2026-11-01".parse().unwrap(), some_numbers(), at(1)).await.unwrap();
        assert_eq!(first.numbers, i64::try_from(PIECE + 10).unwrap());
        assert_eq!(is_litigator(&store, "+12125550113").await, Some(true));
        let second = store
            .import_litigators("vendor", "2026-11-02".parse().unwrap(), [number("+12125550114")], at(2))
            .await
            .unwrap();
        assert_eq!(store.litigator_list().await.unwrap(), Some(second));
        assert_eq!(is_litigator(&store, "+12125550113").await, Some(false));
        assert_eq!(is_litigator(&store, "+12125550114").await, Some(true));
    }

    #[tokio::test]
    async fn an_unfinished_import_is_never_seen_and_cleared_later() {
        let store = store().await;
        store
            .import_litigators("vendor", "2026-11-01".parse().unwrap(), [number("+12125550113")], at(1))
            .await
            .unwrap();
        let unfinished = store.begin_import("vendor", "2026-11-02".parse().unwrap(), at(2)).await.unwrap();
        store
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::query("INSERT INTO litigators VALUES ('+12125550114', ?)")
                        .bind(unfinished)
                        .execute(connection)
                        .await?;
                    Ok(())
                })
            })
            .await
            .unwrap();
        assert_eq!(is_litigator(&store, "+12125550113").await, Some(true));
        assert_eq!(is_litigator(&store, "+12125550114").await, Some(false));
        store
            .import_litigators("vendor", "2026-11-03".parse().unwrap(), [number("+12125550115")], at(3))
            .await
            .unwrap();
        let left: i64 = store
            .read(|connection| {
                Box::pin(async move {
                    Ok(sqlx::query_scalar("SELECT count(*) FROM litigators").fetch_one(connection).await?)
                })
            })
            .await
            .unwrap();
        assert_eq!(left, 1);
    }
}
