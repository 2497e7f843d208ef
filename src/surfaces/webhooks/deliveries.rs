//! A delivery that was done with is not looked at again: Twilio repeats a request whose answer it did not get, under the same token.
//!
//! The token is not signed, so it only counts together with what it came with. It is kept after the work alone: a delivery that
//! failed half way, or that a crash cut off, is worked on when it comes again.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};

use crate::app::{App, fingerprint};

use super::signed::SignedForm;

/// The same for every repetition of a request (Twilio's "Webhooks" pages on connection overrides and retries).
const TOKEN_HEADER: &str = "i-twilio-idempotency-token";

/// What tells a delivery from every other; none where the carrier sent no token.
pub(super) fn delivery(headers: &HeaderMap, path: &str, form: &[u8]) -> Option<String> {
    let token = headers.get(TOKEN_HEADER)?;
    Some(fingerprint(&[token.as_bytes(), path.as_bytes(), form]))
}

/// Answers a repeated delivery with the success of the first one, without working on it again.
pub(super) async fn once(
    State(app): State<Arc<App>>,
    Extension(SignedForm(form)): Extension<SignedForm>,
    request: Request,
    next: Next,
) -> Response {
    let Some(delivery) = delivery(request.headers(), request.uri().path(), &form) else {
        return next.run(request).await;
    };
    match app.store.is_done_with(&delivery).await {
        Ok(true) => {
            tracing::debug!(path = request.uri().path(), "a callback came again that was done with");
            return StatusCode::NO_CONTENT.into_response();
        }
        Ok(false) => {}
        // Looked at twice is better than not at all: what callbacks say is idempotent too.
        Err(error) => tracing::error!(%error, "a callback's token could not be looked up"),
    }
    let response = next.run(request).await;
    if response.status().is_success()
        && let Err(error) = app.store.record_done_with(&delivery, app.clock.now()).await
    {
        tracing::error!(%error, "a callback's token could not be kept");
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_counts_only_with_what_it_came_with() {
        let headers = HeaderMap::from_iter([(TOKEN_HEADER.parse().unwrap(), "t-1".parse().unwrap())]);
        let first = delivery(&headers, "/a", b"x=1");
        assert!(first.is_some());
        assert_eq!(first, delivery(&headers, "/a", b"x=1"));
        assert_ne!(first, delivery(&headers, "/a", b"x=2"));
        assert_ne!(first, delivery(&headers, "/ax=", b"1"));
        assert_eq!(delivery(&HeaderMap::new(), "/a", b"x=1"), None);
    }
}
