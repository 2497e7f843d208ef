//! An admitted stream: its phases, the carrier's side of them, commands and timers. The agent's side is in `agent_side`.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Desk;
use super::agent_side::AgentLink;
use super::config::SessionConfig;
use super::control::Control;
use super::failover::Story;
use super::playout::{Heard, Playout, Speaker};
use super::timer::Timer;
use super::tools::Tools;
use super::waiting::Waiting;
use super::words::{Command, Input, Output, Terms};
use crate::domain::agent_link::AgentCommand;
use crate::domain::audio::{MulawChunk, mulaw_bytes};
use crate::domain::carrier_stream::{CarrierCommand, CarrierEvent};
use crate::domain::event::{Actor, Door, StreamCounters, StreamEnd};
use crate::domain::{CallEvent, Disposition, StreamSid};

/// Goes on, or the stream ends now, and why.
pub(super) type Flow = ControlFlow<StreamEnd>;

/// Messages in a row that are none of the agent's protocol. After so many it is not an agent.
const MAX_GARBAGE: u32 = 8;

/// Nobody speaks faster, 25 letters a second; voices for the telephone say some 16.
const FASTEST_LETTER: Duration = Duration::from_millis(40);

/// Whose turn it is in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Listening,
    /// The caller has spoken, the agent has not answered.
    Thinking,
    /// Agent audio is out that the caller has not heard to its end.
    Speaking,
}

/// See [`Session`](super::Session) for the fields' order.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Stream {
    sid: StreamSid,
    pub(super) terms: Box<Terms>,
    pub(super) tools: Tools,
    /// Kept only where another agent may have to go on with it.
    pub(super) story: Story,
    /// When the caller's words came that no turn has answered yet.
    pub(super) asked: Option<Instant>,
    pub(super) agent: AgentLink,
    pub(super) phase: Phase,
    /// None while everything is as usual.
    pub(super) control: Option<Box<Control>>,
    last_media: Instant,
    pub(super) counters: StreamCounters,
    pub(super) last_agent: Instant,
    pub(super) last_agent_audio: Instant,
    /// Shared with all other streams.
    pub(super) config: Arc<SessionConfig>,
    pub(super) playout: Playout,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// No agent is ready. What the caller says and presses waits for it.
    ConnectingAgent(Box<Waiting>),
    Conversing(Turn),
    /// The agent is done; its last words are on the way to the caller's ear.
    Draining(Goodbye),
    /// The carrier was asked to end the call.
    HangingUp {
        cause: StreamEnd,
    },
}

/// How the call is to be ended once the last words were heard.
#[derive(Debug)]
pub(super) struct Goodbye {
    cause: StreamEnd,
    disposition: Disposition,
    /// Since when it goes on. Whatever the agent adds, there is a limit to it.
    since: Instant,
}

impl Stream {
    pub(super) fn new(config: Arc<SessionConfig>, sid: StreamSid, terms: Box<Terms>, now: Instant) -> Self {
        Self {
            sid,
            terms,
            tools: Tools::default(),
            story: Story::default(),
            asked: None,
            agent: AgentLink::new(now),
            phase: Phase::ConnectingAgent(Box::default()),
            control: None,
            last_media: now,
            counters: StreamCounters::default(),
            last_agent: now,
            last_agent_audio: now,
            playout: Playout::new(config.mark_spacing, now),
            config,
        }
    }

    /// Sets the stream going.
    pub(super) fn begin(&mut self, desk: &mut Desk, warmed: bool, now: Instant) {
        desk.timers.set(Timer::CarrierSilence, now, self.config.carrier_silence);
        desk.timers.set(Timer::MaxDuration, now, self.terms.max_duration);
        if let Some(until) = self.terms.max_duration.checked_sub(self.terms.warn_before_end)
            && !self.terms.warn_before_end.is_zero()
        {
            desk.timers.set(Timer::EndWarning, now, until);
        }
        if let Some(by) = self.terms.operator.take() {
            return self.begin_with_operator(desk, by);
        }
        if let Some(limit) = self.terms.hold_back {
            self.control().is_held_back = true;
            desk.timers.set(Timer::HeldBack, now, limit);
        } else {
            desk.timers.set(Timer::AgentReady, now, self.ready_limit());
        }
        if let Phase::ConnectingAgent(waiting) = &mut self.phase {
            for text in std::mem::take(&mut self.terms.notes) {
                waiting.note(AgentCommand::Context { text });
            }
        }
        if let Some(limit) = self.terms.recognition {
            desk.timers.set(Timer::Recognition, now, limit);
        }
        self.agent.is_warm = warmed;
        self.dial(desk);
    }

    pub(super) fn sid(&self) -> &StreamSid {
        &self.sid
    }

