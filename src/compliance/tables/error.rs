//! What can be wrong with a rule table. Every error names the file, the row and the reason.

/// A rule table cannot be used; the start stops here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    #[error("{file}: this is not valid TOML: {reason}")]
    Syntax { file: String, reason: String },
    #[error("{file}: {row}: {reason}")]
    Row { file: String, row: String, reason: String },
    #[error("{file}: `{table}` is no table of this file; it may hold {known}")]
    UnknownTable { file: String, table: String, known: String },
    #[error("{file}: line {line}: {reason}")]
    Csv { file: String, line: u64, reason: String },
    #[error("{file}: the id {row} is used twice")]
    DuplicateId { file: String, row: String },
    #[error(
        "{file}: row {row} is laxer than the shipped row of that id: tighten it, give it an id of its own, or add \
         acknowledge_loosening = \"the reason\" to it"
    )]
    Loosened { file: String, row: String },
    #[error("{0}")]
    Incomplete(&'static str),
}
