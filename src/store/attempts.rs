//! Dial attempts: each is written down before its request leaves, and settled when its fate is known.
//!
//! What counts toward the caps: `pending`, `accepted` and `uncertain` attempts, since a phone rang or may have rung; the rules
//! count attempts, not answers (47 CFR 64.1200(a)(3), state caps). `refused` (the carrier said no: nothing rang) and
//! `reconciled_absent` (the carrier was asked later and has no such call) do not count and free their number at once.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::columns::{parse, parse_opt, parse_word, stamp, word};
use super::error::on_conflict;
use super::reservations::{Closing, close, take};
use super::settings::OUTBOUND_STOP;
use super::{Store, StoreError};
use crate::compliance::clearance::DialOrder;
use crate::domain::{AttemptId, CallId, CallSid, DecisionId, E164, ReservationId};

/// What is known of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// Written down. The request may or may not have left.
    Pending,
    /// The carrier took it, under a `CallSid`.
    Accepted,
    /// The carrier refused it for good.
    Refused,
    /// No answer came, or none that says whether the call exists.
    Uncertain,
    /// It was uncertain, and the carrier turned out to have no such call.
    ReconciledAbsent,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    Accepted(CallSid),
    Refused,
    Uncertain,
    /// The carrier was asked and has no such call.
    Absent,
}

/// One request to the carrier to ring a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub id: AttemptId,
    pub call_id: CallId,
    pub decision_id: DecisionId,
    pub reservation_id: ReservationId,
    pub number: E164,
    pub state: AttemptState,
    pub call_sid: Option<CallSid>,
    pub started_at: Timestamp,
    pub settled_at: Option<Timestamp>,
    /// When its call ended.
    pub finished_at: Option<Timestamp>,
}

impl fmt::Display for AttemptState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// Whether something that stops every call, or every call to this number, came after the reservation. (What stood before it was
/// before the gate's eyes.)
const OVERTAKEN: &str = "
SELECT EXISTS (SELECT 1 FROM settings WHERE key = ?2)
    OR EXISTS (SELECT 1 FROM internal_dnc AS listed
        WHERE listed.number = slot.number AND listed.removed_at IS NULL AND listed.added_at >= slot.reserved_at)
    OR EXISTS (SELECT 1 FROM revocations AS withdrawn
        WHERE withdrawn.number = slot.number AND withdrawn.recorded_at >= slot.reserved_at)
FROM reservations AS slot WHERE slot.id = ?1";

impl Settlement {
    fn state(&self) -> AttemptState {
        match self {
            Self::Accepted(_) => AttemptState::Accepted,
            Self::Refused => AttemptState::Refused,
            Self::Uncertain => AttemptState::Uncertain,
            Self::Absent => AttemptState::ReconciledAbsent,
        }
    }
}

impl AttemptState {
    /// `Absent` may settle a pending attempt too: after a restart nobody knows whether its request left.
    fn may_become(self, next: Self) -> bool {
        match self {
            Self::Pending => next != Self::Pending,
            Self::Uncertain => matches!(next, Self::Accepted | Self::ReconciledAbsent),
            Self::Accepted | Self::Refused | Self::ReconciledAbsent => false,
        }
    }
}

impl Store {
    /// Writes down that the order is about to be carried out. Must be answered before the request leaves. Refused if the slot's
    /// lease ran out, or if decision or reservation were ever used before; and `Overtaken` if, since the gate allowed the call,
    /// all calls were stopped or the number opted out: what binds before the next dial binds here.
    pub async fn begin_attempt(&self, order: &DialOrder, call_id: CallId, now: Timestamp) -> Result<(), StoreError> {
        self.begin(order, call_id, None, now).await
    }

    /// The same for a transfer of a call to an outside number, which counts against the limits of the key that it is `charged_to`.
    pub async fn begin_transfer(
        &self,
        order: &DialOrder,
        call_id: CallId,
        charged_to: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.begin(order, call_id, charged_to.map(str::to_owned), now).await
    }

