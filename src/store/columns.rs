//! How our types stand in columns: instants, dates, words, JSON, hashes, cursors.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::{DeserializeOwned, IntoDeserializer, value::StrDeserializer};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::StoreError;

/// A place in a list, to go on from. Opaque: made by one list, understood by the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    at: String,
    id: String,
}

/// Part of a list, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing<T> {
    pub items: Vec<T>,
    /// Where the list goes on, if it does.
    pub next: Option<Cursor>,
}

impl Cursor {
    pub(super) fn new(at: Timestamp, id: impl fmt::Display) -> Self {
        Self { at: stamp(at), id: id.to_string() }
    }

    pub(super) fn at(&self) -> &str {
        &self.at
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(format!("{} {}", self.at, self.id)))
    }
}

impl FromStr for Cursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| StoreError::BadCursor)?;
        let text = String::from_utf8(bytes).map_err(|_| StoreError::BadCursor)?;
        let (at, id) = text.split_once(' ').ok_or(StoreError::BadCursor)?;
        let at = at.parse().map_err(|_| StoreError::BadCursor)?;
        Ok(Self::new(at, id))
    }
}

impl<T> Listing<T> {
    /// From rows of which one more than `limit` was asked for, to see whether the list goes on.
    pub(super) fn cut(mut items: Vec<T>, limit: u32, cursor_of: impl FnOnce(&T) -> Cursor) -> Self {
        let limit = limit as usize;
        let goes_on = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| goes_on).map(cursor_of);
        Self { items, next }
    }
}

/// An instant as RFC 3339 text in UTC with nine decimals: exact, readable, and in text order as in time order.
pub(super) fn stamp(at: Timestamp) -> String {
    format!("{at:.9}")
}

pub(super) fn parse<T: FromStr>(text: &str, table: &'static str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Unreadable { table })
}

pub(super) fn parse_opt<T: FromStr>(text: Option<&str>, table: &'static str) -> Result<Option<T>, StoreError> {
    text.map(|text| parse(text, table)).transpose()
}

pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("domain types have string keys and no failing serialisers")
}

pub(super) fn from_json<T: DeserializeOwned>(text: &str, table: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Unreadable { table })
}

/// The published word of a unit variant, `in_progress`.
pub(super) fn word(value: &impl Serialize) -> String {
    json(value).trim_matches('"').to_owned()
}

pub(super) fn parse_word<T: DeserializeOwned>(text: &str, table: &'static str) -> Result<T, StoreError> {
    let deserializer: StrDeserializer<'_, serde::de::value::Error> = text.into_deserializer();
    T::deserialize(deserializer).map_err(|_| StoreError::Unreadable { table })
}

/// SHA-256 in lower-case hex.
pub(super) fn sha256_hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        fmt::Write::write_fmt(&mut hex, format_args!("{byte:02x}")).expect("a String takes any text");
        hex
    })
}

/// A UUID v7 of this instant: rows that are written together then lie together in their index.
pub(super) fn new_uuid(now: Timestamp) -> Uuid {
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::CallState;

    #[test]
    fn stamps_sort_as_text_and_read_back() {
        let instants: Vec<Timestamp> =
            ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000001Z", "2026-01-01T00:00:00.5Z"]
                .map(|text| text.parse().unwrap())
                .to_vec();
        let texts: Vec<String> = instants.iter().copied().map(stamp).collect();
        assert!(texts.is_sorted());
        assert_eq!(texts[0], "2026-01-01T00:00:00.000000000Z");
        assert_eq!(texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Timestamp>>(), instants);
    }

    #[test]
    fn words_are_the_published_ones() {
        assert_eq!(word(&CallState::InProgress), "in_progress");
        assert_eq!(parse_word::<CallState>("in_progress", "calls").unwrap(), CallState::InProgress);
        assert!(parse_word::<CallState>("in progress", "calls").is_err());
    }

    #[test]
    fn a_cursor_reads_back_and_nothing_else_does() {
        let cursor = Cursor::new("2026-01-01T00:00:00Z".parse().unwrap(), "call_1");
        assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        assert!(matches!("???".parse::<Cursor>(), Err(StoreError::BadCursor)));
        let not_a_time = BASE64_URL_SAFE_NO_PAD.encode("x call_1");
        assert!(matches!(not_a_time.parse::<Cursor>(), Err(StoreError::BadCursor)));
    }

    #[test]
    fn sha256_is_the_standard_one() {
        assert_eq!(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
