//! The agent's leg: a socket that is dialled, read into inputs, written from its lane, and let go while the stream goes on.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use tokio_tungstenite::tungstenite::Message;

use super::closing::close;
use super::lane::AgentLane;
use super::outlet::Outlet;
use super::{Dialing, Socket};
use crate::agents::AgentSocket;
use crate::domain::agent_link::{AgentCommand, AgentEvent};
use crate::protocol::agent::{Dialect, DialectError};
use crate::session::Input;

/// WebSocket close codes (RFC 6455, 7.4.1): done; and what a close without a code counts as.
const CLOSE_NORMAL: u16 = 1000;
const CLOSE_NO_STATUS: u16 = 1005;

pub(super) struct AgentLeg<A> {
    link: Link<A>,
    /// Bytes of µ-law that may wait for the agent.
    audio_bytes_max: u64,
    /// Sockets that are being closed.
    farewells: Vec<BoxFuture<'static, ()>>,
}

enum Link<A> {
    Absent,
    Dialing { dialing: Dialing<A>, warmed: bool },
    Open(Box<OpenLink<A>>),
}

/// See [`Session`](crate::session::Session) for the fields' order.
#[repr(C)]
struct OpenLink<A> {
    dialect: Dialect,
    lane: AgentLane,
    outlet: Outlet,
    socket: A,
}

impl<A: Socket> AgentLeg<A> {
    pub(super) fn new(audio_bytes_max: u64) -> Self {
        Self { link: Link::Absent, audio_bytes_max, farewells: Vec::new() }
    }

    /// Waits for a new socket; `warmed` says that its opening began before the stream.
    pub(super) fn dial(&mut self, dialing: Dialing<A>, warmed: bool) {
        self.link = Link::Dialing { dialing, warmed };
    }

    /// The next thing that the agent said, or that became of it.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Input> {
        self.farewells.retain_mut(|farewell| farewell.as_mut().poll(cx).is_pending());
        match &mut self.link {
            Link::Absent => Poll::Pending,
            Link::Dialing { dialing, warmed } => {
                let warmed = *warmed;
                Poll::Ready(match ready!(dialing.as_mut().poll(cx)) {
                    Ok(AgentSocket { socket, dialect }) => {
                        let lane = AgentLane::new(self.audio_bytes_max);
                        self.link = Link::Open(Box::new(OpenLink { socket, dialect, outlet: Outlet::default(), lane }));
                        Input::AgentConnected { warmed }
                    }
                    Err(failure) => {
                        self.link = Link::Absent;
                        Input::AgentDialFailed { reason: failure.reason, retryable: failure.retryable }
                    }
                })
            }
            Link::Open(link) => {
                let input = ready!(link.poll_read(cx));
                match input {
                    Input::AgentClosed { code: Some(_), .. } => self.dismiss(),
                    Input::AgentClosed { code: None, .. } => self.link = Link::Absent,
                    _ => {}
                }
                Poll::Ready(input)
            }
        }
    }

    /// Queues a command; what comes of it, if the agent reads too slowly for all that was queued.
    pub(super) fn push(&mut self, command: AgentCommand) -> Option<Input> {
        let Link::Open(link) = &mut self.link else { return None };
        let is_first = matches!(command, AgentCommand::Initiate(_));
        match link.lane.push(command) {
            Ok(0) if is_first => link.dialect.ready_unasked().map(Input::Agent),
            Ok(0) => None,
            Ok(bytes) => Some(Input::CallerAudioDropped { bytes }),
            Err(_) => Some(self.lose("it does not read what it is told".to_owned())),
        }
    }

    /// Writes what is queued; what comes of it, if the agent cannot be written to any more.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, now: Instant) -> Option<Input> {
        let Link::Open(link) = &mut self.link else { return None };
        let OpenLink { socket, dialect, outlet, lane } = &mut **link;
        if lane.is_empty() && outlet.is_done() {
            return None;
        }
        let next = |out: &mut _| lane.pop().map(|command| dialect.encode(&command, out));
        match outlet.poll(cx, now, socket, next) {
            Poll::Ready(Ok(())) => None,
            Poll::Ready(Err(error)) => Some(self.lose(error.to_string())),
            Poll::Pending => outlet.is_stalled(now).then(|| self.lose("it stopped reading".to_owned())),
        }
    }

    /// Closes the socket, or gives up dialling, while the stream goes on.
    pub(super) fn dismiss(&mut self) {
        if let Link::Open(link) = std::mem::replace(&mut self.link, Link::Absent) {
            self.farewells.push(Box::pin(close(link.socket, CLOSE_NORMAL)));
        }
    }

    /// Waits until every socket is closed.
    pub(super) async fn finish(mut self) {
        self.dismiss();
        join_all(self.farewells).await;
    }

    /// Drops a socket that is of no use any more.
    fn lose(&mut self, reason: String) -> Input {
        self.link = Link::Absent;
        Input::AgentClosed { code: None, reason }
    }
}

impl<A: Socket> OpenLink<A> {
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Input> {
        loop {
            return Poll::Ready(match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(Ok(Message::Text(text))) => match self.dialect.decode(Bytes::from(text)) {
                    Ok(event) => Input::Agent(event),
                    Err(DialectError::Malformed(_)) => Input::AgentMalformed,
                    Err(DialectError::UnsupportedFormat(advice)) => Input::AgentUnsupported(advice),
                },
                Some(Ok(Message::Binary(data))) => {
                    self.dialect.decode_binary(&data).map_or(Input::AgentMalformed, Input::Agent)
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) if self.dialect.lives_by_pongs() => {
                    Input::Agent(AgentEvent::Alive)
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Close(frame))) => {
                    let code = frame.as_ref().map_or(CLOSE_NO_STATUS, |frame| frame.code.into());
                    let reason = frame.map_or_else(String::new, |frame| frame.reason.to_string());
                    Input::AgentClosed { code: Some(code), reason }
                }
                Some(Err(error)) => Input::AgentClosed { code: None, reason: error.to_string() },
                None => Input::AgentClosed { code: None, reason: String::new() },
            });
        }
    }
}
