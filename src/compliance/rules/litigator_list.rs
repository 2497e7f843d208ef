//! Numbers of people known to sue over calls: house policy, not law.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::compliance::profile::LitigatorList;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule =
    Rule { name: "litigator_list", law: "house policy: litigator list", stage: Stage::Call, check };

const CITATION: &str = "house policy: litigator list";

fn check(case: &Case<'_>, findings: &mut Findings) {
    if case.profile.litigator_list == LitigatorList::Off {
        return;
    }
    match case.facts.litigator {
        Some(false) => {}
        Some(true) => findings.deny(ReasonCode::LitigatorList, CITATION, "This number is on a list of litigators."),
        None => findings.unknown(case, "litigator", CITATION),
    }
}
