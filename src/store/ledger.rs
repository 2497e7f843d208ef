//! The decision ledger: every answer of the gate, chained by hashes, so that a later change, gap or reordering shows.
//!
//! A row's hash is SHA-256, in lower-case hex, over one line of JSON without spaces: an array of strings, in this order:
//! `["clearline-decision-1", prev_hash, seq, id, recorded_at, intent, purpose, voice, door, actor, allowed ("0" or "1"), decision,
//! rule_set, subject_hash]`; where the decision was asked for a call, the array begins with `clearline-decision-2` and ends with the
//! call's id. The first row's `prev_hash` is 64 zeros. `subject_hash` is the same over `["clearline-subject-1",
//! salt, number, lead_id or "", facts]`. The row thus commits to number and facts without holding them: after the retention time
//! they can be erased and the chain still proves that, when and how was decided. The salt (128 random bits, erased with them)
//! keeps the ten digits from being guessed back out of the hash.
//!
//! A chain cannot show that its own tail was cut off, or that all of it was written anew. A head (count and hash) that was
//! noted elsewhere does: it is logged at every start and stands in every export, and `verify_against` compares.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};
use uuid::Uuid;

use super::columns::{Cursor, Listing, from_json, json, parse, parse_opt, parse_word, sha256_hex, stamp, word};
use super::reservations::GateRequest;
use super::{Store, StoreError};
use crate::domain::decision::Voice;
use crate::domain::event::Actor;
use crate::domain::{CallId, Decision, DecisionId, LeadId, Party, Purpose};

/// Rows read at a time while verifying.
const VERIFY_PAGE: i64 = 1000;

/// What a decision was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// To dial now. An allowing answer reserves the number.
    Dial,
    /// To know. Recorded, but reserves nothing and counts for nothing.
    Inquiry,
}

/// How far the ledger goes: how many decisions, and the last one's hash. Written `COUNT:HASH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub count: i64,
    /// SHA-256 in lower-case hex; 64 zeros for an empty ledger.
    pub hash: String,
}

/// What is wrong with the ledger, and from which place on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the decision ledger is broken at entry {at}: {kind}")]
pub struct LedgerFault {
    pub at: i64,
    pub kind: LedgerFaultKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LedgerFaultKind {
    #[error("it was changed after it was written")]
    Changed,
    #[error("it is missing")]
    Missing,
    #[error("it does not follow from the entry before it")]
    Unlinked,
    #[error("the number or the facts it was decided on were changed")]
    SubjectChanged,
    #[error("the number and the facts it was decided on are gone, and no erasure is recorded")]
    SubjectMissing,
    #[error("it differs from the head that was noted: the ledger was written anew")]
    Rewritten,
    #[error("the ledger ends before it: its tail was cut off")]
    CutOff,
    #[error("the rule texts that it was decided under were changed after they were kept")]
    RulesChanged,
}

/// A decision as it stands in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedDecision {
    pub seq: i64,
    pub id: DecisionId,
    pub recorded_at: Timestamp,
    pub intent: Intent,
    pub purpose: Purpose,
    pub voice: Voice,
    pub actor: Actor,
    pub decision: Decision,
    /// The call that it was asked for, if it was for one.
    pub call_id: Option<CallId>,
    /// None once it was erased.
    pub subject: Option<DecisionSubject>,
    pub prev_hash: String,
    pub hash: String,
    /// The text whose SHA-256 is `hash`.
    pub hashed_line: String,
}

/// The part of a decision that names a person.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionSubject {
    /// The number as it was asked for, valid or not.
    pub number: Party,
    pub lead_id: Option<LeadId>,
    /// What the gate was told, as the caller of the gate recorded it.
    pub facts: serde_json::Value,
}

/// Which decisions to list. What is `None` does not matter.
#[derive(Debug, Clone, Default)]
pub struct DecisionFilter {
    pub number: Option<Party>,
    pub call: Option<CallId>,
    /// Recorded at this instant or later.
    pub since: Option<Timestamp>,
    /// Recorded before this instant.
    pub until: Option<Timestamp>,
}

