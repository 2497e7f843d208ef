//! What is wrong with settings of the right type: the key and a sentence for each, all at once.

use std::ops::RangeInclusive;

use super::sections::{Config, MachineDetection, RING_TIMEOUT_S, RetellLlmConfig, ScrubConfig, TwilioConfig};
use crate::domain::E164;

type Problems = Vec<(&'static str, String)>;

impl Config {
    pub(super) fn problems(&self) -> Problems {
        let mut problems = self.number_problems();
        problems.extend(self.url_problems());
        problems.extend(self.agents.problems());
        problems.extend(self.agents.retell.llm.problems());
        problems.extend(self.carrier.twilio.problems());
        let opening = &self.calls.agent_opening;
        if !opening.is_empty() && !opening.contains("{disclosure}") {
            let text = "must hold {disclosure}, the place of what the law wants said first".to_owned();
            problems.push(("calls.agent_opening", text));
        }
        if let Some(bad) = self.transfers.bad_target() {
            problems.push(("transfers.targets", format!("`{bad}` is not like sales=+12125550140")));
        }
        problems.extend(self.tools.problems());
        problems.extend(self.compliance.scrub.problems());
        problems.extend(self.limit_problems());
        if !matches!(self.log.format.as_str(), "text" | "json") {
            problems.push(("log.format", "must be text or json".to_owned()));
        }
        if self.log.level.parse::<tracing::Level>().is_err() {
            problems.push(("log.level", "must be error, warn, info, debug or trace".to_owned()));
        }
        problems
    }

    fn number_problems(&self) -> Problems {
        let numbers = [
            ("carrier.twilio.from", &self.carrier.twilio.from),
            ("seller.callback_number", &self.seller.callback_number),
            ("seller.opt_out_number", &self.seller.opt_out_number),
        ];
        let set = numbers.into_iter().filter(|(_, text)| !text.is_empty());
        set.filter_map(|(key, text)| Some((key, text.parse::<E164>().err()?.to_string()))).collect()
    }

    fn url_problems(&self) -> Problems {
        let urls = [
            ("server.public_url", &self.server.public_url, true),
            ("carrier.twilio.api_url", &self.carrier.twilio.api_url, false),
            ("agents.elevenlabs.api_url", &self.agents.elevenlabs.api_url, false),
            ("agents.retell.api_url", &self.agents.retell.api_url, false),
            ("agents.retell.llm.base_url", &self.agents.retell.llm.base_url, false),
            ("mcp.oauth.issuer", &self.mcp.oauth.issuer, true),
            ("mcp.oauth.jwks_url", &self.mcp.oauth.jwks_url, true),
            ("compliance.scrub.api_url", &self.compliance.scrub.api_url, false),
        ];
        let is_bad = |text: &str| {
            !url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        };
        let mut problems: Problems = urls
            .into_iter()
            .filter(|(_, text, may_be_empty)| is_bad(text) && !(*may_be_empty && text.is_empty()))
            .map(|(key, ..)| (key, "must be a URL like https://voice.example.com".to_owned()))
            .collect();
        if self.server.public_url.contains(['?', '#', ' ']) || self.server.public_url.starts_with("HTTP") {
            problems.push(("server.public_url", "must be a URL without query, fragment or blanks".to_owned()));
        }
        problems
    }

    fn limit_problems(&self) -> Problems {
        let mut problems: Problems = self.limits.problems();
        if !(1..=720).contains(&self.console.session_hours) {
            problems.push(("console.session_hours", "must be 1 to 720".to_owned()));
        }
        if (1..5).contains(&self.store.evidence_retention_years) {
            let text = "must be 0 (for ever) or at least 5: 16 CFR 310.5 asks for five years".to_owned();
            problems.push(("store.evidence_retention_years", text));
        }
        problems
    }
}

impl TwilioConfig {
    fn problems(&self) -> Problems {
        let mut problems = Vec::new();
        if self.machine_detection == MachineDetection::Message && self.voicemail.trim().is_empty() {
            problems.push(("carrier.twilio.voicemail", "machine_detection = \"message\" needs a message".to_owned()));
        }
        if !(self.calls_per_second > 0.0 && self.calls_per_second <= 1000.0) {
            problems.push(("carrier.twilio.calls_per_second", "must be above 0 and at most 1000".to_owned()));
        }
        if !RING_TIMEOUT_S.contains(&self.ring_timeout_s) {
            problems.push(("carrier.twilio.ring_timeout_s", ring_timeout_problem(RING_TIMEOUT_S)));
        }
        if self.queue_limit_s == 0 {
            problems.push(("carrier.twilio.queue_limit_s", "must be 1 or more".to_owned()));
        }
        if self.shared_keys.iter().any(|key| !key.expose().contains('=')) {
            problems.push(("carrier.twilio.shared_keys", "each must be like webhooks_sharedkey_…=SECRET".to_owned()));
        }
        problems
    }
}

fn ring_timeout_problem(range: RangeInclusive<u32>) -> String {
    format!(
        "must be from {} (the law asks for 15 seconds at least, 47 CFR 64.1200(a)(6)) to {} (Twilio's longest)",
        range.start(),
        range.end()
    )
}

impl RetellLlmConfig {
    fn problems(&self) -> Problems {
        let secret = self.secret.expose();
        if secret.is_empty() {
            return Vec::new();
        }
        let mut problems = Vec::new();
        // It is all that keeps strangers out, and part of an address.
        let is_fine = secret.len() >= 24 && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !is_fine {
            let text = "must have 24 characters or more: letters, digits, - and _ (`openssl rand -hex 24` makes one)";
            problems.push(("agents.retell.llm.secret", text.to_owned()));
        }
        if self.model.is_empty() {
            problems.push(("agents.retell.llm.model", "must name the model that answers".to_owned()));
        }
        if !(500..=30_000).contains(&self.patience_ms) {
            problems.push(("agents.retell.llm.patience_ms", "must be 500 to 30000".to_owned()));
        }
        problems
    }
}

impl ScrubConfig {
    fn problems(&self) -> Problems {
        let mut problems = Vec::new();
        if !(1..=Self::LONGEST_AGE_H).contains(&self.max_age_h) {
            problems.push(("compliance.scrub.max_age_h", "must be 1 to 744, which is 31 days".to_owned()));
        }
        if !(100..=30_000).contains(&self.time_limit_ms) {
            problems.push(("compliance.scrub.time_limit_ms", "must be 100 to 30000".to_owned()));
        }
        problems
    }
}