    pub(super) fn turn(&self) -> Option<Turn> {
        match self.phase {
            Phase::Conversing(turn) => Some(turn),
            Phase::ConnectingAgent(_) | Phase::Draining(_) | Phase::HangingUp { .. } => None,
        }
    }

    /// Lets go of the agent and sums up.
    pub(super) fn close(&mut self, desk: &mut Desk, now: Instant) -> StreamCounters {
        self.tell_keys(desk);
        self.let_agent_go(desk);
        self.void_early();
        self.record_unplayed(desk);
        let heard = u64::try_from(self.playout.total_heard(now).as_millis()).unwrap_or(u64::MAX);
        StreamCounters { heard_ms: heard, ..self.counters }
    }

    pub(super) fn handle_input(&mut self, desk: &mut Desk, now: Instant, input: Input) -> Flow {
        match input {
            Input::Carrier(event) => self.handle_carrier(desk, now, event),
            Input::CarrierMalformed => {
                self.counters.malformed_messages = self.counters.malformed_messages.saturating_add(1);
                Flow::Continue(())
            }
            Input::CarrierClosed => Flow::Break(self.end_by_carrier(StreamEnd::CarrierClosed)),
            Input::CarrierFaulted => Flow::Break(StreamEnd::CarrierFault),
            Input::Admitted { .. } | Input::Refused => Flow::Continue(()),
            Input::AgentConnected { warmed } => self.handle_agent_connected(desk, warmed),
            Input::AgentDialFailed { reason, retryable } => self.handle_dial_failed(desk, now, &reason, retryable),
            Input::Agent(event) if self.agent.is_there => self.handle_agent(desk, now, event),
            Input::AgentMalformed if self.agent.is_there => {
                self.last_agent = now;
                self.counters.malformed_messages = self.counters.malformed_messages.saturating_add(1);
                self.agent.garbage += 1;
                if self.agent.garbage >= MAX_GARBAGE {
                    return self.give_agent_up(desk, now, "the agent says nothing that makes sense".to_owned());
                }
                Flow::Continue(())
            }
            Input::AgentUnsupported(reason) if self.agent.is_there => self.give_agent_up(desk, now, reason),
            Input::AgentClosed { code, reason } if self.agent.is_there => {
                self.handle_agent_closed(desk, now, code, &reason)
            }
            Input::Agent(_) | Input::AgentMalformed | Input::AgentUnsupported(_) | Input::AgentClosed { .. } => {
                Flow::Continue(())
            }
            Input::Written => {
                self.playout.note_written(now);
                Flow::Continue(())
            }
            Input::CallerAudioDropped { bytes } => {
                self.counters.caller_dropped_bytes += bytes;
                Flow::Continue(())
            }
            Input::Command(command) => self.handle_command(desk, now, command),
            Input::JournalFull => {
                if !matches!(self.phase, Phase::HangingUp { .. }) {
                    desk.record_hang_up(system("journal_full"), Disposition::Failed);
                    desk.put(Output::HangUp(Disposition::Failed));
                }
                Flow::Break(StreamEnd::JournalFull)
            }
            Input::Timeout => self.handle_timeout(desk, now),
        }
    }

    fn handle_carrier(&mut self, desk: &mut Desk, now: Instant, event: CarrierEvent) -> Flow {
        match event {
            CarrierEvent::Media(chunk) => self.handle_media(desk, now, chunk),
            CarrierEvent::Mark(name) => {
                self.playout.acknowledge(&name, now);
                self.record_opened(desk, now);
                self.return_marks(desk, &name);
                self.record_heard(desk);
                if self.playout.is_quiet()
                    && let Phase::Conversing(turn @ Turn::Speaking) = &mut self.phase
                {
                    *turn = Turn::Listening;
                }
                self.go_on_draining(desk, now);
            }
            CarrierEvent::Dtmf(digit) => self.press(desk, now, digit),
            CarrierEvent::Stop => return Flow::Break(self.end_by_carrier(StreamEnd::CarrierStop)),
            CarrierEvent::Connected => {}
            // A stream starts once.
            CarrierEvent::Start(_) => {
                self.counters.malformed_messages = self.counters.malformed_messages.saturating_add(1);
            }
            CarrierEvent::Unknown => {
                self.counters.unknown_messages = self.counters.unknown_messages.saturating_add(1);
            }
        }
        Flow::Continue(())
    }

    fn handle_media(&mut self, desk: &mut Desk, now: Instant, chunk: MulawChunk) {
        self.last_media = now;
        if chunk.is_empty() {
            return;
        }
        self.counters.caller_bytes += chunk.len() as u64;
        // The agent goes on getting audio, since vendors give up on a caller who sends none.
        let chunk = if self.is_held() { MulawChunk::silence(chunk.len()) } else { chunk };
        match &mut self.phase {
            Phase::ConnectingAgent(waiting) => {
                let limit = mulaw_bytes(self.config.caller_buffer);
                self.counters.caller_dropped_bytes += waiting.keep(chunk, limit);
            }
            Phase::Conversing(_) | Phase::Draining(_) if self.agent.is_there => {
                desk.put(Output::ToAgent(AgentCommand::Audio(chunk)));
            }
            Phase::Conversing(_) | Phase::Draining(_) | Phase::HangingUp { .. } => {}
        }
    }