/// One row, all columns as text, as the hash sees them.
struct LedgerRow {
    seq: i64,
    id: String,
    recorded_at: String,
    intent: String,
    purpose: String,
    voice: String,
    door: String,
    actor: String,
    allowed: bool,
    decision: String,
    rule_set: String,
    subject_hash: String,
    prev_hash: String,
    call_id: Option<String>,
}

impl Head {
    pub(super) fn of_empty() -> Self {
        Self { count: 0, hash: "0".repeat(64) }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.count, self.hash)
    }
}

/// The text is not `COUNT:HASH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a ledger head is written COUNT:HASH, with the hash in 64 lower-case hex digits")]
pub struct HeadError;

impl FromStr for Head {
    type Err = HeadError;

    fn from_str(text: &str) -> Result<Self, HeadError> {
        let (count, hash) = text.split_once(':').ok_or(HeadError)?;
        let count = count.parse().ok().filter(|count| *count >= 0).ok_or(HeadError)?;
        if hash.len() != 64 || !hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(HeadError);
        }
        Ok(Self { count, hash: hash.to_owned() })
    }
}

impl LedgerRow {
    /// The line that is hashed.
    fn line(&self) -> String {
        let seq = self.seq.to_string();
        let mut fields = vec![
            if self.call_id.is_some() { "clearline-decision-2" } else { "clearline-decision-1" },
            &self.prev_hash,
            &seq,
            &self.id,
            &self.recorded_at,
            &self.intent,
            &self.purpose,
            &self.voice,
            &self.door,
            &self.actor,
            if self.allowed { "1" } else { "0" },
            &self.decision,
            &self.rule_set,
            &self.subject_hash,
        ];
        fields.extend(self.call_id.as_deref());
        json(&fields)
    }

    fn hash(&self) -> String {
        sha256_hex(&self.line())
    }

    fn read(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            seq: row.try_get("seq")?,
            id: row.try_get("id")?,
            recorded_at: row.try_get("recorded_at")?,
            intent: row.try_get("intent")?,
            purpose: row.try_get("purpose")?,
            voice: row.try_get("voice")?,
            door: row.try_get("door")?,
            actor: row.try_get("actor")?,
            allowed: row.try_get("allowed")?,
            decision: row.try_get("decision")?,
            rule_set: row.try_get("rule_set")?,
            subject_hash: row.try_get("subject_hash")?,
            prev_hash: row.try_get("prev_hash")?,
            call_id: row.try_get("call_id")?,
        })
    }
}

fn subject_hash(salt: &str, number: &str, lead_id: Option<&str>, facts: &str) -> String {
    sha256_hex(&json(&["clearline-subject-1", salt, number, lead_id.unwrap_or_default(), facts]))
}

impl Store {
    pub async fn ledger_head(&self) -> Result<Head, StoreError> {
        self.read(|connection| {
            Box::pin(async move {
                let head: Option<(i64, String)> =
                    sqlx::query_as("SELECT seq, hash FROM decisions ORDER BY seq DESC LIMIT 1")
                        .fetch_optional(connection)
                        .await?;
                Ok(head.map_or_else(Head::of_empty, |(count, hash)| Head { count, hash }))
            })
        })
        .await
    }

    /// Reads the whole ledger and proves it unbroken, or says where it is not (`StoreError::Ledger`).
    pub async fn verify_ledger(&self) -> Result<Head, StoreError> {
        self.verify(None).await
    }

    /// Also proves that the ledger still begins with what it was when this head was noted.
    pub async fn verify_ledger_against(&self, expected: &Head) -> Result<Head, StoreError> {
        self.verify(Some(expected)).await
    }

    async fn verify(&self, expected: Option<&Head>) -> Result<Head, StoreError> {
        let mut head = Head::of_empty();
        loop {
            let (from, expected) = (head.clone(), expected.cloned());
            let next = self
                .read(move |connection| Box::pin(async move { verify_page(connection, from, expected.as_ref()).await }))
                .await?;
            if next == head {
                break;
            }
            head = next;
        }
        if let Some(at) = self.first_decision_of_changed_rules().await? {
            return Err(LedgerFault { at, kind: LedgerFaultKind::RulesChanged }.into());
        }
        match expected {
            Some(expected) if expected.count > head.count => {
                Err(LedgerFault { at: head.count + 1, kind: LedgerFaultKind::CutOff }.into())
            }
            Some(expected) if expected.count == 0 && *expected != Head::of_empty() => {
                Err(LedgerFault { at: 0, kind: LedgerFaultKind::Rewritten }.into())
            }
            _ => Ok(head),
        }
    }

