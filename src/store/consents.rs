//! Consents and revocations: appended, never changed, never deleted.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::columns::{Cursor, Listing, from_json, json, parse, parse_word, stamp, word};
use super::error::on_conflict;
use super::{Store, StoreError};
use crate::domain::consent::{Consent, Revocation};
use crate::domain::event::Actor;
use crate::domain::{CallId, ConsentId, E164};

/// A consent, with who wrote it down and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedConsent {
    pub consent: Consent,
    pub recorded_at: Timestamp,
    pub recorded_by: Actor,
}

impl Store {
    /// Writes consents down, all or none: one whose id is already there stops them all (`ConsentExists`).
    pub async fn record_consents(&self, consents: Vec<Consent>, by: &Actor, now: Timestamp) -> Result<(), StoreError> {
        let by = by.clone();
        self.write(move |connection| {
            Box::pin(async move {
                for consent in &consents {
                    sqlx::query(
                        "INSERT INTO consents (id, number, given_at, record, recorded_at, door, actor)
                         VALUES (?, ?, ?, ?, ?, ?, ?)",
                    )
                    .bind(consent.id.to_string())
                    .bind(consent.number.as_str())
                    .bind(stamp(consent.given_at))
                    .bind(json(consent))
                    .bind(stamp(now))
                    .bind(word(&by.door))
                    .bind(&by.name)
                    .execute(&mut *connection)
                    .await
                    .map_err(on_conflict(StoreError::ConsentExists(consent.id)))?;
                }
                Ok(())
            })
        })
        .await
    }

    pub async fn consent(&self, id: ConsentId) -> Result<Option<RecordedConsent>, StoreError> {
        let consents = self.consents_where("SELECT * FROM consents WHERE id = ?", id.to_string()).await?;
        Ok(consents.into_iter().next())
    }

    /// Every consent for a number, oldest first, whatever became of it.
    pub async fn consents_of(&self, number: &E164) -> Result<Vec<RecordedConsent>, StoreError> {
        let sql = "SELECT * FROM consents WHERE number = ? ORDER BY given_at, id";
        self.consents_where(sql, number.as_str().to_owned()).await
    }

    /// Consents, the one written down last first.
    pub async fn list_consents(
        &self,
        number: Option<E164>,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Listing<RecordedConsent>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM consents WHERE true");
                if let Some(number) = &number {
                    query.push(" AND number = ").push_bind(number.as_str().to_owned());
                }
                if let Some(after) = &after {
                    query.push(" AND (recorded_at, id) < (").push_bind(after.at().to_owned());
                    query.push(", ").push_bind(after.id().to_owned()).push(")");
                }
                query.push(" ORDER BY recorded_at DESC, id DESC LIMIT ").push_bind(limit.saturating_add(1));
                let rows = query.build().fetch_all(connection).await?;
                let consents = rows.iter().map(read_consent).collect::<Result<Vec<_>, _>>()?;
                let cursor = |last: &RecordedConsent| Cursor::new(last.recorded_at, last.consent.id);
                Ok(Listing::cut(consents, limit, cursor))
            })
        })
        .await
    }

    /// Writes a revocation down, without putting the number on the do-not-call list (`record_opt_outs` does both).
    pub async fn record_revocation(
        &self,
        revocation: Revocation,
        call_id: Option<CallId>,
        by: &Actor,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let by = by.clone();
        self.write(move |connection| {
            Box::pin(async move { insert_revocation(connection, &revocation, call_id, &by, now).await })
        })
        .await
    }

    /// Every revocation for a number, oldest first.
    pub async fn revocations_of(&self, number: &E164) -> Result<Vec<Revocation>, StoreError> {
        let number = number.clone();
        self.read(move |connection| Box::pin(async move { revocations_of(connection, &number).await })).await
    }

    async fn consents_where(&self, sql: &'static str, value: String) -> Result<Vec<RecordedConsent>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                sqlx::query(sql).bind(value).fetch_all(connection).await?.iter().map(read_consent).collect()
            })
        })
        .await
    }
}

