//! What a list is called, and a number as the lists count it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::compliance::place::StateCode;
use crate::domain::E164;
use crate::domain::phone::Npa;

/// A list that is kept on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ListName {
    /// The National Do Not Call Registry, 47 CFR 64.1200(c)(2).
    National,
    /// The list that a state keeps itself.
    State(StateCode),
}

/// The text names no list that is kept on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a list is named national, or state: and two capital letters, like state:TX")]
pub struct ListNameError;

impl ListName {
    /// The list's folder.
    pub(super) fn folder(self) -> String {
        match self {
            Self::National => "national".to_owned(),
            Self::State(code) => format!("state-{code}"),
        }
    }

    pub(super) fn of_folder(name: &str) -> Option<Self> {
        match name.strip_prefix("state-") {
            Some(code) => code.parse().ok().map(Self::State),
            None => (name == "national").then_some(Self::National),
        }
    }
}

impl fmt::Display for ListName {
    /// `national` or `state:TX`, as the command line and the store write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::National => f.write_str("national"),
            Self::State(code) => write!(f, "state:{code}"),
        }
    }
}

impl FromStr for ListName {
    type Err = ListNameError;

    fn from_str(text: &str) -> Result<Self, ListNameError> {
        match text.strip_prefix("state:") {
            Some(code) => code.parse().map(Self::State).map_err(|_| ListNameError),
            None if text == "national" => Ok(Self::National),
            None => Err(ListNameError),
        }
    }
}

impl TryFrom<String> for ListName {
    type Error = ListNameError;

    fn try_from(text: String) -> Result<Self, ListNameError> {
        text.parse()
    }
}

impl From<ListName> for String {
    fn from(name: ListName) -> Self {
        name.to_string()
    }
}

/// A number of the North American Numbering Plan, as a place in an area code's bitmap. Not printable: it is a number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NanpNumber {
    npa: Npa,
    /// 0 to 799 for the exchanges 200 to 999.
    exchange: u16,
    /// 0 to 9999.
    line: u16,
}

/// Why ten digits are no number: neither an area code nor an exchange begins with 0 or 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotNanp {
    AreaCode,
    Exchange,
}

impl NanpNumber {
    /// Ten digits, 0 to 9 each.
    pub(super) fn from_digits(digits: [u8; 10]) -> Result<Self, NotNanp> {
        let value = |range: std::ops::Range<usize>| digits[range].iter().fold(0_u16, |n, d| n * 10 + u16::from(*d));
        let npa = Npa::try_from(value(0..3)).map_err(|_| NotNanp::AreaCode)?;
        let exchange = value(3..6).checked_sub(200).ok_or(NotNanp::Exchange)?;
        Ok(Self { npa, exchange, line: value(6..10) })
    }

    pub fn npa(self) -> Npa {
        self.npa
    }

    pub(super) fn exchange(self) -> u16 {
        self.exchange
    }

    pub(super) fn line(self) -> u16 {
        self.line
    }

    pub fn to_e164(self) -> E164 {
        let text = format!("+1{}{:03}{:04}", self.npa, self.exchange + 200, self.line);
        text.parse().expect("+1 and ten digits are a number")
    }
}

impl TryFrom<&E164> for NanpNumber {
    type Error = ();

    /// Fails for numbers of other countries, and for those whose exchange no list can hold.
    fn try_from(number: &E164) -> Result<Self, ()> {
        let text = number.nanp_digits().ok_or(())?;
        let mut digits = [0; 10];
        for (digit, byte) in digits.iter_mut().zip(text.bytes()) {
            *digit = byte - b'0';
        }
        Self::from_digits(digits).map_err(|_| ())
    }
}
