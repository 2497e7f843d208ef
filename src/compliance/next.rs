//! The next permissible instant: the earliest at which every time rule and every cap passes.
//!
//! Found by jumping, never by scanning: each clock and each cap names the earliest instant at which *it* could pass, no
//! call can be allowed before the latest of these, and so the search goes on from there until all agree.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::case::Case;
use super::counting::{full_until, round_up_to_second};
use super::tables::PlaceRules;
use super::tables::caps::{CapKind, FrequencyCap};
use super::tables::hours::{AutomatedVoice, Hours};
use super::tables::row::Row;
use super::tables::week::{Week, Window};

/// How far ahead the search looks. Nothing in that time is an answer too: there is none.
pub const HORIZON: SignedDuration = SignedDuration::from_hours(62 * 24);

/// The earliest instant from now on at which the time rules and caps of this case pass. Consents, lists and the other
/// rules are not asked again.
pub fn next_permissible(case: &Case<'_>) -> Option<Timestamp> {
    let horizon = case.now.checked_add(HORIZON).unwrap_or(Timestamp::MAX);
    let clocks = Clock::of(case);
    let caps: Vec<&FrequencyCap> =
        case.caps(CapKind::Solicitation).chain(case.caps(CapKind::Exempt)).map(|row| &row.says).collect();
    let mut at = round_up_to_second(case.now);
    loop {
        let mut earliest = at;
        for cap in &caps {
            earliest = earliest.max(full_until(cap, &case.attempts, &case.zones, earliest).unwrap_or(earliest));
        }
        for clock in &clocks {
            earliest = clock.opens(earliest, horizon)?;
        }
        if earliest > horizon {
            return None;
        }
        if earliest == at {
            return Some(at);
        }
        at = earliest;
    }
}

/// One clock, and the hours that must be open on it.
struct Clock<'a> {
    reading: Reading,
    country: &'a PlaceRules,
    place: &'a PlaceRules,
    hours: Vec<&'a Row<Hours>>,
    automated: Vec<&'a Row<AutomatedVoice>>,
}

/// What a clock shows.
enum Reading {
    Zone(TimeZone),
    /// A fixed offset that counts only while daylight time runs in a zone.
    WhileDaylight {
        reference: TimeZone,
        offset: Offset,
    },
}

impl<'a> Clock<'a> {
    /// Every clock of a case: each zone with each state's rows, the country's, and the fixed clocks that rows add.
    fn of(case: &'a Case<'a>) -> Vec<Self> {
        let country = &case.tables.country;
        let mut clocks = Vec::new();
        for place in case.rules() {
            let hours: Vec<_> = case.hours(place).collect();
            let automated: Vec<_> = case.automated_hours(place).iter().collect();
            if hours.is_empty() && automated.is_empty() {
                continue;
            }
            for local in &case.zones {
                let reading = Reading::Zone(local.zone.tz.clone());
                clocks.push(Self { reading, country, place, hours: hours.clone(), automated: automated.clone() });
            }
            for row in hours {
                let Some(other) = &row.says.other_clock else { continue };
                let Some(reference) = case.tables.zone(&other.while_daylight_time_in) else { continue };
                let reading = Reading::WhileDaylight { reference: reference.tz, offset: other.offset };
                clocks.push(Self { reading, country, place, hours: vec![row], automated: Vec::new() });
            }
        }
        clocks
    }

    /// The earliest instant from `from` on at which every row is open on this clock.
    fn opens(&self, from: Timestamp, horizon: Timestamp) -> Option<Timestamp> {
        let mut at = from;
        while at <= horizon {
            let (offset, until) = self.reading.segment(at);
            let Some(offset) = offset else { return Some(at) };
            if let Some(opens) = self.opens_in_segment(at, offset, until.min(horizon)) {
                return Some(opens);
            }
            if until == Timestamp::MAX {
                return None;
            }
            at = until;
        }
        None
    }

    /// The same, as long as the clock's offset holds.
    fn opens_in_segment(&self, at: Timestamp, offset: Offset, until: Timestamp) -> Option<Timestamp> {
        let local = offset.to_datetime(at);
        if self.window(local.date()).is_some_and(|window| window.contains(local.time())) {
            return Some(at);
        }
        let mut date = local.date();
        loop {
            if let Some(window) = self.window(date) {
                let opens = at_minute(date, window.start_minute());
                if opens > local {
                    let opens = offset.to_timestamp(opens).ok()?;
                    return (opens <= until).then_some(opens);
                }
            }
            date = date.tomorrow().ok()?;
            if offset.to_timestamp(date.to_datetime(Time::midnight())).ok()? > until {
                return None;
            }
        }
    }

    /// What all rows leave open of a local date.
    fn window(&self, date: Date) -> Option<Window> {
        let is_holiday = |week: &Week| week.minds_holidays() && self.place.holiday_on(self.country, date).is_some();
        let hours = self.hours.iter().filter(|row| row.is_in_force_on(date)).map(|row| &row.says.week);
        let automated = self.automated.iter().filter(|row| row.is_in_force_on(date)).map(|row| &row.says.week);
        hours
            .chain(automated)
            .try_fold(Window::ALL_DAY, |open, week| open.and(week.on_day(date.weekday(), is_holiday(week)).window()?))
    }
}

impl Reading {
    /// The offset at an instant, none while this clock does not count, and the instant until which it holds.
    fn segment(&self, at: Timestamp) -> (Option<Offset>, Timestamp) {
        let tz = match self {
            Self::Zone(tz) | Self::WhileDaylight { reference: tz, .. } => tz,
        };
        let until = tz.following(at).next().map_or(Timestamp::MAX, |transition| transition.timestamp());
        let offset = match self {
            Self::Zone(tz) => Some(tz.to_offset(at)),
            Self::WhileDaylight { reference, offset } => reference.to_offset_info(at).dst().is_dst().then_some(*offset),
        };
        (offset, until)
    }
}

/// A minute of a day, at most 24:00, which is the next day's midnight.
fn at_minute(date: Date, minute: u16) -> DateTime {
    let minutes = SignedDuration::from_mins(i64::from(minute));
    date.to_datetime(Time::midnight()).saturating_add(minutes)
}
