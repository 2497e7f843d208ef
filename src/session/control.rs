//! Stepping into an admitted stream: messages to the agent, mute, hold, take-over, utterances of ours, keys.
//!
//! What the caller hears has one source at a time. While an utterance of ours is handed over, the agent's audio waits behind it;
//! while the agent is muted, the call is on hold or somebody has taken it over, the agent's audio is lost, counted, and each turn
//! is written down as withheld.

use std::collections::VecDeque;
use std::time::Instant;

use super::Desk;
use super::agent_side::Piece;
use super::playout::{Cut, Speaker};
use super::stream::{Phase, Stream, Turn, millis};
use super::timer::Timer;
use super::waiting::Waiting;
use super::words::{Output, Play, Sound, Steer};
use crate::domain::CallEvent;
use crate::domain::agent_link::AgentCommand;
use crate::domain::audio::{MulawChunk, mulaw_bytes};
use crate::domain::carrier_stream::CarrierCommand;
use crate::domain::event::{Actor, MessageKind};

/// Keys that are told at once; more are another entry.
const MAX_KEYS: usize = 32;

/// What is not as usual on a stream. Most streams never have any of it.
#[derive(Debug, Default)]
pub(super) struct Control {
    muted: bool,
    /// The hold tone.
    hold: Option<MulawChunk>,
    operator: bool,
    /// The agent is not spoken to yet.
    pub(super) is_held_back: bool,
    /// The utterance that is being handed over.
    utterance: Option<u32>,
    /// The agent's audio that came meanwhile.
    waiting: VecDeque<Piece>,
    waiting_bytes: u64,
    /// Keys that the caller pressed and the agent was not told of.
    keys: String,
}

impl Control {
    /// Whether the caller hears nothing of the agent.
    fn silences_agent(&self) -> bool {
        self.muted || self.hold.is_some() || self.operator
    }

    /// Whether the call goes on without an agent.
    fn keeps_call(&self) -> bool {
        self.hold.is_some() || self.operator
    }
}

impl Stream {
    pub(super) fn control(&mut self) -> &mut Control {
        self.control.get_or_insert_default()
    }

    pub(super) fn is_held(&self) -> bool {
        self.control.as_ref().is_some_and(|control| control.hold.is_some())
    }

    pub(super) fn agent_is_silenced(&self) -> bool {
        self.control.as_ref().is_some_and(|control| control.silences_agent())
    }

    /// Whether the call goes on without an agent: somebody else has the caller.
    pub(super) fn goes_on_alone(&self) -> bool {
        self.control.as_ref().is_some_and(|control| control.keeps_call())
    }

    /// Whether it is not known yet who picked up, so that no agent is spoken to.
    pub(super) fn is_held_back(&self) -> bool {
        self.control.as_ref().is_some_and(|control| control.is_held_back)
    }

    /// Whether an utterance of ours has more audio to come.
    pub(super) fn is_uttering(&self) -> bool {
        self.control.as_ref().is_some_and(|control| control.utterance.is_some())
    }

    pub(super) fn steer(&mut self, desk: &mut Desk, now: Instant, by: Actor, what: Steer) {
        if matches!(self.phase, Phase::HangingUp { .. }) {
            return;
        }
        match what {
            Steer::Message { kind, text } => {
                desk.record(CallEvent::AgentMessaged { by, kind, text: text.clone() });
                self.tell_agent(
                    desk,
                    match kind {
                        MessageKind::Context => AgentCommand::Context { text },
                        MessageKind::UserMessage => AgentCommand::UserMessage { text },
                    },
                );
            }
            Steer::Mute => {
                if !std::mem::replace(&mut self.control().muted, true) {
                    self.cut_agent_off(desk, now, CallEvent::AgentMuted { by });
                    self.explain(desk, "You have been muted. The caller cannot hear you until you are told otherwise.");
                }
            }
            Steer::Unmute => {
                if std::mem::take(&mut self.control().muted) {
                    desk.record(CallEvent::AgentUnmuted { by });
                    self.hear_agent_again(desk, now, "You are no longer muted. The caller can hear you again.");
                }
            }
            Steer::Hold { tone } => self.hold(desk, now, by, tone),
            Steer::Resume => {
                if self.control().hold.take().is_some() {
                    desk.timers.stop(Timer::HoldTone);
                    self.clear(desk, now, CallEvent::Resumed { by });
                    self.hear_agent_again(desk, now, "The caller is off hold and can hear you again.");
                }
            }
            Steer::TakeOver => {
                if !std::mem::replace(&mut self.control().operator, true) {
                    self.cut_agent_off(desk, now, CallEvent::TakenOver { by });
                    self.stay(desk, now);
                    let text = "A person has taken the call over and speaks with the caller. Stay silent until you are told otherwise.";
                    self.explain(desk, text);
                }
            }
            Steer::HandBack => {
                if std::mem::take(&mut self.control().operator) {
                    desk.record(CallEvent::HandedBack { by });
                    self.send_end_mark(desk);
                    let text = "The call has been handed back to you. A person spoke with the caller meanwhile. Go on.";
                    self.hear_agent_again(desk, now, text);
                }
            }
            Steer::Release => self.release(desk, now),
        }
    }

