//! Webhooks of the agent vendors: what they say of a conversation after it, signed with a secret of its own.
//!
//! A recording has tens of megabytes and is signed as a whole, and it takes no secret to send as much. So the header is looked at
//! before the body, the signature is computed while the body comes, and of that only as much is kept as an event without audio has.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http_body_util::BodyExt as _;
use tokio::sync::Semaphore;

use crate::app::App;
use crate::protocol::agent::elevenlabs_webhook::{self as webhook, Verifier};

/// What is kept of a body, in bytes. An hour's transcript with its analysis has some hundred kilobytes.
const KEPT: usize = 4 * 1024 * 1024;

/// The longest body, in bytes: the whole audio of a conversation in base64.
const LONGEST: usize = 64 * 1024 * 1024;

/// How long a body may take to come, its wait for a place included.
const READING: Duration = Duration::from_secs(30);

/// How many bodies are read at once. With what is kept of each, the most memory that strangers can make us use here.
const PLACES: usize = 32;

/// One permit a body that is being read.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(PLACES)))
    }
}

pub(super) async fn elevenlabs(
    State(app): State<Arc<App>>,
    Extension(Places(places)): Extension<Places>,
    request: Request,
) -> Response {
    let secret = &app.config.agents.elevenlabs.webhook_secret;
    if secret.expose().is_empty() {
        let text = "set agents.elevenlabs.webhook_secret to the secret that ElevenLabs showed for this webhook\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    }
    let headers = request.headers();
    let signature = headers.get(webhook::SIGNATURE_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut verifier = match Verifier::new(secret, signature, app.clock.now()) {
        Ok(verifier) => verifier,
        Err(error) => return refuse(&error),
    };
    let reading = async {
        // Never closed, so a place always comes; the limit of time is around it all.
        let _place = places.acquire().await;
        read(request.into_body(), &mut verifier).await
    };
    let (kept, length) = match tokio::time::timeout(READING, reading).await {
        Ok(Ok(read)) => read,
        Ok(Err(status)) => return status.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    if let Err(error) = verifier.finish() {
        return refuse(&error);
    }
    if length > kept.len() {
        // The recording stays with the vendor, where `GET /v1/convai/conversations/{id}/audio` gives it.
        tracing::info!(
            bytes = length,
            "a post-call event too large for a transcript came, a recording: it is not kept"
        );
        return StatusCode::OK.into_response();
    }
    match webhook::parse(&kept) {
        Ok(event) => match app.store_post_call(event, &kept).await {
            Ok(()) => StatusCode::OK.into_response(),
            Err(error) => {
                tracing::error!(%error, "a post-call webhook could not be stored");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        },
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

fn refuse(error: &webhook::SignatureError) -> Response {
    tracing::warn!(%error, "an ElevenLabs webhook was refused");
    (StatusCode::UNAUTHORIZED, format!("{error}\n")).into_response()
}

/// Reads a body to its end. Gives what is kept of it and its length; the two differ for a body that is too large to keep.
async fn read(mut body: Body, verifier: &mut Verifier) -> Result<(Vec<u8>, usize), StatusCode> {
    let (mut kept, mut length) = (Vec::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let Ok(part) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
        length = length.saturating_add(part.len());
        if length > LONGEST {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        verifier.update(&part);
        if length <= KEPT {
            kept.extend_from_slice(&part);
        }
    }
    Ok((kept, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Secret;

    #[tokio::test]
    async fn a_body_is_verified_whole_and_kept_up_to_the_size_of_a_transcript() {
        let header = format!("t=0,v0={}", "00".repeat(32));
        let verifier = || Verifier::new(&Secret::new("s"), &header, jiff::Timestamp::UNIX_EPOCH).unwrap();
        for (size, kept) in [(0, 0), (KEPT, KEPT), (KEPT + 1, 0), (LONGEST, 0)] {
            let (got, length) = read(Body::from(vec![b'x'; size]), &mut verifier()).await.unwrap();
            assert_eq!((got.len(), length), (kept, size));
        }
        let too_long = read(Body::from(vec![b'x'; LONGEST + 1]), &mut verifier()).await;
        assert_eq!(too_long, Err(StatusCode::PAYLOAD_TOO_LARGE));
    }
}
