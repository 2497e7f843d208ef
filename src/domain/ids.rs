//! Ids as newtypes. `…Id` are ours (a prefix and a UUID); `…Sid` are Twilio's and kept as they came.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The text is not an id of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id like {expected}…")]
pub struct IdError {
    expected: &'static str,
}

macro_rules! our_ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// An id from a UUID that the caller made (the pure rooms have neither clock nor chance).
            pub fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix($prefix)
                    .filter(|hex| hex.len() == 32)
                    .and_then(|hex| Uuid::try_parse(hex).ok())
                    .map(Self)
                    .ok_or(IdError { expected: $prefix })
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    )*};
}

our_ids! {
    /// One telephone call, whoever started it. Time-ordered (UUID v7), so that newer calls sort later.
    CallId = "call_";
    /// One answer of the gate.
    DecisionId = "dec_";
    /// One request to the carrier to ring a number. Written down before the request leaves.
    AttemptId = "att_";
    /// The slot that an allowing decision holds for its number.
    ReservationId = "rsv_";
    /// A person or business that may be called.
    LeadId = "lead_";
    /// One record of permission.
    ConsentId = "cns_";
    /// An API key (its public name, not its text).
    KeyId = "key_";
}

macro_rules! their_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Box<str>);

        impl $name {
            pub fn new(text: impl Into<Box<str>>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

their_ids! {
    /// Twilio's id of an account, `AC…`.
    AccountSid;
    /// Twilio's id of a call, `CA…`.
    CallSid;
    /// Twilio's id of a media stream, `MZ…`.
    StreamSid;
    /// Twilio's id of a recording, `RE…`.
    RecordingSid;
    /// The agent vendor's id of a conversation.
    ConversationId;
}

/// The vendor whose agent takes part in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentVendor {
    #[serde(rename = "elevenlabs")]
    ElevenLabs,
    Retell,
    /// A server of the operator's own that speaks Twilio's media streams.
    #[serde(rename = "twilio-stream")]
    TwilioStream,
    /// A server of the operator's own that takes and gives raw audio.
    Binary,
}

impl AgentVendor {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ElevenLabs => "elevenlabs",
            Self::Retell => "retell",
            Self::TwilioStream => "twilio-stream",
            Self::Binary => "binary",
        }
    }
}

/// Which agent takes part in a call, written `elevenlabs:agent_123`. A bare id means `ElevenLabs`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AgentRef {
    pub vendor: AgentVendor,
    /// The vendor's own id of the agent.
    pub id: String,
}

/// The text names no agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentRefError {
    #[error("an agent is written like elevenlabs:agent_123, this text has no id")]
    Empty,
    #[error("unknown agent vendor `{0}`: this version knows elevenlabs, retell, twilio-stream and binary")]
    UnknownVendor(String),
    #[error("an agent id has letters, digits, - and _ only")]
    BadId,
}

impl FromStr for AgentRef {
    type Err = AgentRefError;

    fn from_str(text: &str) -> Result<Self, AgentRefError> {
        let (vendor, id) = match text.split_once(':') {
            None => (AgentVendor::ElevenLabs, text),
            Some(("elevenlabs", id)) => (AgentVendor::ElevenLabs, id),
            Some(("retell", id)) => (AgentVendor::Retell, id),
            Some(("twilio-stream", id)) => (AgentVendor::TwilioStream, id),
            Some(("binary", id)) => (AgentVendor::Binary, id),
            Some((other, _)) => return Err(AgentRefError::UnknownVendor(other.to_owned())),
        };
        if id.is_empty() {
            return Err(AgentRefError::Empty);
        }
        if !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return Err(AgentRefError::BadId);
        }
        Ok(Self { vendor, id: id.to_owned() })
    }
}

impl TryFrom<String> for AgentRef {
    type Error = AgentRefError;

    fn try_from(text: String) -> Result<Self, AgentRefError> {
        text.parse()
    }
}

impl From<AgentRef> for String {
    fn from(agent: AgentRef) -> Self {
        agent.to_string()
    }
}

impl fmt::Display for AgentRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.vendor.as_str(), self.id)
    }
}

impl fmt::Debug for AgentRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_print() {
        let id = CallId::from_uuid(Uuid::from_u128(7));
        assert_eq!(id.to_string(), "call_00000000000000000000000000000007");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("dec_00000000000000000000000000000007".parse::<CallId>().is_err());
        assert!("call_7".parse::<CallId>().is_err());
    }

    #[test]
    fn a_bare_agent_id_means_elevenlabs() {
        let agent: AgentRef = "agent_123".parse().unwrap();
        assert_eq!(agent.to_string(), "elevenlabs:agent_123");
        assert_eq!(agent.to_string().parse(), Ok(agent));
        assert_eq!("x:1".parse::<AgentRef>(), Err(AgentRefError::UnknownVendor("x".to_owned())));
        assert_eq!("a/../b".parse::<AgentRef>(), Err(AgentRefError::BadId));
    }
}
