//! The number is of the United States, not of another country under +1.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::compliance::number::Number;
use crate::compliance::tables::area_codes::NumberKind;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule = Rule {
    name: "country_enabled",
    law: "house policy: the rule tables are of the United States",
    stage: Stage::Number,
    check,
};

fn check(case: &Case<'_>, findings: &mut Findings) {
    let Number::Nanp { area: Some(area), .. } = case.number else { return };
    if area.kind == NumberKind::Geographic && area.country != "US" {
        findings.deny(
            ReasonCode::CountryNotEnabled,
            "NANP country other than the US",
            format!("This number is of country {}, whose rules this gate does not know.", area.country),
        );
    }
}
