//! Another agent takes the place of the one that was lost, within the same stream: what it is told, what the caller hears meanwhile,
//! and the watch over an agent that is there and does not answer.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Desk;
use super::agent_side::fail_agent;
use super::playout::Speaker;
use super::stream::{Flow, Phase, Stream};
use super::timer::Timer;
use super::words::Output;
use crate::domain::agent_link::{AgentCommand, Initiation};
use crate::domain::{AgentRef, CallEvent};

/// The most that is kept of a conversation for an agent that may have to take it over, in bytes. The end is what matters.
const STORY_BYTES: usize = 6_000;

/// How long an agent may take to be ready where another one can take its place: not longer than it takes the caller to wonder.
const STAND_IN_READY: Duration = Duration::from_secs(2);

/// Without any message from an agent for so long, another one takes its place.
const STAND_IN_IDLE: Duration = Duration::from_secs(10);

/// After an agent was lost: how long the caller hears nothing before the comfort tone; and then from one tone to the next.
const COMFORT_AFTER: Duration = Duration::from_millis(600);
const COMFORT_EVERY: Duration = Duration::from_secs(2);

/// The same while an agent waits for a tool, whose answer usually comes sooner.
const COMFORT_IN_TOOL: Duration = Duration::from_millis(1_500);

/// An agent that took a call over and says nothing by itself for so long is asked to go on: the caller waits for it. One with a
/// greeting has begun it by then.
const NUDGE_AFTER: Duration = Duration::from_millis(400);

/// Said for the caller to an agent that took over and has nothing to answer.
const GO_ON: &str = "(The caller is still on the line. Go on with the conversation.)";

/// The same where nothing was said yet: agents that stand in have no greeting of their own.
const GREET: &str = "(The caller has just been connected with you. Greet them.)";

/// What was said so far, for whoever has to go on with it.
#[derive(Debug, Default)]
pub(super) struct Story {
    lines: VecDeque<Line>,
    bytes: usize,
}

#[derive(Debug)]
struct Line {
    /// The agent's turn; none for the caller's words.
    turn: Option<u64>,
    text: String,
}

impl Story {
    pub(super) fn add(&mut self, turn: Option<u64>, text: &str) {
        self.bytes += text.len();
        self.lines.push_back(Line { turn, text: text.to_owned() });
        while self.bytes > STORY_BYTES
            && let Some(oldest) = self.lines.pop_front()
        {
            self.bytes -= oldest.text.len();
        }
    }

    /// Of the agent's turn only this was heard.
    pub(super) fn cut(&mut self, turn: u64, heard: &str) {
        if let Some(line) = self.lines.iter_mut().rev().find(|line| line.turn == Some(turn)) {
            self.bytes = self.bytes + heard.len() - line.text.len();
            heard.clone_into(&mut line.text);
        }
    }

    fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// None while nothing was said.
    fn told(&self) -> Option<String> {
        let line = |line: &Line| format!("{}: {}", if line.turn.is_some() { "You" } else { "Caller" }, line.text);
        let lines: Vec<_> = self.lines.iter().filter(|line| !line.text.is_empty()).map(line).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// What the caller said last, if nobody has answered it.
    fn unanswered(&self) -> Option<&str> {
        self.lines.back().filter(|line| line.turn.is_none()).map(|line| &*line.text)
    }
}

impl Stream {
    /// The agent that has the call, by name where it has one.
    pub(super) fn agent_name(&self) -> Option<AgentRef> {
        self.terms.agents.get(self.agent.place).cloned()
    }

    pub(super) fn has_stand_in(&self) -> bool {
        self.agent.place + 1 < self.terms.agents.len()
    }

    /// How long an agent may take to be ready.
    pub(super) fn ready_limit(&self) -> Duration {
        if self.has_stand_in() { STAND_IN_READY } else { self.config.agent_ready_limit }
    }

    /// How long an agent may say nothing at all.
    pub(super) fn idle_limit(&self) -> Duration {
        if self.has_stand_in() { STAND_IN_IDLE.min(self.config.agent_idle) } else { self.config.agent_idle }
    }

    /// What an agent is told first.
    pub(super) fn initiation(&self) -> Initiation {
        let so_far = if self.agent.place > 0 { self.story.told() } else { None };
        Initiation { so_far, ..self.terms.initiation.clone() }
    }

    /// The agent is gone for good: the next one takes its place. Where there is none the stream ends, unless somebody else has the
    /// caller.
    pub(super) fn give_agent_up(&mut self, desk: &mut Desk, now: Instant, reason: String) -> Flow {
        let agent = self.agent_name();
        let alone = self.goes_on_alone();
        if !alone && !self.has_stand_in() {
            return fail_agent(desk, agent, reason);
        }
        desk.record(CallEvent::AgentLost { agent, reason, will_retry: false });
        if std::mem::take(&mut self.agent.is_there) {
            desk.put(Output::CloseAgent);
        }
        self.agent.is_warm = false;
        self.tools.disown();
        self.agent.marks.clear();
        desk.timers.stop(Timer::Answer);
        desk.timers.stop(Timer::AgentIdle);
        if alone {
            self.go_on_without_agent(desk);
        } else {
            self.call_stand_in(desk, now);
        }
        Flow::Continue(())
    }

