//! `doctor`: what is wrong with the set-up, in plain words, and what to do about it; and the URLs to paste at the vendors.

use std::process::ExitCode;

use tokio_util::task::TaskTracker;

use crate::agents::elevenlabs::{ElevenLabsClient, Limits};
use crate::app::WallClock;
use crate::config::{Config, Effective};
use crate::domain::{AgentRef, AgentVendor};
use crate::lists::ListName;
use crate::protocol::agent::elevenlabs_readiness::{Severity, readiness};
use crate::surfaces::cli::DoctorArgs;
use crate::surfaces::cli::out::{Paint, line};

use super::world;

/// One line of the report.
enum Finding {
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
        findings.extend(look_at_twilio(config).await);
        findings.extend(look_at_elevenlabs(config).await);
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
        Ok(Some(list)) => Finding::Fine(format!("a litigator list of {} is there", list.as_of)),
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
    let today = WallClock::real().now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let max_days = i64::from(gate.tables().list_age.says.max_days);
    let mut is_national_there = false;
    for (list, entry) in entries {
        is_national_there |= list == ListName::National;
        let days = today.duration_since(entry.as_of).as_hours() / 24;
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

async fn look_at_twilio(config: &Config) -> Vec<Finding> {
    let carrier = match world::open_carrier(&config.carrier.twilio) {
        Ok(Some(carrier)) => carrier,
        Ok(None) => return Vec::new(),
        Err(error) => return vec![Finding::Wrong(format!("{error:#}"))],
    };
    match carrier.fetch_account().await {
        Ok(account) if account.is_trial() => vec![Finding::Wrong(
            "the Twilio account is a trial account: it cannot open media streams or place these calls; upgrade it"
                .to_owned(),
        )],
        Ok(_) => vec![Finding::Fine("Twilio accepts the credentials".to_owned())],
        Err(error) => vec![Finding::Wrong(format!("Twilio: {error}"))],
    }
}

async fn look_at_elevenlabs(config: &Config) -> Vec<Finding> {
    let settings = &config.agents.elevenlabs;
    let Ok(agent) = config.agents.default.parse::<AgentRef>() else { return Vec::new() };
    if agent.vendor != AgentVendor::ElevenLabs {
        return vec![Finding::Wrong("agents.default: this version bridges ElevenLabs agents only".to_owned())];
    }
    if settings.api_key.expose().is_empty() {
        return vec![Finding::Note(
            "no ElevenLabs key: only public agents can be reached, and not be looked at".to_owned(),
        )];
    }
    let client = match ElevenLabsClient::new(&settings.api_url, Some(&settings.api_key), Limits::default()) {
        Ok(client) => client,
        Err(error) => return vec![Finding::Wrong(error.to_string())],
    };
    match client.fetch_agent(&agent.id).await {
        Ok(body) => {
            let mut findings = vec![Finding::Fine(format!("ElevenLabs knows the agent {agent}"))];
            findings.extend(readiness(&body).into_iter().map(|finding| {
                let text = format!("{}: {}: {}", finding.setting, finding.problem, finding.remedy);
                match finding.severity {
                    Severity::Broken => Finding::Wrong(text),
                    Severity::Degraded => Finding::Note(text),
                }
            }));
            findings
        }
        Err(error) => vec![Finding::Wrong(format!("ElevenLabs: {error}"))],
    }
}
