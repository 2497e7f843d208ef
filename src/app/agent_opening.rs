//! Let the agent say the opening disclosure itself, as its first message, where the operator chose that (`calls.agent_opening`) and
//! the agent allows it: its first message may be replaced, and nobody can talk over it. Else the carrier says it before the agent is
//! connected, and so it does once an agent did not come to the end of it. There is no conversation before it either way.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::App;
use super::live_calls::LiveCall;
use crate::domain::{AgentRef, AgentVendor};
use crate::protocol::agent::elevenlabs_readiness::cannot_open;

/// Where the disclosure stands in `calls.agent_opening`.
const DISCLOSURE: &str = "{disclosure}";

/// How long an agent's vendor may take to show its settings. The call is not dialled yet.
const LOOK_LIMIT: Duration = Duration::from_secs(2);

impl App {
    /// Looks, before a call is dialled, whether each of its agents may open it.
    pub(super) async fn learn_who_opens(&self, call: &LiveCall) {
        if self.config.calls.agent_opening.is_empty() {
            return;
        }
        let record = call.record();
        let agents = self.agents_of(&record.agent, record.to.as_str());
        if join_all(agents.iter().map(|agent| self.may_open(agent))).await.into_iter().all(|may| may) {
            call.let_agent_open();
        }
    }

    async fn may_open(&self, agent: &AgentRef) -> bool {
        let obstacle = match agent.vendor {
            AgentVendor::ElevenLabs => {
                match timeout(LOOK_LIMIT, self.agents.of(&agent.id).fetch_agent(&agent.id)).await {
                    Ok(Ok(settings)) => match cannot_open(&settings) {
                        None => return true,
                        Some(finding) => format!("{}: {}", finding.problem, finding.remedy),
                    },
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => "its vendor did not show its settings in time".to_owned(),
                }
            }
            AgentVendor::Retell | AgentVendor::TwilioStream | AgentVendor::Binary => {
                "only ElevenLabs agents can be given a first message".to_owned()
            }
        };
        tracing::warn!(%agent, obstacle, "the carrier says the disclosure, the agent may not (calls.agent_opening)");
        false
    }

    /// Gives the disclosure to the agent where it may open the call. What is given back the carrier has to say.
    pub(super) fn leave_to_agent(&self, call: &LiveCall, disclosure: Option<String>) -> Option<String> {
        if !call.agent_may_open() {
            return disclosure;
        }
        call.give_opening(disclosure.map(|said| self.config.calls.agent_opening.replace(DISCLOSURE, &said)));
        None
    }

    /// The disclosure for a document after the first: where the agent was to say it and nobody heard it to its end.
    pub(super) async fn disclosure_unsaid(&self, call: &LiveCall) -> Option<String> {
        if self.config.calls.agent_opening.is_empty() || call.record().agent_was_heard {
            return None;
        }
        call.give_opening(None);
        self.disclosure(call).await
    }
}
