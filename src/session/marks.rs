//! The agent's own marks, for agents that speak a carrier's protocol: each comes back when what was said before it was played, or at
//! once when that was thrown away. On the carrier's side one of our marks stands for it.

use super::Desk;
use super::playout::mark_number;
use super::stream::Stream;
use super::words::Output;
use crate::domain::agent_link::AgentCommand;
use crate::domain::carrier_stream::CarrierCommand;

/// The most marks of an agent that may be out. Beyond that the oldest comes back early.
const MAX_AGENT_MARKS: usize = 256;

/// Waits behind an utterance of ours, with the audio before it.
const LATE: u64 = u64::MAX;

impl Stream {
    /// The agent set a mark.
    pub(super) fn pass_mark(&mut self, desk: &mut Desk, name: String) {
        if self.agent_is_silenced() || (self.playout.is_quiet() && !self.is_uttering()) {
            // Nothing is before it that the caller will hear.
            return desk.put(Output::ToAgent(AgentCommand::MarkPlayed { name }));
        }
        if self.agent.marks.len() == MAX_AGENT_MARKS
            && let Some((_, oldest)) = self.agent.marks.pop_front()
        {
            desk.put(Output::ToAgent(AgentCommand::MarkPlayed { name: oldest }));
        }
        let number = if self.is_uttering() { LATE } else { self.send_mark(desk) };
        self.agent.marks.push_back((number, name));
    }

    /// A mark of ours came back: everything before it was played.
    pub(super) fn return_marks(&mut self, desk: &mut Desk, ours: &str) {
        let Some(played) = mark_number(ours).filter(|_| !self.agent.marks.is_empty()) else { return };
        while let Some((_, name)) = self.agent.marks.pop_front_if(|(number, _)| *number <= played) {
            self.tell_agent(desk, AgentCommand::MarkPlayed { name });
        }
    }

    /// What was before the marks was thrown away.
    pub(super) fn return_all_marks(&mut self, desk: &mut Desk) {
        for (_, name) in std::mem::take(&mut self.agent.marks) {
            self.tell_agent(desk, AgentCommand::MarkPlayed { name });
        }
    }

    /// The audio that had waited behind an utterance of ours is out, and so are the marks after it.
    pub(super) fn place_late_marks(&mut self, desk: &mut Desk) {
        if self.agent.marks.iter().any(|(number, _)| *number == LATE) {
            let number = self.send_mark(desk);
            self.agent.marks.iter_mut().filter(|(of, _)| *of == LATE).for_each(|(of, _)| *of = number);
        }
    }

    fn send_mark(&mut self, desk: &mut Desk) -> u64 {
        let mark = self.playout.mark();
        let number = mark_number(&mark).unwrap_or(LATE);
        desk.put(Output::ToCarrier(CarrierCommand::Mark(mark)));
        number
    }
}
