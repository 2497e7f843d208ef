//! What-if questions as lines of JSON: facts in, a decision out, with no database and no clock but the facts' own.
//!
//! Lines of one `group` are requests at the same moment: they are decided in order, and an allowed one holds the number and counts as
//! an attempt for those that follow.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::facts::{CalledNumber, ConsentFact, Facts, Reassigned, Relationship, RelationshipKind};
use super::gate;
use super::place::StateCode;
use super::profile::Profile;
use super::tables::RuleTables;
use crate::domain::consent::ConsentKind;
use crate::domain::decision::{LineType, Outcome, Voice};
use crate::domain::{Decision, Purpose};

/// Decides lines of JSON, remembering what the earlier lines of each group reserved.
#[derive(Debug)]
pub struct WhatIf<'a> {
    tables: &'a RuleTables,
    profile: &'a Profile,
    held: HashMap<String, Vec<(CalledNumber, Timestamp)>>,
}

/// A line that asks nothing that can be answered. `Display` is the line to print.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.to_json())]
pub struct LineError {
    /// The line's own id, `null` where it has none.
    pub id: Value,
    pub error: String,
}

impl LineError {
    /// `{"id":…,"error":"…"}`.
    pub fn to_json(&self) -> String {
        serde_json::json!({ "id": self.id, "error": self.error }).to_string()
    }
}

/// One line of facts, read.
struct Line {
    facts: Facts,
    at: Timestamp,
    group: String,
}

/// One line of answer, its keys in the order of the contract.
#[derive(Serialize)]
struct Answer {
    id: Value,
    decision: &'static str,
    reason_code: String,
    reasons: Vec<String>,
    next_permissible_at: Option<String>,
    citation: String,
}

impl<'a> WhatIf<'a> {
    pub fn new(tables: &'a RuleTables, profile: &'a Profile) -> Self {
        Self { tables, profile, held: HashMap::new() }
    }

    /// Answers one line with one line of JSON, without the line break.
    pub fn decide_line(&mut self, line: &str) -> Result<String, LineError> {
        let (id, decision) = self.decide(line)?;
        let answer = Answer::of(id.clone(), &decision);
        serde_json::to_string(&answer).map_err(|error| LineError { id, error: error.to_string() })
    }

    /// The same with the whole decision, and the line's id.
    pub fn decide(&mut self, line: &str) -> Result<(Value, Decision), LineError> {
        let failed = |id: &Value, error: String| LineError { id: id.clone(), error };
        let row: Map<String, Value> = serde_json::from_str(line)
            .map_err(|error| failed(&Value::Null, format!("this is not an object of JSON: {error}")))?;
        let id = row.get("id").cloned().unwrap_or(Value::Null);
        let mut line = read_line(&row, self.tables).map_err(|error| failed(&id, error))?;
        if !line.group.is_empty()
            && let Some(held) = self.held.get(&line.group)
        {
            let same = held.iter().filter(|(number, _)| *number == line.facts.number);
            line.facts.reservations.extend(same.map(|(_, at)| *at));
        }
        let decision = gate::evaluate(&line.facts, self.tables, self.profile, line.at);
        if decision.is_allowed() && !line.group.is_empty() {
            self.held.entry(line.group).or_default().push((line.facts.number, line.at));
        }
        Ok((id, decision))
    }
}

impl Answer {
    fn of(id: Value, decision: &Decision) -> Self {
        let (code, citation) = match (&decision.outcome, decision.reasons().first()) {
            (Outcome::Allow { code }, _) => (code.to_string(), decision.basis.clone()),
            (Outcome::Deny { .. }, Some(first)) => (first.code.to_string(), first.citation.clone()),
            (Outcome::Deny { .. }, None) => (String::new(), String::new()),
        };
        let mut reasons: Vec<String> = decision.reasons().iter().map(|reason| reason.code.to_string()).collect();
        // Reasons stand in the order of their codes, so that equal ones are neighbours: one state, two zones.
        reasons.dedup();
        Self {
            id,
            decision: if decision.is_allowed() { "allow" } else { "deny" },
            reason_code: code,
            reasons,
            next_permissible_at: decision.next_permissible_at().map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            citation,
        }
    }
}

