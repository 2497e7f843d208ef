//! Rows of holidays.toml: legal holidays as rules, from which every year's dates follow.

use jiff::civil::{Date, Weekday};
use serde::Deserialize;

/// One legal holiday.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawHoliday")]
pub struct Holiday {
    pub name: String,
    on: On,
    observed: bool,
    years: Years,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    /// `Jul 4`.
    Fixed { month: i8, day: i8 },
    /// `3rd Mon Jan`; nth -1 is `last Mon May`.
    Nth { nth: i8, weekday: Weekday, month: i8 },
    /// `Tue after 1st Mon Nov`: the first such day of the week after the nth of another.
    After { weekday: Weekday, nth: i8, anchor: Weekday, month: i8 },
    /// `Easter-2`: days from Easter Sunday.
    Easter { days: i16 },
    /// `2026-12-26`: one date only.
    Date(Date),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Years {
    #[default]
    Every,
    Even,
    Odd,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHoliday {
    name: String,
    on: String,
    observed: Option<bool>,
    #[serde(default)]
    years: Years,
}

impl TryFrom<RawHoliday> for Holiday {
    type Error = String;

    fn try_from(raw: RawHoliday) -> Result<Self, String> {
        let on = On::parse(&raw.on).ok_or_else(|| {
            format!(
                "`{}` is not a day: write \"Jul 4\", \"3rd Mon Jan\", \"last Mon May\", \"Tue after 1st Mon Nov\", \"Easter-2\" or \
                 \"2026-12-26\"",
                raw.on
            )
        })?;
        let observed = raw.observed.unwrap_or(matches!(on, On::Fixed { .. }));
        Ok(Self { name: raw.name, on, observed, years: raw.years })
    }
}

impl Holiday {
    /// Whether `date` is this holiday or the day on which it is observed (Saturday's on Friday, Sunday's on Monday; 5
    /// USC 6103(b)).
    pub fn falls_on(&self, date: Date) -> bool {
        if self.is_the_day(date) {
            return true;
        }
        if !self.observed {
            return false;
        }
        let actual = match date.weekday() {
            Weekday::Friday => date.tomorrow(),
            Weekday::Monday => date.yesterday(),
            _ => return false,
        };
        actual.is_ok_and(|day| self.is_the_day(day))
    }

    fn is_the_day(&self, date: Date) -> bool {
        let year_counts = match self.years {
            Years::Every => true,
            Years::Even => date.year() % 2 == 0,
            Years::Odd => date.year() % 2 != 0,
        };
        year_counts && self.on.is(date)
    }
}

impl On {
    fn is(self, date: Date) -> bool {
        match self {
            Self::Fixed { month, day } => date.month() == month && date.day() == day,
            Self::Nth { nth, weekday, month } => {
                date.month() == month
                    && date.weekday() == weekday
                    && date.nth_weekday_of_month(nth, weekday).is_ok_and(|day| day == date)
            }
            Self::After { weekday, nth, anchor, month } => {
                let anchored =
                    Date::new(date.year(), month, 1).and_then(|first| first.nth_weekday_of_month(nth, anchor));
                anchored.and_then(|anchor| anchor.nth_weekday(1, weekday)).is_ok_and(|day| day == date)
            }
            Self::Easter { days } => easter_sunday(date.year()).is_some_and(|easter| {
                date.duration_since(easter) == jiff::SignedDuration::from_hours(i64::from(days) * 24)
            }),
            Self::Date(day) => date == day,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(days) = text.strip_prefix("Easter") {
            let days = if days.is_empty() { 0 } else { days.parse().ok()? };
            return (-200..=200).contains(&days).then_some(Self::Easter { days });
        }
        let words: Vec<&str> = text.split(' ').collect();
        match *words.as_slice() {
            [day, "after", nth, anchor, month] => Some(Self::After {
                weekday: parse_weekday(day)?,
                nth: parse_nth(nth)?,
                anchor: parse_weekday(anchor)?,
                month: parse_month(month)?,
            }),
            [nth, day, month] => {
                Some(Self::Nth { nth: parse_nth(nth)?, weekday: parse_weekday(day)?, month: parse_month(month)? })
            }
            [month, day] => {
                let (month, day) = (parse_month(month)?, day.parse().ok()?);
                // A leap year, so that 29 February is a day.
                Date::new(2024, month, day).ok().map(|_| Self::Fixed { month, day })
            }
            [date] => date.parse().ok().map(Self::Date),
            _ => None,
        }
    }
}

fn parse_nth(text: &str) -> Option<i8> {
    Some(match text {
        "1st" => 1,
        "2nd" => 2,
        "3rd" => 3,
        "4th" => 4,
        "5th" => 5,
        "last" => -1,
        _ => return None,
    })
}

fn parse_weekday(text: &str) -> Option<Weekday> {
    Some(match text {
        "Mon" => Weekday::Monday,
        "Tue" => Weekday::Tuesday,
        "Wed" => Weekday::Wednesday,
        "Thu" => Weekday::Thursday,
        "Fri" => Weekday::Friday,
        "Sat" => Weekday::Saturday,
        "Sun" => Weekday::Sunday,
        _ => return None,
    })
}

fn parse_month(text: &str) -> Option<i8> {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let index = months.iter().position(|month| *month == text)?;
    i8::try_from(index + 1).ok()
}

/// Easter Sunday of the Gregorian calendar, by the Anonymous Gregorian computus (Meeus/Jones/Butcher).
fn easter_sunday(year: i16) -> Option<Date> {
    let y = i32::from(year);
    let golden = y % 19;
    let century = y / 100;
    let of_century = y % 100;
    let skipped_leap_days = century - century / 4;
    let lunar_correction = (century - (century + 8) / 25 + 1) / 3;
    let epact = (19 * golden + skipped_leap_days - lunar_correction + 15) % 30;
    let weekday = (32 + 2 * (century % 4) + 2 * (of_century / 4) - epact - of_century % 4) % 7;
    let correction = (golden + 11 * epact + 22 * weekday) / 451;
    let day_of_march = epact + weekday - 7 * correction + 22;
    let (month, day) = if day_of_march > 31 { (4, day_of_march - 31) } else { (3, day_of_march) };
    Date::new(year, month, i8::try_from(day).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn holiday(on: &str) -> Holiday {
        let raw = RawHoliday { name: "a day".to_owned(), on: on.to_owned(), observed: None, years: Years::Every };
        raw.try_into().unwrap()
    }

    #[test]
    fn easter_agrees_with_published_dates() {
        let known =
            [(2024, 3, 31), (2025, 4, 20), (2026, 4, 5), (2027, 3, 28), (2028, 4, 16), (2030, 4, 21), (2038, 4, 25)];
        for (year, month, day) in known {
            assert_eq!(easter_sunday(year), Some(date(year, month, day)));
        }
        assert!(holiday("Easter-47").falls_on(date(2027, 2, 9)), "Mardi Gras 2027");
        assert!(holiday("Easter-2").falls_on(date(2027, 3, 26)), "Good Friday 2027");
    }

    #[test]
    fn a_weekend_day_is_observed_too() {
        let fourth = holiday("Jul 4");
        assert!(fourth.falls_on(date(2026, 7, 4)) && fourth.falls_on(date(2026, 7, 3)), "Saturday: Friday before");
        assert!(fourth.falls_on(date(2027, 7, 4)) && fourth.falls_on(date(2027, 7, 5)), "Sunday: Monday after");
        assert!(
            !fourth.falls_on(date(2028, 7, 3)) && !fourth.falls_on(date(2028, 7, 5)),
            "a Tuesday is observed alone"
        );
        assert!(holiday("Jan 1").falls_on(date(2027, 12, 31)), "across the year's end");
    }

    #[test]
    fn days_of_the_week_follow_the_calendar() {
        assert!(holiday("3rd Mon Jan").falls_on(date(2027, 1, 18)));
        assert!(holiday("last Mon May").falls_on(date(2027, 5, 31)));
        assert!(holiday("4th Thu Nov").falls_on(date(2026, 11, 26)));
        let election = holiday("Tue after 1st Mon Nov");
        assert!(election.falls_on(date(2026, 11, 3)) && election.falls_on(date(2022, 11, 8)));
        assert!(!election.falls_on(date(2022, 11, 1)), "the 1st is a Tuesday before the first Monday");
        assert!(holiday("2026-12-26").falls_on(date(2026, 12, 26)));
    }

    #[test]
    fn texts_that_name_no_day_are_refused() {
        for text in
            ["", "Jul", "Jul 32", "6th Mon Jan", "Mon after Nov", "Easter+x", "Easter-900", "2026-13-01", "jul 4"]
        {
            assert_eq!(On::parse(text), None, "{text}");
        }
    }
}
