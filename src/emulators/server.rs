//! How an emulator is served: bound, run on the tracker, ended by the token.

use std::net::SocketAddr;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::log::EventLog;

/// An emulator that takes requests.
#[derive(Debug, Clone)]
pub struct Running {
    /// Where it listens. With port 0 in the configuration, the port that was free.
    pub addr: SocketAddr,
    log: EventLog,
}

impl Running {
    /// What happened so far and happens from now on.
    pub fn log(&self) -> &EventLog {
        &self.log
    }

    /// What a client puts where the vendor's address goes: `http://127.0.0.1:4567`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

/// Why an emulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    #[error("cannot listen on {addr}: {source}. Is the port taken? Port 0 picks a free one.")]
    Listen { addr: SocketAddr, source: std::io::Error },
    #[error("cannot make the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    #[error("{0}")]
    PhoneScript(#[from] super::twilio::PhoneScriptError),
    #[error("{0}")]
    AgentScript(#[from] super::elevenlabs::ScriptError),
}

pub(super) async fn bind(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), EmulatorError> {
    let failed = |source| EmulatorError::Listen { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

pub(super) fn serve(
    listener: TcpListener,
    app: Router,
    running: (SocketAddr, EventLog),
    tracker: &TaskTracker,
    shutdown: CancellationToken,
) -> Running {
    // Small messages, many of them: without TCP_NODELAY each would wait for the peer's acknowledgement.
    let listener = listener.tap_io(|socket| {
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused");
        }
    });
    tracker.spawn(async move {
        if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(shutdown.cancelled_owned()).await {
            tracing::error!(%error, "an emulator stopped serving");
        }
    });
    Running { addr: running.0, log: running.1 }
}

/// The HTTP client of everything an emulator sends. Each request has a connection of its own: on one that was kept, a request can
/// meet a server that has just gone, and be lost without having been anybody's.
pub(super) fn http_client(user_agent: &str) -> Result<reqwest::Client, reqwest::Error> {
    // TLS needs a provider for the process; that another part set the same one already is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(std::time::Duration::from_secs(5))
        .user_agent(user_agent)
        .no_proxy()
        .pool_max_idle_per_host(0)
        .build()
}
