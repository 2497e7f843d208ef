//! Imports of CSV files, a row at a time: everything is checked, every bad row is told with its line and why, and the good ones
//! become visible all at once.

mod consents;
mod csv;
mod leads;

use std::io;

use crate::store::{Imported, Repeated, StoreError};

pub use self::consents::import_consents;
pub use self::csv::BadRow;
pub use self::leads::import_leads;

/// Rows that go to the store together. A write of some milliseconds, which is what a running server may have to wait.
const PIECE: usize = 1_000;

/// What an import came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct ImportReport {
    /// Rows of the file, its header not counted.
    pub rows: u64,
    pub bad: u64,
    /// What the good ones did, or would have done in a dry run.
    #[serde(flatten)]
    pub imported: Imported,
    pub dry_run: bool,
}

/// Whether the good rows are let in, or only looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportMode {
    Import,
    DryRun,
}

/// Why nothing was imported at all.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("the file is empty: its first line names the columns")]
    Empty,
    #[error("the column `{column}` is not known: {hint}")]
    UnknownColumn { column: String, hint: String },
    #[error("the column `{0}` stands twice in the header")]
    RepeatedColumn(String),
    #[error("the column `{0}` is missing from the header")]
    MissingColumn(&'static str),
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Repeated {
    fn told(self) -> BadRow {
        BadRow { line: self.line, problems: vec![format!("it says again what line {} says", self.first)] }
    }
}
