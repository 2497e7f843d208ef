//! `GET /media`: Twilio opens a media stream. The upgrade is signed; the stream itself must then bring its token.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::app::App;
use crate::protocol::twilio::signature::{SIGNATURE_HEADER, SignedContent};
use crate::surfaces::is_local;
use crate::surfaces::upgrade::Upgrade;

use super::signed;

/// The largest message that a carrier may send, in bytes. Its usual frame has about 300.
const MESSAGE_LIMIT: usize = 64 * 1024;

pub(super) async fn media(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let unsigned = !request.headers().contains_key(SIGNATURE_HEADER);
    let excused = unsigned
        && app.config.media.unsigned_loopback
        && app.config.server.listen.ip().is_loopback()
        && is_local(peer.ip(), request.headers());
    if !excused {
        let target = request.uri().path_and_query().map_or("/media", |target| target.as_str()).to_owned();
        let content = SignedContent::Upgrade;
        if let Err(error) = signed::check(&app, request.headers(), Some(peer.ip()), &target, content) {
            return signed::refuse(&app, "media", &error);
        }
    }
    let Some(place) = app.media_place() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many media sockets (server.max_media_sockets)\n")
            .into_response();
    };
    let (upgrade, response) = match Upgrade::accept(request, socket_config()) {
        Ok(accepted) => accepted,
        Err(refusal) => return refusal,
    };
    let tracker = app.tracker.clone();
    let thread = app.media_threads.place();
    let runtime = thread.runtime.clone();
    let stream = async move {
        let _until_the_end = (place, thread);
        // The stream takes the socket before anything is waited for, so that this future keeps no room for it.
        let running = match upgrade.socket().await {
            Ok(socket) => app.run_media_stream(socket),
            Err(error) => return tracing::debug!(%error, "a media socket broke in its handshake"),
        };
        running.await;
    };
    tracker.spawn_on(stream, &runtime);
    response
}

/// No more trust than a carrier needs.
fn socket_config() -> WebSocketConfig {
    WebSocketConfig::default().max_message_size(Some(MESSAGE_LIMIT)).max_frame_size(Some(MESSAGE_LIMIT))
}
