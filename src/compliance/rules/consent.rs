//! The permission that this voice, purpose and line need: none, express, or written.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::compliance::tables::permission::Needs;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule =
    Rule { name: "consent", law: "47 USC 227(b)(1); 47 CFR 64.1200(a)(1)-(3), (f)(9)", stage: Stage::Call, check };

fn check(case: &Case<'_>, findings: &mut Findings) {
    let needs = case.needs();
    if !matches!(needs, Needs::Express | Needs::Written) {
        return;
    }
    let citation = case.need().map_or("permission.toml has no row for this call", |row| &row.citation);
    if case.consent.is_valid() {
        if needs == Needs::Written && !case.consent.is_written() {
            findings.deny(
                ReasonCode::ConsentInsufficient,
                citation,
                "There is consent, but not in writing. A sales call with an AI voice needs prior express written consent.",
            );
        }
        return;
    }
    if case.consent.failures.is_empty() {
        let kind = if needs == Needs::Written { "prior express written consent" } else { "prior express consent" };
        let message = format!("This call needs {kind}, and no consent in force is on record for this number.");
        findings.deny(ReasonCode::ConsentMissing, citation, message);
    }
    for code in &case.consent.failures {
        match code {
            ReasonCode::FactUnknown => findings.unknown(case, "consent_at", citation),
            code => findings.deny(*code, citation, describe(*code)),
        }
    }
}

fn describe(code: ReasonCode) -> &'static str {
    match code {
        ReasonCode::ConsentNotYetValid => "The consent on record is dated after this call.",
        ReasonCode::ConsentExpired => "The consent on record has expired.",
        ReasonCode::ConsentNumberMismatch => "The consent on record names another number.",
        ReasonCode::ConsentSellerMismatch => "The consent on record names another seller.",
        ReasonCode::ConsentPurposeMismatch => "The consent on record does not cover calls for this purpose.",
        _ => "The consent on record is not valid.",
    }
}
