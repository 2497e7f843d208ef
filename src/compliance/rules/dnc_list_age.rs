//! The do-not-call lists consulted are at most 31 days old on the local date of the call.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule =
    Rule { name: "dnc_list_age", law: "47 CFR 64.1200(c)(2)(i)(D); 16 CFR 310.4(b)(3)(iv)", stage: Stage::Call, check };

fn check(case: &Case<'_>, findings: &mut Findings) {
    if !case.lists_bind() {
        return;
    }
    let limit = &case.tables.list_age;
    let Some(as_of) = case.facts.dnc_list_date else {
        let message = "No do-not-call list of a known date was consulted. Import a current list.";
        findings.deny(ReasonCode::DncDataStale, &limit.citation, message);
        return;
    };
    let age_days = case.today().duration_since(as_of).as_hours() / 24;
    if age_days > i64::from(limit.says.max_days) {
        let max = limit.says.max_days;
        let message = format!(
            "The do-not-call list of {as_of} is {age_days} days old, {max} are allowed. Import a current list."
        );
        findings.deny(ReasonCode::DncDataStale, &limit.citation, message);
    }
}
