//! Sales calls into a state under a declared emergency, where its law bans them.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule =
    Rule { name: "state_of_emergency", law: "the states' emergency bans (permission.toml)", stage: Stage::Call, check };

fn check(case: &Case<'_>, findings: &mut Findings) {
    if !case.is_telemarketing() {
        return;
    }
    for state in case.states.iter().filter(|state| case.facts.emergencies.contains(&state.code)) {
        for row in state.rules.emergencies.iter().chain(&case.tables.country.emergencies) {
            if row.is_in_force_on(case.today()) && !case.lifts_ban(&row.says.lifted_by) {
                let name = &state.jurisdiction.says.name;
                let message = format!("{name} is under a declared state of emergency, which bans sales calls there.");
                findings.deny(ReasonCode::StateOfEmergency, &row.citation, message);
            }
        }
    }
}