/// The columns that a line may have; those after `group` belong to the published cases and are not read.
const COLUMNS: [&str; 32] = [
    "id",
    "class",
    "number",
    "call_time_utc",
    "voice",
    "purpose",
    "line_type",
    "known_state",
    "known_zone",
    "consent_type",
    "consent_scope",
    "consent_at",
    "consent_expires_at",
    "revoked_at",
    "ndnc",
    "state_dnc",
    "dnc_list_date",
    "internal_dnc_at",
    "ebr",
    "ebr_date",
    "rnd",
    "litigator",
    "attempts_utc",
    "flags",
    "group",
    "expected",
    "reason_code",
    "also_acceptable",
    "next_permissible_utc",
    "rule",
    "confidence",
    "note",
];

fn read_line(row: &Map<String, Value>, tables: &RuleTables) -> Result<Line, String> {
    if let Some(unknown) = row.keys().find(|key| !COLUMNS.contains(&key.as_str())) {
        let nearest = COLUMNS.iter().max_by(|a, b| strsim::jaro(a, unknown).total_cmp(&strsim::jaro(b, unknown)));
        return Err(format!("`{unknown}` is no field; did you mean `{}`?", nearest.unwrap_or(&"id")));
    }
    let fields = Fields { row };
    let flags = Flags::read(fields.text("flags")?, tables)?;
    let facts = Facts {
        number: fields.text("number")?.into(),
        purpose: fields.required("purpose", &PURPOSES)?,
        voice: fields.required("voice", &VOICES)?,
        line_type: fields.choice("line_type", &LINES)?,
        known_state: fields.state("known_state", tables)?,
        known_zone: fields.zone("known_zone", tables)?,
        consents: read_consent(&fields, &flags)?.into_iter().collect(),
        revoked_at: fields.instant("revoked_at")?,
        internal_dnc_at: fields.instant("internal_dnc_at")?,
        national_dnc: fields.choice("ndnc", &YES_NO)?,
        state_dnc: fields.choice("state_dnc", &YES_NO)?,
        dnc_list_date: fields.parsed("dnc_list_date", "a date like 2026-11-20")?,
        litigator: fields.choice("litigator", &YES_NO)?,
        reassigned: fields.choice("rnd", &REASSIGNED)?,
        relationships: read_relationship(&fields)?.into_iter().collect(),
        attempts: fields.instants("attempts_utc")?,
        reservations: Vec::new(),
        protected_line: flags.patient_room,
        emergencies: flags.emergencies,
        outbound_stopped: false,
    };
    let at = fields.instant("call_time_utc")?.ok_or("`call_time_utc` is missing")?;
    Ok(Line { facts, at, group: fields.text("group")?.to_owned() })
}

fn read_consent(fields: &Fields<'_>, flags: &Flags) -> Result<Option<ConsentFact>, String> {
    let kind = fields.choice("consent_type", &CONSENT_KINDS)?.flatten();
    let scope = fields.text("consent_scope")?;
    let given_at = fields.instant("consent_at")?;
    let expires_at = fields.instant("consent_expires_at")?;
    let tokens = scope.split([';', ',', '|', ' ']).map(str::trim).filter(|token| !token.is_empty());
    Ok(kind.map(|kind| ConsentFact {
        id: None,
        kind,
        scope: tokens.map(str::to_owned).collect(),
        given_at,
        expires_at,
        names_this_number: !flags.consent_other_number,
        names_this_seller: !flags.consent_other_seller,
    }))
}

fn read_relationship(fields: &Fields<'_>) -> Result<Option<Relationship>, String> {
    let kind = fields.choice("ebr", &RELATIONSHIPS)?.flatten();
    let date = fields.parsed("ebr_date", "a date like 2026-11-20")?;
    Ok(kind.zip(date).map(|(kind, date)| Relationship { kind, date }))
}

/// What the `flags` column says.
#[derive(Default)]
struct Flags {
    consent_other_number: bool,
    consent_other_seller: bool,
    patient_room: bool,
    emergencies: Vec<StateCode>,
}

impl Flags {
    fn read(text: &str, tables: &RuleTables) -> Result<Self, String> {
        let mut flags = Self::default();
        for flag in text.split(';').map(str::trim).filter(|flag| !flag.is_empty()) {
            match (flag, flag.strip_prefix("emergency_")) {
                ("consent_other_number", _) => flags.consent_other_number = true,
                ("consent_other_seller", _) => flags.consent_other_seller = true,
                ("patient_room", _) => flags.patient_room = true,
                (_, Some(state)) => flags.emergencies.push(parse_state("flags", state, tables)?),
                _ => {
                    return Err(format!(
                        "`flags`: unknown flag `{flag}`; known are consent_other_number, consent_other_seller, patient_room and \
                         emergency_XX"
                    ));
                }
            }
        }
        Ok(flags)
    }
}

