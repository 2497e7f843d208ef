//! Deciding and reserving in one transaction, and what becomes of a reservation. The only file that mints one.
//!
//! A reservation is `held` from the decision until an attempt begins. If none begins within its lease, or the caller releases it,
//! the slot is free again. Once an attempt began the slot is `dialing`, and stays so until the call ended or the attempt is known
//! not to have left: an attempt whose fate is unknown keeps its number blocked, since a phone may be ringing.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sqlx::{Row as _, SqliteConnection};

use super::columns::{new_uuid, parse, parse_opt, stamp};
use super::error::on_conflict;
use super::ledger::{Intent, record_decision};
use super::stored_facts::{StoredFacts, gather};
use super::{Store, StoreError};
use crate::compliance::clearance::Reservation;
use crate::domain::decision::Voice;
use crate::domain::event::Actor;
use crate::domain::{CallId, Decision, DecisionId, LeadId, Party, Purpose, ReservationId};

/// How long a slot is held for an attempt to begin. Longer than a clearance lives, so that no clearance outlives its slot.
pub const LEASE: SignedDuration = SignedDuration::from_secs(30);

/// A question to the gate.
#[derive(Debug, Clone)]
pub struct GateRequest {
    /// As it was asked for. A text that is not a number is recorded too, with its denial.
    pub number: Party,
    pub purpose: Purpose,
    pub voice: Voice,
    pub lead_id: Option<LeadId>,
    /// The call that it is asked for, where there is one already.
    pub call_id: Option<CallId>,
    pub actor: Actor,
    pub intent: Intent,
}

/// What became of a slot, for the evidence. It permits nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlotRecord {
    pub id: ReservationId,
    /// `held`, `dialing`, `ended`, `released` or `expired`.
    pub state: String,
    pub reserved_at: Timestamp,
    pub expires_at: Timestamp,
    pub closed_at: Option<Timestamp>,
}

/// The gate's answer, on record.
#[derive(Debug)]
pub struct Decided {
    pub decision_id: DecisionId,
    pub decision: Decision,
    /// The slot, if the decision allows and was asked for in order to dial.
    pub reservation: Option<Reservation>,
}

impl Store {
    /// Reads the facts, asks the gate (`evaluate`: pure and quick, it runs inside the transaction; it gives its answer and the
    /// facts as they shall be recorded), writes the decision into the ledger and reserves the number, all in one transaction. Of
    /// simultaneous requests for one number the second sees the first one's reservation.
    ///
    /// `NumberBusy` only if the gate allows although `StoredFacts::in_flight` is set; nothing is recorded then.
    pub async fn decide<E>(&self, request: GateRequest, now: Timestamp, evaluate: E) -> Result<Decided, StoreError>
    where
        E: FnOnce(&StoredFacts) -> (Decision, serde_json::Value) + Send + 'static,
    {
        self.write(move |connection| Box::pin(decide(connection, request, now, evaluate))).await
    }

    /// The slot that a decision held, if it allowed a dial.
    pub async fn slot_under(&self, decision: DecisionId) -> Result<Option<SlotRecord>, StoreError> {
        const TABLE: &str = "reservations";
        self.read(move |connection| {
            Box::pin(async move {
                let row = sqlx::query("SELECT * FROM reservations WHERE decision_id = ?")
                    .bind(decision.to_string())
                    .fetch_optional(connection)
                    .await?;
                let Some(row) = row else { return Ok(None) };
                Ok(Some(SlotRecord {
                    id: parse(row.try_get("id")?, TABLE)?,
                    state: row.try_get("state")?,
                    reserved_at: parse(row.try_get("reserved_at")?, TABLE)?,
                    expires_at: parse(row.try_get("expires_at")?, TABLE)?,
                    closed_at: parse_opt(row.try_get("closed_at")?, TABLE)?,
                }))
            })
        })
        .await
    }

    /// Gives a slot back for which no attempt began. Releasing it twice, or after its lease, is no error.
    pub async fn release(&self, id: ReservationId, now: Timestamp) -> Result<(), StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                let released = sqlx::query(
                    "UPDATE reservations SET state = 'released', closed_at = ? WHERE id = ? AND state = 'held'",
                )
                .bind(stamp(now))
                .bind(id.to_string())
                .execute(&mut *connection)
                .await?;
                if released.rows_affected() == 1 {
                    return Ok(());
                }
                let state: Option<String> = sqlx::query_scalar("SELECT state FROM reservations WHERE id = ?")
                    .bind(id.to_string())
                    .fetch_optional(connection)
                    .await?;
                match state.as_deref() {
                    None => Err(StoreError::ReservationGone(id)),
                    Some("dialing") => Err(StoreError::ReservationInUse(id)),
                    Some(_) => Ok(()),
                }
            })
        })
        .await
    }
}

