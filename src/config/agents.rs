//! Which agents take a call: lists in the order in which they are tried, and agents of the operator's own.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{AgentsConfig, Config};
use crate::domain::audio::AudioFormat;
use crate::domain::{AgentRef, AgentRefError, AgentVendor, E164, Secret};

/// The keys that an agent of the operator's own has, `[agents.NAME]`. All are texts.
pub(super) const OWN_KEYS: [&str; 4] = ["dialect", "url", "format", "api_key"];

/// An agent of the operator's own: a server that speaks one of the open dialects, or an ElevenLabs agent of another account, whose
/// section has the agent's id for its name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnAgentConfig {
    #[serde(default)]
    pub dialect: String,
    #[serde(default)]
    pub url: String,
    #[serde(default)]
    pub format: String,
    #[serde(default = "no_key")]
    pub api_key: Secret,
}

fn no_key() -> Secret {
    Secret::new("")
}

impl OwnAgentConfig {
    /// The dialect by its name; none for one that does not exist.
    pub fn vendor(&self) -> Option<AgentVendor> {
        use AgentVendor::{Binary, ElevenLabs, TwilioStream};
        [TwilioStream, Binary, ElevenLabs].into_iter().find(|vendor| vendor.as_str() == self.dialect)
    }

    /// How audio crosses in the binary dialect: µ-law unless something else is set.
    pub fn audio_format(&self) -> Option<AudioFormat> {
        use AudioFormat::{Pcm8000, Pcm16000, Pcm24000, Ulaw8000};
        if self.format.is_empty() {
            return Some(Ulaw8000);
        }
        [Ulaw8000, Pcm8000, Pcm16000, Pcm24000].into_iter().find(|format| format.as_str() == self.format)
    }

    fn problem(&self) -> Option<String> {
        let Some(vendor) = self.vendor() else {
            return Some("`dialect` must be twilio-stream, binary or elevenlabs".to_owned());
        };
        let (schemes, wanted) = match vendor {
            AgentVendor::ElevenLabs => {
                (["http", "https"], "where the account's API is, like https://api.elevenlabs.io")
            }
            _ => (["ws", "wss"], "the agent's WebSocket, like wss://bot.example.com/media"),
        };
        if !url::Url::parse(&self.url).is_ok_and(|url| schemes.contains(&url.scheme()) && url.has_host()) {
            return Some(format!("`url` must be {wanted}"));
        }
        if self.audio_format().is_none() {
            return Some("`format` must be ulaw_8000, pcm_8000, pcm_16000 or pcm_24000".to_owned());
        }
        None
    }
}

impl Config {
    /// The agents that answer calls to this number, in their order.
    pub fn agents_for(&self, called: &str) -> Vec<AgentRef> {
        self.agents.route(called).or_else(|| self.agents.default_list()).unwrap_or_default()
    }

    /// The list that a call's agent stands in: that of the called number, the default one, or the first route that names it. An
    /// agent that is in no list stands alone.
    pub fn agents_with(&self, agent: &AgentRef, called: &str) -> Vec<AgentRef> {
        let routes = self.agents.routes.iter().filter_map(|route| Some(parse_route(route)?.1));
        let lists = self.agents.route(called).into_iter().chain(self.agents.default_list()).chain(routes);
        lists.into_iter().find(|list| list.contains(agent)).unwrap_or_else(|| vec![agent.clone()])
    }
}

impl AgentsConfig {
    /// The agents of a call that names none.
    pub fn default_list(&self) -> Option<Vec<AgentRef>> {
        parse_list(&self.default).ok()
    }

    /// Every agent that the settings name, each once: those of the default list first, those with a section of their own last.
    pub fn all(&self) -> Vec<AgentRef> {
        let routed = self.routes.iter().filter_map(|route| Some(parse_route(route)?.1));
        let own = self.own.iter().filter_map(|(id, agent)| Some(AgentRef { vendor: agent.vendor()?, id: id.clone() }));
        let mut agents: Vec<AgentRef> = Vec::new();
        for agent in self.default_list().into_iter().chain(routed).flatten().chain(own) {
            if !agents.contains(&agent) {
                agents.push(agent);
            }
        }
        agents
    }

    /// Which setting has the key of this agent at `ElevenLabs`.
    pub fn elevenlabs_key_of(&self, agent_id: &str) -> String {
        match self.own.get(agent_id).and_then(OwnAgentConfig::vendor) {
            Some(AgentVendor::ElevenLabs) => format!("agents.{agent_id}.api_key"),
            _ => "ELEVENLABS_API_KEY".to_owned(),
        }
    }

    fn route(&self, called: &str) -> Option<Vec<AgentRef>> {
        self.routes
            .iter()
            .filter_map(|route| parse_route(route))
            .find(|(number, _)| number.as_str() == called)
            .map(|(_, agents)| agents)
    }

