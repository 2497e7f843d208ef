//! The effective rule table of a state and date, in plain words, for `check --rules`: shipped rows, the operator's on
//! top.

use jiff::civil::Date;
use serde::Serialize;

use super::facts::RelationshipKind;
use super::place::StateCode;
use super::tables::caps::{CapKind, CapLift, FrequencyCap};
use super::tables::disclosures::DisclosureRow;
use super::tables::hours::{AutomatedVoice, Device, Hours};
use super::tables::jurisdictions::{DncList, Jurisdiction};
use super::tables::permission::{BanLift, ConsentNeed, Needs, Prohibition, RelationshipTerm};
use super::tables::row::{Confidence, Row, Scope};
use super::tables::sources::OPERATOR_FILE;
use super::tables::week::{DayHours, Week};
use super::tables::{PlaceRules, RuleTables, StateRules};
use crate::domain::Purpose;
use crate::domain::decision::{LineType, Voice};

/// One row in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EffectiveRow {
    pub id: String,
    /// The table it stands in: `hours`, `frequency_cap`, ….
    pub table: &'static str,
    /// What it says, in words.
    pub says: String,
    pub citation: String,
    pub confidence: Confidence,
    pub source_date: Date,
    pub from: Option<Date>,
    /// First local date no longer in force, where one is known.
    pub until: Option<Date>,
    pub file: String,
    pub origin: Origin,
    /// Why the operator made the row laxer than it ships, where they did.
    pub loosened: Option<String>,
    pub note: Option<String>,
}

/// Whose row it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Shipped,
    /// The operator's, in the place of a shipped row.
    Replaced,
    /// The operator's, beside the shipped rows.
    Added,
}

/// The country's rows in force on a local date: they bind every number.
pub fn country_rules(tables: &RuleTables, date: Date) -> Vec<EffectiveRow> {
    let mut listing = Listing { tables, date, rows: Vec::new() };
    for row in &tables.consent {
        listing.add("consent", row, |need| describe_need(*need));
    }
    for row in &tables.relationships {
        listing.add("relationship", row, |term| describe_term(*term));
    }
    listing.add("list_age", &tables.list_age, |age| {
        format!("do-not-call lists may be {} days old at the date of the call", age.max_days)
    });
    listing.add_place(&tables.country);
    for row in &tables.country.holidays {
        listing.add("holiday", row, |holiday| format!("{} (where a state closes on holidays)", holiday.name));
    }
    listing.add_disclosures(Scope::Country);
    listing.rows
}

/// A state's own rows in force on a local date. None for letters that are no place.
pub fn state_rules(tables: &RuleTables, code: StateCode, date: Date) -> Option<Vec<EffectiveRow>> {
    let state = tables.state(code)?;
    let mut listing = Listing { tables, date, rows: Vec::new() };
    listing.add("jurisdiction", &state.jurisdiction, |place| describe_place(place, state));
    listing.add_place(&state.rules);
    for row in &state.rules.holidays {
        listing.add("holiday", row, |holiday| holiday.name.clone());
    }
    listing.add_disclosures(Scope::State(code));
    Some(listing.rows)
}

/// The legal holidays that a state minds on a date; empty where it minds none.
pub fn holiday_on(tables: &RuleTables, code: StateCode, date: Date) -> Option<String> {
    let rules = &tables.state(code)?.rules;
    let row = rules.minds_holidays().then(|| rules.holiday_on(&tables.country, date))??;
    Some(row.says.name.clone())
}

struct Listing<'t> {
    tables: &'t RuleTables,
    date: Date,
    rows: Vec<EffectiveRow>,
}

impl Listing<'_> {
    fn add<T>(&mut self, table: &'static str, row: &Row<T>, says: impl Fn(&T) -> String) {
        if !row.is_in_force_on(self.date) {
            return;
        }
        let origin = match (row.file == OPERATOR_FILE, self.tables.replaced.contains(&row.id)) {
            (false, _) => Origin::Shipped,
            (true, true) => Origin::Replaced,
            (true, false) => Origin::Added,
        };
        self.rows.push(EffectiveRow {
            id: row.id.clone(),
            table,
            says: says(&row.says),
            citation: row.citation.clone(),
            confidence: row.confidence,
            source_date: row.source_date,
            from: row.from,
            until: row.until,
            file: row.file.clone(),
            origin,
            loosened: row.acknowledge_loosening.clone(),
            note: row.note.clone(),
        });
    }

    fn add_disclosures(&mut self, place: Scope) {
        for row in self.tables.disclosures.iter().filter(|row| row.place == place) {
            self.add("disclosure", row, DisclosureRow::describe);
        }
    }

    fn add_place(&mut self, rules: &PlaceRules) {
        rules.hours.iter().for_each(|row| self.add("hours", row, describe_hours));
        rules.automated.iter().for_each(|row| self.add("automated_voice", row, describe_automated));
        rules.caps.iter().for_each(|row| self.add("frequency_cap", row, describe_cap));
        rules.prohibitions.iter().for_each(|row| self.add("prohibition", row, describe_prohibition));
        for row in &rules.emergencies {
            self.add("emergency", row, |ban| {
                format!("no sales calls while a state of emergency is declared{}", unless(&ban.lifted_by))
            });
        }
    }
}

