//! Leads from programs and files: what may be said about one, and how it completes what is known already.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;

use crate::compliance::place::StateCode;
use crate::compliance::tables::RuleTables;
use crate::domain::decision::LineType;
use crate::domain::event::Actor;
use crate::domain::lead::{Lead, LeadStatus, ProtectedLine};
use crate::domain::{E164, LeadId};
use crate::store::{Relationship, RelationshipKind, Said, StoreError};

use super::scrub_number::day;
use super::{App, ids};

/// A text of a lead may be this long, in characters.
const TEXT_LIMIT: usize = 1_000;

/// What somebody says about a lead. What is not said stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeadPatch {
    /// Ours, of a lead that there is.
    pub id: Option<LeadId>,
    /// The operator's own: it makes two people of one number two leads.
    pub external_id: Option<String>,
    pub number: Option<E164>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: Option<String>,
    /// Two letters, of a verified address.
    pub state: Option<String>,
    /// IANA name, of a verified address.
    pub time_zone: Option<String>,
    /// `none` takes the mark away.
    pub protected_line: Option<ProtectedLine>,
    /// What kind of line the number is, by the operator's own knowledge.
    pub line_type: Option<LineType>,
    /// The day of the last purchase or transaction with this seller, 47 CFR 64.1200(f)(5).
    pub last_purchase_on: Option<Date>,
    /// The day of the last inquiry or application.
    pub last_inquiry_on: Option<Date>,
    pub source: Option<String>,
    pub status: Option<LeadStatus>,
    pub tags: Option<Vec<String>>,
    /// Anything else. A null takes the name out.
    pub custom: BTreeMap<String, Value>,
}

