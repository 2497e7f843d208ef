//! The agents of the user's own settings that can call the demo's phone, beside the emulated ones.
//!
//! Each gets a section of its own in the demo's settings, with the key of the user's account. Everything else of the demo stays with
//! the emulated vendor, its three calls first of all, and an agent of the user's is only reached by a call that names it.

use crate::config::{AgentsConfig, OwnAgentConfig, OwnAgentsConfig};
use crate::domain::AgentVendor;
use crate::emulators::elevenlabs::AgentConfig;

/// Which of the user's agents are there.
#[derive(Debug, Default)]
pub(super) struct UsersAgents {
    pub sections: OwnAgentsConfig,
    /// The others, a sentence each.
    pub left_out: Vec<String>,
}

pub(super) fn of_settings(user: &AgentsConfig, emulated: &[AgentConfig]) -> UsersAgents {
    let mut agents = UsersAgents::default();
    for agent in user.all() {
        if agents.sections.contains_key(&agent.id) {
            agents.left_out.push(format!("{agent} cannot be tried here: another agent of yours has the same name."));
            continue;
        }
        let section = match agent.vendor {
            AgentVendor::ElevenLabs if emulated.iter().any(|one| one.agent_id == agent.id) => {
                Err("an emulated agent has the same name".to_owned())
            }
            AgentVendor::ElevenLabs => {
                of_elevenlabs(user, &agent.id).ok_or_else(|| format!("set {}", user.elevenlabs_key_of(&agent.id)))
            }
            AgentVendor::TwilioStream | AgentVendor::Binary => {
                user.own.get(&agent.id).cloned().ok_or_else(|| "it has no section of its own".to_owned())
            }
            AgentVendor::Retell => Err("Retell takes calls from a real carrier only, by SIP".to_owned()),
        };
        match section {
            Ok(section) => drop(agents.sections.insert(agent.id, section)),
            Err(why) => agents.left_out.push(format!("{agent} cannot be tried here: {why}.")),
        }
    }
    if agents.sections.is_empty() && !user.elevenlabs.api_key.expose().is_empty() {
        let how =
            "ELEVENLABS_API_KEY is set: name an agent of yours too, as CLEARLINE__AGENTS__DEFAULT=elevenlabs:agent_…";
        agents.left_out.push(how.to_owned());
    }
    agents
}

/// The agent's account; none without a key.
fn of_elevenlabs(user: &AgentsConfig, agent_id: &str) -> Option<OwnAgentConfig> {
    let own = user.own.get(agent_id).filter(|own| own.vendor() == Some(AgentVendor::ElevenLabs));
    let section = own.cloned().unwrap_or_else(|| OwnAgentConfig {
        dialect: AgentVendor::ElevenLabs.as_str().to_owned(),
        url: user.elevenlabs.api_url.clone(),
        format: String::new(),
        api_key: user.elevenlabs.api_key.clone(),
    });
    (!section.api_key.expose().is_empty()).then_some(section)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Effective, Layer};
    use crate::emulators::ElevenLabsEmulatorConfig;

    fn users(text: &str) -> UsersAgents {
        let settings = Effective::from_layers(vec![Layer::from_file("f", text).unwrap()]).unwrap();
        of_settings(&settings.config.agents, &ElevenLabsEmulatorConfig::default().agents)
    }

    #[test]
    fn an_agent_comes_with_the_key_of_its_account_and_not_without_one() {
        let named =
            "[agents]\ndefault = \"agent_1 | retell:agent_2 | agent_reception\"\n[agents.elevenlabs]\napi_key = ";
        let agents = users(&format!("{named}\"the-key\""));
        assert_eq!(agents.sections.keys().collect::<Vec<_>>(), ["agent_1"]);
        let section = &agents.sections["agent_1"];
        assert_eq!((section.url.as_str(), section.api_key.expose()), ("https://api.elevenlabs.io", "the-key"));
        assert_eq!(agents.left_out.len(), 2);
        assert!(agents.left_out[0].starts_with("retell:agent_2 cannot") && agents.left_out[1].contains("emulated"));
        let agents = users(&format!("{named}\"\""));
        assert!(agents.sections.is_empty() && agents.left_out[0].contains("set ELEVENLABS_API_KEY"));
    }

    #[test]
    fn a_section_without_its_key_says_which_is_missing_and_a_name_is_given_once() {
        let own = "[agents.agent_1]\ndialect = \"elevenlabs\"\nurl = \"https://api.elevenlabs.io\"";
        let agents = users(&format!("[agents.elevenlabs]\napi_key = \"the-key\"\n{own}"));
        assert!(agents.sections.is_empty() && agents.left_out[0].contains("set agents.agent_1.api_key"));
        let bot = "[agents.bot]\ndialect = \"twilio-stream\"\nurl = \"ws://127.0.0.1:4040/media\"";
        let agents = users(&format!(
            "[agents]\ndefault = \"elevenlabs:bot\"\n[agents.elevenlabs]\napi_key = \"the-key\"\n{bot}"
        ));
        assert_eq!(agents.sections["bot"].dialect, "elevenlabs");
        assert!(agents.left_out[0].contains("another agent of yours has the same name"), "{:?}", agents.left_out);
    }

    #[test]
    fn nothing_is_told_where_nothing_is_set_and_a_key_alone_asks_for_an_agent() {
        assert!(users("").left_out.is_empty());
        let agents = users("[agents.elevenlabs]\napi_key = \"the-key\"");
        assert!(agents.sections.is_empty() && agents.left_out[0].contains("name an agent"));
    }

    #[test]
    fn an_agent_of_ones_own_needs_no_key() {
        let agents = users("[agents.bot]\ndialect = \"twilio-stream\"\nurl = \"ws://127.0.0.1:4040/media\"");
        assert_eq!(agents.sections["bot"].dialect, "twilio-stream");
    }
}
