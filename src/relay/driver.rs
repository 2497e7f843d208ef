//! The driver: one poll loop that feeds a session from its legs and its commands, tells it the time, and does what comes out of it.
//!
//! The order within a wake-up is fixed. Time and commands come first, then the agent (its `Interrupted` must not wait behind a
//! backlog of caller audio), then the carrier; then everything that they brought forth is written, with one flush a leg. This is
//! the one place of the data plane that reads a clock, at the beginning of a wake-up and at the end of some.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::sync::mpsc;

use super::agent_leg::AgentLeg;
use super::carrier_leg::CarrierLeg;
use super::looks::Look;
use super::meter::Meter;
use super::pace::Pace;
use super::recorder::Recorder;
use super::wakes::{Source, Wakes};
use super::{Admission, Admit, Dialing, Hooks, Request, Socket, StreamSummary, Tap};
use crate::domain::audio::mulaw_bytes;
use crate::domain::carrier_stream::{CarrierEvent, StreamStart};
use crate::domain::event::{Actor, Door};
use crate::domain::{CallEvent, CallId, Disposition};
use crate::session::{Command, Input, Output, Session, SessionConfig};

/// Messages read from one leg before the others get their turn.
const READS_PER_WAKE: usize = 64;

/// One stream's task. See [`Session`] for the fields' order.
#[repr(C)]
pub(super) struct Relay<C, A> {
    owner: Owner<A>,
    commands: mpsc::Receiver<Box<Command>>,
    recorder: Recorder,
    ask: Box<dyn Fn(Request) + Send>,
    carrier: CarrierLeg<C>,
    look: Look,
    tap: Option<Arc<Tap>>,
    meter: Meter,
    pace: Pace,
    /// The stream is over; the carrier's socket is to be closed with this code.
    close_code: Option<u16>,
    /// A dial or a farewell began that has not been polled.
    agent_is_new: bool,
    /// The session wants to know when the carrier's socket has taken everything.
    asks_written: bool,
    agent: AgentLeg<A>,
    session: Session,
}

/// Whose stream this is.
enum Owner<A> {
    /// Nobody knows yet.
    Unknown(Admit<A>),
    Known(Box<Known<A>>),
    Nobody,
}

struct Known<A> {
    call_id: CallId,
    warmed: Option<Dialing<A>>,
    dial: Box<dyn FnMut(usize) -> Dialing<A> + Send>,
}

impl<C: Socket, A: Socket> Relay<C, A> {
    pub(super) fn new(
        carrier: C,
        config: Arc<SessionConfig>,
        hooks: Hooks<A>,
        commands: mpsc::Receiver<Box<Command>>,
    ) -> Self {
        let now = clock();
        Self {
            owner: Owner::Unknown(hooks.admit),
            commands,
            recorder: Recorder::new(hooks.recorder),
            ask: hooks.ask,
            carrier: CarrierLeg::new(carrier),
            look: hooks.looks.begin(now),
            tap: None,
            meter: Meter::default(),
            pace: Pace::default(),
            close_code: None,
            agent_is_new: false,
            asks_written: false,
            agent: AgentLeg::new(mulaw_bytes(config.caller_buffer)),
            session: Session::new(config, now),
        }
    }

    pub(super) async fn run(mut self: Box<Self>) -> StreamSummary {
        let wakes = Wakes::new();
        let code = poll_fn(|cx| self.poll(cx, &wakes)).await;
        // In a box of its own, which only a stream that ends needs: this future lives as long as the call.
        Box::pin(self.close(code)).await
    }

    async fn close(self: Box<Self>, code: u16) -> StreamSummary {
        let (ended, interim_dropped) = (self.session.ended(), self.recorder.interim_dropped);
        let call_id = self.owner.known().map(|known| known.call_id);
        let Self { recorder, carrier, agent, tap, .. } = *self;
        if let Some(tap) = tap {
            tap.dial.rest();
        }
        let (unrecorded, (), ()) = tokio::join!(recorder.finish(), carrier.close(code), agent.finish());
        StreamSummary { call_id, ended, interim_dropped, unrecorded }
    }

