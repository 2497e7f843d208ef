//! The company's own do-not-call list and the opt-outs that fill it: 47 CFR 64.1200(d) and (a)(10).
//!
//! An opt-out binds at once: it is one transaction, and the next `decide` sees it.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::columns::{Cursor, Listing, parse, parse_opt, parse_word, stamp, word};
use super::consents::{insert_revocation, revocations_of};
use super::{Store, StoreError};
use crate::domain::consent::{OptOutChannel, Revocation};
use crate::domain::event::Actor;
use crate::domain::{CallId, E164};

/// Somebody asked not to be called again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptOut {
    pub number: E164,
    pub channel: OptOutChannel,
    /// The raw words, where there were any.
    pub words: String,
    /// The call in which it was said.
    pub call_id: Option<CallId>,
}

/// A stay on the internal list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DncEntry {
    pub added_at: Timestamp,
    pub channel: OptOutChannel,
    pub words: String,
    pub call_id: Option<CallId>,
    pub added_by: Actor,
    /// None while the number is listed.
    pub removed: Option<DncRemoval>,
}

/// How a stay on the internal list ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DncRemoval {
    pub at: Timestamp,
    pub by: Actor,
    pub reason: String,
}

/// What is known of a number's opt-outs, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DncHistory {
    pub entries: Vec<DncEntry>,
    pub revocations: Vec<Revocation>,
}

impl DncHistory {
    pub fn is_listed(&self) -> bool {
        self.entries.iter().any(|entry| entry.removed.is_none())
    }
}

impl Store {
    /// Puts numbers on the internal list and revokes their consents, all in one transaction. A number that is listed already stays
    /// listed since its first request; the repeated revocation is kept too.
    pub async fn record_opt_outs(&self, opt_outs: Vec<OptOut>, by: &Actor, now: Timestamp) -> Result<(), StoreError> {
        let by = by.clone();
        self.write(move |connection| {
            Box::pin(async move {
                for opt_out in opt_outs {
                    insert(connection, opt_out, &by, now).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Takes a number off the internal list and keeps the closed entry. The revocation stands: only a newer consent outweighs it.
    /// Says whether the number was listed.
    pub async fn remove_from_dnc(
        &self,
        number: &E164,
        reason: &str,
        by: &Actor,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (number, reason, by) = (number.clone(), reason.to_owned(), by.clone());
        self.write(move |connection| {
            Box::pin(async move {
                let removed = sqlx::query(
                    "UPDATE internal_dnc SET removed_at = ?, removed_door = ?, removed_actor = ?, removed_reason = ?
                     WHERE number = ? AND removed_at IS NULL",
                )
                .bind(stamp(now))
                .bind(word(&by.door))
                .bind(by.name)
                .bind(reason)
                .bind(number.as_str())
                .execute(connection)
                .await?;
                Ok(removed.rows_affected() == 1)
            })
        })
        .await
    }

    /// The numbers on the internal list, the newest entry first.
    pub async fn list_dnc(&self, after: Option<Cursor>, limit: u32) -> Result<Listing<(E164, DncEntry)>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM internal_dnc WHERE removed_at IS NULL");
                if let Some(after) = &after {
                    let id: i64 = after.id().parse().map_err(|_| StoreError::BadCursor)?;
                    query.push(" AND id < ").push_bind(id);
                }
                query.push(" ORDER BY id DESC LIMIT ").push_bind(limit.saturating_add(1));
                let rows = query.build().fetch_all(connection).await?;
                let entries = rows
                    .iter()
                    .map(|row| {
                        let number = parse(row.try_get("number")?, "internal_dnc")?;
                        Ok((row.try_get::<i64, _>("id")?, (number, read_entry(row)?)))
                    })
                    .collect::<Result<Vec<_>, StoreError>>()?;
                let listing = Listing::cut(entries, limit, |(id, (_, entry))| Cursor::new(entry.added_at, id));
                Ok(Listing { items: listing.items.into_iter().map(|(_, item)| item).collect(), next: listing.next })
            })
        })
        .await
    }

    pub async fn dnc_history(&self, number: &E164) -> Result<DncHistory, StoreError> {
        let number = number.clone();
        self.read(move |connection| {
            Box::pin(async move {
                let entries = sqlx::query("SELECT * FROM internal_dnc WHERE number = ? ORDER BY id")
                    .bind(number.as_str())
                    .fetch_all(&mut *connection)
                    .await?
                    .iter()
                    .map(read_entry)
                    .collect::<Result<Vec<_>, _>>()?;
                Ok(DncHistory { entries, revocations: revocations_of(connection, &number).await? })
            })
        })
        .await
    }
}

async fn insert(
    connection: &mut SqliteConnection,
    opt_out: OptOut,
    by: &Actor,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO internal_dnc (number, added_at, channel, words, call_id, door, actor) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT DO NOTHING",
    )
    .bind(opt_out.number.as_str())
    .bind(stamp(now))
    .bind(word(&opt_out.channel))
    .bind(&opt_out.words)
    .bind(opt_out.call_id.map(|id| id.to_string()))
    .bind(word(&by.door))
    .bind(&by.name)
    .execute(&mut *connection)
    .await?;
    let revocation = Revocation { number: opt_out.number, at: now, channel: opt_out.channel, words: opt_out.words };
    insert_revocation(connection, &revocation, opt_out.call_id, by, now).await
}

