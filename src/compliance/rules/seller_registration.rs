//! A state asks sellers to register: a warning, or a denial where the operator says that it has not.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule = Rule {
    name: "seller_registration",
    law: "the states' registration laws (jurisdictions.toml)",
    stage: Stage::Call,
    check,
};

fn check(case: &Case<'_>, findings: &mut Findings) {
    if !case.is_telemarketing() {
        return;
    }
    for state in &case.states {
        let place = &state.jurisdiction.says;
        if case.profile.unregistered_states.contains(&state.code) {
            let message = format!("The operator is not registered to sell in {}.", place.name);
            findings.deny(ReasonCode::StateProhibition, &state.jurisdiction.citation, message);
        } else if let Some(registration) = &place.registration {
            findings.warn(format!("Registration of sellers in {}: {registration}.", place.name));
        }
    }
}
