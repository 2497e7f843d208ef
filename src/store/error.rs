//! `StoreError`: what can go wrong with the store, told so that a person knows what to do.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use sqlx::error::ErrorKind;
use sqlx::migrate::MigrateError;

use super::attempts::AttemptState;
use super::ledger::LedgerFault;
use crate::domain::{AttemptId, ConsentId, DecisionId, ReservationId};

/// Why the store could not do what was asked. Cloneable, since one failed commit answers many callers.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    // Opening.
    #[error("the store's address must be sqlite://PATH or sqlite::memory:, without options")]
    BadUrl,
    #[error("{} is not a SQLite database (or is damaged): point store.url at another file", path.display())]
    NotADatabase { path: PathBuf },
    #[error("{} is a database of another program: point store.url at another file", path.display())]
    NotOurs { path: PathBuf },
    #[error(
        "the database was written by a newer Clearline (schema {version}): run that version or restore an older backup"
    )]
    NewerThanProgram { version: i64 },
    #[error("the database's schema could not be brought up to date")]
    Migration(#[source] Arc<MigrateError>),
    #[error("cannot create or open {}: check that the directory exists and may be written to", path.display())]
    Unreachable {
        path: PathBuf,
        #[source]
        source: Arc<io::Error>,
    },

    // Running.
    #[error("the database is locked by another process: end it, or wait until its import is done")]
    Locked,
    #[error("the database may not be written to: check the permissions of its file and directory")]
    ReadOnly,
    #[error("the disk is full: nothing more can be recorded until there is room")]
    DiskFull,
    #[error("the database file is damaged: restore a backup")]
    Damaged,
    #[error("the store is closed")]
    Closed,
    #[error("the work in the store's transaction panicked; nothing of it was kept")]
    Panicked,
    #[error("a row of `{table}` cannot be read by this version: restore a backup or run the version that wrote it")]
    Unreadable { table: &'static str },
    #[error("the database refused a statement")]
    Database(#[source] Arc<sqlx::Error>),

    // The trade.
    #[error("the gate allowed a text that is not a number")]
    AllowedWithoutNumber,
    #[error("another call to this number is being placed or is running")]
    NumberBusy,
    #[error("reservation {0} is no longer held: the gate must be asked again")]
    ReservationGone(ReservationId),
    #[error("calls were stopped, or the number opted out, after the gate allowed the call of reservation {0}")]
    Overtaken(ReservationId),
    #[error("reservation {0} has an attempt: settle the attempt instead of releasing the reservation")]
    ReservationInUse(ReservationId),
    #[error("decision or reservation of attempt {0} was already used by another attempt")]
    AlreadyRedeemed(AttemptId),
    #[error("a call rests on decision {0}, which is not in the ledger")]
    NoSuchDecision(DecisionId),
    #[error("there is no attempt {0}")]
    NoSuchAttempt(AttemptId),
    #[error("attempt {id} is {state}: it cannot become what was asked")]
    AttemptSettled { id: AttemptId, state: AttemptState },
    #[error("there is already a consent {0}: consents are never changed, record a new one")]
    ConsentExists(ConsentId),
    #[error(
        "a key is called `{0}` already, and limits, tasks and the records of who did what go by the name: choose another name, or \
         revoke that key first (`clearline keys list`, `clearline keys revoke ID`)"
    )]
    KeyNameTaken(String),
    #[error("there is already a key with this id or text")]
    KeyExists,
    #[error("this cursor is not one that the same list gave out")]
    BadCursor,
    #[error("the books do not balance: {0}")]
    Books(String),
    #[error(transparent)]
    Ledger(#[from] LedgerFault),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        // The low byte of SQLite's extended result codes is the primary code (sqlite.org/rescode.html).
        match sqlite_code(&error).map(|code| code & 0xff) {
            Some(5 | 6) => Self::Locked,
            Some(8) => Self::ReadOnly,
            Some(11 | 26) => Self::Damaged,
            Some(13) => Self::DiskFull,
            _ => match error {
                sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => Self::Closed,
                sqlx::Error::PoolTimedOut => Self::Locked,
                other => Self::Database(Arc::new(other)),
            },
        }
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(version) => Self::NewerThanProgram { version },
            MigrateError::Execute(inner) => inner.into(),
            other => Self::Migration(Arc::new(other)),
        }
    }
}

/// Turns the breach of a UNIQUE or PRIMARY KEY constraint into the domain's word for it.
pub(super) fn on_conflict(conflict: StoreError) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |error| match error.as_database_error().map(sqlx::error::DatabaseError::kind) {
        Some(ErrorKind::UniqueViolation) => conflict,
        _ => error.into(),
    }
}

pub(super) fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}
