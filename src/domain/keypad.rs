//! `Keys`: what can be pressed on a telephone, one after the other.

use std::fmt;
use std::str::FromStr;

/// The most that is pressed at once; the carrier's own limit for keys on a new call (Twilio's `SendDigits`).
const MAX: usize = 32;

/// Keys `0` to `9`, `*`, `#` and `A` to `D`, and `w` for half a second's wait between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys(String);

/// The text is not a row of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("keys are 1 to 32 of 0-9, *, #, A-D, and w for half a second's wait")]
pub struct KeysError;

impl Keys {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Keys {
    type Err = KeysError;

    fn from_str(text: &str) -> Result<Self, KeysError> {
        let is_key = |c: char| c.is_ascii_digit() || matches!(c, '*' | '#' | 'A'..='D' | 'w');
        let fits = (1..=MAX).contains(&text.len()) && text.chars().all(is_key);
        if fits { Ok(Self(text.to_owned())) } else { Err(KeysError) }
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_on_a_keypad_is_keys() {
        for text in ["1", "0123456789*#", "ABCD", "1w2ww3"] {
            assert_eq!(text.parse::<Keys>().unwrap().as_str(), text);
        }
        for text in ["", "a", "E", "1 2", "١", &"1".repeat(33)] {
            assert!(text.parse::<Keys>().is_err(), "{text}");
        }
    }
}
