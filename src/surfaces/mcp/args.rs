//! The arguments of tools: described once, and from that the schema that clients see and the check that every call goes through.
//!
//! rmcp checks no argument against its schema, and a deserialiser stops at the first fault. This check names all faults at once.

use std::collections::BTreeMap;

use rmcp::model::JsonObject;
use serde_json::{Map, Value, json};

use crate::domain::{AgentRef, CallId, E164, Keys, LeadId};

/// How many entries a map of variables may have.
const VARIABLES_MAX: usize = 100;

/// One argument of a tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub name: &'static str,
    pub kind: Kind,
    pub required: bool,
    pub description: &'static str,
}

/// What an argument may hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A telephone number, E.164.
    Number,
    /// Our id of a call, or Twilio's.
    Call,
    Lead,
    /// `elevenlabs:agent_123`.
    Agent,
    /// Keys of a telephone.
    Keys,
    Text {
        max: usize,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    Integer {
        min: i64,
        max: i64,
    },
    Flag,
    /// RFC 3339.
    Instant,
    /// Texts, at least one.
    Texts {
        max: usize,
    },
    /// Texts, numbers and booleans by name.
    Variables,
}

/// A required argument.
pub(super) const fn required(name: &'static str, kind: Kind, description: &'static str) -> Field {
    Field { name, kind, required: true, description }
}

/// An argument that may be left out.
pub(super) const fn optional(name: &'static str, kind: Kind, description: &'static str) -> Field {
    Field { name, kind, required: false, description }
}

/// What is wrong with one argument.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct Problem {
    pub field: String,
    pub received: String,
    pub expected: String,
}

/// Arguments that fit their fields.
#[derive(Debug)]
pub(super) struct Args(JsonObject);

impl Args {
    /// Checks the arguments. All problems come at once.
    pub(super) fn check(fields: &[Field], arguments: Option<JsonObject>) -> Result<Self, Vec<Problem>> {
        let mut arguments = arguments.unwrap_or_default();
        // Models send null for what they leave out.
        arguments.retain(|_, value| !value.is_null());
        let mut problems = Vec::new();
        for field in fields {
            match arguments.get(field.name) {
                None if field.required => problems.push(Problem {
                    field: field.name.to_owned(),
                    received: "nothing".to_owned(),
                    expected: field.kind.expected(),
                }),
                None => {}
                Some(value) if field.kind.fits(value) => {}
                Some(value) => problems.push(Problem {
                    field: field.name.to_owned(),
                    received: excerpt(value),
                    expected: field.kind.expected(),
                }),
            }
        }
        let unknown = arguments.keys().filter(|name| fields.iter().all(|field| field.name != name.as_str()));
        problems.extend(unknown.map(|name| Problem {
            field: excerpt(&Value::from(name.as_str())),
            received: "an argument that this tool does not have".to_owned(),
            expected: match nearest(name, fields.iter().map(|field| field.name)) {
                Some(near) => format!("perhaps `{near}`"),
                None => format!("one of {}", fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", ")),
            },
        }));
        if problems.is_empty() { Ok(Self(arguments)) } else { Err(problems) }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Option<E164> {
        self.text(name).and_then(|text| text.parse().ok())
    }

    pub(super) fn lead(&self, name: &str) -> Option<LeadId> {
        self.text(name).and_then(|text| text.parse().ok())
    }

    pub(super) fn agent(&self, name: &str) -> Option<AgentRef> {
        self.text(name).and_then(|text| text.parse().ok())
    }

    pub(super) fn instant(&self, name: &str) -> Option<jiff::Timestamp> {
        self.text(name).and_then(|text| text.parse().ok())
    }

    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let items = self.0.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    }

    pub(super) fn variables(&self, name: &str) -> BTreeMap<String, Value> {
        let members = self.0.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        members.into_iter().collect()
    }

    /// The word of an argument as a value of ours, whose published words are the same.
    pub(super) fn word<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.0.get(name).and_then(|word| serde_json::from_value(word.clone()).ok())
    }

    /// Everything but these as JSON, in the order of their names: for a digest.
    pub(super) fn without(&self, names: &[&str]) -> String {
        let kept: BTreeMap<_, _> = self.0.iter().filter(|(name, _)| !names.contains(&name.as_str())).collect();
        json!(kept).to_string()
    }
}

impl Kind {
    fn fits(self, value: &Value) -> bool {
        let text = value.as_str();
        match self {
            Self::Number => text.is_some_and(|text| text.parse::<E164>().is_ok()),
            Self::Call => text.is_some_and(|text| text.parse::<CallId>().is_ok() || is_call_sid(text)),
            Self::Lead => text.is_some_and(|text| text.parse::<LeadId>().is_ok()),
            Self::Agent => text.is_some_and(|text| text.parse::<AgentRef>().is_ok()),
            Self::Keys => text.is_some_and(|text| text.parse::<Keys>().is_ok()),
            Self::Text { max } => text.is_some_and(|text| is_text(text, max)),
            Self::Word(words) => text.is_some_and(|text| words.contains(&text)),
            Self::Integer { min, max } => value.as_i64().is_some_and(|n| (min..=max).contains(&n)),
            Self::Flag => value.is_boolean(),
            Self::Instant => text.is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
            Self::Texts { max } => value.as_array().is_some_and(|items| {
                (1..=max).contains(&items.len())
                    && items.iter().all(|item| item.as_str().is_some_and(|text| is_text(text, 200)))
            }),
            Self::Variables => value.as_object().is_some_and(|members| {
                members.len() <= VARIABLES_MAX
                    && members.iter().all(|(name, value)| {
                        let scalar = value.is_string() || value.is_number() || value.is_boolean();
                        !name.starts_with("system__")
                            && scalar
                            && value.as_str().is_none_or(|text| text.len() <= 10_000)
                    })
            }),
        }
    }

