//! Permission was withdrawn. It binds at once; only a consent given afterwards ends it.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule =
    Rule { name: "consent_revoked", law: "47 CFR 64.1200(a)(10), (d)(3)", stage: Stage::Call, check };

fn check(case: &Case<'_>, findings: &mut Findings) {
    let Some(revoked_at) = case.facts.revoked_at.filter(|at| *at <= case.now) else { return };
    let given_since = |given_at| revoked_at < given_at && given_at <= case.now;
    if !case.facts.consents.iter().filter_map(|record| record.given_at).any(given_since) {
        findings.deny(
            ReasonCode::ConsentRevoked,
            "47 CFR 64.1200(a)(10), (d)(3)",
            format!("Permission to call was withdrawn at {revoked_at} and has not been given again since."),
        );
    }
}
