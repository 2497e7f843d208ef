//! The effective rule table of a state and date, in plain words, for `check --rules`: shipped rows, the operator's on
//! top.

use jiff::civil::Date;

use super::place::StateCode;
use super::tables::hours::{AutomatedVoice, Device, Hours};
use super::tables::row::{Confidence, Row};
use super::tables::week::{DayHours, Week};
use super::tables::{PlaceRules, RuleTables};

/// One row in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveRow {
    pub id: String,
    /// The table it stands in: `hours`, `frequency_cap`, ….
    pub table: &'static str,
    /// What it says, in words.
    pub says: String,
    pub citation: String,
    pub confidence: Confidence,
    pub source_date: Date,
    /// First local date no longer in force, where one is known.
    pub until: Option<Date>,
    pub file: String,
}

/// The rows in force in a state on a local date: the country's and its own. None for letters that are no place.
pub fn rules_in_force(tables: &RuleTables, code: StateCode, date: Date) -> Option<Vec<EffectiveRow>> {
    let state = tables.state(code)?;
    let mut listing = Listing { date, rows: Vec::new() };
    let place = &state.jurisdiction.says;
    let parties = if place.recording.asks_every_party() { "every party" } else { "one party" };
    let registration = place.registration.as_deref().unwrap_or("none known");
    listing.add("jurisdiction", &state.jurisdiction, |_| {
        format!(
            "{}: recording needs {parties} ({}); registration: {registration}",
            place.name, place.recording_citation
        )
    });
    for rules in [&tables.country, &state.rules] {
        listing.add_place(rules);
        let holidays = rules.holidays.iter().filter(|_| state.rules.minds_holidays());
        holidays.for_each(|row| listing.add("holiday", row, |holiday| holiday.name.clone()));
    }
    Some(listing.rows)
}

struct Listing {
    date: Date,
    rows: Vec<EffectiveRow>,
}

impl Listing {
    fn add<T>(&mut self, table: &'static str, row: &Row<T>, says: impl Fn(&T) -> String) {
        if !row.is_in_force_on(self.date) {
            return;
        }
        self.rows.push(EffectiveRow {
            id: row.id.clone(),
            table,
            says: says(&row.says),
            citation: row.citation.clone(),
            confidence: row.confidence,
            source_date: row.source_date,
            until: row.until,
            file: row.file.clone(),
        });
    }

    fn add_place(&mut self, rules: &PlaceRules) {
        rules.hours.iter().for_each(|row| self.add("hours", row, describe_hours));
        rules.automated.iter().for_each(|row| self.add("automated_voice", row, describe_automated));
        for row in &rules.caps {
            self.add("frequency_cap", row, |cap| {
                format!("at most {} attempts in {} hours ({:?} calls)", cap.count, cap.window.as_hours(), cap.kind)
            });
        }
        for row in &rules.prohibitions {
            self.add("prohibition", row, |ban| {
                format!("no sales calls to {:?}, unless {:?}", ban.lines, ban.lifted_by)
            });
        }
        for row in &rules.emergencies {
            self.add("emergency", row, |ban| {
                format!("no sales calls in a declared emergency, unless {:?}", ban.lifted_by)
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

fn describe_hours(hours: &Hours) -> String {
    let clock = match &hours.other_clock {
        Some(clock) => format!("; on UTC{} too while daylight time runs", clock.offset),
        None => String::new(),
    };
    format!("{:?} calls: {}{clock}", hours.purposes, describe_week(&hours.week))
}

fn describe_automated(row: &AutomatedVoice) -> String {
    let device = match row.device {
        None => "no device rule",
        Some(Device::Consent) => "device needs consent",
        Some(Device::Permit) => "device needs a permit",
        Some(Device::Prohibited) => "recorded sales calls banned but for exceptions",
    };
    format!("{device}; {}", describe_week(&row.week))
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

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_table_follows_the_date() {
        let tables = RuleTables::shipped().unwrap();
        let ids = |code: &str, date| {
            let rows = rules_in_force(&tables, code.parse().unwrap(), date).unwrap();
            rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
        };
        let before = ids("PA", date(2026, 10, 17));
        let after = ids("PA", date(2026, 10, 18));
        assert!(before.contains(&"PA.hours.until_2026-10-18".to_owned()) && !before.contains(&"PA.hours".to_owned()));
        assert!(after.contains(&"PA.hours".to_owned()) && !after.contains(&"PA.hours.until_2026-10-18".to_owned()));
        assert!(after.contains(&"PA.flag_day".to_owned()) && after.contains(&"US.christmas".to_owned()));
        let ohio = ids("OH", date(2026, 12, 1));
        assert!(!ohio.contains(&"US.christmas".to_owned()), "a state without a holiday rule has no holidays");
        assert!(rules_in_force(&tables, "ZZ".parse().unwrap(), date(2026, 12, 1)).is_none());
    }

    #[test]
    fn rows_are_told_in_words() {
        let tables = RuleTables::shipped().unwrap();
        let rows = rules_in_force(&tables, "RI".parse().unwrap(), date(2026, 12, 1)).unwrap();
        let hours = rows.iter().find(|row| row.id == "RI.hours").unwrap();
        assert_eq!(
            hours.says,
            "[Telemarketing] calls: Monday to Friday 09:00 to 18:00, Saturday 10:00 to 17:00, Sunday closed, holidays closed"
        );
        assert_eq!(hours.file, "calling_hours.toml");
    }
}
