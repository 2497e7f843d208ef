//! The yardstick: a TCP proxy that moves bytes and knows nothing of them. One thread, one small buffer a direction, one read and
//! one write a frame: what any relay in front of the same sockets must at least do.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use crate::surfaces::cli::out::line;

/// Holds a frame of either side twice over.
const BUFFER: usize = 1024;

/// Serves until it is killed.
pub(super) async fn run(to: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen on loopback")?;
    line(format!("listening on http://{}", listener.local_addr()?));
    let tasks = TaskTracker::new();
    loop {
        let (mut from, _) = listener.accept().await?;
        from.set_nodelay(true)?;
        tasks.spawn(async move {
            let Ok(mut onward) = TcpStream::connect(to).await else { return };
            // A socket that cannot be set up or breaks is seen at its ends.
            let _ = onward.set_nodelay(true);
            let _ = copy_bidirectional_with_sizes(&mut from, &mut onward, BUFFER, BUFFER).await;
        });
    }
}
