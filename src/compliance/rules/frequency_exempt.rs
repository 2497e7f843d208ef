//! The federal caps on calls that use an exemption instead of consent.

use super::frequency_state::check_caps;
use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::compliance::tables::caps::CapKind;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule =
    Rule { name: "frequency_exempt", law: "47 CFR 64.1200(a)(3)(ii)-(v)", stage: Stage::Call, check };

fn check(case: &Case<'_>, findings: &mut Findings) {
    check_caps(case, CapKind::Exempt, ReasonCode::FreqCapExempt, findings);
}
