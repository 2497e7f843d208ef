//! Requests that Twilio makes of its customers: signed, in form encoding, with a time limit and the connection overrides of the URL.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use super::faults::{TwilioFaults, take_one};
use super::locked;
use crate::domain::Secret;
use crate::emulators::log::{EventLog, masked_form, masked_url};
use crate::emulators::signature;

/// What Twilio takes of a document (error 11750 beyond).
const BODY_LIMIT: usize = 64 * 1024;

/// A request to be made.
#[derive(Debug, Clone)]
pub(super) struct Webhook {
    /// What it is for, in the log: `voice`, `status`, `recording`, `amd`, `stream`.
    pub purpose: &'static str,
    /// As configured, with its fragment.
    pub url: String,
    pub get: bool,
    pub params: Vec<(String, String)>,
}

/// What came back. Any status counts as an answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub status: u16,
    pub content_type: String,
    pub body: String,
}

/// Nothing came back.
#[derive(Debug, Clone, thiserror::Error)]
#[error("error {code}: {message}")]
pub(super) struct WebhookError {
    pub code: u16,
    pub message: String,
}

/// Makes the requests of one emulator.
#[derive(Debug)]
pub(super) struct Webhooks {
    pub client: reqwest::Client,
    pub auth_token: Secret,
    pub log: EventLog,
    pub faults: Arc<Mutex<TwilioFaults>>,
}

impl Webhooks {
    /// Makes one request, and its retries under the same idempotency token.
    pub(super) async fn send(&self, call_sid: &str, hook: &Webhook) -> Result<Answer, WebhookError> {
        let overrides = Overrides::parse(&hook.url);
        let token = Uuid::new_v4().to_string();
        let spoiled = take_one(&mut locked(&self.faults).wrong_signatures);
        let all_attempts = async {
            let mut attempt = 1;
            loop {
                let result = self.attempt(hook, &token, spoiled).await;
                let status = result.as_ref().map_or(0, |answer| answer.status);
                self.log.record(
                    "webhook",
                    Some(call_sid),
                    json!({"purpose": hook.purpose, "url": masked_url(&hook.url), "status": status, "attempt": attempt,
                           "error": result.as_ref().err().map(|failure| failure.error.code), "idempotency_token": token,
                           "wrong_signature": spoiled, "params": masked_form(&hook.params)}),
                );
                if attempt > overrides.retries || !overrides.retries_on(&result) {
                    return result.map_err(|failure| failure.error);
                }
                attempt += 1;
            }
        };
        tokio::time::timeout(overrides.total, all_attempts).await.unwrap_or_else(|_| {
            self.log.record(
                "webhook_timeout",
                Some(call_sid),
                json!({"purpose": hook.purpose, "url": masked_url(&hook.url)}),
            );
            Err(WebhookError { code: 11200, message: "no answer in time".to_owned() })
        })
    }

    async fn attempt(&self, hook: &Webhook, token: &str, spoiled: bool) -> Result<Answer, Failure> {
        let url = hook.url.split('#').next().unwrap_or_default();
        let form = serde_urlencoded::to_string(&hook.params).expect("pairs of texts are a form");
        let (request, mut signed) = if hook.get {
            let url = format!("{url}{}{form}", if url.contains('?') { '&' } else { '?' });
            let signed = signature::twilio(self.auth_token.expose(), &url, &[]);
            (self.client.get(url), signed)
        } else {
            let signed = signature::twilio(self.auth_token.expose(), url, &hook.params);
            let request = self
                .client
                .post(url)
                .header("content-type", "application/x-www-form-urlencoded; charset=UTF-8")
                .body(form);
            (request, signed)
        };
        if spoiled {
            signed = signature::twilio("another token", url, &hook.params);
        }
        let mut response = request
            .header("accept", "*/*")
            .header("x-home-region", "us1")
            .header("i-twilio-idempotency-token", token)
            .header("x-twilio-signature", signed)
            .send()
            .await?;
        let content_type =
            response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > BODY_LIMIT {
                return Err(Failure::other(11750, "the body is larger than 64 KB"));
            }
        }
        let status = response.status().as_u16();
        Ok(Answer { status, content_type, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

/// Why one attempt failed.
#[derive(Debug)]
struct Failure {
    kind: FailureKind,
    error: WebhookError,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FailureKind {
    Connect,
    Timeout,
    Other,
}

impl Failure {
    fn other(code: u16, message: &str) -> Self {
        Self { kind: FailureKind::Other, error: WebhookError { code, message: message.to_owned() } }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        let (kind, code, message) = if error.is_connect() {
            (FailureKind::Connect, 11205, "cannot connect")
        } else if error.is_timeout() {
            (FailureKind::Timeout, 11200, "no answer in time")
        } else {
            (FailureKind::Other, 11200, "the request failed")
        };
        Self { kind, error: WebhookError { code, message: message.to_owned() } }
    }
}

/// Connection overrides, the fragment of a webhook URL (docs: usage/webhooks/webhooks-connection-overrides). `rc`, `rp` and `tt`
/// are honoured, the others ignored.
#[derive(Debug, PartialEq, Eq)]
struct Overrides {
    retries: u32,
    policy: Vec<String>,
    total: Duration,
}

impl Overrides {
    fn parse(url: &str) -> Self {
        let mut overrides = Self { retries: 1, policy: vec!["ct".to_owned()], total: Duration::from_secs(15) };
        let fragment = url.split_once('#').map_or("", |(_, fragment)| fragment);
        for (key, value) in fragment.split('&').filter_map(|pair| pair.split_once('=')) {
            match (key, value.parse::<u32>()) {
                ("rc", Ok(count @ 0..=5)) => overrides.retries = count,
                ("tt", Ok(ms @ 100..=15_000)) => overrides.total = Duration::from_millis(ms.into()),
                ("rp", _) => overrides.policy = value.split(',').map(str::to_owned).collect(),
                _ => {}
            }
        }
        overrides
    }

    fn retries_on(&self, result: &Result<Answer, Failure>) -> bool {
        let reason = match result {
            Ok(Answer { status: 400..=499, .. }) => "4xx",
            Ok(Answer { status: 500..=599, .. }) => "5xx",
            Ok(_) => return false,
            Err(Failure { kind: FailureKind::Connect, .. }) => "ct",
            Err(Failure { kind: FailureKind::Timeout, .. }) => "rt",
            Err(Failure { kind: FailureKind::Other, .. }) => "all",
        };
        self.policy.iter().any(|policy| policy == reason || policy == "all")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> Answer {
        Answer { status, content_type: String::new(), body: String::new() }
    }

    #[test]
    fn by_default_only_a_failed_connection_is_retried_once() {
        let overrides = Overrides::parse("https://a.example/status");
        assert_eq!((overrides.retries, overrides.total), (1, Duration::from_secs(15)));
        assert!(!overrides.retries_on(&Ok(answer(503))));
        let refused =
            Failure { kind: FailureKind::Connect, error: WebhookError { code: 11205, message: String::new() } };
        assert!(overrides.retries_on(&Err(refused)));
    }

    #[test]
    fn the_fragment_asks_for_more() {
        let overrides = Overrides::parse("https://a.example/status#rc=3&rp=5xx,ct,rt&tt=900&e=dublin");
        assert_eq!((overrides.retries, overrides.total), (3, Duration::from_millis(900)));
        assert!(overrides.retries_on(&Ok(answer(503))));
        assert!(!overrides.retries_on(&Ok(answer(404))));
        assert!(!overrides.retries_on(&Ok(answer(200))));
    }
}
