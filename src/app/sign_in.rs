//! Sign a browser in to the console: with an API key, or with a link that was printed at the start and works once.

use jiff::Timestamp;

use crate::domain::access::{Access, Role};
use crate::domain::{KeyId, Secret};
use crate::store::{SignIn, Store, StoreError};

use super::keys::hash;
use super::{App, WallClock, ids};

/// How long a printed link is good, in minutes.
const LINK_MINUTES: i64 = 15;

/// Who is behind a browser's cookie.
#[derive(Debug, Clone)]
pub struct Session {
    pub name: String,
    pub access: Access,
    pub expires_at: Timestamp,
    /// What the browser's own pages must send along with whatever changes something: derived from the cookie, so that a page
    /// of another origin, which can make the browser send the cookie but not read it, does not know it.
    pub csrf: String,
}

impl App {
    /// A new cookie's text for the holder of this key; none for a key that is not in force.
    pub async fn sign_in_with_key(&self, text: &str) -> Result<Option<(Secret, Session)>, StoreError> {
        let Some(key) = self.find_key(text).await? else { return Ok(None) };
        self.open_session(key.name, key.access, key.id).await.map(Some)
    }

    /// A new cookie's text for the first who comes with this link's token.
    pub async fn sign_in_with_link(&self, token: &str) -> Result<Option<(Secret, Session)>, StoreError> {
        let Some(link) = self.store.take_sign_in_link(&hash(token), self.clock.now()).await? else { return Ok(None) };
        let Ok(role) = link.role.parse::<Role>() else { return Ok(None) };
        self.open_session(link.name, role.into(), None).await.map(Some)
    }

    /// The session of a cookie, unless it is over or its key was revoked.
    pub async fn find_session(&self, cookie: &str) -> Result<Option<Session>, StoreError> {
        let found = self.store.session(&hash(cookie), self.clock.now()).await?;
        let session = found.and_then(|SignIn { name, role, scopes, expires_at }| {
            // A role of a newer version grants nothing here, and neither does a scope.
            let granted = scopes.iter().filter_map(|scope| scope.parse().ok()).collect();
            let access = Access { role: role.parse().ok()?, granted };
            Some(Session { name, access, expires_at, csrf: csrf_of(cookie) })
        });
        Ok(session)
    }

    pub async fn sign_out(&self, cookie: &str) -> Result<(), StoreError> {
        self.store.delete_session(&hash(cookie)).await
    }

    async fn open_session(
        &self,
        name: String,
        access: Access,
        key: Option<KeyId>,
    ) -> Result<(Secret, Session), StoreError> {
        let cookie = ids::secret_text();
        let now = self.clock.now();
        let length = jiff::SignedDuration::from_hours(self.config.console.session_hours.into());
        let expires_at = now.saturating_add(length).unwrap_or(Timestamp::MAX);
        let scopes = access.granted.iter().map(ToString::to_string).collect();
        let stored = SignIn { name: name.clone(), role: access.role.as_str().to_owned(), scopes, expires_at };
        self.store.insert_session(&hash(&cookie), stored, key, now).await?;
        let session = Session { name, access, expires_at, csrf: csrf_of(&cookie) };
        Ok((Secret::new(cookie), session))
    }
}

/// Makes a link's token. Its text is only ever known here.
pub async fn create_sign_in_link(
    store: &Store,
    clock: WallClock,
    name: &str,
    role: Role,
) -> Result<Secret, StoreError> {
    let token = ids::secret_text();
    let expires_at =
        clock.now().saturating_add(jiff::SignedDuration::from_mins(LINK_MINUTES)).unwrap_or(Timestamp::MAX);
    let link = SignIn { name: name.to_owned(), role: role.as_str().to_owned(), scopes: Vec::new(), expires_at };
    store.insert_sign_in_link(&hash(&token), link).await?;
    Ok(Secret::new(token))
}

fn csrf_of(cookie: &str) -> String {
    hash(&format!("clearline-csrf-1\n{cookie}"))
}