    pub async fn decision(&self, id: DecisionId) -> Result<Option<RecordedDecision>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let mut query = select_decisions();
                query.push(" WHERE id = ").push_bind(id.to_string());
                query.build().fetch_optional(connection).await?.as_ref().map(read_decision).transpose()
            })
        })
        .await
    }

    /// Decisions, newest first.
    pub async fn list_decisions(
        &self,
        filter: DecisionFilter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Listing<RecordedDecision>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let mut query = select_decisions();
                filter.narrow(&mut query);
                if let Some(after) = after {
                    let seq: i64 = after.id().parse().map_err(|_| StoreError::BadCursor)?;
                    query.push(" AND seq < ").push_bind(seq);
                }
                query.push(" ORDER BY seq DESC LIMIT ").push_bind(limit.saturating_add(1));
                let rows = query.build().fetch_all(connection).await?;
                let decisions = rows.iter().map(read_decision).collect::<Result<Vec<_>, _>>()?;
                Ok(Listing::cut(decisions, limit, |last: &RecordedDecision| Cursor::new(last.recorded_at, last.seq)))
            })
        })
        .await
    }

    /// Decisions after a place, oldest first: the ledger as it is read for an export.
    pub async fn decisions_after(
        &self,
        filter: DecisionFilter,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<RecordedDecision>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let mut query = select_decisions();
                filter.narrow(&mut query);
                query.push(" AND seq > ").push_bind(seq).push(" ORDER BY seq LIMIT ").push_bind(limit);
                query.build().fetch_all(connection).await?.iter().map(read_decision).collect()
            })
        })
        .await
    }
}

impl DecisionFilter {
    fn narrow(&self, query: &mut QueryBuilder<Sqlite>) {
        query.push(" WHERE true");
        if let Some(number) = &self.number {
            query.push(" AND number = ").push_bind(number.as_str().to_owned());
        }
        if let Some(call) = self.call {
            query.push(" AND call_id = ").push_bind(call.to_string());
        }
        if let Some(since) = self.since {
            query.push(" AND recorded_at >= ").push_bind(stamp(since));
            // By the index, so that the ledger is not read from its beginning.
            query
                .push(" AND seq >= (SELECT min(seq) FROM decisions WHERE recorded_at >= ")
                .push_bind(stamp(since))
                .push(")");
        }
        if let Some(until) = self.until {
            query.push(" AND recorded_at < ").push_bind(stamp(until));
        }
    }
}

/// Writes the next entry after `head`, within the transaction in which `head` was read.
pub(super) async fn record_decision(
    connection: &mut SqliteConnection,
    head: &Head,
    id: DecisionId,
    request: &GateRequest,
    now: Timestamp,
    decision: &Decision,
    facts: &serde_json::Value,
) -> Result<(), StoreError> {
    let salt = Uuid::new_v4().simple().to_string();
    let (number, lead_id, facts) = (request.number.as_str(), request.lead_id.map(|id| id.to_string()), json(facts));
    let row = LedgerRow {
        seq: head.count + 1,
        id: id.to_string(),
        recorded_at: stamp(now),
        intent: word(&request.intent),
        purpose: word(&request.purpose),
        voice: word(&request.voice),
        door: word(&request.actor.door),
        actor: request.actor.name.clone(),
        allowed: decision.is_allowed(),
        decision: json(decision),
        rule_set: decision.rule_set.clone(),
        subject_hash: subject_hash(&salt, number, lead_id.as_deref(), &facts),
        prev_hash: head.hash.clone(),
        call_id: request.call_id.map(|id| id.to_string()),
    };
    let hash = row.hash();
    sqlx::query(
        "INSERT INTO decisions (seq, id, recorded_at, intent, purpose, voice, door, actor, allowed, decision, rule_set,
             subject_hash, prev_hash, hash, call_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15);
         INSERT INTO decision_subjects (decision_id, salt, number, lead_id, facts) VALUES (?2, ?16, ?17, ?18, ?19)",
    )
    .bind(row.seq)
    .bind(row.id)
    .bind(row.recorded_at)
    .bind(row.intent)
    .bind(row.purpose)
    .bind(row.voice)
    .bind(row.door)
    .bind(row.actor)
    .bind(row.allowed)
    .bind(row.decision)
    .bind(row.rule_set)
    .bind(row.subject_hash)
    .bind(row.prev_hash)
    .bind(hash)
    .bind(row.call_id)
    .bind(salt)
    .bind(number)
    .bind(lead_id)
    .bind(facts)
    .execute(connection)
    .await?;
    Ok(())
}