    /// What is wrong with the agents' settings.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !self.default.is_empty()
            && let Err(error) = parse_list(&self.default)
        {
            problems.push(("agents.default", error.to_string()));
        }
        if let Some(bad) = self.routes.iter().find(|route| parse_route(route).is_none()) {
            problems.push(("agents.routes", format!("`{bad}` is not like +12125550100=elevenlabs:agent_123")));
        }
        for (name, agent) in &self.own {
            if let Some(problem) = agent.problem() {
                problems.push(("agents", format!("[agents.{name}] {problem}")));
            }
        }
        let unknown = self.all().into_iter().find(|agent| {
            matches!(agent.vendor, AgentVendor::TwilioStream | AgentVendor::Binary)
                && self.own.get(&agent.id).and_then(OwnAgentConfig::vendor) != Some(agent.vendor)
        });
        if let Some(agent) = unknown {
            let (id, dialect) = (&agent.id, agent.vendor.as_str());
            problems.push(("agents", format!("{agent} needs a section [agents.{id}] with dialect = \"{dialect}\"")));
        }
        problems
    }
}

/// The agents of the operator's own, by name.
pub type OwnAgentsConfig = BTreeMap<String, OwnAgentConfig>;

/// `elevenlabs:agent_1 | twilio-stream:own`: the first one takes calls, the next one when it is lost.
fn parse_list(text: &str) -> Result<Vec<AgentRef>, AgentRefError> {
    let mut agents: Vec<AgentRef> = Vec::new();
    for part in text.split('|') {
        let agent = part.trim().parse()?;
        if !agents.contains(&agent) {
            agents.push(agent);
        }
    }
    Ok(agents)
}

fn parse_route(text: &str) -> Option<(E164, Vec<AgentRef>)> {
    let (number, agents) = text.split_once('=')?;
    Some((number.trim().parse().ok()?, parse_list(agents).ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::{Effective, Layer};

    fn effective(text: &str) -> Result<Effective, String> {
        Effective::from_layers(vec![Layer::from_file("f", text).unwrap()]).map_err(|error| error.to_string())
    }

    fn ids(agents: Vec<crate::domain::AgentRef>) -> Vec<String> {
        agents.into_iter().map(|agent| agent.to_string()).collect()
    }

    #[test]
    fn a_route_wins_over_the_default_agents_and_both_are_lists() {
        let text = "[agents]\ndefault = \"a1 | a3\"\nroutes = [\"+12125550100=elevenlabs:a2|a1\", \"+12125550102=a1\"]";
        let config = effective(text).unwrap().config;
        assert_eq!(ids(config.agents_for("+12125550100")), ["elevenlabs:a2", "elevenlabs:a1"]);
        assert_eq!(ids(config.agents_for("+12125550101")), ["elevenlabs:a1", "elevenlabs:a3"]);
        assert_eq!(ids(config.agents.all()), ["elevenlabs:a1", "elevenlabs:a3", "elevenlabs:a2"]);
    }

    #[test]
    fn agents_with_a_section_are_named_too_each_once() {
        let own = |id: &str| format!("[agents.{id}]\ndialect = \"elevenlabs\"\nurl = \"https://api.eu.example.com\"\n");
        let text = format!("[agents]\ndefault = \"a1\"\n{}{}", own("a1"), own("a2"));
        assert_eq!(ids(effective(&text).unwrap().config.agents.all()), ["elevenlabs:a1", "elevenlabs:a2"]);
    }

    #[test]
    fn an_agent_named_by_itself_has_the_stand_ins_of_its_list() {
        let text = "[agents]\ndefault = \"a1 | a3\"\nroutes = [\"+12125550100=a2|a1\"]";
        let config = effective(text).unwrap().config;
        let with = |agent: &str, called| ids(config.agents_with(&agent.parse().unwrap(), called));
        assert_eq!(with("a1", "+12125550100"), ["elevenlabs:a2", "elevenlabs:a1"]);
        assert_eq!(with("a1", "+12125550109"), ["elevenlabs:a1", "elevenlabs:a3"]);
        assert_eq!(with("a2", "+12125550109"), ["elevenlabs:a2", "elevenlabs:a1"]);
        assert_eq!(with("a9", "+12125550109"), ["elevenlabs:a9"]);
    }

    #[test]
    fn agents_of_ones_own_have_a_dialect_and_a_socket() {
        let own = "[agents]\ndefault = \"twilio-stream:bot\"\n[agents.bot]\n";
        let fine = effective(&format!("{own}dialect = \"twilio-stream\"\nurl = \"wss://bot.example.com/media\"\n"));
        assert_eq!(fine.unwrap().config.agents.own["bot"].url, "wss://bot.example.com/media");
        for (section, said) in [
            ("", "needs a section"),
            ("dialect = \"binary\"\nurl = \"wss://b.example.com\"\n", "needs a section"),
            ("dialect = \"sip\"\nurl = \"wss://b.example.com\"\n", "`dialect` must be"),
            ("dialect = \"twilio-stream\"\nurl = \"https://b.example.com\"\n", "`url` must be"),
            ("dialect = \"elevenlabs\"\nurl = \"wss://b.example.com\"\n", "`url` must be where the account's API is"),
            ("dialect = \"twilio-stream\"\nurl = \"ws://b.example.com\"\nformat = \"mp3\"\n", "`format` must be"),
            ("dialekt = \"twilio-stream\"\n", "unknown setting"),
        ] {
            let error = effective(&format!("{own}{section}")).unwrap_err();
            assert!(error.contains(said), "{section}: {error}");
        }
    }
}
