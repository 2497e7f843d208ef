//! The doors: webhooks, REST, health, command line, MCP, the console.

pub mod api;
mod audit;
mod auth;
pub mod cli;
mod console;
pub mod evidence;
mod health;
mod live_audio;
mod mcp;
mod problem;
mod upgrade;
mod webhooks;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use http::HeaderMap;

use crate::app::App;

pub use console::PHONE_NUMBER;

/// Whether a request comes from this machine itself: not through a proxy on it, whose clients may be anywhere.
fn is_local(peer: IpAddr, headers: &HeaderMap) -> bool {
    let forwarded = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"];
    peer.to_canonical().is_loopback() && !forwarded.iter().any(|name| headers.contains_key(*name))
}

/// Everything that the server answers.
pub fn router(app: Arc<App>) -> Router {
    let audited = api::router()
        .merge(console::router(&app))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), audit::record));
    Router::new()
        .merge(health::router())
        .merge(audited)
        .merge(mcp::router(&app))
        .merge(webhooks::router(&app))
        .with_state(app)
}

/// The way in to `/mcp` with another handler behind it: for the protocol's conformance suite, which asks for tools of its own
/// (`examples/mcp_conformance`).
pub fn mcp_with_handler<H: rmcp::ServerHandler>(
    app: &Arc<App>,
    handler: impl Fn() -> H + Send + Sync + 'static,
) -> Router<Arc<App>> {
    mcp::router_with(app, handler)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxys_clients_are_not_local() {
        let (here, away) = ("127.0.0.1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        let mapped = "::ffff:127.0.0.1".parse().unwrap();
        let direct = HeaderMap::new();
        assert!(is_local(here, &direct) && is_local(mapped, &direct) && !is_local(away, &direct));
        let proxied = HeaderMap::from_iter([(http::header::FORWARDED, "for=192.0.2.1".parse().unwrap())]);
        assert!(!is_local(here, &proxied));
    }
}
