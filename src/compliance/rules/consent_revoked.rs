//! Permission was withdrawn. It binds at once; only a consent given afterwards ends it.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::compliance::facts::ConsentFact;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule =
    Rule { name: "consent_revoked", law: "47 CFR 64.1200(a)(10), (d)(3)", stage: Stage::Call, check };

fn check(case: &Case<'_>, findings: &mut Findings) {
    let Some(revoked_at) = case.facts.revoked_at.filter(|at| *at <= case.now) else { return };
    // A consent that names another seller, or has run out, gives nothing back.
    let gives_back = |record: &ConsentFact| {
        record.given_at.is_some_and(|given_at| revoked_at < given_at && given_at <= case.now)
            && record.expires_at.is_none_or(|expires_at| case.now < expires_at)
            && record.names_this_number
            && record.names_this_seller
    };
    if !case.facts.consents.iter().any(gives_back) {
        findings.deny(
            ReasonCode::ConsentRevoked,
            "47 CFR 64.1200(a)(10), (d)(3)",
            format!("Permission to call was withdrawn at {revoked_at} and has not been given again since."),
        );
    }
}
