//! The agent's side of an admitted stream: dialling and losing it, what it says, barge-in, tools, its goodbye.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Desk;
use super::playout::Pushed;
use super::stream::{Flow, Phase, Stream, Turn, millis};
use super::timer::Timer;
use super::tools::Opened;
use super::words::Output;
use crate::domain::agent_link::{AgentCommand, AgentEvent, ToolCall};
use crate::domain::audio::MulawChunk;
use crate::domain::carrier_stream::CarrierCommand;
use crate::domain::event::StreamEnd;
use crate::domain::{AgentRef, CallEvent, Disposition};

/// The most that is kept of a reason that an agent gives.
const MAX_REASON_CHARS: usize = 300;

/// A piece of the agent's audio on its way to the caller.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) chunk: MulawChunk,
    pub(super) turn: u64,
    /// When it came from the agent.
    pub(super) came: Instant,
}

/// The agent's socket and how many more may be tried.
#[derive(Debug)]
#[repr(C)]
pub(super) struct AgentLink {
    /// Which of [`Terms::agents`](super::Terms::agents) it is.
    pub(super) place: usize,
    pub(super) attempt: u32,
    /// The attempt that runs uses a socket opened before the stream. If that died, nobody is to notice.
    pub(super) is_warm: bool,
    pub(super) retries_left: u32,
    /// What the agent itself said of its trouble.
    pub(super) trouble: Option<String>,
    /// The agent's marks that are out, each with the number of ours that stands for it.
    pub(super) marks: VecDeque<(u64, String)>,
    /// Since when the caller waits for this agent: the stream's start, or the loss of the one before.
    pub(super) lost_at: Instant,
    /// What the agents before this one had sent.
    pub(super) bytes_before: u64,
    /// What had been sent when the caller said something that is not answered yet.
    pub(super) bytes_asked: Option<u64>,
    /// How much of its turns was heard, while it has to open the call.
    pub(super) heard: BTreeMap<u64, Duration>,
    /// What is added to the turns of this agent, and the highest turn so far.
    pub(super) turn_base: u64,
    pub(super) last_turn: u64,
    /// Messages in a row that made no sense.
    pub(super) garbage: u32,
    /// Whether a socket is open or being opened.
    pub(super) is_there: bool,
    /// The socket is open, and nothing was said on it yet.
    pub(super) is_fresh: bool,
}

impl AgentLink {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            place: 0,
            attempt: 0,
            is_warm: false,
            retries_left: 1,
            trouble: None,
            marks: VecDeque::new(),
            lost_at: now,
            bytes_before: 0,
            bytes_asked: None,
            heard: BTreeMap::new(),
            turn_base: 0,
            last_turn: 0,
            garbage: 0,
            is_there: false,
            is_fresh: false,
        }
    }
}

impl Stream {
    pub(super) fn dial(&mut self, desk: &mut Desk) {
        self.void_early();
        self.agent.is_there = true;
        self.agent.attempt += 1;
        self.agent.trouble = None;
        self.agent.is_fresh = false;
        self.agent.garbage = 0;
        self.agent.heard.clear();
        desk.put(Output::DialAgent { attempt: self.agent.attempt, agent: self.agent.place });
    }

    pub(super) fn handle_agent_connected(&mut self, desk: &mut Desk, warmed: bool) -> Flow {
        if self.agent.is_there && matches!(self.phase, Phase::ConnectingAgent(_)) {
            self.agent.is_warm = warmed;
            self.agent.is_fresh = true;
            self.initiate(desk);
        }
        Flow::Continue(())
    }

    /// Says the first message to an agent that is connected, unless it has to wait for something.
    pub(super) fn initiate(&mut self, desk: &mut Desk) {
        let has_to_wait = self.is_held_back() || self.terms.recognition.is_some();
        if !has_to_wait && matches!(self.phase, Phase::ConnectingAgent(_)) && std::mem::take(&mut self.agent.is_fresh) {
            desk.put(Output::ToAgent(AgentCommand::Initiate(Box::new(self.initiation()))));
        }
    }

    /// Who the other party is, as far as it is known, or that nobody found out in time. What comes too late is still told to an
    /// agent that takes over.
    pub(super) fn recognise(&mut self, desk: &mut Desk, variables: BTreeMap<String, Value>) {
        desk.timers.stop(Timer::Recognition);
        self.terms.recognition = None;
        self.terms.initiation.dynamic_variables.extend(variables);
        self.initiate(desk);
    }