/// Why a lead could not be written.
#[derive(Debug, thiserror::Error)]
pub enum LeadError {
    #[error("the lead is not valid")]
    Invalid(Vec<(&'static str, String)>),
    #[error("there is no lead {0}")]
    NoSuchLead(LeadId),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LeadPatch {
    /// The lead that this is about: by our id, else by the operator's, else by its number.
    pub fn lead_id(&self) -> LeadId {
        match (self.id, &self.external_id, &self.number) {
            (Some(id), _, _) => id,
            (None, Some(external), _) => ids::lead_of("external_id", external),
            (None, None, number) => ids::lead_of("number", number.as_ref().map_or("", E164::as_str)),
        }
    }

    /// What it says of the number itself, and not only of this lead.
    pub fn said(&self) -> Said {
        let purchase = self.last_purchase_on.map(|date| Relationship { kind: RelationshipKind::Purchase, date });
        let inquiry = self.last_inquiry_on.map(|date| Relationship { kind: RelationshipKind::Inquiry, date });
        Said { relationships: purchase.into_iter().chain(inquiry).collect(), line_type: self.line_type }
    }

    /// Everything that is wrong with it: the field, and a sentence.
    pub fn problems(&self, tables: &RuleTables, now: Timestamp) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self
            .state
            .as_deref()
            .is_some_and(|state| state.parse::<StateCode>().ok().and_then(|code| tables.state(code)).is_none())
        {
            problems.push(("state", "it is not two letters of a US state, like NY".to_owned()));
        }
        if self.time_zone.as_deref().is_some_and(|zone| tables.zone(zone).is_none()) {
            problems.push(("time_zone", "it is no IANA time zone, like America/New_York".to_owned()));
        }
        if self.email.as_deref().is_some_and(|email| !looks_like_email(email)) {
            problems.push(("email", "it is no e-mail address".to_owned()));
        }
        for (field, date) in [("last_purchase_on", self.last_purchase_on), ("last_inquiry_on", self.last_inquiry_on)] {
            problems.extend(date.and_then(|date| future_date(date, now)).map(|problem| (field, problem)));
        }
        let mut text = |field, text: Option<&str>| {
            if text.is_some_and(|text| text.chars().count() > TEXT_LIMIT) {
                problems.push((field, format!("it is longer than {TEXT_LIMIT} characters")));
            }
        };
        text("external_id", self.external_id.as_deref());
        text("first_name", self.first_name.as_deref());
        text("last_name", self.last_name.as_deref());
        text("source", self.source.as_deref());
        self.tags.iter().flatten().for_each(|tag| text("tags", Some(tag)));
        self.custom.values().for_each(|value| text("custom", value.as_str()));
        problems
    }

    /// The lead as it is then. A new one needs a number; nothing changes, not even the time, where nothing new is said.
    pub fn apply(self, old: Option<Lead>, now: Timestamp) -> Lead {
        let id = self.lead_id();
        let is_new = old.is_none();
        let mut lead = old.unwrap_or_else(|| Lead {
            id,
            number: self.number.clone().expect("a lead that is new has a number: its callers checked"),
            first_name: String::new(),
            last_name: String::new(),
            email: None,
            state: None,
            time_zone: None,
            protected_line: ProtectedLine::None,
            source: None,
            status: LeadStatus::New,
            tags: Vec::new(),
            custom: BTreeMap::new(),
            created_at: now,
            updated_at: now,
        });
        let before = lead.clone();
        self.complete(&mut lead);
        if lead != before && !is_new {
            lead.updated_at = now;
        }
        lead
    }

    fn complete(self, lead: &mut Lead) {
        fn set<T>(field: &mut T, said: Option<T>) {
            if let Some(said) = said {
                *field = said;
            }
        }
        set(&mut lead.number, self.number);
        set(&mut lead.first_name, self.first_name);
        set(&mut lead.last_name, self.last_name);
        set(&mut lead.email, self.email.map(Some));
        set(&mut lead.state, self.state.map(Some));
        set(&mut lead.time_zone, self.time_zone.map(Some));
        set(&mut lead.protected_line, self.protected_line);
        set(&mut lead.source, self.source.map(Some));
        set(&mut lead.status, self.status);
        set(&mut lead.tags, self.tags);
        if let Some(external) = self.external_id {
            lead.custom.insert("external_id".to_owned(), external.into());
        }
        for (name, value) in self.custom {
            match value {
                Value::Null => lead.custom.remove(&name),
                value => lead.custom.insert(name, value),
            };
        }
    }
}

/// What is wrong with a field, and which.
type Problem = (&'static str, String);

const NEEDS_CONTROL: &str = "saying it needs the scope calls:control";

impl LeadPatch {
    /// What it says of the number that lifts rules.
    fn loosening(&self) -> Vec<Problem> {
        let said = [
            ("line_type", self.line_type.is_some()),
            ("last_purchase_on", self.last_purchase_on.is_some()),
            ("last_inquiry_on", self.last_inquiry_on.is_some()),
        ];
        said.into_iter().filter(|(_, is_said)| *is_said).map(|(field, _)| (field, NEEDS_CONTROL.to_owned())).collect()
    }

    /// What is wrong with it beside the lead that there is.
    fn against(&self, known: Option<&Lead>, protected: ProtectedLines) -> Result<Vec<Problem>, LeadError> {
        let Some(known) = known else {
            return match (&self.id, &self.number) {
                (Some(id), _) => Err(LeadError::NoSuchLead(*id)),
                (None, Some(_)) => Ok(Vec::new()),
                (None, None) => Ok(vec![("number", "a new lead has a number, like +12125550113".to_owned())]),
            };
        };
        let mut problems: Vec<_> = self.moved(known).into_iter().collect();
        if protected == ProtectedLines::MayBeCleared {
            return Ok(problems);
        }
        let is_marked = !known.protected_line.is_none();
        if is_marked && self.protected_line == Some(ProtectedLine::None) {
            problems.push(("protected_line", "taking it away needs the scope calls:control".to_owned()));
        }
        let has_address = known.state.is_some() || known.time_zone.is_some();
        if (is_marked || has_address) && self.number.as_ref().is_some_and(|number| *number != known.number) {
            let what = if is_marked { "a protected line" } else { "a number with an address" };
            problems.push(("number", format!("it is {what}: changing it needs the scope calls:control")));
        }
        // Where somebody lives decides when they may be called.
        let differs = |said: &Option<String>, known: &Option<String>| said.is_some() && said != known;
        for (field, said, known) in
            [("state", &self.state, &known.state), ("time_zone", &self.time_zone, &known.time_zone)]
        {
            if has_address && differs(said, known) {
                let problem = "there is an address on record: changing it needs the scope calls:control";
                problems.push((field, problem.to_owned()));
            }
        }
        Ok(problems)
    }

    /// A lead that was found by the number it once had is somebody else's by now.
    pub fn moved(&self, known: &Lead) -> Option<Problem> {
        let by_number = self.id.is_none() && self.external_id.is_none();
        let has_moved = by_number && self.number.as_ref().is_some_and(|number| *number != known.number);
        has_moved.then(|| {
            let id = known.id;
            (
                "number",
                format!("the lead that had it has another number now: name {id} by its id, or give an external_id"),
            )
        })
    }
}

/// What is wrong with the date of something that has happened.
pub fn future_date(date: Date, now: Timestamp) -> Option<String> {
    (date > day(now)).then(|| "it is in the future".to_owned())
}

/// Whether somebody may say that a line is no longer protected, or what lifts a rule: people who answer for it may, a caller who
/// wants to ring it may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtectedLines {
    MayBeCleared,
    Stay,
}

impl App {
    /// Writes what is said about a lead: over the one that there is, or as a new one. Says whether it is new.
    pub async fn upsert_lead(
        &self,
        patch: LeadPatch,
        protected: ProtectedLines,
        by: &Actor,
    ) -> Result<(Lead, bool), LeadError> {
        let now = self.clock.now();
        let mut problems = patch.problems(self.gate.tables(), now);
        if protected == ProtectedLines::Stay {
            problems.extend(patch.loosening());
        }
        let (id, said) = (patch.lead_id(), patch.said());
        let change = move |old: Option<Lead>| {
            problems.extend(patch.against(old.as_ref(), protected)?);
            if problems.is_empty() { Ok(patch.apply(old, now)) } else { Err(LeadError::Invalid(problems)) }
        };
        self.store.change_lead(id, said, by, now, change).await?
    }
}

fn looks_like_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !host.contains('@'))
        && !text.contains(char::is_whitespace)
        && text.len() <= 254
}

