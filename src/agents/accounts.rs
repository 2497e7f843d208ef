//! Whose account at `ElevenLabs` an agent belongs to: that of its own section in the settings, else the one that everything shares.

use std::collections::BTreeMap;

use super::elevenlabs::ElevenLabsClient;

/// A client for each account.
#[derive(Debug)]
pub struct ElevenLabsAccounts {
    main: ElevenLabsClient,
    by_agent: BTreeMap<String, ElevenLabsClient>,
}

impl ElevenLabsAccounts {
    pub fn new(main: ElevenLabsClient, by_agent: BTreeMap<String, ElevenLabsClient>) -> Self {
        Self { main, by_agent }
    }

    /// The account of everything that is no agent: new agents, lists, voices.
    pub fn main(&self) -> &ElevenLabsClient {
        &self.main
    }

    /// The account of this agent.
    pub fn of(&self, agent_id: &str) -> &ElevenLabsClient {
        self.by_agent.get(agent_id).unwrap_or(&self.main)
    }
}
