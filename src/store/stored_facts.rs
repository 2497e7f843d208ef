//! `StoredFacts`: everything the store knows about a number, read in the transaction that decides. Plain data; the gate maps it.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use sqlx::{Row, SqliteConnection};

use super::StoreError;
use super::columns::{from_json, parse_opt, stamp};
use super::ledger::Head;
use super::number_facts::{DncAnswer, LineTypeAnswer, ReassignedAnswer, Relationship};
use super::reservations::GateRequest;
use super::settings::{OUTBOUND_STOP, OutboundStop};
use crate::domain::consent::{Consent, OptOutChannel, Revocation};
use crate::domain::lead::Lead;
use crate::domain::{LeadId, ReservationId};

/// How far back attempts are given: the longest window that a cap may have (an operator's own, 366 days), and a day more for calendar
/// days. The law's own longest is 30 days (47 CFR 64.1200(a)(3)).
pub const ATTEMPTS_KEPT_IN_VIEW: SignedDuration = SignedDuration::from_hours(367 * 24);

/// What the store knows about a number. `None` means that it does not know, which is not the same as "there is none".
#[derive(Debug, Clone, PartialEq)]
pub struct StoredFacts {
    /// The operators' stop-all, where it is on.
    pub outbound_stop: Option<OutboundStop>,
    /// Since when the number is on the internal do-not-call list. `None`: it is not on it.
    pub internal_dnc_at: Option<Timestamp>,
    /// Oldest first.
    pub revocations: Vec<Revocation>,
    /// Oldest first, whatever their seller, scope and expiry.
    pub consents: Vec<Consent>,
    /// Whether the number is on the litigator list; `None` where no list was ever imported.
    pub litigator: Option<bool>,
    pub litigators_as_of: Option<Date>,
    /// What the reassigned-numbers database answered, newest answer first.
    pub reassigned: Vec<ReassignedAnswer>,
    /// What a scrubbing vendor answered about do-not-call lists, one answer a list. Lists on disk are not the store's.
    pub dnc_answers: Vec<DncAnswer>,
    pub line_type: Option<LineTypeAnswer>,
    /// Oldest first.
    pub relationships: Vec<Relationship>,
    /// When this number was rung in the last 367 days, oldest first: every attempt that left or may have left (see `attempts` for
    /// what counts). Where `in_flight` is set, the last one is the instant of that reservation, whatever its age.
    pub attempts: Vec<Timestamp>,
    /// The live reservation of this number, if any: another call is being placed or is running.
    pub in_flight: Option<ReservationId>,
    /// Every address that leads of this number have, whoever the request is about, each once.
    pub addresses: Vec<LeadAddress>,
    /// A lead of this number, whoever the request is about, that says that the line is protected.
    pub protected_by: Option<Lead>,
}

/// An address that a lead has. It may be no address of any place: leads are kept as they were once told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LeadAddress {
    /// The newest lead with this address.
    pub lead_id: LeadId,
    /// It is also that of the lead that the request names.
    pub is_of_request: bool,
    /// As the lead has it, without the spaces around it and in capital letters.
    pub state: Option<String>,
    pub time_zone: Option<String>,
    pub updated_at: Timestamp,
}

/// A row of `revocations`, as `GATHER` packs it.
#[derive(Deserialize)]
struct RevocationColumns {
    at: Timestamp,
    channel: OptOutChannel,
    words: String,
}

/// Everything in one statement: a decision is made of three (this, the ledger's, the reservation's), and each costs a hand-over
/// to the database's thread. First, slots whose lease ran out without an attempt are given back.
const GATHER: &str = "
UPDATE reservations SET state = 'expired', closed_at = ?2
    WHERE number = ?1 AND state IN ('held', 'dialing') AND state = 'held' AND expires_at <= ?2;
