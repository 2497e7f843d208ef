//! The way in to `/mcp` as it is in the product, with a handler behind it that has what the protocol's conformance suite asks for.
//!
//! The suite cannot send a key, so a second listener adds one: it passes everything on, `Host` and `Origin` as they came. Prints that
//! listener's address and serves until standard input ends.

mod asks;
mod fixtures;
mod proxy;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::serve::ListenerExt as _;
use clearline::app::{WallClock, create_key};
use clearline::boot::Server;
use clearline::config::{Effective, Layer};
use clearline::domain::access::Role;
use clearline::surfaces::mcp_with_handler;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use fixtures::Fixtures;

const SETTINGS: &str = "[store]\nurl = \"sqlite::memory:\"\n[server]\nlisten = \"127.0.0.1:0\"\n";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let outer = TcpListener::bind("127.0.0.1:0").await?;
    let public_url = format!("http://{}", outer.local_addr()?);
    let settings = format!("{SETTINGS}public_url = \"{public_url}\"");
    let config = Effective::from_layers(vec![Layer::from_file("settings", &settings)?])?.config;
    let server = Server::start(config, WallClock::real()).await?;
    let app = Arc::clone(&server.app);
    let (_, key) = create_key(&app.store, app.clock, "conformance", Role::Admin).await?;

    let inner = TcpListener::bind("127.0.0.1:0").await?;
    let address = inner.local_addr()?;
    let fixtures = Arc::new(Fixtures::new()?);
    let router = mcp_with_handler(&app, move || Arc::clone(&fixtures)).with_state(Arc::clone(&app));
    serve(&app, inner, router);
    #[expect(clippy::print_stdout, reason = "whoever started this waits for the line")]
    {
        println!("listening on {public_url}");
    }
    serve(&app, outer, proxy::router(address, &key));
    let mut end = Vec::new();
    tokio::io::stdin().read_to_end(&mut end).await.context("standard input")?;
    drop(app);
    server.stop().await;
    Ok(())
}

fn serve(app: &clearline::app::App, listener: TcpListener, router: Router) {
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let stop = app.shutdown.clone();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    app.tracker
        .spawn(async move { axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await });
}
