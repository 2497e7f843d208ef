//! Named cases of the gate, written as lines of text: what differs from an allowed call, and what the gate must answer.
//!
//! The base is an AI sales call at 13:00 on a Tuesday in New York to a mobile with written consent and every list
//! clean. A line is `name | field=value … | ANSWER`, where the fields are those of a what-if line, or `npa`, `at`
//! (short for number and call time), `stopped`, `reserved`, `unheard_of_state`, `unheard_of_zone`, `profile.CHOICE`.
//! The answer is every reason code in order, `next=INSTANT` and, last, `warn:TEXT`.

mod consent;
mod frequency;
mod lists;
mod numbers;
mod properties;
mod published;
mod standing;
mod states;
mod switched_off;
mod tables;
mod time_of_day;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::facts::{Address, Facts};
use super::gate;
use super::profile::Profile;
use super::rules::{RULES, Rule};
use super::tables::RuleTables;
use super::what_if;
use crate::domain::Decision;
use crate::domain::decision::Outcome;

/// Every table of named lines.
const TABLES: [(&str, &str); 7] = [
    ("consent", consent::CASES),
    ("frequency", frequency::CASES),
    ("lists", lists::CASES),
    ("numbers", numbers::CASES),
    ("standing", standing::CASES),
    ("states", states::CASES),
    ("time_of_day", time_of_day::CASES),
];

const BASE: [(&str, &str); 13] = [
    ("number", "+12125550113"),
    ("call_time_utc", "2026-12-01T18:00:00Z"),
    ("voice", "ai"),
    ("purpose", "telemarketing"),
    ("line_type", "mobile"),
    ("consent_type", "written"),
    ("consent_scope", "telemarketing"),
    ("consent_at", "2026-06-01T15:00:00Z"),
    ("ndnc", "n"),
    ("state_dnc", "n"),
    ("dnc_list_date", "2026-11-20"),
    ("rnd", "no"),
    ("litigator", "n"),
];

/// One named case, ready to be decided.
struct NamedCase {
    name: String,
    facts: Facts,
    at: Timestamp,
    profile: Profile,
    answer: String,
    warning: Option<String>,
}

/// `TX/America/Chicago`, `TX/`, `/America/Chicago`.
fn address(text: &str) -> Address {
    let (state, zone) = text.split_once('/').unwrap();
    let state = (!state.is_empty()).then(|| state.parse().unwrap());
    Address { state, zone: (!zone.is_empty()).then(|| zone.to_owned()) }
}

impl NamedCase {
    fn parse(line: &str, tables: &RuleTables) -> Self {
        let mut parts = line.splitn(3, '|').map(str::trim);
        let (name, fields, answer) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().expect(line));
        let mut row: Map<String, Value> =
            BASE.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
        let (mut known_state, mut known_zone) = (None, None);
        let mut also = Vec::new();
        let (mut stopped, mut reserved, mut choices) = (false, String::new(), String::new());
        for field in fields.split_whitespace() {
            let (key, value) = field.split_once('=').expect(line);
            match key {
                "npa" => drop(row.insert("number".to_owned(), format!("+1{value}5550113").into())),
                "at" => drop(row.insert("call_time_utc".to_owned(), value.into())),
                "stopped" => stopped = true,
                "unheard_of_state" => known_state = value.parse().ok(),
                "unheard_of_zone" => known_zone = Some(value.to_owned()),
                "also" => also.extend(value.split(';')),
                "reserved" => value.clone_into(&mut reserved),
                _ if key.starts_with("profile.") => {
                    choices.extend([&key["profile.".len()..], " = ", value, "\n"]);
                }
                _ => drop(row.insert(key.to_owned(), value.into())),
            }
        }
        let (mut facts, at) = what_if::read_facts(&row, tables).unwrap_or_else(|error| panic!("{line}: {error}"));
        facts.outbound_stopped = stopped;
        facts.known_state = known_state.or(facts.known_state);
        facts.known_zone = known_zone.or(facts.known_zone);
        facts.other_addresses = also.into_iter().map(address).collect();
        facts.reservations =
            reserved.split(';').filter(|text| !text.is_empty()).map(|text| text.parse().unwrap()).collect();
        let profile = toml::from_str(&choices).unwrap_or_else(|error| panic!("{line}: {error}"));
        let (answer, warning) = match answer.split_once("warn:") {
            Some((answer, warning)) => (answer.trim(), Some(warning.trim().to_owned())),
            None => (answer, None),
        };
        Self { name: name.to_owned(), facts, at, profile, answer: answer.to_owned(), warning }
    }

    fn decide(&self, rules: &[Rule], tables: &RuleTables) -> Decision {
        gate::evaluate_under(rules, &self.facts, tables, &self.profile, self.at)
    }

    /// Whether these rules give the answer that the line says.
    fn holds_under(&self, rules: &[Rule], tables: &RuleTables) -> Result<(), String> {
        let decision = self.decide(rules, tables);
        let answer = answer_of(&decision);
        if answer != self.answer {
            return Err(format!(
                "{}: expected {}, answered {answer}\n  {:?}",
                self.name,
                self.answer,
                decision.reasons()
            ));
        }
        match &self.warning {
            Some(text) if !decision.warnings.iter().any(|warning| warning.contains(text.as_str())) => {
                Err(format!("{}: expected the warning `{text}` among {:?}", self.name, decision.warnings))
            }
            _ => Ok(()),
        }
    }
}

/// A decision in the words of the lines.
fn answer_of(decision: &Decision) -> String {
    let mut words: Vec<String> = match &decision.outcome {
        Outcome::Allow { code } => vec![code.to_string()],
        Outcome::Deny { reasons, .. } => reasons.iter().map(|reason| reason.code.to_string()).collect(),
    };
    words.dedup();
    words.extend(decision.next_permissible_at().map(|next| format!("next={next}")));
    words.join(" ")
}

fn named_cases(tables: &RuleTables) -> Vec<NamedCase> {
    let lines = TABLES.iter().flat_map(|(_, lines)| lines.lines());
    let lines = lines.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| NamedCase::parse(line, tables)).collect()
}

fn shipped() -> RuleTables {
    RuleTables::shipped().unwrap()
}

#[test]
fn every_named_case_is_answered_as_it_says() {
    let tables = shipped();
    let cases = named_cases(&tables);
    let wrong: Vec<String> = cases.iter().filter_map(|case| case.holds_under(&RULES, &tables).err()).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn names_of_cases_are_unique() {
    let tables = shipped();
    let mut names: Vec<String> = named_cases(&tables).into_iter().map(|case| case.name).collect();
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}