impl PlaceRules {
    fn minds_holidays(&self) -> bool {
        self.hours.iter().any(|row| row.says.week.minds_holidays())
            || self.automated.iter().any(|row| row.says.week.minds_holidays())
    }
}

fn describe_place(place: &Jurisdiction, state: &StateRules) -> String {
    let parties = match (place.recording.asks_every_party(), place.notice_in_recording) {
        (true, true) => "every party, and must hold the notice",
        (true, false) => "every party",
        (false, _) => "one party",
    };
    let list = match place.dnc {
        DncList::Own => "keeps a do-not-call list of its own",
        DncList::National => "relies on the national do-not-call list",
    };
    let holidays = if state.rules.minds_holidays() { "closes on legal holidays" } else { "has no holiday rule" };
    let registration = place.registration.as_deref().unwrap_or("none known");
    let term = match place.shorter_relationship_months {
        Some(months) => format!("; a business relationship counts for {months} months"),
        None => String::new(),
    };
    format!(
        "{}: recording needs the consent of {parties} ({}); {list}; {holidays}; registration: {registration}{term}",
        place.name, place.recording_citation
    )
}

fn describe_need(row: ConsentNeed) -> String {
    let voice = match row.voice {
        Voice::Ai => "AI voice",
        Voice::Human => "live voice",
    };
    let needs = match row.needs {
        Needs::Nothing => "needs no consent",
        Needs::ExpressOrExempt => "needs express consent, or else an exemption with its caps",
        Needs::Express => "needs express consent",
        Needs::Written => "needs express written consent",
    };
    format!("{voice}, {} to {}: {needs}", purpose(row.purpose), line(row.line))
}

fn describe_term(row: RelationshipTerm) -> String {
    let kind = match row.kind {
        RelationshipKind::Purchase => "a purchase",
        RelationshipKind::Inquiry => "an inquiry",
    };
    format!("a business relationship by {kind} lives {} months and at most {} days", row.months, row.days)
}

fn describe_hours(hours: &Hours) -> String {
    let clock = match &hours.other_clock {
        Some(clock) => format!("; on UTC{} too while daylight time runs", clock.offset),
        None => String::new(),
    };
    let purposes: Vec<_> = hours.purposes.iter().map(|of| purpose(*of)).collect();
    format!("{}: {}{clock}", purposes.join(", "), describe_week(&hours.week))
}

fn describe_automated(row: &AutomatedVoice) -> String {
    let device = match row.device {
        None => "no device rule",
        Some(Device::Consent) => "the device needs consent",
        Some(Device::Permit) => "the device needs a permit",
        Some(Device::Prohibited) => "recorded sales calls are banned but for exceptions",
    };
    format!("AI and recorded voices: {device}; {}", describe_week(&row.week))
}

fn describe_cap(cap: &FrequencyCap) -> String {
    let of = match cap.kind {
        CapKind::Solicitation => "sales calls",
        CapKind::Exempt => "calls that use an exemption instead of consent",
    };
    let day = if cap.calendar_day { ", and on one local date," } else { "" };
    let lifts: Vec<_> = cap
        .lifted_by
        .iter()
        .map(|lift| match lift {
            CapLift::Purchase => "a purchase",
            CapLift::Inquiry => "an inquiry",
            CapLift::Consent => "consent",
        })
        .collect();
    let lifted = if lifts.is_empty() { String::new() } else { format!("; lifted by {}", lifts.join(" or ")) };
    format!("at most {} attempts in {} hours{day} to one number: {of}{lifted}", cap.count, cap.window.as_hours())
}

fn describe_prohibition(ban: &Prohibition) -> String {
    let lines: Vec<_> = ban.lines.iter().map(|of| line(*of)).collect();
    format!("no sales calls to {} at any hour{}", lines.join(", "), unless(&ban.lifted_by))
}

fn unless(lifts: &[BanLift]) -> String {
    let lifts: Vec<_> = lifts
        .iter()
        .map(|lift| match lift {
            BanLift::Consent => "with consent",
            BanLift::Relationship => "within a business relationship",
        })
        .collect();
    if lifts.is_empty() { String::new() } else { format!(", but {}", lifts.join(" or ")) }
}