SELECT
    (SELECT value FROM settings WHERE key = ?5) AS outbound_stop,
    (SELECT added_at FROM internal_dnc WHERE number = ?1 AND removed_at IS NULL) AS internal_dnc_at,
    (SELECT json_group_array(json_object('at', at, 'channel', channel, 'words', words))
        FROM revocations WHERE number = ?1) AS revocations,
    (SELECT json_group_array(json(record)) FROM consents WHERE number = ?1) AS consents,
    list.as_of AS litigators_as_of,
    EXISTS (SELECT 1 FROM litigators WHERE number = ?1 AND generation = list.generation) AS litigator,
    (SELECT json_group_array(json_object('consent_date', consent_date, 'answer', answer, 'asked_at', asked_at,
            'source', source)) FROM reassigned_answers WHERE number = ?1) AS reassigned,
    (SELECT json_group_array(json_object('list', list, 'listed', json(iif(listed, 'true', 'false')), 'as_of', as_of,
            'asked_at', asked_at, 'source', source)) FROM dnc_answers WHERE number = ?1) AS dnc_answers,
    (SELECT json_object('line_type', line_type, 'asked_at', asked_at, 'source', source)
        FROM line_types WHERE number = ?1) AS line_type,
    (SELECT json_group_array(json_object('kind', kind, 'date', date)) FROM relationships WHERE number = ?1)
        AS relationships,
    (SELECT json_group_array(started_at) FROM dial_attempts
        WHERE number = ?1 AND started_at > ?3 AND state IN ('pending', 'accepted', 'uncertain')
            AND reservation_id IS NOT live.id) AS attempts,
    live.id AS in_flight,
    live.reserved_at AS in_flight_at,
    (SELECT json_group_array(json_object('lead_id', id, 'is_of_request', json(iif(named, 'true', 'false')),
            'state', state, 'time_zone', time_zone, 'updated_at', updated_at))
        FROM (SELECT id, nullif(upper(trim(record ->> 'state')), '') AS state,
                nullif(trim(record ->> 'time_zone'), '') AS time_zone, max(updated_at) AS updated_at,
                count(*) FILTER (WHERE id = ?4) AS named
            FROM leads WHERE number = ?1 GROUP BY 2, 3)
        WHERE state IS NOT NULL OR time_zone IS NOT NULL) AS addresses,
    (SELECT record FROM leads WHERE number = ?1 AND record ->> 'protected_line' IS NOT NULL LIMIT 1) AS protected_by,
    head.seq AS head_seq,
    head.hash AS head_hash
FROM (SELECT 1)
    LEFT JOIN (SELECT id, reserved_at FROM reservations WHERE number = ?1 AND state IN ('held', 'dialing')) AS live
    LEFT JOIN (SELECT seq, hash FROM decisions ORDER BY seq DESC LIMIT 1) AS head
    LEFT JOIN (SELECT generation, as_of FROM list_imports WHERE list = 'litigator' AND imported_at IS NOT NULL
        ORDER BY generation DESC LIMIT 1) AS list";

/// Reads the facts about the request's number, and the ledger's head, which the next entry follows.
pub(super) async fn gather(
    connection: &mut SqliteConnection,
    request: &GateRequest,
    now: Timestamp,
) -> Result<(StoredFacts, Head), StoreError> {
    let row = sqlx::query(GATHER)
        .bind(request.number.as_str())
        .bind(stamp(now))
        .bind(stamp(now.saturating_sub(ATTEMPTS_KEPT_IN_VIEW).expect("hours are a fixed length")))
        .bind(request.lead_id.map(|id| id.to_string()))
        .bind(OUTBOUND_STOP)
        .fetch_one(connection)
        .await?;
    let text = |column| row.try_get::<&str, _>(column);
    let optional = |column| row.try_get::<Option<&str>, _>(column);

    let litigators_as_of: Option<Date> = parse_opt(optional("litigators_as_of")?, "list_imports")?;
    let mut facts = StoredFacts {
        outbound_stop: optional("outbound_stop")?.map(|value| from_json(value, "settings")).transpose()?,
        internal_dnc_at: parse_opt(optional("internal_dnc_at")?, "internal_dnc")?,
        revocations: Vec::new(),
        consents: from_json(text("consents")?, "consents")?,
        litigator: litigators_as_of.map(|_| row.try_get("litigator")).transpose()?,
        litigators_as_of,
        reassigned: from_json(text("reassigned")?, "reassigned_answers")?,
        dnc_answers: from_json(text("dnc_answers")?, "dnc_answers")?,
        line_type: optional("line_type")?.map(|value| from_json(value, "line_types")).transpose()?,
        relationships: from_json(text("relationships")?, "relationships")?,
        attempts: from_json(text("attempts")?, "dial_attempts")?,
        in_flight: parse_opt(optional("in_flight")?, "reservations")?,
        addresses: from_json(text("addresses")?, "leads")?,
        protected_by: optional("protected_by")?.map(|record| from_json(record, "leads")).transpose()?,
    };
    if let Some(number) = request.number.number() {
        let revocations: Vec<RevocationColumns> = from_json(text("revocations")?, "revocations")?;
        facts.revocations = revocations
            .into_iter()
            .map(|RevocationColumns { at, channel, words }| Revocation { number: number.clone(), at, channel, words })
            .collect();
    }
    // SQLite promises no order within an aggregate.
    facts.revocations.sort_by_key(|revocation| revocation.at);
    facts.consents.sort_by_key(|consent| consent.given_at);
    facts.reassigned.sort_by_key(|answer| std::cmp::Reverse(answer.asked_at));
    facts.relationships.sort_by_key(|relationship| relationship.date);
    facts.addresses.sort_by(|a, b| (&a.state, &a.time_zone).cmp(&(&b.state, &b.time_zone)));
    facts.attempts.sort_unstable();
    facts.attempts.extend(parse_opt::<Timestamp>(optional("in_flight_at")?, "reservations")?);

    let head = match row.try_get("head_seq")? {
        Some(count) => Head { count, hash: row.try_get("head_hash")? },
        None => Head::of_empty(),
    };
    Ok((facts, head))
}
