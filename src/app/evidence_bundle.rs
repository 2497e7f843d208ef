//! What an export of evidence holds: decisions with everything that belongs to them, read from the store in pieces, and the
//! records of the people they are about.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::compliance::evidence::Evidence;
use crate::domain::event::Actor;
use crate::domain::{Call, CallId, E164, Party};
use crate::store::{
    ActionFilter, Attempt, DecisionFilter, DncHistory, Head, OperatorAction, RecordedConsent, RecordedDecision,
    SlotRecord, Store, StoreError,
};

use super::replay::{ReplayOutcome, Replayer};

/// Decisions read at a time.
const PAGE: u32 = 200;

/// Actions of a period that an export holds at most.
const ACTIONS_MAX: u32 = 10_000;

/// What an export is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BundleScope {
    Call(CallId),
    /// A number as it was asked for, valid or not.
    Number(Party),
    /// Decisions recorded from the first instant until before the second.
    Period {
        since: Timestamp,
        until: Timestamp,
    },
}

/// An export of evidence, with the state of the whole ledger when it was made.
#[derive(Debug, Clone)]
pub struct Bundle {
    pub scope: BundleScope,
    pub made_at: Timestamp,
    pub made_by: Actor,
    pub head: Head,
    /// What is wrong with the ledger or the books, where something is.
    pub fault: Option<String>,
}

/// One decision with everything that belongs to it.
#[derive(Debug)]
pub struct Entry {
    pub recorded: RecordedDecision,
    /// None once it was erased.
    pub evidence: Option<Evidence>,
    pub slot: Option<SlotRecord>,
    pub attempt: Option<Attempt>,
    pub call: Option<Call>,
    /// What making the decision again gave.
    pub replay: ReplayOutcome,
}

/// What is on record about one number's permissions and refusals.
#[derive(Debug)]
pub struct PersonRecords {
    pub number: E164,
    pub consents: Vec<RecordedConsent>,
    pub dnc: DncHistory,
}

impl BundleScope {
    pub fn as_json(&self) -> Value {
        match self {
            Self::Call(id) => json!({ "call_id": id }),
            Self::Number(number) => json!({ "number": number }),
            Self::Period { since, until } => json!({ "from": since, "to": until }),
        }
    }

    fn filter(&self) -> DecisionFilter {
        match self {
            Self::Call(id) => DecisionFilter { call: Some(*id), ..DecisionFilter::default() },
            Self::Number(number) => DecisionFilter { number: Some(number.clone()), ..DecisionFilter::default() },
            Self::Period { since, until } => {
                DecisionFilter { since: Some(*since), until: Some(*until), ..DecisionFilter::default() }
            }
        }
    }
}

impl Bundle {
    /// Proves the ledger and the books, and notes the head that the export is made at.
    pub async fn begin(store: &Store, scope: BundleScope, made_by: Actor, now: Timestamp) -> Result<Self, StoreError> {
        let (head, fault) = match store.verify_ledger().await {
            Ok(head) => (head, store.check_books().await.err().map(|fault| fault.to_string())),
            Err(StoreError::Ledger(fault)) => (store.ledger_head().await?, Some(fault.to_string())),
            Err(other) => return Err(other),
        };
        Ok(Self { scope, made_at: now, made_by, head, fault })
    }

    /// The next entries after a place, oldest first; empty at the end.
    pub async fn entries_after(
        &self,
        store: &Store,
        replayer: &mut Replayer,
        seq: i64,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        for recorded in store.decisions_after(self.scope.filter(), seq, PAGE).await? {
            // What was decided after the head was noted is of a later export.
            if recorded.seq <= self.head.count {
                entries.push(entry(store, replayer, recorded).await?);
            }
        }
        Ok(entries)
    }

    /// The numbers whose records belong to the export besides those of its decisions.
    pub fn numbers(&self) -> BTreeSet<E164> {
        match &self.scope {
            BundleScope::Number(number) => number.number().cloned().into_iter().collect(),
            BundleScope::Call(_) | BundleScope::Period { .. } => BTreeSet::new(),
        }
    }

    /// What operators did in the period; nothing for a call or a number.
    pub async fn actions(&self, store: &Store) -> Result<Vec<OperatorAction>, StoreError> {
        let BundleScope::Period { since, until } = self.scope else { return Ok(Vec::new()) };
        let filter = ActionFilter { since: Some(since), until: Some(until), ..ActionFilter::default() };
        let mut entries = store.operator_actions(filter, ACTIONS_MAX).await?;
        entries.reverse();
        Ok(entries)
    }
}

impl PersonRecords {
    pub async fn of(store: &Store, number: E164) -> Result<Self, StoreError> {
        let consents = store.consents_of(&number).await?;
        let dnc = store.dnc_history(&number).await?;
        Ok(Self { number, consents, dnc })
    }
}

async fn entry(store: &Store, replayer: &mut Replayer, recorded: RecordedDecision) -> Result<Entry, StoreError> {
    let evidence = recorded.subject.as_ref().and_then(|subject| serde_json::from_value(subject.facts.clone()).ok());
    let slot = store.slot_under(recorded.id).await?;
    let attempt = store.attempt_under(recorded.id).await?;
    let call = match recorded.call_id.or(attempt.as_ref().map(|attempt| attempt.call_id)) {
        Some(id) => store.call(id).await?,
        None => None,
    };
    let replay = replayer.replay(&recorded).await?;
    Ok(Entry { recorded, evidence, slot, attempt, call, replay })
}
