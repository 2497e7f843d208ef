//! `TwilioClient`: one account's door to the REST API. Authentication, time limits, retries of what is safe to retry, and the log.
//!
//! Only HTTP 429 is repeated: the carrier has then done nothing ("REST API concurrency", error 20429). A time-out or a 5xx is not,
//! since there is no idempotency key; the caller learns that nobody knows.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use super::error::{CarrierError, ClientError, Doubt};
use crate::config::is_loopback;
use crate::domain::{AccountSid, Secret};
use crate::protocol::twilio::ErrorBody;
use crate::telemetry::causes;

/// Whose calls these are, and where.
#[derive(Debug, Clone)]
pub struct Account {
    /// `https://api.twilio.com`, a regional host, or an emulator.
    pub api_url: String,
    pub sid: AccountSid,
    pub credentials: Credentials,
}

/// What the carrier asks for with every request. The account is the same with both.
#[derive(Debug, Clone)]
pub enum Credentials {
    AuthToken(Secret),
    ApiKey { key_sid: String, secret: Secret },
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub connect: Duration,
    /// For the whole answer.
    pub answer: Duration,
    /// How often a request is sent in all, where the carrier answers that it is too busy to take it.
    pub attempts: u32,
    /// The first wait before the next attempt is at most this long; each further one at most twice as long.
    pub first_wait: Duration,
    pub longest_wait: Duration,
}

impl Default for Patience {
    /// With these a request to a busy carrier takes a few seconds at most: a clearance must not grow old meanwhile.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(15),
            attempts: 5,
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_secs(1),
        }
    }
}

/// The REST client of one account. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct TwilioClient {
    http: reqwest::Client,
    base: Url,
    account: Account,
    patience: Patience,
}

/// One request, apart from where the account lives.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    /// For the log: the path without anybody's ids.
    pub(super) template: &'static str,
    /// What follows the account in the path.
    pub(super) segments: &'a [&'a str],
    /// Goes into the query of a GET and into the body of a POST.
    pub(super) parameters: &'a [(&'static str, String)],
}

/// A successful answer.
pub(super) struct Answer {
    status: u16,
    /// The carrier's time of day, to the second, where it told it.
    pub(super) date: Option<Timestamp>,
    body: Bytes,
}

impl Answer {
    /// An answer that cannot be read leaves open what was done.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, CarrierError> {
        let unreadable = CarrierError::Uncertain(Doubt::Unreadable { status: self.status });
        serde_json::from_slice(&self.body).map_err(|_| unreadable)
    }
}

impl TwilioClient {
    /// The process must have a TLS provider installed. Nothing is sent yet.
    pub fn new(account: Account, patience: Patience) -> Result<Self, ClientError> {
        let bad_url = || ClientError::BadApiUrl(account.api_url.clone());
        let base = Url::parse(&account.api_url).map_err(|_| bad_url())?;
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            return Err(bad_url());
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("clearline/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(patience.connect)
            .timeout(patience.answer)
            // A redirected POST turns into a GET, or into a second POST. Neither is wanted.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never());
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| ClientError::Setup(causes(&error)))?;
        Ok(Self { http, base, account, patience })
    }

    pub fn account_sid(&self) -> &AccountSid {
        &self.account.sid
    }

    /// Sends one request, again and again while the carrier is too busy to take it.
    pub(super) async fn send(&self, request: &Request<'_>) -> Result<Answer, CarrierError> {
        let mut attempt = 1;
        loop {
            let (busy, retry_after) = match self.send_once(request).await? {
                Outcome::Done(answer) => return Ok(answer),
                Outcome::Busy { error, retry_after } => (error, retry_after),
            };
            if attempt >= self.patience.attempts {
                return Err(CarrierError::Refused(busy));
            }
            tokio::time::sleep(self.wait_before_next(attempt, retry_after)).await;
            attempt += 1;
        }
    }

