//! Imports of CSV files, a row at a time: everything is checked, every bad row is told with its line and why, and once the file is
//! read to its end the good ones are let in.

mod consents;
mod csv;
mod leads;

use std::io::{self, Read};

use self::csv::{Columns, Row, Rows};
use crate::store::{CutShort, Imported, Repeated, StoreError};

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

/// Why a file was not imported, or not to its end.
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
    CutShort(#[from] CutShort),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A file on its way in: its rows, and what is told of them.
struct Intake<R: Read, B> {
    rows: Rows<R>,
    report: ImportReport,
    bad: B,
}

impl<R: Read, B: FnMut(&BadRow)> Intake<R, B> {
    fn open(file: R, columns: &Columns, mode: ImportMode, bad: B) -> Result<Self, ImportError> {
        let report = ImportReport { dry_run: mode == ImportMode::DryRun, ..ImportReport::default() };
        Ok(Self { rows: Rows::open(file, columns)?, report, bad })
    }

    /// The next good rows, each with its line, as many as go to the store together; none at the end of the file.
    fn next_piece<T>(
        &mut self,
        read: impl Fn(Row) -> Result<(u64, T), BadRow>,
    ) -> Result<Option<Vec<(u64, T)>>, ImportError> {
        let mut piece = Vec::new();
        while piece.len() < PIECE {
            let Some(row) = self.rows.next()? else { break };
            self.report.rows += 1;
            match row.and_then(&read) {
                Ok(read) => piece.push(read),
                Err(row) => self.tell(&row),
            }
        }
        Ok((!piece.is_empty()).then_some(piece))
    }

    fn tell(&mut self, row: &BadRow) {
        self.report.bad += 1;
        (self.bad)(row);
    }

    fn tell_repeated(&mut self, repeated: &[Repeated]) {
        for Repeated { line, first } in repeated {
            self.tell(&BadRow { line: *line, problems: vec![format!("it says again what line {first} says")] });
        }
    }
}
