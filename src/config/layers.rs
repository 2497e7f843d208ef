//! Layers of settings: merging them, knowing where each value came from, and naming the nearest key for a wrong one.

use std::collections::BTreeMap;
use std::fmt;

use toml::{Table, Value};

use super::agents::OWN_KEYS;
use super::{Config, DEFAULTS, VENDOR_NAMES};
use super::{limits, tools};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(String),
    Environment(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => f.write_str(path),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// Settings from one source, by dotted key.
#[derive(Debug, Clone, Default)]
pub struct Layer {
    values: Vec<(String, Origin, Value)>,
}

/// What is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{origin}: {message}")]
    Syntax { origin: String, message: String },
    #[error("{origin}: unknown setting `{key}`{}", nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    UnknownKey { origin: String, key: String, nearest: Option<String> },
    #[error("{origin}: `{key}` must be {expected}")]
    WrongType { origin: String, key: String, expected: &'static str },
    #[error("{origin}: `{key}`: {message}")]
    Invalid { origin: String, key: String, message: String },
}

impl Layer {
    /// Settings of a TOML file.
    pub fn from_file(path: &str, text: &str) -> Result<Self, ConfigError> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
            origin: path.to_owned(),
            message: error.to_string(),
        })?;
        let origin = Origin::File(path.to_owned());
        let values = flatten(&table).into_iter().map(|(key, value)| (key, origin.clone(), value)).collect();
        Ok(Self { values })
    }

    /// Settings of the environment: `CLEARLINE__…`, and the vendors' own names, which ours overrule.
    pub fn from_environment(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut ours = Vec::new();
        let mut vendors = Vec::new();
        for (name, text) in variables {
            let origin = Origin::Environment(name.clone());
            if let Some(rest) = name.strip_prefix("CLEARLINE__") {
                let key = rest.to_lowercase().replace("__", ".");
                ours.push((key, origin, Value::String(text)));
            } else if let Some((_, key)) = VENDOR_NAMES.iter().find(|(vendor, _)| *vendor == name) {
                vendors.push(((*key).to_owned(), origin, Value::String(text)));
            }
        }
        vendors.append(&mut ours);
        Self { values: vendors }
    }

    /// The settings of one section only.
    #[must_use]
    pub fn of_section(mut self, name: &str) -> Self {
        self.values.retain(|(key, ..)| key.split('.').next() == Some(name));
        self
    }

    /// Adds a setting given by a command-line flag.
    pub fn set(&mut self, key: &str, flag: &str, text: &str) {
        self.values.push((key.to_owned(), Origin::Flag(flag.to_owned()), Value::String(text.to_owned())));
    }
}

/// All layers together: the typed settings, and each value with its origin.
#[derive(Debug, Clone)]
pub struct Effective {
    pub config: Config,
    values: BTreeMap<String, (Origin, Value)>,
}

impl Effective {
    /// Lays the layers over the defaults, later ones on top.
    pub fn from_layers(layers: Vec<Layer>) -> Result<Self, ConfigError> {
        let defaults: Table = DEFAULTS.parse().expect("the embedded defaults are TOML");
        let mut values: BTreeMap<String, (Origin, Value)> =
            flatten(&defaults).into_iter().map(|(key, value)| (key, (Origin::Default, value))).collect();
        for (key, origin, value) in layers.into_iter().flat_map(|layer| layer.values) {
            let own = own_agent_key(&key).then(|| Value::String(String::new())).or_else(|| tools::typed_like(&key));
            let own = own.or_else(|| limits::typed_like(&key));
            let Some(default) = values.get(&key).map(|(_, default)| default).or(own.as_ref()) else {
                let nearest = nearest(&key, values.keys());
                return Err(ConfigError::UnknownKey { origin: origin.to_string(), key, nearest });
            };
            let value = coerce(&value, default).map_err(|expected| ConfigError::WrongType {
                origin: origin.to_string(),
                key: key.clone(),
                expected,
            })?;
            values.insert(key, (origin, value));
        }
        let config: Config =
            unflatten(&values).try_into().map_err(|error: toml::de::Error| blame(&values, error.message()))?;
        if let Some((key, message)) = config.problems().into_iter().next() {
            let origin = values.get(key).map_or_else(|| "settings".to_owned(), |(origin, _)| origin.to_string());
            return Err(ConfigError::Invalid { origin, key: key.to_owned(), message });
        }
        Ok(Self { config, values })
    }

