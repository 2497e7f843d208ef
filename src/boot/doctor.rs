//! `doctor`: what is wrong with the set-up, in plain words, and what to do about it; and the URLs to paste at the vendors.

use std::process::ExitCode;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio_util::task::TaskTracker;

use crate::agents::elevenlabs::ElevenLabsClient;
use crate::app::WallClock;
use crate::carrier::CallFilter;
use crate::config::{Config, Effective, TwilioConfig};
use crate::domain::{AgentRef, AgentVendor};
use crate::lists::ListName;
use crate::protocol::agent::elevenlabs_readiness::{Severity, cannot_open, readiness};
use crate::surfaces::cli::DoctorArgs;
use crate::surfaces::cli::out::{Paint, line};

use super::{public_url, retell, world};

/// How far this machine's clock may be from the carrier's.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(30);

/// From this age on, in days, a list of litigators should be renewed. No law says how old it may be, as it is for the registry's.
const LITIGATORS_OLD: i64 = 31;

/// One line of the report.
pub(super) enum Finding {
    Fine(String),
    Note(String),
    Wrong(String),
}

pub(super) async fn run(args: &DoctorArgs, settings: &Effective, paint: Paint) -> anyhow::Result<ExitCode> {
    let config = &settings.config;
    let mut findings = look_at_settings(config);
    findings.extend(look_at_store(config).await);
    findings.extend(look_at_lists(config));
    if !args.offline {
        findings.extend(look_at_twilio(&config.carrier.twilio).await);
        findings.extend(look_at_elevenlabs(config).await);
        findings.extend(retell::look(config).await);
        findings.extend(public_url::look(config).await);
    }
    let mut wrong = 0;
    for finding in &findings {
        match finding {
            Finding::Fine(text) => line(format!("{} {text}", paint.green("ok   "))),
            Finding::Note(text) => line(format!("{} {text}", paint.yellow("note "))),
            Finding::Wrong(text) => {
                wrong += 1;
                line(format!("{} {text}", paint.red("wrong")));
            }
        }
    }
    let base = config.public_url();
    line("");
    line("Paste at Twilio, for your number, under \"A call comes in\" (webhook, HTTP POST):");
    line(format!("  {}", paint.bold(format!("{base}/webhooks/voice"))));
    line("and under \"Call status changes\":");
    line(format!("  {}", paint.bold(format!("{base}/webhooks/status-callback"))));
    line("Paste at ElevenLabs as post-call webhook:");
    line(format!("  {}", paint.bold(format!("{base}/webhooks/elevenlabs"))));
    for text in retell::addresses(config) {
        line(text);
    }
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn look_at_settings(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut must = |is_fine: bool, fine: &str, wrong: &str| {
        findings.push(if is_fine { Finding::Fine(fine.to_owned()) } else { Finding::Wrong(wrong.to_owned()) });
    };
    must(
        config.public_url().starts_with("https://"),
        "the public URL is https",
        "server.public_url is not an https address: Twilio opens media streams over wss only (error 31922)",
    );
    must(
        config.seller.complete().is_some(),
        "the seller is named",
        "set seller.name and seller.callback_number: no outbound call is placed without them (47 CFR 64.1200(b))",
    );
    let twilio = &config.carrier.twilio;
    must(
        !twilio.account_sid.is_empty(),
        "a Twilio account is set",
        "set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN (or an API key)",
    );
    must(
        !twilio.auth_token.expose().is_empty(),
        "webhook signatures can be checked",
        "set TWILIO_AUTH_TOKEN: webhooks are signed with it, also where REST requests use an API key",
    );
    must(
        !twilio.from.is_empty(),
        "a caller number is set",
        "set carrier.twilio.from to one of your Twilio numbers: calls are placed from it",
    );
    must(
        !config.agents.default.is_empty() || !config.agents.routes.is_empty(),
        "an agent answers calls",
        "set agents.default (or agents.routes): without it inbound calls are rejected",
    );
    if config.media.unsigned_loopback {
        findings.push(Finding::Note("media.unsigned_loopback is on: meant for test tools on this machine".to_owned()));
    }
    if config.agents.elevenlabs.webhook_secret.expose().is_empty() {
        findings.push(Finding::Note(
            "agents.elevenlabs.webhook_secret is not set: post-call summaries will not arrive".to_owned(),
        ));
    }
    findings
}

async fn look_at_store(config: &Config) -> Vec<Finding> {
    let tracker = TaskTracker::new();
    let store = match world::open_store(config, &tracker).await {
        Ok(store) => store,
        Err(error) => return vec![Finding::Wrong(format!("{error:#}"))],
    };
    let mut findings = vec![Finding::Fine("the store opens".to_owned())];
    findings.push(match store.verify_ledger().await {
        Ok(head) => Finding::Fine(format!("the decision ledger is unbroken ({} decisions)", head.count)),
        Err(error) => Finding::Wrong(format!("the decision ledger: {error}")),
    });
    findings.push(match store.litigator_list().await {
        Ok(Some(list)) => {
            let days = age_in_days(list.as_of);
            let text = format!("the litigator list is of {}, {days} days old", list.as_of);
            if days > LITIGATORS_OLD {
                Finding::Note(format!("{text}: import a current one (clearline dnc import --list litigator)"))
            } else {
                Finding::Fine(text)
            }
        }
        Ok(None) => Finding::Note(
            "no litigator list was imported: the gate denies calls for which it is needed (FACT_UNKNOWN)".to_owned(),
        ),
        Err(error) => Finding::Wrong(error.to_string()),
    });
    store.close().await;
    findings
}

/// Reads every file of every do-not-call list and tells how old each list is.
fn look_at_lists(config: &Config) -> Vec<Finding> {
    let gate = match world::open_gate(config) {
        Ok(gate) => gate,
        Err(error) => return vec![Finding::Wrong(format!("{error:#}"))],
    };
    let Some(lists) = gate.lists() else { return Vec::new() };
    let snapshot = lists.current();
    let mut findings: Vec<_> = snapshot.verify().into_iter().map(Finding::Wrong).collect();
    let Ok(entries) = snapshot.entries() else { return findings };
    let max_days = i64::from(gate.tables().list_age.says.max_days);
    let mut is_national_there = false;
    for (list, entry) in entries {
        is_national_there |= list == ListName::National;
        let days = age_in_days(entry.as_of);
        let text = format!("the do-not-call list {list} is of {}, {days} days old", entry.as_of);
        findings.push(if days > max_days {
            Finding::Wrong(format!("{text}, and {max_days} are allowed: import a current list (clearline dnc import)"))
        } else {
            Finding::Fine(text)
        });
    }
    if !is_national_there {
        findings.push(Finding::Note(
            "no national do-not-call list was imported: sales calls without written consent are denied (FACT_UNKNOWN)"
                .to_owned(),
        ));
    }
    findings
}

fn age_in_days(as_of: Date) -> i64 {
    WallClock::real().now().to_zoned(TimeZone::UTC).date().duration_since(as_of).as_hours() / 24
}

async fn look_at_twilio(settings: &TwilioConfig) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Each credential by itself: the token signs webhooks, also where REST requests use the key.
    if settings.account_sid.is_empty() {
        return findings;
    }
    if !settings.auth_token.expose().is_empty() {
        findings.extend(look_at_account(&TwilioConfig { api_key: String::new(), ..settings.clone() }).await);
    }
    if !settings.api_key.is_empty() {
        let listed = match world::open_carrier(settings) {
            Ok(Some(carrier)) => carrier.list(&CallFilter::default()).await.map_err(anyhow::Error::from),
            Ok(None) => return findings,
            Err(error) => Err(error),
        };
        findings.push(match listed {
            Ok(_) => Finding::Fine("Twilio accepts the API key".to_owned()),
            Err(error) => Finding::Wrong(format!("Twilio does not accept the API key: {error:#}")),
        });
        if settings.auth_token.expose().is_empty() {
            findings.push(Finding::Note(
                "an API key may not look at its account: whether this is a trial account shows with the auth token only"
                    .to_owned(),
            ));
        }
    }
    findings
}

