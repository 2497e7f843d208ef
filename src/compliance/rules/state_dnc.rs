//! A state's own do-not-call list, for sales calls to homes and mobiles. It counts in every state.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::compliance::facts::ListFact;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule =
    Rule { name: "state_dnc", law: "the states' do-not-call lists (jurisdictions.toml)", stage: Stage::Call, check };

fn check(case: &Case<'_>, findings: &mut Findings) {
    if !case.lists_bind() || case.facts.state_dnc == Some(false) {
        return;
    }
    let citation = case.states.first().map_or("state do-not-call law", |state| &state.jurisdiction.citation);
    if case.facts.state_dnc.is_none() {
        let of_states = case.facts.lists.iter().filter(|list| list.list != "national");
        findings.unknown_from_lists(case, "state_dnc", citation, of_states.filter_map(ListFact::gap));
        return;
    }
    findings.deny(
        ReasonCode::StateDnc,
        citation,
        "This number is on a state's do-not-call list, and neither written consent nor a live business relationship lifts it.",
    );
}