    pub(super) fn handle_dial_failed(&mut self, desk: &mut Desk, now: Instant, reason: &str, retryable: bool) -> Flow {
        if self.agent.is_there && matches!(self.phase, Phase::ConnectingAgent(_)) {
            self.agent.is_there = false;
            return self.lose_agent(desk, now, reason, retryable);
        }
        Flow::Continue(())
    }

    /// The socket is gone. After the agent's own end that is its goodbye; before its first audio another may be tried, since no one
    /// would notice; in mid-conversation it is the stream's end, since a new socket would be a new conversation.
    pub(super) fn handle_agent_closed(
        &mut self,
        desk: &mut Desk,
        now: Instant,
        code: Option<u16>,
        reason: &str,
    ) -> Flow {
        self.agent.is_there = false;
        match &self.phase {
            Phase::ConnectingAgent(_) => self.lose_agent(desk, now, &closing_words(code, reason), is_retryable(code)),
            // Somebody else has the caller.
            Phase::Conversing(_) if self.goes_on_alone() => {
                let agent = self.agent_name();
                desk.record(CallEvent::AgentLost { agent, reason: closing_words(code, reason), will_retry: false });
                self.go_on_without_agent(desk);
                Flow::Continue(())
            }
            Phase::Conversing(_) if is_normal(code) && self.agent_has_spoken() => {
                self.drain(desk, now, Disposition::Completed, StreamEnd::AgentEnded);
                Flow::Continue(())
            }
            Phase::Conversing(_) => {
                let retryable = is_retryable(code) && !self.agent_has_spoken();
                self.lose_agent(desk, now, &closing_words(code, reason), retryable)
            }
            Phase::Draining(_) => {
                self.send_end_mark(desk);
                self.go_on_draining(desk, now);
                Flow::Continue(())
            }
            Phase::HangingUp { .. } => Flow::Continue(()),
        }
    }

    pub(super) fn handle_agent(&mut self, desk: &mut Desk, now: Instant, event: AgentEvent) -> Flow {
        self.last_agent = now;
        self.agent.garbage = 0;
        let Some(event) = self.keep_early(event) else { return Flow::Continue(()) };
        let base = self.agent.turn_base;
        match event {
            AgentEvent::Audio { chunk, turn } => {
                self.handle_agent_audio(desk, now, Piece { chunk, turn: base.saturating_add(turn), came: now });
            }
            AgentEvent::Interrupted { turn } => self.barge_in(desk, now, base.saturating_add(turn)),
            AgentEvent::Ping { id } => desk.put(Output::ToAgent(AgentCommand::Pong { id })),
            AgentEvent::Ready { conversation_id, caller_audio, agent_audio } => {
                let event = CallEvent::AgentConnected {
                    conversation_id,
                    caller_audio,
                    agent_audio,
                    warmed: self.agent.is_warm,
                    ready_ms: millis(now.saturating_duration_since(self.agent.lost_at)),
                };
                return self.converse(desk, now, event);
            }
            AgentEvent::CallerSaid { text } => {
                self.remember(None, &text);
                desk.record(CallEvent::CallerSaid { text });
                self.expect_answer(desk, now);
                self.note_question(now);
                if let Phase::Conversing(turn @ Turn::Listening) = &mut self.phase {
                    *turn = Turn::Thinking;
                }
            }
            AgentEvent::CallerSaying { text } => desk.record(CallEvent::CallerSaying { text }),
            AgentEvent::AgentSaid { turn, text } => {
                let turn = base.saturating_add(turn);
                self.agent.last_turn = self.agent.last_turn.max(turn);
                self.remember(Some(turn), &text);
                self.playout.say(turn, &text);
                desk.record(CallEvent::AgentSaid { turn, text });
                self.withhold_text(desk, turn);
            }
            AgentEvent::AgentCorrected { turn, text } => {
                desk.record(CallEvent::AgentCorrected { turn: base.saturating_add(turn), text });
            }
            AgentEvent::TurnComplete { turn } => {
                self.playout.complete(base.saturating_add(turn));
                self.send_end_mark(desk);
            }
            AgentEvent::ToolCall(call) => {
                self.is_answering(desk);
                self.open_tool(desk, now, call);
            }
            AgentEvent::Mark { name } => self.pass_mark(desk, name),
            AgentEvent::Alive => {}
            AgentEvent::Working => self.is_answering(desk),
            AgentEvent::ApprovalWanted { tool_call_id, service, tool } => {
                let approved = self.terms.approved_tools.contains(&tool)
                    || self.terms.approved_tools.contains(&format!("{service}/{tool}"));
                desk.put(Output::ToAgent(AgentCommand::Approval { id: tool_call_id, approved }));
            }
            AgentEvent::EndCall => {
                if matches!(self.phase, Phase::Conversing(_)) && !self.goes_on_alone() {
                    self.drain(desk, now, Disposition::Completed, StreamEnd::AgentEnded);
                }
            }
            AgentEvent::Failed { code, message } => self.agent.trouble = Some(format!("{code}: {message}")),
            AgentEvent::Other => self.counters.unknown_messages = self.counters.unknown_messages.saturating_add(1),
        }
        Flow::Continue(())
    }