/// A number as people write it: `+12125550113`, and for North American ones also `(212) 555-0113` or `1-212-555-0113`.
pub fn read_number(text: &str) -> Result<E164, &'static str> {
    const WRONG: &str = "it is no number like +12125550113 or (212) 555-0113";
    if text.chars().any(|c| !(c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '.' | '(' | ')'))) {
        return Err(WRONG);
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let international = if text.trim_start().starts_with('+') {
        format!("+{digits}")
    } else {
        match (digits.len(), digits.strip_prefix('1')) {
            (10, None) => format!("+1{digits}"),
            (11, Some(_)) => format!("+{digits}"),
            _ => return Err(WRONG),
        }
    };
    let number: E164 = international.parse().map_err(|_| WRONG)?;
    if international.starts_with("+1") && number.nanp_digits().is_none_or(|digits| digits.starts_with(['0', '1'])) {
        return Err(WRONG);
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for text in
            ["+12125550113", "2125550113", "(212) 555-0113", "1-212-555-0113", "212.555.0113", "+1 212 555 0113"]
        {
            assert_eq!(read_number(text).unwrap().as_str(), "+12125550113", "{text}");
        }
        for text in ["", "555-0113", "0125550113", "1125550113", "+1212555011", "call me", "212555011３", "22125550113"]
        {
            assert!(read_number(text).is_err(), "{text}");
        }
        assert_eq!(read_number("+44 20 7946 0000").unwrap().as_str(), "+442079460000");
    }

    #[test]
    fn what_is_not_said_stays() {
        let (then, now) = ("2026-10-01T00:00:00Z".parse().unwrap(), "2026-11-01T00:00:00Z".parse().unwrap());
        let first = LeadPatch {
            number: Some(read_number("2125550113").unwrap()),
            first_name: Some("Ada".to_owned()),
            custom: [("plan".to_owned(), "gold".into())].into(),
            ..LeadPatch::default()
        };
        let lead = first.clone().apply(None, then);
        assert_eq!(first.clone().apply(Some(lead.clone()), now), lead, "the same again changes nothing");
        let second = LeadPatch {
            number: first.number.clone(),
            last_name: Some("Example".to_owned()),
            custom: [("plan".to_owned(), Value::Null)].into(),
            ..LeadPatch::default()
        };
        assert_eq!(second.lead_id(), lead.id);
        let lead = second.apply(Some(lead), now);
        assert_eq!((lead.first_name.as_str(), lead.last_name.as_str()), ("Ada", "Example"));
        assert_eq!((lead.created_at, lead.updated_at, lead.custom.is_empty()), (then, now, true));
        let other = LeadPatch { external_id: Some("crm-7".to_owned()), ..first };
        assert_ne!(other.lead_id(), lead.id);
    }

    #[test]
    fn who_wants_to_ring_a_number_changes_nothing_that_binds_the_call() {
        let now = "2026-11-01T00:00:00Z".parse().unwrap();
        let patch = |field: &str, value: &str| -> LeadPatch {
            serde_json::from_value(serde_json::json!({"external_id": "crm-7", field: value})).unwrap()
        };
        let lead = |field: &str, value: &str| {
            LeadPatch { number: read_number("8505550113").ok(), ..patch(field, value) }.apply(None, now)
        };
        let refused = |known: &Lead, patch: &LeadPatch, by| -> Vec<_> {
            patch.against(Some(known), by).unwrap().into_iter().map(|(field, _)| field).collect()
        };
        let nowhere = lead("source", "web");
        let (in_florida, room) = (lead("state", "FL"), lead("protected_line", "patient_room"));
        for (known, field, value, is_refused) in [
            (&nowhere, "state", "FL", false),
            (&nowhere, "time_zone", "America/Chicago", false),
            (&nowhere, "number", "+12125550114", false),
            (&in_florida, "state", "FL", false),
            (&in_florida, "state", "NY", true),
            (&in_florida, "time_zone", "America/Chicago", true),
            (&in_florida, "number", "+12125550114", true),
            (&in_florida, "first_name", "Ada", false),
            (&room, "protected_line", "none", true),
            (&room, "protected_line", "emergency_line", false),
            (&room, "number", "+12125550114", true),
        ] {
            let wanted = if is_refused { vec![field] } else { vec![] };
            let patch = patch(field, value);
            assert_eq!(refused(known, &patch, ProtectedLines::Stay), wanted, "{field} {value}");
            assert!(refused(known, &patch, ProtectedLines::MayBeCleared).is_empty(), "{field} {value}");
        }
    }

    #[test]
    fn a_lead_that_has_another_number_now_is_not_found_by_its_old_one() {
        let now = "2026-11-01T00:00:00Z".parse().unwrap();
        let first = LeadPatch { number: read_number("2125550113").ok(), ..LeadPatch::default() };
        let lead = first.clone().apply(None, now);
        let moving = LeadPatch { id: Some(lead.id), number: read_number("2125550114").ok(), ..LeadPatch::default() };
        assert_eq!(moving.moved(&lead), None);
        let lead = moving.apply(Some(lead), now);
        assert_eq!(lead.number.as_str(), "+12125550114");
        assert_eq!(first.lead_id(), lead.id);
        let (field, problem) = first.moved(&lead).unwrap();
        assert!(field == "number" && problem.contains(&lead.id.to_string()), "{problem}");
    }

    #[test]
    fn every_problem_is_named() {
        let tables = RuleTables::shipped().unwrap();
        let patch = LeadPatch {
            state: Some("ZZ".to_owned()),
            time_zone: Some("Mars/Base".to_owned()),
            email: Some("ada@".to_owned()),
            last_purchase_on: Some(jiff::civil::date(2026, 11, 1)),
            last_inquiry_on: Some(jiff::civil::date(2026, 11, 2)),
            first_name: Some("x".repeat(1_001)),
            ..LeadPatch::default()
        };
        let now = "2026-11-01T00:00:00Z".parse().unwrap();
        let fields: Vec<_> = patch.problems(&tables, now).into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["state", "time_zone", "email", "last_inquiry_on", "first_name"]);
    }
}
