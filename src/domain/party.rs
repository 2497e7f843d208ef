//! `Party`: who is at one end of a call. Usually a number; inbound callers may be anonymous, SIP or a browser client.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::E164;

/// One end of a call as the carrier names it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Party {
    Number(E164),
    /// Anything that is not a number: `anonymous`, `sip:…`, `client:…`. Kept as it came.
    Other(String),
}

impl Party {
    pub fn number(&self) -> Option<&E164> {
        match self {
            Self::Number(number) => Some(number),
            Self::Other(_) => None,
        }
    }

    /// The full text. For the wire and the store, never for a log.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Number(number) => number.as_str(),
            Self::Other(text) => text,
        }
    }

    /// The masked number; of anything else only its kind (`sip:•••`), since a SIP user part can be a person's number.
    pub fn masked(&self) -> String {
        match self {
            Self::Number(number) => number.masked(),
            Self::Other(text) => match text.split_once(':') {
                Some((scheme, _)) => format!("{scheme}:•••"),
                None if text.bytes().any(|b| b.is_ascii_digit()) => "•••".to_owned(),
                None => text.clone(),
            },
        }
    }
}

impl From<String> for Party {
    fn from(text: String) -> Self {
        match text.parse() {
            Ok(number) => Self::Number(number),
            Err(_) => Self::Other(text),
        }
    }
}

impl From<&str> for Party {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<E164> for Party {
    fn from(number: E164) -> Self {
        Self::Number(number)
    }
}

impl From<Party> for String {
    fn from(party: Party) -> Self {
        match party {
            Party::Number(number) => number.into(),
            Party::Other(text) => text,
        }
    }
}

impl fmt::Debug for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_could_be_a_number_is_printed() {
        assert_eq!(Party::from("+12125550113").masked(), "+1212•••0113");
        assert_eq!(Party::from("sip:+12125550113@example.com").masked(), "sip:•••");
        assert_eq!(Party::from("12125550113").masked(), "•••");
        assert_eq!(Party::from("anonymous").masked(), "anonymous");
    }
}
