//! Emergency lines and patients' rooms: an artificial voice needs consent, whatever the purpose.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule =
    Rule { name: "protected_line", law: "47 CFR 64.1200(a)(1)(i)-(ii)", stage: Stage::Call, check };

fn check(case: &Case<'_>, findings: &mut Findings) {
    if case.facts.protected_line && case.is_ai() && !case.consent.is_valid() {
        findings.deny(
            ReasonCode::ProtectedLine,
            "47 CFR 64.1200(a)(1)(i)-(ii)",
            "This is an emergency line or a patient's or guest's room. An AI voice may call it with the called party's consent only.",
        );
    }
}
