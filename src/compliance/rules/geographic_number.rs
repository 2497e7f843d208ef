//! The number is of a place: not toll-free, premium, personal or a service code.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::compliance::tables::area_codes::NumberKind;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule =
    Rule { name: "geographic_number", law: "47 USC 227(b)(1)(A)(iii)", stage: Stage::Number, check };

fn check(case: &Case<'_>, findings: &mut Findings) {
    let Some(kind) = case.number.kind().filter(|kind| *kind != NumberKind::Geographic) else { return };
    findings.deny(
        ReasonCode::NonGeographicNumber,
        "47 USC 227(b)(1)(A)(iii) (called party charged); no location, so no local time",
        format!("This is a {} number. It is of no place, so that no local rule can be read for it.", kind.describe()),
    );
}
