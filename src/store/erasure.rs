//! Erasing what names a person. The decision ledger stays provable: what it says of a person lies beside it and is covered by a
//! hash, so that it can go when the law no longer asks for it. Every erasure is written down.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::columns::{from_json, stamp, word};
use super::leads::save_lead;
use super::operator_log::record_action;
use super::settings::prune_mark;
use super::{Store, StoreError};
use crate::domain::event::Actor;
use crate::domain::lead::LeadStatus;
use crate::domain::{Call, E164, Lead};

/// What went, by kind, each a count of records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Erased {
    pub leads: u64,
    /// What was said and done in calls that ended.
    pub call_events: u64,
    /// Accounts of conversations that the agents' vendors sent.
    pub conversations: u64,
    /// Call records from which variables, summary, recordings and lead went; number, times and outcome stay.
    pub calls_stripped: u64,
    /// What agents were asked to remember.
    pub memories: u64,
    /// Vendors' answers about the number (line type, scrubbed lists): no evidence, they can be asked again.
    pub vendor_answers: u64,
    /// Evidence older than the law asks for.
    pub expired: Expired,
}

/// Evidence that went because its time is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Expired {
    /// Decisions of which number and facts went. The decisions themselves stay.
    pub decisions: u64,
    pub attempts: u64,
    pub calls: u64,
    pub consents: u64,
    pub revocations: u64,
    /// Relationships, and answers about reassignment.
    pub other: u64,
}

/// What stays about a number, each a count of records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Kept {
    pub decisions: i64,
    pub attempts: i64,
    pub calls: i64,
    /// Calls that have not ended: nothing of them was erased.
    pub running_calls: i64,
    pub consents: i64,
    pub revocations: i64,
    pub do_not_call_entries: i64,
    pub relationships: i64,
    pub reassigned_answers: i64,
    /// Leads of which only the number and the mark of a protected line are left.
    pub protected_lines: i64,
}

impl Erased {
    /// Whether nothing went.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Kept {
    fn of_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            decisions: row.try_get("decisions")?,
            attempts: row.try_get("attempts")?,
            calls: row.try_get("calls")?,
            running_calls: row.try_get("running_calls")?,
            consents: row.try_get("consents")?,
            revocations: row.try_get("revocations")?,
            do_not_call_entries: row.try_get("do_not_call_entries")?,
            relationships: row.try_get("relationships")?,
            reassigned_answers: row.try_get("reassigned_answers")?,
            protected_lines: row.try_get("protected_lines")?,
        })
    }
}

impl Store {
    /// Erases a person by their number, in one transaction: leads and what was said at once; evidence only if it is from before
    /// `evidence_until`, which is for the caller to know. Do-not-call entries always stay: they are what protects the person.
    pub async fn erase_person(
        &self,
        number: &E164,
        evidence_until: Timestamp,
        by: &Actor,
        now: Timestamp,
    ) -> Result<(Erased, Kept), StoreError> {
        let (number, by) = (number.clone(), by.clone());
        self.write(move |connection| {
            Box::pin(async move {
                let number = number.as_str();
                let mut erased = erase_content(connection, number, now).await?;
                erased.expired = expire(connection, Some(number), evidence_until, &by, now).await?;
                let kept = Kept::of_row(&sqlx::query(KEPT).bind(number).fetch_one(&mut *connection).await?)?;
                let detail = json!({ "erased": erased, "kept": kept });
                record_action(connection, "person_erased", &detail, &by, now).await?;
                Ok((erased, kept))
            })
        })
        .await
    }

    /// Erases everybody's evidence from before an instant.
    pub async fn expire_evidence(&self, until: Timestamp, by: &Actor, now: Timestamp) -> Result<Expired, StoreError> {
        let by = by.clone();
        self.write(move |connection| {
            Box::pin(async move {
                let expired = expire(connection, None, until, &by, now).await?;
                if expired != Expired::default() {
                    let detail = json!({ "until": until, "expired": expired });
                    record_action(connection, "evidence_expired", &detail, &by, now).await?;
                }
                Ok(expired)
            })
        })
        .await
    }
}

