//! Windows of the day, and a week of them.

use std::fmt;

use jiff::civil::{Time, Weekday};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A span of the local day in whole minutes, the start included, the end excluded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Window {
    start: u16,
    end: u16,
}

impl Window {
    /// The whole day, 00:00 to 24:00.
    pub const ALL_DAY: Self = Self { start: 0, end: 24 * 60 };

    pub fn contains(self, time: Time) -> bool {
        let seconds = i32::from(time.hour()) * 3600 + i32::from(time.minute()) * 60 + i32::from(time.second());
        i32::from(self.start) * 60 <= seconds && seconds < i32::from(self.end) * 60
    }

    /// What both windows have in common.
    pub fn and(self, other: Self) -> Option<Self> {
        let both = Self { start: self.start.max(other.start), end: self.end.min(other.end) };
        (both.start < both.end).then_some(both)
    }

    /// Minutes after local midnight.
    pub fn start_minute(self) -> u16 {
        self.start
    }

    /// Minutes after local midnight, 1440 for the end of the day.
    pub fn end_minute(self) -> u16 {
        self.end
    }

    pub fn is_within(self, other: Self) -> bool {
        other.start <= self.start && self.end <= other.end
    }

    fn parse(text: &str) -> Option<Self> {
        let (start, end) = text.split_once('-')?;
        let window = Self { start: minute_of_day(start)?, end: minute_of_day(end)? };
        (window.start < window.end).then_some(window)
    }
}

fn minute_of_day(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !two_digits(hour) || !two_digits(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= 24 * 60).then_some(total)
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, end) = (self.start, self.end);
        write!(f, "{:02}:{:02} to {:02}:{:02}", start / 60, start % 60, end / 60, end % 60)
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a row says about one kind of day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DayHours {
    /// Nothing.
    #[default]
    Unset,
    Closed,
    Open(Window),
}

impl DayHours {
    pub fn is_open_at(self, time: Time) -> bool {
        match self {
            Self::Unset => true,
            Self::Closed => false,
            Self::Open(window) => window.contains(time),
        }
    }

    /// The window, all day where nothing is said; none if closed.
    pub fn window(self) -> Option<Window> {
        match self {
            Self::Unset => Some(Window::ALL_DAY),
            Self::Closed => None,
            Self::Open(window) => Some(window),
        }
    }

    fn is_within(self, other: Self) -> bool {
        match (self.window(), other.window()) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(theirs)) => mine.is_within(theirs),
        }
    }
}

impl<'de> Deserialize<'de> for DayHours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "closed" {
            return Ok(Self::Closed);
        }
        Window::parse(&text).map(Self::Open).ok_or_else(|| {
            D::Error::custom(format!(
                "`{text}` is not a window: write \"08:00-21:00\" (start before end) or \"closed\""
            ))
        })
    }
}

/// The hours of a week, and of legal holidays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Week {
    pub mon_fri: DayHours,
    pub saturday: DayHours,
    pub sunday: DayHours,
    /// On a legal holiday of the place, instead of the weekday's own.
    pub holiday: DayHours,
}

impl Week {
    /// The hours of a day of the week that is no holiday.
    pub fn on(&self, weekday: Weekday) -> DayHours {
        match weekday {
            Weekday::Saturday => self.saturday,
            Weekday::Sunday => self.sunday,
            _ => self.mon_fri,
        }
    }

    /// The hours of a day that may be a legal holiday of the place.
    pub fn on_day(&self, weekday: Weekday, is_holiday: bool) -> DayHours {
        if is_holiday && self.minds_holidays() { self.holiday } else { self.on(weekday) }
    }

    /// Whether holidays matter to these hours at all.
    pub fn minds_holidays(&self) -> bool {
        self.holiday != DayHours::Unset
    }

    /// Whether these hours are never open when `other` is closed.
    pub fn is_within(&self, other: &Self) -> bool {
        let holiday = match (self.holiday, other.holiday) {
            (_, DayHours::Unset) => true,
            (mine, theirs) => mine != DayHours::Unset && mine.is_within(theirs),
        };
        let holiday_window_opens_no_closed_day = match self.holiday {
            DayHours::Open(_) => {
                let days = [other.mon_fri, other.saturday, other.sunday];
                other.holiday != DayHours::Unset || days.iter().all(|day| self.holiday.is_within(*day))
            }
            _ => true,
        };
        self.mon_fri.is_within(other.mon_fri)
            && self.saturday.is_within(other.saturday)
            && self.sunday.is_within(other.sunday)
            && holiday
            && holiday_window_opens_no_closed_day
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_starts_in_and_ends_out() {
        let window = Window::parse("08:00-21:00").unwrap();
        assert!(!window.contains(jiff::civil::time(7, 59, 59, 999_999_999)));
        assert!(window.contains(jiff::civil::time(8, 0, 0, 0)));
        assert!(window.contains(jiff::civil::time(20, 59, 59, 999_999_999)));
        assert!(!window.contains(jiff::civil::time(21, 0, 0, 0)));
        assert!(Window::ALL_DAY.contains(jiff::civil::time(23, 59, 59, 0)));
    }

    #[test]
    fn bad_windows_are_refused() {
        for text in
            ["", "8:00-21:00", "21:00-08:00", "08:00-08:00", "08:00", "08:60-09:00", "08:00-24:01", "+8:00-21:00"]
        {
            assert_eq!(Window::parse(text), None, "{text}");
        }
        assert_eq!(Window::parse("00:00-24:00"), Some(Window::ALL_DAY));
    }
}
