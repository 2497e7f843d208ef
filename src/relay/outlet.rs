//! The writing half of a socket: batches with one flush each, and the stall clock.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::Socket;
use crate::protocol::agent::Frame;

/// Without progress for so long, the peer does not read.
const STALL_LIMIT: Duration = Duration::from_secs(10);

/// What goes into the WebSocket's own buffer before it is flushed, bytes. What is in there can no longer be overtaken or dropped.
const BATCH_BYTES: usize = 16 << 10;

thread_local! {
    /// Messages are composed here, one at a time; the memory comes back when the socket has copied one.
    static BUFFER: RefCell<BytesMut> = RefCell::default();
}

#[derive(Debug, Default)]
pub(super) struct Outlet {
    unflushed: usize,
    is_flushing: bool,
    blocked_since: Option<Instant>,
}

impl Outlet {
    /// Writes messages until there are none or the socket is full. `next` appends one message and names its kind, or says that there is none.
    pub(super) fn poll<S: Socket>(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        socket: &mut S,
        next: impl FnMut(&mut BytesMut) -> Option<Frame>,
    ) -> Poll<Result<(), Error>> {
        let written = self.poll_batches(cx, socket, next);
        match written {
            Poll::Pending => self.blocked_since = self.blocked_since.or(Some(now)),
            Poll::Ready(_) => self.blocked_since = None,
        }
        written
    }

    /// Whether nothing is on its way that was framed before.
    pub(super) fn is_done(&self) -> bool {
        !self.is_flushing && self.unflushed == 0 && self.blocked_since.is_none()
    }

    /// Whether the peer counts as one that does not read.
    pub(super) fn is_stalled(&self, now: Instant) -> bool {
        self.blocked_since.is_some_and(|since| now.saturating_duration_since(since) >= STALL_LIMIT)
    }

    fn poll_batches<S: Socket>(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut S,
        mut next: impl FnMut(&mut BytesMut) -> Option<Frame>,
    ) -> Poll<Result<(), Error>> {
        let mut socket = Pin::new(socket);
        loop {
            // A flush that has begun is brought to its end first, so that what may be overtaken stays in the lane.
            if self.is_flushing {
                ready!(socket.as_mut().poll_flush(cx))?;
                self.is_flushing = false;
                self.unflushed = 0;
                self.blocked_since = None;
            }
            ready!(socket.as_mut().poll_ready(cx))?;
            let composed = BUFFER.with_borrow_mut(|buffer| {
                // Nothing of another call's is ever in there, whatever became of it.
                buffer.clear();
                Some((next(buffer)?, buffer.split().freeze()))
            });
            if let Some((frame, bytes)) = composed {
                // A dialect may have no word for a command.
                if bytes.is_empty() {
                    continue;
                }
                self.unflushed += bytes.len();
                let message = match frame {
                    Frame::Text => {
                        Message::Text(Utf8Bytes::try_from(bytes).map_err(|error| Error::Utf8(error.to_string()))?)
                    }
                    Frame::Binary => Message::Binary(bytes),
                    Frame::Ping => Message::Ping(bytes),
                };
                socket.as_mut().start_send(message)?;
                self.is_flushing = self.unflushed >= BATCH_BYTES;
            } else if self.unflushed > 0 {
                self.is_flushing = true;
            } else {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
