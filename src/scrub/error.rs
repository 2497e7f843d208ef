//! Why a vendor gave no answer, in words that name it and say what to do.

use std::time::Duration;

use crate::protocol::twilio::ErrorBody;

use super::Vendor;
use super::breaker::{FAILURES, PAUSE};

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ScrubSetupError {
    #[error("`compliance.scrub.api_url` is not an http or https address: {0}")]
    BadApiUrl(String),
    #[error("the HTTP client could not be set up: {0}")]
    Http(String),
}

/// Why there is no answer. None of these means yes or no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{vendor} {failure}")]
pub struct ScrubError {
    pub vendor: Vendor,
    pub failure: Failure,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error(
        "was not asked, since it failed {FAILURES} times in a row; it is tried again every {} s. See the log for the failures",
        PAUSE.as_secs()
    )]
    BreakerOpen,
    #[error("did not answer within {} ms (compliance.scrub.time_limit_ms). Try again later", .0.as_millis())]
    TimedOut(Duration),
    #[error("could not be reached ({0}). Check compliance.scrub.api_url and the network")]
    Unreachable(String),
    #[error("is limiting our requests (HTTP 429). Try again later, or ask fewer numbers at once")]
    RateLimited,
    #[error("refused our credentials ({0}). Check carrier.twilio.account_sid with its token or API key")]
    Unauthorized(ErrorBody),
    #[error("failed ({0}). Try again later")]
    ServerFault(ErrorBody),
    #[error("refused the question ({0})")]
    Refused(ErrorBody),
    #[error("answered with a body that is not the documented one. Check compliance.scrub.api_url")]
    Unreadable,
    #[error(
        "has not enabled reassigned-number queries for this account (error 60606). Ask the vendor for the approval they need"
    )]
    NotEnabled,
    #[error("gave no answer on this number (error {0})")]
    PackageError(u32),
    #[error("gave none of the documented answers on this number")]
    NotAnswered,
}

impl Failure {
    /// Whether the next request would probably fail too. What is wrong with one number says nothing about the vendor.
    pub(super) fn is_about_the_vendor(&self) -> bool {
        match self {
            Self::TimedOut(_)
            | Self::Unreachable(_)
            | Self::RateLimited
            | Self::Unauthorized(_)
            | Self::ServerFault(_)
            | Self::Unreadable
            | Self::NotEnabled => true,
            Self::BreakerOpen | Self::Refused(_) | Self::PackageError(_) | Self::NotAnswered => false,
        }
    }
}
