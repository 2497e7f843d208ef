//! A stream that gives away no byte behind the answer's head while a handshake reads it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use memchr::memmem;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// An empty line, as all write it and as some do.
const HEAD_ENDS: [&[u8]; 2] = [b"\n\r\n", b"\n\n"];

/// How the head begins that agrees to become a WebSocket. What comes behind another one is its body.
const AGREES: &[u8] = b"HTTP/1.1 101";

/// What is read at once, bytes: an answer's head, and what a fast peer says right behind it.
const READ: usize = 4 << 10;

/// A head longer than this is no head of a handshake, bytes; the handshake is then left to make of it what it will.
const HEAD_MAX: usize = 64 << 10;

/// Once the handshake is done, [`HeadFirst::into_parts`] has what came behind its answer.
#[derive(Debug)]
pub(crate) struct HeadFirst<S> {
    stream: S,
    unread: BytesMut,
    /// Bytes of `unread` that may be given away, once all of the head is there.
    may_go: Option<usize>,
}

impl<S> HeadFirst<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, unread: BytesMut::new(), may_go: None }
    }

    pub(crate) fn into_parts(self) -> (S, BytesMut) {
        (self.stream, self.unread)
    }

    fn look(&mut self, is_end: bool) {
        // Empty lines before the answer are none of it.
        let answer = self.unread.trim_ascii_start();
        let before = self.unread.len() - answer.len();
        let ends = HEAD_ENDS.into_iter().filter_map(|end| Some(memmem::find(answer, end)? + end.len()));
        self.may_go = match ends.min() {
            Some(end) if answer.starts_with(AGREES) => Some(before + end),
            None if !is_end && self.unread.len() < HEAD_MAX => None,
            Some(_) | None => Some(self.unread.len()),
        };
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HeadFirst<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.may_go.is_none() {
            let mut bytes = [0; READ];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut read))?;
            this.unread.extend_from_slice(read.filled());
            this.look(read.filled().is_empty());
        }
        match &mut this.may_go {
            Some(may_go) if *may_go > 0 => {
                let share = buffer.remaining().min(*may_go);
                buffer.put_slice(&this.unread[..share]);
                this.unread.advance(share);
                *may_go -= share;
                Poll::Ready(Ok(()))
            }
            // A handshake that reads on was not agreed to.
            _ => Pin::new(&mut this.stream).poll_read(cx, buffer),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadFirst<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
