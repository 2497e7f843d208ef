//! The operator's own rule file on top of the shipped one: it has the same tables. A row with a shipped row's id
//! replaces that row; a row with a new id is added beside the others, and since every row binds, it can only tighten.
//!
//! A replacement that is laxer than the shipped row stops the start, unless it carries `acknowledge_loosening = "the
//! reason"`; it is then written into every decision made under these tables.

use std::collections::HashSet;

use super::caps::FrequencyCap;
use super::disclosures::DisclosureRow;
use super::error::TableError;
use super::holidays::Holiday;
use super::hours::{AutomatedVoice, Hours};
use super::jurisdictions::{DncList, Jurisdiction};
use super::permission::{ConsentNeed, EmergencyBan, ListAge, Prohibition, RelationshipTerm};
use super::row::Row;
use super::sources::{OPERATOR_FILE, Rows};

/// What a row says, comparable in strictness with another row of its table.
trait Strictness {
    /// Whether nothing that `other` denies is allowed by this.
    fn is_at_least_as_strict_as(&self, other: &Self) -> bool;

    /// Whether a row may stand beside the shipped ones under an id of its own.
    const MAY_BE_ADDED: bool = true;
}

/// What the operator's file did to the shipped rows.
#[derive(Debug, Default)]
pub(super) struct OwnRows {
    /// A sentence for each acknowledged loosening.
    pub(super) loosened: Vec<String>,
    /// The ids of the rows that stand in the place of shipped ones.
    pub(super) replaced: HashSet<String>,
}

impl Rows {
    /// Lays `own` over these rows.
    pub(super) fn overlay(&mut self, own: Self, done: &mut OwnRows) -> Result<(), TableError> {
        overlay(&mut self.jurisdictions, own.jurisdictions, done)?;
        overlay(&mut self.hours, own.hours, done)?;
        overlay(&mut self.automated, own.automated, done)?;
        overlay(&mut self.holidays, own.holidays, done)?;
        overlay(&mut self.caps, own.caps, done)?;
        overlay(&mut self.consent, own.consent, done)?;
        overlay(&mut self.relationships, own.relationships, done)?;
        overlay(&mut self.list_age, own.list_age, done)?;
        overlay(&mut self.prohibitions, own.prohibitions, done)?;
        overlay(&mut self.emergencies, own.emergencies, done)?;
        overlay(&mut self.disclosures, own.disclosures, done)
    }
}

fn overlay<T: Strictness>(shipped: &mut Vec<Row<T>>, own: Vec<Row<T>>, done: &mut OwnRows) -> Result<(), TableError> {
    for row in own {
        let Some(old) = shipped.iter_mut().find(|old| old.id == row.id) else {
            if !T::MAY_BE_ADDED {
                let reason = "rows of this table can be replaced by id, but not added".to_owned();
                return Err(TableError::Row { file: OPERATOR_FILE.to_owned(), row: row.id, reason });
            }
            shipped.push(row);
            continue;
        };
        let as_strict =
            row.place == old.place && row.is_in_force_whenever(old) && row.says.is_at_least_as_strict_as(&old.says);
        match (&row.acknowledge_loosening, as_strict) {
            (_, true) => {}
            (Some(reason), false) if !reason.trim().is_empty() => {
                done.loosened.push(format!("The operator made rule row {} laxer than it ships: {reason}", row.id));
            }
            _ => return Err(TableError::Loosened { file: OPERATOR_FILE.to_owned(), row: row.id }),
        }
        done.replaced.insert(row.id.clone());
        *old = row;
    }
    Ok(())
}

fn all_in<T: PartialEq>(few: &[T], many: &[T]) -> bool {
    few.iter().all(|item| many.contains(item))
}

impl Strictness for Jurisdiction {
    const MAY_BE_ADDED: bool = false;

    fn is_at_least_as_strict_as(&self, other: &Self) -> bool {
        let keeps_term = match (self.shorter_relationship_months, other.shorter_relationship_months) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(mine), Some(theirs)) => mine <= theirs,
        };
        self.recording >= other.recording
            && self.notice_in_recording >= other.notice_in_recording
            && (self.dnc == other.dnc || self.dnc == DncList::Own)
            && (self.registration.is_some() || other.registration.is_none())
            && keeps_term
    }
}

impl Strictness for Hours {
    fn is_at_least_as_strict_as(&self, other: &Self) -> bool {
        all_in(&other.purposes, &self.purposes)
            && self.week.is_within(&other.week)
            && (self.other_clock == other.other_clock || other.other_clock.is_none())
            && all_in(&self.lifted_by, &other.lifted_by)
    }
}

impl Strictness for AutomatedVoice {
    fn is_at_least_as_strict_as(&self, other: &Self) -> bool {
        self.week.is_within(&other.week) && self.device >= other.device
    }
}

impl Strictness for Holiday {
    /// A different day is another holiday: the shipped one would be open.
    fn is_at_least_as_strict_as(&self, other: &Self) -> bool {
        self == other
    }
}

impl Strictness for FrequencyCap {
    fn is_at_least_as_strict_as(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.count <= other.count
            && self.window >= other.window
            && (self.calendar_day || !other.calendar_day)
            && all_in(&other.voices, &self.voices)
            && all_in(&other.purposes, &self.purposes)
            && all_in(&self.lifted_by, &other.lifted_by)
    }
}

impl Strictness for ConsentNeed {
    fn is_at_least_as_strict_as(&self, other: &Self) -> bool {
        (self.voice, self.purpose, self.line) == (other.voice, other.purpose, other.line) && self.needs >= other.needs
    }
}

impl Strictness for RelationshipTerm {
    fn is_at_least_as_strict_as(&self, other: &Self) -> bool {
        self.kind == other.kind && self.months <= other.months && self.days <= other.days
    }
}

impl Strictness for ListAge {
    fn is_at_least_as_strict_as(&self, other: &Self) -> bool {
        self.max_days <= other.max_days
    }
}

impl Strictness for Prohibition {
    fn is_at_least_as_strict_as(&self, other: &Self) -> bool {
        all_in(&other.lines, &self.lines) && all_in(&self.lifted_by, &other.lifted_by)
    }
}

impl Strictness for EmergencyBan {
    fn is_at_least_as_strict_as(&self, other: &Self) -> bool {
        all_in(&self.lifted_by, &other.lifted_by)
    }
}

impl Strictness for DisclosureRow {
    /// It says the same words, and perhaps more. Whether other words say as much, no program can tell.
    fn is_at_least_as_strict_as(&self, other: &Self) -> bool {
        let says_it_as_often = match (&self.purposes, &other.purposes) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(theirs)) => all_in(theirs, mine),
        };
        self.part == other.part
            && self.en.contains(&other.en)
            && self.es.contains(&other.es)
            && self.blanks_that_silence() == other.blanks_that_silence()
            && says_it_as_often
    }
}

impl DisclosureRow {
    /// A sentence with one of these is left out where there is nothing to fill in.
    fn blanks_that_silence(&self) -> [bool; 2] {
        ["{callback}", "{key}"].map(|blank| self.en.contains(blank))
    }
}
