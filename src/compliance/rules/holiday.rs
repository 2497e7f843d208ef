//! No sales calls on legal holidays and the days on which they are observed, where a state says so.

use super::{Findings, Rule, Stage, clock_face};
use crate::compliance::case::Case;
use crate::compliance::tables::week::DayHours;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule = Rule {
    name: "holiday",
    law: "the states' calling hours (calling_hours.toml, holidays.toml)",
    stage: Stage::Call,
    check,
};

fn check(case: &Case<'_>, findings: &mut Findings) {
    let country = &case.tables.country;
    for place in case.rules() {
        for row in case.hours(place).filter(|row| row.says.week.holiday == DayHours::Closed) {
            for local in &case.zones {
                let date = local.at.date();
                let Some(holiday) = place.holiday_on(country, date).filter(|_| row.is_in_force_on(date)) else {
                    continue;
                };
                let (when, zone, name) = (clock_face(local.at), &local.zone.name, &holiday.says.name);
                let message = format!(
                    "It is {when} in {zone}, {name} or the day it is observed: rule {} allows no calls.",
                    row.id
                );
                findings.deny(ReasonCode::HolidayBan, &row.citation, message);
            }
        }
    }
}
