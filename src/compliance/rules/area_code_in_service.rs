//! The area code exists and is in service, by the NANPA table.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::compliance::number::Number;
use crate::compliance::profile::Response;
use crate::compliance::tables::area_codes::Status;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule = Rule {
    name: "area_code_in_service",
    law: "house policy: NANPA area codes in service",
    stage: Stage::Number,
    check,
};

const CITATION: &str = "NANPA area code report";

fn check(case: &Case<'_>, findings: &mut Findings) {
    let Number::Nanp { npa, .. } = case.number else { return };
    match case.number.status() {
        Some(Status::InService) => {}
        Some(Status::AssignedNotInService) if case.profile.assigned_area_codes == Response::Warn => {
            findings.warn(format!("Area code {npa} is assigned, but no in-service date is known."));
        }
        Some(Status::AssignedNotInService) => findings.deny(
            ReasonCode::NpaNotInService,
            CITATION,
            format!("Area code {npa} is assigned, but not in service by the table that this gate has."),
        ),
        Some(Status::NotAssignable | Status::NotInUse) | None => {
            let message = format!("Area code {npa} is not in service.");
            findings.deny(ReasonCode::NpaNotInService, CITATION, message);
        }
    }
}