fn describe_week(week: &Week) -> String {
    let day = |hours: DayHours| match hours {
        DayHours::Unset => "as elsewhere".to_owned(),
        DayHours::Closed => "closed".to_owned(),
        DayHours::Open(window) => window.to_string(),
    };
    let Week { mon_fri, saturday, sunday, holiday } = *week;
    format!(
        "Monday to Friday {}, Saturday {}, Sunday {}, holidays {}",
        day(mon_fri),
        day(saturday),
        day(sunday),
        day(holiday)
    )
}

fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Telemarketing => "sales calls",
        Purpose::Informational => "informational calls",
        Purpose::Healthcare => "health-care calls",
        Purpose::Emergency => "emergency calls",
    }
}

fn line(line: LineType) -> &'static str {
    match line {
        LineType::Mobile => "mobiles",
        LineType::LandlineResidential => "homes",
        LineType::LandlineBusiness => "businesses",
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn rows(tables: &RuleTables, code: &str, date: Date) -> Vec<EffectiveRow> {
        let mut rows = country_rules(tables, date);
        rows.extend(state_rules(tables, code.parse().unwrap(), date).unwrap());
        rows
    }

    #[test]
    fn the_table_follows_the_date() {
        let tables = RuleTables::shipped().unwrap();
        let ids = |code: &str, date| rows(&tables, code, date).into_iter().map(|row| row.id).collect::<Vec<_>>();
        let before = ids("PA", date(2026, 10, 17));
        let after = ids("PA", date(2026, 10, 18));
        assert!(before.contains(&"PA.hours.until_2026-10-18".to_owned()) && !before.contains(&"PA.hours".to_owned()));
        assert!(after.contains(&"PA.hours".to_owned()) && !after.contains(&"PA.hours.until_2026-10-18".to_owned()));
        assert!(after.contains(&"PA.flag_day".to_owned()) && after.contains(&"US.christmas".to_owned()));
        assert!(state_rules(&tables, "ZZ".parse().unwrap(), date(2026, 12, 1)).is_none());
    }

    #[test]
    fn a_state_without_a_holiday_rule_has_no_holidays() {
        let tables = RuleTables::shipped().unwrap();
        let on = |code: &str| holiday_on(&tables, code.parse().unwrap(), date(2026, 12, 25));
        assert_eq!(on("RI").as_deref(), Some("Christmas Day"));
        assert_eq!(on("OH"), None);
    }

    #[test]
    fn rows_are_told_in_words() {
        let tables = RuleTables::shipped().unwrap();
        let rows = rows(&tables, "RI", date(2026, 12, 1));
        let row = |id: &str| rows.iter().find(|row| row.id == id).unwrap();
        let hours = row("RI.hours");
        assert_eq!(
            hours.says,
            "sales calls: Monday to Friday 09:00 to 18:00, Saturday 10:00 to 17:00, Sunday closed, holidays closed"
        );
        assert_eq!((hours.file.as_str(), hours.origin), ("calling_hours.toml", Origin::Shipped));
        assert_eq!(
            row("US.ai.telemarketing.mobile").says,
            "AI voice, sales calls to mobiles: needs express written consent"
        );
        for table in ["consent", "relationship", "list_age", "hours", "holiday", "disclosure", "jurisdiction"] {
            assert!(rows.iter().any(|row| row.table == table), "{table}");
        }
        assert!(rows.iter().all(|row| !row.citation.is_empty() && !row.says.is_empty()));
    }

    #[test]
    fn the_operators_rows_are_told_apart() {
        let own = r#"
            [[list_age]]
            id = "US.dnc_list_age"
            place = "US"
            max_days = 45
            citation = "none"
            confidence = "low"
            source_date = 2026-11-21
            acknowledge_loosening = "counsel said so"
            [[hours]]
            id = "own.RI"
            place = "RI"
            mon_fri = "10:00-16:00"
            citation = "house"
            confidence = "high"
            source_date = 2026-11-21
            [[disclosure]]
            id = "own.greeting"
            place = "RI"
            part = "state"
            en = "We are licensed in Rhode Island."
            es = "Tenemos licencia en Rhode Island."
            citation = "house"
            confidence = "high"
            source_date = 2026-11-21
        "#;
        let tables = RuleTables::with_operator_file(own).unwrap();
        let rows = rows(&tables, "RI", date(2026, 12, 1));
        let row = |id: &str| rows.iter().find(|row| row.id == id).unwrap();
        let age = row("US.dnc_list_age");
        assert_eq!((age.origin, age.loosened.as_deref()), (Origin::Replaced, Some("counsel said so")));
        assert_eq!(row("own.RI").origin, Origin::Added);
        assert_eq!(row("own.greeting").origin, Origin::Added);
        assert!(row("own.greeting").says.contains("We are licensed in Rhode Island."));
        assert_eq!(row("RI.hours").origin, Origin::Shipped);
    }
}
