//! What the `ElevenLabs` emulator is told at its start.

use std::net::{Ipv4Addr, SocketAddr};

use serde::Deserialize;

use super::faults::ElevenLabsFaults;
use crate::domain::Secret;
use crate::emulators::Clock;

/// Settings of the `ElevenLabs` emulator. The defaults run as they are, with an agent for each shipped script.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ElevenLabsEmulatorConfig {
    /// Port 0 picks a free one.
    pub listen: SocketAddr,
    pub api_key: Secret,
    pub agents: Vec<AgentConfig>,
    /// Where post-call webhooks go.
    pub webhook: Option<WebhookConfig>,
    pub ping_interval_ms: u64,
    /// Thinking time before each line of an agent but the first.
    pub response_delay_ms: u64,
    /// How long a conversation stays `processing` before it is `done` and its webhook is sent.
    pub processing_ms: u64,
    /// How long a client may send no audio, text or activity (1002 `transport_receive_timeout` after that).
    pub input_limit_ms: u64,
    pub faults: ElevenLabsFaults,
    #[serde(skip)]
    pub clock: Clock,
}

/// One agent.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentConfig {
    pub agent_id: String,
    pub name: String,
    /// An agent script, the name of a shipped one, `echo` or `pattern`.
    pub script: String,
    /// Needs a signed URL.
    pub private: bool,
    pub user_input_audio_format: String,
    pub agent_output_audio_format: String,
    /// Which events clients get; empty for all that a phone bridge may want.
    pub client_events: Vec<String>,
    /// Whether clients may override the first message.
    pub allow_first_message_override: bool,
}

/// Where and how signed post-call webhooks are sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    pub url: String,
    pub secret: Secret,
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self {
            agent_id: "agent_follow_up".to_owned(),
            name: "Follow-up".to_owned(),
            script: "follow-up".to_owned(),
            private: false,
            user_input_audio_format: "ulaw_8000".to_owned(),
            agent_output_audio_format: "ulaw_8000".to_owned(),
            client_events: Vec::new(),
            allow_first_message_override: false,
        }
    }
}

impl Default for ElevenLabsEmulatorConfig {
    fn default() -> Self {
        let agent = |agent_id: &str, name: &str, script: &str, private| AgentConfig {
            agent_id: agent_id.to_owned(),
            name: name.to_owned(),
            script: script.to_owned(),
            private,
            ..AgentConfig::default()
        };
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            api_key: Secret::new("emulated-api-key"),
            agents: vec![
                agent("agent_follow_up", "Follow-up", "follow-up", true),
                agent("agent_reception", "Reception", "reception", false),
                agent("agent_opt_out", "Opt-out", "opt-out", false),
                agent("agent_echo", "Echo", "echo", false),
                agent("agent_pattern", "Pattern", "pattern", false),
            ],
            webhook: None,
            ping_interval_ms: 2_000,
            response_delay_ms: 250,
            processing_ms: 200,
            input_limit_ms: 60_000,
            faults: ElevenLabsFaults::default(),
            clock: Clock::default(),
        }
    }
}