    async fn begin(
        &self,
        order: &DialOrder,
        call_id: CallId,
        charged_to: Option<String>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (id, decision_id, reservation_id) = (order.attempt_id(), order.decision_id(), order.reservation_id());
        let number = order.number().clone();
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO dial_attempts (id, call_id, decision_id, reservation_id, number, state, started_at, charged_to)
                     VALUES (?, ?, ?, ?, ?, 'pending', ?, ?)",
                )
                .bind(id.to_string())
                .bind(call_id.to_string())
                .bind(decision_id.to_string())
                .bind(reservation_id.to_string())
                .bind(number.as_str())
                .bind(stamp(now))
                .bind(charged_to)
                .execute(&mut *connection)
                .await
                .map_err(on_conflict(StoreError::AlreadyRedeemed(id)))?;
                take(connection, reservation_id, now).await?;
                let overtaken: bool = sqlx::query_scalar(OVERTAKEN)
                    .bind(reservation_id.to_string())
                    .bind(OUTBOUND_STOP)
                    .fetch_one(connection)
                    .await?;
                if overtaken { Err(StoreError::Overtaken(reservation_id)) } else { Ok(()) }
            })
        })
        .await
    }

    /// Writes down what became of an attempt. The same settlement twice is no error; one that contradicts a final one is.
    pub async fn settle_attempt(&self, id: AttemptId, how: Settlement, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |connection| Box::pin(settle(connection, id, how, now))).await
    }

    /// Writes down that the call of an accepted attempt ended, which frees its number. The journal does so itself with a call's
    /// `Ended`. An attempt whose fate is not known has to be settled first.
    pub async fn finish_attempt(&self, id: AttemptId, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                let attempt = load(connection, id).await?;
                match attempt.state {
                    AttemptState::Accepted => finish(connection, &attempt, now).await,
                    state => Err(StoreError::AttemptSettled { id, state }),
                }
            })
        })
        .await
    }

    pub async fn attempt(&self, id: AttemptId) -> Result<Option<Attempt>, StoreError> {
        let attempts = self.attempts_where("SELECT * FROM dial_attempts WHERE id = ?", id.to_string()).await?;
        Ok(attempts.into_iter().next())
    }

    /// The attempt that was made under a decision. There is never a second.
    pub async fn attempt_under(&self, decision: DecisionId) -> Result<Option<Attempt>, StoreError> {
        let sql = "SELECT * FROM dial_attempts WHERE decision_id = ?";
        Ok(self.attempts_where(sql, decision.to_string()).await?.into_iter().next())
    }

    /// The attempts of a call, oldest first.
    pub async fn attempts_of(&self, call: CallId) -> Result<Vec<Attempt>, StoreError> {
        self.attempts_where("SELECT * FROM dial_attempts WHERE call_id = ? ORDER BY started_at, id", call.to_string())
            .await
    }

    /// All attempts to ring a number, oldest first.
    pub async fn attempts_to(&self, number: &E164) -> Result<Vec<Attempt>, StoreError> {
        let sql = "SELECT * FROM dial_attempts WHERE number = ? ORDER BY started_at, id";
        self.attempts_where(sql, number.as_str().to_owned()).await
    }

    /// Attempts that began before an instant and whose fate is not known: to be looked up at the carrier, never to be repeated.
    pub async fn unsettled_attempts(&self, before: Timestamp) -> Result<Vec<Attempt>, StoreError> {
        let sql = "SELECT * FROM dial_attempts WHERE state IN ('pending', 'uncertain') AND started_at < ?
                   ORDER BY started_at, id";
        self.attempts_where(sql, stamp(before)).await
    }

    async fn attempts_where(&self, sql: &'static str, value: String) -> Result<Vec<Attempt>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                sqlx::query(sql).bind(value).fetch_all(connection).await?.iter().map(read_attempt).collect()
            })
        })
        .await
    }
}

