//! The part of `doctor` that looks at Retell: the key, each agent, the way of its webhooks, and the socket that Retell retired.

use std::time::Duration;

use serde_json::Value;

use crate::agents::AgentError;
use crate::agents::retell::RetellClient;
use crate::config::{Config, RetellMode};
use crate::domain::{AgentRef, AgentVendor};
use crate::protocol::agent::retell::SIGNATURE_HEADER;

use super::doctor::Finding;

/// How long the way out and in may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn look(config: &Config) -> Vec<Finding> {
    let agents = agents(config);
    let settings = &config.agents.retell;
    if agents.is_empty() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    if settings.mode == RetellMode::AudioWebsocket {
        findings.push(Finding::Note(format!(
            "agents.retell.mode is audio-websocket: Retell retired its audio WebSocket at the end of 2024, so this works only with a \
             server of another's that still speaks it, at {}; what works at Retell is mode = \"hand-over\"",
            settings.api_url
        )));
    }
    if settings.api_key.expose().is_empty() {
        findings.push(Finding::Wrong("set RETELL_API_KEY: calls for Retell agents cannot be registered".to_owned()));
        return findings;
    }
    match RetellClient::new(&settings.api_url, Some(&settings.api_key)) {
        Ok(client) => {
            for agent in &agents {
                findings.extend(look_at_agent(&client, agent, config).await);
            }
        }
        Err(error) => findings.push(Finding::Wrong(error.to_string())),
    }
    findings.extend(look_at_webhook(&config.public_url()).await);
    findings
}

/// What is to be pasted at Retell. The secret of the LLM socket is not printed.
pub(super) fn addresses(config: &Config) -> Vec<String> {
    if agents(config).is_empty() {
        return Vec::new();
    }
    let base = config.public_url();
    let mut lines = vec![
        "Paste at Retell as the agent's webhook, with transcript_updated switched on:".to_owned(),
        format!("  {base}/webhooks/retell"),
    ];
    if !config.agents.retell.llm.secret.expose().is_empty() {
        lines.push(
            "and, for an agent with a custom LLM, as its LLM WebSocket, with your agents.retell.llm.secret:".to_owned(),
        );
        lines.push(format!("  {}/agents/retell/llm/SECRET", base.replacen("http", "ws", 1)));
    }
    lines
}

fn agents(config: &Config) -> Vec<AgentRef> {
    config.agents.all().into_iter().filter(|agent| agent.vendor == AgentVendor::Retell).collect()
}

async fn look_at_agent(client: &RetellClient, agent: &AgentRef, config: &Config) -> Vec<Finding> {
    let body = match client.fetch_agent(&agent.id).await {
        Ok(body) => body,
        Err(AgentError::Retell { status: 401, .. }) => {
            return vec![Finding::Wrong("Retell does not accept RETELL_API_KEY".to_owned())];
        }
        Err(error) => return vec![Finding::Wrong(format!("{agent}: {error}"))],
    };
    let mut findings = vec![Finding::Fine(format!("Retell knows the agent {agent}"))];
    findings.extend(look_at_agents_webhook(&body, agent, config));
    findings.extend(look_at_engine(&body, agent, config));
    findings
}

/// An agent's own webhook takes the place of the account's.
fn look_at_agents_webhook(body: &Value, agent: &AgentRef, config: &Config) -> Option<Finding> {
    let ours = format!("{}/webhooks/retell", config.public_url());
    let theirs = body["webhook_url"].as_str().filter(|url| !url.is_empty() && *url != ours)?;
    let host = url::Url::parse(theirs).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    Some(Finding::Note(format!(
        "{agent}: its webhooks go to {host}, not to {ours}: what is said comes only after the call, when Retell is asked"
    )))
}

fn look_at_engine(body: &Value, agent: &AgentRef, config: &Config) -> Option<Finding> {
    let engine = &body["response_engine"];
    if engine["type"] != "custom-llm" {
        return None;
    }
    let (llm, base) = (&config.agents.retell.llm, config.public_url());
    let secret = llm.secret.expose();
    let ours = format!("{}/agents/retell/llm/", base.replacen("http", "ws", 1));
    let url = engine["llm_websocket_url"].as_str().unwrap_or_default();
    Some(match url.trim_end_matches('/').strip_prefix(&ours) {
        None => Finding::Note(format!("{agent}: its custom LLM is elsewhere, not at {ours}SECRET")),
        Some(_) if secret.is_empty() => Finding::Wrong(format!(
            "{agent}: its custom LLM is this server, and agents.retell.llm.secret is not set: the address is closed"
        )),
        Some(theirs) if theirs != secret => {
            Finding::Wrong(format!("{agent}: its LLM WebSocket has another secret than agents.retell.llm.secret"))
        }
        Some(_) => Finding::Fine(format!("{agent}: its custom LLM is this server")),
    })
}

/// An unsigned webhook must be refused by us, and by nobody on the way.
async fn look_at_webhook(base: &str) -> Option<Finding> {
    let client =
        reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build().ok()?;
    let url = format!("{base}/webhooks/retell");
    let request = client.post(&url).header(SIGNATURE_HEADER, "v=0,d=00").body("{}");
    // That nothing answers at all is told elsewhere.
    let status = request.send().await.ok()?.status().as_u16();
    Some(match status {
        401 => Finding::Fine("Retell's webhooks can reach the server, and unsigned ones are refused".to_owned()),
        503 => Finding::Wrong(format!("{url}: the running server has no RETELL_API_KEY to check webhooks with")),
        other => Finding::Wrong(format!(
            "{url} answers HTTP {other} where 401 was due: does the proxy let POST through, and is `clearline serve` running?"
        )),
    })
}