    pub(super) fn finish_tool(&mut self, desk: &mut Desk, now: Instant, id: String, result: String, is_error: bool) {
        let Some(tool) = self.tools.finish(&id) else { return };
        let elapsed_ms = millis(tool.elapsed(now));
        desk.record(CallEvent::ToolAnswered { tool_call_id: id.clone(), name: tool.name, is_error, elapsed_ms });
        if !self.tools.are_awaited() && matches!(self.phase, Phase::Conversing(_)) {
            desk.timers.stop(Timer::Comfort);
        }
        if tool.expects_answer && self.agent.is_there {
            desk.put(Output::ToAgent(AgentCommand::ToolResult { id, result, is_error }));
        }
    }

    /// The agent told its formats: what waited for it goes out, and the conversation begins. Said again, it changes nothing.
    fn converse(&mut self, desk: &mut Desk, now: Instant, connected: CallEvent) -> Flow {
        let Phase::ConnectingAgent(waiting) = &mut self.phase else { return Flow::Continue(()) };
        // What it has begun is not what was to be begun: it knows neither the caller nor what has to be said first.
        if self.agent.is_fresh {
            self.let_agent_go(desk);
            return self.lose_agent(desk, now, "the agent began before it was told who calls", true);
        }
        let mut waiting = std::mem::take(waiting);
        let early = std::mem::take(&mut waiting.early);
        self.phase = Phase::Conversing(Turn::Listening);
        self.agent.is_warm = false;
        desk.timers.stop(Timer::AgentReady);
        desk.timers.set(Timer::AgentIdle, now, self.idle_limit() / 2);
        desk.record(connected);
        self.brief_agent(desk, now);
        waiting.into_commands().for_each(|command| desk.put(Output::ToAgent(command)));
        self.hear_early(desk, now, early)
    }

    pub(super) fn handle_agent_audio(&mut self, desk: &mut Desk, now: Instant, piece: Piece) {
        let (bytes, turn, came) = (piece.chunk.len() as u64, piece.turn, piece.came);
        if bytes == 0 {
            return;
        }
        self.agent.last_turn = self.agent.last_turn.max(turn);
        let chunk = match &self.control {
            None => piece.chunk,
            Some(_) => match self.withhold(piece) {
                Some(chunk) => chunk,
                None => return,
            },
        };
        match &mut self.phase {
            Phase::Conversing(whose) if !self.playout.is_void(turn) => *whose = Turn::Speaking,
            Phase::Draining(_) if !self.playout.is_void(turn) => {}
            // Of a turn that was talked over; or before the conversation, and more than is kept.
            Phase::ConnectingAgent(_) | Phase::Conversing(_) | Phase::Draining(_) | Phase::HangingUp { .. } => {
                self.counters.agent_void_bytes += bytes;
                return;
            }
        }
        self.counters.agent_bytes += bytes;
        self.last_agent_audio = now;
        let pushed = self.playout.push(turn, bytes, now);
        desk.put(Output::ToCarrier(CarrierCommand::Media(chunk)));
        if pushed != Pushed::GoesOn {
            desk.put(Output::ToCarrier(CarrierCommand::Mark(self.playout.mark())));
        }
        if let Pushed::Begins { audio } = pushed {
            self.open_turn(desk, came, audio);
        }
        desk.timers.start(Timer::TrailingMark, now, self.config.trailing_mark);
        self.go_on_draining(desk, now);
    }

