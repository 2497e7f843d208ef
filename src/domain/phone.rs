//! Telephone numbers: `E164`, which redacts itself wherever it could be printed by accident, and `Npa`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A number in the international form of ITU-T E.164: `+`, a country code that does not start with 0, 8 to 15 digits in all.
///
/// `Debug` and `Display` mask the middle (`+1212•••0113`), so that a log line cannot leak a number.
/// The full text is only given by [`E164::as_str`] and by `Serialize` (the journal and the store need it).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct E164(Box<str>);

/// Why a text is not an [`E164`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum E164Error {
    #[error("a number starts with + and its country code, like +12125550113")]
    NoPlus,
    #[error("a number has only digits after the +, like +12125550113")]
    NotDigits,
    #[error("a country code does not start with 0")]
    LeadingZero,
    #[error("a number has 8 to 15 digits, this one has {0}")]
    Length(usize),
}

impl E164 {
    /// The full number, `+12125550113`. For the wire and the store, never for a log.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number with its middle hidden, `+1212•••0113`: three digits at least, also of the shortest number.
    pub fn masked(&self) -> String {
        let digits = &self.0[1..];
        let tail = &digits[digits.len() - 4..];
        let head = &digits[..(digits.len() - 7).min(4)];
        format!("+{head}•••{tail}")
    }

    /// The ten digits after `+1`, where this is a number of the North American Numbering Plan.
    pub fn nanp_digits(&self) -> Option<&str> {
        self.0.strip_prefix("+1").filter(|rest| rest.len() == 10)
    }

    /// The area code, where this is a number of the North American Numbering Plan.
    pub fn npa(&self) -> Option<Npa> {
        self.nanp_digits().and_then(|digits| digits[..3].parse().ok())
    }
}

impl FromStr for E164 {
    type Err = E164Error;

    fn from_str(text: &str) -> Result<Self, E164Error> {
        let digits = text.strip_prefix('+').ok_or(E164Error::NoPlus)?;
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(E164Error::NotDigits);
        }
        if digits.starts_with('0') {
            return Err(E164Error::LeadingZero);
        }
        if !(8..=15).contains(&digits.len()) {
            return Err(E164Error::Length(digits.len()));
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for E164 {
    type Error = E164Error;

    fn try_from(text: String) -> Result<Self, E164Error> {
        text.parse()
    }
}

impl From<E164> for String {
    fn from(number: E164) -> Self {
        number.0.into()
    }
}

impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// An area code (Numbering Plan Area): three digits, the first 2 to 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Npa(u16);

/// The text is not three digits of which the first is 2 to 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an area code is three digits, the first 2 to 9")]
pub struct NpaError;

impl Npa {
    /// The area code as a number, 200 to 999.
    pub fn as_u16(self) -> u16 {
        self.0
    }
}

impl FromStr for Npa {
    type Err = NpaError;

    fn from_str(text: &str) -> Result<Self, NpaError> {
        let three_digits = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| three_digits).ok_or(NpaError)?.try_into()
    }
}

impl TryFrom<u16> for Npa {
    type Error = NpaError;

    fn try_from(code: u16) -> Result<Self, NpaError> {
        if (200..=999).contains(&code) { Ok(Self(code)) } else { Err(NpaError) }
    }
}

impl fmt::Display for Npa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_international_form() {
        assert!("+12125550113".parse::<E164>().is_ok());
        assert_eq!("2125550113".parse::<E164>(), Err(E164Error::NoPlus));
        assert_eq!("+1 212".parse::<E164>(), Err(E164Error::NotDigits));
        assert_eq!("+0123456789".parse::<E164>(), Err(E164Error::LeadingZero));
        assert_eq!("+1234567".parse::<E164>(), Err(E164Error::Length(7)));
        assert_eq!("+1234567890123456".parse::<E164>(), Err(E164Error::Length(16)));
        assert_eq!("+１２１２５５５０１１３".parse::<E164>(), Err(E164Error::NotDigits));
    }

    #[test]
    fn printing_masks_the_middle() {
        let number: E164 = "+12125550113".parse().unwrap();
        assert_eq!(format!("{number} {number:?}"), "+1212•••0113 +1212•••0113");
        let short: E164 = "+12345678".parse().unwrap();
        assert_eq!(short.masked(), "+1•••5678");
    }

    #[test]
    fn knows_the_area_code_of_nanp_numbers_only() {
        let npa = |text: &str| text.parse::<E164>().unwrap().npa();
        assert_eq!(npa("+12125550113"), "212".parse().ok());
        assert_eq!(npa("+442079460000"), None);
        assert_eq!(npa("+11125550113"), None);
    }
}
