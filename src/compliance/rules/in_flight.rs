//! One live attempt per called number: another allowed call holds it now.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule =
    Rule { name: "in_flight", law: "house policy: one live attempt per called number", stage: Stage::Call, check };

fn check(case: &Case<'_>, findings: &mut Findings) {
    if !case.facts.reservations.is_empty() {
        findings.deny(
            ReasonCode::InFlight,
            "house policy: one live attempt per called number",
            "Another allowed call to this number is being placed or is in progress.",
        );
    }
}
