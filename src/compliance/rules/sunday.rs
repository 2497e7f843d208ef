//! No sales calls on Sundays, where a state says so.

use jiff::civil::Weekday;

use super::{Findings, Rule, Stage, clock_face};
use crate::compliance::case::Case;
use crate::compliance::tables::week::DayHours;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule =
    Rule { name: "sunday", law: "the states' calling hours (calling_hours.toml)", stage: Stage::Call, check };

fn check(case: &Case<'_>, findings: &mut Findings) {
    for place in case.rules() {
        for row in case.hours(place).filter(|row| row.says.week.sunday == DayHours::Closed) {
            for local in case.zones.iter().filter(|local| local.at.weekday() == Weekday::Sunday) {
                let date = local.at.date();
                // A window for holidays replaces the Sunday's own hours.
                let replaced = matches!(row.says.week.holiday, DayHours::Open(_))
                    && place.holiday_on(&case.tables.country, date).is_some();
                if row.is_in_force_on(date) && !replaced {
                    let (when, zone) = (clock_face(local.at), &local.zone.name);
                    let message = format!("It is {when} in {zone}: rule {} allows no calls on Sundays.", row.id);
                    findings.deny(ReasonCode::SundayBan, &row.citation, message);
                }
            }
        }
    }
}