    /// Every key with its value as text and its origin, secrets masked.
    pub fn report(&self) -> impl Iterator<Item = (&str, String, String)> {
        self.values.iter().map(|(key, (origin, value))| {
            let text = if is_secret(key) && !is_empty(value) { "•••".to_owned() } else { value.to_string() };
            (key.as_str(), text, origin.to_string())
        })
    }
}

/// Whether this is a key of an agent of the operator's own, `agents.NAME.KEY`.
fn own_agent_key(key: &str) -> bool {
    let parts: Vec<_> = key.split('.').collect();
    matches!(parts[..], ["agents", name, key] if !["elevenlabs", "retell"].contains(&name) && OWN_KEYS.contains(&key))
}

/// Keys whose values are never shown.
fn is_secret(key: &str) -> bool {
    ["token", "secret", "api_key", "shared_keys"]
        .iter()
        .any(|part| key.rsplit('.').next().is_some_and(|last| last.contains(part) && last != "token_lifetime_s"))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn flatten(table: &Table) -> Vec<(String, Value)> {
    let mut flat = Vec::new();
    for (key, value) in table {
        if let Value::Table(inner) = value {
            flat.extend(flatten(inner).into_iter().map(|(rest, value)| (format!("{key}.{rest}"), value)));
        } else {
            flat.push((key.clone(), value.clone()));
        }
    }
    flat
}

fn unflatten(values: &BTreeMap<String, (Origin, Value)>) -> Table {
    let mut root = Table::new();
    for (key, (_, value)) in values {
        let mut table = &mut root;
        let mut parts = key.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                table.insert(part.to_owned(), value.clone());
                break;
            }
            let inner = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
            table = inner.as_table_mut().expect("a section and a key never share a name in the defaults");
        }
    }
    root
}

/// Brings a value to the type of its default; texts from the environment are parsed.
fn coerce(value: &Value, default: &Value) -> Result<Value, &'static str> {
    match (default, value) {
        (Value::String(_), Value::String(_))
        | (Value::Integer(_), Value::Integer(_))
        | (Value::Float(_), Value::Float(_))
        | (Value::Boolean(_), Value::Boolean(_)) => Ok(value.clone()),
        (Value::String(_), _) => Err("a text"),
        (Value::Integer(_), Value::String(text)) => {
            text.trim().parse().map(Value::Integer).map_err(|_| "a whole number")
        }
        (Value::Integer(_), _) => Err("a whole number"),
        #[expect(clippy::cast_precision_loss, reason = "settings are small numbers")]
        (Value::Float(_), Value::Integer(number)) => Ok(Value::Float(*number as f64)),
        (Value::Float(_), Value::String(text)) => text.trim().parse().map(Value::Float).map_err(|_| "a number"),
        (Value::Float(_), _) => Err("a number"),
        (Value::Boolean(_), Value::String(text)) => match text.trim() {
            "true" | "1" | "yes" | "on" => Ok(Value::Boolean(true)),
            "false" | "0" | "no" | "off" => Ok(Value::Boolean(false)),
            _ => Err("true or false"),
        },
        (Value::Boolean(_), _) => Err("true or false"),
        (Value::Array(_), Value::Array(items)) if items.iter().all(Value::is_str) => Ok(value.clone()),
        (Value::Array(_), Value::String(text)) => {
            Ok(Value::Array(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Value::from).collect()))
        }
        (Value::Array(_), _) => Err("a list of texts"),
        (Value::Table(_) | Value::Datetime(_), _) => Err("a setting"),
    }
}

