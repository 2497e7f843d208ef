//! Runs the server: listen, answer, drain, stop.
//!
//! On SIGTERM or Ctrl-C the server drains: `/ready` turns false, new calls hear the apology, running ones finish up to a limit
//! and are then hung up. Only then does it stop listening, so that the carrier's last callbacks still arrive.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::serve::{ListenerExt as _, TapIo};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::DropGuard;

use crate::app::{App, EnvironmentKey, WallClock, create_sign_in_link};
use crate::config::Config;
use crate::domain::access::Role;
use crate::domain::event::{Actor, Door};
use crate::domain::{Disposition, Secret};
use crate::surfaces::cli::out::notice;

use super::world;

/// How often a draining server looks whether its calls have ended.
const DRAIN_LOOK: Duration = Duration::from_millis(100);

/// How long calls that were hung up at the drain limit may take to end in our books.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How long tasks may take to stop after everything was told to.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// A server that runs in this process.
#[derive(Debug)]
pub struct Server {
    pub app: Arc<App>,
    pub address: SocketAddr,
    /// However the server ends, its streams do not outlive it.
    audio: DropGuard,
}

impl Server {
    /// Binds, opens the store, takes up the calls that were open, and starts to answer.
    pub async fn start(config: Config, clock: WallClock) -> anyhow::Result<Self> {
        Self::start_with_key(config, clock, None).await
    }

    /// The same, and takes the key of its environment for an administrator's.
    async fn start_with_key(config: Config, clock: WallClock, key: Option<EnvironmentKey>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(config.server.listen)
            .await
            .with_context(|| format!("cannot listen on {} (server.listen)", config.server.listen))?;
        Self::start_in(listener, config, clock, key).await
    }

    /// The same on a listener that is bound already.
    pub async fn start_on(listener: TcpListener, config: Config, clock: WallClock) -> anyhow::Result<Self> {
        Self::start_in(listener, config, clock, None).await
    }

    async fn start_in(
        listener: TcpListener,
        mut config: Config,
        clock: WallClock,
        environment_key: Option<EnvironmentKey>,
    ) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        config.server.listen = address;
        let app = world::build(config, clock, environment_key).await?;
        let open = app.recover().await.context("the open calls could not be read")?;
        if open > 0 {
            tracing::info!(calls = open, "calls were open when the server last stopped");
        }
        app.tracker.spawn(Arc::clone(&app).listen_for_opt_outs());
        app.tracker.spawn(Arc::clone(&app).tell_followers());
        app.tracker.spawn(Arc::clone(&app).watch_agents());
        app.tracker.spawn(Arc::clone(&app).prune_daily());
        app.tracker.spawn(Arc::clone(&app).watch_calls());
        app.tracker.spawn(Arc::clone(&app).keep_up_with_tools());
        app.tracker.spawn(Arc::clone(&app).ask_vendor_about_the_last_day());
        let router = crate::surfaces::router(Arc::clone(&app)).into_make_service_with_connect_info::<SocketAddr>();
        let stop = app.shutdown.clone();
        let listener = without_delay(listener);
        app.tracker.spawn(async move {
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await {
                tracing::error!(%error, "the listener broke");
            }
        });
        let audio = app.media_threads.stopper().drop_guard();
        Ok(Self { app, address, audio })
    }

    /// No new calls; waits for the running ones up to `limit`, then hangs them up.
    pub async fn drain(&self, limit: Duration) {
        self.app.drain.cancel();
        tracing::info!("draining: no new calls, running ones may finish");
        if tokio::time::timeout(limit, self.no_calls()).await.is_ok() {
            return;
        }
        let left = self.app.live.all();
        tracing::warn!(calls = left.len(), "the drain limit has passed: hanging up");
        for call in &left {
            self.app.hang_up(call, Actor::new(Door::System, "shutdown"), Disposition::Failed).await;
        }
        if tokio::time::timeout(LAST_WORDS, self.no_calls()).await.is_err() {
            tracing::warn!(calls = self.app.live.len(), "calls are still open; the next start takes them up");
        }
    }

    /// Stops everything and waits for it.
    pub async fn stop(self) {
        let Self { app, audio, .. } = self;
        app.shutdown.cancel();
        let tracker = app.tracker.clone();
        tracker.close();
        // The journal's writer ends when the last handle to it goes.
        drop(app);
        if tokio::time::timeout(STOP_LIMIT, tracker.wait()).await.is_err() {
            tracing::warn!(tasks = tracker.len(), "some tasks did not stop in time");
        }
        drop(audio);
    }

    async fn no_calls(&self) {
        while !self.app.live.is_empty() {
            tokio::time::sleep(DRAIN_LOOK).await;
        }
    }
}

/// Small answers go out at once: with Nagle's algorithm each event of a stream would wait some 40 ms for the peer's acknowledgement.
fn without_delay(listener: TcpListener) -> TapIo<TcpListener, fn(&mut TcpStream)> {
    listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
    })
}

pub(super) async fn run(config: Config, api_key: Option<&Secret>) -> anyhow::Result<ExitCode> {
    let key = api_key.map(EnvironmentKey::new).transpose()?;
    let limit = Duration::from_secs(config.server.drain_limit_s);
    let local = config.server.public_url.is_empty();
    let server = Server::start_with_key(config, WallClock::real(), key).await?;
    notice(format!("listening on http://{}", server.address));
    let app = &server.app;
    let token = create_sign_in_link(&app.store, app.clock, "printed link", Role::Operator).await?;
    notice(format!("console: {}", app.urls.sign_in(&token)));
    notice("  (this link signs one browser in as operator, once, within 15 minutes)");
    if local {
        tracing::warn!("server.public_url is not set: only a carrier on this machine can reach this server");
    }
    wait_for_signal().await?;
    tokio::select! {
        () = server.drain(limit) => {}
        // A second signal means: now.
        result = wait_for_signal() => {
            result?;
            server.drain(Duration::ZERO).await;
        }
    }
    server.stop().await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn wait_for_signal() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        result = tokio::signal::ctrl_c() => result?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::serve::Listener as _;

    use super::*;

    #[tokio::test]
    async fn accepted_sockets_do_not_wait_for_acknowledgements() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut listener = without_delay(listener);
        let (accepted, dialled) = tokio::join!(listener.accept(), TcpStream::connect(address));
        assert!(accepted.0.nodelay().unwrap());
        drop(dialled);
    }
}
