//! Call records: written by the journal only, read and listed here.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::columns::{Cursor, Listing, from_json, json, stamp, word};
use super::{Store, StoreError};
use crate::domain::{AgentRef, Call, CallId, CallSid, CallState, Direction, Disposition, E164, LeadId};

/// Which calls to list. What is `None` does not matter.
#[derive(Debug, Clone, Default)]
pub struct CallFilter {
    pub state: Option<CallState>,
    /// Only calls that have not ended.
    pub live: bool,
    pub direction: Option<Direction>,
    /// How it ended.
    pub disposition: Option<Disposition>,
    /// At either end.
    pub number: Option<E164>,
    pub agent: Option<AgentRef>,
    pub lead: Option<LeadId>,
    /// Created at this instant or later.
    pub since: Option<Timestamp>,
    /// Created before this instant.
    pub until: Option<Timestamp>,
}

/// What one key has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyUsage {
    /// Calls placed in the last minute, blocked ones not counted, and transfers to outside numbers.
    pub last_minute: u32,
    /// Calls, and other legs of transfers to outside numbers, that have not ended.
    pub live: u32,
    /// Seconds of answered calls and of such legs in the last 24 hours, running ones up to now.
    pub answered_s: u64,
}

/// What one key used of one kind of dial: in the last minute, live, seconds. `?1` is a minute ago, `?2` now, `?3` the key, `?4` a
/// day ago.
const USED_BY_CALLS: &str = "
SELECT count(*) FILTER (WHERE created_at > ?1), count(*) FILTER (WHERE state <> 'ended'),
    coalesce(sum(max(0, unixepoch(coalesce(ended_at, ?2)) - unixepoch(json_extract(record, '$.answered_at')))), 0)
FROM calls WHERE requester = ?3 AND created_at > ?4 AND disposition IS NOT 'blocked'";

const USED_BY_TRANSFERS: &str = "
SELECT count(*) FILTER (WHERE leg.started_at > ?1),
    count(*) FILTER (WHERE leg.finished_at IS NULL AND call.state <> 'ended'),
    coalesce(sum(max(0, unixepoch(coalesce(leg.finished_at, ?2)) - unixepoch(leg.settled_at)))
        FILTER (WHERE leg.state = 'accepted'), 0)
FROM dial_attempts AS leg JOIN calls AS call ON call.id = leg.call_id
WHERE leg.charged_to = ?3 AND leg.started_at > ?4 AND leg.state IN ('pending', 'accepted', 'uncertain')";

/// Records of one statement, which stand in memory as text and as what SQLite makes of it.
pub(super) const RECORDS_A_STATEMENT: usize = 50;

/// `WHERE true` tells SQLite that `ON CONFLICT` is not part of a join.
const UPSERT: &str = "
INSERT INTO calls (id, call_sid, direction, from_party, to_party, agent, state, disposition, lead_id, created_at,
    ended_at, updated_at, record, requester)
SELECT value ->> 'id', value ->> 'call_sid', value ->> 'direction', value ->> 'from', value ->> 'to',
    value ->> 'agent', value ->> 'state', value ->> 'disposition', value ->> 'lead_id', value ->> 'created_at',
    value ->> 'ended_at', value ->> 'updated_at', value ->> 'record', value ->> 'requester'
FROM json_each(?) WHERE true
ON CONFLICT (id) DO UPDATE SET call_sid = excluded.call_sid, state = excluded.state,
    disposition = excluded.disposition, ended_at = excluded.ended_at, updated_at = excluded.updated_at,
    record = excluded.record";

impl Store {
    /// What a key has used up to now, over all doors.
    pub async fn usage_of_key(&self, name: &str, now: Timestamp) -> Result<KeyUsage, StoreError> {
        let name = name.to_owned();
        let ago = |seconds| now.saturating_sub(SignedDuration::from_secs(seconds)).expect("seconds are a fixed length");
        let (minute_ago, day_ago) = (ago(60), ago(24 * 60 * 60));
        self.read(move |connection| {
            Box::pin(async move {
                let mut usage = KeyUsage::default();
                for used in [USED_BY_CALLS, USED_BY_TRANSFERS] {
                    let (dials, live, seconds): (i64, i64, i64) = sqlx::query_as(used)
                        .bind(stamp(minute_ago))
                        .bind(stamp(now))
                        .bind(&name)
                        .bind(stamp(day_ago))
                        .fetch_one(&mut *connection)
                        .await?;
                    usage.last_minute += u32::try_from(dials).unwrap_or(u32::MAX / 2);
                    usage.live += u32::try_from(live).unwrap_or(u32::MAX / 2);
                    usage.answered_s += u64::try_from(seconds).unwrap_or(0);
                }
                Ok(usage)
            })
        })
        .await
    }

