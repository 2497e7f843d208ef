//! Who speaks MCP with us: an API key, or an access token of the configured authorization server.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::app::{App, KnownKey};
use crate::domain::access::{Access, ClaimedPurpose, MissingScope, Role, Scope};
use crate::domain::{Purpose, Secret};
use crate::issuer::{Claims, Issuer, TokenError};
use crate::store::StoreError;
use crate::surfaces::api::views::Numbers;

/// How long a key that was found is believed for reading. Whatever acts looks it up anew.
const BELIEVED: SignedDuration = SignedDuration::from_secs(1);

/// How often it is looked whether those behind open streams may still have them.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Who sent a request, and what it may do.
#[derive(Debug, Clone)]
pub(super) struct Principal {
    /// The key's name, or `oauth:` and the token's subject.
    pub name: Arc<str>,
    grants: Grants,
    /// By the server's setting, or by the request's own wish.
    pub read_only: bool,
    credential: Credential,
}

#[derive(Debug, Clone)]
enum Grants {
    Key(Access),
    Token(Arc<[Scope]>),
}

#[derive(Debug, Clone)]
enum Credential {
    Key(Secret),
    Token,
}

/// Why nobody was let in.
#[derive(Debug)]
pub(super) enum NotAdmitted {
    /// No credential, or one that is not valid; the reason is for the sender of a token.
    Unknown(Option<TokenError>),
    Store(StoreError),
}

/// Keys that were found a moment ago. Holds keys that exist only, so that strangers cannot fill it.
#[derive(Debug, Default)]
pub(super) struct RecentKeys(DashMap<[u8; 32], (KnownKey, Timestamp)>);

impl Principal {
    pub(super) fn may(&self, scope: Scope) -> bool {
        match &self.grants {
            Grants::Key(access) => access.may(scope),
            Grants::Token(scopes) => {
                let is_administrators = scopes.contains(&Scope::Admin) && Role::Admin.may(scope);
                is_administrators || scopes.contains(&scope)
            }
        }
    }

    /// A purpose for a call, if this principal may claim it.
    pub(super) fn claim(&self, purpose: Purpose) -> Result<ClaimedPurpose, MissingScope> {
        match &self.grants {
            Grants::Key(access) => access.claim(purpose),
            // No role lets claim more than another, so the least one stands for none.
            Grants::Token(scopes) => Access { role: Role::Viewer, granted: scopes.to_vec() }.claim(purpose),
        }
    }

    pub(super) fn numbers(&self) -> Numbers {
        if self.may(Scope::NumbersRead) { Numbers::Full } else { Numbers::Masked }
    }

    /// Whether more scopes can be had by asking the authorization server again.
    pub(super) fn is_token(&self) -> bool {
        matches!(self.credential, Credential::Token)
    }

    /// The owner of this bearer credential.
    pub(super) async fn admit(
        app: &App,
        recent: &RecentKeys,
        issuer: Option<&Issuer>,
        bearer: &str,
        read_only: bool,
    ) -> Result<Self, NotAdmitted> {
        if let Some(key) = recent.find(app, bearer).await.map_err(NotAdmitted::Store)? {
            return Ok(Self {
                name: key.name.into(),
                grants: Grants::Key(key.access),
                read_only,
                credential: Credential::Key(Secret::new(bearer)),
            });
        }
        // Keys have no dots, signed tokens have two.
        let issuer = issuer.filter(|_| bearer.contains('.')).ok_or(NotAdmitted::Unknown(None))?;
        let claims = issuer.verify(bearer, app.clock.now()).await.map_err(|error| NotAdmitted::Unknown(Some(error)))?;
        Ok(Self::of_token(claims, read_only))
    }

    fn of_token(claims: Claims, read_only: bool) -> Self {
        let scopes = Scope::ALL.into_iter().filter(|scope| claims.scopes.iter().any(|text| text == scope.as_str()));
        Self {
            name: format!("oauth:{}", claims.subject).into(),
            grants: Grants::Token(scopes.collect()),
            read_only,
            credential: Credential::Token,
        }
    }

    /// Whether the key is still in force, asked of the store. A token lives until it expires.
    pub(super) async fn is_still_valid(&self, app: &App) -> Result<bool, StoreError> {
        match &self.credential {
            Credential::Key(text) => Ok(app.find_key(text.expose()).await?.is_some()),
            Credential::Token => Ok(true),
        }
    }
}

impl Principal {
    /// Returns when the key was revoked: what is open for it must end.
    pub(super) async fn loses_access(&self, app: &App) {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            match self.is_still_valid(app).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(%error, "whether a key is still good could not be looked up"),
            }
        }
    }
}

impl RecentKeys {
    async fn find(&self, app: &App, text: &str) -> Result<Option<KnownKey>, StoreError> {
        let hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        let now = app.clock.now();
        if let Some(found) = self.0.get(&hash)
            && found.1 > now
        {
            return Ok(Some(found.0.clone()));
        }
        let key = app.find_key(text).await?;
        match &key {
            Some(key) => {
                let until = now.saturating_add(BELIEVED).unwrap_or(now);
                self.0.insert(hash, (key.clone(), until));
            }
            None => {
                self.0.remove(&hash);
            }
        }
        Ok(key)
    }
}
