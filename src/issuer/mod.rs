//! The authorization server whose access tokens we accept: fetches its keys, keeps them for a while, and checks tokens.
//!
//! We are an OAuth 2.1 resource server (RFC 9068 and RFC 8725): only asymmetric signatures, the issuer and the audience must be the
//! configured ones, and a token that was not meant for us is refused whoever signed it.

mod jwt;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use jwt::Jwks;
pub use jwt::{Claims, TokenError};

/// How long fetched keys are used without asking again.
const FRESH: SignedDuration = SignedDuration::from_mins(10);

/// How soon keys may be fetched again for a key id that is not among them: strangers can make up ids.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// How long the authorization server may take.
const ANSWER: Duration = Duration::from_secs(5);

/// Larger than any set of keys.
const SIZE: usize = 256 * 1024;

/// One authorization server.
#[derive(Debug)]
pub struct Issuer {
    name: String,
    audience: String,
    jwks_url: String,
    http: reqwest::Client,
    keys: Mutex<Option<Fetched>>,
}

#[derive(Debug)]
struct Fetched {
    at: Timestamp,
    keys: Jwks,
}

impl Issuer {
    /// `jwks_url` may be empty: then the keys are at the issuer's `/.well-known/jwks.json`.
    ///
    /// # Panics
    /// Where no TLS provider is installed for the process.
    pub fn new(issuer: &str, audience: &str, jwks_url: &str) -> Result<Self, reqwest::Error> {
        let jwks_url = match jwks_url {
            "" => format!("{}/.well-known/jwks.json", issuer.trim_end_matches('/')),
            url => url.to_owned(),
        };
        let http = reqwest::Client::builder()
            .timeout(ANSWER)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { name: issuer.to_owned(), audience: audience.to_owned(), jwks_url, http, keys: Mutex::new(None) })
    }

    /// Its identifier, a URL.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the token says, once everything about it has been checked.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        let token = jwt::Token::parse(token)?;
        // One at a time, so that many requests after a restart fetch the keys once.
        let mut kept = self.keys.lock().await;
        let (known, may_fetch) = match &*kept {
            None => (false, true),
            Some(fetched) => {
                let age = now.duration_since(fetched.at).abs();
                (fetched.keys.find(&token).is_some() && age < FRESH, age >= PATIENCE)
            }
        };
        if !known && may_fetch {
            match self.fetch().await {
                Ok(keys) => *kept = Some(Fetched { at: now, keys }),
                Err(error) => {
                    tracing::error!(%error, url = self.jwks_url, "the authorization server's keys could not be fetched");
                    // Those we have still count: a server that is away for a while must not lock everybody out. Either way it
                    // is left alone for a while.
                    let keys = kept.take().map(|fetched| fetched.keys).unwrap_or_default();
                    *kept = Some(Fetched { at: now, keys });
                }
            }
        }
        let keys = &kept.as_ref().ok_or(TokenError::NoKeys)?.keys;
        let missing = if keys.is_empty() { TokenError::NoKeys } else { TokenError::UnknownKey };
        let key = keys.find(&token).ok_or(missing)?;
        token.verify(key, &self.name, &self.audience, now)
    }

    async fn fetch(&self) -> Result<Jwks, String> {
        let mut response = self.http.get(&self.jwks_url).send().await.map_err(|error| error.to_string())?;
        if !response.status().is_success() {
            return Err(format!("status {}", response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| error.to_string())? {
            if body.len() + chunk.len() > SIZE {
                return Err("the answer is too large".to_owned());
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests;
