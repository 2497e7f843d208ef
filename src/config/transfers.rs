//! `[transfers]`: the colleagues to whom calls may go on.

use serde::Deserialize;

use crate::domain::E164;

/// The fields are private so that nobody but the settings names a colleague.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransfersConfig {
    targets: Vec<String>,
    ring_timeout_s: u32,
    announcement: String,
}

/// The number of a colleague, named in the settings: the one kind of number that is rung without the gate, because the operator's
/// own people are not called parties. It cannot be made from any other text.
#[derive(Debug, PartialEq, Eq)]
pub struct HouseNumber(E164);

impl HouseNumber {
    pub fn number(&self) -> &E164 {
        &self.0
    }
}

impl TransfersConfig {
    /// The colleague of this name.
    pub fn named(&self, name: &str) -> Option<HouseNumber> {
        self.pairs().find(|(of, _)| *of == name).map(|(_, number)| HouseNumber(number))
    }

    /// The name of the colleague at this number.
    pub fn name_of(&self, number: &E164) -> Option<&str> {
        self.pairs().find(|(_, of)| of == number).map(|(name, _)| name)
    }

    pub fn names(&self) -> Vec<&str> {
        self.pairs().map(|(name, _)| name).collect()
    }

    pub fn ring_timeout(&self) -> std::time::Duration {
        std::time::Duration::from_secs(self.ring_timeout_s.into())
    }

    /// What a caller hears who is transferred; none for silence.
    pub fn announcement(&self) -> Option<&str> {
        Some(self.announcement.as_str()).filter(|text| !text.is_empty())
    }

    /// The first target that is not `NAME=NUMBER`.
    pub(super) fn bad_target(&self) -> Option<&str> {
        self.targets.iter().map(String::as_str).find(|target| parse(target).is_none())
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, E164)> {
        self.targets.iter().filter_map(|target| parse(target))
    }
}

fn parse(text: &str) -> Option<(&str, E164)> {
    let (name, number) = text.split_once('=')?;
    let name = name.trim();
    (!name.is_empty()).then_some(())?;
    Some((name, number.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colleagues_are_found_by_name_and_by_number() {
        let text = "targets = [\"sales = +12125550140\", \"x\"]\nring_timeout_s = 25\nannouncement = \"\"";
        let config: TransfersConfig = toml::from_str(text).unwrap();
        let number: E164 = "+12125550140".parse().unwrap();
        assert_eq!(config.named("sales").unwrap().number(), &number);
        assert_eq!((config.name_of(&number), config.bad_target()), (Some("sales"), Some("x")));
        assert!(config.named("x").is_none() && config.announcement().is_none());
    }
}
