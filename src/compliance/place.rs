//! `StateCode`: the two letters of a US state, district or territory.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Two capital letters as the postal service writes them: `NY`, `DC`, `PR`. Whether such a place exists is for the rule
/// tables to say.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StateCode([u8; 2]);

/// The text is not two capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a state is written as two capital letters, like NY")]
pub struct StateCodeError;

impl StateCode {
    pub fn as_str(&self) -> &str {
        // Two ASCII letters are always UTF-8; the constructor lets nothing else in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for StateCode {
    type Err = StateCodeError;

    fn from_str(text: &str) -> Result<Self, StateCodeError> {
        match text.as_bytes() {
            &[a, b] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Ok(Self([a, b])),
            _ => Err(StateCodeError),
        }
    }
}

impl TryFrom<String> for StateCode {
    type Error = StateCodeError;

    fn try_from(text: String) -> Result<Self, StateCodeError> {
        text.parse()
    }
}

impl From<StateCode> for String {
    fn from(code: StateCode) -> Self {
        code.as_str().to_owned()
    }
}

impl fmt::Display for StateCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for StateCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
