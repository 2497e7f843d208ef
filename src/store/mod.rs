//! The database and nothing else: embedded SQLite, migrations, journal, ledger, reservations. All SQL of the house is here.
//!
//! One task writes (`writer`), a few connections read. What a method that writes has answered is on disk.

mod attempts;
mod audit;
mod books;
mod calls;
mod columns;
mod consents;
mod conversations;
mod erasure;
mod error;
mod imports;
mod journal;
mod keys;
mod leads;
mod ledger;
mod litigators;
mod memories;
mod number_facts;
mod open;
mod operator_log;
mod opt_outs;
mod reservations;
mod retention;
mod rule_sets;
mod sessions;
mod settings;
mod stored_facts;
mod waits;
mod webhooks;
mod writer;

#[cfg(test)]
mod testing;

use sqlx::{SqliteConnection, SqlitePool};
use tokio_util::task::TaskTracker;

use writer::{Work, Writer};

pub use attempts::{Attempt, AttemptState, Settlement};
pub use audit::{AuditEntry, AuditOutcome};
pub use books::Books;
pub use calls::{CallFilter, KeyUsage};
pub use columns::{Cursor, Listing};
pub use consents::RecordedConsent;
pub use conversations::StoredConversation;
pub use erasure::{Erased, Expired, Kept};
pub use error::StoreError;
pub use imports::{
    ConsentImport, CutShort, Imported, ImportedBy, LeadImport, LetIn, Repeated, StagedConsent, StagedLead,
};
pub use journal::JournalSlice;
pub use keys::ApiKey;
pub use leads::LeadFilter;
pub use ledger::{DecisionFilter, DecisionSubject, Head, Intent, LedgerFault, LedgerFaultKind, RecordedDecision};
pub use litigators::LitigatorList;
pub use memories::{MEMORIES_MAX, Memory};
pub use number_facts::{
    DncAnswer, LineTypeAnswer, NumberRecord, ReassignedAnswer, Reassignment, Relationship, RelationshipKind, Said,
};
pub use operator_log::{ActionFilter, OperatorAction};
pub use opt_outs::{DncEntry, DncHistory, DncRemoval, OptOut};
pub use reservations::{Decided, GateRequest, LEASE, SlotRecord};
pub use sessions::SignIn;
pub use settings::OutboundStop;
pub use stored_facts::{ATTEMPTS_KEPT_IN_VIEW, LeadAddress, StoredFacts};
pub use waits::{Until, Wait};

/// The open database. Cheap to clone; `close`, or dropping the last clone, ends its task.
#[derive(Debug, Clone)]
pub struct Store {
    writer: Writer,
    readers: Option<SqlitePool>,
}

impl Store {
    /// Opens `sqlite://PATH` (made where it is missing, mode 0600, with its directories) or `sqlite::memory:` (gone when
    /// closed), brings its schema up to date and spawns the writing task on `tasks`.
    pub async fn open(url: &str, tasks: &TaskTracker) -> Result<Self, StoreError> {
        let place = open::Place::parse(url)?;
        let connection = open::open_writer(&place).await?;
        let readers = open::open_readers(&place).await?;
        let reopen = readers.is_some().then(|| place.options());
        let (writer, task) = writer::writer(connection, reopen);
        tasks.spawn(task);
        Ok(Self { writer, readers })
    }

    /// Finishes what was asked for, then closes the database. Everything after is `StoreError::Closed`.
    pub async fn close(&self) {
        if let Some(readers) = &self.readers {
            readers.close().await;
        }
        self.writer.close().await;
    }

    /// Whether the database answers: for `/ready`.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read(|connection| {
            Box::pin(async move {
                sqlx::query("SELECT 1").execute(connection).await?;
                Ok(())
            })
        })
        .await
    }

    /// Work that changes nothing. It sees everything that a `write` has answered.
    async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
    {
        match &self.readers {
            Some(readers) => work(&mut *readers.acquire().await?).await,
            None => self.writer.write(work).await,
        }
    }

    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Work<'c, T> + Send + 'static,
    {
        self.writer.write(work).await
    }
}

#[cfg(test)]
mod tests;
