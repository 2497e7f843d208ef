//! What the ElevenLabs emulator is told at its start, and the faults it can be told to show later.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use serde::Deserialize;

use crate::domain::Secret;
use crate::domain::audio::AudioFormat;
use crate::emulators::Clock;

/// The scripts that ship, by name.
pub(super) const SHIPPED: [(&str, &str); 3] = [
    ("follow_up", include_str!("../scripts/follow_up.txt")),
    ("reception", include_str!("../scripts/reception.txt")),
    ("opt_out", include_str!("../scripts/opt_out.txt")),
];

/// Settings of the ElevenLabs emulator. The defaults run as they are.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ElevenLabsEmulatorConfig {
    /// Port 0 picks a free one.
    pub listen: SocketAddr,
    /// REST requests must bring it. Without it there is no REST authentication, and private agents cannot be reached.
    pub api_key: Option<Secret>,
    /// Agents by id.
    pub agents: BTreeMap<String, AgentSettings>,
    /// Where post-call webhooks go; empty for nowhere.
    pub webhook_url: String,
    pub webhook_secret: Secret,
    pub faults: AgentFaults,
    #[serde(skip)]
    pub clock: Clock,
}

/// One agent.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentSettings {
    pub name: String,
    pub behaviour: Behaviour,
    /// Of both directions.
    pub format: AudioFormat,
    /// Only reached with a signed URL.
    pub is_private: bool,
    /// Dynamic variables that its prompt needs.
    pub required_variables: Vec<String>,
}

/// What an agent does.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    /// Follows a script: the name of a shipped one, or the text of one.
    Script(String),
    /// Sends every piece of audio straight back.
    Echo,
    /// Says nothing at all, but answers pings of the protocol.
    Silent,
}

impl Default for AgentSettings {
    fn default() -> Self {
        Self {
            name: "Ava".to_owned(),
            behaviour: Behaviour::Script("reception".to_owned()),
            format: AudioFormat::Ulaw8000,
            is_private: false,
            required_variables: Vec::new(),
        }
    }
}

/// Faults on demand. All off by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentFaults {
    /// The next so many upgrades are refused with this status.
    pub refuse_upgrades: u32,
    pub refuse_status: Option<u16>,
    /// Conversations are not answered for so long, in ms.
    pub delay_ms: u64,
    /// Conversations are dropped (no close frame) after so long, in ms.
    pub drop_after_ms: Option<u64>,
    /// Conversations are closed with this code after so long, in ms.
    pub close_after_ms: Option<u64>,
    pub close_code: Option<u16>,
    /// Conversations are never answered, not even with the first message.
    pub mute: bool,
    /// A message that is not JSON is sent first.
    pub garble: bool,
}

impl Default for ElevenLabsEmulatorConfig {
    fn default() -> Self {
        let script =
            |name: &str| AgentSettings { behaviour: Behaviour::Script(name.to_owned()), ..AgentSettings::default() };
        let agents = [
            ("agent_follow_up", script("follow_up")),
            ("agent_reception", script("reception")),
            ("agent_opt_out", script("opt_out")),
            ("agent_pcm", AgentSettings { format: AudioFormat::Pcm16000, ..script("follow_up") }),
            ("agent_private", AgentSettings { is_private: true, ..script("reception") }),
            ("agent_echo", AgentSettings { behaviour: Behaviour::Echo, ..AgentSettings::default() }),
            ("agent_silent", AgentSettings { behaviour: Behaviour::Silent, ..AgentSettings::default() }),
        ];
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            api_key: None,
            agents: agents.into_iter().map(|(id, agent)| (id.to_owned(), agent)).collect(),
            webhook_url: String::new(),
            webhook_secret: Secret::new("emulated-webhook-secret"),
            faults: AgentFaults::default(),
            clock: Clock::default(),
        }
    }
}