    /// The carrier ended the stream. Where we had asked for it, the reason is ours.
    fn end_by_carrier(&self, cause: StreamEnd) -> StreamEnd {
        match self.phase {
            Phase::HangingUp { cause } => cause,
            Phase::ConnectingAgent(_) | Phase::Conversing(_) | Phase::Draining(_) => cause,
        }
    }

    fn handle_command(&mut self, desk: &mut Desk, now: Instant, command: Command) -> Flow {
        match command {
            Command::HangUp { by, disposition } => match &mut self.phase {
                Phase::HangingUp { .. } => {}
                Phase::Draining(goodbye) if by.door == Door::Agent => {
                    goodbye.disposition = disposition;
                    goodbye.cause = StreamEnd::HungUp;
                    desk.record_hang_up(by, disposition);
                }
                Phase::Conversing(_) if by.door == Door::Agent => {
                    desk.record_hang_up(by, disposition);
                    self.drain(desk, now, disposition, StreamEnd::HungUp);
                }
                Phase::ConnectingAgent(_) | Phase::Conversing(_) | Phase::Draining(_) => {
                    desk.record_hang_up(by, disposition);
                    self.hang_up(desk, now, disposition, StreamEnd::HungUp);
                }
            },
            Command::Context { text } => self.tell_agent(desk, AgentCommand::Context { text }),
            Command::UserMessage { text } => self.tell_agent(desk, AgentCommand::UserMessage { text }),
            Command::ToolFinished { id, result, is_error } => self.finish_tool(desk, now, id, result, is_error),
            Command::Steer { by, what } => self.steer(desk, now, by, what),
            Command::Play(what) => self.play(desk, now, what),
            Command::Recognised { variables } => self.recognise(desk, variables),
        }
        Flow::Continue(())
    }

    fn handle_timeout(&mut self, desk: &mut Desk, now: Instant) -> Flow {
        while let Some(timer) = desk.timers.take_due(now) {
            self.handle_timer(desk, now, timer)?;
        }
        Flow::Continue(())
    }

    fn handle_timer(&mut self, desk: &mut Desk, now: Instant, timer: Timer) -> Flow {
        match timer {
            // Over with admission.
            Timer::Start => {}
            Timer::AgentReady => {
                let limit = self.ready_limit().as_secs();
                return self.give_agent_up(desk, now, format!("the agent was not ready within {limit} s"));
            }
            Timer::CarrierSilence => {
                if now.saturating_duration_since(self.last_media) >= self.config.carrier_silence {
                    return Flow::Break(StreamEnd::Silence);
                }
                desk.timers.set(timer, self.last_media, self.config.carrier_silence);
            }
            Timer::AgentIdle => {
                let limit = self.idle_limit();
                let silent = now.saturating_duration_since(self.last_agent);
                if silent >= limit {
                    let reason = format!("the agent said nothing for {} s", limit.as_secs());
                    return self.give_agent_up(desk, now, reason);
                }
                self.probe(desk, timer, silent, limit);
            }
            Timer::MaxDuration => {
                desk.record_hang_up(system("max_duration"), Disposition::Completed);
                self.hang_up(desk, now, Disposition::Completed, StreamEnd::MaxDuration);
            }
            Timer::TrailingMark => {
                if now.saturating_duration_since(self.last_agent_audio) >= self.config.trailing_mark {
                    self.send_end_mark(desk);
                } else {
                    desk.timers.set(timer, self.last_agent_audio, self.config.trailing_mark);
                }
            }
            Timer::Drain => {
                if let Phase::Draining(Goodbye { cause, disposition, .. }) = self.phase {
                    self.hang_up(desk, now, disposition, cause);
                }
            }
            Timer::Keys => self.tell_keys(desk),
            Timer::Utterance => self.end_utterance(desk, now),
            Timer::HoldTone => self.repeat_hold_tone(desk, now),
            Timer::EndWarning => self.warn_of_end(desk),
            Timer::HeldBack => self.release(desk, now),
            Timer::Recognition => self.recognise(desk, BTreeMap::new()),
            Timer::Answer => return self.judge_answer(desk, now),
            Timer::Comfort => self.comfort(desk, now),
            Timer::Nudge => self.nudge(desk),
            Timer::HangUp => {
                if let Phase::HangingUp { cause } = self.phase {
                    return Flow::Break(cause);
                }
            }
        }
        Flow::Continue(())
    }