    pub(super) fn play(&mut self, desk: &mut Desk, now: Instant, what: Play) {
        if matches!(self.phase, Phase::HangingUp { .. }) {
            return;
        }
        match what {
            Play::Begin { utterance, by, sound } => {
                // One that broke off without a word is over now.
                self.end_utterance(desk, now);
                self.control().utterance = Some(utterance);
                desk.timers.set(Timer::Utterance, now, self.config.utterance_gap);
                match sound {
                    Sound::Speech(text) => {
                        self.explain(desk, &format!("The caller is being told, not by you: \"{text}\""));
                        desk.record(CallEvent::HouseSpoke { utterance, by, text });
                    }
                    Sound::Keys(keys) => desk.record(CallEvent::KeysSent { utterance, by, keys }),
                }
            }
            Play::Audio { utterance, chunk } => {
                if self.control().utterance == Some(utterance) {
                    desk.timers.set(Timer::Utterance, now, self.config.utterance_gap);
                    self.send_own(desk, now, Speaker::House(utterance), chunk);
                }
            }
            Play::End { utterance } => {
                if self.control().utterance == Some(utterance) {
                    self.end_utterance(desk, now);
                }
            }
            Play::Operator(chunk) => {
                if !self.control().operator {
                    return;
                }
                if self.playout.remaining(now) > self.config.operator_lead {
                    self.counters.operator_dropped_bytes += chunk.len() as u64;
                } else {
                    self.send_own(desk, now, Speaker::Operator, chunk);
                }
            }
        }
    }

    /// Agent audio that the caller does not get to hear now; given back where there is no reason to keep it from them.
    pub(super) fn withhold(&mut self, piece: Piece) -> Option<MulawChunk> {
        let bytes = piece.chunk.len() as u64;
        let limit = mulaw_bytes(self.config.agent_wait);
        let Some(control) = &mut self.control else { return Some(piece.chunk) };
        if control.silences_agent() {
            self.counters.agent_withheld_bytes += bytes;
            return None;
        }
        if control.utterance.is_none() {
            return Some(piece.chunk);
        }
        if self.playout.is_void(piece.turn) || control.waiting_bytes + bytes > limit {
            self.counters.agent_withheld_bytes += bytes;
        } else {
            control.waiting_bytes += bytes;
            control.waiting.push_back(piece);
        }
        None
    }

    /// The agent says the text of a turn of which the caller hears nothing.
    pub(super) fn withhold_text(&mut self, desk: &mut Desk, turn: u64) {
        if self.agent_is_silenced() {
            self.story.cut(turn, "");
            desk.record(CallEvent::TurnWithheld { turn, heard_ms: 0, heard: String::new() });
        }
    }

    /// The caller talks to an agent that they do not hear, or over what waits behind an utterance of ours.
    pub(super) fn interrupt_withheld(&mut self, turn: u64) -> bool {
        let silenced = self.agent_is_silenced();
        let Some(control) = &mut self.control else { return false };
        control.waiting.retain(|piece| piece.turn > turn);
        control.waiting_bytes = control.waiting.iter().map(|piece| piece.chunk.len() as u64).sum();
        if silenced {
            self.playout.void(turn);
        }
        silenced
    }

    pub(super) fn press(&mut self, desk: &mut Desk, now: Instant, key: char) {
        desk.record(CallEvent::DtmfReceived { digit: key });
        self.tell_agent(desk, AgentCommand::Key { key });
        let keys = &mut self.control().keys;
        keys.push(key);
        if key == '#' || keys.len() == MAX_KEYS {
            self.tell_keys(desk);
        } else {
            desk.timers.set(Timer::Keys, now, self.config.key_pause);
        }
    }