async fn decide(
    connection: &mut SqliteConnection,
    request: GateRequest,
    now: Timestamp,
    evaluate: impl FnOnce(&StoredFacts) -> (Decision, serde_json::Value),
) -> Result<Decided, StoreError> {
    let (stored, head) = gather(connection, &request, now).await?;
    let (decision, facts) = evaluate(&stored);
    let decision_id = DecisionId::from_uuid(new_uuid(now));
    record_decision(connection, &head, decision_id, &request, now, &decision, &facts).await?;
    if !decision.is_allowed() || request.intent == Intent::Inquiry {
        return Ok(Decided { decision_id, decision, reservation: None });
    }
    let Party::Number(number) = request.number else { return Err(StoreError::AllowedWithoutNumber) };
    let id = ReservationId::from_uuid(new_uuid(now));
    let expires_at = now.saturating_add(LEASE).expect("seconds are a fixed length");
    sqlx::query(
        "INSERT INTO reservations (id, decision_id, number, state, reserved_at, expires_at) VALUES (?, ?, ?, 'held', ?, ?)",
    )
    .bind(id.to_string())
    .bind(decision_id.to_string())
    .bind(number.as_str())
    .bind(stamp(now))
    .bind(stamp(expires_at))
    .execute(connection)
    .await
    .map_err(on_conflict(StoreError::NumberBusy))?;
    let reservation = Reservation::mint(id, decision_id, number, now);
    Ok(Decided { decision_id, decision, reservation: Some(reservation) })
}

/// Takes a held slot for an attempt, within the attempt's transaction.
pub(super) async fn take(
    connection: &mut SqliteConnection,
    id: ReservationId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let taken =
        sqlx::query("UPDATE reservations SET state = 'dialing' WHERE id = ? AND state = 'held' AND expires_at > ?")
            .bind(id.to_string())
            .bind(stamp(now))
            .execute(connection)
            .await?;
    if taken.rows_affected() == 1 { Ok(()) } else { Err(StoreError::ReservationGone(id)) }
}

/// Why a slot that was dialled is free again.
#[derive(Debug, Clone, Copy)]
pub(super) enum Closing {
    /// The attempt never left.
    Released,
    /// The call ended.
    Ended,
}

