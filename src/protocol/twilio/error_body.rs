//! The carrier's error bodies, old and new, as one `ErrorBody`, and what the codes mean for an operator.
//!
//! Sources: Twilio, "REST API: error and warning dictionary"; the newer form is a problem document of RFC 9457.

use std::fmt;

use serde::Deserialize;

/// A refusal by the carrier. Numbers that the carrier repeats in its message are masked on reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorBody {
    /// The carrier's own code, 21211 and the like.
    pub code: Option<u32>,
    pub message: String,
    /// Where the carrier explains the code.
    pub more_info: Option<String>,
    /// The HTTP status; none where no request was answered at all.
    pub status: Option<u16>,
}

/// What a refusal means for the person who runs this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorMeaning {
    BadCredentials,
    MissingPermission,
    AccountInactive,
    TrialAccount,
    UnverifiedOnTrial,
    GeoPermission,
    BadCallerNumber,
    BadCalledNumber,
    NumberBlocked,
    BadWebhookUrl,
    /// The call is over already, or was never there. For a hang-up that is success.
    CallNotInProgress,
    NotFound,
    RateLimited,
    TooManyCalls,
    Unreachable,
    Other,
}

impl ErrorBody {
    /// Reads the body of an answer with this HTTP status. Total: a body that is no error document gives one made from the status.
    pub fn parse(status: u16, body: &[u8]) -> Self {
        let wire: WireError = serde_json::from_slice(body).unwrap_or_default();
        let message = [wire.message, wire.detail, wire.title].into_iter().flatten().find(|text| !text.is_empty());
        let code = wire.code.and_then(|code| match code {
            WireCode::Number(code) => Some(code),
            WireCode::Text(code) => code.parse().ok(),
            WireCode::Other(_) => None,
        });
        Self {
            code,
            message: message
                .map_or_else(|| format!("HTTP {status} without an error document"), |text| mask_numbers(&text)),
            more_info: wire.more_info.or(wire.r#type).filter(|link| link.starts_with("http")),
            status: Some(status),
        }
    }

    pub fn meaning(&self) -> ErrorMeaning {
        let Some(code) = self.code else {
            return match self.status {
                None => ErrorMeaning::Unreachable,
                Some(401) => ErrorMeaning::BadCredentials,
                Some(403) => ErrorMeaning::MissingPermission,
                Some(404) => ErrorMeaning::NotFound,
                Some(429) => ErrorMeaning::RateLimited,
                Some(_) => ErrorMeaning::Other,
            };
        };
        match code {
            20_003 => ErrorMeaning::BadCredentials,
            70_051 => ErrorMeaning::MissingPermission,
            10_001 | 20_005 => ErrorMeaning::AccountInactive,
            10_002 | 573_002 => ErrorMeaning::TrialAccount,
            21_219 | 573_005 => ErrorMeaning::UnverifiedOnTrial,
            21_215 | 13_227 => ErrorMeaning::GeoPermission,
            21_210 | 21_212 | 21_213 | 13_214 => ErrorMeaning::BadCallerNumber,
            21_201 | 21_211 | 21_214 | 21_217 | 13_224 => ErrorMeaning::BadCalledNumber,
            21_216 | 13_225 => ErrorMeaning::NumberBlocked,
            21_205 => ErrorMeaning::BadWebhookUrl,
            21_220 => ErrorMeaning::CallNotInProgress,
            20_404 => ErrorMeaning::NotFound,
            20_429 => ErrorMeaning::RateLimited,
            10_004 => ErrorMeaning::TooManyCalls,
            _ => ErrorMeaning::Other,
        }
    }
}

impl ErrorMeaning {
    /// What to do about it, as a sentence.
    pub fn advice(self) -> &'static str {
        match self {
            Self::BadCredentials => {
                "Check `carrier.twilio.account_sid` with its auth token, or with its API key and secret: Twilio does not know the pair."
            }
            Self::MissingPermission => {
                "Give the API key this permission in the Twilio Console, or use a Standard key or the auth token."
            }
            Self::AccountInactive => "The Twilio account is suspended or closed: see the Twilio Console.",
            Self::TrialAccount => {
                "Twilio's trial accounts cannot carry calls to a voice agent: upgrade the account in the Twilio Console."
            }
            Self::UnverifiedOnTrial => {
                "A trial account only calls numbers that are verified: upgrade the account in the Twilio Console."
            }
            Self::GeoPermission => {
                "Enable the destination country under Voice, Settings, Geo permissions in the Twilio Console."
            }
            Self::BadCallerNumber => {
                "Set `carrier.twilio.from` to a number of this Twilio account, or to one that is verified there."
            }
            Self::BadCalledNumber => "Twilio cannot call this number: check it.",
            Self::NumberBlocked => "Twilio blocks calls to this number.",
            Self::BadWebhookUrl => "Set `server.public_url` to an address that Twilio can reach.",
            Self::CallNotInProgress => "The call is already over.",
            Self::NotFound => "Twilio knows no such call or resource in this account and region.",
            Self::RateLimited => "Too many requests at once: lower `carrier.twilio.calls_per_second`.",
            Self::TooManyCalls => {
                "The account has as many calls as it may: set `carrier.twilio.max_concurrent`, or get its business profile approved."
            }
            Self::Unreachable => "Check the network and `carrier.twilio.api_url`.",
            Self::Other => "See Twilio's page on this error.",
        }
    }
}