    /// The caller talked over the agent. The carrier's buffer goes first; a goodbye is off, since the agent is still there.
    fn barge_in(&mut self, desk: &mut Desk, now: Instant, turn: u64) {
        // The disclosure is not talked over, whatever the vendor's settings are by now: what is sent of it is heard.
        if self.has_to_open() {
            return;
        }
        if !matches!(self.phase, Phase::Conversing(_) | Phase::Draining(_)) || self.interrupt_withheld(turn) {
            return;
        }
        if !self.playout.is_quiet() || !self.playout.is_void(turn) {
            desk.put(Output::ToCarrier(CarrierCommand::Clear));
        }
        self.record_unplayed(desk);
        let cut = self.playout.interrupt(turn, now);
        desk.timers.stop(Timer::TrailingMark);
        self.record_cut(desk, cut);
        if matches!(self.phase, Phase::Draining(_)) {
            desk.timers.stop(Timer::Drain);
            desk.timers.set(Timer::AgentIdle, now, self.idle_limit() / 2);
        }
        self.phase = Phase::Conversing(Turn::Listening);
    }

    fn open_tool(&mut self, desk: &mut Desk, now: Instant, call: ToolCall) {
        match self.tools.open(&call, now) {
            Opened::Repeated => {}
            Opened::TooMany => {
                if call.expects_answer {
                    let result = "Too many tools run at once. Wait for one to finish.".to_owned();
                    desk.put(Output::ToAgent(AgentCommand::ToolResult { id: call.id, result, is_error: true }));
                }
            }
            Opened::Run => {
                desk.record(CallEvent::ToolCalled {
                    tool_call_id: call.id.clone(),
                    name: call.name.clone(),
                    arguments: call.arguments.clone(),
                });
                desk.put(Output::RunTool(Box::new(call)));
                self.expect_tool(desk, now);
            }
        }
    }

    /// Keeps what was said, where another agent may have to go on with it.
    fn remember(&mut self, turn: Option<u64>, text: &str) {
        if self.terms.agents.len() > 1 {
            self.story.add(turn, text);
        }
    }

    /// A dial failed or a socket died before the agent was heard.
    fn lose_agent(&mut self, desk: &mut Desk, now: Instant, reason: &str, retryable: bool) -> Flow {
        let silently = std::mem::take(&mut self.agent.is_warm);
        if !silently {
            let reason = self.agent.trouble.take().unwrap_or_else(|| reason.to_owned());
            let reason: String = reason.chars().take(MAX_REASON_CHARS).collect();
            if !retryable || self.agent.retries_left == 0 {
                return self.give_agent_up(desk, now, reason);
            }
            self.agent.retries_left -= 1;
            desk.record(CallEvent::AgentLost { agent: self.agent_name(), reason, will_retry: true });
        }
        if !matches!(self.phase, Phase::ConnectingAgent(_)) {
            self.phase = Phase::ConnectingAgent(Box::default());
            self.playout.forget_turns();
            desk.timers.stop(Timer::AgentIdle);
            desk.timers.set(Timer::AgentReady, now, self.ready_limit());
        }
        self.dial(desk);
        Flow::Continue(())
    }
}

/// The agent is of no use: the stream ends, and the carrier goes on with its document.
pub(super) fn fail_agent(desk: &mut Desk, agent: Option<AgentRef>, reason: String) -> Flow {
    desk.record(CallEvent::AgentLost { agent, reason, will_retry: false });
    Flow::Break(StreamEnd::AgentFailed)
}

/// Whether the agent took its leave: 1000, or 1005 for a close that names no code (RFC 6455, 7.4.1).
fn is_normal(code: Option<u16>) -> bool {
    matches!(code, Some(1000 | 1005))
}

/// Whether another conversation could go better: after a broken socket (RFC 6455 calls it 1006), a server that goes away (1001),
/// crashed (1011), restarts (1012) or asks to come again (1013). Every other code is the agent's considered answer.
fn is_retryable(code: Option<u16>) -> bool {
    matches!(code, None | Some(1001 | 1006 | 1011 | 1012 | 1013))
}

fn closing_words(code: Option<u16>, reason: &str) -> String {
    match (code, reason) {
        (None, "") => "the agent's socket broke".to_owned(),
        (None, reason) => format!("the agent's socket broke: {reason}"),
        (Some(code), "") => format!("the agent closed the socket with {code}"),
        (Some(code), reason) => format!("the agent closed the socket with {code}: {reason}"),
    }
}