/// What stays about number `?1`.
const KEPT: &str = "SELECT
    (SELECT count(*) FROM decision_subjects WHERE number = ?1) AS decisions,
    (SELECT count(*) FROM dial_attempts WHERE number = ?1) AS attempts,
    (SELECT count(*) FROM calls WHERE from_party = ?1 OR to_party = ?1) AS calls,
    (SELECT count(*) FROM calls WHERE (from_party = ?1 OR to_party = ?1) AND ended_at IS NULL) AS running_calls,
    (SELECT count(*) FROM consents WHERE number = ?1) AS consents,
    (SELECT count(*) FROM revocations WHERE number = ?1) AS revocations,
    (SELECT count(*) FROM internal_dnc WHERE number = ?1) AS do_not_call_entries,
    (SELECT count(*) FROM relationships WHERE number = ?1) AS relationships,
    (SELECT count(*) FROM reassigned_answers WHERE number = ?1) AS reassigned_answers,
    (SELECT count(*) FROM leads WHERE number = ?1) AS protected_lines";

/// The ended calls of number `?1`.
const ENDED_CALLS: &str = "SELECT id FROM calls WHERE (from_party = ?1 OR to_party = ?1) AND ended_at IS NOT NULL";

async fn erase_content(connection: &mut SqliteConnection, number: &str, now: Timestamp) -> Result<Erased, StoreError> {
    let mut erased = Erased { leads: erase_leads(connection, number, now).await?, ..Erased::default() };
    let mut count = async |sql: String| -> Result<u64, StoreError> {
        Ok(sqlx::query(sqlx::AssertSqlSafe(sql)).bind(number).execute(&mut *connection).await?.rows_affected())
    };
    erased.conversations = count(format!("DELETE FROM conversations WHERE call_id IN ({ENDED_CALLS})")).await?;
    erased.memories = count("DELETE FROM memories WHERE number = ?1".to_owned()).await?;
    erased.vendor_answers = count("DELETE FROM line_types WHERE number = ?1".to_owned()).await?
        + count("DELETE FROM dnc_answers WHERE number = ?1".to_owned()).await?;
    erased.call_events = delete_events(connection, &format!("call_id IN ({ENDED_CALLS})"), number).await?;
    let records: Vec<String> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT record FROM calls WHERE id IN ({ENDED_CALLS})")))
            .bind(number)
            .fetch_all(&mut *connection)
            .await?;
    for record in records {
        let mut call: Call = from_json(&record, "calls")?;
        if strip(&mut call) {
            super::calls::save_calls(connection, [&call]).await?;
            sqlx::query("UPDATE calls SET lead_id = NULL WHERE id = ?")
                .bind(call.id.to_string())
                .execute(&mut *connection)
                .await?;
            erased.calls_stripped += 1;
        }
    }
    Ok(erased)
}

/// Deletes the leads of a number. Of one that marks a protected line the mark stays: it binds whoever calls there, and names nobody.
async fn erase_leads(connection: &mut SqliteConnection, number: &str, now: Timestamp) -> Result<u64, StoreError> {
    let records: Vec<String> = sqlx::query_scalar("DELETE FROM leads WHERE number = ? RETURNING record")
        .bind(number)
        .fetch_all(&mut *connection)
        .await?;
    let mut erased = 0;
    for record in records {
        let lead: Lead = from_json(&record, "leads")?;
        let bare = Lead {
            first_name: String::new(),
            last_name: String::new(),
            email: None,
            state: None,
            time_zone: None,
            source: None,
            status: LeadStatus::New,
            tags: Vec::new(),
            custom: BTreeMap::new(),
            ..lead.clone()
        };
        let has_changed = bare != lead;
        if !lead.protected_line.is_none() {
            // With a time of its own, so that a file that is being read does not bring the person back.
            let updated_at = if has_changed { now } else { lead.updated_at };
            save_lead(connection, &Lead { updated_at, ..bare }).await?;
        }
        erased += u64::from(lead.protected_line.is_none() || has_changed);
    }
    Ok(erased)
}

/// Takes out of a call's record what is said about a person and is not asked for by 16 CFR 310.5. Says whether there was any.
fn strip(call: &mut Call) -> bool {
    let before = call.clone();
    call.dynamic_variables.clear();
    call.summary = None;
    call.recordings.clear();
    call.lead_id = None;
    *call != before
}

/// Deletes journal entries and marks how far the journal has gaps now.
async fn delete_events(connection: &mut SqliteConnection, which: &str, bound: &str) -> Result<u64, StoreError> {
    let pruned: Vec<i64> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("DELETE FROM call_events WHERE {which} RETURNING seq")))
            .bind(bound)
            .fetch_all(&mut *connection)
            .await?;
    if let Some(highest) = pruned.iter().max() {
        prune_mark(connection, *highest).await?;
    }
    Ok(pruned.len() as u64)
}