    /// One wake-up. Ready with the code to close the carrier's socket with.
    fn poll(&mut self, cx: &mut Context<'_>, wakes: &Wakes) -> Poll<u16> {
        let now = clock();
        wakes.belong_to(cx);
        if self.session.poll_timeout().is_some_and(|at| at <= now) {
            self.handle(now, Input::Timeout);
        }
        self.poll_commands(wakes, now);
        let has_more = [self.poll_agent(wakes, now), self.poll_carrier(wakes, now)].contains(&true);
        if let Some(input) = self.agent.poll_write(&mut wakes.context(Source::Agent), now) {
            self.handle(now, input);
        }
        if self.close_code.is_none()
            && let Some(input) = self.carrier.poll_write(&mut wakes.context(Source::Carrier), now)
        {
            self.handle(now, input);
        }
        if self.asks_written && self.carrier.is_written() {
            self.asks_written = false;
            self.handle(clock(), Input::Written);
        }
        if self.pace.is_due() {
            self.pace.record(clock().saturating_duration_since(now));
        }
        if let Some(code) = self.close_code {
            return Poll::Ready(code);
        }
        let agent_is_new = std::mem::take(&mut self.agent_is_new);
        if agent_is_new {
            wakes.mark(Source::Agent);
        }
        if agent_is_new || has_more || self.look.poll(wakes, now) {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn poll_commands(&mut self, wakes: &Wakes, now: Instant) {
        // Before admission nobody has the other end.
        if !matches!(self.owner, Owner::Known(_)) || !wakes.take(Source::Commands) {
            return;
        }
        while self.close_code.is_none()
            && let Poll::Ready(command) = self.commands.poll_recv(&mut wakes.context(Source::Commands))
        {
            let is_dropped = command.is_none();
            let command = command.map_or_else(dropped_call, |command| *command);
            self.handle(now, Input::Command(command));
            if is_dropped {
                return;
            }
        }
    }

    /// `true` when there may be more to read.
    fn poll_agent(&mut self, wakes: &Wakes, now: Instant) -> bool {
        if !wakes.take(Source::Agent) {
            return false;
        }
        for _ in 0..READS_PER_WAKE {
            let Poll::Ready(input) = self.agent.poll_read(&mut wakes.context(Source::Agent)) else { return false };
            self.handle(now, input);
        }
        wakes.mark(Source::Agent);
        true
    }

    /// `true` when there may be more to read.
    fn poll_carrier(&mut self, wakes: &Wakes, now: Instant) -> bool {
        if !wakes.take(Source::Carrier) {
            return false;
        }
        for _ in 0..READS_PER_WAKE {
            if self.close_code.is_some() {
                return false;
            }
            let Poll::Ready(input) = self.carrier.poll_read(&mut wakes.context(Source::Carrier)) else { return false };
            if let (Some(tap), Input::Carrier(CarrierEvent::Media(chunk))) = (&self.tap, &input) {
                tap.caller_said(chunk);
                self.meter.caller_said(&tap.dial, chunk, &self.pace);
            }
            self.handle(now, input);
        }
        wakes.mark(Source::Carrier);
        true
    }

    /// Hands an input to the session and does all that comes of it.
    fn handle(&mut self, now: Instant, input: Input) {
        self.session.handle_input(now, input);
        while let Some(output) = self.session.poll_output() {
            if let Some(answer) = self.obey(output) {
                self.session.handle_input(now, answer);
            }
        }
    }

    /// Does one thing; some of them have an answer at once.
    fn obey(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::ToCarrier(command) => {
                if let Some(tap) = &self.tap {
                    tap.caller_is_sent(&command);
                    self.meter.caller_is_sent(&tap.dial, &command);
                }
                return self.carrier.push(command);
            }
            Output::AskWritten => self.asks_written = true,
            Output::ToAgent(command) => return self.agent.push(command),
            Output::Record(event) => return self.record(self.with_pace(*event)),
            Output::Admit(start) => return Some(self.admit(&start)),
            Output::RunTool(call) => {
                let call_id = self.owner.known()?.call_id;
                (self.ask)(Request::RunTool { call_id, call });
            }
            Output::HangUp(disposition) => {
                let call_id = self.owner.known()?.call_id;
                (self.ask)(Request::HangUp { call_id, disposition });
            }
            Output::DialAgent { agent, .. } => {
                self.dial(agent);
                self.agent_is_new = true;
            }
            Output::CloseAgent => {
                self.agent.dismiss();
                self.agent_is_new = true;
            }
            Output::CloseCarrier { code } => self.close_code = Some(code),
        }
        None
    }

    fn admit(&mut self, start: &StreamStart) -> Input {
        let Owner::Unknown(admit) = std::mem::replace(&mut self.owner, Owner::Nobody) else { return Input::Refused };
        match admit(start) {
            Ok(Admission { call_id, terms, tap, warmed, dial }) => {
                self.tap = Some(tap);
                let answer = Input::Admitted { terms: Box::new(terms), warmed: warmed.is_some() };
                self.carrier.admit(start.stream_sid.clone());
                self.owner = Owner::Known(Box::new(Known { call_id, warmed, dial }));
                answer
            }
            Err(reason) => {
                tracing::warn!(call.sid = %start.call_sid, reason, "media stream refused");
                Input::Refused
            }
        }
    }

    fn dial(&mut self, agent: usize) {
        let Owner::Known(known) = &mut self.owner else { return };
        match known.warmed.take() {
            Some(warmed) => self.agent.dial(warmed, true),
            None => self.agent.dial((known.dial)(agent), false),
        }
    }

    /// The session counts what it carried; how fast that went only the driver knows.
    fn with_pace(&self, mut event: CallEvent) -> CallEvent {
        if let CallEvent::StreamEnded { counters, .. } = &mut event {
            counters.relay_p50_us = self.pace.percentile_us(50);
            counters.relay_p99_us = self.pace.percentile_us(99);
        }
        event
    }

    fn record(&mut self, event: CallEvent) -> Option<Input> {
        let call_id = self.owner.known()?.call_id;
        self.recorder.record(call_id, event).err().map(|_| Input::JournalFull)
    }
}

impl<A> Owner<A> {
    fn known(&self) -> Option<&Known<A>> {
        match self {
            Self::Known(known) => Some(known),
            Self::Unknown(_) | Self::Nobody => None,
        }
    }
}

/// What a stream is told that nobody can reach any more.
fn dropped_call() -> Command {
    Command::HangUp { by: Actor::new(Door::System, "call_dropped"), disposition: Disposition::Failed }
}

#[expect(clippy::disallowed_methods, reason = "the one clock of the data plane; tokio's, so that tests can stop it")]
pub(super) fn clock() -> Instant {
    tokio::time::Instant::now().into_std()
}
