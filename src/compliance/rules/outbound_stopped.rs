//! The operators have stopped every outbound call, emergencies included.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule =
    Rule { name: "outbound_stopped", law: "the operators' stop of all outbound calls", stage: Stage::Number, check };

fn check(case: &Case<'_>, findings: &mut Findings) {
    if case.facts.outbound_stopped {
        findings.deny(
            ReasonCode::OutboundStopped,
            "operator's stop-all switch",
            "An operator has stopped all outbound calls. Nothing is dialled until an operator starts them again.",
        );
    }
}