    pub async fn call(&self, id: CallId) -> Result<Option<Call>, StoreError> {
        self.read(move |connection| Box::pin(async move { Ok(load_calls(connection, [id]).await?.pop()) })).await
    }

    /// The newest call that the carrier knows by this id.
    pub async fn call_by_sid(&self, sid: &CallSid) -> Result<Option<Call>, StoreError> {
        let sid = sid.clone();
        self.read(move |connection| {
            Box::pin(async move {
                let record: Option<String> =
                    sqlx::query_scalar("SELECT record FROM calls WHERE call_sid = ? ORDER BY created_at DESC LIMIT 1")
                        .bind(sid.as_str())
                        .fetch_optional(connection)
                        .await?;
                record.map(|record| from_json(&record, "calls")).transpose()
            })
        })
        .await
    }

    /// Every call that has not ended, oldest first: what a restarted server has to take up again.
    pub async fn load_open_calls(&self) -> Result<Vec<Call>, StoreError> {
        self.read(|connection| {
            Box::pin(async move {
                let mut query = search(&CallFilter { live: true, ..CallFilter::default() }, None);
                query.push(" ORDER BY created_at, id");
                let records: Vec<String> = query.build_query_scalar().fetch_all(connection).await?;
                records.iter().map(|record| from_json(record, "calls")).collect()
            })
        })
        .await
    }

    /// Calls, newest first. `limit` is how many at most; `after` is the `next` of the listing before.
    pub async fn list_calls(
        &self,
        filter: CallFilter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Listing<Call>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let mut query = search(&filter, after.as_ref());
                query.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(limit.saturating_add(1));
                let records: Vec<String> = query.build_query_scalar().fetch_all(connection).await?;
                let calls = records.iter().map(|record| from_json(record, "calls")).collect::<Result<Vec<_>, _>>()?;
                Ok(Listing::cut(calls, limit, |call: &Call| Cursor::new(call.created_at, call.id)))
            })
        })
        .await
    }
}

fn search(filter: &CallFilter, after: Option<&Cursor>) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("SELECT record FROM calls WHERE true");
    if let Some(state) = filter.state {
        query.push(" AND state = ").push_bind(state.as_str());
    }
    if filter.live {
        // The states are named so that the index on them is used.
        query.push(" AND state IN ('queued', 'dialing', 'ringing', 'in_progress')");
    }
    if let Some(direction) = filter.direction {
        query.push(" AND direction = ").push_bind(word(&direction));
    }
    if let Some(disposition) = filter.disposition {
        query.push(" AND disposition = ").push_bind(disposition.as_str());
    }
    if let Some(number) = &filter.number {
        query.push(" AND (from_party = ").push_bind(number.as_str().to_owned());
        query.push(" OR to_party = ").push_bind(number.as_str().to_owned()).push(")");
    }
    if let Some(agent) = &filter.agent {
        query.push(" AND agent = ").push_bind(agent.to_string());
    }
    if let Some(lead) = filter.lead {
        query.push(" AND lead_id = ").push_bind(lead.to_string());
    }
    if let Some(since) = filter.since {
        query.push(" AND created_at >= ").push_bind(stamp(since));
    }
    if let Some(until) = filter.until {
        query.push(" AND created_at < ").push_bind(stamp(until));
    }
    if let Some(after) = after {
        query.push(" AND (created_at, id) < (").push_bind(after.at().to_owned());
        query.push(", ").push_bind(after.id().to_owned()).push(")");
    }
    query
}

/// The records of these calls; of a call that is unknown there is none.
pub(super) async fn load_calls(
    connection: &mut SqliteConnection,
    ids: impl IntoIterator<Item = CallId>,
) -> Result<Vec<Call>, StoreError> {
    let ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
    let records: Vec<String> =
        sqlx::query_scalar("SELECT record FROM calls WHERE id IN (SELECT value FROM json_each(?))")
            .bind(json(&ids))
            .fetch_all(connection)
            .await?;
    records.iter().map(|record| from_json(record, "calls")).collect()
}

