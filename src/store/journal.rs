//! The journal: what happened to calls, in order, and the records that are its fold.
//!
//! Every append folds its events into the calls' records in the same transaction, so that a record is never behind its events.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sqlx::{Row, SqliteConnection};

use super::calls::{load_calls, save_calls};
use super::columns::{from_json, json, parse, stamp};
use super::{Store, StoreError, attempts, settings};
use crate::domain::event::JournalEntry;
use crate::domain::{Call, CallEvent, CallId};

/// Events of one statement.
const EVENTS_A_STATEMENT: usize = 500;

/// A run of journal entries, for a reader that resumes.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalSlice {
    pub entries: Vec<JournalEntry>,
    /// From this place on nothing was pruned. A reader whose last entry is older than the one before it has missed some.
    pub oldest_seq: i64,
    /// The last place given out; a reader that claims a later one saw another database.
    pub newest_seq: i64,
}

impl JournalSlice {
    /// Whether a reader that has seen everything up to `seq` can go on from there without a gap.
    pub fn continues(&self, seq: i64) -> bool {
        seq + 1 >= self.oldest_seq && seq <= self.newest_seq
    }
}

impl Store {
    /// Appends events in one transaction and gives their places, in the same order. The place is 0 for what is not kept: interim
    /// events, and events of a call that has no `Created` before them (one stray event must not cost the others of its batch).
    pub async fn append(&self, events: Vec<(CallId, Timestamp, CallEvent)>) -> Result<Vec<i64>, StoreError> {
        self.write(|connection| Box::pin(append(connection, events))).await
    }

    /// All kept events of a call, oldest first.
    pub async fn events_of(&self, call: CallId) -> Result<Vec<JournalEntry>, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                sqlx::query("SELECT seq, call_id, at, event FROM call_events WHERE call_id = ? ORDER BY seq")
                    .bind(call.to_string())
                    .fetch_all(connection)
                    .await?
                    .iter()
                    .map(read_entry)
                    .collect()
            })
        })
        .await
    }

    /// The place of a call's newest kept event, 0 for none.
    pub async fn newest_seq_of(&self, call: CallId) -> Result<i64, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                let newest: Option<i64> = sqlx::query_scalar("SELECT max(seq) FROM call_events WHERE call_id = ?")
                    .bind(call.to_string())
                    .fetch_one(connection)
                    .await?;
                Ok(newest.unwrap_or(0))
            })
        })
        .await
    }

    /// Up to `limit` events of any call after a place.
    pub async fn events_after(&self, seq: i64, limit: u32) -> Result<JournalSlice, StoreError> {
        self.read(move |connection| {
            Box::pin(async move {
                // The bounds are read last: entries pruned in between then show as a gap, not as completeness.
                let entries =
                    sqlx::query("SELECT seq, call_id, at, event FROM call_events WHERE seq > ? ORDER BY seq LIMIT ?")
                        .bind(seq)
                        .bind(limit)
                        .fetch_all(&mut *connection)
                        .await?
                        .iter()
                        .map(read_entry)
                        .collect::<Result<Vec<_>, _>>()?;
                let newest_seq: Option<i64> =
                    sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'call_events'")
                        .fetch_optional(&mut *connection)
                        .await?;
                let oldest_seq = settings::journal_pruned_to(connection).await? + 1;
                Ok(JournalSlice { entries, oldest_seq, newest_seq: newest_seq.unwrap_or(0) })
            })
        })
        .await
    }
}

async fn append(
    connection: &mut SqliteConnection,
    events: Vec<(CallId, Timestamp, CallEvent)>,
) -> Result<Vec<i64>, StoreError> {
    let named: BTreeSet<CallId> =
        events.iter().filter(|(_, _, event)| !event.is_interim()).map(|(id, ..)| *id).collect();
    let loaded = load_calls(connection, named).await?;
    let mut calls: BTreeMap<CallId, Call> = loaded.into_iter().map(|call| (call.id, call)).collect();
    let mut kept = Vec::with_capacity(events.len());
    for (place, (id, at, event)) in events.iter().enumerate() {
        if event.is_interim() {
            continue;
        }
        match (calls.get_mut(id), event) {
            (Some(call), event) => call.apply(*at, event),
            (None, CallEvent::Created(created)) => {
                calls.insert(*id, Call::new(*id, *at, created));
            }
            (None, _) => {
                tracing::warn!(call.id = %id, "an event of a call that was never created is not kept");
                continue;
            }
        }
        kept.push(place);
    }
    save_calls(connection, calls.values()).await?;
    for call in calls.values() {
        if let Some(ended_at) = call.ended_at {
            attempts::finish_accepted(connection, call.id, ended_at).await?;
        }
    }
    insert_events(connection, &events, &kept).await
}

