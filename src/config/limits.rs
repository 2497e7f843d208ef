//! `[limits]`: what API keys may use, all of them and single ones by name.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::Purpose;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    pub dials_per_minute: u32,
    pub concurrent_calls: u32,
    /// What a minute of an answered call costs, in the currency of `spend_per_day`.
    pub cost_per_minute: f64,
    pub spend_per_day: f64,
    /// By the key's name, in lower case.
    #[serde(default)]
    pub keys: BTreeMap<String, KeyLimits>,
}

/// `[limits.keys.NAME]`: what is not said is as for every key.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyLimits {
    pub purposes: Option<Vec<Purpose>>,
    pub dials_per_minute: Option<u32>,
    pub concurrent_calls: Option<u32>,
    pub spend_per_day: Option<f64>,
}

/// What one key may use. 0 means no limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    pub dials_per_minute: u32,
    pub concurrent_calls: u32,
    pub spend_per_day: f64,
}

impl LimitsConfig {
    /// What the key of this name may use.
    pub fn of(&self, key: &str) -> Limits {
        let own = self.row(key);
        Limits {
            dials_per_minute: own.and_then(|own| own.dials_per_minute).unwrap_or(self.dials_per_minute),
            concurrent_calls: own.and_then(|own| own.concurrent_calls).unwrap_or(self.concurrent_calls),
            spend_per_day: own.and_then(|own| own.spend_per_day).unwrap_or(self.spend_per_day),
        }
    }

    /// Whether the key of this name may claim the purpose. What the server allows at all is `compliance.purposes`.
    pub fn may_claim(&self, key: &str, purpose: Purpose) -> bool {
        self.row(key).and_then(|own| own.purposes.as_ref()).is_none_or(|purposes| purposes.contains(&purpose))
    }

    fn row(&self, key: &str) -> Option<&KeyLimits> {
        // Names of settings are in lower case, and a name that differs in case only must not slip through.
        self.keys.get(&key.to_lowercase())
    }

    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let is_bad = |amount: f64| !(amount.is_finite() && amount >= 0.0);
        let all = [("limits.cost_per_minute", self.cost_per_minute), ("limits.spend_per_day", self.spend_per_day)];
        let bad = all.into_iter().filter(|(_, amount)| is_bad(*amount));
        let mut problems: Vec<_> = bad.map(|(key, _)| (key, "must be 0 or more".to_owned())).collect();
        for (name, own) in &self.keys {
            if own.spend_per_day.is_some_and(is_bad) {
                problems.push(("limits.keys", format!("{name}: spend_per_day must be 0 or more")));
            }
            if *name != name.to_lowercase() {
                problems.push(("limits.keys", format!("{name}: write the key's name in lower case")));
            }
        }
        problems
    }
}

/// A value of the type that a setting of a single key has, `limits.keys.NAME.KEY`; none for any other key.
pub(super) fn typed_like(key: &str) -> Option<toml::Value> {
    let (_, key) = key.strip_prefix("limits.keys.")?.split_once('.')?;
    match key {
        "purposes" => Some(toml::Value::Array(Vec::new())),
        "dials_per_minute" | "concurrent_calls" => Some(toml::Value::Integer(0)),
        "spend_per_day" => Some(toml::Value::Float(0.0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Effective, Layer};
    use super::*;

    fn limits(text: &str) -> Result<LimitsConfig, String> {
        let layer = Layer::from_file("f", text).unwrap();
        Effective::from_layers(vec![layer]).map(|effective| effective.config.limits).map_err(|error| error.to_string())
    }

    #[test]
    fn a_keys_own_row_counts_before_what_holds_for_all() {
        let limits = limits(
            "[limits]\nconcurrent_calls = 5\n[limits.keys.claude]\npurposes = [\"informational\"]\n\
             dials_per_minute = 2\nspend_per_day = 10\n",
        )
        .unwrap();
        let all = Limits { dials_per_minute: 0, concurrent_calls: 5, spend_per_day: 0.0 };
        assert_eq!(limits.of("crm"), all);
        for name in ["claude", "Claude"] {
            assert_eq!(limits.of(name), Limits { dials_per_minute: 2, spend_per_day: 10.0, ..all });
            assert!(limits.may_claim(name, Purpose::Informational) && !limits.may_claim(name, Purpose::Telemarketing));
        }
        assert!(limits.may_claim("crm", Purpose::Telemarketing));
    }

    #[test]
    fn a_wrong_row_is_named() {
        for (row, wanted) in [
            ("dials = 2", "unknown setting `limits.keys.claude.dials`"),
            ("dials_per_minute = \"many\"", "`limits.keys.claude.dials_per_minute` must be a whole number"),
            ("purposes = [\"sales\"]", "limits.keys.claude.purposes"),
            ("spend_per_day = -1", "claude: spend_per_day must be 0 or more"),
        ] {
            let error = limits(&format!("[limits.keys.claude]\n{row}\n")).unwrap_err();
            assert!(error.contains(wanted), "{error}");
        }
        assert!(limits("[limits.keys.Claude]\ndials_per_minute = 1\n").unwrap_err().contains("lower case"));
    }
}
