//! The one event writer. Everything that happens to a call goes through here: into the database, then into the live record, then
//! to whoever listens.
//!
//! Events are written behind: the lane is bounded, the writer takes whatever waits and commits it as one transaction. What must
//! be durable before an action (a dial attempt, a call's creation) waits for its commit. A full lane is an error that the caller
//! must act on: a stream ends its call, `failed`, rather than go on unrecorded. Interim text is shown and never kept.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::domain::event::JournalEntry;
use crate::domain::{CallEvent, CallId};
use crate::store::Store;
use crate::telemetry::metrics::Metrics;

use super::clock::WallClock;
use super::live_calls::LiveCalls;

/// How many events may wait for the writer. At 500 calls a second being set up with about ten events each, four seconds' worth.
const LANE: usize = 20_000;

/// How many events one transaction takes at most.
const BATCH: usize = 1_000;

/// How many events a slow listener may lag behind before it must read the journal itself.
const LISTENER_LAG: usize = 8_192;

/// How long events of streams may wait for others to share their commit. A commit costs some hundred times what an event costs;
/// nothing that a caller or an agent could notice waits for it.
const GATHER: Duration = Duration::from_millis(50);

/// How long the writer waits before it tries a failed commit again.
const RETRY: Duration = Duration::from_millis(250);

/// A handle to the journal. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Journal {
    lane: mpsc::Sender<Job>,
    streams: mpsc::Sender<(CallId, CallEvent)>,
    listeners: broadcast::Sender<Arc<JournalEntry>>,
}

/// The lane is full or the writer has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal cannot take events at the moment")]
pub struct JournalFull;

#[derive(Debug)]
struct Job {
    /// None only waits its turn.
    entry: Option<(CallId, CallEvent)>,
    written: Option<oneshot::Sender<()>>,
}

impl Journal {
    /// Starts the writer. It ends when every handle is gone and the lane is empty.
    pub fn start(
        store: Store,
        live: Arc<LiveCalls>,
        clock: WallClock,
        metrics: Arc<Metrics>,
        tracker: &TaskTracker,
    ) -> Self {
        let (lane, jobs) = mpsc::channel(LANE);
        let (streams, from_streams) = mpsc::channel(LANE);
        let (listeners, _) = broadcast::channel(LISTENER_LAG);
        let writer = Writer { jobs, from_streams, store, live, clock, metrics, listeners: listeners.clone() };
        tracker.spawn(writer.run());
        Self { lane, streams, listeners }
    }

    /// Writes an event behind.
    pub fn record(&self, call_id: CallId, event: CallEvent) -> Result<(), JournalFull> {
        self.lane.try_send(Job { entry: Some((call_id, event)), written: None }).map_err(|_| JournalFull)
    }

    /// Writes an event and waits until it is durable (and the live record has it).
    pub async fn record_durably(&self, call_id: CallId, event: CallEvent) -> Result<(), JournalFull> {
        self.write_and_wait(Some((call_id, event))).await
    }

    /// Waits until everything that was handed in before, by streams too, is durable and in the live records.
    pub async fn catch_up(&self) -> Result<(), JournalFull> {
        self.write_and_wait(None).await
    }

    async fn write_and_wait(&self, entry: Option<(CallId, CallEvent)>) -> Result<(), JournalFull> {
        let (written, done) = oneshot::channel();
        self.lane.send(Job { entry, written: Some(written) }).await.map_err(|_| JournalFull)?;
        done.await.map_err(|_| JournalFull)
    }

    /// The lane that media streams write to directly.
    pub fn stream_lane(&self) -> mpsc::Sender<(CallId, CallEvent)> {
        self.streams.clone()
    }

    /// Everything from now on, in order. A listener that lags reads what it missed from the store.
    pub fn listen(&self) -> broadcast::Receiver<Arc<JournalEntry>> {
        self.listeners.subscribe()
    }
}

struct Writer {
    jobs: mpsc::Receiver<Job>,
    from_streams: mpsc::Receiver<(CallId, CallEvent)>,
    store: Store,
    live: Arc<LiveCalls>,
    clock: WallClock,
    metrics: Arc<Metrics>,
    listeners: broadcast::Sender<Arc<JournalEntry>>,
}

