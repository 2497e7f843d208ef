//! Pages of lists: the cursor and the limit of a query, and the cursor of the answer.

use crate::store::{Cursor, StoreError};
use crate::surfaces::problem::Problem;

/// How many items a page holds at most.
const PAGE_MAX: u32 = 200;

/// From where, and how many.
pub(super) fn page(cursor: Option<&str>, limit: Option<u32>) -> Result<(Option<Cursor>, u32), Problem> {
    let after = cursor.map(str::parse::<Cursor>).transpose().map_err(|_| bad_cursor())?;
    Ok((after, limit.unwrap_or(50).clamp(1, PAGE_MAX)))
}

/// What the store says of a list.
pub(super) fn list_problem(error: StoreError) -> Problem {
    match error {
        StoreError::BadCursor => bad_cursor(),
        other => Problem::internal(&other),
    }
}

fn bad_cursor() -> Problem {
    Problem::bad_request("The cursor is not one that this list gave.")
}