    /// What a caller should have sent.
    fn expected(self) -> String {
        match self {
            Self::Number => "a number in E.164 form, like +12125550113".to_owned(),
            Self::Call => "a call's id like call_…, or Twilio's like CA…".to_owned(),
            Self::Lead => "a lead's id like lead_…".to_owned(),
            Self::Agent => "an agent like elevenlabs:agent_123".to_owned(),
            Self::Keys => "1 to 32 of 0-9, *, #, A-D, and w for half a second's wait".to_owned(),
            Self::Text { max } => format!("a text of 1 to {max} characters"),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Flag => "true or false".to_owned(),
            Self::Instant => "an instant like 2026-12-01T14:00:00Z".to_owned(),
            Self::Texts { max } => format!("a list of 1 to {max} texts"),
            Self::Variables => {
                format!("at most {VARIABLES_MAX} texts, numbers and booleans by name; no name starts with system__")
            }
        }
    }

    /// As JSON Schema, without formats that clients do not know and without lists of types.
    fn schema(self) -> Value {
        match self {
            Self::Number => json!({"type": "string", "pattern": "^\\+[1-9][0-9]{7,14}$"}),
            Self::Call => json!({"type": "string", "pattern": "^(call_[0-9a-f]{32}|CA[0-9a-f]{32})$"}),
            Self::Lead => json!({"type": "string", "pattern": "^lead_[0-9a-f]{32}$"}),
            Self::Agent => json!({"type": "string", "pattern": "^([a-z]+:)?[A-Za-z0-9_-]+$"}),
            Self::Keys => json!({"type": "string", "pattern": "^[0-9*#A-Dw]{1,32}$"}),
            Self::Text { max } => json!({"type": "string", "minLength": 1, "maxLength": max}),
            Self::Word(words) => json!({"type": "string", "enum": words}),
            Self::Integer { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
            Self::Flag => json!({"type": "boolean"}),
            Self::Instant => json!({"type": "string", "format": "date-time"}),
            Self::Texts { max } => {
                json!({"type": "array", "items": {"type": "string", "maxLength": 200}, "minItems": 1, "maxItems": max})
            }
            Self::Variables => json!({"type": "object", "maxProperties": VARIABLES_MAX}),
        }
    }
}

/// The input schema of a tool with these arguments.
pub(super) fn schema(fields: &[Field]) -> JsonObject {
    let mut properties = Map::new();
    for field in fields {
        let mut schema = field.kind.schema();
        schema["description"] = field.description.into();
        properties.insert(field.name.to_owned(), schema);
    }
    let needed: Vec<_> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let mut object = Map::new();
    object.insert("type".to_owned(), "object".into());
    if !properties.is_empty() {
        object.insert("properties".to_owned(), properties.into());
    }
    if !needed.is_empty() {
        object.insert("required".to_owned(), json!(needed));
    }
    object.insert("additionalProperties".to_owned(), false.into());
    object
}

/// The name that was probably meant.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.map(|known| (strsim::jaro_winkler(name, known), known));
    scored.filter(|(score, _)| *score > 0.8).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

fn is_call_sid(text: &str) -> bool {
    let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    text.strip_prefix("CA").is_some_and(|rest| rest.len() == 32 && rest.bytes().all(hex))
}

fn is_text(text: &str, max: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= max
}

/// What was received: its beginning, without digits that could be somebody's number.
fn excerpt(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let many = text.chars().filter(char::is_ascii_digit).count() > 6;
    let mut shown: String = text.chars().take(40).map(|c| if many && c.is_ascii_digit() { '•' } else { c }).collect();
    if text.chars().nth(40).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [Field; 4] = [
        required("to", Kind::Number, "whom"),
        optional("limit", Kind::Integer { min: 1, max: 100 }, "how many"),
        optional("until", Kind::Word(&["answered", "ended"]), "what for"),
        optional("variables", Kind::Variables, "what else"),
    ];

    fn check(arguments: Value) -> Result<Args, Vec<Problem>> {
        Args::check(&FIELDS, arguments.as_object().cloned())
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let problems = check(json!({"to": "2125550113", "limit": 999, "until": "never", "limt": 3, "variables":
            {"system__x": 1}}))
        .unwrap_err();
        let named: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(named, ["to", "limit", "until", "variables", "limt"]);
        assert_eq!(problems[0].received, "••••••••••");
        assert_eq!(problems[4].expected, "perhaps `limit`");
        assert_eq!(Args::check(&FIELDS, None).unwrap_err()[0].received, "nothing");
    }

    #[test]
    fn what_fits_is_read_back() {
        let args = check(json!({"to": "+12125550113", "limit": 5, "until": null, "variables": {"a": 1, "b": "x"}}));
        let args = args.unwrap();
        assert_eq!(args.number("to").unwrap().as_str(), "+12125550113");
        assert_eq!((args.integer("limit"), args.text("until")), (Some(5), None));
        assert_eq!(args.variables("variables").len(), 2);
        assert!(check(json!({"to": "+12125550113", "variables": {"a": {"b": 1}}})).is_err());
    }
}