async fn look_at_account(settings: &TwilioConfig) -> Vec<Finding> {
    let carrier = match world::open_carrier(settings) {
        Ok(Some(carrier)) => carrier,
        Ok(None) => return Vec::new(),
        Err(error) => return vec![Finding::Wrong(format!("{error:#}"))],
    };
    let answer = match carrier.fetch_account().await {
        Ok(answer) => answer,
        Err(error) => {
            return vec![Finding::Wrong(format!("Twilio does not accept the account and its token: {error}"))];
        }
    };
    let mut findings = vec![if answer.account.is_trial() {
        let text =
            "the Twilio account is a trial account: it cannot open media streams or place these calls; upgrade it";
        Finding::Wrong(text.to_owned())
    } else {
        Finding::Fine("Twilio accepts the account and its token".to_owned())
    }];
    findings.extend(answer.answered_at.map(|theirs| look_at_clock(WallClock::real().now(), theirs)));
    findings
}

/// Calling hours, tokens and signatures are judged by this machine's clock.
fn look_at_clock(ours: Timestamp, theirs: Timestamp) -> Finding {
    let ahead = ours.duration_since(theirs);
    let seconds = ahead.unsigned_abs().as_secs();
    if ahead.abs() <= CLOCK_TOLERANCE {
        return Finding::Fine("this machine's clock agrees with Twilio's".to_owned());
    }
    let direction = if ahead.is_positive() { "ahead of" } else { "behind" };
    Finding::Wrong(format!(
        "this machine's clock is {seconds} seconds {direction} Twilio's: calling hours are judged by it, and signatures and \
         tokens grow old by it. Set it right (NTP)"
    ))
}