/// Proves the rows after `head` that fit on a page; gives the head after them, the same one if there are none.
async fn verify_page(
    connection: &mut SqliteConnection,
    mut head: Head,
    expected: Option<&Head>,
) -> Result<Head, StoreError> {
    let rows = sqlx::query(
        "SELECT decisions.*, salt, number, lead_id, facts, erased_at FROM decisions
         LEFT JOIN decision_subjects ON decision_subjects.decision_id = id
         LEFT JOIN erasures ON erasures.decision_id = id
         WHERE seq > ? ORDER BY seq LIMIT ?",
    )
    .bind(head.count)
    .bind(VERIFY_PAGE)
    .fetch_all(connection)
    .await?;
    for row in &rows {
        let hash: String = row.try_get("hash")?;
        let next = head.count + 1;
        if let Some(kind) = fault_of(row, &head, &hash)? {
            return Err(LedgerFault { at: next, kind }.into());
        }
        if expected.is_some_and(|expected| expected.count == next && expected.hash != hash) {
            return Err(LedgerFault { at: next, kind: LedgerFaultKind::Rewritten }.into());
        }
        head = Head { count: next, hash };
    }
    Ok(head)
}

fn fault_of(row: &SqliteRow, before: &Head, hash: &str) -> Result<Option<LedgerFaultKind>, StoreError> {
    let entry = LedgerRow::read(row)?;
    if entry.seq != before.count + 1 {
        return Ok(Some(LedgerFaultKind::Missing));
    }
    if entry.hash() != hash {
        return Ok(Some(LedgerFaultKind::Changed));
    }
    if entry.prev_hash != before.hash {
        return Ok(Some(LedgerFaultKind::Unlinked));
    }
    let Some(salt) = row.try_get::<Option<&str>, _>("salt")? else {
        let erased = row.try_get::<Option<&str>, _>("erased_at")?.is_some();
        return Ok((!erased).then_some(LedgerFaultKind::SubjectMissing));
    };
    let subject = subject_hash(salt, row.try_get("number")?, row.try_get("lead_id")?, row.try_get("facts")?);
    Ok((subject != entry.subject_hash).then_some(LedgerFaultKind::SubjectChanged))
}

fn select_decisions() -> QueryBuilder<Sqlite> {
    QueryBuilder::new(
        "SELECT decisions.*, number, lead_id, facts FROM decisions LEFT JOIN decision_subjects ON decision_id = id",
    )
}