    /// Hands the keys pressed so far to the agent.
    pub(super) fn tell_keys(&mut self, desk: &mut Desk) {
        desk.timers.stop(Timer::Keys);
        let Some(control) = &mut self.control else { return };
        let keys = std::mem::take(&mut control.keys);
        if keys.is_empty() {
            return;
        }
        desk.record(CallEvent::KeysCollected { keys: keys.clone() });
        let text = match keys.len() {
            1 => format!("The caller pressed {keys}."),
            _ => format!("The caller entered {keys} on the keypad."),
        };
        self.tell_agent(desk, AgentCommand::Context { text });
    }

    /// The end is near: the agent should know.
    pub(super) fn warn_of_end(&mut self, desk: &mut Desk) {
        let remaining_s = u32::try_from(self.terms.warn_before_end.as_secs()).unwrap_or(u32::MAX);
        desk.record(CallEvent::EndWarned { remaining_s });
        self.explain(desk, &format!("This call must end in {remaining_s} seconds. Bring it to a close."));
    }

    /// Sends the hold tone once more.
    pub(super) fn repeat_hold_tone(&mut self, desk: &mut Desk, now: Instant) {
        let Some(tone) = self.control.as_ref().and_then(|control| control.hold.clone()) else { return };
        let duration = tone.duration();
        if duration.is_zero() {
            return;
        }
        self.send_own(desk, now, Speaker::Operator, tone);
        // The agent would otherwise ask whether somebody is there.
        self.tell_agent(desk, AgentCommand::Activity);
        desk.timers.set(Timer::HoldTone, now, duration);
    }

    /// Ends the utterance that is being handed over, if one is; what waited behind it goes out.
    pub(super) fn end_utterance(&mut self, desk: &mut Desk, now: Instant) {
        let Some(control) = &mut self.control else { return };
        let Some(utterance) = control.utterance.take() else { return };
        let waiting = std::mem::take(&mut control.waiting);
        control.waiting_bytes = 0;
        desk.timers.stop(Timer::Utterance);
        self.playout.complete_own(utterance);
        self.send_end_mark(desk);
        for piece in waiting {
            self.handle_agent_audio(desk, now, piece);
        }
        self.place_late_marks(desk);
        self.go_on_draining(desk, now);
    }

    /// A stream that was made for an operator who takes the call over.
    pub(super) fn begin_with_operator(&mut self, desk: &mut Desk, by: Actor) {
        self.control().operator = true;
        desk.record(CallEvent::TakenOver { by });
        self.go_on_without_agent(desk);
    }

    pub(super) fn go_on_without_agent(&mut self, desk: &mut Desk) {
        desk.timers.stop(Timer::AgentReady);
        desk.timers.stop(Timer::AgentIdle);
        if let Phase::ConnectingAgent(waiting) = &self.phase {
            self.counters.caller_dropped_bytes += waiting.audio_bytes();
        }
        self.void_early();
        self.phase = Phase::Conversing(Turn::Listening);
    }

    /// Lets an agent be spoken to that was held back.
    pub(super) fn release(&mut self, desk: &mut Desk, now: Instant) {
        if !self.control.as_mut().is_some_and(|control| std::mem::take(&mut control.is_held_back)) {
            return;
        }
        desk.timers.stop(Timer::HeldBack);
        if matches!(self.phase, Phase::ConnectingAgent(_)) {
            desk.timers.set(Timer::AgentReady, now, self.ready_limit());
            self.initiate(desk);
        }
    }

    /// Writes down what a `clear` cut off.
    pub(super) fn record_cut(&mut self, desk: &mut Desk, cut: Cut) {
        self.record_heard(desk);
        self.return_all_marks(desk);
        if let Some(playing) = cut.playing {
            if playing.speaker == Speaker::Agent {
                self.story.cut(playing.turn, &playing.text);
            }
            let (heard_ms, sent_ms) = (millis(playing.heard), millis(playing.sent));
            match playing.speaker {
                Speaker::Agent if self.agent_is_silenced() => {
                    desk.record(CallEvent::TurnWithheld { turn: playing.turn, heard_ms, heard: playing.text });
                }
                Speaker::Agent => {
                    self.counters.barge_ins = self.counters.barge_ins.saturating_add(1);
                    let (turn, heard) = (playing.turn, playing.text);
                    desk.record(CallEvent::BargeIn { turn, heard_ms, sent_ms, heard });
                }
                Speaker::House(utterance) => desk.record(CallEvent::OwnAudioHeard { utterance, heard_ms, sent_ms }),
                Speaker::Operator => {}
            }
        }
        for utterance in cut.unheard {
            desk.record(CallEvent::OwnAudioHeard { utterance, heard_ms: 0, sent_ms: 0 });
        }
    }

