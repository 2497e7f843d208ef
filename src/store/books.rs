//! The books of dialling: every attempt has one decision that allowed it and one slot of that decision, never shared, and every
//! allowing decision came to an attempt or gave its slot back.

use sqlx::Row;

use super::{Store, StoreError};

/// What the books hold. Given only where they balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Books {
    /// Decisions that allowed a dial.
    pub allowed: i64,
    /// Attempts that were written down under them.
    pub attempts: i64,
    /// Attempts that the carrier took.
    pub accepted: i64,
}

/// Each finds one row that must not be, by an id; `{}` of the sentence is that id. Evidence that was erased after its time took its
/// slots and attempts with it.
const FAULTS: [(&str, &str); 9] = [
    (
        "attempt {} has no decision that allowed a dial",
        "SELECT a.id FROM dial_attempts a LEFT JOIN decisions d ON d.id = a.decision_id
         WHERE d.id IS NULL OR d.allowed = 0 OR d.intent <> 'dial'",
    ),
    (
        "attempt {} uses a slot of another decision or number",
        "SELECT a.id FROM dial_attempts a LEFT JOIN reservations r ON r.id = a.reservation_id
         WHERE r.id IS NULL OR r.decision_id <> a.decision_id OR r.number <> a.number",
    ),
    (
        "attempt {} rang another number than its decision was about",
        "SELECT a.id FROM dial_attempts a JOIN decision_subjects s ON s.decision_id = a.decision_id WHERE s.number <> a.number",
    ),
    (
        "attempt {} belongs to another call than its decision",
        "SELECT a.id FROM dial_attempts a JOIN decisions d ON d.id = a.decision_id WHERE d.call_id <> a.call_id",
    ),
    (
        "slot {} has no decision that allowed a dial",
        "SELECT r.id FROM reservations r LEFT JOIN decisions d ON d.id = r.decision_id
         WHERE d.id IS NULL OR d.allowed = 0 OR d.intent <> 'dial'",
    ),
    (
        "decision {} allowed a dial and holds no slot",
        "SELECT d.id FROM decisions d WHERE d.allowed = 1 AND d.intent = 'dial'
             AND NOT EXISTS (SELECT 1 FROM reservations r WHERE r.decision_id = d.id)
             AND NOT EXISTS (SELECT 1 FROM erasures e WHERE e.decision_id = d.id)",
    ),
    (
        "slot {} was dialled and has no attempt",
        "SELECT r.id FROM reservations r WHERE r.state IN ('dialing', 'ended')
             AND NOT EXISTS (SELECT 1 FROM dial_attempts a WHERE a.reservation_id = r.id)",
    ),
    (
        "slot {} was given back although its attempt may have rung a phone",
        "SELECT r.id FROM reservations r JOIN dial_attempts a ON a.reservation_id = r.id
         WHERE r.state IN ('held', 'released', 'expired') AND a.state IN ('pending', 'accepted', 'uncertain')",
    ),
    (
        "the carrier's call {} stands under two attempts",
        "SELECT call_sid FROM dial_attempts WHERE call_sid IS NOT NULL GROUP BY call_sid HAVING count(*) > 1",
    ),
];

impl Store {
    /// Proves that the books balance, or says where they do not (`StoreError::Books`).
    pub async fn check_books(&self) -> Result<Books, StoreError> {
        self.read(|connection| {
            Box::pin(async move {
                for (sentence, sql) in FAULTS {
                    let fault: Option<String> = sqlx::query_scalar(sql).fetch_optional(&mut *connection).await?;
                    if let Some(id) = fault {
                        return Err(StoreError::Books(sentence.replace("{}", &id)));
                    }
                }
                let row = sqlx::query(
                    "SELECT (SELECT count(*) FROM decisions WHERE allowed = 1 AND intent = 'dial') AS allowed,
                         (SELECT count(*) FROM dial_attempts) AS attempts,
                         (SELECT count(*) FROM dial_attempts WHERE state = 'accepted') AS accepted",
                )
                .fetch_one(connection)
                .await?;
                Ok(Books {
                    allowed: row.try_get("allowed")?,
                    attempts: row.try_get("attempts")?,
                    accepted: row.try_get("accepted")?,
                })
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compliance::clearance::Clearance;
    use crate::domain::CallSid;
    use crate::store::Settlement;
    use crate::store::testing::{allow_if_free, at, attempt_id, call_id, gate_request, store};

    async fn one_dial() -> Store {
        let store = store().await;
        let decided = store.decide(gate_request("+12125550113"), at(0), allow_if_free).await.unwrap();
        let clearance = Clearance::grant(&decided.decision, decided.reservation.unwrap()).unwrap();
        let order = clearance.redeem(attempt_id(1), at(0)).unwrap();
        store.begin_attempt(&order, call_id(1), at(0)).await.unwrap();
        store.settle_attempt(attempt_id(1), Settlement::Accepted(CallSid::new("CA1")), at(1)).await.unwrap();
        store.decide(gate_request("+12125550113"), at(2), allow_if_free).await.unwrap();
        store
    }

    #[tokio::test]
    async fn an_honest_dial_balances() {
        assert_eq!(one_dial().await.check_books().await.unwrap(), Books { allowed: 1, attempts: 1, accepted: 1 });
    }

    #[tokio::test]
    async fn every_way_round_the_gate_shows() {
        for (sql, sentence) in [
            (
                "UPDATE dial_attempts SET decision_id = (SELECT id FROM decisions WHERE seq = 2)",
                "no decision that allowed",
            ),
            ("UPDATE reservations SET number = '+12125550114'", "a slot of another decision or number"),
            (
                "UPDATE dial_attempts SET number = '+12125550114'; UPDATE reservations SET number = '+12125550114'",
                "rang another number",
            ),
            ("DELETE FROM dial_attempts", "was dialled and has no attempt"),
            ("DELETE FROM dial_attempts; DELETE FROM reservations", "holds no slot"),
            ("UPDATE reservations SET state = 'released'", "was given back although"),
        ] {
            let store = one_dial().await;
            store
                .write(move |connection| {
                    Box::pin(async move {
                        sqlx::raw_sql(sql).execute(connection).await?;
                        Ok(())
                    })
                })
                .await
                .unwrap();
            let fault = store.check_books().await.unwrap_err();
            assert!(matches!(&fault, StoreError::Books(text) if text.contains(sentence)), "{sql}: {fault}");
        }
    }
}