/// The nearest known key, if one is near.
fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a String>) -> Option<String> {
    known
        .map(|candidate| (strsim::jaro_winkler(key, candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.clone())
}

/// Which setting a failed conversion to the typed settings comes from: the one that fails alone, over the defaults.
fn blame(values: &BTreeMap<String, (Origin, Value)>, message: &str) -> ConfigError {
    let defaults: Table = DEFAULTS.parse().expect("the embedded defaults are TOML");
    let defaults = flatten(&defaults).into_iter().map(|(key, value)| (key, (Origin::Default, value)));
    let defaults: BTreeMap<_, _> = defaults.collect();
    for (key, changed) in values.iter().filter(|(_, (origin, _))| *origin != Origin::Default) {
        let mut alone = defaults.clone();
        alone.insert(key.clone(), changed.clone());
        if let Err(error) = unflatten(&alone).try_into::<Config>() {
            let (origin, message) = (changed.0.to_string(), error.message().to_owned());
            return ConfigError::Invalid { origin, key: key.clone(), message };
        }
    }
    ConfigError::Syntax { origin: "settings".to_owned(), message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Layer {
        Layer::from_environment(pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
    }

    #[test]
    fn the_defaults_alone_are_valid() {
        let effective = Effective::from_layers(vec![]).unwrap();
        assert_eq!(effective.config.server.listen.to_string(), "127.0.0.1:3333");
        assert!(effective.report().all(|(_, _, origin)| origin == "default"));
    }

    #[test]
    fn later_layers_win_and_are_named() {
        let file =
            Layer::from_file("my.toml", "[server]\nlisten = \"127.0.0.1:1\"\n[carrier.twilio]\ncalls_per_second = 5")
                .unwrap();
        let env = environment(&[("CLEARLINE__SERVER__LISTEN", "127.0.0.1:2"), ("TWILIO_AUTH_TOKEN", "vendor-name")]);
        let effective = Effective::from_layers(vec![file, env]).unwrap();
        assert_eq!(effective.config.server.listen.port(), 2);
        assert!((effective.config.carrier.twilio.calls_per_second - 5.0).abs() < f64::EPSILON);
        let report: BTreeMap<_, _> = effective.report().map(|(key, text, origin)| (key, (text, origin))).collect();
        assert_eq!(report["carrier.twilio.auth_token"], ("•••".to_owned(), "environment TWILIO_AUTH_TOKEN".to_owned()));
        assert_eq!(report["carrier.twilio.calls_per_second"].1, "my.toml");
    }

    #[test]
    fn our_names_overrule_the_vendors() {
        let env = environment(&[("CLEARLINE__CARRIER__TWILIO__AUTH_TOKEN", "ours"), ("TWILIO_AUTH_TOKEN", "theirs")]);
        let config = Effective::from_layers(vec![env]).unwrap().config;
        assert_eq!(config.carrier.twilio.auth_token.expose(), "ours");
    }

    #[test]
    fn wrong_keys_and_types_are_named() {
        let error = |pairs| Effective::from_layers(vec![environment(pairs)]).unwrap_err().to_string();
        assert_eq!(
            error(&[("CLEARLINE__SERVER__LISTN", "x")]),
            "environment CLEARLINE__SERVER__LISTN: unknown setting `server.listn`; did you mean `server.listen`?"
        );
        assert_eq!(
            error(&[("CLEARLINE__CALLS__MAX_DURATION_S", "long")]),
            "environment CLEARLINE__CALLS__MAX_DURATION_S: `calls.max_duration_s` must be a whole number"
        );
        assert_eq!(
            error(&[("CLEARLINE__AGENTS__DEFAULT", "a1"), ("CLEARLINE__SERVER__LISTEN", "here")]),
            "environment CLEARLINE__SERVER__LISTEN: `server.listen`: invalid socket address syntax"
        );
        assert_eq!(
            error(&[("CLEARLINE__CARRIER__TWILIO__FROM", "212")]),
            "environment CLEARLINE__CARRIER__TWILIO__FROM: `carrier.twilio.from`: a number starts with + and its country code, like +12125550113"
        );
    }

    #[test]
    fn a_report_never_shows_a_secret() {
        let env = environment(&[
            ("TWILIO_AUTH_TOKEN", "hide-me"),
            ("TWILIO_API_SECRET", "hide-me"),
            ("ELEVENLABS_WEBHOOK_SECRET", "hide-me"),
            ("RETELL_API_KEY", "hide-me"),
            ("CLEARLINE__CARRIER__TWILIO__SHARED_KEYS", "webhooks_sharedkey_1=hide-me"),
            ("CLEARLINE__CARRIER__TWILIO__PREVIOUS_AUTH_TOKEN", "hide-me"),
        ]);
        let effective = Effective::from_layers(vec![env]).unwrap();
        assert!(effective.report().all(|(_, text, _)| !text.contains("hide-me")));
        assert!(!format!("{:?}", effective.config).contains("hide-me"));
    }
}
