//! Who asks: an API key (`Authorization: Bearer clk_…`), or a browser that is signed in to the console (its cookie).
//!
//! A cookie comes along with whatever any page makes the browser send. So a request that changes something must also carry the
//! session's CSRF token, which only our own pages can read, and a WebSocket, for which a page cannot set headers, must come from
//! our own origin.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, Method, header};
use subtle::ConstantTimeEq as _;

use crate::app::{App, Session};
use crate::domain::access::{Access, ClaimedPurpose, Scope};
use crate::domain::event::{Actor, Door};
use crate::domain::{Purpose, Secret};

use super::api::views::Numbers;
use super::problem::Problem;

/// The console's cookie.
pub(super) const COOKIE: &str = "clearline_session";

/// Set by the console's pages to `full` while the numbers that their user may read are not to be masked.
pub(super) const NUMBERS_COOKIE: &str = "clearline_numbers";

/// Carries the session's CSRF token.
const CSRF_HEADER: &str = "x-csrf-token";

/// How often it is looked whether those behind open streams and sockets may still have them.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Who sent a request.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub name: String,
    pub access: Access,
    /// Signed in to the console, not with a key of its own.
    at_console: bool,
    /// Whether numbers are shown in full: to programs that may read them, and to people who may and asked for it.
    shows_numbers: bool,
    credential: Credential,
}

/// What was shown at the door.
#[derive(Debug, Clone)]
enum Credential {
    Key(Secret),
    Cookie(Secret),
}

impl Caller {
    /// An answer where the caller lacks this scope.
    pub(super) fn must(&self, scope: Scope) -> Result<(), Problem> {
        if self.access.may(scope) { Ok(()) } else { Err(Problem::forbidden(&scope.to_string())) }
    }

    pub(super) fn may(&self, scope: Scope) -> bool {
        self.access.may(scope)
    }

    /// How numbers are shown to the caller.
    pub(super) fn numbers(&self) -> Numbers {
        if self.shows_numbers { Numbers::Full } else { Numbers::Masked }
    }

    /// A purpose for a call, if this caller may claim it.
    pub(super) fn claim(&self, purpose: Purpose) -> Result<ClaimedPurpose, Problem> {
        self.access.claim(purpose).map_err(|missing| Problem::forbidden(&missing.0.to_string()))
    }

    /// The caller as the books name it. Whoever is signed in to the console came through that door, whatever the route.
    pub(super) fn actor(&self, door: Door) -> Actor {
        Actor::new(if self.at_console { Door::Console } else { door }, self.name.clone())
    }

    pub(super) fn of_session(session: &Session, cookie: &str) -> Self {
        let credential = Credential::Cookie(Secret::new(cookie));
        let (name, access) = (session.name.clone(), session.access.clone());
        Self { name, access, at_console: true, shows_numbers: false, credential }
    }

    /// Returns when the key was revoked, or the session is over: whatever is open for them must end.
    pub(super) async fn loses_access(&self, app: &App) {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            let is_valid = match &self.credential {
                Credential::Key(text) => app.find_key(text.expose()).await.map(|key| key.is_some()),
                Credential::Cookie(text) => app.find_session(text.expose()).await.map(|session| session.is_some()),
            };
            match is_valid {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(%error, "whether a credential is still good could not be looked up"),
            }
        }
    }
}

/// The credential of `Authorization: Bearer …`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, text) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(text.trim())
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(caller.clone());
        }
        if let Some(text) = bearer(&parts.headers) {
            return match app.find_key(text).await {
                Ok(Some(key)) => {
                    let credential = Credential::Key(Secret::new(text));
                    let shows_numbers = key.access.may(Scope::NumbersRead);
                    Ok(Self { name: key.name, access: key.access, at_console: false, shows_numbers, credential })
                }
                Ok(None) => Err(Problem::unauthorized()),
                Err(error) => Err(Problem::internal(&error)),
            };
        }
        if parts.headers.contains_key(header::AUTHORIZATION) {
            return Err(Problem::unauthorized());
        }
        let text = cookie(&parts.headers, COOKIE).ok_or_else(Problem::unauthorized)?;
        let found = app.find_session(text).await.map_err(|error| Problem::internal(&error))?;
        let session = found.ok_or_else(Problem::unauthorized)?;
        if is_forged(app, parts, &session) {
            return Err(Problem::forged());
        }
        let caller = Self::of_session(&session, text);
        let shows_numbers = caller.may(Scope::NumbersRead) && cookie(&parts.headers, NUMBERS_COOKIE) == Some("full");
        Ok(Self { shows_numbers, ..caller })
    }
}

/// The text of a cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|(_, text)| text)
}

/// Whether the request asks for something to happen, rather than to be shown something.
pub(super) fn is_action(method: &Method, headers: &HeaderMap) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) || headers.contains_key(header::UPGRADE)
}

/// Whether some other origin's page may have made the browser send this.
fn is_forged(app: &App, parts: &Parts, session: &Session) -> bool {
    if !is_action(&parts.method, &parts.headers) {
        return false;
    }
    if parts.headers.contains_key(header::UPGRADE) {
        return !is_own_origin(app, &parts.headers);
    }
    let sent = parts.headers.get(CSRF_HEADER).map(http::HeaderValue::as_bytes).unwrap_or_default();
    !bool::from(sent.ct_eq(session.csrf.as_bytes()))
}

/// Whether the page that sent this is ours: its origin has the host that was asked for, or is the public URL's.
pub(super) fn is_own_origin(app: &App, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else { return false };
    let asked = origin.split_once("://").map(|(_, host)| host);
    asked.is_some() && (asked == text(header::HOST) || app.urls.base() == origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), http::HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let several = headers(&[(header::COOKIE, "a=1; clearline_session=abc; xclearline_session=d")]);
        assert_eq!(cookie(&several, COOKIE), Some("abc"));
        assert_eq!(cookie(&headers(&[(header::COOKIE, "clearline_sessions=abc")]), COOKIE), None);
    }

    #[test]
    fn an_upgrade_is_an_action_and_a_look_is_none() {
        let upgrade = headers(&[(header::UPGRADE, "websocket")]);
        assert!(is_action(&Method::GET, &upgrade) && is_action(&Method::POST, &HeaderMap::new()));
        assert!(!is_action(&Method::GET, &HeaderMap::new()));
    }
}