fn read_entry(row: &SqliteRow) -> Result<DncEntry, StoreError> {
    const TABLE: &str = "internal_dnc";
    let removed = match parse_opt(row.try_get("removed_at")?, TABLE)? {
        None => None,
        Some(at) => Some(DncRemoval {
            at,
            by: Actor::new(
                parse_word(row.try_get("removed_door")?, TABLE)?,
                row.try_get::<String, _>("removed_actor")?,
            ),
            reason: row.try_get("removed_reason")?,
        }),
    };
    Ok(DncEntry {
        added_at: parse(row.try_get("added_at")?, TABLE)?,
        channel: parse_word(row.try_get("channel")?, TABLE)?,
        words: row.try_get("words")?,
        call_id: parse_opt(row.try_get("call_id")?, TABLE)?,
        added_by: Actor::new(parse_word(row.try_get("door")?, TABLE)?, row.try_get::<String, _>("actor")?),
        removed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{at, call_id, number, operator, store};

    fn opt_out(number_text: &str, words: &str) -> OptOut {
        OptOut {
            number: number(number_text),
            channel: OptOutChannel::Speech,
            words: words.to_owned(),
            call_id: Some(call_id(1)),
        }
    }

    #[tokio::test]
    async fn a_number_is_listed_since_its_first_request_and_every_request_is_kept() {
        let store = store().await;
        let listed = number("+12125550113");
        store.record_opt_outs(vec![opt_out("+12125550113", "stop")], &operator(), at(1)).await.unwrap();
        store.record_opt_outs(vec![opt_out("+12125550113", "stop!")], &operator(), at(2)).await.unwrap();
        let history = store.dnc_history(&listed).await.unwrap();
        assert!(history.is_listed());
        assert_eq!(history.entries.iter().map(|entry| entry.added_at).collect::<Vec<_>>(), [at(1)]);
        assert_eq!(history.entries[0].call_id, Some(call_id(1)));
        let said: Vec<_> = history.revocations.iter().map(|revocation| (revocation.at, &*revocation.words)).collect();
        assert_eq!(said, [(at(1), "stop"), (at(2), "stop!")]);
    }

    #[tokio::test]
    async fn removal_keeps_the_history_and_the_revocation() {
        let store = store().await;
        let listed = number("+12125550113");
        store.record_opt_outs(vec![opt_out("+12125550113", "stop")], &operator(), at(1)).await.unwrap();
        assert!(store.remove_from_dnc(&listed, "typed wrongly", &operator(), at(2)).await.unwrap());
        assert!(!store.remove_from_dnc(&listed, "again", &operator(), at(3)).await.unwrap());
        let history = store.dnc_history(&listed).await.unwrap();
        assert!(!history.is_listed());
        let removed = DncRemoval { at: at(2), by: operator(), reason: "typed wrongly".to_owned() };
        assert_eq!(history.entries[0].removed, Some(removed));
        assert_eq!(history.revocations.len(), 1);

        store.record_opt_outs(vec![opt_out("+12125550113", "I said stop")], &operator(), at(4)).await.unwrap();
        let history = store.dnc_history(&listed).await.unwrap();
        assert!(history.is_listed());
        assert_eq!(history.entries.len(), 2);
    }
}
