//! Call control for AI agents: the Model Context Protocol over Streamable HTTP at `/mcp`, both for clients of the revision
//! 2026-07-28 and for those that open with a handshake.
//!
//! rmcp speaks the protocol. Ours are the tools (one a file in `tools/`), what they may be asked by whom, the check of every
//! argument, and the answers that help a model to go on.

mod args;
mod audit;
mod catalog;
mod completions;
mod confirm;
mod door;
mod failure;
mod follow;
mod output;
mod principal;
mod prompts;
mod resources;
mod server;
mod tasks;
mod tool;
mod tools;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use url::Url;

use crate::app::App;
use crate::issuer::Issuer;

use catalog::Catalog;
use confirm::Confirmations;
use door::{Door, SessionOwners};
use principal::RecentKeys;
use server::McpServer;

/// Bytes of a request. The largest arguments are an agent's prompt.
const BODY_LIMIT: usize = 256 * 1024;

/// How long a session may be silent at the least.
const SESSION_KEEP_ALIVE: Duration = Duration::from_hours(2);

/// How much longer than the longest call.
const AFTER_A_CALL: Duration = Duration::from_mins(30);

/// How many notifications and answers of a session may wait for a client that does not read.
const SESSION_CHANNEL: usize = 16;

/// What all requests share.
pub(super) struct Shared {
    app: Arc<App>,
    catalog: Catalog,
    recent: RecentKeys,
    owners: SessionOwners,
    issuer: Option<Issuer>,
    /// What tokens must name as their audience: this resource.
    audience: String,
    confirmations: Confirmations,
}

/// `/mcp` and the documents about it.
pub(super) fn router(app: &Arc<App>) -> Router<Arc<App>> {
    let shared = Arc::new(Shared::new(Arc::clone(app)));
    let server = Arc::clone(&shared);
    with_handler(&shared, move || McpServer::new(Arc::clone(&server)))
}

/// The same way in with another handler behind it.
pub(super) fn router_with<H: ServerHandler>(
    app: &Arc<App>,
    handler: impl Fn() -> H + Send + Sync + 'static,
) -> Router<Arc<App>> {
    with_handler(&Arc::new(Shared::new(Arc::clone(app))), handler)
}

fn with_handler<H: ServerHandler>(
    shared: &Arc<Shared>,
    handler: impl Fn() -> H + Send + Sync + 'static,
) -> Router<Arc<App>> {
    let sessions = Arc::new(sessions(shared.app.config.calls.max_duration()));
    let service = StreamableHttpService::new(move || Ok(handler()), Arc::clone(&sessions), config(&shared.app));
    let door = Door { shared: Arc::clone(shared), sessions };
    let documents = Router::new()
        .route("/.well-known/oauth-protected-resource", get(door::resource_metadata))
        .route("/.well-known/oauth-protected-resource/mcp", get(door::resource_metadata))
        .with_state(Arc::clone(shared));
    Router::new()
        .route_service("/mcp", service)
        .layer(axum::middleware::from_fn_with_state(door, door::admit))
        .merge(documents)
}

/// rmcp's own sessions end after five minutes of silence, in the middle of a call.
fn sessions(longest_call: Duration) -> LocalSessionManager {
    let mut sessions = LocalSessionManager::default();
    sessions.session_config.keep_alive = Some(keep_alive(longest_call));
    sessions.session_config.channel_capacity = SESSION_CHANNEL;
    sessions
}

/// A client that waits for the end of a call says nothing meanwhile, and must find its session again.
fn keep_alive(longest_call: Duration) -> Duration {
    SESSION_KEEP_ALIVE.max(longest_call.saturating_add(AFTER_A_CALL))
}

fn config(app: &App) -> StreamableHttpServerConfig {
    let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).to_vec();
    hosts.push(app.config.server.listen.to_string());
    let mut origins = app.config.mcp.allowed_origins.clone();
    if let Ok(public) = Url::parse(app.urls.base()) {
        hosts.extend(public.host_str().map(str::to_owned));
        // With its port, also the one that goes without saying: an entry without a port would stand for all of them.
        if let (Some(host), Some(port)) = (public.host_str(), public.port_or_known_default()) {
            origins.push(format!("{}://{host}:{port}", public.scheme()));
        }
    }
    StreamableHttpServerConfig::default()
        .with_json_response(true)
        .with_allowed_hosts(hosts)
        .with_allowed_origins(origins)
        .enforce_origin_validation()
        .with_max_request_body_bytes(BODY_LIMIT)
        .with_cancellation_token(app.shutdown.child_token())
}

impl Shared {
    fn new(app: Arc<App>) -> Self {
        let oauth = &app.config.mcp.oauth;
        let audience = match oauth.audience.as_str() {
            "" => format!("{}/mcp", app.urls.base()),
            own => own.to_owned(),
        };
        let issuer = (!oauth.issuer.is_empty()).then(|| Issuer::new(&oauth.issuer, &audience, &oauth.jwks_url));
        // The one thing that can fail here is the TLS set-up, which every other client of the server needed before this.
        let issuer = issuer.map(|made| made.expect("an HTTP client can be made"));
        Self {
            catalog: Catalog::new(),
            recent: RecentKeys::default(),
            owners: SessionOwners::default(),
            issuer,
            audience,
            confirmations: Confirmations::new(),
            app,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_outlives_the_longest_call() {
        for longest in [Duration::ZERO, Duration::from_hours(1), Duration::from_hours(5)] {
            let kept = sessions(longest).session_config.keep_alive.unwrap();
            assert!(kept >= longest + AFTER_A_CALL && kept >= SESSION_KEEP_ALIVE);
        }
    }
}
