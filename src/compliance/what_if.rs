//! What-if questions as lines of JSON: facts in, a decision out, with no database and no clock but the facts' own.
//!
//! Lines of one `group` are requests at the same moment: they are decided in order, and an allowed one holds the number
//! and counts as an attempt for those that follow.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::explain::sentence;
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

/// One line of answer, its keys in the order of the contract.
#[derive(Serialize)]
struct Answer {
    id: Value,
    decision: &'static str,
    reason_code: String,
    reasons: Vec<String>,
    next_permissible_at: Option<String>,
    citation: String,
    /// The same for a person.
    explanation: String,
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
        let (mut facts, at) = read_facts(&row, self.tables).map_err(|error| failed(&id, error))?;
        let fields = Fields { row: &row };
        let group = fields.text("group").map_err(|error| failed(&id, error))?;
        if let Some(held) = self.held.get(group) {
            let same = held.iter().filter(|(number, _)| *number == facts.number);
            facts.reservations.extend(same.map(|(_, at)| *at));
        }
        let decision = gate::evaluate(&facts, self.tables, self.profile, at);
        if decision.is_allowed() && !group.is_empty() {
            self.held.entry(group.to_owned()).or_default().push((facts.number, at));
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
            explanation: sentence(decision),
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

/// The facts of a line and the instant they are asked for.
pub(super) fn read_facts(row: &Map<String, Value>, tables: &RuleTables) -> Result<(Facts, Timestamp), String> {
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
        other_addresses: Vec::new(),
        consents: read_consent(&fields, &flags)?.into_iter().collect(),
        revoked_at: fields.instant("revoked_at")?,
        internal_dnc_at: fields.instant("internal_dnc_at")?,
        national_dnc: fields.choice("ndnc", &YES_NO)?,
        state_dnc: fields.choice("state_dnc", &YES_NO)?,
        dnc_list_date: fields.parsed("dnc_list_date", "a date like 2026-11-20")?,
        lists: Vec::new(),
        litigator: fields.choice("litigator", &YES_NO)?,
        reassigned: fields.choice("rnd", &REASSIGNED)?,
        relationships: read_relationship(&fields)?.into_iter().collect(),
        attempts: fields.instants("attempts_utc")?,
        reservations: Vec::new(),
        protected_line: flags.patient_room,
        emergencies: flags.emergencies,
        outbound_stopped: false,
        why_unknown: BTreeMap::new(),
    };
    let at = fields.instant("call_time_utc")?.ok_or("`call_time_utc` is missing")?;
    Ok((facts, at))
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

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: &str = r#""number":"+12125550113","call_time_utc":"2026-12-01T18:00:00Z","voice":"ai",
        "purpose":"telemarketing","consent_type":"written","consent_scope":"telemarketing","consent_at":"2026-06-01T15:00:00Z",
        "rnd":"no","litigator":"n""#;

    fn ask(lines: &[String]) -> Vec<Result<String, String>> {
        let tables = RuleTables::shipped().unwrap();
        let profile = Profile::default();
        let mut what_if = WhatIf::new(&tables, &profile);
        lines.iter().map(|line| what_if.decide_line(line).map_err(|error| error.to_string())).collect()
    }

    fn ask_one(line: &str) -> Result<String, String> {
        ask(&[line.to_owned()]).pop().unwrap()
    }

    #[test]
    fn an_answer_has_the_keys_of_the_contract_in_order() {
        assert_eq!(
            ask_one(&format!(r#"{{"id":"a",{ALLOWED}}}"#)).unwrap(),
            r#"{"id":"a","decision":"allow","reason_code":"ALLOW","reasons":[],"next_permissible_at":null,"citation":"47 USC 227(b)(1)(A)(iii); 47 CFR 64.1200(a)(2), (f)(9)","explanation":"Allowed under 47 USC 227(b)(1)(A)(iii); 47 CFR 64.1200(a)(2), (f)(9)."}"#
        );
        let night = ALLOWED.replace("18:00:00Z", "12:59:59Z");
        assert_eq!(
            ask_one(&format!(r#"{{"id":7,{night}}}"#)).unwrap(),
            r#"{"id":7,"decision":"deny","reason_code":"OUTSIDE_HOURS_FEDERAL","reasons":["OUTSIDE_HOURS_FEDERAL","OUTSIDE_HOURS_STATE"],"next_permissible_at":"2026-12-01T13:00:00Z","citation":"47 CFR 64.1200(c)(1); 16 CFR 310.4(c)","explanation":"Denied. It is 07:59 on Tuesday 2026-12-01 in America/New_York: rule US.hours allows calls from 08:00 to 21:00 that day. And 1 more reason. It may be tried again from 2026-12-01T13:00:00Z."}"#
        );
    }

    #[test]
    fn equal_codes_of_two_zones_are_listed_once() {
        let night = ALLOWED.replace("+1212", "+1423").replace("18:00:00Z", "05:00:00Z");
        let answer = ask_one(&format!(r#"{{"id":"a",{night}}}"#)).unwrap();
        assert!(answer.contains(r#""reasons":["OUTSIDE_HOURS_FEDERAL","OUTSIDE_HOURS_STATE"]"#), "{answer}");
    }

    #[test]
    fn a_line_that_is_not_valid_says_why_and_keeps_its_id() {
        let error = |from: &str, to: &str| {
            let line = format!(r#"{{"id":"bad",{ALLOWED}}}"#);
            assert!(line.contains(from), "{from}");
            let error: Value = serde_json::from_str(&ask_one(&line.replace(from, to)).unwrap_err()).unwrap();
            assert_eq!(error["id"], "bad");
            error["error"].as_str().unwrap().to_owned()
        };
        assert_eq!(error("\"ai\"", "\"robot\""), "`voice` is `robot`; it may be ai, human");
        assert_eq!(error("\"ai\"", "\"\""), "`voice` is missing");
        assert_eq!(
            error("telemarketing\",\"cons", "sales\",\"cons"),
            "`purpose` is `sales`; it may be telemarketing, informational, healthcare, emergency"
        );
        assert_eq!(
            error("2026-12-01T18:00:00Z", "2026-12-01 at six"),
            "`call_time_utc` is `2026-12-01 at six`, which is not an instant in UTC like 2026-12-01T13:00:00Z"
        );
        assert_eq!(error("2026-12-01T18:00:00Z", ""), "`call_time_utc` is missing");
        assert_eq!(error("\"rnd\":\"no\"", "\"rnd\":\"maybe\""), "`rnd` is `maybe`; it may be no, yes, no_data");
        assert_eq!(error("\"litigator\":\"n\"", "\"litigator\":false"), "`litigator` is not a text");
        assert_eq!(error("\"rnd\"", "\"attempt_utc\""), "`attempt_utc` is no field; did you mean `attempts_utc`?");
        let with = |field: &str| error("\"rnd\":\"no\"", &format!("\"rnd\":\"no\",{field}"));
        assert!(with(r#""flags":"patient_room;vip""#).starts_with("`flags`: unknown flag `vip`"));
        assert!(with(r#""flags":"emergency_ZZ""#).starts_with("`flags` names `ZZ`, which is no US state"));
        assert!(with(r#""known_state":"Ohio""#).starts_with("`known_state` names `Ohio`"));
        assert!(with(r#""known_zone":"Ohio""#).starts_with("`known_zone` is `Ohio`, which is no time zone"));
        assert!(with(r#""dnc_list_date":"2026-02-30""#).contains("not a date like"));
        assert!(with(r#""attempts_utc":"2026-12-01T10:00:00Z;soon""#).contains("`soon`"));
        assert!(with(r#""revoked_at":"2026-12-01T10:00:00""#).contains("not an instant in UTC"), "no offset");
    }

    #[test]
    fn what_is_no_object_has_no_id() {
        for line in ["", "[]", "{", "7", "{\"id\":\"a\"} x"] {
            let error: Value = serde_json::from_str(&ask_one(line).unwrap_err()).unwrap();
            assert_eq!(error["id"], Value::Null, "{line}");
        }
    }

    #[test]
    fn absent_and_empty_and_null_are_the_same() {
        let absent = ask_one(&format!(r#"{{"id":"a",{ALLOWED}}}"#)).unwrap();
        let null = ask_one(&format!(r#"{{"id":"a",{ALLOWED},"known_state":null,"flags":"","ndnc":"","group":null}}"#));
        assert_eq!(null.unwrap(), absent);
    }

    #[test]
    fn lines_of_one_group_are_decided_in_order() {
        let line =
            |id: &str, group: &str, extra: &str| format!(r#"{{"id":"{id}",{ALLOWED},"group":"{group}"{extra}}}"#);
        let code = |answer: &Result<String, String>| {
            let answer: Value = serde_json::from_str(answer.as_ref().unwrap()).unwrap();
            (answer["reason_code"].as_str().unwrap().to_owned(), answer["next_permissible_at"].clone())
        };
        let answers = ask(&[
            line("first", "g", ""),
            line("second", "g", ""),
            line("another group", "h", ""),
            line("no group", "", ""),
            line("another number", "g", "").replace("+12125550113", "+12125550114"),
        ]);
        let codes: Vec<String> = answers.iter().map(|answer| code(answer).0).collect();
        assert_eq!(codes, ["ALLOW", "IN_FLIGHT", "ALLOW", "ALLOW", "ALLOW"]);
        assert_eq!(code(&answers[1]).1, Value::Null);
    }

    #[test]
    fn a_denied_line_of_a_group_holds_nothing() {
        let denied = format!(r#"{{"id":"a",{ALLOWED},"group":"g","internal_dnc_at":"2026-01-01T00:00:00Z"}}"#);
        let asked = format!(r#"{{"id":"b",{ALLOWED},"group":"g"}}"#);
        assert!(ask(&[denied, asked])[1].as_ref().unwrap().contains("\"ALLOW\""));
    }

    #[test]
    fn a_group_of_three_fills_a_cap_of_three() {
        let line = |id: &str| {
            let attempts = r#""attempts_utc":"2026-12-01T15:00:00Z;2026-12-01T16:00:00Z""#;
            format!(r#"{{"id":"{id}",{ALLOWED},{attempts},"group":"g"}}"#).replace("+1212", "+1305")
        };
        let answers = ask(&[line("a"), line("b"), line("c")]);
        assert!(answers[0].as_ref().unwrap().contains("\"ALLOW\""));
        for answer in &answers[1..] {
            let answer = answer.as_ref().unwrap();
            assert!(
                answer.contains(r#""reasons":["FREQ_CAP_STATE"],"next_permissible_at":"2026-12-02T15:00:00Z""#),
                "{answer}"
            );
        }
    }
}
