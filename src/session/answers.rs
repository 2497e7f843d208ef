//! How long the caller waits for a turn of the agent's, and on whose side: each turn is timed once, from the words that it answers to
//! the carrier's report that its first piece was played.
//!
//! When the caller stopped speaking is not known here: their words come as text, which the agent writes down once it has noticed
//! the end. And the carrier's report is on its way to us for some time too.

use std::time::{Duration, Instant};

use super::Desk;
use super::stream::{Phase, Stream, Turn, millis};
use super::words::Output;
use crate::domain::{CallEvent, TurnTimed};

/// How the first piece of a turn came to the caller.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opening {
    /// From the caller's words to the piece.
    agent: Option<Duration>,
    /// When it came from the agent.
    came: Instant,
    /// When the carrier's socket had taken it.
    written: Option<Instant>,
    /// What had to be played for the carrier to report it: the piece, and what was still before it.
    audio: Duration,
}

impl Opening {
    pub(super) fn note_written(&mut self, now: Instant) {
        self.written.get_or_insert(now);
    }

    /// `played`: when the carrier reported it.
    fn into_event(self, turn: u64, played: Option<Instant>) -> CallEvent {
        let from = self.written.unwrap_or(self.came);
        let relay = self.written.map(|written| written.saturating_duration_since(self.came));
        CallEvent::TurnTimed(TurnTimed {
            turn,
            agent_ms: self.agent.map(millis),
            relay_us: relay.map(|relay| u32::try_from(relay.as_micros()).unwrap_or(u32::MAX)),
            played_ms: played.map(|played| millis(played.saturating_duration_since(from))),
            audio_ms: millis(self.audio),
        })
    }
}

impl Stream {
    /// The caller's words came. What they say into the agent's speech is answered by no turn in particular.
    pub(super) fn note_question(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Conversing(Turn::Listening | Turn::Thinking)) && !self.agent_is_silenced() {
            self.asked = Some(now);
        }
    }

    /// The first piece of a turn, which came at this time, was queued for the carrier.
    pub(super) fn open_turn(&mut self, desk: &mut Desk, came: Instant, audio: Duration) {
        let agent = self.asked.take().map(|asked| came.saturating_duration_since(asked));
        self.playout.open(Opening { agent, came, written: None, audio });
        desk.put(Output::AskWritten);
    }

    /// Writes down turns whose first piece was played.
    pub(super) fn record_opened(&mut self, desk: &mut Desk, now: Instant) {
        while let Some((turn, opening)) = self.playout.poll_opened() {
            desk.record(opening.into_event(turn, Some(now)));
        }
    }

    /// Writes down turns of which the carrier will report nothing any more.
    pub(super) fn record_unplayed(&mut self, desk: &mut Desk) {
        for (turn, opening) in self.playout.take_openings() {
            desk.record(opening.into_event(turn, None));
        }
    }
}
