//! The states' caps on sales calls to one number in elapsed time.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::compliance::counting::full_until;
use crate::compliance::tables::caps::CapKind;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule = Rule {
    name: "frequency_state",
    law: "the states' frequency caps (frequency_caps.toml)",
    stage: Stage::Call,
    check,
};

fn check(case: &Case<'_>, findings: &mut Findings) {
    check_caps(case, CapKind::Solicitation, ReasonCode::FreqCapState, findings);
}

pub(super) fn check_caps(case: &Case<'_>, kind: CapKind, code: ReasonCode, findings: &mut Findings) {
    for row in case.caps(kind) {
        let cap = &row.says;
        let Some(until) = full_until(cap, &case.attempts, &case.zones, case.now) else { continue };
        let (id, count, hours) = (&row.id, cap.count, cap.window.as_hours());
        let day = if cap.calendar_day { " or on one local date" } else { "" };
        let message = format!(
            "This number has had the {count} attempts that rule {id} allows in {hours} hours{day}; there is room again at {until}."
        );
        findings.deny(code, &row.citation, message);
    }
}