impl fmt::Display for ErrorBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message.trim_end_matches('.'))?;
        match (self.code, self.status) {
            (Some(code), _) => write!(f, " (Twilio error {code}). ")?,
            (None, Some(status)) => write!(f, " (HTTP {status}). ")?,
            (None, None) => write!(f, ". ")?,
        }
        f.write_str(self.meaning().advice())
    }
}

/// Shortens every run of seven or more digits to its last two: carriers repeat the number that they refuse.
fn mask_numbers(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let digits = rest[start..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - start);
        let end = start + digits;
        masked.push_str(&rest[..start]);
        if digits < 7 {
            masked.push_str(&rest[start..end]);
        } else {
            masked.push_str("•••");
            masked.push_str(&rest[end - 2..end]);
        }
        rest = &rest[end..];
    }
    masked.push_str(rest);
    masked
}

/// Both forms at once: `{code, message, more_info, status}` and `{type, title, status, code, detail}`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct WireError {
    code: Option<WireCode>,
    message: Option<String>,
    more_info: Option<String>,
    r#type: Option<String>,
    title: Option<String>,
    detail: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WireCode {
    Number(u32),
    Text(String),
    Other(serde::de::IgnoredAny),
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! fixture {
        ($name:literal) => {
            include_bytes!(concat!("../../../tests/fixtures/twilio/", $name))
        };
    }

    #[test]
    fn both_forms_are_read_and_numbers_masked() {
        let legacy = ErrorBody::parse(400, fixture!("error_legacy.json"));
        let expected = ErrorBody {
            code: Some(21_211),
            message: "The phone number you are attempting to call, +•••13, is not valid.".to_owned(),
            more_info: Some("https://www.twilio.com/docs/errors/21211".to_owned()),
            status: Some(400),
        };
        assert_eq!(legacy, expected);
        assert_eq!(legacy.meaning(), ErrorMeaning::BadCalledNumber);
        let problem = ErrorBody::parse(429, fixture!("error_problem.json"));
        assert_eq!((problem.code, problem.meaning()), (Some(20_429), ErrorMeaning::RateLimited));
        assert_eq!(problem.message, "Too many concurrent requests.");
        assert_eq!(problem.more_info.as_deref(), Some("https://www.twilio.com/docs/api/errors/20429"));
    }

    #[test]
    fn anything_else_falls_back_to_the_status() {
        for body in ["", "<html>Bad gateway</html>", "[]", "\"x\"", "{}", r#"{"message":5}"#] {
            let error = ErrorBody::parse(502, body.as_bytes());
            assert_eq!((error.code, error.status), (None, Some(502)), "{body}");
            assert!(error.message.contains("502"));
        }
        assert_eq!(ErrorBody::parse(401, b"").meaning(), ErrorMeaning::BadCredentials);
        assert_eq!(ErrorBody::parse(400, br#"{"code":"21215","message":"x"}"#).meaning(), ErrorMeaning::GeoPermission);
        assert_eq!(ErrorBody::parse(400, br#"{"code":[1],"message":"kept"}"#).message, "kept");
    }

    #[test]
    fn an_error_reads_as_sentences_that_say_what_to_do() {
        let error = ErrorBody::parse(401, fixture!("error_credentials.json"));
        insta::assert_snapshot!(error, @r#"Authenticate (Twilio error 20003). Check `carrier.twilio.account_sid` with its auth token, or with its API key and secret: Twilio does not know the pair."#);
    }
}
