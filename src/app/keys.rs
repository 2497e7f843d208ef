//! API keys: made once, shown once, kept as their SHA-256. Beside them there may be the one key of the server's environment,
//! which is an administrator's and is kept nowhere.

use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::domain::access::{Access, Role, Scope};
use crate::domain::{KeyId, Secret};
use crate::store::{ApiKey, Store, StoreError};

use super::{App, WallClock, ids};

/// What every key that we make starts with, so that a leaked one is recognised.
const PREFIX: &str = "clk_";

/// The name of the key from the environment.
pub(super) const ENVIRONMENT: &str = "environment";

/// A key from the environment must be hard to guess too.
const SHORTEST_ENVIRONMENT_KEY: usize = 20;

/// A valid key, as far as doors need to know it.
#[derive(Debug, Clone)]
pub struct KnownKey {
    /// None for the one in the server's environment.
    pub id: Option<KeyId>,
    pub name: String,
    pub access: Access,
}

/// The key in the server's environment (`CLEARLINE_API_KEY`), as its SHA-256.
#[derive(Debug, Clone)]
pub struct EnvironmentKey {
    /// Of a text that somebody chose, so it is not shown either.
    sha256: Secret,
}

/// The key in the environment could be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the key in CLEARLINE_API_KEY is too short: it opens this server to its administrator, so give it {SHORTEST_ENVIRONMENT_KEY} \
     characters or more, or take it out of the server's environment"
)]
pub struct WeakKey;

/// How often the use of one key is written down.
const USE_NOTED_EVERY: SignedDuration = SignedDuration::from_mins(1);

impl EnvironmentKey {
    pub fn new(text: &Secret) -> Result<Self, WeakKey> {
        let text = text.expose().trim();
        if text.len() < SHORTEST_ENVIRONMENT_KEY {
            return Err(WeakKey);
        }
        Ok(Self { sha256: Secret::new(hash(text)) })
    }
}

impl App {
    /// The key with this text, unless it was revoked. What the store says of a key counts before the environment, so that a
    /// key with a role keeps it, and a revoked one stays revoked, where somebody has put it into the environment.
    pub async fn find_key(&self, text: &str) -> Result<Option<KnownKey>, StoreError> {
        let sha256 = hash(text);
        if let Some(key) = self.store.key_by_sha256(&sha256).await? {
            self.note_use(&key);
            // A role of a newer version grants nothing here, and neither does a scope.
            let role = key.role.parse::<Role>().ok().filter(|_| key.revoked_at.is_none());
            let granted = key.scopes.iter().filter_map(|scope| scope.parse().ok()).collect();
            return Ok(role.map(|role| KnownKey {
                id: Some(key.id),
                name: key.name,
                access: Access { role, granted },
            }));
        }
        // Compared as hashes, in constant time: how long it takes tells nothing about the key.
        let is_environments = self
            .environment_key
            .as_ref()
            .is_some_and(|known| bool::from(known.sha256.expose().as_bytes().ct_eq(sha256.as_bytes())));
        Ok(is_environments.then(|| KnownKey { id: None, name: ENVIRONMENT.to_owned(), access: Role::Admin.into() }))
    }
}

impl App {
    /// Notes that a key was used, now and then: so that an operator sees which keys nobody needs any more.
    fn note_use(&self, key: &ApiKey) {
        let now = self.clock.now();
        if key.revoked_at.is_some() || key.last_used_at.is_some_and(|at| now.duration_since(at) < USE_NOTED_EVERY) {
            return;
        }
        let (store, id) = (self.store.clone(), key.id);
        // The request does not wait for it.
        self.tracker.spawn(async move {
            if let Err(error) = store.touch_key(id, now).await {
                tracing::warn!(%error, "the use of a key could not be noted");
            }
        });
    }
}

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateKeyError {
    #[error(
        "`{ENVIRONMENT}` is the name of the key in the server's environment (CLEARLINE_API_KEY): choose another name"
    )]
    NameOfTheEnvironments,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a key with a role, or with a role and more. Its text is only ever known here. No two keys in force have one name: limits,
/// tasks and the records of who did what go by it.
pub async fn create_key(
    store: &Store,
    clock: WallClock,
    name: &str,
    access: impl Into<Access>,
) -> Result<(KeyId, Secret), CreateKeyError> {
    if name == ENVIRONMENT {
        return Err(CreateKeyError::NameOfTheEnvironments);
    }
    let Access { role, granted } = access.into();
    let text = format!("{PREFIX}{}", ids::secret_text());
    let id = ids::key();
    let key = ApiKey {
        id,
        name: name.to_owned(),
        role: role.as_str().to_owned(),
        scopes: granted.iter().map(Scope::to_string).collect(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_the_environment_must_be_long_enough() {
        assert!(EnvironmentKey::new(&Secret::new("nineteen characters")).is_err());
        let key = EnvironmentKey::new(&Secret::new(" twenty characters ok\n")).unwrap();
        assert_eq!(key.sha256.expose(), hash("twenty characters ok"));
    }
}
