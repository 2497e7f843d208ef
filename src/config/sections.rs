//! The sections of the settings as types. What each key means is written in `config/default.toml`.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;

use crate::domain::{AgentRef, E164, Purpose, Secret};

use super::transfers::TransfersConfig;

/// How long a phone may ring. 47 CFR 64.1200(a)(6): an unanswered telemarketing call may not be disconnected before 15 seconds or
/// four rings; Twilio's `Timeout` (Calls resource) takes 600 seconds at most.
const RING_TIMEOUT_S: RangeInclusive<u32> = 15..=600;

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
    pub compliance: ComplianceConfig,
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

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentsConfig {
    pub default: String,
    pub routes: Vec<String>,
    pub elevenlabs: ElevenLabsConfig,
    pub retell: RetellConfig,
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

    /// The agent that answers calls to this number.
    pub fn agent_for(&self, called: &str) -> Option<AgentRef> {
        self.agents.route(called).or_else(|| self.agents.default.parse().ok())
    }

    /// What is wrong with values that have the right type: the key and a sentence for each.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut number = |key, text: &str| {
            if let (false, Err(error)) = (text.is_empty(), text.parse::<E164>()) {
                problems.push((key, error.to_string()));
            }
        };
        number("carrier.twilio.from", &self.carrier.twilio.from);
        number("seller.callback_number", &self.seller.callback_number);
        number("seller.opt_out_number", &self.seller.opt_out_number);
        let mut url = |key, text: &str, may_be_empty: bool| {
            let fine =
                url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            let excused = may_be_empty && text.is_empty();
            if !(fine || excused) {
                problems.push((key, "must be a URL like https://voice.example.com".to_owned()));
            }
        };
        url("server.public_url", &self.server.public_url, true);
        url("carrier.twilio.api_url", &self.carrier.twilio.api_url, false);
        url("agents.elevenlabs.api_url", &self.agents.elevenlabs.api_url, false);
        url("agents.retell.api_url", &self.agents.retell.api_url, false);
        url("compliance.scrub.api_url", &self.compliance.scrub.api_url, false);
        if self.server.public_url.contains(['?', '#', ' ']) || self.server.public_url.starts_with("HTTP") {
            problems.push(("server.public_url", "must be a URL without query, fragment or blanks".to_owned()));
        }
        if !self.agents.default.is_empty()
            && let Err(error) = self.agents.default.parse::<AgentRef>()
        {
            problems.push(("agents.default", error.to_string()));
        }
        if let Some(bad) = self.agents.routes.iter().find(|route| parse_route(route).is_none()) {
            problems.push(("agents.routes", format!("`{bad}` is not like +12125550100=elevenlabs:agent_123")));
        }
        if self.carrier.twilio.machine_detection == MachineDetection::Message
            && self.carrier.twilio.voicemail.trim().is_empty()
        {
            problems.push(("carrier.twilio.voicemail", "machine_detection = \"message\" needs a message".to_owned()));
        }
        if let Some(bad) = self.transfers.bad_target() {
            problems.push(("transfers.targets", format!("`{bad}` is not like sales=+12125550140")));
        }
        if !(self.carrier.twilio.calls_per_second > 0.0 && self.carrier.twilio.calls_per_second <= 1000.0) {
            problems.push(("carrier.twilio.calls_per_second", "must be above 0 and at most 1000".to_owned()));
        }
        let scrub = &self.compliance.scrub;
        if !(1..=ScrubConfig::LONGEST_AGE_H).contains(&scrub.max_age_h) {
            problems.push(("compliance.scrub.max_age_h", "must be 1 to 744, which is 31 days".to_owned()));
        }
        if !(100..=30_000).contains(&scrub.time_limit_ms) {
            problems.push(("compliance.scrub.time_limit_ms", "must be 100 to 30000".to_owned()));
        }
        if !RING_TIMEOUT_S.contains(&self.carrier.twilio.ring_timeout_s) {
            problems.push((
                "carrier.twilio.ring_timeout_s",
                format!(
                    "must be from {} (the law asks for 15 seconds at least, 47 CFR 64.1200(a)(6)) to {} (Twilio's longest)",
                    RING_TIMEOUT_S.start(),
                    RING_TIMEOUT_S.end()
                ),
            ));
        }
        if self.carrier.twilio.queue_limit_s == 0 {
            problems.push(("carrier.twilio.queue_limit_s", "must be 1 or more".to_owned()));
        }
        if self.carrier.twilio.shared_keys.iter().any(|key| !key.expose().contains('=')) {
            problems.push(("carrier.twilio.shared_keys", "each must be like webhooks_sharedkey_…=SECRET".to_owned()));
        }
        if (1..5).contains(&self.store.evidence_retention_years) {
            let text = "must be 0 (for ever) or at least 5: 16 CFR 310.5 asks for five years".to_owned();
            problems.push(("store.evidence_retention_years", text));
        }
        if !matches!(self.log.format.as_str(), "text" | "json") {
            problems.push(("log.format", "must be text or json".to_owned()));
        }
        if self.log.level.parse::<tracing::Level>().is_err() {
            problems.push(("log.level", "must be error, warn, info, debug or trace".to_owned()));
        }
        problems
    }
}

impl AgentsConfig {
    /// Every agent that may answer or place calls, each once: the default one first.
    pub fn all(&self) -> Vec<AgentRef> {
        let routed = self.routes.iter().filter_map(|route| Some(parse_route(route)?.1));
        let mut agents: Vec<AgentRef> = Vec::new();
        for agent in self.default.parse().into_iter().chain(routed) {
            if !agents.contains(&agent) {
                agents.push(agent);
            }
        }
        agents
    }

    fn route(&self, called: &str) -> Option<AgentRef> {
        self.routes
            .iter()
            .filter_map(|route| parse_route(route))
            .find(|(number, _)| number.as_str() == called)
            .map(|(_, agent)| agent)
    }
}

fn parse_route(text: &str) -> Option<(E164, AgentRef)> {
    let (number, agent) = text.split_once('=')?;
    Some((number.trim().parse().ok()?, agent.trim().parse().ok()?))
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
    fn a_route_wins_over_the_default_agent() {
        let text = "[agents]\ndefault = \"a1\"\nroutes = [\"+12125550100=elevenlabs:a2\", \"+12125550102=a1\"]";
        let config = Effective::from_layers(vec![Layer::from_file("f", text).unwrap()]).unwrap().config;
        assert_eq!(config.agent_for("+12125550100").unwrap().id, "a2");
        assert_eq!(config.agent_for("+12125550101").unwrap().id, "a1");
        let all: Vec<_> = config.agents.all().into_iter().map(|agent| agent.id).collect();
        assert_eq!(all, ["a1", "a2"]);
    }

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
