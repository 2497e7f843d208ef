//! The states' narrower hours for automated and artificial voices, on top of their calling hours.

use super::{Findings, Rule, Stage, clock_face};
use crate::compliance::case::Case;
use crate::compliance::tables::week::DayHours;
use crate::domain::ReasonCode;

pub(super) const RULE: Rule = Rule {
    name: "automated_voice_hours",
    law: "the states' device laws (automated_voice.toml)",
    stage: Stage::Call,
    check,
};

fn check(case: &Case<'_>, findings: &mut Findings) {
    for place in case.rules() {
        for row in case.automated_hours(place) {
            for local in case.zones.iter().filter(|local| row.is_in_force_on(local.at.date())) {
                let week = &row.says.week;
                let is_holiday =
                    week.minds_holidays() && place.holiday_on(&case.tables.country, local.at.date()).is_some();
                let hours = week.on_day(local.at.weekday(), is_holiday);
                if hours.is_open_at(local.at.time()) {
                    continue;
                }
                let (when, zone) = (clock_face(local.at), &local.zone.name);
                let allowed = match hours {
                    DayHours::Open(window) => format!("calls with such a voice from {window} that day"),
                    _ => "no calls with such a voice that day".to_owned(),
                };
                let message = format!("It is {when} in {zone}: rule {} allows {allowed}.", row.id);
                findings.deny(ReasonCode::OutsideHoursStateAutomated, &row.citation, message);
            }
        }
    }
}
