//! The data plane: one task a media stream, which owns its session and both sockets. No locks.
//!
//! [`run`] is that task's whole life. It is given the carrier's open socket; it asks [`Hooks::admit`] whose stream this is, dials the
//! agent by the admission's means, carries audio both ways, and ends when the stream has ended and both sockets are closed. Whatever
//! is slow leaves through [`Hooks`] and comes back as a [`Command`].
//!
//! Every queue here is bounded:
//!
//! | queue | full, it |
//! |---|---|
//! | caller audio to the agent (`SessionConfig::caller_buffer`) | drops the oldest, counted in `caller_dropped_bytes` |
//! | agent audio and marks to the carrier (`lane::CARRIER_LANE_BYTES`) | ends the stream, `carrier_fault`: a turn is not thinned out |
//! | what else the agent is told (`lane::AGENT_CONTROL_MAX`) | loses the agent |
//! | events (the channel's size) | ends the stream, `journal_full`; interim text is dropped and counted |
//! | audio whose loudness somebody looks at (`meter::PIECES_MAX`) | measures no more of it until some was played |
//! | listeners (`tap::LAG` frames) | loses its oldest frames for the one that is slow, who is told how many |

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{Sink, Stream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::agents::AgentSocket;
use crate::domain::agent_link::ToolCall;
use crate::domain::carrier_stream::StreamStart;
use crate::domain::{CallEvent, CallId, Disposition};
use crate::session::{Command, Ended, SessionConfig, Terms};

mod agent_leg;
mod carrier_leg;
mod closing;
mod driver;
mod lane;
mod looks;
mod meter;
mod outlet;
mod pace;
mod recorder;
mod tap;
mod threads;
mod wakes;

use driver::clock;

#[cfg(test)]
mod tests;

pub use looks::Looks;
pub use meter::Reading;
pub use tap::{Tap, Tapped};
pub use threads::{MediaPlace, MediaThreads, step_back_for_audio};

/// A WebSocket, either leg's, on the wire or in memory.
pub trait Socket:
    Stream<Item = Result<Message, tungstenite::Error>> + Sink<Message, Error = tungstenite::Error> + Unpin + Send + 'static
{
}

impl<S> Socket for S where
    S: Stream<Item = Result<Message, tungstenite::Error>>
        + Sink<Message, Error = tungstenite::Error>
        + Unpin
        + Send
        + 'static
{
}

/// What a stream needs of the rest of the house.
pub struct Hooks<A> {
    pub admit: Admit<A>,
    /// Every event of the stream, in order.
    pub recorder: mpsc::Sender<(CallId, CallEvent)>,
    /// Begins what is slow, elsewhere, and returns at once.
    pub ask: Box<dyn Fn(Request) + Send>,
    /// Wakes the stream when nothing comes to it.
    pub looks: Looks,
}

/// Says whose stream this is, by the token in its parameters, or why it is nobody's. Called once, and must not wait.
pub type Admit<A> = Box<dyn FnOnce(&StreamStart) -> Result<Admission<A>, String> + Send>;

/// A socket to the agent, on its way.
pub type Dialing<A> = BoxFuture<'static, Result<AgentSocket<A>, DialFailure>>;

/// A stream that is ours.
pub struct Admission<A> {
    pub call_id: CallId,
    pub terms: Terms,
    /// Where the call is listened in on.
    pub tap: Arc<Tap>,
    /// A socket whose opening began before the stream did.
    pub warmed: Option<Dialing<A>>,
    /// Opens another one, to this one of [`Terms::agents`]. It should give up in its own time; the session waits `agent_ready_limit` over all attempts.
    pub dial: Box<dyn FnMut(usize) -> Dialing<A> + Send>,
}

/// Why there is no socket to the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialFailure {
    /// For the journal: no secrets, no signed addresses.
    pub reason: String,
    /// Whether another attempt could go better.
    pub retryable: bool,
}

/// Something slow that a stream wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// End the call at the carrier.
    HangUp { call_id: CallId, disposition: Disposition },
    /// Run this tool and answer with [`Command::ToolFinished`].
    RunTool { call_id: CallId, call: Box<ToolCall> },
}

/// What is left of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamSummary {
    /// `None` when the stream was not admitted.
    pub call_id: Option<CallId>,
    pub ended: Option<Ended>,
    /// Interim events that nobody could take.
    pub interim_dropped: u64,
    /// Life-cycle events that the journal did not take even after the end. The stream then ended as `journal_full`.
    pub unrecorded: usize,
}

/// Carries one media stream from its socket's opening to its end. Needs a tokio runtime with time.
///
/// When all senders of `commands` are dropped after admission, nobody can end the call any more, so it is hung up (`failed`). They come
/// in boxes because a channel keeps room for 32 of what it carries, and each call has one.
pub fn run<C: Socket, A: Socket>(
    carrier: C,
    config: Arc<SessionConfig>,
    hooks: Hooks<A>,
    commands: mpsc::Receiver<Box<Command>>,
) -> impl Future<Output = StreamSummary> + Send {
    // In a box, since each future on the way up would keep room for a copy of it.
    Box::new(driver::Relay::new(carrier, config, hooks, commands)).run()
}

impl<A> fmt::Debug for Hooks<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

impl<A> fmt::Debug for Admission<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").field("call_id", &self.call_id).finish_non_exhaustive()
    }
}
