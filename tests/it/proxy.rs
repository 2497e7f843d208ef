//! What stands in front of the server in the world: a proxy that keeps its address while the server is replaced behind it, and
//! lets connections wait meanwhile.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub(super) struct Proxy {
    /// `http://127.0.0.1:4567`
    pub base: String,
    backend: watch::Sender<Option<SocketAddr>>,
    _shutdown: DropGuard,
}

impl Proxy {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (backend, address) = watch::channel(None);
        let (shutdown, tracker) = (CancellationToken::new(), TaskTracker::new());
        let (stop, tasks) = (shutdown.clone(), tracker.clone());
        tracker.spawn(stop.clone().run_until_cancelled_owned(async move {
            while let Ok((client, _)) = listener.accept().await {
                tasks.spawn(stop.clone().run_until_cancelled_owned(carry(client, address.clone())));
            }
        }));
        Self { base, backend, _shutdown: shutdown.drop_guard() }
    }

    /// Connections go to this server from now on; with none, new ones wait.
    pub(super) fn lead_to(&self, server: Option<&str>) {
        let address = server.map(|base| base.trim_start_matches("http://").parse().unwrap());
        self.backend.send_replace(address);
    }
}

async fn carry(mut client: TcpStream, mut address: watch::Receiver<Option<SocketAddr>>) {
    let mut server = loop {
        let Ok(found) = address.wait_for(Option::is_some).await.map(|found| *found) else { return };
        let Some(found) = found else { continue };
        match TcpStream::connect(found).await {
            Ok(server) => break server,
            Err(_) if address.changed().await.is_err() => return,
            Err(_) => {}
        }
    };
    // Either side may go away at any time: then both are closed.
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}
