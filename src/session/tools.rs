//! The tools that an agent waits for.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::domain::agent_link::ToolCall;

/// The most tools that an agent may have running at once.
const MAX_OPEN: usize = 32;

/// How many finished calls are remembered, to know a repeated one.
const REMEMBERED: usize = 64;

/// One tool that runs.
#[derive(Debug)]
pub(super) struct OpenTool {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) expects_answer: bool,
    started: Instant,
}

impl OpenTool {
    pub(super) fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }
}

/// What became of a tool call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opened {
    Run,
    /// This call was seen before. Nothing is to be done.
    Repeated,
    /// Too many run already.
    TooMany,
}

#[derive(Debug, Default)]
pub(super) struct Tools {
    open: Vec<OpenTool>,
    finished: VecDeque<String>,
}

impl Tools {
    pub(super) fn open(&mut self, call: &ToolCall, now: Instant) -> Opened {
        if self.open.iter().any(|tool| tool.id == call.id) || self.finished.contains(&call.id) {
            return Opened::Repeated;
        }
        if self.open.len() == MAX_OPEN {
            return Opened::TooMany;
        }
        self.open.push(OpenTool {
            id: call.id.clone(),
            name: call.name.clone(),
            expects_answer: call.expects_answer,
            started: now,
        });
        Opened::Run
    }

    /// Whether the agent waits for one.
    pub(super) fn are_awaited(&self) -> bool {
        self.open.iter().any(|tool| tool.expects_answer)
    }

    /// The agent that asked is gone: what runs still comes to its end, and nobody is told.
    pub(super) fn disown(&mut self) {
        self.open.iter_mut().for_each(|tool| tool.expects_answer = false);
    }

    /// Closes a tool; `None` when it does not run (any more).
    pub(super) fn finish(&mut self, id: &str) -> Option<OpenTool> {
        let at = self.open.iter().position(|tool| tool.id == id)?;
        let tool = self.open.swap_remove(at);
        if self.finished.len() == REMEMBERED {
            self.finished.pop_front();
        }
        self.finished.push_back(tool.id.clone());
        Some(tool)
    }
}
