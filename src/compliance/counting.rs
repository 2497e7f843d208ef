//! Counting attempts against a frequency cap, over elapsed time and, where the row asks, over local calendar dates.

use jiff::{SignedDuration, Timestamp};

use super::case::LocalTime;
use super::tables::caps::FrequencyCap;

/// The instant at which a full cap has room again, rounded up to the second; none if it has room at `at`.
///
/// `attempts` are sorted, the oldest first. An attempt counts from its own instant on and until it is exactly one
/// window old.
pub(super) fn full_until(
    cap: &FrequencyCap,
    attempts: &[Timestamp],
    zones: &[LocalTime],
    at: Timestamp,
) -> Option<Timestamp> {
    let happened = &attempts[..attempts.partition_point(|attempt| *attempt <= at)];
    let old = happened.partition_point(|attempt| at.duration_since(*attempt) >= cap.window);
    let rolling = frees_slot(&happened[old..], cap.count).map(|attempt| {
        let frees = attempt.checked_add(cap.window).unwrap_or(Timestamp::MAX);
        round_up_to_second(frees)
    });
    if !cap.calendar_day {
        return rolling;
    }
    zones.iter().filter_map(|local| full_until_midnight(cap, happened, local, at)).chain(rolling).max()
}

/// The attempt that must leave the window before another fits.
fn frees_slot(in_window: &[Timestamp], count: usize) -> Option<Timestamp> {
    in_window.len().checked_sub(count).map(|index| in_window[index])
}

fn full_until_midnight(
    cap: &FrequencyCap,
    happened: &[Timestamp],
    local: &LocalTime,
    at: Timestamp,
) -> Option<Timestamp> {
    let tz = &local.zone.tz;
    let date = tz.to_datetime(at).date();
    let today = happened.iter().rev().take_while(|attempt| tz.to_datetime(**attempt).date() == date).count();
    if today < cap.count {
        return None;
    }
    let tomorrow = date.tomorrow().and_then(|tomorrow| tomorrow.to_zoned(tz.clone()));
    Some(tomorrow.map_or(Timestamp::MAX, |midnight| midnight.timestamp()))
}

/// Instants that a person reads are whole seconds; rounding up keeps them after the edge.
pub(super) fn round_up_to_second(at: Timestamp) -> Timestamp {
    let past = at.subsec_nanosecond();
    if past == 0 {
        return at;
    }
    let to_go = if past > 0 { 1_000_000_000 - past } else { -past };
    at.checked_add(SignedDuration::from_nanos(i64::from(to_go))).unwrap_or(Timestamp::MAX)
}
