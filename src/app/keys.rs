//! API keys: made once, shown once, kept as their SHA-256.

use sha2::{Digest as _, Sha256};

use crate::domain::access::Role;
use crate::domain::{KeyId, Secret};
use crate::store::{ApiKey, Store, StoreError};

use super::{App, WallClock, ids};

/// What every key starts with, so that a leaked one is recognised.
const PREFIX: &str = "clk_";

/// A valid key, as far as doors need to know it.
#[derive(Debug, Clone)]
pub struct KnownKey {
    pub id: KeyId,
    pub name: String,
    pub role: Role,
}

impl App {
    /// The key with this text, unless it was revoked.
    pub async fn find_key(&self, text: &str) -> Result<Option<KnownKey>, StoreError> {
        if !text.starts_with(PREFIX) {
            return Ok(None);
        }
        let Some(key) = self.store.key_by_sha256(&hash(text)).await? else { return Ok(None) };
        if key.revoked_at.is_some() {
            return Ok(None);
        }
        // A role of a newer version grants nothing here.
        Ok(key.role.parse().ok().map(|role| KnownKey { id: key.id, name: key.name, role }))
    }
}

/// Makes a key. Its text is only ever known here.
pub async fn create_key(
    store: &Store,
    clock: WallClock,
    name: &str,
    role: Role,
) -> Result<(KeyId, Secret), StoreError> {
    let text = format!("{PREFIX}{}", ids::secret_text());
    let id = ids::key();
    let key = ApiKey {
        id,
        name: name.to_owned(),
        role: role.as_str().to_owned(),
        scopes: Vec::new(),
        created_at: clock.now(),
        revoked_at: None,
        last_used_at: None,
    };
    store.insert_key(key, &hash(&text)).await?;
    Ok((id, Secret::new(text)))
}

pub(super) fn hash(text: &str) -> String {
    ids::hex(&Sha256::digest(text.as_bytes()))
}
