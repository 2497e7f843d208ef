//! A verified address that the tables do not know cannot be tested, so it denies.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;

pub(super) const RULE: Rule = Rule {
    name: "verified_address",
    law: "47 CFR 64.1200(c)(1): the called party's location",
    stage: Stage::Call,
    check,
};

fn check(case: &Case<'_>, findings: &mut Findings) {
    if let Some(fact) = case.unknown_address {
        findings.unknown(case, fact, "47 CFR 64.1200(c)(1): the called party's location");
    }
}
