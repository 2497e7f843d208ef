//! `Profile`: the choices that the law leaves to the operator, each named. The default is the conservative one
//! throughout; every choice that differs from it is written into each decision.

use serde::{Deserialize, Serialize};

use super::place::StateCode;

/// The operator's choices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// Area codes that are assigned but have no in-service date (565, 761): `deny` (default) or `warn`.
    pub assigned_area_codes: Response,
    /// Whether calling hours bind a call that the person agreed to: `enforce` (default), or `lifted_where_the_law_says`
    /// for the rows of `calling_hours.toml` that carry `lifted_by` (King v. Bon Charge, D. Del. 2026, reads
    /// 64.1200(c)(1) so; one district court).
    pub consented_hours: ConsentedHours,
    /// Whether the states' narrower hours for automated and recorded voices bind a conversation with a language model,
    /// which is open in law: `apply` (default) or `ignore`.
    pub automated_voice_hours: AutomatedVoiceHours,
    /// A state that asks for a permit for the device (Texas, Georgia, Nebraska, New Hampshire): `warn` (default) or
    /// `deny`.
    pub device_permits: Response,
    /// A state that bans recorded sales calls without a stated exception (Washington and others): `warn` (default) or
    /// `deny`.
    pub device_prohibitions: Response,
    /// The Reassigned Numbers Database answered "no data", so that there is no safe harbour: `warn` (default) or
    /// `deny`.
    pub reassigned_no_data: Response,
    /// A call that rests on a business relationship older than a state's shorter term (Pennsylvania, Mississippi):
    /// `warn` (default) or `deny`.
    pub short_relationship_terms: Response,
    /// Litigator lists are house policy, not law: `required` (default; unknown denies) or `off`.
    pub litigator_list: LitigatorList,
    /// States in which oral consent is enough for an AI sales call (Bradford v. Sovereign Pest, 5th Cir. 2026, binds
    /// federal courts in TX, LA and MS). It counts only where every state of the number is listed. Default: none.
    pub oral_consent_states: Vec<StateCode>,
    /// States in which the operator is not registered and will not sell. Default: none.
    pub unregistered_states: Vec<StateCode>,
}

/// What a doubtful point leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    Warn,
    Deny,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentedHours {
    Enforce,
    LiftedWhereTheLawSays,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutomatedVoiceHours {
    Apply,
    Ignore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LitigatorList {
    Required,
    Off,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            assigned_area_codes: Response::Deny,
            consented_hours: ConsentedHours::Enforce,
            automated_voice_hours: AutomatedVoiceHours::Apply,
            device_permits: Response::Warn,
            device_prohibitions: Response::Warn,
            reassigned_no_data: Response::Warn,
            short_relationship_terms: Response::Warn,
            litigator_list: LitigatorList::Required,
            oral_consent_states: Vec::new(),
            unregistered_states: Vec::new(),
        }
    }
}

impl Profile {
    /// `conservative`, followed by every choice that differs from it: `conservative, device_permits=deny`.
    pub fn label(&self) -> String {
        let mut label = String::from("conservative");
        let default = Self::default();
        if *self == default {
            return label;
        }
        let values = |profile: &Self| match serde_json::to_value(profile) {
            Ok(serde_json::Value::Object(map)) => map,
            _ => serde_json::Map::new(),
        };
        let conservative = values(&default);
        for (name, value) in values(self) {
            if conservative.get(&name) != Some(&value) {
                let text = match value {
                    serde_json::Value::String(text) => text,
                    other => other.to_string(),
                };
                label.push_str(", ");
                label.push_str(&name);
                label.push('=');
                label.push_str(&text);
            }
        }
        label
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_names_every_departure_from_the_default() {
        assert_eq!(Profile::default().label(), "conservative");
        let profile: Profile =
            toml::from_str("device_permits = \"deny\"\noral_consent_states = [\"TX\"]\nlitigator_list = \"off\"")
                .unwrap();
        assert_eq!(
            profile.label(),
            r#"conservative, device_permits=deny, litigator_list=off, oral_consent_states=["TX"]"#
        );
    }

    #[test]
    fn an_unknown_choice_is_an_error() {
        assert!(toml::from_str::<Profile>("device_permit = \"deny\"").is_err());
        assert!(toml::from_str::<Profile>("device_permits = \"maybe\"").is_err());
    }
}