    async fn send_once(&self, request: &Request<'_>) -> Result<Outcome, CarrierError> {
        #[expect(clippy::disallowed_methods, reason = "how long the carrier took, for the log alone")]
        let started = Instant::now();
        let result = self.exchange(request).await;
        let elapsed_ms = started.elapsed().as_millis();
        let (method, template) = (&request.method, request.template);
        match &result {
            Ok(Received { status, .. }) => {
                tracing::debug!(http.method = %method, http.route = template, http.status = status.as_u16(), elapsed_ms, "carrier answered");
            }
            Err(error) => {
                tracing::debug!(http.method = %method, http.route = template, elapsed_ms, error = %causes(error), "carrier did not answer");
            }
        }
        let Received { status, retry_after, date, body } = result.map_err(|error| self.transport_error(&error))?;
        let body = match body {
            Ok(body) => body,
            // What a refusal says is lost, but it is one; what else was said is not known.
            Err(_) if status.is_client_error() => Bytes::new(),
            Err(error) => return Err(self.transport_error(&error)),
        };
        let error = || ErrorBody::parse(status.as_u16(), &body);
        match status {
            StatusCode::TOO_MANY_REQUESTS => Ok(Outcome::Busy { error: error(), retry_after }),
            StatusCode::REQUEST_TIMEOUT => Err(CarrierError::Uncertain(Doubt::ServerFault(error()))),
            _ if status.is_success() => Ok(Outcome::Done(Answer { status: status.as_u16(), date, body })),
            _ if status.is_server_error() => Err(CarrierError::Uncertain(Doubt::ServerFault(error()))),
            _ => Err(CarrierError::Refused(error())),
        }
    }

    async fn exchange(&self, request: &Request<'_>) -> Result<Received, reqwest::Error> {
        let (user, password) = match &self.account.credentials {
            Credentials::AuthToken(token) => (self.account.sid.as_str(), token),
            Credentials::ApiKey { key_sid, secret } => (key_sid.as_str(), secret),
        };
        let builder = self.http.request(request.method.clone(), self.url(request.segments));
        let builder = builder.basic_auth(user, Some(password.expose()));
        let builder = if request.method == Method::GET {
            builder.query(request.parameters)
        } else {
            builder.form(request.parameters)
        };
        let response = builder.send().await?;
        let header = |name| response.headers().get(name)?.to_str().ok();
        let retry_after =
            header(reqwest::header::RETRY_AFTER).and_then(|text| text.parse().ok()).map(Duration::from_secs);
        let date = header(reqwest::header::DATE).and_then(|text| Some(rfc2822::parse(text).ok()?.timestamp()));
        Ok(Received { status: response.status(), retry_after, date, body: response.bytes().await })
    }

    /// Each segment is encoded, so that an id from outside stays one.
    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["2010-04-01", "Accounts"]);
            // The account itself is a file, everything else is below it.
            match segments {
                [] => path.push(&format!("{}.json", self.account.sid)),
                below => path.push(self.account.sid.as_str()).extend(below),
            };
        }
        url
    }

    /// The carrier's own wish where it names one; else at random, so that many clients do not come back at the same moment.
    fn wait_before_next(&self, attempt: u32, retry_after: Option<Duration>) -> Duration {
        let limit = self.patience.first_wait.saturating_mul(1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX));
        // Without randomness the longest wait is the polite one.
        let part = getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX));
        let jittered = limit.min(self.patience.longest_wait).mul_f64(part);
        jittered.max(retry_after.unwrap_or_default()).min(self.patience.longest_wait)
    }

    fn transport_error(&self, error: &reqwest::Error) -> CarrierError {
        if error.is_connect() || error.is_builder() {
            let host = self.base.host_str().unwrap_or_default();
            let message = format!("no connection to the carrier at {host}: {}", causes(error));
            return CarrierError::Refused(ErrorBody { code: None, message, more_info: None, status: None });
        }
        CarrierError::Uncertain(if error.is_timeout() {
            Doubt::TimedOut(self.patience.answer)
        } else {
            Doubt::ConnectionLost(causes(error))
        })
    }
}

/// What came back.
struct Received {
    status: StatusCode,
    retry_after: Option<Duration>,
    date: Option<Timestamp>,
    /// Or how it broke off.
    body: Result<Bytes, reqwest::Error>,
}

