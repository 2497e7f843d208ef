//! How the house stands: what runs, what it depends on, and for everything that is not as it should be a sentence on what to do.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;

use crate::compliance::profile::LitigatorList;
use crate::domain::{AgentRef, AgentVendor, CallState, Disposition, Secret};
use crate::store::{CallFilter, StoreError};

use super::{App, keys};

/// How long a vendor may take to show that it is there.
const PROBE_LIMIT: Duration = Duration::from_secs(5);

/// How many of the last hour's calls the error rate rests on at most.
const RATED_CALLS: u32 = 2_000;

/// Where what is found of agents stands.
const AGENT: &str = "Agent";

/// From this share of failed calls on (in percent, of at least five) an operator should look.
const FAILED_PERCENT: u32 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Fine,
    Note,
    Warning,
}

impl Level {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Note => "note",
            Self::Warning => "warning",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub area: &'static str,
    pub level: Level,
    /// What was found.
    pub text: String,
    /// What to do about it; empty where it is fine.
    pub remedy: String,
}

impl Check {
    fn fine(area: &'static str, text: impl Into<String>) -> Self {
        Self { area, level: Level::Fine, text: text.into(), remedy: String::new() }
    }

    fn note(area: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { area, level: Level::Note, text: text.into(), remedy: remedy.into() }
    }

    fn warning(area: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { area, level: Level::Warning, text: text.into(), remedy: remedy.into() }
    }
}

impl App {
    /// Looks at everything, vendors included, which takes a few seconds where one does not answer.
    pub async fn look_at_health(&self) -> Result<Vec<Check>, StoreError> {
        let (carrier, agents) = tokio::join!(self.look_at_carrier(), self.look_at_agents());
        let now = self.clock.now();
        let mut checks = vec![self.look_at_outbound().await?, carrier];
        checks.extend(agents);
        checks.extend(self.look_at_settings());
        checks.extend(self.look_at_limits().await?);
        checks.extend(self.look_at_dnc_lists(now));
        checks.push(self.look_at_litigators(now).await?);
        checks.push(self.look_at_failures(now).await?);
        checks.push(self.look_at_journal());
        checks.push(self.look_at_sockets());
        Ok(checks)
    }

    /// Limits of single keys that hold nobody.
    async fn look_at_limits(&self) -> Result<Vec<Check>, StoreError> {
        if self.config.limits.keys.is_empty() {
            return Ok(Vec::new());
        }
        let keys = self.store.list_keys().await?;
        let in_force = |name: &str| {
            name == keys::ENVIRONMENT
                || keys.iter().any(|key| key.revoked_at.is_none() && key.name.to_lowercase() == name)
        };
        let idle = self.config.limits.keys.keys().filter(|name| !in_force(name)).map(|name| {
            let text = format!("limits.keys.{name} limits nobody: no key in force has this name");
            Check::warning(
                "Keys",
                text,
                "Write the key's name as `clearline keys list` has it, or take the section out.",
            )
        });
        Ok(idle.collect())
    }

    async fn look_at_outbound(&self) -> Result<Check, StoreError> {
        const AREA: &str = "Outbound calls";
        if let Some(stop) = self.store.outbound_stop().await? {
            let text = format!("stopped since {:.0} by {}", stop.since, stop.by.name);
            return Ok(Check::warning(AREA, text, "Release them on the live page once the cause is settled."));
        }
        if self.drain.is_cancelled() {
            let remedy = "The server is shutting down and takes no new calls. Wait for its successor.";
            return Ok(Check::warning(AREA, "draining", remedy));
        }
        Ok(Check::fine(AREA, "released: the gate decides on each call"))
    }

    async fn look_at_carrier(&self) -> Check {
        const AREA: &str = "Carrier";
        let Some(carrier) = &self.carrier else {
            return Check::warning(
                AREA,
                "no Twilio account is set",
                "Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN. Without them no call can be placed or ended.",
            );
        };
        match timeout(PROBE_LIMIT, carrier.fetch_account()).await {
            Ok(Ok(answer)) if answer.account.is_trial() => Check::warning(
                AREA,
                "the Twilio account is a trial account",
                "Upgrade it: a trial account cannot open media streams.",
            ),
            Ok(Ok(_)) => Check::fine(AREA, "Twilio answers and accepts the credentials"),
            Ok(Err(error)) => {
                Check::warning(AREA, format!("Twilio: {error}"), "Check the credentials and Twilio's status page.")
            }
            Err(_) => Check::warning(
                AREA,
                format!("Twilio did not answer within {} s", PROBE_LIMIT.as_secs()),
                "Check this machine's connection and Twilio's status page.",
            ),
        }
    }

