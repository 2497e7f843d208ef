//! What every row of a rule table has: an id, a place, when it is in force, and where it comes from.

use jiff::civil::Date;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};

use super::error::TableError;
use crate::compliance::place::StateCode;

/// One row of a rule table. `T` is what the row says; the rest is where and when it holds and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<T> {
    /// The file it was read from, for errors.
    pub file: String,
    /// Stable name, quoted in reasons and in the operator's own file: `FL.hours`.
    pub id: String,
    pub place: Scope,
    /// First local date on which the row is in force.
    pub from: Option<Date>,
    /// First local date on which it no longer is.
    pub until: Option<Date>,
    pub citation: String,
    pub confidence: Confidence,
    /// When the source was last read.
    pub source_date: Date,
    pub note: Option<String>,
    /// Why the operator made this row laxer than the shipped one.
    pub acknowledge_loosening: Option<String>,
    pub says: T,
}

/// Where a row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// `US`: every number.
    Country,
    State(StateCode),
}

/// How sure the source is, as its reader graded it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    High,
    Medium,
    Low,
}

impl<T> Row<T> {
    pub fn is_in_force_on(&self, date: Date) -> bool {
        self.from.is_none_or(|from| from <= date) && self.until.is_none_or(|until| date < until)
    }

    /// Whether this row is in force whenever `other` is.
    pub fn is_in_force_whenever(&self, other: &Self) -> bool {
        let starts_no_later = match (self.from, other.from) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(theirs)) => mine <= theirs,
        };
        let ends_no_earlier = match (self.until, other.until) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(theirs)) => mine >= theirs,
        };
        starts_no_later && ends_no_earlier
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "US" {
            return Ok(Self::Country);
        }
        text.parse().map(Self::State).map_err(D::Error::custom)
    }
}

/// The keys that every row may have; the others belong to what the row says.
#[derive(Deserialize)]
struct Head {
    id: String,
    place: Scope,
    #[serde(default, deserialize_with = "optional_date")]
    from: Option<Date>,
    #[serde(default, deserialize_with = "optional_date")]
    until: Option<Date>,
    citation: String,
    confidence: Confidence,
    #[serde(deserialize_with = "date")]
    source_date: Date,
    note: Option<String>,
    acknowledge_loosening: Option<String>,
}

const HEAD_KEYS: [&str; 9] =
    ["id", "place", "from", "until", "citation", "confidence", "source_date", "note", "acknowledge_loosening"];

/// Takes the rows `[[table]]` out of a parsed file. An absent table has no rows.
pub(in crate::compliance) fn take_rows<T: DeserializeOwned>(
    file: &str,
    document: &mut toml::Table,
    table: &str,
) -> Result<Vec<Row<T>>, TableError> {
    let rows = match document.remove(table) {
        None => return Ok(Vec::new()),
        Some(toml::Value::Array(rows)) => rows,
        Some(_) => {
            let reason = format!("rows are written as [[{table}]]");
            return Err(TableError::Row { file: file.to_owned(), row: table.to_owned(), reason });
        }
    };
    rows.into_iter().enumerate().map(|(index, row)| parse_row(file, table, index, row)).collect()
}

fn parse_row<T: DeserializeOwned>(
    file: &str,
    table: &str,
    index: usize,
    row: toml::Value,
) -> Result<Row<T>, TableError> {
    let mut name = format!("[[{table}]] number {}", index + 1);
    let toml::Value::Table(mut says) = row else {
        let reason = format!("rows are written as [[{table}]]");
        return Err(TableError::Row { file: file.to_owned(), row: name, reason });
    };
    if let Some(id) = says.get("id").and_then(toml::Value::as_str) {
        name = format!("{name} ({id})");
    }
    let failed = |reason: toml::de::Error| TableError::Row {
        file: file.to_owned(),
        row: name.clone(),
        reason: reason.message().to_owned(),
    };
    let head: toml::Table = HEAD_KEYS.iter().filter_map(|key| says.remove_entry(*key)).collect();
    let head: Head = head.try_into().map_err(failed)?;
    let says = says.try_into().map_err(failed)?;
    let Head { id, place, from, until, citation, confidence, source_date, note, acknowledge_loosening } = head;
    if citation.trim().is_empty() {
        return Err(TableError::Row { file: file.to_owned(), row: name, reason: "a row needs a citation".to_owned() });
    }
    let file = file.to_owned();
    Ok(Row { file, id, place, from, until, citation, confidence, source_date, note, acknowledge_loosening, says })
}

fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let written = toml::value::Datetime::deserialize(deserializer)?;
    let (Some(date), None, None) = (written.date, written.time, written.offset) else {
        return Err(D::Error::custom("expected a date like 2026-11-21"));
    };
    let parts = (i16::try_from(date.year), i8::try_from(date.month), i8::try_from(date.day));
    let (Ok(year), Ok(month), Ok(day)) = parts else {
        return Err(D::Error::custom("the date is out of range"));
    };
    Date::new(year, month, day).map_err(D::Error::custom)
}

fn optional_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    date(deserializer).map(Some)
}