impl Writer {
    async fn run(mut self) {
        let mut jobs = Vec::with_capacity(BATCH);
        let mut events = Vec::with_capacity(BATCH);
        // Each lane is read to its own end: what still waits when the last handle goes is written too.
        let (mut streams_open, mut jobs_open) = (true, true);
        loop {
            // Streams first: what a stream wrote before it ended must stand before the end of its call.
            tokio::select! {
                biased;
                taken = self.from_streams.recv_many(&mut events, BATCH), if streams_open => streams_open = taken > 0,
                taken = self.jobs.recv_many(&mut jobs, BATCH), if jobs_open => jobs_open = taken > 0,
                else => return,
            }
            if jobs.is_empty() && events.len() < BATCH {
                self.gather(&mut jobs).await;
            }
            // What streams wrote meanwhile: it may be the last words of one whose call ends with these jobs.
            while let Ok(event) = self.from_streams.try_recv() {
                events.push(event);
            }
            let waiting = self.jobs.len() + self.from_streams.len();
            self.metrics.journal_depth.set(i64::try_from(waiting).unwrap_or(i64::MAX));
            let of_streams = events.drain(..).map(|entry| Job { entry: Some(entry), written: None });
            self.write(of_streams.chain(jobs.drain(..))).await;
        }
    }

    /// Streams have written. Waits for more of it, but not when a job comes: somebody may wait for that one.
    async fn gather(&mut self, jobs: &mut Vec<Job>) {
        tokio::select! {
            biased;
            _ = self.jobs.recv_many(jobs, BATCH) => {}
            () = tokio::time::sleep(GATHER) => {}
        }
    }

    async fn write(&self, jobs: impl Iterator<Item = Job>) {
        let at = self.clock.now();
        let mut kept = Vec::new();
        let mut waiting = Vec::new();
        for Job { entry, written } in jobs {
            waiting.extend(written);
            let Some((call_id, event)) = entry else { continue };
            if event.is_interim() {
                let entry = JournalEntry { seq: 0, call_id, at, event };
                // Nobody listening is fine.
                let _ = self.listeners.send(Arc::new(entry));
            } else {
                kept.push((call_id, at, event));
            }
        }
        let seqs = self.commit(&kept).await;
        for (seq, (call_id, at, event)) in seqs.into_iter().zip(kept) {
            if let Some(call) = self.live.by_id(call_id) {
                call.apply(at, &event);
            }
            if let CallEvent::AgentConnected { ready_ms, .. } = event {
                self.metrics.agent_ready(f64::from(ready_ms) / 1000.0);
            }
            let _ = self.listeners.send(Arc::new(JournalEntry { seq, call_id, at, event }));
        }
        for written in waiting {
            let _ = written.send(());
        }
    }

    /// Commits until it works: a disk that is full or locked for a while must not lose what happened. Meanwhile the lane fills,
    /// and calls that can no longer be recorded end.
    async fn commit(&self, events: &[(CallId, jiff::Timestamp, CallEvent)]) -> Vec<i64> {
        if events.is_empty() {
            return Vec::new();
        }
        loop {
            match self.store.append(events.to_vec()).await {
                Ok(seqs) => return seqs,
                Err(error) => {
                    tracing::error!(%error, events = events.len(), "the journal could not be written, trying again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Actor, Created, Door};
    use crate::domain::{Call, CallSid, Direction, Disposition, Party};

    fn created() -> Created {
        Created {
            direction: Direction::Inbound,
            from: Party::from("+12125550113"),
            to: Party::from("+12125550100"),
            agent: "agent_1".parse().unwrap(),
            purpose: None,
            lead_id: None,
            dynamic_variables: std::collections::BTreeMap::default(),
            requested_by: Actor::new(Door::Carrier, "twilio"),
        }
    }

    #[tokio::test]
    async fn what_waits_when_the_last_handle_goes_is_written_and_streams_come_first() {
        let (store_task, tasks) = (TaskTracker::new(), TaskTracker::new());
        let store = Store::open("sqlite::memory:", &store_task).await.unwrap();
        let live = Arc::new(LiveCalls::default());
        let id = CallId::from_uuid(uuid::Uuid::from_u128(1));
        let clock = WallClock::real();
        let call = live.insert(Call::new(id, clock.now(), &created()));
        let journal = Journal::start(store.clone(), Arc::clone(&live), clock, Arc::default(), &tasks);
        journal.record(id, CallEvent::Created(created())).unwrap();
        journal.catch_up().await.unwrap();

        let by = Actor::new(Door::Agent, "agent_1");
        let asked = CallEvent::HangUpRequested { by, disposition: Disposition::OptedOut };
        journal.stream_lane().try_send((id, asked.clone())).unwrap();
        journal.catch_up().await.unwrap();
        assert_eq!(call.ending_as(), Some(Disposition::OptedOut));

        let accepted = CallEvent::CarrierAccepted { call_sid: CallSid::new("CA1") };
        let said = CallEvent::CallerSaid { text: "bye".to_owned() };
        journal.record(id, accepted.clone()).unwrap();
        journal.stream_lane().try_send((id, said.clone())).unwrap();
        drop(journal);
        tasks.close();
        tasks.wait().await;
        let events: Vec<_> = store.events_of(id).await.unwrap().into_iter().map(|entry| entry.event).collect();
        assert_eq!(events, [CallEvent::Created(created()), asked, said, accepted]);
    }
}