async fn look_at_elevenlabs(config: &Config) -> Vec<Finding> {
    let agents = config.agents.all().into_iter().filter(|agent| agent.vendor == AgentVendor::ElevenLabs);
    let accounts = match world::elevenlabs_accounts(&config.agents) {
        Ok(accounts) => accounts,
        Err(error) => return vec![Finding::Wrong(error.to_string())],
    };
    let mut findings = Vec::new();
    for agent in agents {
        let account = accounts.of(&agent.id);
        if account.has_key() {
            findings.extend(look_at_agent(account, &agent, !config.calls.agent_opening.is_empty()).await);
        } else {
            findings.push(Finding::Note(format!(
                "no ElevenLabs key for {agent}: it can be reached only if it is public, and not be looked at"
            )));
        }
    }
    findings
}

async fn look_at_agent(client: &ElevenLabsClient, agent: &AgentRef, opens: bool) -> Vec<Finding> {
    let body = match client.fetch_agent(&agent.id).await {
        Ok(body) => body,
        Err(error) => return vec![Finding::Wrong(format!("{agent}: {error}"))],
    };
    let mut findings = vec![Finding::Fine(format!("ElevenLabs knows the agent {agent}"))];
    let obstacle = if opens { cannot_open(&body) } else { None };
    findings.extend(readiness(&body).into_iter().chain(obstacle).map(|finding| {
        let text = format!("{agent}: {}: {}: {}", finding.setting, finding.problem, finding.remedy);
        match finding.severity {
            Severity::Broken => Finding::Wrong(text),
            Severity::Degraded => Finding::Note(text),
        }
    }));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_may_be_half_a_minute_off() {
        let theirs = Timestamp::UNIX_EPOCH;
        for (ours, said) in
            [(30, None), (-30, None), (31, Some("31 seconds ahead of")), (-3600, Some("3600 seconds behind"))]
        {
            match (look_at_clock(Timestamp::from_second(ours).unwrap(), theirs), said) {
                (Finding::Fine(_), None) => {}
                (Finding::Wrong(text), Some(said)) => assert!(text.contains(said), "{text}"),
                (_, said) => panic!("{ours}: {said:?}"),
            }
        }
    }
}
