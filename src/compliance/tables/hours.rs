//! Rows of `calling_hours.toml` and `automated_voice.toml`: when calls may be made, and what a state asks of automated
//! voices.

use jiff::tz::Offset;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::week::{DayHours, Week};
use crate::domain::Purpose;

/// When calls for `purposes` may be made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawHours")]
pub struct Hours {
    pub purposes: Vec<Purpose>,
    pub week: Week,
    pub other_clock: Option<OtherClock>,
    pub lifted_by: Vec<HoursLift>,
}

/// A second clock on which the hours must be open too, while daylight time runs in a zone: Mississippi's statute names
/// Central *Standard* Time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherClock {
    pub offset: Offset,
    pub while_daylight_time_in: String,
}

/// What lifts hours, where the profile lets the law's own exceptions count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoursLift {
    Consent,
    Relationship,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHours {
    #[serde(default = "telemarketing")]
    purposes: Vec<Purpose>,
    #[serde(default)]
    mon_fri: DayHours,
    #[serde(default)]
    saturday: DayHours,
    #[serde(default)]
    sunday: DayHours,
    #[serde(default)]
    holiday: DayHours,
    #[serde(default, deserialize_with = "offset")]
    other_clock: Option<Offset>,
    while_daylight_time_in: Option<String>,
    #[serde(default)]
    lifted_by: Vec<HoursLift>,
}

impl TryFrom<RawHours> for Hours {
    type Error = &'static str;

    fn try_from(raw: RawHours) -> Result<Self, Self::Error> {
        let RawHours { purposes, mon_fri, saturday, sunday, holiday, other_clock, while_daylight_time_in, lifted_by } =
            raw;
        let other_clock = match (other_clock, while_daylight_time_in) {
            (None, None) => None,
            (Some(offset), Some(while_daylight_time_in)) => Some(OtherClock { offset, while_daylight_time_in }),
            _ => return Err("other_clock and while_daylight_time_in go together"),
        };
        Ok(Self { purposes, week: Week { mon_fri, saturday, sunday, holiday }, other_clock, lifted_by })
    }
}

/// What a state asks of automated, recorded, synthesized or artificial voices in sales calls.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "RawAutomatedVoice")]
pub struct AutomatedVoice {
    pub device: Option<Device>,
    pub week: Week,
}

/// What a state asks before such a device may be used at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    Consent,
    Permit,
    Prohibited,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAutomatedVoice {
    device: Option<Device>,
    #[serde(default)]
    mon_fri: DayHours,
    #[serde(default)]
    saturday: DayHours,
    #[serde(default)]
    sunday: DayHours,
    #[serde(default)]
    holiday: DayHours,
}

impl From<RawAutomatedVoice> for AutomatedVoice {
    fn from(raw: RawAutomatedVoice) -> Self {
        let RawAutomatedVoice { device, mon_fri, saturday, sunday, holiday } = raw;
        Self { device, week: Week { mon_fri, saturday, sunday, holiday } }
    }
}

pub(super) fn telemarketing() -> Vec<Purpose> {
    vec![Purpose::Telemarketing]
}

fn offset<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Offset>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let hours = text.strip_suffix(":00").and_then(|hours| hours.parse::<i8>().ok());
    match hours.and_then(|hours| Offset::from_hours(hours).ok()) {
        Some(offset) => Ok(Some(offset)),
        None => Err(D::Error::custom(format!("`{text}` is not an offset in whole hours like -06:00"))),
    }
}
