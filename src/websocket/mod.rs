//! A WebSocket: tungstenite's protocol, with buffers that belong to the thread instead of the socket.
//!
//! Nearly all that is said on a media stream is one text a frame, whole in one read. Such a frame is read into a buffer that all
//! sockets of a thread share, and framed into one that is given back once it is written: a call then holds hardly any buffer, and a
//! frame touches less memory that has gone cold (`docs/performance.md` has what that saves). Everything else (control frames, fragments,
//! closing, whatever breaks RFC 6455) is handed to tungstenite's [`WebSocketContext`] as it comes.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

mod fed;
mod frame;
mod head_first;
#[cfg(test)]
mod tests;

use fed::Fed;
use frame::{BINARY, Head, TEXT, put_frame, unmasked};
pub(crate) use head_first::HeadFirst;

/// What is read at once, bytes.
const READ: usize = 16 << 10;

/// What tungstenite takes of the rare frames that it is given, at once, bytes. Each socket holds so much.
const FED: usize = 128;

/// Framed bytes that may wait to be written before no more are taken, and before a peer that does not read is not read either.
const UNWRITTEN_MAX: usize = 256 << 10;

thread_local! {
    static SHARED: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// An open WebSocket over `S`. Pings and closes are answered as long as it is read. One task is to read and to write it: the other's
/// waker would be forgotten.
///
/// [`WebSocketConfig::max_message_size`] and [`WebSocketConfig::max_frame_size`] count; what it says of buffers does not.
///
/// See [`Session`](crate::session::Session) for the fields' order. The stream is last because TLS is large.
#[derive(Debug)]
#[repr(C)]
pub struct WebSocket<S> {
    longest: u64,
    /// For all that is not usual, in a box since it is large.
    protocol: Box<WebSocketContext>,
    /// Bytes that belong to the frame that the protocol is in the middle of.
    owed: u64,
    /// Read, and not yet made a message of: the beginning of a frame, or frames behind the one that was asked for.
    unread: BytesMut,
    unwritten: Vec<u8>,
    role: Role,
    /// Nobody has said goodbye: what the protocol says when asked whether it can write.
    is_active: bool,
    /// The protocol holds the beginning of a message, whose next fragment is to come.
    in_fragments: bool,
    /// The stream holds something that it was given: TLS does.
    is_unflushed: bool,
    is_over: bool,
    stream: S,
}

impl<S> WebSocket<S> {
    /// A socket whose handshake is done; `unread` came behind it.
    pub(crate) fn new(stream: S, unread: &[u8], role: Role, config: WebSocketConfig) -> Self {
        let most = |limit: Option<usize>| limit.map_or(u64::MAX, |limit| limit as u64);
        Self {
            longest: most(config.max_frame_size).min(most(config.max_message_size)),
            protocol: Box::new(WebSocketContext::new(role, Some(config.read_buffer_size(FED).write_buffer_size(0)))),
            owed: 0,
            unread: unread.into(),
            unwritten: Vec::new(),
            role,
            is_active: true,
            in_fragments: false,
            is_unflushed: false,
            is_over: false,
            stream,
        }
    }

    pub(crate) fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    fn is_full(&self) -> bool {
        self.unwritten.len() >= UNWRITTEN_MAX
    }

    /// The first message of these bytes, and how many of them are done with.
    fn take(&mut self, bytes: &[u8]) -> (usize, Option<Result<Message, Error>>) {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            if self.owed == 0 {
                let Some(head) = Head::read(rest) else { return (used, None) };
                if self.is_usual(&head) {
                    let Some(payload) = head.payload(rest) else { return (used, None) };
                    let said = message(&head, payload);
                    self.is_over = said.is_err();
                    return (used + head.total(), Some(said));
                }
                if !head.is_control() {
                    self.in_fragments = !head.is_final();
                }
                self.owed = head.total_u64();
            }
            let share = usize::try_from(self.owed).unwrap_or(usize::MAX).min(rest.len());
            if share == 0 {
                return (used, None);
            }
            self.owed -= share as u64;
            used += share;
            let said = self.ask(&rest[..share]);
            if said.is_some() || self.is_over {
                return (used, said);
            }
        }
    }

    /// A whole message, masked if and only if it must be.
    fn is_usual(&self, head: &Head) -> bool {
        head.is_whole_message()
            && head.mask().is_some() == (self.role == Role::Server)
            && head.length() <= self.longest
            && !self.in_fragments
            && self.is_active
    }

    /// What the protocol makes of these bytes; without any, of the connection's end. Its answer to the peer is not written yet.
    fn ask(&mut self, bytes: &[u8]) -> Option<Result<Message, Error>> {
        let mut fed = Fed { bytes, is_end: bytes.is_empty(), written: &mut self.unwritten };
        let said = match self.protocol.read(&mut fed) {
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => None,
            said => Some(said),
        };
        // A pong, or the answer to a close; the latter ends a server's part.
        let answered = if said.as_ref().is_some_and(Result::is_err) { Ok(()) } else { self.protocol.flush(&mut fed) };
        self.is_active = self.protocol.can_write();
        self.is_over = answered.is_err() || matches!(said, Some(Err(_)));
        said.filter(|said| !matches!(said, Err(Error::ConnectionClosed | Error::AlreadyClosed)))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Reads until there is a message. Ready without one at the end.
    fn poll_message(&mut self, cx: &mut Context<'_>, shared: &mut [u8]) -> Poll<Option<Result<Message, Error>>> {
        loop {
            let mut buffer = ReadBuf::new(shared);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
            let said = match read {
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset && !self.protocol.can_read() => {
                    self.is_over = true;
                    None
                }
                Err(error) => {
                    self.is_over = true;
                    Some(Err(Error::Io(error)))
                }
                Ok(()) if buffer.filled().is_empty() => {
                    let said = self.ask(&[]);
                    self.is_over = true;
                    said
                }
                Ok(()) if self.unread.is_empty() => {
                    let (used, said) = self.take(buffer.filled());
                    self.unread.extend_from_slice(&buffer.filled()[used..]);
                    said
                }
                Ok(()) => {
                    self.unread.extend_from_slice(buffer.filled());
                    self.take_unread()
                }
            };
            if said.is_some() || self.is_over {
                return Poll::Ready(said);
            }
        }
    }

    fn take_unread(&mut self) -> Option<Result<Message, Error>> {
        let mut unread = std::mem::take(&mut self.unread);
        let (used, said) = self.take(&unread);
        unread.advance(used);
        // Memory is kept for what is still to come only.
        if !unread.is_empty() {
            self.unread = unread;
        }
        said
    }

    /// Writes what is framed.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unwritten.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.unwritten))?;
            self.is_unflushed = true;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            if written == self.unwritten.len() {
                self.unwritten = Vec::new();
            } else {
                self.unwritten.drain(..written);
            }
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.is_unflushed = false;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WebSocket<S> {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.is_full() && this.poll_drain(cx).is_pending() && this.is_full() {
            return Poll::Pending;
        }
        let mut said = if this.is_over || this.unread.is_empty() { None } else { this.take_unread() };
        let mut is_pending = false;
        if said.is_none() && !this.is_over {
            match SHARED.with_borrow_mut(|shared| this.poll_message(cx, shared)) {
                Poll::Ready(message) => said = message,
                Poll::Pending => is_pending = true,
            }
        }
        // What the protocol answered goes out without being asked for. If it cannot, whoever writes next learns why.
        let is_drained = (this.unwritten.is_empty() && !this.is_unflushed) || this.poll_drain(cx).is_ready();
        match said {
            Some(said) => Poll::Ready(Some(said)),
            None if is_pending || !is_drained => Poll::Pending,
            None => Poll::Ready(None),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for WebSocket<S> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if !self.is_full() {
            return Poll::Ready(Ok(()));
        }
        self.poll_drain(cx).map_err(Error::Io)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        let this = &mut *self;
        let mask = || (this.role == Role::Client).then(rand::random);
        match message {
            Message::Text(text) if this.is_active => {
                put_frame(&mut this.unwritten, TEXT, mask(), text.as_bytes());
            }
            Message::Binary(bytes) if this.is_active => {
                put_frame(&mut this.unwritten, BINARY, mask(), &bytes);
            }
            message => {
                let mut fed = Fed { bytes: &[], is_end: false, written: &mut this.unwritten };
                let written = this.protocol.write(&mut fed, message).and_then(|()| this.protocol.flush(&mut fed));
                this.is_active = this.protocol.can_write();
                written?;
            }
        }
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_drain(cx).map_err(Error::Io)
    }

    /// Says goodbye. The peer's answer is for whoever reads on.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.is_active {
            self.as_mut().start_send(Message::Close(None))?;
        }
        self.poll_flush(cx)
    }
}

fn message(head: &Head, payload: &[u8]) -> Result<Message, Error> {
    let payload = Bytes::from(unmasked(payload, head.mask()));
    Ok(if head.is_text() { Message::Text(Utf8Bytes::try_from(payload)?) } else { Message::Binary(payload) })
}
