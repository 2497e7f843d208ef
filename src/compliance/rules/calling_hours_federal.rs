//! The country's calling hours, 08:00 to 21:00 in every zone of the number; for calls that sell nothing, as house
//! policy.

use super::calling_hours_state::check_hours;
use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule =
    Rule { name: "calling_hours_federal", law: "47 CFR 64.1200(c)(1); 16 CFR 310.4(c)", stage: Stage::Call, check };

fn check(case: &Case<'_>, findings: &mut Findings) {
    check_hours(case, &case.tables.country, ReasonCode::OutsideHoursFederal, findings);
}
