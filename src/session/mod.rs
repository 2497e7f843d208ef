//! One live media stream of a call as a sans-IO state machine: input in, output and deadline out, the time handed in.
//!
//! The driver's loop: hand in what happened ([`Session::handle_input`]), do what comes out until nothing does
//! ([`Session::poll_output`]), wait for the next input or [`Session::poll_timeout`], which is an input too. Nothing here can
//! fail, wait, or read a clock. A call may have several streams, one after the other; each has its own session.
//!
//! What holds on every path: a stream that was admitted has one `StreamStarted` and one `StreamEnded` and nothing recorded outside
//! of them; one that was not admitted has neither, and never reaches an agent; the last output is `CloseCarrier`.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use crate::domain::carrier_stream::{CarrierEvent, StreamStart};
use crate::domain::event::{Actor, StreamCounters, StreamEnd};
use crate::domain::{CallEvent, Disposition};

mod agent_side;
mod answers;
mod config;
mod control;
mod early;
mod failover;
mod marks;
mod playout;
mod short_queue;
mod stream;
mod timer;
mod tools;
mod waiting;
mod words;

#[cfg(test)]
mod tests;

pub use config::SessionConfig;
pub(crate) use short_queue::ShortQueue;
pub use stream::Turn;
pub use words::{Command, Input, Output, Play, Sound, Steer, Terms};

use stream::Stream;
use timer::{Timer, Timers};

/// WebSocket close codes (RFC 6455, 7.4.1): done; not ours; an encoding that we do not speak; something broke on our side.
const CLOSE_NORMAL: u16 = 1000;
const CLOSE_POLICY: u16 = 1008;
const CLOSE_UNSUPPORTED: u16 = 1003;
const CLOSE_BROKEN: u16 = 1011;

/// The machine of one media stream.
///
/// Here and wherever else a frame passes, `repr(C)` keeps the fields in the order in which they are written, so that what each frame
/// touches lies together, on few cache lines.
#[derive(Debug)]
#[repr(C)]
pub struct Session {
    state: State,
    desk: Desk,
    config: Arc<SessionConfig>,
}

#[derive(Debug)]
enum State {
    /// The socket is open and nobody knows whose it is.
    AwaitingStart,
    /// `start` came, its token is being looked at.
    AwaitingAdmission(Box<StreamStart>),
    Admitted(Box<Stream>),
    Ended(Option<Box<Ended>>),
}

/// How an admitted stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    pub cause: StreamEnd,
    pub counters: StreamCounters,
}

/// Where every state puts what it wants done, and when it wants to be asked again.
#[derive(Debug, Default)]
#[repr(C)]
struct Desk {
    outputs: ShortQueue<Output>,
    timers: Timers,
}

impl Desk {
    fn put(&mut self, output: Output) {
        self.outputs.push(output);
    }

    fn record(&mut self, event: CallEvent) {
        self.put(Output::Record(Box::new(event)));
    }

    fn record_hang_up(&mut self, by: Actor, disposition: Disposition) {
        self.record(CallEvent::HangUpRequested { by, disposition });
    }
}

impl Session {
    /// A session for a socket that has just been opened.
    pub fn new(config: Arc<SessionConfig>, now: Instant) -> Self {
        let mut desk = Desk::default();
        desk.timers.set(Timer::Start, now, config.start_deadline);
        Self { config, state: State::AwaitingStart, desk }
    }