/// Frees the slot of an attempt.
pub(super) async fn close(
    connection: &mut SqliteConnection,
    id: ReservationId,
    closing: Closing,
    now: Timestamp,
) -> Result<(), StoreError> {
    let state = match closing {
        Closing::Released => "released",
        Closing::Ended => "ended",
    };
    sqlx::query("UPDATE reservations SET state = ?, closed_at = ? WHERE id = ? AND state = 'dialing'")
        .bind(state)
        .bind(stamp(now))
        .bind(id.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;
    use crate::compliance::clearance::{Clearance, DialOrder};
    use crate::domain::consent::OptOutChannel;
    use crate::domain::lead::{Lead, ProtectedLine};
    use crate::domain::{CallEvent, CallSid, Disposition, ReasonCode};
    use crate::store::testing::{
        allow, allow_if_free, at, attempt_id, call_id, consent, created, gate_request, lead, number, on_disk, operator,
        store,
    };
    use crate::store::{
        AttemptState, DecisionFilter, DncAnswer, LeadAddress, LineTypeAnswer, OptOut, ReassignedAnswer, Reassignment,
        Relationship, RelationshipKind, Said, Settlement,
    };

    const TO: &str = "+12125550113";

    async fn ask(store: &Store, seconds: i64) -> Decided {
        store.decide(gate_request(TO), at(seconds), allow_if_free).await.unwrap()
    }

    fn order(decided: Decided, n: u128, seconds: i64) -> DialOrder {
        let reservation = decided.reservation.expect("the gate allowed");
        Clearance::grant(&decided.decision, reservation).unwrap().redeem(attempt_id(n), at(seconds)).unwrap()
    }

    /// An attempt that is on its way.
    async fn begun(store: &Store, n: u128, seconds: i64) {
        let order = order(ask(store, seconds).await, n, seconds);
        store.begin_attempt(&order, call_id(n), at(seconds)).await.unwrap();
    }

    async fn gathered(store: &Store, request: GateRequest, seconds: i64) -> StoredFacts {
        store
            .write(move |connection| Box::pin(async move { Ok(gather(connection, &request, at(seconds)).await?.0) }))
            .await
            .unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_simultaneous_requests_exactly_one_passes() {
        let (on_disk, _file) = on_disk().await;
        for store in [store().await, on_disk] {
            let decided = join_all((0..20).map(|_| ask(&store, 0))).await;
            assert_eq!(decided.iter().filter(|decided| decided.reservation.is_some()).count(), 1);
            assert_eq!(decided.iter().filter(|decided| decided.decision.is_allowed()).count(), 1);
            let listing = store.list_decisions(DecisionFilter::default(), None, 50).await.unwrap();
            assert_eq!(listing.items.len(), 20, "denials are on record too");
            assert_eq!(store.verify_ledger().await.unwrap().count, 20);
        }
    }

    #[tokio::test]
    async fn two_processes_on_one_file_share_one_slot_and_one_chain() {
        let (server, file) = on_disk().await;
        let command_line = file.open().await;
        let requests = (0..10).flat_map(|_| [ask(&server, 0), ask(&command_line, 0)]);
        let decided = join_all(requests).await;
        assert_eq!(decided.iter().filter(|decided| decided.reservation.is_some()).count(), 1);
        assert_eq!(command_line.verify_ledger().await.unwrap().count, 20);
    }

    #[tokio::test]
    async fn a_gate_that_forgets_the_slot_is_stopped_by_the_database() {
        let store = store().await;
        ask(&store, 0).await;
        let refused = store.decide(gate_request(TO), at(1), allow).await;
        assert!(matches!(refused, Err(StoreError::NumberBusy)));
        assert_eq!(store.ledger_head().await.unwrap().count, 1, "nothing is left of it");
        let refused = store.decide(gate_request("nonsense"), at(1), allow).await;
        assert!(matches!(refused, Err(StoreError::AllowedWithoutNumber)));
    }

    #[tokio::test]
    async fn a_panicking_gate_leaves_nothing_and_harms_nobody_else() {
        let store = store().await;
        let request = gate_request("+12125550114");
        let panicked = store.decide(request, at(0), |_| panic!("a rule is broken"));
        let (panicked, other) = tokio::join!(panicked, ask(&store, 0));
        assert!(matches!(panicked, Err(StoreError::Panicked)));
        assert!(other.reservation.is_some());
        assert_eq!(store.verify_ledger().await.unwrap().count, 1);
    }

    #[tokio::test]
    async fn an_inquiry_reserves_nothing_and_counts_for_nothing() {
        let store = store().await;
        let inquiry = GateRequest { intent: Intent::Inquiry, ..gate_request(TO) };
        let decided = store.decide(inquiry, at(0), allow_if_free).await.unwrap();
        assert!(decided.decision.is_allowed() && decided.reservation.is_none());
        let facts = gathered(&store, gate_request(TO), 1).await;
        assert_eq!((facts.attempts, facts.in_flight), (vec![], None));
        assert!(ask(&store, 1).await.reservation.is_some());
    }

    #[tokio::test]
    async fn a_held_slot_counts_as_an_attempt_until_it_is_released_or_its_lease_ends() {
        let store = store().await;
        let held = ask(&store, 0).await.reservation.unwrap();
        let facts = gathered(&store, gate_request(TO), 1).await;
        assert_eq!((facts.attempts, facts.in_flight), (vec![at(0)], Some(held.id())));
        store.release(held.id(), at(1)).await.unwrap();
        store.release(held.id(), at(2)).await.unwrap();
        assert_eq!(gathered(&store, gate_request(TO), 2).await.attempts, []);

        let lapsed = ask(&store, 2).await;
        assert_eq!(ask(&store, 31).await.decision.reasons()[0].code, ReasonCode::InFlight);
        let next = ask(&store, 32).await;
        assert!(next.reservation.is_some(), "30 s later the slot is free");

        // The lapsed one can no longer be dialled, and neither can one whose slot was released.
        let late = order(lapsed, 1, 10);
        let refused = store.begin_attempt(&late, call_id(1), at(33)).await;
        assert!(matches!(refused, Err(StoreError::ReservationGone(id)) if id == late.reservation_id()));
        assert_eq!(store.attempt(attempt_id(1)).await.unwrap(), None);
        store.release(next.reservation.as_ref().unwrap().id(), at(34)).await.unwrap();
        let released = order(next, 2, 34);
        assert!(store.begin_attempt(&released, call_id(2), at(34)).await.is_err());
    }

    #[tokio::test]
    async fn a_lease_that_ran_out_is_gone_even_if_nobody_else_asked() {
        let store = store().await;
        let order = order(ask(&store, 0).await, 1, 5);
        let refused = store.begin_attempt(&order, call_id(1), at(30)).await;
        assert!(matches!(refused, Err(StoreError::ReservationGone(_))));
    }

    #[tokio::test]
    async fn a_decision_is_dialled_once() {
        let store = store().await;
        let order = order(ask(&store, 0).await, 1, 0);
        store.begin_attempt(&order, call_id(1), at(1)).await.unwrap();
        let twice = store.begin_attempt(&order, call_id(1), at(2)).await;
        assert!(matches!(twice, Err(StoreError::AlreadyRedeemed(_))));
        let released = store.release(order.reservation_id(), at(2)).await;
        assert!(matches!(released, Err(StoreError::ReservationInUse(_))));
    }

    #[tokio::test]
    async fn what_stops_a_call_after_the_gate_allowed_it_binds_before_the_dial() {
        let opt_out = |words: &str| OptOut {
            number: number(TO),
            channel: OptOutChannel::Speech,
            words: words.to_owned(),
            call_id: None,
        };
        let store = store().await;
        let order = order(ask(&store, 0).await, 1, 0);
        store.record_opt_outs(vec![opt_out("stop")], &operator(), at(1)).await.unwrap();
        let refused = store.begin_attempt(&order, call_id(1), at(2)).await;
        assert!(matches!(refused, Err(StoreError::Overtaken(id)) if id == order.reservation_id()));
        assert_eq!(store.attempt(attempt_id(1)).await.unwrap(), None, "nothing is left of it");
        store.release(order.reservation_id(), at(2)).await.unwrap();
        // What stood before the decision was before the gate's eyes: an emergency call is not held up by it.
        let again = store.decide(gate_request(TO), at(3), allow).await.unwrap();
        let order = self::order(again, 2, 3);
        store.stop_outbound("a wrong list", &operator(), at(3)).await.unwrap();
        assert!(matches!(store.begin_attempt(&order, call_id(2), at(4)).await, Err(StoreError::Overtaken(_))));
        store.release_outbound("mended", &operator(), at(4)).await.unwrap();
        store.begin_attempt(&order, call_id(2), at(5)).await.unwrap();
        store.check_books().await.unwrap();
    }

    #[tokio::test]
    async fn a_refused_attempt_frees_the_number_and_does_not_count() {
        let store = store().await;
        begun(&store, 1, 0).await;
        store.settle_attempt(attempt_id(1), Settlement::Refused, at(1)).await.unwrap();
        let facts = gathered(&store, gate_request(TO), 2).await;
        assert_eq!((facts.attempts, facts.in_flight), (vec![], None));
        let again = store.settle_attempt(attempt_id(1), Settlement::Accepted(CallSid::new("CA1")), at(2)).await;
        assert!(matches!(again, Err(StoreError::AttemptSettled { state: AttemptState::Refused, .. })));
    }

    #[tokio::test]
    async fn an_attempt_of_unknown_fate_keeps_its_number_until_it_is_known() {
        let store = store().await;
        begun(&store, 1, 0).await;
        let unsettled = |attempts: Vec<super::super::Attempt>| attempts.iter().map(|a| a.state).collect::<Vec<_>>();
        assert_eq!(unsettled(store.unsettled_attempts(at(9)).await.unwrap()), [AttemptState::Pending]);
        store.settle_attempt(attempt_id(1), Settlement::Uncertain, at(10)).await.unwrap();
        assert_eq!(unsettled(store.unsettled_attempts(at(9)).await.unwrap()), [AttemptState::Uncertain]);

        let ended = CallEvent::Ended { disposition: Disposition::Failed, detail: String::new() };
        store.append(vec![(call_id(1), at(0), created(TO)), (call_id(1), at(20), ended)]).await.unwrap();
        assert!(matches!(store.finish_attempt(attempt_id(1), at(21)).await, Err(StoreError::AttemptSettled { .. })));
        let facts = gathered(&store, gate_request(TO), 40 * 86_400).await;
        assert_eq!(facts.attempts, [at(0)]);
        assert!(facts.in_flight.is_some(), "no lease ends what may be ringing");

        store.settle_attempt(attempt_id(1), Settlement::Absent, at(41 * 86_400)).await.unwrap();
        let facts = gathered(&store, gate_request(TO), 86_400).await;
        assert_eq!((facts.attempts, facts.in_flight), (vec![], None));
        assert_eq!(store.unsettled_attempts(at(50 * 86_400)).await.unwrap(), []);
    }

    #[tokio::test]
    async fn the_end_of_a_call_frees_its_number_and_the_attempt_is_seen_for_367_days() {
        let store = store().await;
        begun(&store, 1, 0).await;
        store.settle_attempt(attempt_id(1), Settlement::Accepted(CallSid::new("CA1")), at(1)).await.unwrap();
        store.append(vec![(call_id(1), at(0), created(TO))]).await.unwrap();
        assert!(gathered(&store, gate_request(TO), 50).await.in_flight.is_some());
        let ended = CallEvent::Ended { disposition: Disposition::Completed, detail: String::new() };
        store.append(vec![(call_id(1), at(60), ended)]).await.unwrap();
        let facts = gathered(&store, gate_request(TO), 61).await;
        assert_eq!((facts.attempts, facts.in_flight), (vec![at(0)], None));
        let attempt = store.attempt(attempt_id(1)).await.unwrap().unwrap();
        assert_eq!((attempt.finished_at, attempt.number), (Some(at(60)), number(TO)));
        store.finish_attempt(attempt_id(1), at(99)).await.unwrap();
        assert_eq!(store.attempts_of(call_id(1)).await.unwrap()[0].finished_at, Some(at(60)), "the first end stands");

        let days = |n: i64| n * 86_400;
        assert_eq!(gathered(&store, gate_request(TO), days(367) - 1).await.attempts, [at(0)]);
        assert_eq!(gathered(&store, gate_request(TO), days(367)).await.attempts, []);
    }

    #[tokio::test]
    async fn an_end_that_overtakes_the_carriers_answer_frees_the_number_too() {
        let store = store().await;
        begun(&store, 1, 0).await;
        let ended = CallEvent::Ended { disposition: Disposition::Busy, detail: String::new() };
        store.append(vec![(call_id(1), at(0), created(TO)), (call_id(1), at(3), ended)]).await.unwrap();
        store.settle_attempt(attempt_id(1), Settlement::Accepted(CallSid::new("CA1")), at(4)).await.unwrap();
        assert_eq!(gathered(&store, gate_request(TO), 5).await.in_flight, None);
        assert_eq!(store.attempts_to(&number(TO)).await.unwrap()[0].finished_at, Some(at(3)));
    }

    #[tokio::test]
    async fn an_opt_out_binds_the_next_decision_at_once() {
        let store = store().await;
        let channel = OptOutChannel::KeyPress;
        let opt_out = OptOut { number: number(TO), channel, words: "9".to_owned(), call_id: None };
        // Queued together, in this order: the decision is made in the very next savepoint.
        let operator = operator();
        let (recorded, decided) = tokio::join!(store.record_opt_outs(vec![opt_out], &operator, at(0)), ask(&store, 0));
        recorded.unwrap();
        assert_eq!(decided.decision.reasons()[0].code, ReasonCode::InternalDnc);
        let facts = gathered(&store, gate_request(TO), 1).await;
        assert_eq!(facts.internal_dnc_at, Some(at(0)));
        assert_eq!(facts.revocations.len(), 1);
        assert_eq!((facts.revocations[0].channel, &*facts.revocations[0].words), (channel, "9"));
    }

    /// A business line that the national list has.
    fn vendors_answers() -> (LineTypeAnswer, DncAnswer) {
        let (asked_at, source) = (at(-2), "vendor".to_owned());
        let line_type = crate::domain::decision::LineType::LandlineBusiness;
        let list = DncAnswer {
            list: "national".to_owned(),
            listed: true,
            as_of: "2026-11-01".parse().unwrap(),
            asked_at,
            source: source.clone(),
        };
        (LineTypeAnswer { line_type, asked_at, source }, list)
    }

    #[tokio::test]
    async fn everything_known_of_a_number_is_gathered_and_nothing_of_another() {
        let store = store().await;
        let ada = Lead { protected_line: ProtectedLine::PatientRoom, ..lead(1, TO) };
        let given = [consent(1, TO, at(-9)), consent(2, TO, at(-90)), consent(3, "+12125550114", at(-9))];
        store.record_consents(given.to_vec(), &operator(), at(0)).await.unwrap();
        // Two more people have this number: one at the same address, one at none that is known; and one has another number.
        let with_ada = Lead { state: Some(" ny".to_owned()), updated_at: at(-1), ..lead(2, TO) };
        let nowhere = Lead { state: Some(String::new()), time_zone: None, ..lead(3, TO) };
        store.upsert_leads(vec![with_ada, nowhere, ada.clone(), lead(4, "+12125550114")]).await.unwrap();
        let date = |text: &str| text.parse().unwrap();
        let asked = |seconds, answer| ReassignedAnswer {
            consent_date: date("2026-01-02"),
            answer,
            asked_at: at(seconds),
            source: "vendor".to_owned(),
        };
        let answers = [asked(-5, Reassignment::No), asked(-3, Reassignment::NoData)];
        let (line, scrubbed) = vendors_answers();
        let bought = Relationship { kind: RelationshipKind::Purchase, date: date("2026-03-01") };
        for answer in answers.clone() {
            store.record_reassigned_answer(&ada.number, answer).await.unwrap();
        }
        store.record_line_type(&ada.number, line.clone()).await.unwrap();
        let older =
            LineTypeAnswer { asked_at: at(-20), line_type: crate::domain::decision::LineType::Mobile, ..line.clone() };
        store.record_line_type(&ada.number, older).await.unwrap();
        store.record_dnc_answer(&ada.number, scrubbed.clone()).await.unwrap();
        for _ in 0..2 {
            let said = Said { relationships: vec![bought.clone()], line_type: None };
            store.record_said(&ada.number, said, &operator(), at(0)).await.unwrap();
        }
        let stop = store.stop_outbound("", &operator(), at(0)).await.unwrap();

        let request = |text: &str| GateRequest { lead_id: Some(ada.id), ..gate_request(text) };
        let [first, second, _] = given;
        let new_york = LeadAddress {
            lead_id: ada.id,
            is_of_request: true,
            state: Some("NY".to_owned()),
            time_zone: Some("America/New_York".to_owned()),
            updated_at: ada.updated_at,
        };
        let expected = StoredFacts {
            outbound_stop: Some(stop.clone()),
            internal_dnc_at: None,
            revocations: vec![],
            consents: vec![second, first],
            litigator: None,
            litigators_as_of: None,
            reassigned: answers.into_iter().rev().collect(),
            dnc_answers: vec![scrubbed],
            line_type: Some(line),
            relationships: vec![bought],
            attempts: vec![],
            in_flight: None,
            addresses: vec![new_york],
            protected_by: Some(ada.clone()),
        };
        assert_eq!(gathered(&store, request(TO), 1).await, expected);
        let other = gathered(&store, request("+12125550115"), 1).await;
        let nothing = StoredFacts {
            consents: vec![],
            reassigned: vec![],
            dnc_answers: vec![],
            line_type: None,
            relationships: vec![],
            addresses: vec![],
            protected_by: None,
            ..expected
        };
        assert_eq!(other, nothing);
    }

    #[tokio::test]
    async fn everybodys_address_counts_also_where_the_request_names_nobody() {
        let store = store().await;
        let ada = lead(1, TO);
        let texan = Lead { state: Some("TX".to_owned()), time_zone: None, ..lead(5, TO) };
        store.upsert_leads(vec![ada.clone(), texan.clone(), lead(6, "+12125550114")]).await.unwrap();
        let address = |lead: &Lead| LeadAddress {
            lead_id: lead.id,
            is_of_request: false,
            state: lead.state.clone(),
            time_zone: lead.time_zone.clone(),
            updated_at: lead.updated_at,
        };
        assert_eq!(gathered(&store, gate_request(TO), 1).await.addresses, [address(&ada), address(&texan)]);
    }
}
