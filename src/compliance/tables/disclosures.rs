//! Rows of disclosures.toml: sentences that a call must say before there is any conversation.

use serde::Deserialize;

use super::error::TableError;
use super::row::Row;
use crate::domain::Purpose;

/// What is filled into a sentence.
const BLANKS: [&str; 3] = ["{seller}", "{callback}", "{key}"];

/// A sentence, which calls say it, and where in the opening.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisclosureRow {
    /// None: every call.
    #[serde(default)]
    pub purposes: Option<Vec<Purpose>>,
    pub part: Part,
    pub en: String,
    pub es: String,
}

/// The parts of an opening, in the order in which they are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Identity,
    OptOut,
    State,
    Recording,
    Callback,
}

/// Every sentence can be spoken: there are words, and every blank is one that is filled in.
pub(super) fn check(rows: &[Row<DisclosureRow>]) -> Result<(), TableError> {
    for row in rows {
        let failed = |reason: String| TableError::Row { file: row.file.clone(), row: row.id.clone(), reason };
        for (language, text) in [("en", &row.says.en), ("es", &row.says.es)] {
            if text.trim().is_empty() {
                return Err(failed(format!(
                    "`{language}` says nothing; to leave a sentence out, let the row end with `until`"
                )));
            }
            let rest = BLANKS.iter().fold(text.clone(), |text, blank| text.replace(blank, ""));
            if rest.contains(['{', '}']) {
                return Err(failed(format!(
                    "`{language}` has a blank that nothing fills; there are {}",
                    BLANKS.join(", ")
                )));
            }
        }
    }
    Ok(())
}
