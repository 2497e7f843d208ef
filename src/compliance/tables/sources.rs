//! The texts of the rule tables as they ship, the parsing of them, and the identity of a set of them.

use std::fmt;

use sha2::{Digest, Sha256};

use super::area_codes::{AreaCodeRow, parse_area_codes};
use super::caps::FrequencyCap;
use super::disclosures::DisclosureRow;
use super::error::TableError;
use super::holidays::Holiday;
use super::hours::{AutomatedVoice, Hours};
use super::jurisdictions::Jurisdiction;
use super::permission::{ConsentNeed, EmergencyBan, ListAge, Prohibition, RelationshipTerm};
use super::row::{Row, take_rows};

/// The shipped files, by the names that errors use.
pub const SHIPPED: [(&str, &str); 8] = [
    ("jurisdictions.toml", include_str!("../../../config/compliance/jurisdictions.toml")),
    ("calling_hours.toml", include_str!("../../../config/compliance/calling_hours.toml")),
    ("automated_voice.toml", include_str!("../../../config/compliance/automated_voice.toml")),
    ("holidays.toml", include_str!("../../../config/compliance/holidays.toml")),
    ("frequency_caps.toml", include_str!("../../../config/compliance/frequency_caps.toml")),
    ("permission.toml", include_str!("../../../config/compliance/permission.toml")),
    ("disclosures.toml", include_str!("../../../config/compliance/disclosures.toml")),
    ("area_codes.csv", include_str!("../../../config/compliance/area_codes.csv")),
];

/// Name of the operator's own file in errors.
pub const OPERATOR_FILE: &str = "operator's rule file";

/// Every row of every table, parsed but not yet arranged by place.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) version: Option<String>,
    pub(super) jurisdictions: Vec<Row<Jurisdiction>>,
    pub(super) hours: Vec<Row<Hours>>,
    pub(super) automated: Vec<Row<AutomatedVoice>>,
    pub(super) holidays: Vec<Row<Holiday>>,
    pub(super) caps: Vec<Row<FrequencyCap>>,
    pub(super) consent: Vec<Row<ConsentNeed>>,
    pub(super) relationships: Vec<Row<RelationshipTerm>>,
    pub(super) list_age: Vec<Row<ListAge>>,
    pub(super) prohibitions: Vec<Row<Prohibition>>,
    pub(super) emergencies: Vec<Row<EmergencyBan>>,
    pub(super) disclosures: Vec<Row<DisclosureRow>>,
    pub(super) area_codes: Vec<AreaCodeRow>,
}

const TABLES: &str = "version, jurisdiction, hours, automated_voice, holiday, frequency_cap, consent, relationship, list_age, \
                      prohibition, emergency, disclosure";

impl Rows {
    /// Reads the rows of one TOML file into this set.
    pub(super) fn read_toml(&mut self, file: &str, text: &str) -> Result<(), TableError> {
        let mut document: toml::Table = text.parse().map_err(|error: toml::de::Error| TableError::Syntax {
            file: file.to_owned(),
            reason: error.to_string(),
        })?;
        match document.remove("version") {
            None => {}
            Some(toml::Value::String(version)) => self.version = Some(version),
            Some(_) => {
                let (row, reason) = ("version".to_owned(), "the version is a text".to_owned());
                return Err(TableError::Row { file: file.to_owned(), row, reason });
            }
        }
        self.jurisdictions.extend(take_rows(file, &mut document, "jurisdiction")?);
        self.hours.extend(take_rows(file, &mut document, "hours")?);
        self.automated.extend(take_rows(file, &mut document, "automated_voice")?);
        self.holidays.extend(take_rows(file, &mut document, "holiday")?);
        self.caps.extend(take_rows(file, &mut document, "frequency_cap")?);
        self.consent.extend(take_rows(file, &mut document, "consent")?);
        self.relationships.extend(take_rows(file, &mut document, "relationship")?);
        self.list_age.extend(take_rows(file, &mut document, "list_age")?);
        self.prohibitions.extend(take_rows(file, &mut document, "prohibition")?);
        self.emergencies.extend(take_rows(file, &mut document, "emergency")?);
        self.disclosures.extend(take_rows(file, &mut document, "disclosure")?);
        match document.keys().next() {
            None => Ok(()),
            Some(table) => {
                let (table, known) = (table.clone(), TABLES.to_owned());
                Err(TableError::UnknownTable { file: file.to_owned(), table, known })
            }
        }
    }

    /// Reads a set of files; a name that ends in `.csv` is the area codes.
    pub(super) fn read(files: &[(&str, &str)]) -> Result<Self, TableError> {
        let mut rows = Self::default();
        for (file, text) in files {
            if file.ends_with("csv") {
                rows.area_codes = parse_area_codes(file, text)?;
            } else {
                rows.read_toml(file, text)?;
            }
        }
        Ok(rows)
    }
}

/// Version and SHA-256 of the rule texts that a decision was made under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSet {
    pub version: String,
    /// Lower-case hex over every file's name, length and text, in the order they are read.
    pub sha256: String,
}

impl RuleSet {
    /// The identity of a set of texts.
    pub fn of(version: String, files: &[(&str, &str)]) -> Self {
        let mut hash = Sha256::new();
        for (file, text) in files {
            for part in [file, text] {
                hash.update(u64::try_from(part.len()).expect("a text is shorter than 2^64 bytes").to_be_bytes());
                hash.update(part.as_bytes());
            }
        }
        let digits = hash.finalize().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let sha256 = digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect();
        Self { version, sha256 }
    }
}

impl fmt::Display for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sha256:{}", self.version, self.sha256)
    }
}