type Choices<T, const N: usize> = [(&'static str, T); N];

const PURPOSES: Choices<Purpose, 4> = [
    ("telemarketing", Purpose::Telemarketing),
    ("informational", Purpose::Informational),
    ("healthcare", Purpose::Healthcare),
    ("emergency", Purpose::Emergency),
];
const VOICES: Choices<Voice, 2> = [("ai", Voice::Ai), ("human", Voice::Human)];
const LINES: Choices<LineType, 3> = [
    ("mobile", LineType::Mobile),
    ("landline_res", LineType::LandlineResidential),
    ("landline_biz", LineType::LandlineBusiness),
];
const CONSENT_KINDS: Choices<Option<ConsentKind>, 3> =
    [("none", None), ("express", Some(ConsentKind::Express)), ("written", Some(ConsentKind::Written))];
const RELATIONSHIPS: Choices<Option<RelationshipKind>, 3> =
    [("none", None), ("purchase", Some(RelationshipKind::Purchase)), ("inquiry", Some(RelationshipKind::Inquiry))];
const REASSIGNED: Choices<Reassigned, 3> =
    [("no", Reassigned::No), ("yes", Reassigned::Yes), ("no_data", Reassigned::NoData)];
const YES_NO: Choices<bool, 2> = [("y", true), ("n", false)];

/// The fields of a line. Absent, `null` and `""` are the same.
struct Fields<'r> {
    row: &'r Map<String, Value>,
}

impl Fields<'_> {
    fn text(&self, name: &str) -> Result<&str, String> {
        match self.row.get(name) {
            None | Some(Value::Null) => Ok(""),
            Some(Value::String(text)) => Ok(text.trim()),
            Some(_) => Err(format!("`{name}` is not a text")),
        }
    }

    fn choice<T: Copy, const N: usize>(&self, name: &str, choices: &Choices<T, N>) -> Result<Option<T>, String> {
        let text = self.text(name)?;
        if text.is_empty() {
            return Ok(None);
        }
        let chosen = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        chosen.map(Some).ok_or_else(|| {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            format!("`{name}` is `{text}`; it may be {}", words.join(", "))
        })
    }

    fn required<T: Copy, const N: usize>(&self, name: &str, choices: &Choices<T, N>) -> Result<T, String> {
        self.choice(name, choices)?.ok_or_else(|| format!("`{name}` is missing"))
    }

    fn parsed<T: std::str::FromStr>(&self, name: &str, form: &str) -> Result<Option<T>, String> {
        let text = self.text(name)?;
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| format!("`{name}` is `{text}`, which is not {form}"))
    }

    fn instant(&self, name: &str) -> Result<Option<Timestamp>, String> {
        self.parsed(name, INSTANT)
    }

    fn instants(&self, name: &str) -> Result<Vec<Timestamp>, String> {
        let texts = self.text(name)?.split(';').map(str::trim).filter(|text| !text.is_empty());
        texts.map(|text| text.parse().map_err(|_| format!("`{name}` holds `{text}`, which is not {INSTANT}"))).collect()
    }

    fn state(&self, name: &str, tables: &RuleTables) -> Result<Option<StateCode>, String> {
        match self.text(name)? {
            "" => Ok(None),
            text => parse_state(name, text, tables).map(Some),
        }
    }

    fn zone(&self, name: &str, tables: &RuleTables) -> Result<Option<String>, String> {
        match self.text(name)? {
            "" => Ok(None),
            text if tables.zone(text).is_some() => Ok(Some(text.to_owned())),
            text => Err(format!("`{name}` is `{text}`, which is no time zone like America/New_York")),
        }
    }
}

const INSTANT: &str = "an instant in UTC like 2026-12-01T13:00:00Z";

fn parse_state(name: &str, text: &str, tables: &RuleTables) -> Result<StateCode, String> {
    let code = text.parse().ok().filter(|code| tables.state(*code).is_some());
    code.ok_or_else(|| format!("`{name}` names `{text}`, which is no US state, district or territory like NY"))
}
