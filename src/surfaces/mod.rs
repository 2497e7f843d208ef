//! The doors: webhooks, REST, health, command line, later MCP and the console.

pub mod api;
mod auth;
pub mod cli;
pub mod evidence;
mod health;
mod live_audio;
mod problem;
mod upgrade;
mod webhooks;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use http::HeaderMap;

use crate::app::App;

/// Whether a request comes from this machine itself: not through a proxy on it, whose clients may be anywhere.
fn is_local(peer: IpAddr, headers: &HeaderMap) -> bool {
    let forwarded = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"];
    peer.to_canonical().is_loopback() && !forwarded.iter().any(|name| headers.contains_key(*name))
}

/// Everything that the server answers.
pub fn router(app: Arc<App>) -> Router {
    Router::new().merge(health::router()).merge(api::router()).merge(webhooks::router(&app)).with_state(app)
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