    fn call_stand_in(&mut self, desk: &mut Desk, now: Instant) {
        self.agent.place += 1;
        self.agent.retries_left = 1;
        self.agent.lost_at = now;
        self.agent.bytes_before = self.agent_bytes();
        // Every agent counts its turns from the beginning; in the journal no two turns of a stream are called the same.
        self.agent.turn_base = self.agent.last_turn + 1;
        self.send_end_mark(desk);
        self.playout.end_turns();
        self.playout.forget_turns();
        if let Some(by) = self.agent_name() {
            desk.record(CallEvent::AgentReplaced { by });
        }
        let waiting = match &mut self.phase {
            Phase::ConnectingAgent(waiting) => std::mem::take(waiting),
            Phase::Conversing(_) | Phase::Draining(_) | Phase::HangingUp { .. } => Box::default(),
        };
        self.phase = Phase::ConnectingAgent(waiting);
        if !self.is_held_back() {
            desk.timers.set(Timer::AgentReady, now, self.ready_limit());
            desk.timers.set(Timer::Comfort, now, COMFORT_AFTER);
        }
        self.dial(desk);
    }

    /// The agent is ready. One that takes over in the middle of something learns of it, and is expected to speak.
    pub(super) fn brief_agent(&mut self, desk: &mut Desk, now: Instant) {
        if self.agent.place == 0 {
            return;
        }
        if let Some(told) = self.story.told() {
            desk.put(Output::ToAgent(AgentCommand::Context { text: take_over_text(&told) }));
        }
        desk.timers.set(Timer::Nudge, now, NUDGE_AFTER);
    }

    /// The agent waits for a tool, and the caller for the agent.
    pub(super) fn expect_tool(&mut self, desk: &mut Desk, now: Instant) {
        if matches!(self.phase, Phase::Conversing(_)) {
            desk.timers.start(Timer::Comfort, now, self.playout.remaining(now).saturating_add(COMFORT_IN_TOOL));
        }
    }

    /// Nobody speaks yet after a loss, or a tool has no answer yet: the caller hears that the call goes on.
    pub(super) fn comfort(&mut self, desk: &mut Desk, now: Instant) {
        let takes_over = self.agent.place > 0 && !self.agent_has_spoken();
        let pause = match self.phase {
            Phase::ConnectingAgent(_) => COMFORT_AFTER,
            Phase::Conversing(_) if self.agent_is_silenced() => return,
            Phase::Conversing(_) if takes_over => COMFORT_AFTER,
            Phase::Conversing(_) if self.tools.are_awaited() => COMFORT_IN_TOOL,
            Phase::Conversing(_) | Phase::Draining(_) | Phase::HangingUp { .. } => return,
        };
        if self.is_uttering() {
            return;
        }
        let Some(tone) = self.terms.comfort.clone() else { return };
        let playing = self.playout.remaining(now);
        if playing.is_zero() {
            self.send_own(desk, now, Speaker::Operator, tone);
            desk.timers.set(Timer::Comfort, now, COMFORT_EVERY);
        } else {
            desk.timers.set(Timer::Comfort, now, playing.saturating_add(pause));
        }
    }

    /// The agent that took over waits for the caller, who waits for the agent.
    pub(super) fn nudge(&mut self, desk: &mut Desk) {
        // One that has to open the call speaks by itself, and is not to be led away from it.
        let may_wait = self.has_to_open() || self.agent_has_spoken() || self.agent_is_silenced();
        if matches!(self.phase, Phase::Conversing(_)) && !may_wait {
            let go_on = if self.story.is_empty() { GREET } else { GO_ON };
            let text = self.story.unanswered().unwrap_or(go_on).to_owned();
            self.tell_agent(desk, AgentCommand::UserMessage { text });
        }
    }

    /// The caller said something: the agent is to answer, where another one could.
    pub(super) fn expect_answer(&mut self, desk: &mut Desk, now: Instant) {
        if self.has_stand_in() && !self.config.answer_limit.is_zero() && !self.agent_is_silenced() {
            self.agent.bytes_asked = Some(self.agent_bytes());
            desk.timers.set(Timer::Answer, now, self.config.answer_limit);
        }
    }

    /// The agent is at work on its answer.
    pub(super) fn is_answering(&mut self, desk: &mut Desk) {
        if self.agent.bytes_asked.take().is_some() {
            desk.timers.stop(Timer::Answer);
        }
    }

    /// The time for an answer is over.
    pub(super) fn judge_answer(&mut self, desk: &mut Desk, now: Instant) -> Flow {
        let silent = self.agent.bytes_asked.take() == Some(self.agent_bytes());
        if !silent || !matches!(self.phase, Phase::Conversing(_)) || !self.has_stand_in() || self.agent_is_silenced() {
            return Flow::Continue(());
        }
        let limit = self.config.answer_limit.as_secs_f32();
        self.give_agent_up(desk, now, format!("the agent did not answer the caller within {limit} s"))
    }

    /// Whether the caller could hear this agent already, or could have but for somebody who silenced it.
    pub(super) fn agent_has_spoken(&self) -> bool {
        self.agent_bytes() > self.agent.bytes_before
    }

    /// The agent has said nothing for so long. After half its time it is asked whether it is there.
    pub(super) fn probe(&mut self, desk: &mut Desk, timer: Timer, silent: Duration, limit: Duration) {
        let is_half_over = silent >= limit / 2;
        if is_half_over {
            desk.put(Output::ToAgent(AgentCommand::Probe));
        }
        desk.timers.set(timer, self.last_agent, if is_half_over { limit } else { limit / 2 });
    }

    /// All that agents sent on this stream, whatever became of it.
    fn agent_bytes(&self) -> u64 {
        self.counters.agent_bytes + self.counters.agent_withheld_bytes
    }
}

fn take_over_text(told: &str) -> String {
    format!(
        "You take over a phone call that is under way. Do not greet the caller again and do not mention a change: go on from here. \
         The last sentence may have been cut off. What was said so far:\n{told}"
    )
}