    fn hold(&mut self, desk: &mut Desk, now: Instant, by: Actor, tone: MulawChunk) {
        if self.is_held() {
            return;
        }
        self.control().hold = Some(tone);
        self.cut_agent_off(desk, now, CallEvent::Held { by });
        self.stay(desk, now);
        self.explain(desk, "The caller has been put on hold and cannot hear you. Wait until you are told otherwise.");
        self.repeat_hold_tone(desk, now);
    }

    /// Something for the agent to know that nobody outside said.
    fn explain(&mut self, desk: &mut Desk, text: &str) {
        self.tell_agent(desk, AgentCommand::Context { text: text.to_owned() });
    }

    pub(super) fn send_own(&mut self, desk: &mut Desk, now: Instant, speaker: Speaker, chunk: MulawChunk) {
        let bytes = chunk.len() as u64;
        if bytes == 0 {
            return;
        }
        self.counters.own_bytes += bytes;
        self.last_agent_audio = now;
        let needs_mark = self.playout.push_own(speaker, bytes, now);
        desk.put(Output::ToCarrier(CarrierCommand::Media(chunk)));
        if needs_mark {
            desk.put(Output::ToCarrier(CarrierCommand::Mark(self.playout.mark())));
        }
        desk.timers.start(Timer::TrailingMark, now, self.config.trailing_mark);
        self.go_on_draining(desk, now);
    }

    /// What the agent said and the caller has not heard is lost, because of this.
    fn cut_agent_off(&mut self, desk: &mut Desk, now: Instant, cause: CallEvent) {
        let control = self.control();
        control.waiting.clear();
        let lost_bytes = std::mem::take(&mut control.waiting_bytes);
        self.counters.agent_withheld_bytes += lost_bytes;
        self.asked = None;
        self.clear(desk, now, cause);
    }

    /// Throws away what is not played yet, because of this. A `clear` takes everything: an utterance of ours is not given up for
    /// it, what was sent before is then played to its end.
    fn clear(&mut self, desk: &mut Desk, now: Instant, cause: CallEvent) {
        if self.playout.is_quiet() || self.is_uttering() || self.playout.has_own_pending() {
            return desk.record(cause);
        }
        desk.put(Output::ToCarrier(CarrierCommand::Clear));
        desk.record(cause);
        self.record_unplayed(desk);
        let cut = self.playout.cut(now);
        desk.timers.stop(Timer::TrailingMark);
        self.record_cut(desk, cut);
    }

    /// A goodbye of the agent's is off: somebody else has the caller.
    fn stay(&mut self, desk: &mut Desk, now: Instant) {
        if !matches!(self.phase, Phase::Draining(_)) {
            return;
        }
        desk.timers.stop(Timer::Drain);
        if self.agent.is_there {
            desk.timers.set(Timer::AgentIdle, now, self.idle_limit() / 2);
        }
        self.phase = Phase::Conversing(Turn::Listening);
    }

    /// The caller is the agent's again, if nothing else keeps it silent. One that left meanwhile is called again.
    fn hear_agent_again(&mut self, desk: &mut Desk, now: Instant, text: &str) {
        if !self.goes_on_alone() && !self.agent.is_there && matches!(self.phase, Phase::Conversing(_)) {
            let mut waiting = Box::<Waiting>::default();
            waiting.note(AgentCommand::Context { text: text.to_owned() });
            self.phase = Phase::ConnectingAgent(waiting);
            self.playout.forget_turns();
            // It counts its turns anew; in the journal no two turns of a stream are called the same.
            self.agent.turn_base = self.agent.last_turn + 1;
            self.agent.retries_left = 1;
            desk.timers.set(Timer::AgentReady, now, self.ready_limit());
            return self.dial(desk);
        }
        if !self.agent_is_silenced() {
            self.explain(desk, text);
        }
    }
}