/// Erases the evidence from before an instant: of one number, or of all.
async fn expire(
    connection: &mut SqliteConnection,
    number: Option<&str>,
    until: Timestamp,
    by: &Actor,
    now: Timestamp,
) -> Result<Expired, StoreError> {
    let mut run = async |sql: &'static str| -> Result<u64, StoreError> {
        let done = sqlx::query(sql)
            .bind(number)
            .bind(stamp(until))
            .bind(stamp(now))
            .bind(word(&by.door))
            .bind(&by.name)
            .execute(&mut *connection)
            .await?;
        Ok(done.rows_affected())
    };
    // What is erased is written down first; the database refuses the deletion otherwise.
    run("INSERT INTO erasures (decision_id, erased_at, door, actor)
         SELECT id, ?3, ?4, ?5 FROM decisions JOIN decision_subjects ON decision_id = id
         WHERE (?1 IS NULL OR number = ?1) AND recorded_at < ?2")
    .await?;
    let attempts = run("DELETE FROM dial_attempts WHERE state NOT IN ('pending', 'uncertain') AND decision_id IN (
             SELECT decision_id FROM erasures) AND (?1 IS NULL OR number = ?1)")
    .await?;
    run("DELETE FROM reservations WHERE (?1 IS NULL OR number = ?1) AND decision_id IN (SELECT decision_id FROM erasures)
             AND NOT EXISTS (SELECT 1 FROM dial_attempts WHERE reservation_id = reservations.id)")
    .await?;
    let decisions = run("DELETE FROM decision_subjects
         WHERE (?1 IS NULL OR number = ?1) AND decision_id IN (SELECT decision_id FROM erasures)")
    .await?;
    // A consent proves the calls made under it, so that its time begins with the last of them (or with its own end).
    run("INSERT INTO record_erasures (kind, record_id, erased_at, door, actor)
         SELECT 'consent', id, ?3, ?4, ?5 FROM consents AS given
         WHERE (?1 IS NULL OR number = ?1) AND recorded_at < ?2 AND given_at < ?2
             AND coalesce(json_extract(record, '$.expires_at'), '') < ?2
             AND NOT EXISTS (SELECT 1 FROM dial_attempts WHERE number = given.number AND started_at >= ?2)")
    .await?;
    let consents = run("DELETE FROM consents WHERE (?1 IS NULL OR number = ?1)
             AND id IN (SELECT record_id FROM record_erasures WHERE kind = 'consent')")
    .await?;
    // A withdrawal outlives the consent that it ends, and goes only when the number no longer needs it to stay uncalled.
    run("INSERT INTO record_erasures (kind, record_id, erased_at, door, actor)
         SELECT 'revocation', CAST(id AS TEXT), ?3, ?4, ?5 FROM revocations AS withdrawn
         WHERE (?1 IS NULL OR number = ?1) AND recorded_at < ?2
             AND NOT EXISTS (SELECT 1 FROM consents WHERE number = withdrawn.number)")
    .await?;
    let revocations = run("DELETE FROM revocations WHERE (?1 IS NULL OR number = ?1)
             AND CAST(id AS TEXT) IN (SELECT record_id FROM record_erasures WHERE kind = 'revocation')")
    .await?;
    let mut other = run("DELETE FROM relationships WHERE (?1 IS NULL OR number = ?1) AND recorded_at < ?2").await?;
    other += run("DELETE FROM reassigned_answers WHERE (?1 IS NULL OR number = ?1) AND asked_at < ?2").await?;
    let calls = expire_calls(connection, number, until).await?;
    Ok(Expired { decisions, attempts, calls, consents, revocations, other })
}

async fn expire_calls(
    connection: &mut SqliteConnection,
    number: Option<&str>,
    until: Timestamp,
) -> Result<u64, StoreError> {
    let old: Vec<String> = sqlx::query_scalar(
        "SELECT id FROM calls WHERE (?1 IS NULL OR from_party = ?1 OR to_party = ?1) AND ended_at < ?2
             AND NOT EXISTS (SELECT 1 FROM dial_attempts WHERE call_id = calls.id)",
    )
    .bind(number)
    .bind(stamp(until))
    .fetch_all(&mut *connection)
    .await?;
    for id in &old {
        delete_events(connection, "call_id = ?1", id).await?;
        sqlx::query("DELETE FROM conversations WHERE call_id = ?").bind(id).execute(&mut *connection).await?;
        sqlx::query("DELETE FROM calls WHERE id = ?").bind(id).execute(&mut *connection).await?;
    }
    Ok(old.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compliance::clearance::Clearance;
    use crate::domain::consent::OptOutChannel;
    use crate::domain::lead::ProtectedLine;
    use crate::domain::{CallEvent, CallSid, Disposition};
    use crate::store::testing::{
        allow_if_free, at, attempt_id, call_id, consent, created, gate_request, lead, number, on_disk, operator, store,
    };
    use crate::store::{DecisionFilter, LineTypeAnswer, OptOut, Settlement};

    const TO: &str = "+12125550113";
    const YEARS: i64 = 365 * 86_400;

    /// A person with everything that can be known of one, and a call that ended.
    async fn known_person() -> Store {
        known_person_in(store().await).await
    }

    async fn known_person_in(store: Store) -> Store {
        store.upsert_leads(vec![lead(1, TO), lead(2, "+12125550114")]).await.unwrap();
        store.record_consents(vec![consent(1, TO, at(0))], &operator(), at(0)).await.unwrap();
        let line = LineTypeAnswer {
            line_type: crate::domain::decision::LineType::Mobile,
            asked_at: at(0),
            source: "vendor".to_owned(),
        };
        store.record_line_type(&number(TO), line).await.unwrap();
        store.remember(&number(TO), "dog", "Ada has a dog called Rex", call_id(1), at(0)).await.unwrap();
        let decided = store.decide(gate_request(TO), at(1), allow_if_free).await.unwrap();
        let clearance = Clearance::grant(&decided.decision, decided.reservation.unwrap()).unwrap();
        let order = clearance.redeem(attempt_id(1), at(1)).unwrap();
        store.begin_attempt(&order, call_id(1), at(1)).await.unwrap();
        store.settle_attempt(attempt_id(1), Settlement::Accepted(CallSid::new("CA1")), at(2)).await.unwrap();
        let said = CallEvent::CallerSaid { text: "I am Ada Example".to_owned() };
        let analysed = CallEvent::ConversationAnalysed {
            conversation_id: crate::domain::ConversationId::new("conv_1"),
            summary: Some("Ada wants to sell".to_owned()),
            successful: None,
        };
        let ended = CallEvent::Ended { disposition: Disposition::Completed, detail: String::new() };
        store
            .append(vec![
                (call_id(1), at(1), created(TO)),
                (call_id(1), at(3), said),
                (call_id(1), at(4), analysed),
                (call_id(1), at(5), ended),
                (call_id(2), at(5), created("+12125550114")),
            ])
            .await
            .unwrap();
        store
    }

    #[tokio::test]
    async fn of_a_protected_line_the_mark_stays() {
        let store = store().await;
        let room = Lead { protected_line: ProtectedLine::PatientRoom, ..lead(1, TO) };
        store.upsert_leads(vec![room.clone(), lead(2, TO)]).await.unwrap();
        let erase = async || store.erase_person(&number(TO), at(-YEARS), &operator(), at(9)).await.unwrap().0.leads;
        assert_eq!(erase().await, 2);
        let left = store.leads_by_ids(&[room.id, lead(2, TO).id]).await.unwrap();
        assert_eq!(left.len(), 1);
        let (is_marked, name) = (left[0].protected_line, left[0].first_name.as_str());
        assert_eq!((is_marked, name, &left[0].custom), (ProtectedLine::PatientRoom, "", &BTreeMap::new()));
        assert_eq!(erase().await, 0);
    }

    /// Every text of every table but the list of those who are not to be called, to look for what must be gone. A table that is
    /// added is in it by itself.
    async fn everything(store: &Store) -> String {
        store
            .read(|connection| {
                Box::pin(async move {
                    let columns: Vec<(String, String)> = sqlx::query_as(
                        "SELECT m.name, c.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c
                         WHERE m.type = 'table' AND m.name NOT IN ('internal_dnc', 'sqlite_sequence', '_sqlx_migrations')",
                    )
                    .fetch_all(&mut *connection)
                    .await?;
                    assert!(columns.len() > 100, "{columns:?}");
                    let mut all = String::new();
                    for (table, column) in columns {
                        let sql = format!(
                            "SELECT CAST(\"{column}\" AS TEXT) FROM \"{table}\" WHERE \"{column}\" IS NOT NULL"
                        );
                        let texts: Vec<String> =
                            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *connection).await?;
                        for text in texts {
                            all.extend([table.as_str(), ".", column.as_str(), ": ", text.as_str(), "\n"]);
                        }
                    }
                    Ok(all)
                })
            })
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn content_goes_at_once_and_evidence_stays_its_time() {
        let store = known_person().await;
        let head = store.verify_ledger().await.unwrap();
        let until = at(0).checked_sub(jiff::SignedDuration::from_secs(5 * YEARS)).unwrap();
        let (erased, kept) = store.erase_person(&number(TO), until, &operator(), at(10)).await.unwrap();
        assert_eq!((erased.leads, erased.call_events, erased.calls_stripped, erased.vendor_answers), (1, 4, 1, 1));
        assert_eq!(erased.expired, Expired::default());
        assert_eq!((kept.decisions, kept.attempts, kept.calls, kept.consents, kept.running_calls), (1, 1, 1, 1, 0));
        let left = everything(&store).await;
        assert!(!left.contains("Ada wants") && !left.contains("I am Ada") && !left.contains("Rex"), "{left}");
        assert_eq!(left.matches("leads.record").count(), 1, "the other lead");
        assert_eq!(store.verify_ledger_against(&head).await.unwrap(), head);
        store.check_books().await.unwrap();
        let call = store.call(call_id(1)).await.unwrap().unwrap();
        assert_eq!((call.to.as_str(), call.disposition), (TO, Some(Disposition::Completed)));
        let (again, _) = store.erase_person(&number(TO), until, &operator(), at(11)).await.unwrap();
        assert!(again.is_nothing(), "{again:?}");
    }

    #[tokio::test]
    async fn evidence_whose_time_is_over_goes_too_and_the_ledger_stays_provable() {
        let store = known_person().await;
        let opt_out =
            OptOut { number: number(TO), channel: OptOutChannel::Speech, words: "stop".to_owned(), call_id: None };
        store.record_opt_outs(vec![opt_out], &operator(), at(6)).await.unwrap();
        let head = store.verify_ledger().await.unwrap();
        let (erased, kept) = store.erase_person(&number(TO), at(YEARS), &operator(), at(2 * YEARS)).await.unwrap();
        let expired = Expired { decisions: 1, attempts: 1, calls: 1, consents: 1, revocations: 1, other: 0 };
        assert_eq!(erased.expired, expired);
        assert_eq!((kept.decisions, kept.calls, kept.consents, kept.do_not_call_entries), (0, 0, 0, 1));
        let left = everything(&store).await;
        assert!(!left.contains(TO), "{left}");
        assert!(store.dnc_history(&number(TO)).await.unwrap().is_listed(), "the refusal is honoured for ever");
        assert_eq!(store.verify_ledger_against(&head).await.unwrap(), head);
        store.check_books().await.unwrap();
        let all = store.list_decisions(DecisionFilter::default(), None, 9).await.unwrap().items;
        assert!(all.iter().all(|decision| decision.subject.is_none()));
    }

    #[tokio::test]
    async fn a_consent_under_which_was_called_lately_stays() {
        let store = known_person().await;
        let by = operator();
        let expired = store.expire_evidence(at(1), &by, at(YEARS)).await.unwrap();
        assert_eq!(
            (expired.decisions, expired.consents),
            (0, 0),
            "the call of second 1 rests on the consent of second 0"
        );
        let expired = store.expire_evidence(at(YEARS), &by, at(YEARS)).await.unwrap();
        assert_eq!((expired.decisions, expired.consents, expired.calls), (1, 1, 1));
        assert_eq!(store.expire_evidence(at(YEARS), &by, at(YEARS)).await.unwrap(), Expired::default());
        store.verify_ledger().await.unwrap();
    }

    #[tokio::test]
    async fn what_was_erased_is_not_left_in_the_file() {
        let (store, scratch) = on_disk().await;
        let store = known_person_in(store).await;
        let until = at(0).checked_sub(jiff::SignedDuration::from_secs(YEARS)).unwrap();
        store.erase_person(&number(TO), until, &operator(), at(10)).await.unwrap();
        store.close().await;
        for entry in std::fs::read_dir(scratch.directory()).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            for word in ["Ada wants to sell", "I am Ada Example"] {
                let found = bytes.windows(word.len()).any(|window| window == word.as_bytes());
                assert!(!found, "{word} is in {}", path.display());
            }
        }
    }

    #[tokio::test]
    async fn a_running_call_is_left_alone() {
        let store = known_person().await;
        let (_, kept) = store.erase_person(&number("+12125550114"), at(YEARS), &operator(), at(YEARS)).await.unwrap();
        assert_eq!((kept.running_calls, kept.calls), (1, 1));
        assert_eq!(store.events_of(call_id(2)).await.unwrap().len(), 1);
    }
}
