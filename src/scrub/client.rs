//! `ScrubClient`: one vendor's door. Time limit, circuit breaker, log; what is asked and how the answer reads is the vendor's file.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::civil::Date;
use reqwest::StatusCode;
use tokio::time::Instant;
use url::Url;

use super::breaker::Breaker;
use super::error::{Failure, ScrubError, ScrubSetupError};
use super::twilio_lookup;
use crate::compliance::facts::Reassigned;
use crate::config::is_loopback;
use crate::domain::decision::LineType;
use crate::domain::{E164, Secret};
use crate::protocol::twilio::ErrorBody;
use crate::protocol::twilio::lookup::LookupRequest;
use crate::telemetry::causes;

/// Whom to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    TwilioLookup,
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TwilioLookup => "Twilio Lookup",
        })
    }
}

/// Where the vendor is and who we are there.
#[derive(Debug, Clone)]
pub struct Account {
    pub vendor: Vendor,
    /// `https://lookups.twilio.com`, or an emulator.
    pub api_url: String,
    pub credentials: Credentials,
    /// For a whole answer.
    pub time_limit: Duration,
    /// Ask for the kind of line too.
    pub line_type: bool,
}

/// Sent as HTTP Basic authentication.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub user: String,
    pub password: Secret,
}

/// What the vendor says of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrubAnswer {
    pub reassigned: Reassigned,
    /// None where it was not asked for, or the vendor does not know.
    pub line_type: Option<LineType>,
}

/// The client of one vendor.
#[derive(Debug)]
pub struct ScrubClient {
    http: reqwest::Client,
    base: Url,
    account: Account,
    breaker: Mutex<Breaker>,
}

impl ScrubClient {
    /// The process must have a TLS provider installed. Nothing is sent yet.
    pub fn new(account: Account) -> Result<Self, ScrubSetupError> {
        let bad_url = || ScrubSetupError::BadApiUrl(account.api_url.clone());
        let base = Url::parse(&account.api_url).map_err(|_| bad_url())?;
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            return Err(bad_url());
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("clearline/", env!("CARGO_PKG_VERSION")))
            .timeout(account.time_limit)
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| ScrubSetupError::Http(causes(&error)))?;
        Ok(Self { http, base, account, breaker: Mutex::default() })
    }

    pub fn vendor(&self) -> Vendor {
        self.account.vendor
    }

    /// Was the number reassigned on or after `held_since`, the last day on which the person was known to have it?
    pub async fn ask(&self, number: &E164, held_since: Date) -> Result<ScrubAnswer, ScrubError> {
        let error = |failure| ScrubError { vendor: self.account.vendor, failure };
        if !self.breaker().admits(clock()) {
            return Err(error(Failure::BreakerOpen));
        }
        let answer = self.exchange(number, held_since).await;
        match &answer {
            Err(failure) if failure.is_about_the_vendor() => {
                self.breaker().failed(clock());
                tracing::warn!(vendor = %self.account.vendor, number = %number, %failure, "a scrubbing vendor failed");
            }
            Err(failure) => {
                self.breaker().succeeded();
                tracing::warn!(vendor = %self.account.vendor, number = %number, %failure, "a scrubbing vendor has no answer");
            }
            Ok(_) => self.breaker().succeeded(),
        }
        answer.map_err(error)
    }

    async fn exchange(&self, number: &E164, held_since: Date) -> Result<ScrubAnswer, Failure> {
        let Account { vendor: Vendor::TwilioLookup, credentials, line_type, .. } = &self.account;
        let question = LookupRequest { last_verified: held_since, line_type: *line_type };
        let request = self
            .http
            .get(twilio_lookup::url(&self.base, number))
            .query(&question.query())
            .basic_auth(&credentials.user, Some(credentials.password.expose()));
        let response = request.send().await.map_err(|error| self.transport_failure(&error))?;
        let status = response.status();
        tracing::debug!(
            http.route = twilio_lookup::TEMPLATE,
            http.status = status.as_u16(),
            "a scrubbing vendor answered"
        );
        let body = response.bytes().await.map_err(|error| self.transport_failure(&error))?;
        if status != StatusCode::OK {
            return Err(refusal(status, &body));
        }
        twilio_lookup::read(&body, number)
    }

    fn transport_failure(&self, error: &reqwest::Error) -> Failure {
        if error.is_timeout() {
            Failure::TimedOut(self.account.time_limit)
        } else {
            Failure::Unreachable(causes(error))
        }
    }

    /// No holder panics while the breaker is half changed.
    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "the breaker counts its pauses on tokio's clock, as timers do")]
fn clock() -> Instant {
    Instant::now()
}

fn refusal(status: StatusCode, body: &Bytes) -> Failure {
    let error = ErrorBody::parse(status.as_u16(), body);
    match status {
        StatusCode::TOO_MANY_REQUESTS => Failure::RateLimited,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failure::Unauthorized(error),
        _ if status.is_client_error() => Failure::Refused(error),
        _ if status.is_server_error() => Failure::ServerFault(error),
        // A 204, or a redirect that we do not follow: there is something else at that address.
        _ => Failure::Unreadable,
    }
}
