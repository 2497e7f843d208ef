//! The Reassigned Numbers Database says whether the number changed hands since the consent.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::compliance::facts::Reassigned;
use crate::compliance::profile::Response;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule = Rule { name: "reassigned_number", law: "47 CFR 64.1200(m)", stage: Stage::Call, check };

const CITATION: &str = "47 CFR 64.1200(m)";

fn check(case: &Case<'_>, findings: &mut Findings) {
    match case.facts.reassigned {
        Some(Reassigned::No) => {}
        Some(Reassigned::Yes) => findings.deny(
            ReasonCode::ReassignedNumber,
            CITATION,
            "The Reassigned Numbers Database says that this number was disconnected since the date of consent: somebody else may \
             have it now.",
        ),
        Some(Reassigned::NoData) => {
            let message = "The Reassigned Numbers Database has no data on this number, so there is no safe harbour.";
            match case.profile.reassigned_no_data {
                Response::Warn => findings.warn(message),
                Response::Deny => findings.deny(ReasonCode::ReassignedNumber, CITATION, message),
            }
        }
        None => findings.unknown(case, "rnd", CITATION),
    }
}
