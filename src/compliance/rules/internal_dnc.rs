//! The company's own do-not-call list. It has no end: five years is what the law asks at least.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule =
    Rule { name: "internal_dnc", law: "47 CFR 64.1200(d)(3), (d)(6)", stage: Stage::Call, check };

fn check(case: &Case<'_>, findings: &mut Findings) {
    if let Some(since) = case.facts.internal_dnc_at.filter(|since| *since <= case.now) {
        findings.deny(
            ReasonCode::InternalDnc,
            "47 CFR 64.1200(d)(3), (d)(6)",
            format!("This person asked not to be called; the number is on the company's own list since {since}."),
        );
    }
}