fn read_decision(row: &SqliteRow) -> Result<RecordedDecision, StoreError> {
    let entry = LedgerRow::read(row)?;
    let line = entry.line();
    let subject = match row.try_get::<Option<String>, _>("number")? {
        None => None,
        Some(number) => Some(DecisionSubject {
            number: number.into(),
            lead_id: parse_opt(row.try_get("lead_id")?, "decision_subjects")?,
            facts: from_json(row.try_get("facts")?, "decision_subjects")?,
        }),
    };
    Ok(RecordedDecision {
        seq: entry.seq,
        id: parse(&entry.id, "decisions")?,
        recorded_at: parse(&entry.recorded_at, "decisions")?,
        intent: parse_word(&entry.intent, "decisions")?,
        purpose: parse_word(&entry.purpose, "decisions")?,
        voice: parse_word(&entry.voice, "decisions")?,
        actor: Actor::new(parse_word(&entry.door, "decisions")?, entry.actor),
        decision: from_json(&entry.decision, "decisions")?,
        call_id: parse_opt(entry.call_id.as_deref(), "decisions")?,
        hashed_line: line,
        subject,
        prev_hash: entry.prev_hash,
        hash: row.try_get("hash")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ReasonCode;
    use crate::store::testing::{allow_if_free, at, call_id, gate_request, lead, operator, store};

    /// Five decisions, a second apart: four about one number, of which the first is allowed, then one about another.
    async fn five_decisions() -> Store {
        let store = store().await;
        for (n, to) in
            [(0, "+12125550113"), (1, "+12125550113"), (2, "+12125550113"), (3, "+12125550113"), (4, "nonsense")]
        {
            let request =
                GateRequest { intent: if n < 3 { Intent::Dial } else { Intent::Inquiry }, ..gate_request(to) };
            store.decide(request, at(n), allow_if_free).await.unwrap();
        }
        store
    }

    /// As somebody would who has the file.
    async fn tamper(store: &Store, sql: &'static str) {
        store
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::raw_sql(
                        "DROP TRIGGER decisions_stay_as_written; DROP TRIGGER decisions_stay;
                         DROP TRIGGER decision_subjects_stay_as_written; DROP TRIGGER decision_subjects_stay;
                         PRAGMA defer_foreign_keys = ON",
                    )
                    .execute(&mut *connection)
                    .await?;
                    sqlx::raw_sql(sql).execute(connection).await?;
                    Ok(())
                })
            })
            .await
            .unwrap();
    }

    async fn fault(store: &Store) -> LedgerFault {
        match store.verify_ledger().await {
            Err(StoreError::Ledger(fault)) => fault,
            other => panic!("the ledger should be broken, not {other:?}"),
        }
    }

    #[tokio::test]
    async fn an_untouched_ledger_is_proven_to_its_head() {
        let store = store().await;
        assert_eq!(store.verify_ledger().await.unwrap(), Head::of_empty());
        let store = five_decisions().await;
        let head = store.verify_ledger().await.unwrap();
        assert_eq!(head.count, 5);
        assert_eq!(store.ledger_head().await.unwrap(), head);
        assert_eq!(head.to_string().parse(), Ok(head.clone()));
        assert_eq!(store.verify_ledger_against(&head).await.unwrap(), head);
        assert_eq!("5".parse::<Head>(), Err(HeadError));
        assert_eq!("5:ABC".parse::<Head>(), Err(HeadError));
    }

    #[tokio::test]
    async fn the_hash_is_the_documented_one() {
        let store = five_decisions().await;
        let head = store.ledger_head().await.unwrap();
        let (salt, subject_hash): (String, String) = store
            .read(|connection| {
                Box::pin(async move {
                    let sql = "SELECT salt, subject_hash FROM decisions JOIN decision_subjects ON decision_id = id WHERE seq = 5";
                    Ok(sqlx::query_as(sql).fetch_one(connection).await?)
                })
            })
            .await
            .unwrap();
        let last = &store.list_decisions(DecisionFilter::default(), None, 1).await.unwrap().items[0];
        let subject = format!(r#"["clearline-subject-1","{salt}","nonsense","","{{\"from\":\"a test\"}}"]"#);
        assert_eq!(sha256_hex(&subject), subject_hash);
        let line = format!(
            r#"["clearline-decision-1","{}","5","{}","2026-11-18T17:00:04.000000000Z","inquiry","telemarketing","ai","cli","operator","1",{},"test.1","{subject_hash}"]"#,
            last.prev_hash,
            last.id,
            serde_json::Value::String(json(&last.decision)),
        );
        assert_eq!((sha256_hex(&line), last.hash.clone()), (head.hash.clone(), head.hash));
    }

    #[tokio::test]
    async fn every_change_gap_and_reordering_is_found_where_it_is() {
        use LedgerFaultKind::{Changed, Missing, SubjectChanged, SubjectMissing, Unlinked};
        let cases = [
            ("UPDATE decisions SET allowed = 1 WHERE seq = 2", 2, Changed),
            ("UPDATE decisions SET decision = replace(decision, 'not now', 'later') WHERE seq = 3", 3, Changed),
            ("UPDATE decisions SET recorded_at = '2026-01-01T00:00:00.000000000Z' WHERE seq = 1", 1, Changed),
            ("UPDATE decisions SET actor = 'somebody' WHERE seq = 4", 4, Changed),
            ("UPDATE decisions SET intent = 'dial' WHERE seq = 4", 4, Changed),
            ("UPDATE decisions SET prev_hash = hash WHERE seq = 4", 4, Changed),
            ("UPDATE decisions SET hash = prev_hash WHERE seq = 5", 5, Changed),
            (
                "DELETE FROM decision_subjects WHERE decision_id = (SELECT id FROM decisions WHERE seq = 3);
              DELETE FROM decisions WHERE seq = 3",
                3,
                Missing,
            ),
            (
                "UPDATE decisions SET seq = 9 WHERE seq = 2; UPDATE decisions SET seq = 2 WHERE seq = 3;
              UPDATE decisions SET seq = 3 WHERE seq = 9",
                2,
                Changed,
            ),
            (
                "UPDATE decision_subjects SET number = '+12125550114'
              WHERE decision_id = (SELECT id FROM decisions WHERE seq = 2)",
                2,
                SubjectChanged,
            ),
            (
                "UPDATE decision_subjects SET facts = '{}' WHERE decision_id = (SELECT id FROM decisions WHERE seq = 1)",
                1,
                SubjectChanged,
            ),
            (
                "DELETE FROM decision_subjects WHERE decision_id = (SELECT id FROM decisions WHERE seq = 4)",
                4,
                SubjectMissing,
            ),
        ];
        for (sql, at, kind) in cases {
            let store = five_decisions().await;
            tamper(&store, sql).await;
            assert_eq!(fault(&store).await, LedgerFault { at, kind }, "{sql}");
        }

        // Whoever changes a row and its hash as well breaks the link to the next.
        let store = five_decisions().await;
        let forged = store
            .read(|connection| {
                Box::pin(async move {
                    let row = sqlx::query("SELECT * FROM decisions WHERE seq = 2").fetch_one(connection).await?;
                    Ok(LedgerRow { allowed: true, ..LedgerRow::read(&row)? }.hash())
                })
            })
            .await
            .unwrap();
        tamper(&store, "UPDATE decisions SET allowed = 1 WHERE seq = 2").await;
        store
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::query("UPDATE decisions SET hash = ? WHERE seq = 2").bind(forged).execute(connection).await?;
                    Ok(())
                })
            })
            .await
            .unwrap();
        assert_eq!(fault(&store).await, LedgerFault { at: 3, kind: Unlinked });
    }

    #[tokio::test]
    async fn a_noted_head_shows_a_cut_tail_and_a_ledger_written_anew() {
        let store = five_decisions().await;
        let noted = store.ledger_head().await.unwrap();
        store.decide(gate_request("+12125550199"), at(9), allow_if_free).await.unwrap();
        assert_eq!(store.verify_ledger_against(&noted).await.unwrap().count, 6, "a ledger may grow");

        tamper(
            &store,
            "DELETE FROM reservations; DELETE FROM decision_subjects; DELETE FROM decisions WHERE seq >= 4;
                        INSERT INTO erasures SELECT id, '', '', '' FROM decisions",
        )
        .await;
        assert_eq!(store.verify_ledger().await.unwrap().count, 3, "the chain alone cannot show it");
        let cut = store.verify_ledger_against(&noted).await;
        assert!(
            matches!(cut, Err(StoreError::Ledger(LedgerFault { at: 4, kind: LedgerFaultKind::CutOff }))),
            "{cut:?}"
        );

        let anew = five_decisions().await;
        let rewritten = anew.verify_ledger_against(&noted).await;
        let expected = LedgerFault { at: 5, kind: LedgerFaultKind::Rewritten };
        assert!(matches!(rewritten, Err(StoreError::Ledger(fault)) if fault == expected));
        let empty_but_not = Head { count: 0, hash: noted.hash };
        assert!(anew.verify_ledger_against(&empty_but_not).await.is_err());
    }

    #[tokio::test]
    async fn a_long_ledger_is_proven_page_by_page() {
        let store = store().await;
        let request = || GateRequest { intent: Intent::Inquiry, ..gate_request("+12125550113") };
        for n in 0..=VERIFY_PAGE {
            store.decide(request(), at(n), allow_if_free).await.unwrap();
        }
        assert_eq!(store.verify_ledger().await.unwrap().count, VERIFY_PAGE + 1);
        tamper(&store, "UPDATE decisions SET actor = 'x' WHERE seq = 1001").await;
        assert_eq!(fault(&store).await, LedgerFault { at: 1001, kind: LedgerFaultKind::Changed });
    }

    #[tokio::test]
    async fn the_database_itself_refuses_changes() {
        let store = five_decisions().await;
        for sql in [
            "UPDATE decisions SET allowed = 1",
            "DELETE FROM decisions",
            "UPDATE decision_subjects SET facts = '{}'",
            "DELETE FROM decision_subjects",
        ] {
            let refused = store.write(move |connection| {
                Box::pin(async move { Ok(sqlx::query(sql).execute(connection).await?.rows_affected()) })
            });
            assert!(matches!(refused.await, Err(StoreError::Database(_))), "{sql}");
        }
        assert_eq!(store.verify_ledger().await.unwrap().count, 5);
    }

    #[tokio::test]
    async fn decisions_read_back_as_they_were_made() {
        let store = five_decisions().await;
        let ada = lead(1, "+12125550113");
        let request = GateRequest { lead_id: Some(ada.id), ..gate_request("+12125550113") };
        let decided = store.decide(request, at(7), allow_if_free).await.unwrap();
        assert_eq!(decided.decision.reasons()[0].code, ReasonCode::InFlight);
        let recorded = store.decision(decided.decision_id).await.unwrap().unwrap();
        assert_eq!(recorded.decision, decided.decision);
        assert_eq!((recorded.seq, recorded.recorded_at, &recorded.actor), (6, at(7), &operator()));
        let facts = serde_json::json!({"from": "a test"});
        let subject = DecisionSubject { number: "+12125550113".into(), lead_id: Some(ada.id), facts };
        assert_eq!(recorded.subject, Some(subject));

        assert_eq!(sha256_hex(&recorded.hashed_line), recorded.hash);

        let seqs = async |filter, after, limit| {
            let listing = store.list_decisions(filter, after, limit).await.unwrap();
            (listing.items.iter().map(|decision| decision.seq).collect::<Vec<_>>(), listing.next)
        };
        let one_number = || DecisionFilter { number: Some("+12125550113".into()), ..DecisionFilter::default() };
        let (first, next) = seqs(one_number(), None, 3).await;
        let (second, end) = seqs(one_number(), next, 3).await;
        assert_eq!((first, second, end), (vec![6, 4, 3], vec![2, 1], None));
        let period = DecisionFilter { since: Some(at(1)), until: Some(at(4)), ..DecisionFilter::default() };
        assert_eq!(seqs(period, None, 9).await.0, [4, 3, 2]);
        let nonsense = DecisionFilter { number: Some("nonsense".into()), ..DecisionFilter::default() };
        assert_eq!(seqs(nonsense, None, 9).await.0, [5]);
    }

    #[tokio::test]
    async fn the_call_that_was_decided_for_is_part_of_the_chain() {
        let store = five_decisions().await;
        let request = GateRequest { call_id: Some(call_id(7)), ..gate_request("+12125550114") };
        let decided = store.decide(request, at(7), allow_if_free).await.unwrap();
        let of_call = DecisionFilter { call: Some(call_id(7)), ..DecisionFilter::default() };
        let found = store.list_decisions(of_call, None, 9).await.unwrap().items;
        assert_eq!(
            found.iter().map(|found| (found.id, found.call_id)).collect::<Vec<_>>(),
            [(decided.decision_id, Some(call_id(7)))]
        );
        store.verify_ledger().await.unwrap();
        for sql in [
            "UPDATE decisions SET call_id = NULL WHERE seq = 6",
            "UPDATE decisions SET call_id = 'call_00000000000000000000000000000008' WHERE seq = 6",
        ] {
            let copy = five_decisions().await;
            let request = GateRequest { call_id: Some(call_id(7)), ..gate_request("+12125550114") };
            copy.decide(request, at(7), allow_if_free).await.unwrap();
            tamper(&copy, sql).await;
            assert_eq!(fault(&copy).await, LedgerFault { at: 6, kind: LedgerFaultKind::Changed }, "{sql}");
        }
        tamper(&store, "UPDATE decisions SET call_id = 'call_00000000000000000000000000000008' WHERE seq = 2").await;
        assert_eq!(fault(&store).await, LedgerFault { at: 2, kind: LedgerFaultKind::Changed });
    }
}
