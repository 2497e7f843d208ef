//! The number is well formed, and of the North American Numbering Plan.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::compliance::number::Number;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule =
    Rule { name: "number_form", law: "ITU-T E.164; North American Numbering Plan", stage: Stage::Number, check };

fn check(case: &Case<'_>, findings: &mut Findings) {
    match case.number {
        Number::Malformed => findings.deny(
            ReasonCode::InvalidNumber,
            "NANP format (NXX-NXX-XXXX), ITU-T E.164",
            "This is no telephone number: write + and the country code, without spaces; after +1 come ten digits, of which neither \
             area code nor exchange begins with 0 or 1 or ends in 11.",
        ),
        Number::International => findings.deny(
            ReasonCode::InternationalNotCovered,
            "no US rule set applies",
            "This number is of another country, whose rules this gate does not know.",
        ),
        Number::Nanp { .. } => {}
    }
}