/// Places are given here, not by SQLite: it promises no order for the rows that a multi-row INSERT returns.
async fn insert_events(
    connection: &mut SqliteConnection,
    events: &[(CallId, Timestamp, CallEvent)],
    kept: &[usize],
) -> Result<Vec<i64>, StoreError> {
    let last: Option<i64> = sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'call_events'")
        .fetch_optional(&mut *connection)
        .await?;
    let (mut seq, mut seqs) = (last.unwrap_or(0), vec![0; events.len()]);
    for places in kept.chunks(EVENTS_A_STATEMENT) {
        let row = |place: &usize| {
            let (id, at, event) = &events[*place];
            seq += 1;
            seqs[*place] = seq;
            (seq, id, stamp(*at), json(event))
        };
        let rows: Vec<_> = places.iter().map(row).collect();
        sqlx::query(
            "INSERT INTO call_events (seq, call_id, at, event)
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?)",
        )
        .bind(json(&rows))
        .execute(&mut *connection)
        .await?;
    }
    Ok(seqs)
}

fn read_entry(row: &sqlx::sqlite::SqliteRow) -> Result<JournalEntry, StoreError> {
    Ok(JournalEntry {
        seq: row.try_get("seq")?,
        call_id: parse(row.try_get("call_id")?, "call_events")?,
        at: parse(row.try_get("at")?, "call_events")?,
        event: from_json(row.try_get("event")?, "call_events")?,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::super::calls::RECORDS_A_STATEMENT;
    use super::*;
    use crate::domain::disposition::Disposition;
    use crate::domain::event::{Actor, Door, StreamCounters, StreamEnd};
    use crate::domain::{CallSid, CallState, CallStatus, StreamSid};
    use crate::store::testing::{at, call_id, created, on_disk, runtime, store};

    fn said(text: &str) -> CallEvent {
        CallEvent::CallerSaid { text: text.to_owned() }
    }

    #[tokio::test]
    async fn places_are_given_in_order_and_interim_text_is_not_kept() {
        let store = store().await;
        let seqs = store
            .append(vec![
                (call_id(1), at(0), created("+12125550113")),
                (call_id(1), at(1), CallEvent::CallerSaying { text: "he".to_owned() }),
                (call_id(9), at(1), said("stray")),
                (call_id(1), at(2), said("hello")),
            ])
            .await
            .unwrap();
        assert_eq!(seqs, [1, 0, 0, 2]);
        let events = store.events_of(call_id(1)).await.unwrap();
        assert_eq!(events.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(events[1].event, said("hello"));
        assert_eq!(events[1].at, at(2));
        assert_eq!(store.newest_seq_of(call_id(1)).await.unwrap(), 2);
        assert_eq!(store.newest_seq_of(call_id(9)).await.unwrap(), 0);
        assert!(store.events_of(call_id(9)).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn more_calls_and_events_than_a_statement_takes_are_all_written() {
        let store = store().await;
        let calls = 300;
        assert!(calls > RECORDS_A_STATEMENT as u128 && 2 * calls > EVENTS_A_STATEMENT as u128);
        let begin = (1..=calls).map(|n| (call_id(n), at(0), created("+12125550113")));
        let answer = (1..=calls)
            .map(|n| (call_id(n), at(1), CallEvent::CarrierAccepted { call_sid: CallSid::new(format!("CA{n}")) }));
        let seqs = store.append(begin.chain(answer).collect()).await.unwrap();
        assert!(seqs.into_iter().eq(1..=2 * i64::try_from(calls).unwrap()));
        for n in 1..=calls {
            let call = store.call(call_id(n)).await.unwrap().unwrap();
            assert_eq!((call.id, call.call_sid), (call_id(n), Some(CallSid::new(format!("CA{n}")))));
            assert_eq!(store.events_of(call_id(n)).await.unwrap().len(), 2);
        }
    }

    #[tokio::test]
    async fn a_reader_resumes_where_it_was() {
        let store = store().await;
        assert_eq!(
            store.events_after(0, 10).await.unwrap(),
            JournalSlice { entries: vec![], oldest_seq: 1, newest_seq: 0 }
        );
        let mut events = vec![(call_id(1), at(0), created("+12125550113"))];
        events.extend((1..1200).map(|n| (call_id(1), at(n), said("word"))));
        store.append(events).await.unwrap();
        let slice = store.events_after(1190, 5).await.unwrap();
        assert_eq!(slice.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1191, 1192, 1193, 1194, 1195]);
        assert!(slice.continues(1190) && slice.continues(0) && slice.continues(1200));
        assert!(!slice.continues(1201), "a later place than any was given out");
    }

    #[tokio::test]
    async fn places_are_never_given_twice() {
        let (store, file) = on_disk().await;
        let first = store.append(vec![(call_id(1), at(0), created("+12125550113"))]).await.unwrap();
        store
            .append(vec![(
                call_id(1),
                at(1),
                CallEvent::Ended { disposition: Disposition::Completed, detail: String::new() },
            )])
            .await
            .unwrap();
        assert_eq!(store.prune_events(at(10)).await.unwrap(), 2);
        store.close().await;
        let store = file.open().await;
        let next = store.append(vec![(call_id(2), at(20), created("+12125550114"))]).await.unwrap();
        assert_eq!((first, next), (vec![1], vec![3]));
    }

    fn any_event() -> impl Strategy<Value = CallEvent> {
        let status = prop_oneof![
            Just(CallStatus::Queued),
            Just(CallStatus::Ringing),
            Just(CallStatus::InProgress),
            Just(CallStatus::Completed),
            Just(CallStatus::Busy),
        ];
        let disposition = prop_oneof![Just(Disposition::Completed), Just(Disposition::Failed)];
        prop_oneof![
            Just(created("+12125550113")),
            any::<String>().prop_map(|text| said(&text)),
            "[a-z]{0,8}".prop_map(|text| CallEvent::CallerSaying { text }),
            "CA[0-9]\\PC{0,2}".prop_map(|sid| CallEvent::CarrierAccepted { call_sid: CallSid::new(sid) }),
            status.prop_map(|status| CallEvent::CarrierStatus {
                status,
                sequence: None,
                sip_code: None,
                duration_s: None
            }),
            "MZ[0-9]".prop_map(|sid| CallEvent::StreamStarted { stream_sid: StreamSid::new(sid) }),
            (0..9000_u64).prop_map(|heard_ms| CallEvent::StreamEnded {
                stream_sid: StreamSid::new("MZ1"),
                cause: StreamEnd::CarrierStop,
                counters: StreamCounters { heard_ms, ..StreamCounters::default() },
            }),
            disposition.clone().prop_map(|disposition| CallEvent::HangUpRequested {
                by: Actor::new(Door::System, "watchdog"),
                disposition
            }),
            disposition.prop_map(|disposition| CallEvent::Ended { disposition, detail: String::new() }),
        ]
    }

    /// What the journal says a call's record is, from nothing but its events.
    fn fold(entries: &[JournalEntry]) -> Option<Call> {
        let (first, rest) = entries.split_first()?;
        let CallEvent::Created(created) = &first.event else { panic!("a call's first event is its creation") };
        let mut call = Call::new(first.call_id, first.at, created);
        for entry in rest {
            call.apply(entry.at, &entry.event);
        }
        Some(call)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn folding_the_journal_gives_the_stored_records(
            batches in prop::collection::vec(prop::collection::vec((0..3_u128, 0..1_000_000_000_i64, any_event()), 0..12), 0..6)
        ) {
            let (records, journal) = runtime().block_on(async {
                let store = store().await;
                for batch in batches {
                    let batch = batch.into_iter().map(|(call, nanos, event)| {
                        let at = at(0) + jiff::SignedDuration::from_nanos(nanos);
                        (call_id(call), at, event)
                    });
                    store.append(batch.collect()).await.unwrap();
                }
                let mut records = HashMap::new();
                let mut journal = HashMap::new();
                for id in (0..3).map(call_id) {
                    records.insert(id, store.call(id).await.unwrap());
                    journal.insert(id, store.events_of(id).await.unwrap());
                }
                (records, journal)
            });
            for (id, record) in records {
                prop_assert_eq!(&record, &fold(&journal[&id]));
                if let Some(call) = record {
                    prop_assert_eq!(call.is_ended(), call.state == CallState::Ended);
                }
            }
        }
    }
}