    /// Lets the agent's last words be played, then hangs up.
    pub(super) fn drain(&mut self, desk: &mut Desk, now: Instant, disposition: Disposition, cause: StreamEnd) {
        self.send_end_mark(desk);
        desk.timers.stop(Timer::AgentIdle);
        self.phase = Phase::Draining(Goodbye { cause, disposition, since: now });
        self.go_on_draining(desk, now);
    }

    /// Sets the drain's deadline by what is left to be played, or hangs up where nothing is and nothing can come.
    pub(super) fn go_on_draining(&mut self, desk: &mut Desk, now: Instant) {
        let Phase::Draining(Goodbye { cause, disposition, since }) = self.phase else { return };
        let is_quiet = self.playout.is_quiet() && !self.is_uttering();
        let wait = match (is_quiet, self.agent.is_there) {
            (true, false) => return self.hang_up(desk, now, disposition, cause),
            (true, true) => self.config.goodbye_pause,
            (false, _) => self.playout.remaining(now).saturating_add(self.config.drain_slack),
        };
        let left = self.config.drain_limit.saturating_sub(now.saturating_duration_since(since));
        desk.timers.set(Timer::Drain, now, wait.min(left));
    }

    fn hang_up(&mut self, desk: &mut Desk, now: Instant, disposition: Disposition, cause: StreamEnd) {
        // The agent's goodbye may be called off, so it is only now a request. The others were recorded when they came.
        if cause == StreamEnd::AgentEnded {
            desk.record_hang_up(Actor::new(Door::Agent, "agent"), disposition);
        }
        desk.put(Output::HangUp(disposition));
        self.let_agent_go(desk);
        desk.timers.stop_all();
        desk.timers.set(Timer::HangUp, now, self.config.hang_up_limit);
        self.phase = Phase::HangingUp { cause };
    }

    pub(super) fn let_agent_go(&mut self, desk: &mut Desk) {
        if std::mem::take(&mut self.agent.is_there) {
            desk.put(Output::CloseAgent);
        }
    }

    /// Says something to the agent that is not audio: now, or when it is ready. An agent that has left hears nothing more.
    pub(super) fn tell_agent(&mut self, desk: &mut Desk, command: AgentCommand) {
        match &mut self.phase {
            Phase::ConnectingAgent(waiting) => {
                waiting.note(command);
            }
            Phase::Conversing(_) | Phase::Draining(_) if self.agent.is_there => desk.put(Output::ToAgent(command)),
            Phase::Conversing(_) | Phase::Draining(_) | Phase::HangingUp { .. } => {}
        }
    }

    pub(super) fn send_end_mark(&mut self, desk: &mut Desk) {
        if let Some(mark) = self.playout.end_mark() {
            desk.put(Output::ToCarrier(CarrierCommand::Mark(mark)));
        }
    }

    /// Whether the agent has yet to say what the law wants said first.
    pub(super) fn has_to_open(&self) -> bool {
        self.terms.initiation.first_message.is_some()
    }

    /// Whether what was heard can be all of what has to be said first. Of an agent that was lost nobody knows whether it came to the
    /// end; and one that falters is not through sooner than anybody can speak.
    fn may_be_opening(&mut self, heard: &Heard) -> bool {
        let is_there = self.agent.is_there || matches!(self.phase, Phase::Draining(_));
        if !is_there || heard.turn < self.agent.turn_base {
            return false;
        }
        // After a pause the rest comes as a turn of its own, or as the same one, longer.
        self.agent.heard.insert(heard.turn, heard.duration);
        let letters = self.terms.initiation.first_message.as_ref().map_or(0, |text| text.chars().count());
        let fastest = FASTEST_LETTER.saturating_mul(u32::try_from(letters).unwrap_or(u32::MAX));
        self.agent.heard.values().sum::<Duration>() >= fastest
    }

    pub(super) fn record_heard(&mut self, desk: &mut Desk) {
        while let Some(heard) = self.playout.poll_heard() {
            let heard_ms = millis(heard.duration);
            match heard.speaker {
                Speaker::Agent => {
                    if self.has_to_open() && !self.may_be_opening(&heard) {
                        continue;
                    }
                    // What had to be said first was said: an agent that takes over does not say it again.
                    self.terms.initiation.first_message = None;
                    desk.record(CallEvent::TurnHeard { turn: heard.turn, heard_ms });
                }
                Speaker::House(utterance) => {
                    desk.record(CallEvent::OwnAudioHeard { utterance, heard_ms, sent_ms: heard_ms });
                }
                Speaker::Operator => {}
            }
        }
    }
}

/// Clearline itself, asking for something.
fn system(name: &str) -> Actor {
    Actor::new(Door::System, name)
}

pub(super) fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
