//! Browsers that are signed in, and the links that sign one in once. The store knows both by the SHA-256 of their text.

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::columns::{from_json, json, stamp};
use super::{Store, StoreError};
use crate::domain::KeyId;

/// A signed-in browser, or a link that makes one: who it is, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    pub name: String,
    pub role: String,
    /// Scopes beside those of the role.
    pub scopes: Vec<String>,
    pub expires_at: Timestamp,
}

impl Store {
    /// Signs a browser in. `sha256` is that of its cookie; with `key`, revoking the key signs it out.
    pub async fn insert_session(
        &self,
        sha256: &str,
        session: SignIn,
        key: Option<KeyId>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sha256 = sha256.to_owned();
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query("DELETE FROM sessions WHERE expires_at <= ?")
                    .bind(stamp(now))
                    .execute(&mut *connection)
                    .await?;
                sqlx::query(
                    "INSERT INTO sessions (sha256, name, role, scopes, key_id, created_at, expires_at)
                     VALUES (?, ?, ?, ?, ?, ?, ?)",
                )
                .bind(sha256)
                .bind(session.name)
                .bind(session.role)
                .bind(json(&session.scopes))
                .bind(key.map(|key| key.to_string()))
                .bind(stamp(now))
                .bind(stamp(session.expires_at))
                .execute(connection)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// The session with this cookie, unless it is over or its key was revoked.
    pub async fn session(&self, sha256: &str, now: Timestamp) -> Result<Option<SignIn>, StoreError> {
        let sha256 = sha256.to_owned();
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(
                    "SELECT sessions.name, sessions.role, sessions.scopes, expires_at FROM sessions
                     LEFT JOIN api_keys ON api_keys.id = key_id
                     WHERE sessions.sha256 = ? AND expires_at > ? AND revoked_at IS NULL",
                )
                .bind(sha256)
                .bind(stamp(now))
                .fetch_optional(connection)
                .await?;
                row.as_ref()
                    .map(|row| {
                        Ok(SignIn { scopes: from_json(row.try_get("scopes")?, "sessions")?, ..read_sign_in(row)? })
                    })
                    .transpose()
            })
        })
        .await
    }

    pub async fn delete_session(&self, sha256: &str) -> Result<(), StoreError> {
        let sha256 = sha256.to_owned();
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query("DELETE FROM sessions WHERE sha256 = ?").bind(sha256).execute(connection).await?;
                Ok(())
            })
        })
        .await
    }

    pub async fn insert_sign_in_link(&self, sha256: &str, link: SignIn) -> Result<(), StoreError> {
        let sha256 = sha256.to_owned();
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query("INSERT INTO sign_in_links (sha256, name, role, expires_at) VALUES (?, ?, ?, ?)")
                    .bind(sha256)
                    .bind(link.name)
                    .bind(link.role)
                    .bind(stamp(link.expires_at))
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// Uses a link up. Of two who come with one link, one gets in. Links that are too old go on the way.
    pub async fn take_sign_in_link(&self, sha256: &str, now: Timestamp) -> Result<Option<SignIn>, StoreError> {
        let sha256 = sha256.to_owned();
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query("DELETE FROM sign_in_links WHERE expires_at <= ?")
                    .bind(stamp(now))
                    .execute(&mut *connection)
                    .await?;
                let row = sqlx::query("DELETE FROM sign_in_links WHERE sha256 = ? RETURNING name, role, expires_at")
                    .bind(sha256)
                    .fetch_optional(connection)
                    .await?;
                row.as_ref().map(read_sign_in).transpose()
            })
        })
        .await
    }
}

fn read_sign_in(row: &SqliteRow) -> Result<SignIn, StoreError> {
    Ok(SignIn {
        name: row.try_get("name")?,
        role: row.try_get("role")?,
        scopes: Vec::new(),
        expires_at: super::columns::parse(row.try_get("expires_at")?, "sessions")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ApiKey;
    use crate::store::testing::{at, store};

    fn until(second: i64) -> SignIn {
        SignIn {
            name: "ann".to_owned(),
            role: "operator".to_owned(),
            scopes: vec!["metrics".to_owned()],
            expires_at: at(second),
        }
    }

    #[tokio::test]
    async fn a_session_ends_by_time_by_hand_and_with_its_key() {
        let store = store().await;
        let id = KeyId::from_uuid(uuid::Uuid::from_u128(1));
        let key = ApiKey {
            id,
            name: "ann".to_owned(),
            role: "operator".to_owned(),
            scopes: Vec::new(),
            created_at: at(0),
            revoked_at: None,
            last_used_at: None,
        };
        store.insert_key(key, "k").await.unwrap();
        store.insert_session("a", until(10), Some(id), at(0)).await.unwrap();
        store.insert_session("b", until(10), None, at(0)).await.unwrap();
        assert_eq!(store.session("a", at(9)).await.unwrap(), Some(until(10)));
        assert_eq!(store.session("a", at(10)).await.unwrap(), None);
        assert_eq!(store.session("c", at(1)).await.unwrap(), None);
        store.revoke_key(id, at(1)).await.unwrap();
        assert_eq!(store.session("a", at(2)).await.unwrap(), None);
        assert_eq!(store.session("b", at(2)).await.unwrap(), Some(until(10)));
        store.delete_session("b").await.unwrap();
        assert_eq!(store.session("b", at(2)).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_link_works_once_and_in_time() {
        let store = store().await;
        store.insert_sign_in_link("a", until(10)).await.unwrap();
        store.insert_sign_in_link("b", until(10)).await.unwrap();
        let (first, second) = tokio::join!(store.take_sign_in_link("a", at(5)), store.take_sign_in_link("a", at(5)));
        let taken = [first.unwrap(), second.unwrap()].into_iter().flatten().count();
        assert_eq!(taken, 1);
        assert_eq!(store.take_sign_in_link("b", at(10)).await.unwrap(), None);
    }
}