/// Writes the records of calls that are new, and anew those that have changed. Many with one statement: each costs a way to the
/// database's thread and back.
pub(super) async fn save_calls(
    connection: &mut SqliteConnection,
    calls: impl IntoIterator<Item = &Call>,
) -> Result<(), StoreError> {
    let calls: Vec<&Call> = calls.into_iter().collect();
    for calls in calls.chunks(RECORDS_A_STATEMENT) {
        let rows: Vec<CallRow<'_>> = calls.iter().copied().map(CallRow::from).collect();
        sqlx::query(UPSERT).bind(json(&rows)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// A row as [`UPSERT`] takes it.
#[derive(Serialize)]
struct CallRow<'a> {
    id: CallId,
    call_sid: Option<&'a str>,
    direction: String,
    from: &'a str,
    to: &'a str,
    agent: String,
    state: &'static str,
    disposition: Option<&'static str>,
    lead_id: Option<LeadId>,
    created_at: String,
    ended_at: Option<String>,
    updated_at: String,
    record: String,
    requester: Option<&'a str>,
}

impl<'a> From<&'a Call> for CallRow<'a> {
    fn from(call: &'a Call) -> Self {
        Self {
            id: call.id,
            call_sid: call.call_sid.as_ref().map(CallSid::as_str),
            direction: word(&call.direction),
            from: call.from.as_str(),
            to: call.to.as_str(),
            agent: call.agent.to_string(),
            state: call.state.as_str(),
            disposition: call.disposition.map(Disposition::as_str),
            lead_id: call.lead_id,
            created_at: stamp(call.created_at),
            ended_at: call.ended_at.map(stamp),
            updated_at: stamp(call.updated_at),
            record: json(call),
            requester: requester(call),
        }
    }
}

/// The key that asked for this call, where one did: what a key uses counts at whichever door it came through.
fn requester(call: &Call) -> Option<&str> {
    call.requested_by.as_ref().filter(|_| call.direction == Direction::Outbound)?.key()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Actor, Created, Door};
    use crate::domain::{CallEvent, CallStatus};
    use crate::store::testing::{at, call_id, created, number, store};

    async fn five_calls() -> Store {
        let store = store().await;
        for n in 1..=5 {
            // Two calls share each instant, so that the id has to break the tie.
            let to = if n % 2 == 0 { "+12125550113" } else { "+12125550114" };
            store.append(vec![(call_id(n), at((n / 2).try_into().unwrap()), created(to))]).await.unwrap();
        }
        let ended = CallEvent::Ended { disposition: Disposition::Blocked, detail: String::new() };
        let accepted = CallEvent::CarrierAccepted { call_sid: CallSid::new("CA1") };
        store.append(vec![(call_id(2), at(9), accepted), (call_id(5), at(9), ended)]).await.unwrap();
        store
    }

    fn ids(calls: &[Call]) -> Vec<CallId> {
        calls.iter().map(|call| call.id).collect()
    }

    #[tokio::test]
    async fn what_a_key_used_counts_over_all_doors() {
        let store = store().await;
        let by = |door, to: &str| match created(to) {
            CallEvent::Created(call) => {
                CallEvent::Created(Created { requested_by: Actor::new(door, "dialer"), ..call })
            }
            other => other,
        };
        let answered = CallEvent::CarrierStatus {
            status: CallStatus::InProgress,
            sequence: None,
            sip_code: None,
            duration_s: None,
        };
        let ended = |disposition| CallEvent::Ended { disposition, detail: String::new() };
        let events = vec![
            (call_id(1), at(0), by(Door::Mcp, "+12125550113")),
            (call_id(1), at(10), answered.clone()),
            (call_id(1), at(40), ended(Disposition::Completed)),
            (call_id(2), at(100), by(Door::Api, "+12125550114")),
            (call_id(2), at(110), answered),
            (call_id(3), at(110), by(Door::Mcp, "+12125550115")),
            (call_id(3), at(110), ended(Disposition::Blocked)),
            (call_id(4), at(110), by(Door::Cli, "+12125550116")),
        ];
        store.append(events).await.unwrap();
        let usage = store.usage_of_key("dialer", at(120)).await.unwrap();
        assert_eq!(usage, KeyUsage { last_minute: 1, live: 1, answered_s: 30 + 10 });
        assert_eq!(store.usage_of_key("another", at(120)).await.unwrap(), KeyUsage::default());
        assert_eq!(store.usage_of_key("dialer", at(25 * 60 * 60 + 100)).await.unwrap(), KeyUsage::default());
    }

    #[tokio::test]
    async fn lists_go_on_where_they_stopped_and_end() {
        let store = five_calls().await;
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let listing = store.list_calls(CallFilter::default(), after, 2).await.unwrap();
            seen.extend(ids(&listing.items));
            after = listing.next.map(|cursor| cursor.to_string().parse().unwrap());
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, [5, 4, 3, 2, 1].map(call_id));
    }

    #[tokio::test]
    async fn every_filter_narrows() {
        let store = five_calls().await;
        let found = async |filter| ids(&store.list_calls(filter, None, 10).await.unwrap().items);
        let all = CallFilter::default;
        assert_eq!(found(CallFilter { state: Some(CallState::Ended), ..all() }).await, [call_id(5)]);
        assert_eq!(found(CallFilter { live: true, ..all() }).await, [4, 3, 2, 1].map(call_id));
        assert_eq!(found(CallFilter { direction: Some(Direction::Inbound), ..all() }).await, []);
        let blocked = CallFilter { disposition: Some(Disposition::Blocked), ..all() };
        assert_eq!(found(blocked).await, [call_id(5)]);
        assert_eq!(found(CallFilter { disposition: Some(Disposition::Busy), ..all() }).await, []);
        let to_113 = CallFilter { number: Some(number("+12125550113")), ..all() };
        assert_eq!(found(to_113).await, [4, 2].map(call_id));
        assert_eq!(found(CallFilter { since: Some(at(2)), ..all() }).await, [5, 4].map(call_id));
        assert_eq!(found(CallFilter { until: Some(at(1)), ..all() }).await, [call_id(1)]);
        assert_eq!(found(CallFilter { agent: Some("retell:a".parse().unwrap()), ..all() }).await, []);
        assert_eq!(found(CallFilter { lead: Some(LeadId::from_uuid(uuid::Uuid::nil())), ..all() }).await, []);
    }

    #[tokio::test]
    async fn every_column_is_the_calls_own() {
        let store = five_calls().await;
        let (sid, lead) = (CallSid::new("CA\"\\\n\u{1}é"), LeadId::from_uuid(uuid::Uuid::from_u128(7)));
        let CallEvent::Created(of_a_lead) = created("+12125550115") else { unreachable!("`created` creates") };
        let of_a_lead = Created { lead_id: Some(lead), agent: "retell:a".parse().unwrap(), ..of_a_lead };
        let accepted = CallEvent::CarrierAccepted { call_sid: sid.clone() };
        store
            .append(vec![(call_id(6), at(9), CallEvent::Created(of_a_lead)), (call_id(6), at(9), accepted)])
            .await
            .unwrap();
        assert_eq!(store.call_by_sid(&sid).await.unwrap().map(|call| call.id), Some(call_id(6)));
        let found = async |filter| ids(&store.list_calls(filter, None, 10).await.unwrap().items);
        let all = CallFilter::default;
        assert_eq!(found(CallFilter { lead: Some(lead), ..all() }).await, [call_id(6)]);
        assert_eq!(found(CallFilter { agent: Some("retell:a".parse().unwrap()), ..all() }).await, [call_id(6)]);
        assert_eq!(found(CallFilter { number: Some(number("+12125550100")), ..all() }).await.len(), 6);
    }

    #[tokio::test]
    async fn open_calls_are_those_that_have_not_ended() {
        let store = five_calls().await;
        assert_eq!(ids(&store.load_open_calls().await.unwrap()), [1, 2, 3, 4].map(call_id));
        assert_eq!(store.call_by_sid(&CallSid::new("CA1")).await.unwrap().map(|call| call.id), Some(call_id(2)));
        assert_eq!(store.call_by_sid(&CallSid::new("CA2")).await.unwrap(), None);
        assert_eq!(store.call(call_id(6)).await.unwrap(), None);
    }
}
