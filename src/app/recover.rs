//! After a restart: the journal is the truth, so every call that it holds open is taken up again or brought to its end.
//!
//! A call that the carrier still holds waits for its resume webhook (the document after the stream leads there) and is then hung
//! up, `failed`. One that never left is closed; one whose dial attempt has an unknown fate is reconciled, never dialled again.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::event::{Actor, Door};
use crate::domain::{Call, CallEvent, CallState, Disposition};
use crate::store::{Attempt, AttemptState, Settlement, StoreError};

use super::live_calls::LiveCall;
use super::{App, PlaceCallError};

impl App {
    /// Loads the open calls and sets a task to each. Returns how many there were.
    pub async fn recover(self: &Arc<Self>) -> Result<usize, StoreError> {
        let open = self.store.load_open_calls().await?;
        let count = open.len();
        for record in open {
            self.metrics.call_started(record.direction);
            let call = self.live.insert(record.clone());
            let app = Arc::clone(self);
            self.tracker.spawn(async move { app.recover_call(&call, record).await });
        }
        Ok(count)
    }

    async fn recover_call(self: &Arc<Self>, call: &Arc<LiveCall>, record: Call) {
        let attempt = match self.store.attempts_of(call.id).await {
            // One of a transfer is another number's.
            Ok(attempts) => attempts.into_iter().find(|attempt| record.to.number() == Some(&attempt.number)),
            Err(error) => {
                tracing::error!(call.id = %call.id, %error, "the dial attempt of a call could not be read");
                None
            }
        };
        if let Some(attempt) = &attempt {
            call.set_attempt(attempt.id);
        }
        match (call.sid(), attempt) {
            (Some(call_sid), Some(attempt)) => {
                // The record may have been faster than the attempt.
                let accepted = Settlement::Accepted(call_sid.clone());
                if let Err(error) = self.store.settle_attempt(attempt.id, accepted, self.clock.now()).await {
                    tracing::error!(call.id = %call.id, %error, "an attempt could not be settled");
                }
            }
            (Some(_), None) => {}
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
        self.await_resume(call).await;
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
    async fn await_resume(self: &Arc<Self>, call: &Arc<LiveCall>) {
        let known = call.record().carrier_status.filter(|status| status.is_terminal());
        let status = match known {
            Some(status) => Some(status),
            None => self.ask_carrier(call).await.filter(|status| status.is_terminal()),
        };
        if let Some(status) = status {
            return self.carrier_status(call, status, None, None, None).await;
        }
        if call.record().transfer.is_some() {
            // The carrier has it with somebody else, and will ask when they are done.
            return;
        }
        let wait = Duration::from_secs(self.config.calls.resume_wait_s);
        let until = self.clock.now().saturating_add(wait).unwrap_or(jiff::Timestamp::MAX);
        let streams = call.record().streams;
        let _ = self.journal.record(call.id, CallEvent::ResumeAwaited { until });
        tokio::select! {
            () = call.over.cancelled() => return,
            // The next start takes it up.
            () = self.shutdown.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        if call.record().streams > streams {
            return;
        }
        self.request_end(call, &Actor::new(Door::System, "restart"), Disposition::Failed);
        self.end_at_carrier(call).await;
        self.finish_call(call, Disposition::Failed, "the server restarted and the carrier did not come back").await;
    }
}