enum Outcome {
    Done(Answer),
    Busy { error: ErrorBody, retry_after: Option<Duration> },
}

#[cfg(test)]
mod tests {
    use super::super::test_server::{TestServer, account, client};
    use super::*;

    fn request() -> Request<'static> {
        Request { method: Method::GET, template: "/x", segments: &["Things", "a/../b?.json"], parameters: &[] }
    }

    #[tokio::test]
    async fn both_kinds_of_credentials_are_sent() {
        let server = TestServer::start(|_| (200, "{}")).await;
        let token = client(&server.url);
        token.send(&request()).await.map(drop).unwrap();
        let credentials = Credentials::ApiKey { key_sid: "SK1".to_owned(), secret: Secret::new("hush") };
        let key = TwilioClient::new(Account { credentials, ..account(&server.url) }, Patience::default()).unwrap();
        key.send(&request()).await.map(drop).unwrap();
        let seen = server.requests();
        // base64 of `AC…1:12345` and of `SK1:hush`.
        assert_eq!(seen[0].authorization, "Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMToxMjM0NQ==");
        assert_eq!(seen[1].authorization, "Basic U0sxOmh1c2g=");
    }

    #[tokio::test]
    async fn an_odd_id_stays_one_segment_of_the_path() {
        let server = TestServer::start(|_| (200, "{}")).await;
        client(&format!("{}/prefix/", server.url)).send(&request()).await.map(drop).unwrap();
        let expected = "/prefix/2010-04-01/Accounts/AC00000000000000000000000000000001/Things/a%2F..%2Fb%3F.json";
        assert_eq!(server.requests()[0].target, expected);
    }

    #[tokio::test]
    async fn a_busy_carrier_is_asked_again_and_then_given_up() {
        let busy = include_str!("../../tests/fixtures/twilio/error_problem.json");
        let server = TestServer::start(move |n| if n < 2 { (429, busy) } else { (200, "{}") }).await;
        client(&server.url).send(&request()).await.map(drop).unwrap();
        assert_eq!(server.requests().len(), 3);
        let server = TestServer::start(move |_| (429, busy)).await;
        let error = client(&server.url).send(&request()).await.map(drop).unwrap_err();
        assert!(matches!(error, CarrierError::Refused(ErrorBody { code: Some(20_429), .. })), "{error}");
        assert_eq!(server.requests().len(), 4);
    }

    #[tokio::test]
    async fn refusals_are_certain_and_faults_are_not() {
        for (status, is_certain) in
            [(400, true), (401, true), (404, true), (307, true), (408, false), (500, false), (503, false)]
        {
            let server = TestServer::start(move |_| (status, "")).await;
            let error = client(&server.url).send(&request()).await.map(drop).unwrap_err();
            assert_eq!(matches!(error, CarrierError::Refused(_)), is_certain, "{status}: {error}");
            assert_eq!(server.requests().len(), 1, "{status}");
        }
    }

    #[test]
    fn waits_grow_stay_bounded_and_respect_the_carriers_wish() {
        let client = client("http://127.0.0.1:1");
        let Patience { first_wait, longest_wait, .. } = client.patience;
        for attempt in [1, 2, 3, 4, 40] {
            let limit = first_wait.saturating_mul(1 << (attempt - 1).min(20)).min(longest_wait);
            for _ in 0..20 {
                assert!(client.wait_before_next(attempt, None) <= limit);
            }
        }
        assert_eq!(client.wait_before_next(1, Some(Duration::from_mins(1))), longest_wait);
        assert!(client.wait_before_next(1, Some(first_wait * 2)) >= first_wait * 2);
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        for url in ["", "api.twilio.com", "ftp://api.twilio.com"] {
            assert!(
                matches!(TwilioClient::new(account(url), Patience::default()), Err(ClientError::BadApiUrl(_))),
                "{url}"
            );
        }
    }

    #[test]
    fn credentials_do_not_print() {
        let printed = format!("{:?}", client("http://127.0.0.1:1"));
        assert!(!printed.contains("12345"), "{printed}");
    }
}
