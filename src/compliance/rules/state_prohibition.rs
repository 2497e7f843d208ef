//! Sales calls that a state bans at any hour: to mobiles in Arizona and New Jersey.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule =
    Rule { name: "state_prohibition", law: "the states' prohibitions (permission.toml)", stage: Stage::Call, check };

fn check(case: &Case<'_>, findings: &mut Findings) {
    if !case.is_telemarketing() {
        return;
    }
    let rows = case.rules().flat_map(|place| &place.prohibitions);
    for row in rows.filter(|row| row.is_in_force_on(case.today()) && row.says.lines.contains(&case.line())) {
        if !case.lifts_ban(&row.says.lifted_by) {
            findings.deny(
                ReasonCode::StateProhibition,
                &row.citation,
                format!("Rule {} bans unsolicited sales calls to this kind of line at any hour.", row.id),
            );
        }
    }
}
