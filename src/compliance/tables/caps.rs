//! Rows of `frequency_caps.toml`: how often one number may be called.

use jiff::SignedDuration;
use serde::Deserialize;

use super::hours::telemarketing;
use crate::domain::Purpose;
use crate::domain::decision::Voice;

/// At most `count` attempts in any `window`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawFrequencyCap")]
pub struct FrequencyCap {
    pub kind: CapKind,
    pub count: usize,
    pub window: SignedDuration,
    /// Besides the window, at most `count` on one local calendar date.
    pub calendar_day: bool,
    pub voices: Vec<Voice>,
    pub purposes: Vec<Purpose>,
    pub lifted_by: Vec<CapLift>,
}

/// Which calls a cap counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapKind {
    /// Sales calls, under state law.
    Solicitation,
    /// Calls that use an exemption instead of consent, under 47 CFR 64.1200(a)(3).
    Exempt,
}

/// What lifts a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapLift {
    Purchase,
    Inquiry,
    Consent,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFrequencyCap {
    kind: CapKind,
    count: usize,
    window_hours: u32,
    #[serde(default)]
    calendar_day: bool,
    #[serde(default = "every_voice")]
    voices: Vec<Voice>,
    #[serde(default = "telemarketing")]
    purposes: Vec<Purpose>,
    #[serde(default)]
    lifted_by: Vec<CapLift>,
}

fn every_voice() -> Vec<Voice> {
    vec![Voice::Ai, Voice::Human]
}

impl TryFrom<RawFrequencyCap> for FrequencyCap {
    type Error = &'static str;

    fn try_from(raw: RawFrequencyCap) -> Result<Self, Self::Error> {
        let RawFrequencyCap { kind, count, window_hours, calendar_day, voices, purposes, lifted_by } = raw;
        if count == 0 {
            return Err("count is at least 1: use a prohibition to allow none");
        }
        if !(1..=24 * 366).contains(&window_hours) {
            return Err("window_hours is 1 to 8784");
        }
        let window = SignedDuration::from_hours(i64::from(window_hours));
        Ok(Self { kind, count, window, calendar_day, voices, purposes, lifted_by })
    }
}
