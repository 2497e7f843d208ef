//! Make recorded decisions again, from nothing but their own record and the rule texts that were kept, and say whether the answer
//! is the same.

use std::collections::HashMap;
use std::fmt;

use crate::compliance::evidence::{Evidence, Replay, replay};
use crate::compliance::tables::RuleTables;
use crate::domain::DecisionId;
use crate::store::{DecisionFilter, RecordedDecision, Store, StoreError};

/// Decisions read at a time.
const PAGE: u32 = 500;

/// What became of one replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayOutcome {
    Made(Replay),
    /// The decision cannot be made again, and why.
    Impossible(&'static str),
}

impl ReplayOutcome {
    /// Whether nothing speaks against the record: made again the same, or no longer possible because its facts were erased.
    pub fn is_sound(&self) -> bool {
        !matches!(self, Self::Made(Replay::Different(_)) | Self::Impossible(NO_RULES | UNREADABLE | BAD_RULES))
    }
}

const ERASED: &str = "number and facts were erased after their time";
const NO_RULES: &str = "the rule texts that it was made under were not kept";
const BAD_RULES: &str = "the rule texts that were kept cannot be read by this version";
const UNREADABLE: &str = "its facts cannot be read by this version";

/// Makes decisions of one store again; each rule set is parsed once.
#[derive(Debug)]
pub struct Replayer {
    store: Store,
    /// By the name that decisions quote.
    tables: HashMap<String, Result<RuleTables, &'static str>>,
}

impl Replayer {
    pub fn new(store: &Store) -> Self {
        Self { store: store.clone(), tables: HashMap::new() }
    }

    /// Makes one decision again. None if there is none of this id.
    pub async fn replay_id(&mut self, id: DecisionId) -> Result<Option<(RecordedDecision, ReplayOutcome)>, StoreError> {
        let Some(recorded) = self.store.decision(id).await? else { return Ok(None) };
        let outcome = self.replay(&recorded).await?;
        Ok(Some((recorded, outcome)))
    }

    /// Makes every decision of the ledger again, the oldest first, and tells each.
    pub async fn replay_all(
        &mut self,
        mut tell: impl FnMut(&RecordedDecision, &ReplayOutcome),
    ) -> Result<(), StoreError> {
        let mut seq = 0;
        loop {
            let page = self.store.decisions_after(DecisionFilter::default(), seq, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            seq = last.seq;
            for recorded in &page {
                tell(recorded, &self.replay(recorded).await?);
            }
        }
    }

    /// Makes a decision again from its record.
    pub async fn replay(&mut self, recorded: &RecordedDecision) -> Result<ReplayOutcome, StoreError> {
        let Some(subject) = &recorded.subject else { return Ok(ReplayOutcome::Impossible(ERASED)) };
        let Ok(evidence) = serde_json::from_value::<Evidence>(subject.facts.clone()) else {
            return Ok(ReplayOutcome::Impossible(UNREADABLE));
        };
        let name = &recorded.decision.rule_set;
        if !self.tables.contains_key(name) {
            let parsed = match self.store.rule_set(name).await? {
                None => Err(NO_RULES),
                Some(files) => RuleTables::from_kept(&files).map_err(|_| BAD_RULES),
            };
            self.tables.insert(name.clone(), parsed);
        }
        Ok(match &self.tables[name] {
            Ok(tables) => ReplayOutcome::Made(replay(&recorded.decision, &evidence, tables)),
            Err(why) => ReplayOutcome::Impossible(why),
        })
    }
}

impl fmt::Display for ReplayOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Made(replay) => replay.fmt(f),
            Self::Impossible(why) => write!(f, "cannot be made again: {why}"),
        }
    }
}