/// Finishes the accepted attempts of a call whose record ended. One still uncertain keeps its slot: its phone may be ringing.
pub(super) async fn finish_accepted(
    connection: &mut SqliteConnection,
    call: CallId,
    ended_at: Timestamp,
) -> Result<(), StoreError> {
    let rows =
        sqlx::query("SELECT * FROM dial_attempts WHERE call_id = ? AND state = 'accepted' AND finished_at IS NULL")
            .bind(call.to_string())
            .fetch_all(&mut *connection)
            .await?;
    for row in &rows {
        finish(connection, &read_attempt(row)?, ended_at).await?;
    }
    Ok(())
}

async fn settle(
    connection: &mut SqliteConnection,
    id: AttemptId,
    how: Settlement,
    now: Timestamp,
) -> Result<(), StoreError> {
    let attempt = load(connection, id).await?;
    let next = how.state();
    if attempt.state == next {
        return Ok(());
    }
    if !attempt.state.may_become(next) {
        return Err(StoreError::AttemptSettled { id, state: attempt.state });
    }
    let call_sid = match &how {
        Settlement::Accepted(sid) => Some(sid.as_str()),
        Settlement::Refused | Settlement::Uncertain | Settlement::Absent => None,
    };
    sqlx::query("UPDATE dial_attempts SET state = ?, call_sid = ?, settled_at = ? WHERE id = ?")
        .bind(word(&next))
        .bind(call_sid)
        .bind(stamp(now))
        .bind(id.to_string())
        .execute(&mut *connection)
        .await?;
    match how {
        Settlement::Refused | Settlement::Absent => {
            close(connection, attempt.reservation_id, Closing::Released, now).await
        }
        Settlement::Uncertain => Ok(()),
        Settlement::Accepted(_) => finish_if_ended(connection, &attempt).await,
    }
}

/// A call's end can be known before its attempt is settled, when a callback overtakes the answer to our request.
async fn finish_if_ended(connection: &mut SqliteConnection, attempt: &Attempt) -> Result<(), StoreError> {
    let ended_at: Option<Option<String>> = sqlx::query_scalar("SELECT ended_at FROM calls WHERE id = ?")
        .bind(attempt.call_id.to_string())
        .fetch_optional(&mut *connection)
        .await?;
    match parse_opt(ended_at.flatten().as_deref(), "calls")? {
        Some(ended_at) => finish(connection, attempt, ended_at).await,
        None => Ok(()),
    }
}

async fn finish(connection: &mut SqliteConnection, attempt: &Attempt, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query("UPDATE dial_attempts SET finished_at = ? WHERE id = ? AND finished_at IS NULL")
        .bind(stamp(now))
        .bind(attempt.id.to_string())
        .execute(&mut *connection)
        .await?;
    close(connection, attempt.reservation_id, Closing::Ended, now).await
}

async fn load(connection: &mut SqliteConnection, id: AttemptId) -> Result<Attempt, StoreError> {
    let row = sqlx::query("SELECT * FROM dial_attempts WHERE id = ?")
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?
        .ok_or(StoreError::NoSuchAttempt(id))?;
    read_attempt(&row)
}

fn read_attempt(row: &SqliteRow) -> Result<Attempt, StoreError> {
    const TABLE: &str = "dial_attempts";
    Ok(Attempt {
        id: parse(row.try_get("id")?, TABLE)?,
        call_id: parse(row.try_get("call_id")?, TABLE)?,
        decision_id: parse(row.try_get("decision_id")?, TABLE)?,
        reservation_id: parse(row.try_get("reservation_id")?, TABLE)?,
        number: parse(row.try_get("number")?, TABLE)?,
        state: parse_word(row.try_get("state")?, TABLE)?,
        call_sid: row.try_get::<Option<String>, _>("call_sid")?.map(CallSid::new),
        started_at: parse(row.try_get("started_at")?, TABLE)?,
        settled_at: parse_opt(row.try_get("settled_at")?, TABLE)?,
        finished_at: parse_opt(row.try_get("finished_at")?, TABLE)?,
    })
}
