//! A state asks for a permit for automated voices, or bans them: a warning, or a denial by profile.

use super::{Findings, Rule, Stage};
use crate::compliance::case::Case;
use crate::compliance::profile::Response;
use crate::compliance::tables::hours::Device;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule = Rule {
    name: "automated_voice_device",
    law: "the states' device laws (automated_voice.toml)",
    stage: Stage::Call,
    check,
};

fn check(case: &Case<'_>, findings: &mut Findings) {
    for row in case.rules().flat_map(|place| case.automated(place)).filter(|row| row.is_in_force_on(case.today())) {
        let (response, message) = match row.says.device {
            // Written consent, which an AI sales call needs anyway, meets it.
            None | Some(Device::Consent) => continue,
            Some(Device::Permit) => {
                let message = format!(
                    "Rule {} asks for a permit or registration of automated voices ({}).",
                    row.id, row.citation
                );
                (case.profile.device_permits, message)
            }
            Some(Device::Prohibited) => {
                let message =
                    format!("Rule {} bans recorded sales calls but for stated exceptions ({}).", row.id, row.citation);
                (case.profile.device_prohibitions, message)
            }
        };
        match response {
            Response::Warn => findings.warn(message),
            Response::Deny => findings.deny(ReasonCode::StateProhibition, &row.citation, message),
        }
    }
}
