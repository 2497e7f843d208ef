//! `Evidence`: what a decision rested on, as the ledger keeps it. From nothing else but this and the kept rule texts a decision
//! can be made again.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::gate::{RuleOutcome, evaluate, outcomes};
use super::profile::Profile;
use super::tables::RuleTables;
use crate::domain::Decision;

/// What one decision rested on. It names a person and is erased with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// What the gate was told.
    pub facts: Facts,
    /// Where each fact came from, and how old it was.
    pub inputs: Vec<Input>,
    /// The choices in force, in full.
    pub profile: Profile,
    /// What every rule that was asked answered.
    pub outcomes: Vec<RuleOutcome>,
    /// The version of the program that decided.
    pub program: String,
}

/// Where a fact came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The field of `Facts` that rests on it.
    pub fact: String,
    /// What it says, in a few words.
    pub says: String,
    /// Who said it: a list by its file, a vendor, a record by its id.
    pub source: String,
    /// The edition of a list, where it has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The instant that the knowledge is of; for a list the midnight (UTC) that begins its date.
    pub as_of: Timestamp,
    /// How old the knowledge was at the instant decided for, in seconds. Negative if it is of later.
    pub age_s: i64,
}

/// What making a decision again gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// The same, to the letter.
    Identical,
    /// The same but for the edition of the time-zone data that it names.
    OtherTimeZoneData { then: String, now: String },
    /// Something else.
    Different(Box<Decision>),
}

impl Input {
    /// An input with its age at the instant `now`.
    pub fn new(
        fact: &str,
        says: impl Into<String>,
        source: impl Into<String>,
        as_of: Timestamp,
        now: Timestamp,
    ) -> Self {
        let (says, source) = (says.into(), source.into());
        Self { fact: fact.to_owned(), says, source, version: None, as_of, age_s: now.duration_since(as_of).as_secs() }
    }
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identical => f.write_str("identical"),
            Self::OtherTimeZoneData { then, now } => {
                write!(f, "identical (the time-zone data were {then} then and are {now} now)")
            }
            Self::Different(_) => f.write_str("different"),
        }
    }
}

/// Decides, and writes down what it rested on.
pub fn decide(
    facts: Facts,
    inputs: Vec<Input>,
    tables: &RuleTables,
    profile: &Profile,
    now: Timestamp,
) -> (Decision, Evidence) {
    let decision = evaluate(&facts, tables, profile, now);
    let outcomes = outcomes(&facts, tables, profile, now);
    let program = env!("CARGO_PKG_VERSION").to_owned();
    (decision, Evidence { facts, inputs, profile: profile.clone(), outcomes, program })
}

/// Makes a recorded decision again, under the tables that it was made under.
pub fn replay(recorded: &Decision, evidence: &Evidence, tables: &RuleTables) -> Replay {
    let again = evaluate(&evidence.facts, tables, &evidence.profile, recorded.decided_at);
    if again == *recorded {
        return Replay::Identical;
    }
    let but_for_tzdb = Decision { tzdb: recorded.tzdb.clone(), ..again.clone() };
    if but_for_tzdb == *recorded {
        return Replay::OtherTimeZoneData { then: recorded.tzdb.clone(), now: again.tzdb };
    }
    Replay::Different(Box::new(again))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Purpose;
    use crate::domain::decision::Voice;

    fn decided(tables: &RuleTables) -> (Decision, Evidence) {
        let now = "2026-12-01T18:00:00.123456789Z".parse().unwrap();
        let facts = Facts::unknown("+12125550113", Purpose::Telemarketing, Voice::Ai);
        let list = Input::new("litigator", "not on the list", "list.csv", "2026-12-01T00:00:00Z".parse().unwrap(), now);
        assert_eq!(list.age_s, 18 * 3600);
        decide(facts, vec![list], tables, &Profile::default(), now)
    }

    #[test]
    fn evidence_that_was_written_down_gives_the_same_decision() {
        let tables = RuleTables::shipped().unwrap();
        let (decision, evidence) = decided(&tables);
        assert_eq!(evidence.outcomes.len(), crate::compliance::rules::RULES.len());
        let text = serde_json::to_string(&evidence).unwrap();
        let read: Evidence = serde_json::from_str(&text).unwrap();
        assert_eq!(read, evidence);
        assert_eq!(replay(&decision, &read, &tables), Replay::Identical);
    }

    #[test]
    fn kept_texts_are_the_tables_that_they_were() {
        let own = "version = \"own\"\n[[list_age]]\nid = \"US.dnc_list_age\"\nplace = \"US\"\nmax_days = 7\ncitation = \"ours\"\n\
                   confidence = \"high\"\nsource_date = 2026-11-21\n";
        let tables = RuleTables::with_operator_file(own).unwrap();
        let (decision, evidence) = decided(&tables);
        let kept = RuleTables::from_kept(&tables.files).unwrap();
        assert_eq!(kept.rule_set, tables.rule_set);
        assert_eq!(replay(&decision, &evidence, &kept), Replay::Identical);
        // Other tables, or other facts, do not pass for the same.
        let shipped = RuleTables::from_kept(&RuleTables::shipped().unwrap().files).unwrap();
        assert!(matches!(replay(&decision, &evidence, &shipped), Replay::Different(_)));
        let mut changed = evidence.clone();
        changed.facts.litigator = Some(true);
        assert!(matches!(replay(&decision, &changed, &kept), Replay::Different(_)));
        let mut other_edition = decision;
        other_edition.tzdb = "1999a".to_owned();
        assert!(matches!(replay(&other_edition, &evidence, &kept), Replay::OtherTimeZoneData { .. }));
    }
}
