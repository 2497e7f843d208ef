//! A circuit breaker for each agent: one that failed several times in a row is skipped by new calls for a while, where another one
//! can take its place. It learns from the journal, off the audio path.

use std::sync::Arc;

use dashmap::DashMap;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::broadcast::error::RecvError;

use crate::domain::event::JournalEntry;
use crate::domain::{AgentRef, CallEvent};

use super::App;

/// Failures in a row after which an agent counts as sick.
const FAILURES: u32 = 3;

/// How long a sick agent is left alone, doubled with each further failure up to the longest.
const REST: SignedDuration = SignedDuration::from_secs(30);
const LONGEST_REST: SignedDuration = SignedDuration::from_mins(5);

/// When the rest is over one call tries the agent; others follow so much later, if they must before its outcome is known.
const TRIAL: SignedDuration = SignedDuration::from_secs(10);

/// How each agent fared lately. One that never failed is not in it.
#[derive(Debug, Default)]
pub struct AgentHealth(DashMap<AgentRef, Record>);

#[derive(Debug, Default)]
struct Record {
    failures: u32,
    rests_until: Option<Timestamp>,
}

/// How an agent fared that failed and was not heard since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ailment {
    /// In a row.
    pub(super) failures: u32,
    /// None for one that failed too few times to be skipped.
    pub(super) rests_until: Option<Timestamp>,
}

impl AgentHealth {
    /// The agent was lost, for whatever reason.
    pub fn failed(&self, agent: &AgentRef, now: Timestamp) {
        let mut record = self.0.entry(agent.clone()).or_default();
        record.failures = record.failures.saturating_add(1);
        if let Some(more) = record.failures.checked_sub(FAILURES) {
            let rest = REST.saturating_mul(1 << more.min(8)).min(LONGEST_REST);
            record.rests_until = now.saturating_add(rest).ok();
            tracing::warn!(%agent, failures = record.failures, rest_s = rest.as_secs(), "an agent is sick");
        }
    }

    /// A caller heard the agent speak.
    pub fn spoke(&self, agent: &AgentRef) {
        if !self.0.is_empty() && self.0.remove(agent).is_some() {
            tracing::info!(%agent, "an agent speaks again");
        }
    }

    /// The agents that are well first, each group in the given order. If it is time to try a sick one again, this is the trial.
    pub fn order(&self, agents: Vec<AgentRef>, now: Timestamp) -> Vec<AgentRef> {
        let (well, sick): (Vec<_>, Vec<_>) = agents.into_iter().partition(|agent| !self.rests(agent, now));
        well.into_iter().chain(sick).collect()
    }

    /// What is wrong with an agent: that it failed lately, and until when calls skip it.
    pub(super) fn ailment(&self, agent: &AgentRef) -> Option<Ailment> {
        let record = self.0.get(agent)?;
        Some(Ailment { failures: record.failures, rests_until: record.rests_until })
    }

    fn rests(&self, agent: &AgentRef, now: Timestamp) -> bool {
        let Some(mut record) = self.0.get_mut(agent) else { return false };
        let Some(until) = record.rests_until else { return false };
        if now >= until {
            record.rests_until = now.saturating_add(TRIAL).ok();
        }
        now < until
    }
}

impl App {
    /// Learns from the journal how the agents fare, until the server stops.
    pub async fn watch_agents(self: Arc<Self>) {
        let mut events = self.journal.listen();
        loop {
            let received = tokio::select! {
                received = events.recv() => received,
                () = self.shutdown.cancelled() => return,
            };
            match received {
                Ok(entry) => self.learn(&entry),
                // What was missed is not worth reading again.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn learn(&self, entry: &JournalEntry) {
        match &entry.event {
            CallEvent::AgentLost { agent: Some(agent), will_retry: false, .. } => {
                self.agent_health.failed(agent, self.clock.now());
            }
            CallEvent::TurnHeard { .. } if !self.agent_health.0.is_empty() => {
                if let Some(call) = self.live.by_id(entry.call_id) {
                    self.agent_health.spoke(&call.record().agent);
                }
            }
            _ => {}
        }
    }

    /// The agent that a new call gets: the first of the list that is well.
    pub(super) fn choose_agent(&self, list: Vec<AgentRef>) -> Option<AgentRef> {
        self.agent_health.order(list, self.clock.now()).into_iter().next()
    }

    /// The call's agent and those that can take its place.
    pub(super) fn agents_of(&self, agent: &AgentRef, called: &str) -> Vec<AgentRef> {
        let list = self.config.agents_with(agent, called);
        let others = list.into_iter().filter(|other| other != agent).collect();
        std::iter::once(agent.clone()).chain(self.agent_health.order(others, self.clock.now())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_sick_agent_is_skipped_and_tried_again_by_one_call_at_a_time() {
        let health = AgentHealth::default();
        let agents: Vec<AgentRef> = ["a", "b"].map(|id| id.parse().unwrap()).to_vec();
        let first = |second| health.order(agents.clone(), at(second))[0].id.clone();
        health.failed(&agents[0], at(0));
        health.failed(&agents[0], at(0));
        assert_eq!(first(0), "a");
        health.failed(&agents[0], at(0));
        assert_eq!(health.ailment(&agents[0]), Some(Ailment { failures: 3, rests_until: Some(at(30)) }));
        assert_eq!(health.ailment(&agents[1]), None);
        assert_eq!([first(0), first(29), first(30), first(31), first(39)], ["b", "b", "a", "b", "b"]);
        // The trial went wrong: the rest is longer.
        health.failed(&agents[0], at(40));
        assert_eq!([first(99), first(100), first(101)], ["b", "a", "b"]);
        health.spoke(&agents[0]);
        assert_eq!(first(102), "a");
    }

    #[test]
    fn the_rest_has_a_longest_and_when_all_are_sick_the_first_is_taken() {
        let health = AgentHealth::default();
        let agents: Vec<AgentRef> = ["a", "b"].map(|id| id.parse().unwrap()).to_vec();
        for _ in 0..40 {
            for agent in &agents {
                health.failed(agent, at(0));
            }
        }
        assert_eq!(health.order(agents.clone(), at(299)), agents);
        assert!(!health.rests(&agents[0], at(300)));
    }
}
