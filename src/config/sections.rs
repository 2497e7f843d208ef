//! The sections of the settings as types. What each key means is written in `config/default.toml`.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;

use super::agents::OwnAgentsConfig;
use crate::domain::{E164, Language, Purpose, Secret};

use super::limits::LimitsConfig;
use super::tools::ToolsConfig;
use super::transfers::TransfersConfig;

/// How long a phone may ring. 47 CFR 64.1200(a)(6): an unanswered telemarketing call may not be disconnected before 15 seconds or
/// four rings; Twilio's `Timeout` (Calls resource) takes 600 seconds at most.
pub(super) const RING_TIMEOUT_S: RangeInclusive<u32> = 15..=600;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: ServerConfig,
    pub store: StoreConfig,
    pub seller: SellerConfig,
    pub carrier: CarrierConfig,
    pub media: MediaConfig,
    pub agents: AgentsConfig,
    pub calls: CallsConfig,
    pub transfers: TransfersConfig,
    #[serde(default)]
    pub tools: ToolsConfig,
    pub compliance: ComplianceConfig,
    pub console: ConsoleConfig,
    pub limits: LimitsConfig,
    pub mcp: McpConfig,
    pub log: LogConfig,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    pub listen: SocketAddr,
    pub public_url: String,
    pub trusted_proxies: Vec<IpAddr>,
    pub drain_limit_s: u64,
    pub max_media_sockets: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    pub url: String,
    pub call_retention_days: u32,
    pub evidence_retention_years: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SellerConfig {
    pub name: String,
    pub callback_number: String,
    pub opt_out_number: String,
    pub language: Language,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarrierConfig {
    pub twilio: TwilioConfig,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TwilioConfig {
    pub api_url: String,
    pub account_sid: String,
    pub auth_token: Secret,
    pub previous_auth_token: Secret,
    pub api_key: String,
    pub api_secret: Secret,
    pub shared_keys: Vec<Secret>,
    pub from: String,
    pub calls_per_second: f64,
    pub max_concurrent: u32,
    pub queue_limit_s: u64,
    pub ring_timeout_s: u32,
    pub record: bool,
    pub machine_detection: MachineDetection,
    pub voicemail: String,
}

/// What is done about answering machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MachineDetection {
    Off,
    HangUp,
    Note,
    Message,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaConfig {
    pub unsigned_loopback: bool,
    pub token_lifetime_s: u64,
    pub start_deadline_s: u64,
}

/// Unknown keys are caught by the layers: what is neither a vendor's section nor a key is a section of the operator's own.
#[derive(Debug, Clone, Deserialize)]
pub struct AgentsConfig {
    pub default: String,
    pub routes: Vec<String>,
    pub elevenlabs: ElevenLabsConfig,
    pub retell: RetellConfig,
    pub answer_limit_s: u64,
    #[serde(flatten)]
    pub own: OwnAgentsConfig,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ElevenLabsConfig {
    pub api_url: String,
    pub api_key: Secret,
    pub webhook_secret: Secret,
    pub approved_tools: Vec<String>,
    pub say_voice: String,
    pub say_model: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetellConfig {
    pub api_url: String,
    pub api_key: Secret,
    pub sip_domain: String,
    pub mode: RetellMode,
    pub protocol: RetellProtocol,
    pub llm: RetellLlmConfig,
}

/// How a call reaches Retell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetellMode {
    /// By SIP, through the carrier.
    HandOver,
    /// By the audio WebSocket that Retell retired at the end of 2024.
    AudioWebsocket,
}

/// What is spoken on that WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetellProtocol {
    Twilio,
    Web,
}

/// The chat endpoint that answers on Retell's custom-LLM socket.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetellLlmConfig {
    pub secret: Secret,
    pub base_url: String,
    pub api_key: Secret,
    pub model: String,
    pub prompt: String,
    pub greeting: String,
    pub sorry: String,
    pub patience_ms: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallsConfig {
    pub max_duration_s: u64,
    pub warn_before_end_s: u64,
    pub machine_wait_ms: u64,
    pub agent_silence_s: u64,
    pub agent_ready_s: u64,
    pub resume_wait_s: u64,
    pub tool_limit_s: u64,
    pub apology: String,
    pub agent_opening: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComplianceConfig {
    pub rules: String,
    pub lists_directory: String,
    /// The gate's own type reads them (`compliance::profile`).
    pub choices: toml::Table,
    pub purposes: Vec<Purpose>,
    pub opt_out_key: String,
    pub emergencies: Vec<String>,
    pub scrub: ScrubConfig,
}

/// Questions to a scrubbing vendor.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScrubConfig {
    pub vendor: ScrubVendor,
    pub api_url: String,
    pub time_limit_ms: u64,
    pub max_age_h: u32,
    pub line_type: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScrubVendor {
    Off,
    TwilioLookup,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsoleConfig {
    pub session_hours: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpConfig {
    pub read_only: bool,
    pub confirm_dials: ConfirmDials,
    pub confirm_fallback: ConfirmFallback,
    pub allowed_origins: Vec<String>,
    pub max_sessions: usize,
    pub max_sessions_per_key: usize,
    pub oauth: OauthConfig,
}

/// Whether a person must agree before an agent's dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfirmDials {
    Never,
    Always,
}

/// What is done where the client cannot ask its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfirmFallback {
    Token,
    Refuse,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OauthConfig {
    pub issuer: String,
    pub audience: String,
    pub jwks_url: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    pub format: String,
    pub level: String,
}

impl Config {
    /// The URL under which the outside reaches us, without a slash at its end.
    pub fn public_url(&self) -> String {
        if self.server.public_url.is_empty() {
            format!("http://{}", self.server.listen)
        } else {
            self.server.public_url.trim_end_matches('/').to_owned()
        }
    }
}

impl SellerConfig {
    /// Both parts of who calls by law, or none.
    pub fn complete(&self) -> Option<(&str, E164)> {
        let number = self.callback_number.parse().ok()?;
        (!self.name.trim().is_empty()).then_some((self.name.as_str(), number))
    }
}

impl ScrubConfig {
    /// No answer counts for longer, whoever gave it: carriers report to the Reassigned Numbers Database every month.
    pub const LONGEST_AGE_H: u32 = 31 * 24;
}

/// Whether this address is on this machine, where no proxy may stand in between.
pub fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl CallsConfig {
    pub fn max_duration(&self) -> Duration {
        Duration::from_secs(self.max_duration_s)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Effective, Layer};

    #[test]
    fn a_phone_rings_no_shorter_than_the_law_and_no_longer_than_twilio_allows() {
        for (seconds, fine) in [(0, false), (14, false), (15, true), (600, true), (601, false)] {
            let text = format!("[carrier.twilio]\nring_timeout_s = {seconds}");
            let result = Effective::from_layers(vec![Layer::from_file("f", &text).unwrap()]);
            assert_eq!(result.is_ok(), fine, "{seconds}");
            let said = result.err().map(|error| error.to_string()).unwrap_or_default();
            assert_eq!(said.contains("carrier.twilio.ring_timeout_s") && said.contains("600"), !fine, "{said}");
        }
    }

    #[test]
    fn the_public_url_falls_back_to_the_listen_address() {
        let config = Effective::from_layers(vec![]).unwrap().config;
        assert_eq!(config.public_url(), "http://127.0.0.1:3333");
        let text = "[server]\npublic_url = \"https://voice.example.com/\"";
        let config = Effective::from_layers(vec![Layer::from_file("f", text).unwrap()]).unwrap().config;
        assert_eq!(config.public_url(), "https://voice.example.com");
    }
}
