//! Why the carrier did not do what it was asked: refused for sure, or nobody knows.

use std::time::Duration;

use crate::protocol::twilio::ErrorBody;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("`carrier.twilio.api_url` is not an http or https address: {0}")]
    BadApiUrl(String),
    #[error("the HTTP client could not be set up: {0}")]
    Setup(String),
}

/// What became of a request that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CarrierError {
    /// The carrier did nothing, or the request never left.
    #[error("{0}")]
    Refused(ErrorBody),
    /// The carrier may have done it.
    #[error("the carrier may or may not have done this: {0}")]
    Uncertain(Doubt),
}

/// What became of an attempt to ring a number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// No phone rings and none will.
    #[error("{0}")]
    Refused(ErrorBody),
    /// A phone may ring. To be reconciled by webhooks and by listing, never to be dialled again.
    #[error("the call may or may not have been placed: {0}")]
    Uncertain(Doubt),
}

impl From<CarrierError> for DialError {
    fn from(error: CarrierError) -> Self {
        match error {
            CarrierError::Refused(body) => Self::Refused(body),
            CarrierError::Uncertain(doubt) => Self::Uncertain(doubt),
        }
    }
}

/// Why nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("the connection broke after the request had left ({0})")]
    ConnectionLost(String),
    /// A fault on the carrier's side, HTTP 5xx or 408.
    #[error("{0}")]
    ServerFault(ErrorBody),
    #[error("HTTP {status} with a body that is not the documented one")]
    Unreadable { status: u16 },
}
