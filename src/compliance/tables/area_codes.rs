//! `area_codes.csv`: what each area code of the North American Numbering Plan is, and where.

use serde::Deserialize;

use super::error::TableError;
use crate::domain::phone::Npa;

/// One area code as NANPA lists it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AreaCodeRow {
    pub npa: u16,
    /// A US state's two letters; elsewhere a country or province, for display only.
    pub region: String,
    /// IANA names joined by `|`: every zone that the area may be in.
    pub zones: String,
    pub kind: NumberKind,
    /// ISO code; empty on codes without a place.
    pub country: String,
    pub status: Status,
    #[serde(default)]
    pub in_service_date: String,
    #[serde(default)]
    pub notes: String,
}

/// What kind of numbers an area code holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberKind {
    Geographic,
    TollFree,
    Premium,
    #[serde(rename = "non_geographic_5xx")]
    Personal,
    NonGeographicCanada,
    CarrierService,
    UsGovernment,
    N11Service,
    Reserved,
}

impl NumberKind {
    /// The kind in words, to follow "a".
    pub fn describe(self) -> &'static str {
        match self {
            Self::Geographic => "geographic",
            Self::TollFree => "toll-free",
            Self::Premium => "premium-rate",
            Self::Personal => "non-geographic personal",
            Self::NonGeographicCanada => "non-geographic Canadian",
            Self::CarrierService => "carrier service",
            Self::UsGovernment => "US government",
            Self::N11Service => "service",
            Self::Reserved => "reserved",
        }
    }
}

/// Whether an area code may be dialled yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    InService,
    AssignedNotInService,
    NotAssignable,
    NotInUse,
}

impl AreaCodeRow {
    pub fn zone_names(&self) -> impl Iterator<Item = &str> {
        self.zones.split('|').filter(|name| !name.is_empty())
    }

    pub fn is_of_a_us_place(&self) -> bool {
        self.kind == NumberKind::Geographic && self.country == "US"
    }
}

/// Position of an area code in a table of the 800 that begin with 2 to 9.
pub(super) fn slot(npa: Npa) -> usize {
    usize::from(npa.as_u16()) - 200
}

pub(super) const SLOTS: usize = 800;

/// Reads the CSV. Lines that start with `#` are comments.
pub(super) fn parse_area_codes(file: &str, text: &str) -> Result<Vec<AreaCodeRow>, TableError> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
    let mut rows = Vec::with_capacity(512);
    for row in reader.deserialize::<AreaCodeRow>() {
        let row = row.map_err(|error| TableError::Csv {
            file: file.to_owned(),
            line: error.position().map_or(0, csv::Position::line),
            reason: error.to_string(),
        })?;
        rows.push(row);
    }
    Ok(rows)
}
