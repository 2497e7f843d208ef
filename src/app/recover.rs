//! After a restart: the journal is the truth, so every call that it holds open is taken up again or brought to its end.
//!
//! A call that the carrier still holds waits for its resume webhook (the document after the stream leads there) and is then hung
//! up, `failed`. One that never left is closed; one whose dial attempt has an unknown fate is reconciled, never dialled again.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::event::{Actor, Door};
use crate::domain::{Call, CallEvent, CallState, Disposition};
use crate::store::StoreError;

use super::App;
use super::live_calls::LiveCall;

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
            Ok(attempts) => attempts.into_iter().next_back(),
            Err(error) => {
                tracing::error!(call.id = %call.id, %error, "the dial attempt of a call could not be read");
                None
            }
        };
        if let Some(attempt) = &attempt {
            call.set_attempt(attempt.id);
        }
        if call.sid().is_none() {
            match attempt {
                // Nothing had left when the server stopped.
                None => {
                    let disposition =
                        if record.state == CallState::Queued { Disposition::Canceled } else { Disposition::Failed };
                    self.finish_call(call, disposition, "the server stopped before the call was dialled").await;
                    return;
                }
                Some(attempt) => {
                    let (Some(to), Some(from)) = (record.to.number(), record.from.number()) else { return };
                    if let Err(error) = self.reconcile(call, attempt.id, to, from, attempt.started_at).await {
                        tracing::error!(call.id = %call.id, %error, "an attempt could not be reconciled");
                    }
                    if call.sid().is_none() {
                        return;
                    }
                }
            }
        }
        self.await_resume(call).await;
    }

    /// Gives the carrier time to ask for the next document; ends the call if it does not.
    async fn await_resume(self: &Arc<Self>, call: &Arc<LiveCall>) {
        let wait = Duration::from_secs(self.config.calls.resume_wait_s);
        let until = self.clock.now().saturating_add(wait).unwrap_or(jiff::Timestamp::MAX);
        let streams = call.record().streams;
        let _ = self.journal.record(call.id, CallEvent::ResumeAwaited { until });
        tokio::select! {
            () = call.over.cancelled() => return,
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
