//! What a called number is: malformed, international, or of an area code of the North American Numbering Plan.

use super::tables::area_codes::{NumberKind, Status};
use super::tables::{AreaCode, RuleTables};
use crate::domain::E164;
use crate::domain::phone::Npa;

/// A number as the numbering plan sees it.
#[derive(Debug)]
pub enum Number<'a> {
    Malformed,
    /// A well-formed number of another country code.
    International,
    /// Ten well-formed digits after `+1`; `area` is the area code's row, where it has one.
    Nanp {
        npa: Npa,
        area: Option<&'a AreaCode>,
    },
}

impl<'a> Number<'a> {
    /// Reads a number: `+`, then `1` and ten digits of which area code and exchange begin with 2 to 9 and are not N11,
    /// or another country code and 8 to 15 digits in all.
    pub fn classify(text: &str, tables: &'a RuleTables) -> Self {
        let Ok(number) = text.parse::<E164>() else {
            return Self::Malformed;
        };
        if !text.starts_with("+1") {
            return Self::International;
        }
        let (Some(digits), Some(npa)) = (number.nanp_digits(), number.npa()) else {
            return Self::Malformed;
        };
        if is_n11(&digits[..3]) || digits[3..].starts_with(['0', '1']) || is_n11(&digits[3..6]) {
            return Self::Malformed;
        }
        Self::Nanp { npa, area: tables.area_code(npa) }
    }

    /// The area code's row, where the number could be of a place in the United States.
    pub fn us_area(&self) -> Option<&'a AreaCode> {
        match self {
            Self::Nanp { area: Some(area), .. } if area.state.is_some() => Some(area),
            _ => None,
        }
    }

    pub fn kind(&self) -> Option<NumberKind> {
        match self {
            Self::Nanp { area, .. } => area.map(|area| area.kind),
            _ => None,
        }
    }

    pub fn status(&self) -> Option<Status> {
        match self {
            Self::Nanp { area, .. } => area.map(|area| area.status),
            _ => None,
        }
    }
}

fn is_n11(three_digits: &str) -> bool {
    three_digits.ends_with("11")
}
