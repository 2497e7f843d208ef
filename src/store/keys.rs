//! API keys. The store knows a key by the SHA-256 of its text and never sees the text.

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::columns::{from_json, json, parse, parse_opt, stamp};
use super::error::on_conflict;
use super::{Store, StoreError};
use crate::domain::KeyId;

/// An API key, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: KeyId,
    pub name: String,
    pub role: String,
    /// Scopes beside those of the role.
    pub scopes: Vec<String>,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

impl Store {
    /// `sha256` is that of the key's text, in lower-case hex. Refused while a key of the same name is in force.
    pub async fn insert_key(&self, key: ApiKey, sha256: &str) -> Result<(), StoreError> {
        let sha256 = sha256.to_owned();
        self.write(move |connection| {
            Box::pin(async move {
                let inserted = sqlx::query(
                    "INSERT INTO api_keys (id, name, role, scopes, sha256, created_at, revoked_at, last_used_at)
                     SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
                     WHERE NOT EXISTS (SELECT 1 FROM api_keys WHERE name = ?2 AND revoked_at IS NULL)",
                )
                .bind(key.id.to_string())
                .bind(&key.name)
                .bind(key.role)
                .bind(json(&key.scopes))
                .bind(sha256)
                .bind(stamp(key.created_at))
                .bind(key.revoked_at.map(stamp))
                .bind(key.last_used_at.map(stamp))
                .execute(connection)
                .await
                .map_err(on_conflict(StoreError::KeyExists))?;
                if inserted.rows_affected() == 0 { Err(StoreError::KeyNameTaken(key.name)) } else { Ok(()) }
            })
        })
        .await
    }

    /// The key with this hash, revoked or not.
    pub async fn key_by_sha256(&self, sha256: &str) -> Result<Option<ApiKey>, StoreError> {
        let sha256 = sha256.to_owned();
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query("SELECT * FROM api_keys WHERE sha256 = ?")
                    .bind(sha256)
                    .fetch_optional(connection)
                    .await?;
                row.as_ref().map(read_key).transpose()
            })
        })
        .await
    }

    /// Every key, revoked ones too, oldest first.
    pub async fn list_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        self.read(|connection| {
            Box::pin(async move {
                let rows = sqlx::query("SELECT * FROM api_keys ORDER BY created_at, id").fetch_all(connection).await?;
                rows.iter().map(read_key).collect()
            })
        })
        .await
    }

    /// Says whether the key was in force.
    pub async fn revoke_key(&self, id: KeyId, now: Timestamp) -> Result<bool, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                let revoked = sqlx::query("UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL")
                    .bind(stamp(now))
                    .bind(id.to_string())
                    .execute(connection)
                    .await?;
                Ok(revoked.rows_affected() == 1)
            })
        })
        .await
    }

    /// Notes that the key was used. For the operator's eyes.
    pub async fn touch_key(&self, id: KeyId, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query("UPDATE api_keys SET last_used_at = ? WHERE id = ?")
                    .bind(stamp(now))
                    .bind(id.to_string())
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
        .await
    }
}

fn read_key(row: &SqliteRow) -> Result<ApiKey, StoreError> {
    Ok(ApiKey {
        id: parse(row.try_get("id")?, "api_keys")?,
        name: row.try_get("name")?,
        role: row.try_get("role")?,
        scopes: from_json(row.try_get("scopes")?, "api_keys")?,
        created_at: parse(row.try_get("created_at")?, "api_keys")?,
        revoked_at: parse_opt(row.try_get("revoked_at")?, "api_keys")?,
        last_used_at: parse_opt(row.try_get("last_used_at")?, "api_keys")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{at, store};

    #[tokio::test]
    async fn a_key_is_found_by_its_hash_and_revoked_once() {
        let store = store().await;
        let id = KeyId::from_uuid(uuid::Uuid::from_u128(1));
        let key = ApiKey {
            id,
            name: "dialer".to_owned(),
            role: "agent".to_owned(),
            scopes: vec!["metrics".to_owned()],
            created_at: at(0),
            revoked_at: None,
            last_used_at: None,
        };
        store.insert_key(key.clone(), "ab12").await.unwrap();
        let same_id = ApiKey { name: "another".to_owned(), ..key.clone() };
        assert!(matches!(store.insert_key(same_id, "cd34").await, Err(StoreError::KeyExists)));
        let same_name = ApiKey { id: KeyId::from_uuid(uuid::Uuid::from_u128(2)), ..key.clone() };
        let refused = store.insert_key(same_name.clone(), "cd34").await;
        assert!(matches!(refused, Err(StoreError::KeyNameTaken(name)) if name == "dialer"));
        let same_text = ApiKey { name: "another".to_owned(), ..same_name };
        assert!(matches!(store.insert_key(same_text, "ab12").await, Err(StoreError::KeyExists)));

        store.touch_key(id, at(1)).await.unwrap();
        assert!(store.revoke_key(id, at(2)).await.unwrap());
        assert!(!store.revoke_key(id, at(3)).await.unwrap());
        let kept = ApiKey { revoked_at: Some(at(2)), last_used_at: Some(at(1)), ..key };
        assert_eq!(store.key_by_sha256("ab12").await.unwrap(), Some(kept.clone()));
        assert_eq!(store.key_by_sha256("cd34").await.unwrap(), None);
        assert_eq!(store.list_keys().await.unwrap(), [kept]);
    }
}