pub(super) async fn insert_revocation(
    connection: &mut SqliteConnection,
    revocation: &Revocation,
    call_id: Option<CallId>,
    by: &Actor,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO revocations (number, at, channel, words, call_id, recorded_at, door, actor)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(revocation.number.as_str())
    .bind(stamp(revocation.at))
    .bind(word(&revocation.channel))
    .bind(&revocation.words)
    .bind(call_id.map(|id| id.to_string()))
    .bind(stamp(now))
    .bind(word(&by.door))
    .bind(&by.name)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn revocations_of(
    connection: &mut SqliteConnection,
    number: &E164,
) -> Result<Vec<Revocation>, StoreError> {
    sqlx::query("SELECT at, channel, words FROM revocations WHERE number = ? ORDER BY at, id")
        .bind(number.as_str())
        .fetch_all(connection)
        .await?
        .iter()
        .map(|row| {
            Ok(Revocation {
                number: number.clone(),
                at: parse(row.try_get("at")?, "revocations")?,
                channel: parse_word(row.try_get("channel")?, "revocations")?,
                words: row.try_get("words")?,
            })
        })
        .collect()
}

fn read_consent(row: &SqliteRow) -> Result<RecordedConsent, StoreError> {
    Ok(RecordedConsent {
        consent: from_json(row.try_get("record")?, "consents")?,
        recorded_at: parse(row.try_get("recorded_at")?, "consents")?,
        recorded_by: Actor::new(parse_word(row.try_get("door")?, "consents")?, row.try_get::<String, _>("actor")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::consent::OptOutChannel;
    use crate::store::testing::{at, consent, number, operator, store};

    #[tokio::test]
    async fn consents_are_kept_as_given_and_never_twice() {
        let store = store().await;
        let (first, second) = (consent(1, "+12125550113", at(5)), consent(2, "+12125550113", at(1)));
        store.record_consents(vec![first.clone(), second.clone()], &operator(), at(9)).await.unwrap();

        let kept = store.consents_of(&first.number).await.unwrap();
        assert_eq!(kept.iter().map(|kept| &kept.consent).collect::<Vec<_>>(), [&second, &first]);
        assert_eq!((kept[0].recorded_at, &kept[0].recorded_by), (at(9), &operator()));

        let third = consent(3, "+12125550114", at(1));
        let again = store.record_consents(vec![third.clone(), first.clone()], &operator(), at(10)).await;
        assert!(matches!(again, Err(StoreError::ConsentExists(id)) if id == first.id));
        assert_eq!(store.consent(third.id).await.unwrap(), None, "all or none");
    }

    #[tokio::test]
    async fn revocations_keep_channel_and_words() {
        let store = store().await;
        let revocation = Revocation {
            number: number("+12125550113"),
            at: at(3),
            channel: OptOutChannel::Speech,
            words: "stop calling me".to_owned(),
        };
        store.record_revocation(revocation.clone(), None, &operator(), at(4)).await.unwrap();
        assert_eq!(store.revocations_of(&revocation.number).await.unwrap(), [revocation]);
        assert_eq!(store.revocations_of(&number("+12125550114")).await.unwrap(), []);
    }

    #[tokio::test]
    async fn the_database_itself_refuses_changes() {
        let store = store().await;
        store.record_consents(vec![consent(1, "+12125550113", at(5))], &operator(), at(9)).await.unwrap();
        for sql in ["UPDATE consents SET number = 'x'", "DELETE FROM consents"] {
            let refused = store.write(move |connection| {
                Box::pin(async move { Ok(sqlx::query(sql).execute(connection).await?.rows_affected()) })
            });
            assert!(matches!(refused.await, Err(StoreError::Database(_))), "{sql}");
        }
        assert_eq!(store.consents_of(&number("+12125550113")).await.unwrap().len(), 1);
    }
}