    /// Every agent that may answer or place calls, each looked at by itself.
    async fn look_at_agents(&self) -> Vec<Check> {
        let agents = self.config.agents.all();
        if agents.is_empty() {
            return vec![Check::note(
                AGENT,
                "no agent is set",
                "Set agents.default, or name an agent with each call. Without one, inbound calls are rejected.",
            )];
        }
        join_all(agents.iter().map(|agent| self.look_at_agent(agent))).await
    }

    /// Whether calls skip it, else whether its vendor has it.
    async fn look_at_agent(&self, agent: &AgentRef) -> Check {
        if let Some(ailment) = self.agent_health.ailment(agent) {
            let remedy = "Look at the vendor's status page and at the last events of the failed calls. It is tried again by itself.";
            return match ailment.rests_until {
                Some(until) => {
                    let text =
                        format!("{agent} failed {} times in a row: calls skip it until {until:.0}", ailment.failures);
                    Check::warning(AGENT, text, format!("Where no other agent is set, calls still go to it. {remedy}"))
                }
                None => Check::note(AGENT, format!("{agent} failed {} times in a row", ailment.failures), remedy),
            };
        }
        let no_key = |key: &Secret| key.expose().is_empty();
        let unseen = |why: &str, remedy: &str| Check::note(AGENT, format!("{agent} is not looked at: {why}"), remedy);
        let answer = match agent.vendor {
            AgentVendor::ElevenLabs if !self.agents.of(&agent.id).has_key() => {
                let key = self.config.agents.elevenlabs_key_of(&agent.id);
                return unseen("no API key is set", &format!("Set {key} to see whether the agent can be reached."));
            }
            AgentVendor::Retell if no_key(&self.config.agents.retell.api_key) => {
                return Check::warning(
                    AGENT,
                    format!("{agent}: no API key is set"),
                    "Set RETELL_API_KEY: without it no call can be handed to this agent.",
                );
            }
            AgentVendor::ElevenLabs => timeout(PROBE_LIMIT, self.agents.of(&agent.id).fetch_agent(&agent.id)).await,
            AgentVendor::Retell => timeout(PROBE_LIMIT, self.retell.fetch_agent(&agent.id)).await,
            AgentVendor::TwilioStream | AgentVendor::Binary => {
                return Check::fine(AGENT, format!("{agent} has not failed lately; only calls ask it"));
            }
        };
        match answer {
            Ok(Ok(_)) => Check::fine(AGENT, format!("{agent} is there")),
            Ok(Err(error)) => Check::warning(
                AGENT,
                format!("{agent}: {error}"),
                "Its calls go to the next agent of its list, or hear the apology. Check the agent's id, the API key and the vendor's status page.",
            ),
            Err(_) => Check::warning(
                AGENT,
                format!("{agent}: no answer within {} s", PROBE_LIMIT.as_secs()),
                "Its calls go to the next agent of its list, or hear the apology. Check this machine's connection and the vendor's status page.",
            ),
        }
    }

    fn look_at_settings(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        if self.config.seller.complete().is_none() {
            checks.push(Check::warning(
                "Seller",
                "the seller is not named",
                "Set seller.name and seller.callback_number: no outbound call is placed without them.",
            ));
        }
        if !self.config.public_url().starts_with("https://") && !self.clock.is_shifted() {
            checks.push(Check::note(
                "Public URL",
                "server.public_url is not an https address",
                "Set it to the https address under which Twilio reaches this server.",
            ));
        }
        let refused = self.metrics.signatures_refused();
        if refused > 0 {
            checks.push(Check::warning(
                "Signatures",
                format!("{refused} webhooks were refused for their signature since the start"),
                "If they are Twilio's, server.public_url or the auth token is not the one Twilio signs with: the log names the URL that was computed.",
            ));
        }
        checks
    }

    /// The lists that are too old, missing or damaged: what they are needed for is denied meanwhile. Cheap enough to be asked often.
    pub async fn list_troubles(&self) -> Result<Vec<Check>, StoreError> {
        let now = self.clock.now();
        let mut checks = self.look_at_dnc_lists(now);
        checks.push(self.look_at_litigators(now).await?);
        checks.retain(|check| check.level > Level::Fine);
        Ok(checks)
    }

