//! The carrier's leg: its socket, read into inputs and written from its lane.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};

use super::Socket;
use super::closing::close;
use super::lane::CarrierLane;
use super::outlet::Outlet;
use crate::domain::StreamSid;
use crate::domain::carrier_stream::CarrierCommand;
use crate::protocol::agent::Frame;
use crate::protocol::twilio::media;
use crate::session::Input;

/// See [`Session`](crate::session::Session) for the fields' order.
#[repr(C)]
pub(super) struct CarrierLeg<C> {
    lane: CarrierLane,
    outlet: Outlet,
    /// What the carrier calls the stream, once it is ours.
    stream_sid: Option<StreamSid>,
    /// Whether there is anybody to say goodbye to.
    is_open: bool,
    socket: C,
}

impl<C: Socket> CarrierLeg<C> {
    pub(super) fn new(socket: C) -> Self {
        Self { lane: CarrierLane::default(), outlet: Outlet::default(), stream_sid: None, is_open: true, socket }
    }

    /// From now on it can be spoken to.
    pub(super) fn admit(&mut self, stream_sid: StreamSid) {
        self.stream_sid = Some(stream_sid);
    }

    /// The next thing that the carrier said.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Input> {
        while self.is_open {
            let Poll::Ready(message) = Pin::new(&mut self.socket).poll_next(cx) else { break };
            return Poll::Ready(match message {
                Some(Ok(Message::Text(text))) => {
                    media::decode(Bytes::from(text)).map_or(Input::CarrierMalformed, Input::Carrier)
                }
                Some(Ok(Message::Binary(_))) => Input::CarrierMalformed,
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Close(_))) => Input::CarrierClosed,
                Some(Err(error)) => {
                    self.is_open = false;
                    if is_fault(&error) { Input::CarrierFaulted } else { Input::CarrierClosed }
                }
                None => {
                    self.is_open = false;
                    Input::CarrierClosed
                }
            });
        }
        Poll::Pending
    }

    /// Queues a command; what comes of it, if the carrier reads too slowly for all that was queued.
    pub(super) fn push(&mut self, command: CarrierCommand) -> Option<Input> {
        self.lane.push(command).err().map(|_| Input::CarrierFaulted)
    }

    /// Writes what is queued; what comes of it, if the carrier cannot be written to any more.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, now: Instant) -> Option<Input> {
        // The socket has no part in most wake-ups: those of the other leg's.
        if self.is_written() {
            return None;
        }
        let (lane, stream_sid) = (&mut self.lane, self.stream_sid.as_ref()?);
        let next = |out: &mut _| {
            lane.pop().map(|command| {
                media::encode(out, stream_sid, &command);
                Frame::Text
            })
        };
        match self.outlet.poll(cx, now, &mut self.socket, next) {
            Poll::Ready(Ok(())) => None,
            Poll::Ready(Err(_)) => {
                self.is_open = false;
                Some(Input::CarrierClosed)
            }
            Poll::Pending => self.outlet.is_stalled(now).then_some(Input::CarrierFaulted),
        }
    }

    /// Whether the socket has taken all that was queued.
    pub(super) fn is_written(&self) -> bool {
        self.lane.is_empty() && self.outlet.is_done()
    }

    /// Closes the socket. What is still queued is not said any more.
    pub(super) async fn close(self, code: u16) {
        if self.is_open {
            close(self.socket, code).await;
        }
    }
}

/// Whether the carrier broke the WebSocket protocol (a message too big, say), rather than just went away.
fn is_fault(error: &Error) -> bool {
    match error {
        Error::Protocol(problem) => *problem != ProtocolError::ResetWithoutClosingHandshake,
        Error::Capacity(_) | Error::Utf8(_) | Error::AttackAttempt => true,
        _ => false,
    }
}
