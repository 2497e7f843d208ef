//! The states' calling hours, in every zone of the number.

use jiff::civil::DateTime;

use super::{Findings, Rule, Stage, clock_face};
use crate::compliance::case::Case;
use crate::compliance::tables::PlaceRules;
use crate::compliance::tables::hours::Hours;
use crate::compliance::tables::row::Row;
use crate::compliance::tables::week::DayHours;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule = Rule {
    name: "calling_hours_state",
    law: "the states' calling hours (calling_hours.toml)",
    stage: Stage::Call,
    check,
};

fn check(case: &Case<'_>, findings: &mut Findings) {
    for state in &case.states {
        check_hours(case, &state.rules, ReasonCode::OutsideHoursState, findings);
    }
}

/// Tests one place's windows on every clock. Closed Sundays and closed holidays have rules, and codes, of their own.
pub(super) fn check_hours(case: &Case<'_>, place: &PlaceRules, code: ReasonCode, findings: &mut Findings) {
    for row in case.hours(place) {
        for local in &case.zones {
            if row.is_in_force_on(local.at.date()) {
                let hours = hours_of_day(case, place, row, local.at);
                deny_unless_open(hours, row, local.at, &local.zone.name, code, findings);
            }
        }
        if let Some((offset, at)) = case.other_clock(row).filter(|(_, at)| row.is_in_force_on(at.date())) {
            let hours = hours_of_day(case, place, row, at);
            deny_unless_open(hours, row, at, &format!("standard time (UTC{offset})"), code, findings);
        }
    }
}

fn hours_of_day(case: &Case<'_>, place: &PlaceRules, row: &Row<Hours>, at: DateTime) -> DayHours {
    let week = &row.says.week;
    let is_holiday =
        || matches!(week.holiday, DayHours::Open(_)) && place.holiday_on(&case.tables.country, at.date()).is_some();
    if is_holiday() {
        return week.holiday;
    }
    match week.on(at.weekday()) {
        DayHours::Closed if at.weekday() == jiff::civil::Weekday::Sunday => DayHours::Unset,
        hours => hours,
    }
}

fn deny_unless_open(
    hours: DayHours,
    row: &Row<Hours>,
    at: DateTime,
    clock: &str,
    code: ReasonCode,
    findings: &mut Findings,
) {
    if hours.is_open_at(at.time()) {
        return;
    }
    let when = clock_face(at);
    let message = match hours {
        DayHours::Open(window) => {
            format!("It is {when} in {clock}: rule {} allows calls from {window} that day.", row.id)
        }
        _ => format!("It is {when} in {clock}: rule {} allows no calls that day.", row.id),
    };
    findings.deny(code, &row.citation, message);
}
