//! API keys at the door: `Authorization: Bearer clk_…`, looked up by their SHA-256.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::header;
use http::request::Parts;

use crate::app::App;
use crate::domain::Purpose;
use crate::domain::access::{Access, ClaimedPurpose, Scope};
use crate::domain::event::{Actor, Door};

use super::problem::Problem;

/// Who sent a request, by the key that came with it.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub name: String,
    pub access: Access,
}

impl Caller {
    /// An answer where the caller lacks this scope.
    pub(super) fn must(&self, scope: Scope) -> Result<(), Problem> {
        if self.access.may(scope) { Ok(()) } else { Err(Problem::forbidden(&scope.to_string())) }
    }

    pub(super) fn may(&self, scope: Scope) -> bool {
        self.access.may(scope)
    }

    /// A purpose for a call, if this caller may claim it.
    pub(super) fn claim(&self, purpose: Purpose) -> Result<ClaimedPurpose, Problem> {
        self.access.claim(purpose).map_err(|missing| Problem::forbidden(&missing.0.to_string()))
    }

    pub(super) fn actor(&self, door: Door) -> Actor {
        Actor::new(door, self.name.clone())
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let text = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, text)| text.trim())
            .ok_or_else(Problem::unauthorized)?;
        match app.find_key(text).await {
            Ok(Some(key)) => Ok(Self { name: key.name, access: key.access }),
            Ok(None) => Err(Problem::unauthorized()),
            Err(error) => Err(Problem::internal(&error)),
        }
    }
}