    fn look_at_dnc_lists(&self, now: Timestamp) -> Vec<Check> {
        const AREA: &str = "Do-not-call lists";
        let import = "clearline dnc import FILE --list national --as-of DATE";
        let Some(lists) = self.gate.lists() else { return Vec::new() };
        let snapshot = lists.current();
        let entries = match snapshot.entries() {
            Ok(entries) => entries,
            Err(fault) => {
                return vec![Check::warning(
                    AREA,
                    fault.to_owned(),
                    format!("Calls that need them are denied. {import}"),
                )];
            }
        };
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let max_days = i64::from(self.gate.tables().list_age.says.max_days);
        let mut checks: Vec<_> = entries
            .map(|(list, entry)| {
                let days = today.duration_since(entry.as_of).as_hours() / 24;
                let text = format!("{list}, as of {} ({days} days old)", entry.as_of);
                if days > max_days {
                    Check::warning(AREA, text, format!("Calls that need it are denied. Import a newer one: {import}"))
                } else {
                    Check::fine(AREA, text)
                }
            })
            .collect();
        if checks.is_empty() {
            checks.push(Check::note(AREA, "none was imported: cold calls are denied", import));
        }
        checks
    }

    async fn look_at_litigators(&self, now: Timestamp) -> Result<Check, StoreError> {
        const AREA: &str = "Litigator list";
        const OFF: &str = "no call waits for one (compliance.choices.litigator_list = \"off\")";
        let import = "clearline dnc import FILE --list litigator --as-of DATE";
        let is_required = self.gate.profile().litigator_list == LitigatorList::Required;
        let Some(list) = self.store.litigator_list().await? else {
            if !is_required {
                return Ok(Check::fine(AREA, OFF));
            }
            return Ok(Check::warning(AREA, "none was imported: calls that need it are denied", import));
        };
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let days = today.duration_since(list.as_of).as_hours() / 24;
        let text = format!("{} numbers, as of {} ({days} days old)", list.numbers, list.as_of);
        Ok(if !is_required {
            Check::fine(AREA, format!("{text}; {OFF}"))
        } else if days > i64::from(self.gate.tables().list_age.says.max_days) {
            Check::warning(AREA, text, format!("Calls that need it are denied. Import a newer one: {import}"))
        } else {
            Check::fine(AREA, text)
        })
    }

    async fn look_at_failures(&self, now: Timestamp) -> Result<Check, StoreError> {
        const AREA: &str = "Failed calls";
        let since = now.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MIN);
        let filter = CallFilter { state: Some(CallState::Ended), since: Some(since), ..CallFilter::default() };
        let ended = self.store.list_calls(filter, None, RATED_CALLS).await?.items;
        let is_failure = |disposition| matches!(disposition, Some(Disposition::Failed | Disposition::AgentFailed));
        let failed = ended.iter().filter(|call| is_failure(call.disposition)).count();
        let text = format!("{failed} of the {} calls that ended in the last hour", ended.len());
        let is_much = ended.len() >= 5 && failed * 100 > ended.len() * FAILED_PERCENT as usize;
        Ok(if is_much {
            Check::warning(AREA, text, "Open the failed calls: the last events of each say what broke.")
        } else {
            Check::fine(AREA, text)
        })
    }

    fn look_at_journal(&self) -> Check {
        const AREA: &str = "Journal";
        let waiting = self.metrics.journal_depth.get();
        let text = format!("{waiting} events wait to be written");
        if waiting > 1_000 {
            Check::warning(
                AREA,
                text,
                "The disk cannot keep up: look at its load and free space. A full journal ends calls.",
            )
        } else {
            Check::fine(AREA, text)
        }
    }

    fn look_at_sockets(&self) -> Check {
        const AREA: &str = "Media sockets";
        let places = self.config.server.max_media_sockets as usize;
        let free = self.media_places.available_permits().min(places);
        let text = format!("{} of {places} in use", places - free);
        if free * 10 < places {
            Check::warning(
                AREA,
                text,
                "Raise server.max_media_sockets, or add a server: new streams are refused when all are used.",
            )
        } else {
            Check::fine(AREA, text)
        }
    }
}
