//! The named timers of a session.

use std::time::{Duration, Instant};

/// What a session may be waiting for. At most one of each runs.
///
/// The watchdogs that every frame would move (`CarrierSilence`, `AgentIdle`, `TrailingMark`) stay where they are and look at the
/// last frame's time when they fire, so that the deadline rarely changes and is rarely looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// The agent paused: its turn may be over, and gets its last mark. Each piece of agent audio looks whether it runs; being first,
    /// it lies where [`Timers::next`] does.
    TrailingMark,
    /// The carrier must say `start`, and be admitted.
    Start,
    /// The agent must be ready.
    AgentReady,
    /// The carrier must have sent audio.
    CarrierSilence,
    /// The agent must have said something.
    AgentIdle,
    /// The call must not last longer.
    MaxDuration,
    /// The agent's last words must have been played.
    Drain,
    /// The carrier must have ended the stream that we asked it to end.
    HangUp,
    /// The next key would be too late to belong to those before.
    Keys,
    /// The next piece of an utterance of ours is overdue.
    Utterance,
    /// The hold tone is played to its end and begins again.
    HoldTone,
    /// The agent is to be told that the end is near.
    EndWarning,
    /// An agent that is held back must be let go.
    HeldBack,
    /// It must be known who the other party is; else the agent is not told.
    Recognition,
    /// The agent must have answered what the caller said.
    Answer,
    /// The caller is to hear that the call goes on while an agent is connected.
    Comfort,
    /// The agent that took the call over should have spoken.
    Nudge,
}

impl Timer {
    /// In the order in which they fire when several are due.
    const ALL: [Self; 17] = [
        Self::Start,
        Self::AgentReady,
        Self::CarrierSilence,
        Self::AgentIdle,
        Self::MaxDuration,
        Self::TrailingMark,
        Self::Drain,
        Self::HangUp,
        Self::Keys,
        Self::Utterance,
        Self::HoldTone,
        Self::EndWarning,
        Self::HeldBack,
        Self::Recognition,
        Self::Answer,
        Self::Comfort,
        Self::Nudge,
    ];
}

/// The deadlines that run.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Timers {
    /// The first of them. Every frame asks for it, and few change it.
    next: Option<Instant>,
    deadlines: [Option<Instant>; Timer::ALL.len()],
}

impl Timers {
    /// Starts the timer anew, to fire so long after `from`. A time that no clock can show never comes.
    pub(super) fn set(&mut self, timer: Timer, from: Instant, after: Duration) {
        self.put(timer, from.checked_add(after));
    }

    /// Starts the timer unless it runs already.
    pub(super) fn start(&mut self, timer: Timer, from: Instant, after: Duration) {
        if self.deadlines[timer as usize].is_none() {
            self.set(timer, from, after);
        }
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        if self.deadlines[timer as usize].is_some() {
            self.put(timer, None);
        }
    }

    pub(super) fn stop_all(&mut self) {
        *self = Self::default();
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Stops one timer that is due and names it.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        self.next.filter(|next| *next <= now)?;
        let due = Timer::ALL.into_iter().find(|timer| self.deadlines[*timer as usize].is_some_and(|at| at <= now))?;
        self.stop(due);
        Some(due)
    }

    fn put(&mut self, timer: Timer, deadline: Option<Instant>) {
        self.deadlines[timer as usize] = deadline;
        self.next = self.deadlines.iter().flatten().min().copied();
    }
}
