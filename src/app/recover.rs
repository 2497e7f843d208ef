//! After a restart: the journal is the truth, so every call that it holds open is taken up again or brought to its end.
//!
//! A call that the carrier still holds waits for its resume webhook (the document after the stream leads there) and is then hung
//! up, `failed`. One that never left is closed; one whose dial attempt has an unknown fate is reconciled, never dialled again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;

use crate::domain::event::{Actor, Door, StreamCounters, StreamEnd};
use crate::domain::{Call, CallEvent, CallState, Disposition};
use crate::store::{Attempt, AttemptState, Settlement, StoreError};

use super::live_calls::LiveCall;
use super::{App, PlaceCallError};

impl App {
    /// Loads the open calls and sets a task to each. Returns how many there were. To be called before anything new can come.
    pub async fn recover(self: &Arc<Self>) -> Result<usize, StoreError> {
        let open = self.store.load_open_calls().await?;
        let count = open.len();
        for record in open {
            // One of a transfer is another number's.
            let attempts = self.store.attempts_of(record.id).await?;
            let attempt = attempts.into_iter().find(|attempt| record.to.number() == Some(&attempt.number));
            self.metrics.call_started(record.direction);
            let call = self.live.insert(record.clone());
            self.close_lost_streams(&record).await?;
            if let Some(attempt) = &attempt {
                call.set_attempt(attempt.id);
                self.take_place_again(&call);
            }
            let app = Arc::clone(self);
            self.tracker.spawn(async move { app.recover_call(&call, record, attempt).await });
        }
        Ok(count)
    }

    /// Streams that the last server had open ended with it. Each ends once in the journal too.
    async fn close_lost_streams(&self, record: &Call) -> Result<(), StoreError> {
        if record.open_streams == 0 {
            return Ok(());
        }
        let mut open = Vec::new();
        for entry in self.store.events_of(record.id).await? {
            match entry.event {
                CallEvent::StreamStarted { stream_sid } => open.push(stream_sid),
                CallEvent::StreamEnded { stream_sid, .. } => open.retain(|sid| *sid != stream_sid),
                _ => {}
            }
        }
        for stream_sid in open {
            let lost = CallEvent::StreamEnded {
                stream_sid,
                cause: StreamEnd::ServerLost,
                counters: StreamCounters::default(),
            };
            if let Err(error) = self.journal.record_durably(record.id, lost).await {
                tracing::error!(call.id = %record.id, %error, "the end of a lost stream could not be written down");
            }
        }
        Ok(())
    }

    /// A call of ours that the carrier may hold counts among those at once, as it did before.
    fn take_place_again(self: &Arc<Self>, call: &Arc<LiveCall>) {
        let (app, waiting) = (Arc::clone(self), Arc::clone(call));
        let mut place = Box::pin(async move {
            tokio::select! {
                slot = app.pacer.take_place() => waiting.hold_slot(slot),
                () = waiting.over.cancelled() => {}
            }
        });
        // Asked for at once, so that the calls of before stand before new ones in the queue.
        if place.as_mut().now_or_never().is_none() {
            self.tracker.spawn(place);
        }
    }

    async fn recover_call(self: &Arc<Self>, call: &Arc<LiveCall>, record: Call, attempt: Option<Attempt>) {
        match (call.sid(), attempt) {
            (Some(call_sid), Some(attempt)) => {
                // The record may have been faster than the attempt.
                let accepted = Settlement::Accepted(call_sid.clone());
                if let Err(error) = self.store.settle_attempt(attempt.id, accepted, self.clock.now()).await {
                    tracing::error!(call.id = %call.id, %error, "an attempt could not be settled");
                }
            }
            (Some(_), None) => {}
            // The carrier's answer reached the attempt, and the server died before the journal was told.
            (None, Some(Attempt { call_sid: Some(call_sid), .. })) => {
                self.live.bind(&call_sid, call);
                self.adopt(call, &call_sid);
            }
            (None, Some(attempt)) if matches!(attempt.state, AttemptState::Pending | AttemptState::Uncertain) => {
                self.reconcile_recovered(call, &record, &attempt).await;
                if call.sid().is_none() {
                    return;
                }
            }
            (None, _) => {
                let disposition =
                    if record.state == CallState::Queued { Disposition::Canceled } else { Disposition::Failed };
                self.finish_call(call, disposition, "the server stopped before the call had left").await;
                return;
            }
        }
        self.await_resume(call, record.streams).await;
    }

    async fn reconcile_recovered(self: &Arc<Self>, call: &Arc<LiveCall>, record: &Call, attempt: &Attempt) {
        let reconciled = match record.from.number() {
            Some(from) => self.reconcile(call, attempt.id, &attempt.number, from, attempt.started_at).await,
            None => Err(PlaceCallError::NoCallerNumber),
        };
        if let Err(error) = reconciled {
            tracing::error!(call.id = %call.id, %error, "an attempt could not be reconciled");
            self.finish_call(call, Disposition::Failed, &error.to_string()).await;
        }
    }

    /// Gives the carrier time to ask for the next document; ends the call if it does not, or if it is over already.
    /// `streams` is how many there were before the restart.
    async fn await_resume(self: &Arc<Self>, call: &Arc<LiveCall>, streams: u32) {
        let known = call.record().carrier_status.filter(|status| status.is_terminal());
        let status = match known {
            Some(status) => Some(status),
            None => self.ask_carrier(call).await.filter(|status| status.is_terminal()),
        };
        if let Some(status) = status {
            return self.carrier_status(call, status, None, None, None).await;
        }
        if call.record().streams > streams {
            // The carrier's request for the next document was faster than its answer.
            return;
        }
        let record = call.record();
        if let Some(vendor_id) = record.conversation_id.filter(|_| record.at_vendor) {
            self.follow_at_vendor(call, vendor_id);
            return;
        }
        if record.transfer.is_some() {
            // The carrier has it with somebody else, and will ask when they are done.
            return;
        }
        let wait = Duration::from_secs(self.config.calls.resume_wait_s);
        let until = self.clock.now().saturating_add(wait).unwrap_or(jiff::Timestamp::MAX);
        let _ = self.journal.record(call.id, CallEvent::ResumeAwaited { until });
        tokio::select! {
            () = call.over.cancelled() => return,
            // The next start takes it up.
            () = self.shutdown.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        if call.record().streams > streams || call.record().at_vendor {
            return;
        }
        self.request_end(call, &Actor::new(Door::System, "restart"), Disposition::Failed);
        self.end_at_carrier(call).await;
        self.finish_call(call, Disposition::Failed, "the server restarted and the carrier did not come back").await;
    }
}
