//! A state lets a purchase relationship live shorter than the federal 18 months: a warning, or a denial by profile.

use jiff::Span;

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::compliance::profile::Response;
use crate::compliance::tables::jurisdictions::Jurisdiction;
use crate::domain::ReasonCode;
use crate::domain::decision::LineType;

pub(super) const RULE: Rule = Rule {
    name: "business_relationship_term",
    law: "the states' own terms; 47 CFR 64.1200(f)(5)",
    stage: Stage::Call,
    check,
};

fn check(case: &Case<'_>, findings: &mut Findings) {
    let home_or_mobile = case.line() != LineType::LandlineBusiness;
    let relied_on = case.is_telemarketing() && home_or_mobile && !case.consent.is_written();
    let Some(purchase) = case.relationships.purchase.filter(|_| relied_on) else { return };
    for state in &case.states {
        let Jurisdiction { name, shorter_relationship_months, .. } = &state.jurisdiction.says;
        let Some(months) = *shorter_relationship_months else { continue };
        if case.today() <= purchase.saturating_add(Span::new().months(months)) {
            continue;
        }
        let message =
            format!("{name} lets a purchase relationship live for {months} months only; this one is of {purchase}.");
        match case.profile.short_relationship_terms {
            Response::Warn => findings.warn(message),
            Response::Deny => findings.deny(ReasonCode::StateProhibition, &state.jurisdiction.citation, message),
        }
    }
}