    /// Takes in what happened. Every input is taken in every state; what makes no sense there changes nothing.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        match &mut self.state {
            State::AwaitingStart => self.await_start(input, now),
            State::AwaitingAdmission(_) => self.await_admission(input, now),
            State::Admitted(stream) => {
                if let ControlFlow::Break(cause) = stream.handle_input(&mut self.desk, now, input) {
                    self.end(cause, now);
                }
            }
            State::Ended(_) => {}
        }
    }

    /// The next thing to do. Ask until there is none.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.desk.outputs.pop()
    }

    /// When to hand in [`Input::Timeout`], or soon after. Changes rarely: not with every frame.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.desk.timers.next()
    }

    /// Whether everything is over but for the outputs that still wait.
    pub fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended(_))
    }

    /// How the stream ended; `None` before the end and when it was never admitted.
    pub fn ended(&self) -> Option<Ended> {
        match &self.state {
            State::Ended(ended) => ended.as_deref().copied(),
            State::AwaitingStart | State::AwaitingAdmission(_) | State::Admitted(_) => None,
        }
    }

    /// Whose turn it is; `None` outside of a conversation.
    pub fn turn(&self) -> Option<Turn> {
        match &self.state {
            State::Admitted(stream) => stream.turn(),
            State::AwaitingStart | State::AwaitingAdmission(_) | State::Ended(_) => None,
        }
    }

    fn await_start(&mut self, input: Input, now: Instant) {
        match input {
            Input::Carrier(CarrierEvent::Start(start)) => {
                self.desk.put(Output::Admit(Box::new(start.clone())));
                self.state = State::AwaitingAdmission(Box::new(start));
            }
            other => self.turn_away(&other, now),
        }
    }

    fn await_admission(&mut self, input: Input, now: Instant) {
        match (&self.state, input) {
            (State::AwaitingAdmission(start), Input::Admitted { terms, warmed }) => {
                self.desk.timers.stop_all();
                self.desk.record(CallEvent::StreamStarted { stream_sid: start.stream_sid.clone() });
                let mulaw = start.encoding == "audio/x-mulaw" && start.sample_rate == 8_000;
                let mut stream = Box::new(Stream::new(Arc::clone(&self.config), start.stream_sid.clone(), terms, now));
                if mulaw {
                    stream.begin(&mut self.desk, warmed, now);
                }
                self.state = State::Admitted(stream);
                if !mulaw {
                    self.close(StreamEnd::CarrierFault, CLOSE_UNSUPPORTED, now);
                }
            }
            (_, Input::Refused) => self.end_unadmitted(CLOSE_POLICY),
            (_, other) => self.turn_away(&other, now),
        }
    }

    /// What can happen to a stream that is not admitted: it ends, or nothing.
    fn turn_away(&mut self, input: &Input, now: Instant) {
        match input {
            Input::Carrier(CarrierEvent::Stop)
            | Input::CarrierClosed
            | Input::CarrierFaulted
            | Input::Command(Command::HangUp { .. })
            | Input::JournalFull => self.end_unadmitted(CLOSE_NORMAL),
            Input::Timeout => {
                if self.desk.timers.take_due(now).is_some() {
                    self.end_unadmitted(CLOSE_POLICY);
                }
            }
            Input::Carrier(_)
            | Input::CarrierMalformed
            | Input::Admitted { .. }
            | Input::Refused
            | Input::AgentConnected { .. }
            | Input::AgentDialFailed { .. }
            | Input::Agent(_)
            | Input::AgentMalformed
            | Input::AgentUnsupported(_)
            | Input::AgentClosed { .. }
            | Input::CallerAudioDropped { .. }
            | Input::Written
            | Input::Command(_) => {}
        }
    }

    fn end_unadmitted(&mut self, code: u16) {
        self.desk.timers.stop_all();
        self.desk.put(Output::CloseCarrier { code });
        self.state = State::Ended(None);
    }

    fn end(&mut self, cause: StreamEnd, now: Instant) {
        let code = match cause {
            StreamEnd::AgentFailed | StreamEnd::JournalFull | StreamEnd::ServerLost => CLOSE_BROKEN,
            StreamEnd::CarrierStop
            | StreamEnd::CarrierClosed
            | StreamEnd::CarrierFault
            | StreamEnd::AgentEnded
            | StreamEnd::Silence
            | StreamEnd::MaxDuration
            | StreamEnd::HungUp => CLOSE_NORMAL,
        };
        self.close(cause, code, now);
    }

    fn close(&mut self, cause: StreamEnd, code: u16, now: Instant) {
        let State::Admitted(stream) = &mut self.state else { return };
        let counters = stream.close(&mut self.desk, now);
        let stream_sid = stream.sid().clone();
        self.desk.timers.stop_all();
        self.desk.record(CallEvent::StreamEnded { stream_sid, cause, counters });
        self.desk.put(Output::CloseCarrier { code });
        self.state = State::Ended(Some(Box::new(Ended { cause, counters })));
    }
}
