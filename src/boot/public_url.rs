//! The part of `doctor` that comes back in through the front door: it fetches the server's own public address, signed as Twilio
//! signs, and so finds out what a proxy or tunnel on the way does to requests.

use std::time::Duration;

use reqwest::redirect::Policy;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::config::Config;
use crate::protocol::twilio::signature::{Algorithm, SIGNATURE_HEADER, sign};

use super::doctor::Finding;

/// How long the way out and in may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A call that no carrier has: what is said of it changes nothing.
const NO_CALL: &str = "CA00000000000000000000000000000000";

pub(super) async fn look(config: &Config) -> Vec<Finding> {
    let base = config.public_url();
    let client = reqwest::Client::builder().timeout(PATIENCE).redirect(Policy::none()).build();
    let client = match client {
        Ok(client) => client,
        Err(error) => return vec![Finding::Wrong(format!("no HTTP client: {error}"))],
    };
    let mut findings = Vec::new();
    match health(&client, &base).await {
        Ok(finding) => findings.push(finding),
        Err(finding) => return vec![finding],
    }
    if !config.carrier.twilio.auth_token.expose().is_empty() {
        findings.push(signed_webhook(&client, &base, config).await);
        findings.push(media_upgrade(&base, config).await);
    }
    findings
}

/// Whether a server of ours answers there. Nothing else can be found out otherwise.
async fn health(client: &reqwest::Client, base: &str) -> Result<Finding, Finding> {
    let answer = client.get(format!("{base}/health")).send().await.map_err(|error| {
        let why = if error.is_timeout() { "no answer in time" } else { "no connection" };
        Finding::Note(format!(
            "nothing answers at {base} ({why}): start `clearline serve`, then ask again; if it runs, look at the proxy or tunnel"
        ))
    })?;
    let status = answer.status();
    if status.is_redirection() {
        let target = answer.headers().get("location").and_then(|value| value.to_str().ok()).unwrap_or("elsewhere");
        return Err(Finding::Wrong(format!(
            "{base} redirects to {target}: Twilio would lose the form on the way; set server.public_url to where it ends"
        )));
    }
    if !status.is_success() || answer.text().await.unwrap_or_default().trim() != "alive" {
        return Err(Finding::Wrong(format!(
            "{base}/health is not answered by Clearline (HTTP {}): is `clearline serve` running, and does the proxy lead there?",
            status.as_u16()
        )));
    }
    Ok(Finding::Fine(format!("the server answers at {base}")))
}

/// A callback for a call that does not exist, signed as Twilio signs.
async fn signed_webhook(client: &reqwest::Client, base: &str, config: &Config) -> Finding {
    let twilio = &config.carrier.twilio;
    let url = format!("{base}/webhooks/status-callback");
    let form = [("AccountSid", twilio.account_sid.as_str()), ("CallSid", NO_CALL), ("CallStatus", "completed")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let signature = sign(&twilio.auth_token, Algorithm::HmacSha1, &url, &form);
    let Ok(answer) = client.post(&url).header(SIGNATURE_HEADER, signature).form(&form).send().await else {
        return Finding::Wrong(format!("{url} does not take a form, though the server answers"));
    };
    let status = answer.status();
    match status.as_u16() {
        200..300 => Finding::Fine("requests signed as Twilio signs are accepted there".to_owned()),
        403 => {
            let said = answer.text().await.unwrap_or_default();
            Finding::Wrong(format!(
                "a request signed as Twilio signs is refused at {url}: {} The proxy must pass path and query on unchanged, and \
                 the running server must have the settings that doctor sees",
                said.trim()
            ))
        }
        other => {
            Finding::Wrong(format!("{url} answers HTTP {other} to a signed request: does the proxy let POST through?"))
        }
    }
}

/// Opens a media socket as Twilio does, and closes it again.
async fn media_upgrade(base: &str, config: &Config) -> Finding {
    let url = format!("{}/media", base.replacen("http", "ws", 1));
    let signature = sign(&config.carrier.twilio.auth_token, Algorithm::HmacSha1, &url, &[]);
    let opened = async {
        let mut request = url.as_str().into_client_request()?;
        let signature = signature.parse().map_err(http::Error::from)?;
        request.headers_mut().insert(SIGNATURE_HEADER, signature);
        connect_async(request).await.map(drop)
    };
    let why = match tokio::time::timeout(PATIENCE, opened).await {
        Ok(Ok(())) => return Finding::Fine("media sockets can be opened there".to_owned()),
        Ok(Err(error)) => refusal(&error),
        Err(_) => "no answer in time".to_owned(),
    };
    Finding::Wrong(format!(
        "no media socket can be opened at {url}: {why}. Twilio would report error 31920; let the proxy pass WebSocket upgrades on"
    ))
}

fn refusal(error: &Error) -> String {
    match error {
        Error::Http(answer) => format!("HTTP {} instead of 101", answer.status().as_u16()),
        other => other.to_string(),
    }
}
