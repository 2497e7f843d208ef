//! The National Do Not Call Registry, for sales calls to homes and mobiles.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::compliance::facts::ListFact;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule =
    Rule { name: "national_dnc", law: "47 CFR 64.1200(c)(2); 16 CFR 310.4(b)(1)(iii)(B)", stage: Stage::Call, check };

const CITATION: &str = "47 CFR 64.1200(c)(2); 16 CFR 310.4(b)(1)(iii)(B)";

fn check(case: &Case<'_>, findings: &mut Findings) {
    if !case.lists_bind() {
        return;
    }
    match case.facts.national_dnc {
        Some(false) => {}
        Some(true) => findings.deny(
            ReasonCode::NationalDnc,
            CITATION,
            "This number is on the National Do Not Call Registry, and neither written consent nor a live business relationship \
             lifts it.",
        ),
        None => {
            let national = case.facts.lists.iter().filter(|list| list.list == "national");
            findings.unknown_from_lists(case, "ndnc", CITATION, national.filter_map(ListFact::gap));
        }
    }
}
